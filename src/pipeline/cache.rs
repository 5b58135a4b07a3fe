//! What Maven downloaded stays on the engine: a volume for each project, and one for its forks.

use std::time::Duration;

use crate::model::MergeRequest;

/// A fork's code must not be able to leave something that the project's own builds take up.
const FORK: &str = "-fork";

/// The name of the volume; `cache` is the house's setting.
pub(super) fn name(cache: &str, mr: &MergeRequest) -> String {
    let whose = if mr.from_fork() { FORK } else { "" };
    format!("{cache}-{}{whose}", mr.project_id)
}

/// How old the volume of this name may become, if it is one of this house: they differ by up to a quarter, so that not all
/// projects download everything on one day.
pub fn lifetime(cache: &str, name: &str, oldest: Duration) -> Option<Duration> {
    let rest = name.strip_prefix(cache)?.strip_prefix('-')?;
    let project = rest.strip_suffix(FORK).unwrap_or(rest);
    // A sign belongs to the name of another house.
    if !project.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let sixteenth = (project.parse::<u64>().ok()? % 16) as u32;
    Some(oldest - oldest / 64 * sixteenth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_house_are_ours_and_their_times_differ_by_a_quarter_at_most() {
        let day = Duration::from_secs(86_400);
        let of = |name: &str| lifetime("maven", name, 64 * day);
        assert_eq!(of("maven-32"), Some(64 * day));
        assert_eq!(of("maven-33"), Some(63 * day));
        assert_eq!(of("maven-47-fork"), Some(49 * day));
        for other in [
            "maven",
            "maven-",
            "maven-x",
            "maven--7",
            "maven-+7",
            "maven-7-other",
            "mavenx-7",
            "other-maven-7",
            "maven-7-fork-fork",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
