//! Bans, known vulnerabilities, and waivers for both.

use super::*;
use crate::definition::Waives;
use crate::model::Digest;
use crate::sbom::Evidence;

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

fn sbom(libraries: &[(&str, &str)]) -> Sbom {
    let entry = |(name, version): &(&str, &str)| {
        let (group, artifact) = name.split_once(':').expect("group:artifact");
        Entry {
            path: format!("WEB-INF/lib/{artifact}.jar"),
            component: Component {
                group: group.to_owned(),
                artifact: artifact.to_owned(),
                version: (*version).to_owned(),
                package: String::new(),
            },
            evidence: Evidence::PomProperties,
            sha256: String::new(),
            sha1: String::new(),
            note: None,
        }
    };
    Sbom {
        name: "shop.war".to_owned(),
        war: Digest::of(b""),
        entries: libraries.iter().map(entry).collect(),
    }
}

fn ban(library: &str) -> Ban {
    Ban {
        library: library.parse().expect("a selector"),
        reason: "Take a newer one.".to_owned(),
    }
}

#[test]
fn a_ban_names_library_place_and_reason() {
    let bans = [ban("org.apache.logging.log4j:log4j-core<2.17.1"), ban("log4j:log4j")];
    let core = "org.apache.logging.log4j:log4j-core";
    let none = |sbom: &Sbom| banned(sbom, &bans, &mut Waivers::new(&[], day("2026-01-01")));
    assert_eq!(none(&sbom(&[(core, "2.17.1"), ("a:b", "1")])), None);
    let finding = none(&sbom(&[(core, "2.17.0")])).expect("banned");
    assert_eq!(finding.rule, "banned-library");
    assert_eq!(finding.title, format!("{core}:2.17.0 is not allowed in this house"));
    assert_eq!(
        finding.detail,
        [format!(
            "{core}:2.17.0 (WEB-INF/lib/log4j-core.jar), banned as {core}<2.17.1: Take a newer one."
        )]
    );
    let two = none(&sbom(&[(core, "2.0"), ("log4j:log4j", "1.2.17")])).expect("banned");
    assert!(two.title.starts_with("2 libraries") && two.detail.len() == 2, "{two:?}");
}

#[test]
fn vulnerabilities_are_one_remark_with_the_worst_level() {
    let sbom = sbom(&[("a:b", "1")]);
    let known = |name: &str, level, fixed_in: Option<&str>| Vulnerable {
        component: sbom.entries[0].component.clone(),
        name: name.to_owned(),
        names: vec![name.to_owned()],
        level,
        summary: "It is bad".to_owned(),
        fixed_in: fixed_in.map(str::to_owned),
    };
    let found = |known: &[Vulnerable]| vulnerable(&sbom, known, &mut Waivers::new(&[], day("2026-01-01")));
    assert_eq!(found(&[]), None);
    let (finding, worst) = found(&[known("X-1", Some(Level::Low), Some("2"))]).expect("one");
    assert_eq!(
        (finding.title.as_str(), worst),
        ("a:b:1 has a known vulnerability, low at worst", Level::Low)
    );
    assert_eq!(
        finding.detail,
        ["a:b:1 (WEB-INF/lib/b.jar): X-1; It is bad; mended in 2"]
    );
    let two = [known("X-1", Some(Level::Low), Some("2")), known("X-2", None, None)];
    let (finding, worst) = found(&two).expect("two");
    assert_eq!(worst, Level::Medium);
    assert!(finding.detail[1].ends_with("not mended in any version"), "{finding:?}");
}

fn waiver(library: &str, waives: Waives, last_day: &str) -> LibraryWaiver {
    LibraryWaiver::new(
        library.parse().expect("a selector"),
        waives,
        "ticket 7",
        "Ada",
        day(last_day),
    )
}

