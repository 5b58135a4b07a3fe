//! The report of the WAR check, on the page and in the API.

use seaworthy::model::rule::RULES;
use seaworthy::model::{BuildState, Place, RuleReport, Waived, WaiverNote, WarCheck};
use seaworthy::store::builds;

use super::site::{Site, merge_request};

#[tokio::test]
async fn a_report_of_all_rules_has_each_once() {
    let site = Site::open().await;
    site.build(&merge_request(1, "a")).await;
    let (claim, id) = site.start().await;
    let waiver = WaiverNote {
        path: "WEB-INF/lib/**".to_owned(),
        reason: "<b>ticket".to_owned(),
        owner: "Ada".to_owned(),
        last_day: "2026-12-31".parse().expect("a day"),
    };
    let check = WarCheck {
        rules: RULES
            .iter()
            .map(|rule| RuleReport {
                rule: rule.id.to_owned(),
                severity: rule.severity,
                title: rule.title.to_owned(),
                why: rule.why.to_owned(),
                mend: rule.mend.to_owned(),
                count: 3,
                places: vec![Place {
                    path: format!("WEB-INF/<script>{}", rule.id),
                    what: "what is there".to_owned(),
                }],
                waived: vec![Waived {
                    waiver: waiver.clone(),
                    count: 1,
                    places: Vec::new(),
                }],
                expired: vec![waiver.clone()],
            })
            .collect(),
    };
    let written = builds::record_war_check(&site.pool, &claim, id, &check).await;
    assert!(written.expect("written"));
    let finding = check.finding().expect("errors");
    site.end(&claim, id, BuildState::Failed, Some(&finding)).await;

    let page = site.page(&format!("/builds/{id}")).await;
    assert!(page.contains(&finding.title.replace('\'', "&#39;")), "{page}");
    assert!(page.contains("5 errors, 18 warnings, 23 waived"), "{page}");
    for rule in RULES {
        let opened = format!("<details id=\"rule-{}\"", rule.id);
        assert_eq!(page.matches(&opened).count(), 1, "{}", rule.id);
        // Once as a place: the finding above does not say it again.
        let place = format!("script&#62;{}</code>", rule.id);
        assert_eq!(page.matches(&place).count(), 1, "{} in {page}", rule.id);
    }
    assert!(!page.contains("<script>") && !page.contains("<b>ticket"), "{page}");
    assert_eq!(page.matches("waived until 2026-12-31 by Ada").count(), RULES.len());
    assert_eq!(page.matches("ran out on 2026-12-31").count(), RULES.len());
    assert_eq!(page.matches("… and 2 more").count(), RULES.len());

    let (status, json) = site.json(&format!("/api/builds/{id}")).await;
    assert_eq!(status, 200);
    let told: WarCheck = serde_json::from_value(json["war_check"].clone()).expect("a report");
    assert_eq!(told, check);

    // Another attempt begins without it, and a worker that lost the build writes nothing.
    site.build(&merge_request(2, "b")).await;
    let (_, other) = site.start().await;
    assert_eq!(site.record(other).await.war_check, None);
    let lost = builds::record_war_check(&site.pool, &claim, other, &check).await;
    assert!(!lost.expect("asked"));
    assert_eq!(site.record(other).await.war_check, None);
    site.close().await;
}
