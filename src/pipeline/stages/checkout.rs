//! Checkout: the merge of the merge request's head into the target's tip, computed in the mirror, laid out in a directory.
//!
//! What would be on the target branch after the merge is what gets built: two merge requests that are each green alone
//! can break the trunk together. Of a push to the trunk the pushed commit is built as it is.

use std::path::PathBuf;
use std::time::Duration;

use crate::clients::git::{Fetched, GitErrorKind, Merged};
use crate::model::{Finding, Sha, mark};
use crate::pipeline::ahead::Ahead;
use crate::pipeline::{Run, StageError};
use crate::store::{builds, pins, trunk};

/// How often a fetch is repeated while GitLab does not yet show the commit that its own hook named.
const LAGGING: u32 = 5;
const LAG: Duration = Duration::from_secs(1);

/// The merge result on the worker's disk.
#[derive(Debug)]
pub(in crate::pipeline) struct Source {
    /// Where it is.
    pub directory: PathBuf,
    /// The tip of the target branch that the head was merged with; of a push the pushed commit itself.
    pub target_tip: Sha,
    /// The tree of the merge result.
    pub merge_tree: Sha,
}

/// The source, and what could be prepared beside it.
pub(in crate::pipeline) async fn checkout(run: &Run) -> Result<(Source, Ahead), StageError> {
    let (source, ahead) = tokio::join!(lay_out(run), Ahead::prepare(run));
    Ok((source?, ahead))
}

async fn lay_out(run: &Run) -> Result<Source, StageError> {
    let mr = &run.build.merge_request;
    let git = &run.parts.git;
    run.say(&match mr.is_trunk() {
        false => format!(
            "Fetching {} of {} and its target {}",
            mr.head.short(),
            mr.project,
            mr.target_branch
        ),
        true => format!(
            "Fetching {} of branch {} of {}",
            mr.head.short(),
            mr.target_branch,
            mr.project
        ),
    });
    let fetched = fetch(run).await?;
    run.say(&format!(
        "Fetched {} objects, {} bytes; {} is at {}",
        fetched.objects, fetched.received_bytes, mr.target_branch, fetched.target_tip
    ));
    let tip = match pins::of_build(&run.parts.pool, run.build.id).await? {
        _ if mr.is_trunk() => mr.head.clone(),
        None => fetched.target_tip,
        Some(pins) => pinned(run, pins.target_tip).await?,
    };
    let (tree, commits) = match git.merge(mr.project_id, &mr.head, &tip).await? {
        Merged::Tree { tree, commits, .. } => (tree, commits),
        Merged::Conflict { files } => {
            record(run, &tip, None).await?;
            return Err(Finding::new(
                "merge-conflict",
                format!(
                    "{} cannot be merged into {}: both changed {}",
                    mr.source_branch,
                    mr.target_branch,
                    few(&files)
                ),
                format!(
                    "Merge or rebase onto {} on your desk, resolve the conflicts and push.",
                    mr.target_branch
                ),
            )
            .with_detail(files)
            .into());
        }
        Merged::Unrelated => {
            record(run, &tip, None).await?;
            return Err(Finding::new(
                "no-common-history",
                format!("{} and {} have no commit in common", mr.source_branch, mr.target_branch),
                format!("Begin the branch anew from {}.", mr.target_branch),
            )
            .into());
        }
    };
    let commits = match mr.is_trunk() {
        false => commits,
        true => {
            let before = trunk::before(&run.parts.pool, mr.project_id, &mr.target_branch, &mr.head).await?;
            git.commits(mr.project_id, &mr.head, before.as_ref()).await?
        }
    };
    record(run, &tip, Some(&tree)).await?;
    builds::record_commits(&run.parts.pool, &run.claim, run.build.id, &commits).await?;
    let directory = run.workspace.source();
    let checkout = git.checkout(mr.project_id, &tree, &directory, &run.cancel).await?;
    let what = match mr.is_trunk() {
        false => format!(
            "Merged {} ({} commits) into {}",
            mr.head.short(),
            commits.len(),
            tip.short()
        ),
        true => format!("{} at {}", mr.target_branch, tip.short()),
    };
    run.say(&format!("{what}: tree {tree}, {} files", checkout.files));
    incomplete(&checkout.submodules, &checkout.lfs_pointers, &checkout.outside_links)?;
    run.note(format!("{} files", checkout.files));
    Ok(Source {
        directory,
        target_tip: tip,
        merge_tree: tree,
    })
}

/// The commit that the head was merged with once, if the repository still has it.
async fn pinned(run: &Run, tip: Sha) -> Result<Sha, StageError> {
    let mr = &run.build.merge_request;
    if !run.parts.git.has_commit(mr.project_id, &tip).await? {
        return Err(StageError::broken_world(format!(
            "{} had the commit {tip} once and has it no longer: this image cannot be made again",
            mr.target_branch
        )));
    }
    run.say(&format!("Merging with {tip}, as the image that is made again was"));
    Ok(tip)
}

