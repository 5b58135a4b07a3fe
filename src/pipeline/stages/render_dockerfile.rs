//! Dockerfile: lay out the WAR, choose the stack by it, pin its base, render the template, make the labels.

use crate::definition::Stack;
use crate::dockerfile::{
    BaseImage, Description, DockerfileInput, MergeRequestOrigin, PinnedBase, WarOrigin, labels, render,
};
use crate::model::{Digest, Dockerfile, Finding, War, WarCheck};
use crate::pipeline::layout::Layout;
use crate::pipeline::stages::{Packed, Source};
use crate::pipeline::{Run, StageError};

/// A rendered Dockerfile and what the image will say of itself.
#[derive(Debug)]
pub(in crate::pipeline) struct Prepared {
    /// The Dockerfile with its labels.
    pub dockerfile: Dockerfile,
    /// What its layers are filled with.
    pub layout: Layout,
}

pub(in crate::pipeline) async fn render_dockerfile(
    run: &Run,
    source: &Source,
    packed: &Packed,
    checked: &WarCheck,
) -> Result<Prepared, StageError> {
    let parts = &run.parts;
    let war = &packed.war;
    let (file, siblings) = (war.file.clone(), packed.siblings.clone());
    let surveyed = tokio::task::spawn_blocking(move || Layout::survey(&file, &siblings)).await;
    let layout = surveyed.map_err(|error| StageError::world(format!("looking into the WAR broke: {error}")))???;
    for line in layout.told() {
        run.say(&line);
    }
    let stack = stack_of(run, war)?;
    let base = &stack.runtime.image;
    let pulled = base.mirrored(&parts.config.base_images.mirrors);
    let Some(digest) = parts.registry.digest(&pulled).await? else {
        return Err(StageError::broken_world(format!(
            "the base image {pulled} of stack {} does not exist: correct runtime.image of the stack or the mirror",
            stack.name
        )));
    };
    let pinned = PinnedBase::new(&pulled, &digest).map_err(StageError::broken_world)?;
    run.say(&format!("Stack {}: {} is {digest}", stack.name, base.as_str()));
    let by_digest = by_digest(pinned.as_str());
    let info = parts
        .engine
        .ensure_image(&by_digest, parts.login(&pulled).as_ref(), run.teller())
        .await?;
    if !info.on_build.is_empty() {
        return Err(StageError::broken_world(format!(
            "the base image {pulled} has ONBUILD instructions, which would run unseen in every image: take another base for stack {}",
            stack.name
        )));
    }
    let input = DockerfileInput {
        application: run.application(),
        base: pinned,
        layers: layout.layers(),
    };
    let (templates, rendering) = (parts.templates.clone(), stack.clone());
    // A template may loop for ever without writing anything; it must not hold the other builds up.
    let rendered = tokio::task::spawn_blocking(move || render(&templates, &rendering, &input)).await;
    let text = rendered
        .map_err(|error| StageError::broken_world(format!("rendering the Dockerfile broke: {error}")))?
        .map_err(|error| StageError::broken_world(format!("the Dockerfile's template: {error}")))?;
    let description = describe(
        run,
        source,
        packed,
        checked,
        stack.name.clone(),
        BaseImage {
            name: base.as_str().to_owned(),
            digest: digest.clone(),
        },
        &text,
    );
    for line in text.lines() {
        run.say(line);
    }
    run.note(stack.title.clone());
    Ok(Prepared {
        layout,
        dockerfile: Dockerfile {
            sha256: Digest::of(text.as_bytes()),
            labels: labels(&description, &info.labels),
            text,
            stack: stack.name.clone(),
            base_name: base.as_str().to_owned(),
            base_digest: digest,
        },
    })
}

/// The stack that the WAR runs on.
pub(super) fn stack_of<'a>(run: &'a Run, war: &War) -> Result<&'a Stack, StageError> {
    let Some(stack) = run.pipeline.stack_for(war.servlet) else {
        let stacks: Vec<&str> = run.pipeline.stacks.iter().map(|stack| stack.name.as_str()).collect();
        return Err(Finding::new(
            "no-stack",
            format!(
                "The application speaks {} ({}), and no stack of pipeline {} serves that",
                war.servlet.as_str(),
                war.evidence,
                run.pipeline.name
            ),
            format!(
                "Ask the platform team to add a stack for {}: the pipeline has {}.",
                war.servlet.as_str(),
                stacks.join(", ")
            ),
        )
        .into());
    };
    Ok(stack)
}

/// `repository:tag@digest` → `repository@digest`: the form that the engine keeps an image under.
fn by_digest(pinned: &str) -> String {
    match pinned.split_once('@') {
        Some((name, digest)) => match name.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => format!("{repository}@{digest}"),
            _ => pinned.to_owned(),
        },
        None => pinned.to_owned(),
    }
}

fn describe(
    run: &Run,
    source: &Source,
    packed: &Packed,
    checked: &WarCheck,
    stack: String,
    base: BaseImage,
    dockerfile: &str,
) -> Description {
    let mr = &run.build.merge_request;
    Description {
        application: run.application(),
        version: run.tag(),
        vendor: String::new(),
        created: run.build.started_at.unwrap_or(run.build.created_at),
        source: format!("{}/{}", run.parts.config.gitlab.url, mr.project),
        build: run.build.id,
        pipeline: run.pipeline.name.clone(),
        pipeline_hash: run.pipeline.hash(),
        stack,
        merge_request: MergeRequestOrigin {
            project: mr.project.clone(),
            project_id: mr.project_id,
            iid: mr.iid,
            title: mr.title.clone(),
            url: mr.url.clone(),
            author: mr.author.name.clone(),
            author_username: mr.author.username.clone(),
            head: mr.head.clone(),
            target_branch: mr.target_branch.clone(),
            target_tip: source.target_tip.clone(),
            merge_tree: source.merge_tree.clone(),
        },
        tests: packed.tests.counts,
        findings: checked.summary(),
        waivers: checked.waivers().join("; "),
        war: WarOrigin {
            path: packed.war.path.clone(),
            sha256: packed.war.sha256.clone(),
        },
        base,
        dockerfile: dockerfile.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::by_digest;

    #[test]
    fn the_engine_keeps_images_under_repository_and_digest() {
        assert_eq!(
            by_digest("127.0.0.1:5000/a/tomcat:9.0@sha256:00"),
            "127.0.0.1:5000/a/tomcat@sha256:00"
        );
        assert_eq!(
            by_digest("127.0.0.1:5000/a/tomcat@sha256:00"),
            "127.0.0.1:5000/a/tomcat@sha256:00"
        );
    }
}
