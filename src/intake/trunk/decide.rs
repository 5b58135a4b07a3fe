//! What a push to the trunk means. Pure: everything that it must know is an argument.
//!
//! - A tip has one image, for ever.
//! - A tree that a build of this branch has tested is not built again: that build's image is the tip's.
//! - A tree that a build is just at is waited for; if that build ends without an image, the push is looked at again.
//! - Otherwise the tip is built, unless the branch has moved on meanwhile, or it was built before and gave no image.
//! - A newer tip supersedes what waits for a worker, and lets run what runs: each merge deserves its colour.

use crate::intake::push::Push;
use crate::model::{BuildId, BuildState, Sha};
use crate::store::builds::Known;

/// What Git says of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The branch's newest commit by now.
    pub tip: Sha,
    /// The pushed commit, if it is still to be had.
    pub commit: Option<Pushed>,
    /// Of the builds that were asked about those that will build the pushed commit's tree.
    pub alike: Vec<BuildId>,
}

/// The pushed commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Its tree.
    pub tree: Sha,
    /// First line of its message.
    pub subject: String,
    /// Its page at GitLab, if the push does not tell it.
    pub page: String,
}

/// What the database knows of the pushed commit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Situation<'a> {
    /// The build whose image it has.
    pub image: Option<BuildId>,
    /// The newest build that has tested its tree.
    pub tested: Option<BuildId>,
    /// A build that is at its tree.
    pub under_way: Option<BuildId>,
    /// Builds of this tip, and of others those that have not ended; newest first.
    pub known: &'a [Known],
    /// Is it the branch's newest commit?
    pub newest: bool,
    /// Was it found by the comparison with GitLab, which saw this branch for the first time?
    pub first_sight: bool,
}

/// What shall be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// Nothing: it has its image, or was built without one.
    Stands(BuildId),
    /// The build's image is the tip's.
    Tested(BuildId),
    /// The build's image will be the tip's.
    Waits(BuildId),
    /// Nothing: the branch is at another commit.
    MovedOn,
    /// Only remember it: nobody pushed it under our eyes.
    Remember,
    /// Build it.
    Build,
}

pub(super) fn decide(push: &Push, situation: &Situation<'_>) -> Decision {
    let stands = situation
        .known
        .iter()
        .find(|build| build.head == push.tip && build.state.is_final() && build.state != BuildState::Superseded);
    match (situation.image, situation.tested, situation.under_way) {
        (Some(build), _, _) => Decision::Stands(build),
        (None, Some(build), _) => Decision::Tested(build),
        (None, None, Some(build)) => Decision::Waits(build),
        (None, None, None) => match stands {
            Some(build) => Decision::Stands(build.id),
            None if !situation.newest => Decision::MovedOn,
            None if situation.first_sight => Decision::Remember,
            None => Decision::Build,
        },
    }
}

/// Builds of older tips that wait for a worker: a newer tip supersedes them.
pub(super) fn waiting(push: &Push, known: &[Known]) -> Vec<BuildId> {
    known
        .iter()
        .filter(|build| build.head != push.tip && build.state == BuildState::Queued && !build.stopping)
        .map(|build| build.id)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Person, ProjectId};

    fn sha(digit: &str) -> Sha {
        digit.repeat(40).parse().expect("a commit id")
    }

    fn push() -> Push {
        Push {
            project_id: ProjectId(1),
            project: "shop/basket".parse().expect("a path"),
            branch: "main".to_owned(),
            tip: sha("a"),
            default: true,
            by: Person::default(),
            page: String::new(),
        }
    }

    fn known(id: i64, digit: &str, state: BuildState) -> Known {
        Known {
            id: BuildId(id),
            head: sha(digit),
            target_branch: "main".to_owned(),
            draft: false,
            state,
            target_tip: None,
            ended_by: None,
            stopping: false,
        }
    }

    fn nothing(known: &[Known]) -> Situation<'_> {
        Situation {
            image: None,
            tested: None,
            under_way: None,
            known,
            newest: true,
            first_sight: false,
        }
    }

    #[test]
    fn an_image_that_is_there_or_comes_is_taken_before_anything_is_built() {
        let (one, two, three) = (BuildId(1), BuildId(2), BuildId(3));
        let all = Situation {
            image: Some(one),
            tested: Some(two),
            under_way: Some(three),
            newest: false,
            ..nothing(&[])
        };
        assert_eq!(decide(&push(), &all), Decision::Stands(one));
        let tested = Situation { image: None, ..all };
        assert_eq!(decide(&push(), &tested), Decision::Tested(two));
        let under_way = Situation { tested: None, ..tested };
        assert_eq!(decide(&push(), &under_way), Decision::Waits(three));
        let older = Situation {
            under_way: None,
            ..under_way
        };
        assert_eq!(decide(&push(), &older), Decision::MovedOn);
        assert_eq!(decide(&push(), &nothing(&[])), Decision::Build);
        let first_sight = Situation {
            first_sight: true,
            ..nothing(&[])
        };
        assert_eq!(decide(&push(), &first_sight), Decision::Remember);
    }

    #[test]
    fn a_tip_is_built_once() {
        for (state, decision) in [
            (BuildState::Failed, Decision::Stands(BuildId(4))),
            (BuildState::Errored, Decision::Stands(BuildId(4))),
            (BuildState::Cancelled, Decision::Stands(BuildId(4))),
            (BuildState::Superseded, Decision::Build),
        ] {
            assert_eq!(decide(&push(), &nothing(&[known(4, "a", state)])), decision, "{state}");
        }
        assert_eq!(
            decide(&push(), &nothing(&[known(4, "b", BuildState::Failed)])),
            Decision::Build
        );
    }

    #[test]
    fn a_newer_tip_supersedes_only_what_waits() {
        let mut stopping = known(4, "d", BuildState::Queued);
        stopping.stopping = true;
        let known = [
            known(1, "a", BuildState::Queued),
            known(2, "b", BuildState::Queued),
            known(3, "c", BuildState::Running),
            stopping,
        ];
        assert_eq!(waiting(&push(), &known), [BuildId(2)]);
    }
}
