//! Dockerfile: pin the stack's base, render its template or take the hand-written one, make the labels.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::take_dockerfile::take_dockerfile;
use crate::by_hand::RepositoryFile;
use crate::clients::engine::ImageInfo;
use crate::definition::mirrored;
use crate::dockerfile::{
    BaseImage, BaseSays, Description, DockerfileInput, MergeRequestOrigin, PinnedBase, Rendered, WarOrigin, labels,
    render,
};
use crate::model::{Digest, Dockerfile, DockerfileException};
use crate::pipeline::stages::{Checked, Packed, Source};
use crate::pipeline::{Run, StageError};
use crate::store::pins;

/// A rendered Dockerfile and what the image will say of itself.
#[derive(Debug)]
pub(in crate::pipeline) struct Prepared {
    /// The Dockerfile with its labels.
    pub dockerfile: Dockerfile,
    /// Its text, and the files of the house that it copies.
    pub rendered: Arc<Rendered>,
    /// Files of the repository that it may copy; nothing for a generated one.
    pub files: Option<Arc<Vec<RepositoryFile>>>,
    /// The names by which its bases are pulled.
    pub pulled: Vec<String>,
}

pub(in crate::pipeline) async fn render_dockerfile(
    run: &Run,
    source: &Source,
    packed: &Packed,
    checked: &Checked,
) -> Result<Prepared, StageError> {
    let parts = &run.parts;
    let stack = &checked.stack;
    let taken = match &run.pipeline.by_hand {
        Some(by_hand) => Some(take_dockerfile(run, source, checked, by_hand).await?),
        None => None,
    };
    let base = taken
        .as_ref()
        .map_or(&stack.runtime.image, |taken| taken.written.base());
    let pins = pins::of_build(&parts.pool, run.build.id).await?;
    let Pinned {
        name: pinned,
        digest,
        info,
        pulled,
    } = pin(run, base.as_str(), pins.map(|pins| pins.base)).await?;
    let mut all_pulled = vec![pulled];
    let input = DockerfileInput {
        application: run.application(),
        base: pinned.clone(),
        base_says: BaseSays {
            user: if is_root(&info.user) {
                String::new()
            } else {
                info.user.clone()
            },
            working_dir: info.working_dir.clone(),
            stop_signal: info.stop_signal.clone(),
        },
        layers: checked.layout.layers(),
        webapp: run.pipeline.context_path.directory(),
        health_path: run.pipeline.context_path.inside(&run.pipeline.boot.path),
    };
    let (templates, rendering) = (parts.templates.clone(), Arc::clone(stack));
    // A template may loop for ever without writing anything; it must not hold the other builds up.
    let tried = tokio::task::spawn_blocking(move || render(&templates, &rendering, &input)).await;
    let mut rendered = tried
        .map_err(|error| StageError::broken_world(format!("rendering the Dockerfile broke: {error}")))?
        .map_err(|error| StageError::broken_world(format!("the Dockerfile's template: {error}")))?;
    if let Some(taken) = &taken {
        let mut names = BTreeMap::from([(base.to_string(), pinned)]);
        for image in taken.written.images() {
            if !names.contains_key(image) {
                let other = pin(run, image, None).await?;
                all_pulled.push(other.pulled);
                names.insert(image.to_owned(), other.name);
            }
        }
        let text = taken.written.pinned(&names).map_err(|image| {
            StageError::broken_world(format!("{}: the image {image} has no digest", taken.allowed.path))
        })?;
        rendered.replace_dockerfile(text);
    }
    let text = rendered.text.clone();
    let exception = taken.as_ref().map(|taken| taken.allowed.clone());
    let based = BaseImage {
        name: base.as_str().to_owned(),
        digest: digest.clone(),
    };
    let description = describe(run, source, packed, checked, based, exception.clone(), &text);
    for line in text.lines() {
        run.say(line);
    }
    if exception.is_none() {
        run.note(stack.title.clone());
    }
    let base_name = base.as_str().to_owned();
    Ok(Prepared {
        rendered: Arc::new(rendered),
        files: taken.map(|taken| Arc::new(taken.files)),
        pulled: all_pulled,
        dockerfile: Dockerfile {
            sha256: Digest::of(text.as_bytes()),
            labels: labels(&description, &info.labels),
            text,
            stack: stack.name.clone(),
            base_name,
            base_digest: digest,
            exception,
        },
    })
}

/// A base that cannot change any more, and what it says.
struct Pinned {
    name: PinnedBase,
    digest: Digest,
    info: ImageInfo,
    /// The name that it is pulled by.
    pulled: String,
}

/// Asks the registry what an image's tag means now, unless it is known, and brings the image to the engine.
async fn pin(run: &Run, image: &str, known: Option<Digest>) -> Result<Pinned, StageError> {
    let parts = &run.parts;
    let pulled = mirrored(image, &parts.config.base_images.mirrors);
    let digest = match known {
        Some(digest) => Some(digest),
        None => parts.registry.digest(&pulled).await?,
    };
    let Some(digest) = digest else {
        return Err(StageError::broken_world(format!(
            "the base image {pulled} does not exist: correct runtime.image of the stack, approved_bases of the pipeline, or the mirror",
        )));
    };
    let name = PinnedBase::new(&pulled, &digest).map_err(StageError::broken_world)?;
    run.say(&format!("{image} is {digest}"));
    let info = parts
        .engine
        .ensure_image(&by_digest(name.as_str()), parts.login(&pulled).as_ref(), run.teller())
        .await?;
    if !info.on_build.is_empty() {
        return Err(StageError::broken_world(format!(
            "the base image {pulled} has ONBUILD instructions, which would run unseen in every image: take another base",
        )));
    }
    Ok(Pinned {
        name,
        digest,
        info,
        pulled,
    })
}

/// Is the user of an image's configuration root, in any of the ways to write it?
fn is_root(user: &str) -> bool {
    matches!(user.split(':').next(), None | Some("" | "0" | "root"))
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
    checked: &Checked,
    base: BaseImage,
    exception: Option<DockerfileException>,
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
        stack: checked.stack.name.clone(),
        stack_evidence: checked.stack_evidence.clone(),
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
        findings: checked.report.summary(),
        waivers: [checked.report.waivers(), checked.library_waivers.clone()]
            .concat()
            .join("; "),
        sbom: Some(Digest::of(&checked.sbom.document())),
        war: WarOrigin {
            path: packed.war.path.clone(),
            sha256: packed.war.sha256.clone(),
        },
        boot_check: run.pipeline.boot.check,
        base,
        exception,
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
