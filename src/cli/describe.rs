//! `seaworthy describe`: what an image says of itself, from the registry alone. Service and database may be down.

use std::process::ExitCode;

use anyhow::bail;

use crate::clients::certificates::Certificates;
use crate::clients::registry::Registry;
use crate::config::Config;
use crate::dockerfile::describe;

/// Print who, what and why of an image; no layer is pulled.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The image, by tag or digest.
    image: String,
    /// Print its Dockerfile instead.
    #[arg(long, conflicts_with = "json")]
    dockerfile: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// # Errors
/// The registry's answer, or labels that are not ours.
pub async fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    let certificates = Certificates::load(config.tls.ca_file.as_deref())?;
    let Some(found) = Registry::new(config, &certificates).config(&args.image).await? else {
        bail!("there is no image {}", args.image);
    };
    let description = describe(&found.labels)?;
    if args.dockerfile {
        print!("{}", description.dockerfile);
    } else if args.json {
        println!("{}", serde_json::to_string_pretty(&description)?);
    } else {
        println!("{:<15}{}", "digest", found.digest);
        print!("{description}");
    }
    Ok(ExitCode::SUCCESS)
}
