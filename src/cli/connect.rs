//! `seaworthy connect group/project`: makes or repairs the project's webhook.

use std::process::ExitCode;

use anyhow::bail;

use crate::clients::certificates::Certificates;
use crate::clients::gitlab::{AccessLevel, GitLab, HookSettings, HookTest};
use crate::clients::http;
use crate::config::Config;
use crate::definition::Definitions;
use crate::dockerfile::Templates;
use crate::model::ProjectPath;

/// Make or repair the webhook of a project.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Path of the project, for example shop/basket.
    project: ProjectPath,
}

/// # Errors
/// What the token lacks, in GitLab's and our words.
pub async fn run(args: &Args, config: &Config) -> anyhow::Result<ExitCode> {
    let certificates = Certificates::load(config.tls.ca_file.as_deref())?;
    let http = http::client(&certificates)?;
    let gitlab = GitLab::new(&config.gitlab.url, &config.gitlab.token, config.gitlab.timeout, http)?;
    let project = gitlab.project(&args.project).await?;
    if let Some(level) = project.access_level
        && level < AccessLevel::MAINTAINER
    {
        bail!(
            "the token's user has not the role Maintainer in {}, which webhooks need: give it that role, or make the hook by hand",
            project.path
        );
    }
    let settings = HookSettings {
        url: format!("{}/hooks/gitlab", config.server.public_url),
        enable_ssl_verification: true,
        token: config.webhook.secrets.first().cloned(),
        signing_token: config.webhook.signing_keys.first().cloned(),
    };
    let hooks = gitlab.hooks(project.id).await?;
    let mut ours = hooks.into_iter().filter(|hook| hook.url == settings.url);
    let hook = match ours.next() {
        // GitLab does not show the secret, so it is set again: repairing is the same as setting.
        Some(hook) => {
            gitlab.edit_hook(project.id, hook.id, &settings).await?;
            println!(
                "webhook {} of {} is set: merge requests, to {}",
                hook.id, project.path, settings.url
            );
            hook.id
        }
        None => {
            let hook = gitlab.create_hook(project.id, &settings).await?;
            println!(
                "webhook {} of {} is made: merge requests, to {}",
                hook.id, project.path, settings.url
            );
            hook.id
        }
    };
    for double in ours {
        gitlab.delete_hook(project.id, double.id).await?;
        println!("webhook {} was a double and is removed", double.id);
    }
    let templates = Templates::load(None)?;
    let definitions = Definitions::load(config.definitions.pipelines.as_deref(), &templates.names())?;
    match definitions.pipeline_for(&project.path) {
        Some(pipeline) => println!("pipeline {} builds it", pipeline.name),
        None => println!("but {}", definitions.how_to_add(&project.path)),
    }
    match gitlab.test_hook(project.id, hook).await? {
        HookTest::Delivered => println!("a test delivery arrived"),
        HookTest::NotOffered => println!("this GitLab cannot test hooks over its API; push to a merge request to see"),
        HookTest::Failed(why) => println!("a test delivery did not arrive: {why}"),
    }
    Ok(ExitCode::SUCCESS)
}
