//! `seaworthy connect <group/project>`: makes or repairs the project's webhook, then tries the way in both directions.
//!
//! May be run any number of times. A hook of ours is known by its address; GitLab never shows a hook's secret, so it is
//! written again each time: a secret that was changed here and not there is the usual reason why hooks stop.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context as _;

use super::assembly;
use crate::clients::certificates::Certificates;
use crate::clients::git::Git;
use crate::clients::gitlab::{GitLab, GitLabError, Hook, HookSettings, HookTest, Project};
use crate::config::Config;
use crate::model::ProjectPath;

/// Make or repair a project's webhook, and test it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The project, for example `shop/web/basket`.
    #[arg(value_name = "GROUP/PROJECT")]
    project: ProjectPath,
}

impl Args {
    /// As the command line makes it.
    pub fn new(project: ProjectPath) -> Self {
        Self { project }
    }
}

/// Does it and writes what was done, a line each; fails if something does not work yet.
///
/// # Errors
/// What GitLab refuses, with the right that is missing.
pub async fn run(args: &Args, config: &Config, out: &mut (dyn Write + Send)) -> anyhow::Result<ExitCode> {
    let certificates = Certificates::load(config.tls.ca_file.as_deref())?;
    let gitlab = assembly::gitlab(config, &certificates)?;
    let project = gitlab.project(&args.project).await?;
    writeln!(
        out,
        "project {} (number {}) at {}",
        project.path, project.id, project.web_url
    )?;
    if project.archived {
        writeln!(out, "PROBLEM the project is archived: it has no new merge requests")?;
    }
    let settings = settings(config);
    let hook = install(&gitlab, &project, &settings, out).await?;
    let mut well = !project.archived;
    if settings.token.is_none() && !hook.signing_token_present {
        well = false;
        writeln!(
            out,
            "PROBLEM this GitLab does not sign its hooks: set webhook.secrets, and run this again"
        )?;
    }
    well &= test(&gitlab, &project, &hook, out).await?;
    well &= read(&assembly::git(config, &certificates)?, &project, out).await?;
    well &= pipeline(config, &project.path, out)?;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Secret and signing key may both be set; a GitLab that does not sign ignores the second.
fn settings(config: &Config) -> HookSettings {
    HookSettings {
        url: format!("{}/hooks/gitlab", config.server.public_url.trim_end_matches('/')),
        enable_ssl_verification: true,
        token: config.webhook.secrets.first().cloned(),
        signing_token: config.webhook.signing_keys.first().cloned(),
    }
}

/// One hook of ours, set as it has to be; further ones with the same address are removed.
async fn install(
    gitlab: &GitLab,
    project: &Project,
    settings: &HookSettings,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Hook> {
    let explain = |error: GitLabError| role(error, project);
    let hooks = gitlab.hooks(project.id).await.map_err(explain)?;
    let mut ours = hooks
        .into_iter()
        .filter(|hook| hook.url.trim_end_matches('/') == settings.url);
    let Some(first) = ours.next() else {
        let hook = gitlab.create_hook(project.id, settings).await.map_err(explain)?;
        writeln!(
            out,
            "webhook {} made: {} is told of merge requests, and of nothing else",
            hook.id, settings.url
        )?;
        return Ok(hook);
    };
    let wrong = differences(&first);
    let hook = gitlab
        .edit_hook(project.id, first.id, settings)
        .await
        .map_err(explain)?;
    match wrong.is_empty() {
        true => writeln!(
            out,
            "webhook {} was there already; its secret, which GitLab does not show, is written again",
            hook.id
        )?,
        false => writeln!(out, "webhook {} repaired: {}", hook.id, wrong.join(", "))?,
    }
    for more in ours {
        gitlab.delete_hook(project.id, more.id).await.map_err(explain)?;
        writeln!(out, "webhook {} removed: it had the same address", more.id)?;
    }
    Ok(hook)
}

/// What is not as it has to be, as far as GitLab shows it.
fn differences(hook: &Hook) -> Vec<&'static str> {
    let checks = [
        (!hook.merge_requests_events, "it was not sent for merge requests"),
        (
            !hook.push_events,
            "it was not sent for pushes, which tell what was merged",
        ),
        (!hook.enable_ssl_verification, "our certificate was not checked"),
        (
            hook.alert_status
                .as_deref()
                .is_some_and(|status| status.contains("disabled")),
            "GitLab had switched it off after failures (the next delivery that works switches it on)",
        ),
    ];
    checks.into_iter().filter_map(|(is, text)| is.then_some(text)).collect()
}

/// A refusal with the role that the token's user has, where GitLab tells it.
fn role(mut error: GitLabError, project: &Project) -> GitLabError {
    if let (Some(403 | 404), Some(level)) = (error.status, project.access_level) {
        let name = match level.0 {
            50.. => "Owner",
            40.. => "Maintainer",
            30.. => "Developer",
            20.. => "Reporter",
            _ => "Guest",
        };
        error.advice.push_str(&format!("; now it is {name}"));
    }
    error
}

/// From GitLab to us.
async fn test(gitlab: &GitLab, project: &Project, hook: &Hook, out: &mut (dyn Write + Send)) -> anyhow::Result<bool> {
    match gitlab.test_hook(project.id, hook.id).await {
        Ok(HookTest::Delivered) => writeln!(out, "test delivery: taken")?,
        Ok(HookTest::NotOffered) => writeln!(
            out,
            "test delivery: this GitLab does not offer it by API; use Settings > Webhooks > Test"
        )?,
        // There is nothing to send yet; that is no mistake.
        Ok(HookTest::Failed(words)) if words.contains("Ensure the project has merge requests") => writeln!(
            out,
            "test delivery: not possible before the project's first merge request"
        )?,
        Ok(HookTest::Failed(words)) => {
            writeln!(
                out,
                "PROBLEM test delivery: {words}; does the service run, does GitLab reach {}, and may it call that \
                 network (Admin > Settings > Network > Outbound requests)?",
                hook.url
            )?;
            return Ok(false);
        }
        Err(error) if error.is_transient() => writeln!(out, "test delivery: not now; {error}")?,
        Err(error) => {
            writeln!(out, "PROBLEM test delivery: {}", role(error, project))?;
            return Ok(false);
        }
    }
    Ok(true)
}

/// From us to Git.
async fn read(git: &Git, project: &Project, out: &mut (dyn Write + Send)) -> anyhow::Result<bool> {
    let branch = project.default_branch.as_deref().unwrap_or("main");
    match git.ls_remote(&project.path, &format!("refs/heads/{branch}")).await {
        Ok(Some(tip)) => writeln!(out, "Git: {branch} is at {}", tip.short())?,
        Ok(None) => writeln!(out, "Git: readable, without a branch {branch} yet")?,
        Err(error) => {
            writeln!(out, "PROBLEM Git: {error}")?;
            return Ok(false);
        }
    }
    Ok(true)
}

/// What its merge requests are built by.
fn pipeline(config: &Config, project: &ProjectPath, out: &mut (dyn Write + Send)) -> anyhow::Result<bool> {
    let (_, definitions) =
        assembly::definitions(config).context("the hook is set, but the pipelines cannot be read")?;
    match definitions.pipeline_for(project) {
        Some(pipeline) => writeln!(out, "pipeline: {}", pipeline.name)?,
        None => {
            writeln!(out, "PROBLEM pipeline: {}", definitions.how_to_add(project))?;
            return Ok(false);
        }
    }
    Ok(true)
}