#[test]
fn a_waiver_sets_a_ban_aside_until_its_last_day() {
    let bans = [ban("log4j:log4j"), ban("log4j:log4j<1.2.17")];
    let sbom = sbom(&[("log4j:log4j", "1.2.16")]);
    let judged = |waives: Waives, library: &str, today: &str| {
        let waivers = [waiver(library, waives, "2026-12-31")];
        let mut waivers = Waivers::new(&waivers, day(today));
        let finding = banned(&sbom, &bans, &mut waivers);
        (finding, waivers.told(), waivers.remark())
    };
    let (finding, told, remark) = judged(Waives::Ban(None), "log4j:log4j", "2026-12-31");
    assert_eq!(finding, None);
    assert_eq!(told, ["bans of log4j:log4j: waived until 2026-12-31 by Ada: ticket 7"]);
    let remark = remark.expect("told");
    assert_eq!(remark.rule, "waived-library");
    assert_eq!(
        remark.detail[0],
        "log4j:log4j:1.2.16 (WEB-INF/lib/log4j.jar), banned as log4j:log4j: Take a newer one.; \
         waived until 2026-12-31 by Ada: ticket 7"
    );
    assert_eq!(remark.detail.len(), 2);

    // A day later it is as if it were not there, and that is said.
    let (finding, told, remark) = judged(Waives::Ban(None), "log4j:log4j", "2027-01-01");
    let finding = finding.expect("banned again");
    assert_eq!((told.len(), remark), (0, None));
    assert_eq!(
        finding.detail.last().map(String::as_str),
        Some("The waiver by Ada for bans of log4j:log4j ran out on 2026-12-31: ticket 7")
    );

    // One ban of two; another version; another library.
    let one = Waives::Ban(Some("log4j:log4j".to_owned()));
    let (finding, told, _) = judged(one, "log4j:log4j", "2026-01-01");
    let finding = finding.expect("the other one");
    assert_eq!((finding.detail.len(), told.len()), (1, 1));
    assert!(
        finding.detail[0].contains("banned as log4j:log4j<1.2.17"),
        "{finding:?}"
    );
    assert_eq!(finding.title, "log4j:log4j:1.2.16 is not allowed in this house");
    for other in ["log4j:log4j=1.2.17", "a:b"] {
        assert_eq!(
            judged(Waives::Ban(None), other, "2026-01-01")
                .0
                .expect("banned")
                .detail
                .len(),
            2
        );
    }
}

#[test]
fn a_waiver_names_a_vulnerability_and_leaves_the_others() {
    let sbom = sbom(&[("a:b", "1")]);
    let known = |id: &str, cve: &str, level| Vulnerable {
        component: sbom.entries[0].component.clone(),
        name: format!("{id} ({cve})"),
        names: vec![id.to_owned(), cve.to_owned()],
        level: Some(level),
        summary: String::new(),
        fixed_in: None,
    };
    let known = [
        known("GHSA-1", "CVE-1", Level::Critical),
        known("GHSA-2", "CVE-2", Level::Low),
    ];
    let judged = |advisory: &str, today: &str| {
        let waivers = [waiver("a:b<2", Waives::Advisory(advisory.to_owned()), "2026-12-31")];
        let mut waivers = Waivers::new(&waivers, day(today));
        let found = vulnerable(&sbom, &known, &mut waivers);
        (found, waivers.told())
    };
    for name in ["GHSA-1", "cve-1"] {
        let (found, told) = judged(name, "2026-12-31");
        let (finding, worst) = found.expect("the other one");
        assert_eq!((worst, finding.detail.len()), (Level::Low, 1));
        assert_eq!(
            told,
            [format!("{name} of a:b<2: waived until 2026-12-31 by Ada: ticket 7")]
        );
    }
    let (finding, worst) = judged("CVE-1", "2027-01-01").0.expect("both");
    assert_eq!((worst, finding.detail.len()), (Level::Critical, 3));
    assert!(finding.detail[2].contains("ran out on 2026-12-31"), "{finding:?}");
}