/// Fetches until the mirror holds the commit that the build is about; in the end GitLab's API decides.
async fn fetch(run: &Run) -> Result<Fetched, StageError> {
    let mr = &run.build.merge_request;
    let git = &run.parts.git;
    for attempt in 0..LAGGING {
        if attempt > 0 {
            run.say("GitLab does not show this commit yet; looking again");
            tokio::time::sleep(LAG).await;
        }
        let fetched = git
            .fetch(
                &mr.project,
                mr.project_id,
                mr.iid,
                &mr.target_branch,
                &run.cancel,
                run.teller(),
            )
            .await;
        match fetched {
            Ok(fetched) if fetched.head == mr.head => return Ok(fetched),
            // An older commit of the same branch (a rebuild, or the hook of a newer push is on its way).
            Ok(fetched) if git.has_commit(mr.project_id, &mr.head).await? => {
                return still_wanted(run).await.map(|()| fetched);
            }
            Ok(_) => {}
            Err(error) if error.kind() == GitErrorKind::NotFound && attempt + 1 < LAGGING => {}
            Err(error) => return Err(error.into()),
        }
    }
    still_wanted(run).await?;
    if mr.is_trunk() {
        return fetch_pushed(run).await;
    }
    Err(not_yet(run))
}

fn not_yet(run: &Run) -> StageError {
    let mr = &run.build.merge_request;
    StageError::world(format!(
        "GitLab's API says that {} is at {}, but its Git does not hand that commit out yet",
        mark(mr.iid, &mr.target_branch),
        mr.head
    ))
}

/// A commit that was pushed and that is not in the branch: a forced push took it away, and GitLab may still have it.
async fn fetch_pushed(run: &Run) -> Result<Fetched, StageError> {
    let mr = &run.build.merge_request;
    let parts = &run.parts;
    if parts
        .git
        .fetch_sha(&mr.project, mr.project_id, &mr.head, &run.cancel)
        .await?
    {
        return Ok(Fetched {
            head: mr.head.clone(),
            target_tip: mr.head.clone(),
            received_bytes: 0,
            objects: 0,
        });
    }
    match parts.gitlab.branch_tip(mr.project_id, &mr.target_branch).await? {
        Some(tip) if tip == mr.head => Err(not_yet(run)),
        _ => Err(StageError::Superseded(format!(
            "GitLab has no commit {} any more: {} was pushed over",
            mr.head, mr.target_branch
        ))),
    }
}

/// A person may build an old commit again; for everybody else the merge request's present head counts.
async fn still_wanted(run: &Run) -> Result<(), StageError> {
    let mr = &run.build.merge_request;
    if run.build.trigger == crate::model::Trigger::Person {
        return Ok(());
    }
    // A newer tip takes nothing away from an older one.
    let Some(iid) = mr.iid else { return Ok(()) };
    match run.parts.gitlab.merge_request(mr.project_id, iid).await? {
        (_, Some(now)) if now.head != mr.head => Err(StageError::Superseded(format!(
            "GitLab says that !{iid} is at {} by now: a newer build follows",
            now.head
        ))),
        _ => Ok(()),
    }
}

async fn record(run: &Run, tip: &Sha, tree: Option<&Sha>) -> Result<(), StageError> {
    let held = builds::record_source(&run.parts.pool, &run.claim, run.build.id, tip, tree).await?;
    if held { Ok(()) } else { Err(StageError::Stopped) }
}

/// A tree that is not whole would give an image that is not whole.
fn incomplete(submodules: &[String], lfs: &[String], links: &[String]) -> Result<(), StageError> {
    let finding = if !submodules.is_empty() {
        Finding::new(
            "submodules",
            format!(
                "The repository has Git submodules, which are not fetched: {}",
                few(submodules)
            ),
            "Put the content into the repository itself, or publish it as a Maven artifact.",
        )
        .with_detail(submodules.iter().cloned())
    } else if !lfs.is_empty() {
        Finding::new(
            "lfs-pointers",
            format!(
                "{} file(s) are only pointers of Git LFS, their content is elsewhere: {}",
                lfs.len(),
                few(lfs)
            ),
            "Put the files into the repository itself, or publish them as a Maven artifact.",
        )
        .with_detail(lfs.iter().cloned())
    } else if !links.is_empty() {
        Finding::new(
            "link-outside",
            format!("A symbolic link leads out of the repository: {}", few(links)),
            "Replace the link by the file itself.",
        )
        .with_detail(links.iter().cloned())
    } else {
        return Ok(());
    };
    Err(finding.into())
}

/// The first three names, and how many more there are.
fn few(names: &[String]) -> String {
    let shown = names.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    match names.len() {
        0..=3 => shown,
        n => format!("{shown} and {} more", n - 3),
    }
}
