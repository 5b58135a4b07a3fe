//! `seaworthy quality`: how good the images are, and how well they are delivered.

use std::io::{Write, stdout};
use std::process::ExitCode;

use super::client::{Client, Server};
use super::print;
use crate::wire::{Median, Quality, QualityRow};

/// Show defect rates by month, application, stack and base image, and the four keys of DORA.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    server: Server,
    /// Count images that were built, and deployments that ended, in so many days until now.
    #[arg(long, default_value_t = 180)]
    days: u32,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// # Errors
/// The service's sentence.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let query = [("days", args.days.to_string())];
    let quality: Quality = Client::new(&args.server)?.get("/api/quality", &query).await?;
    let mut out = stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&quality)?)?;
    } else {
        show(&mut out, &quality)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(out: &mut impl Write, quality: &Quality) -> std::io::Result<()> {
    let day = |at: &chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%d").to_string();
    writeln!(out, "from {} until {}\n", day(&quality.from), day(&quality.until))?;
    let months: Vec<Vec<String>> = quality
        .months
        .iter()
        .map(|month| {
            vec![
                month.month.clone(),
                month.produced.to_string(),
                month.decided.to_string(),
                month.undecided.to_string(),
                month.defective.to_string(),
                percent(month.defect_rate),
            ]
        })
        .collect();
    print::table(
        out,
        &["built in", "images", "decided", "open", "defective", "defect rate"],
        &months,
    )?;
    for (name, rows) in [
        ("application", &quality.applications),
        ("stack", &quality.stacks),
        ("base image", &quality.bases),
    ] {
        writeln!(out)?;
        let heads = [
            name,
            "images",
            "promoted",
            "rejected",
            "rolled back",
            "decided",
            "defect rate",
        ];
        print::table(out, &heads, &rows.iter().map(cells).collect::<Vec<_>>())?;
    }
    let delivery = &quality.delivery;
    writeln!(out, "\ninto {}:", quality.last_environment)?;
    let per_week = delivery
        .deployments_per_week
        .map_or(String::new(), |rate| format!(", {rate:.1} a week"));
    writeln!(out, "  deployments          {}{per_week}", delivery.deployments)?;
    writeln!(out, "  lead time            {}", time(delivery.lead_time))?;
    writeln!(
        out,
        "  change failure rate  {} ({} of {})",
        percent(delivery.change_failure_rate),
        delivery.failed_deployments,
        delivery.deployments
    )?;
    writeln!(out, "  recovery time        {}", time(delivery.recovery_time))
}

fn cells(row: &QualityRow) -> Vec<String> {
    let categories: Vec<String> = row
        .rejected_by_category
        .iter()
        .map(|(category, count)| format!("{category} {count}"))
        .collect();
    let rejected = match categories.is_empty() {
        true => row.rejected.to_string(),
        false => format!("{} ({})", row.rejected, categories.join(", ")),
    };
    vec![
        row.name.clone(),
        row.produced.to_string(),
        row.promoted.to_string(),
        rejected,
        row.rolled_back.to_string(),
        row.decided.to_string(),
        percent(row.defect_rate),
    ]
}

fn percent(rate: Option<f64>) -> String {
    rate.map_or("-".to_owned(), |rate| format!("{:.1} %", rate * 100.0))
}

fn time(median: Median) -> String {
    match median.seconds {
        None => "- (nothing to count)".to_owned(),
        Some(seconds) => format!(
            "{} d {} h {} min (median of {})",
            seconds / 86_400,
            seconds / 3600 % 24,
            seconds / 60 % 60,
            median.of
        ),
    }
}
