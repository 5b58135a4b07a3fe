//! `seaworthy promote …`: an image goes into the next environment.

use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::Duration;

use super::client::{Client, Server};
use super::print;
use crate::model::{Gate, PromotionState};
use crate::wire::{
    CancelOrder, Outlook, PromotionAnswer, PromotionDetail, PromotionDone, PromotionList, PromotionOrder,
};

/// How often a promotion is looked at while its end is waited for.
const LOOK: Duration = Duration::from_millis(500);

/// Promote an image: the same digest, copied into the registries of the next environment.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Digest (or its first 12 digits), reference as it was pushed, or number of the build.
    #[arg(required = true)]
    image: Option<String>,
    /// Name of the environment.
    #[arg(required = true)]
    environment: Option<String>,
    /// Why; people will ask for it.
    #[arg(long, default_value = "")]
    reason: String,
    /// Only say which gates are open and what would be copied where.
    #[arg(long)]
    dry_run: bool,
    /// Wait for the end, and show how far the copy is.
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List promotions, newest first.
    List(ListArgs),
    /// Show one: its gates, approvals and copies.
    Show {
        /// Its number.
        promotion: i64,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say yes. The approval is bound to the digest.
    Approve {
        /// Its number.
        promotion: i64,
        /// Wait for the end.
        #[arg(long)]
        wait: bool,
    },
    /// Copy what is missing of a promotion that ended partial or failed.
    Resume {
        /// Its number.
        promotion: i64,
        /// Wait for the end.
        #[arg(long)]
        wait: bool,
    },
    /// Give a promotion up.
    Cancel {
        /// Its number.
        promotion: i64,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Only of this application.
    #[arg(long)]
    application: Option<String>,
    /// Only into this environment.
    #[arg(long)]
    environment: Option<String>,
    /// Only in this state: waiting, copying, done, partial, failed, rejected or cancelled.
    #[arg(long)]
    state: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// # Errors
/// The service's sentence.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let client = Client::new(&args.server)?;
    match (&args.verb, &args.image, &args.environment) {
        (Some(verb), ..) => steer(&client, verb).await,
        (None, Some(image), Some(environment)) => {
            let order = PromotionOrder {
                image: image.clone(),
                environment: environment.clone(),
                reason: args.reason.clone(),
                dry_run: args.dry_run,
            };
            match client.post_json("/api/promotions", &order).await? {
                PromotionAnswer::Ordered(answer) => after(&client, &answer, args.wait).await,
                PromotionAnswer::Outlook(outlook) => {
                    show_outlook(&mut stdout().lock(), &outlook)?;
                    Ok(exit(outlook.allowed))
                }
            }
        }
        (None, ..) => anyhow::bail!("name the image and the environment: seaworthy promote sha256:… production"),
    }
}

async fn steer(client: &Client, verb: &Verb) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::List(args) => list(client, args).await,
        Verb::Show { promotion, json } => {
            let detail: PromotionDetail = client.get(&format!("/api/promotions/{promotion}"), &[]).await?;
            let mut out = stdout().lock();
            if *json {
                writeln!(out, "{}", serde_json::to_string_pretty(&detail)?)?;
            } else {
                show(&mut out, &detail)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Verb::Approve { promotion, wait } => {
            let answer = client.post(&format!("/api/promotions/{promotion}/approve")).await?;
            after(client, &answer, *wait).await
        }
        Verb::Resume { promotion, wait } => {
            let answer = client.post(&format!("/api/promotions/{promotion}/resume")).await?;
            after(client, &answer, *wait).await
        }
        Verb::Cancel { promotion, reason } => {
            let order = CancelOrder { reason: reason.clone() };
            let path = format!("/api/promotions/{promotion}/cancel");
            let answer: PromotionDone = client.post_json(&path, &order).await?;
            after(client, &answer, false).await
        }
    }
}

async fn list(client: &Client, args: &ListArgs) -> anyhow::Result<ExitCode> {
    let mut query = vec![("limit", args.limit.to_string())];
    for (name, value) in [
        ("application", &args.application),
        ("environment", &args.environment),
        ("state", &args.state),
    ] {
        query.extend(value.clone().map(|value| (name, value)));
    }
    let list: PromotionList = client.get("/api/promotions", &query).await?;
    let mut out = stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = list
        .promotions
        .iter()
        .map(|promotion| {
            vec![
                promotion.id.to_string(),
                promotion.kind.to_string(),
                promotion.state.to_string(),
                promotion.application.clone(),
                promotion.environment.clone(),
                promotion.digest.as_str()[..19].to_owned(),
                promotion.requested_by.clone(),
                promotion.requested_at.format("%Y-%m-%d %H:%M").to_string(),
            ]
        })
        .collect();
    let heads = [
        "number",
        "kind",
        "state",
        "application",
        "environment",
        "digest",
        "by",
        "asked for (UTC)",
    ];
    print::table(&mut out, &heads, &rows)?;
    Ok(ExitCode::SUCCESS)
}

/// Says what was done, and waits for what becomes of it where that is wanted.
pub(super) async fn after(client: &Client, answer: &PromotionDone, wait: bool) -> anyhow::Result<ExitCode> {
    writeln!(stdout().lock(), "{}\n{}", answer.message, answer.url)?;
    let (Some(id), true) = (answer.promotion, wait) else {
        return Ok(ExitCode::SUCCESS);
    };
    let mut told = String::new();
    loop {
        let detail: PromotionDetail = client.get(&format!("/api/promotions/{id}"), &[]).await?;
        let state = detail.promotion.state;
        let line = progress(&detail);
        if line != told {
            writeln!(stdout().lock(), "{line}")?;
            told = line;
        }
        if state.is_final() {
            show(&mut stdout().lock(), &detail)?;
            return Ok(exit(state == PromotionState::Done));
        }
        // Nobody knows when somebody will approve.
        if state == PromotionState::Waiting
            && detail.gates.iter().any(|gate| !gate.open)
            && detail.promotion.why.is_some()
        {
            show(&mut stdout().lock(), &detail)?;
            return Ok(ExitCode::SUCCESS);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn exit(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// `copying: dc1 45 % of 312.0 MB (22.4 MB/s, 8 s left), dc2 there`.
fn progress(detail: &PromotionDetail) -> String {
    let began = detail.promotion.started_at;
    let copies: Vec<String> = detail
        .copies
        .iter()
        .map(|copy| {
            let there = copy.sent + copy.skipped;
            if copy.state != "copying" || copy.total == 0 {
                return format!("{} {}", copy.data_centre, copy.state);
            }
            let spent = began.map_or(0.0, |began| (copy.at - began).as_seconds_f64());
            let rate = if spent > 0.0 { copy.sent as f64 / spent } else { 0.0 };
            let left = if rate > 0.0 {
                format!(", {:.0} s left", (copy.total - there) as f64 / rate)
            } else {
                String::new()
            };
            format!(
                "{} {} % of {:.1} MB ({:.1} MB/s{left})",
                copy.data_centre,
                there * 100 / copy.total,
                copy.total as f64 / 1e6,
                rate / 1e6
            )
        })
        .collect();
    match copies.is_empty() {
        true => detail.promotion.state.to_string(),
        false => format!("{}: {}", detail.promotion.state, copies.join(", ")),
    }
}

fn show(out: &mut impl Write, detail: &PromotionDetail) -> std::io::Result<()> {
    let promotion = &detail.promotion;
    writeln!(
        out,
        "{} {} of {} into {}: {}",
        promotion.kind, promotion.id, promotion.application, promotion.environment, promotion.state
    )?;
    if let Some(why) = &promotion.why {
        writeln!(out, "  {}", print::plain(why))?;
    }
    writeln!(out, "  digest       {}", promotion.digest)?;
    if let Some(replaces) = &promotion.replaces {
        writeln!(out, "  replaces     {replaces}")?;
    }
    writeln!(out, "  build        {}", promotion.build)?;
    writeln!(
        out,
        "  asked for    by {} on {}: {}",
        print::plain(&promotion.requested_by),
        promotion.requested_at.format("%Y-%m-%d %H:%M UTC"),
        print::plain(&promotion.reason)
    )?;
    for approval in &detail.approvals {
        writeln!(
            out,
            "  approved     by {} on {}",
            print::plain(&approval.person),
            approval.at.format("%Y-%m-%d %H:%M UTC")
        )?;
    }
    show_gates(out, &detail.gates)?;
    for copy in &detail.copies {
        let error = copy.error.as_deref().map(|error| format!(": {}", print::plain(error)));
        writeln!(
            out,
            "  {:<12} {} {}, {} bytes sent, {} there before{}",
            copy.data_centre,
            copy.reference,
            copy.state,
            copy.sent,
            copy.skipped,
            error.unwrap_or_default()
        )?;
    }
    Ok(())
}

fn show_gates(out: &mut impl Write, gates: &[Gate]) -> std::io::Result<()> {
    for gate in gates {
        let mark = if gate.open { "open  " } else { "CLOSED" };
        let name = gate.gate.as_str().replace('_', " ");
        writeln!(out, "  {mark} {name:<13} {}", print::plain(&gate.why))?;
    }
    Ok(())
}

fn show_outlook(out: &mut impl Write, outlook: &Outlook) -> std::io::Result<()> {
    writeln!(
        out,
        "{} of build {} ({}) into {}:",
        outlook.digest, outlook.build, outlook.project, outlook.environment
    )?;
    if let Some(replaces) = &outlook.replaces {
        writeln!(out, "  replaces     {replaces}")?;
    }
    for copy in &outlook.copies {
        writeln!(out, "  {:<12} {}", copy.data_centre, copy.reference)?;
    }
    show_gates(out, &outlook.gates)?;
    let verdict = if outlook.allowed {
        "a request would be taken"
    } else {
        "a request would be refused"
    };
    writeln!(out, "{verdict}; nothing was done")
}
