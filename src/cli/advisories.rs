//! `seaworthy advisories …`: known vulnerabilities, imported beside the database by whoever can reach it.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::print;
use crate::advisories::{self, read_source};
use crate::config::Config;
use crate::model::advisory_name;
use crate::store::advisories as stored;
use crate::store::{self, PgPool};

/// Files that are no advisories and are named.
const NAMED: usize = 20;

/// Known vulnerabilities of libraries.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Import advisories in the format of OSV, and say how many images are newly affected.
    Import {
        /// A directory of JSON files, or a zip of them, for example OSV's Maven/all.zip.
        source: PathBuf,
    },
    /// Say what was imported, and which vulnerabilities are in how many images.
    Status {
        /// At most so many vulnerabilities, the worst first.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
}

impl Args {
    /// `import <source>`, as the command line makes it.
    pub fn import(source: PathBuf) -> Self {
        Self {
            verb: Verb::Import { source },
        }
    }

    /// `status`, as the command line makes it.
    pub fn status() -> Self {
        Self {
            verb: Verb::Status { limit: 50 },
        }
    }
}

/// Does it and writes what was done. Fails when a file was no advisory; the others are imported all the same.
///
/// # Errors
/// The source cannot be read, or the database is away.
pub async fn run(args: &Args, config: &Config, out: &mut (dyn Write + Send)) -> anyhow::Result<ExitCode> {
    let pool = store::connect(&config.database.url, 4)?;
    store::migrate(&pool).await?;
    match &args.verb {
        Verb::Import { source } => import(&pool, source.clone(), out).await,
        Verb::Status { limit } => status(&pool, *limit, out).await,
    }
}

async fn import(pool: &PgPool, path: PathBuf, out: &mut (dyn Write + Send)) -> anyhow::Result<ExitCode> {
    let name = path.display().to_string();
    let source = tokio::task::spawn_blocking(move || read_source(&path)).await??;
    let imported = advisories::import(pool, &name, &source.advisories).await?;
    writeln!(
        out,
        "{} advisories of Maven's libraries read, {} of them new or newer; {} files speak of other ecosystems",
        source.advisories.len(),
        imported.changed,
        source.others
    )?;
    writeln!(out, "{} images are newly affected", imported.affected)?;
    for (file, why) in source.broken.iter().take(NAMED) {
        writeln!(
            out,
            "PROBLEM {}: {}",
            print::plain(file),
            print::plain(&why.to_string())
        )?;
    }
    if source.broken.len() > NAMED {
        writeln!(
            out,
            "PROBLEM {} more files are no advisories",
            source.broken.len() - NAMED
        )?;
    }
    Ok(match source.broken.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

async fn status(pool: &PgPool, limit: u32, out: &mut (dyn Write + Send)) -> anyhow::Result<ExitCode> {
    let (count, open) = stored::open(&mut *pool.acquire().await?, i64::from(limit)).await?;
    let imports = stored::imports(pool, 1).await?;
    match imports.first() {
        Some(last) => writeln!(
            out,
            "{count} advisories; the last import was {} from {}: {} read, {} new or newer, {} images newly affected",
            last.at.format("%Y-%m-%d %H:%M UTC"),
            print::plain(&last.source),
            last.read,
            last.changed,
            last.affected
        )?,
        None => writeln!(
            out,
            "no advisories yet: fetch OSV's Maven/all.zip and run `seaworthy advisories import all.zip`"
        )?,
    }
    if open.is_empty() {
        writeln!(out, "no image is affected by one of them")?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = open
        .into_iter()
        .map(|one| {
            vec![
                one.images.to_string(),
                advisory_name(&one.id, &one.aliases, one.level),
                one.summary,
            ]
        })
        .collect();
    let mut text = Vec::new();
    print::table(&mut text, &["images", "advisory", "summary"], &rows)?;
    out.write_all(&text)?;
    Ok(ExitCode::SUCCESS)
}
