//! Files from outside, each fetched once and held against its checksum.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::process::run;

/// The file of this address in a folder, as `program` (`sha256sum`, `sha512sum`) sums it up. What is there with the right
/// sum is not fetched again; two that fetch at once do not disturb each other.
pub async fn fetch(address: &str, program: &str, sum: &str, folder: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let name = address
        .rsplit('/')
        .next()
        .filter(|name| !name.is_empty())
        .with_context(|| format!("{address} has no name of a file"))?;
    let file = folder.join(name);
    if file.exists() && summed(&file, program).await? == sum {
        return Ok(file);
    }
    let partial = folder.join(format!("{name}.{}.partial", std::process::id()));
    run(Command::new("curl")
        .args([
            "--fail",
            "--silent",
            "--show-error",
            "--location",
            "--retry",
            "3",
            "--output",
        ])
        .arg(&partial)
        .arg(address))
    .await?;
    let found = summed(&partial, program).await?;
    ensure!(found == sum, "{address} has the checksum {found}, not {sum}");
    std::fs::rename(&partial, &file)?;
    Ok(file)
}

async fn summed(file: &Path, program: &str) -> Result<String> {
    let printed = run(Command::new(program).arg(file)).await?;
    Ok(printed.split_whitespace().next().unwrap_or_default().to_owned())
}
