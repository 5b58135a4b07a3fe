//! Libraries of images and known vulnerabilities, over a real database, and once down the whole road.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use seaworthy::advisories;
use seaworthy::cli;
use seaworthy::clients::certificates::Certificates;
use seaworthy::clients::registry::Registry;
use seaworthy::config::Config;
use seaworthy::model::{BuildId, BuildState, Component, Level};
use seaworthy::sbom::{MEDIA_TYPE, Sbom, decompress};
use seaworthy::store::{self, PgPool, components, images};
use seaworthy::wire::ImageList;
use serde_json::json;
use world::World;
use world::postgres::Database;

use crate::house::House;
use crate::outside_clients::verbs::settings;

/// A database with images, and a folder.
struct Shelf {
    pool: PgPool,
    config: Config,
    dir: PathBuf,
    _world: World,
    _database: Database,
}

impl Shelf {
    async fn with_images(count: i64) -> Self {
        let world = World::attach();
        let name = format!("d{}", &uuid::Uuid::new_v4().simple().to_string()[..10]);
        let database = world.postgres.create_database(&name).await.expect("a database");
        let pool = store::connect(&database.url.clone().into(), 4).expect("a pool");
        store::migrate(&pool).await.expect("migrations");
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
            "insert into build (project_id, project_path, iid, head, target_branch, draft, merge_request, pipeline, trigger, state)
             select g, 'shop/app' || g, g, repeat('a', 40), 'main', false, '{{}}', 'default', 'webhook', 'passed'
             from generate_series(1, {count}) g;
             insert into image (build_id, application, stack, reference, digest, image_id, dockerfile, dockerfile_sha256,
                                base_name, base_digest, war_path, war_sha256, war_bytes, servlet, servlet_evidence, labels, worker)
             select id, 'app' || id, 'tomcat9', 'r/app' || id || ':1', 'sha256:' || lpad(to_hex(id), 64, '0'), '', '', '', '', '', '', '',
                    1, 'javax', '', '{{}}', 'w' from build"
        )))
        .execute(&pool)
        .await
        .expect("images");
        let config = Config::load(None, settings(&[("database_url", database.url.clone())])).expect("a configuration");
        Self {
            pool,
            config,
            dir: world.scratch().expect("a folder"),
            _world: world,
            _database: database,
        }
    }

    async fn hold(&self, build: i64, libraries: &[&Component]) {
        let mut tx = self.pool.begin().await.expect("a transaction");
        advisories::record(&mut tx, BuildId(build), libraries)
            .await
            .expect("recorded");
        tx.commit().await.expect("written");
    }

    async fn import(&self, source: &Path) -> (ExitCode, String) {
        self.run(cli::advisories::Args::import(source.to_owned())).await
    }

    async fn run(&self, args: cli::advisories::Args) -> (ExitCode, String) {
        let mut out = Vec::new();
        let code = cli::advisories::run(&args, &self.config, &mut out)
            .await
            .expect("the database answers");
        (code, String::from_utf8(out).expect("text"))
    }

    /// Advisories that images are affected by, and how many.
    async fn open(&self) -> Vec<(String, i64)> {
        let mut connection = self.pool.acquire().await.expect("a connection");
        let (_, open) = store::advisories::open(&mut connection, 100).await.expect("read");
        open.into_iter().map(|one| (one.id, one.images)).collect()
    }
}

fn library(group: &str, artifact: &str, version: &str) -> Component {
    Component {
        group: group.to_owned(),
        artifact: artifact.to_owned(),
        version: version.to_owned(),
        package: String::new(),
    }
}

fn log4j(version: &str) -> Component {
    library("org.apache.logging.log4j", "log4j-core", version)
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/osv")
}

#[tokio::test]
async fn new_advisories_meet_old_images_and_new_images_meet_old_advisories() {
    let shelf = Shelf::with_images(4).await;
    let beans = Component {
        package: "org.springframework.beans".to_owned(),
        ..library("", "spring-beans", "5.3.17")
    };
    shelf.hold(1, &[&log4j("2.14.1")]).await;
    shelf.hold(2, &[&log4j("2.17.1")]).await;
    shelf.hold(3, &[&beans, &log4j("2.14.1")]).await;

    let (code, said) = shelf.import(&fixtures()).await;
    assert_eq!(code, ExitCode::SUCCESS, "{said}");
    assert!(
        said.contains("4 advisories of Maven's libraries read, 4 of them new or newer"),
        "{said}"
    );
    assert!(said.contains("2 images are newly affected"), "{said}");
    let (first, last) = ("GHSA-jfh8-c2jp-5v3q".to_owned(), "GHSA-8489-44mv-ggj8".to_owned());
    let spring = ("GHSA-36p3-wjmg-h94x".to_owned(), 1);
    assert_eq!(
        shelf.open().await,
        [(first.clone(), 2), spring.clone(), (last.clone(), 2)]
    );

    let (_, again) = shelf.import(&fixtures()).await;
    assert!(
        again.contains("0 of them new") && again.contains("0 images are newly"),
        "{again}"
    );

    // A build that comes later.
    let text = library("org.apache.commons", "commons-text", "1.9");
    let known = advisories::vulnerable(&shelf.pool, &[&text, &log4j("2.17.0")])
        .await
        .expect("read");
    let names: Vec<(&str, Option<&str>)> = known
        .iter()
        .map(|one| (one.name.as_str(), one.fixed_in.as_deref()))
        .collect();
    assert_eq!(
        names,
        [
            ("GHSA-599f-7c49-w659 (CVE-2022-42889, critical)", Some("1.10.0")),
            ("GHSA-8489-44mv-ggj8 (CVE-2021-44832, medium)", Some("2.17.1")),
        ]
    );
    shelf.hold(4, &[&text]).await;
    assert!(shelf.open().await.contains(&("GHSA-599f-7c49-w659".to_owned(), 1)));

    // A newer word takes back, an older one does not count, and nonsense is named without stopping the others.
    let advisory = |modified: &str, more: &str| {
        format!(
            r#"{{"id":"GHSA-jfh8-c2jp-5v3q","modified":"{modified}",{more}"affected":[{{"package":{{"ecosystem":"Maven",
            "name":"org.apache.logging.log4j:log4j-core"}},"versions":["2.17.1"]}}]}}"#
        )
    };
    let write = |name: &str, text: &str| std::fs::write(shelf.dir.join(name), text).expect("written");
    write("old.json", &advisory("2021-12-11T00:00:00Z", ""));
    let (_, said) = shelf.import(&shelf.dir).await;
    assert!(said.contains("0 of them new"), "{said}");
    write(
        "new.json",
        &advisory("2031-01-01T00:00:00Z", r#""withdrawn":"2031-01-01T00:00:00Z","#),
    );
    write("broken.json", "{");
    let (code, said) = shelf.import(&shelf.dir).await;
    assert_eq!(code, ExitCode::FAILURE);
    assert!(
        said.contains("1 of them new") && said.contains("PROBLEM") && said.contains("broken.json"),
        "{said}"
    );
    assert!(!shelf.open().await.iter().any(|(id, _)| *id == first));
    write("new.json", &advisory("2032-01-01T00:00:00Z", ""));
    let (_, said) = shelf.import(&shelf.dir).await;
    assert!(said.contains("1 images are newly affected"), "{said}");
    assert!(shelf.open().await.contains(&(first, 1)), "2.17.1 in image 2 alone");

    let (_, status) = shelf.run(cli::advisories::Args::status()).await;
    assert!(status.starts_with("4 advisories; the last import was "), "{status}");
    assert!(status.contains(&last), "{status}");
}

/// An advisory as GitHub's database has thousands: several ranges, a list of versions, prose.
fn generated(number: u32) -> String {
    let name = format!("org.example.g{}:artifact-{}", number % 300, number % 2_500);
    let range = |from: u32, to: u32| {
        json!({"package": {"ecosystem": "Maven", "name": name, "purl": "pkg:maven/x/y"},
               "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": format!("{from}.0")}, {"fixed": format!("{to}.{}", number % 7)}]}],
               "versions": (0..40).map(|minor| format!("{from}.{minor}.1")).collect::<Vec<_>>(),
               "database_specific": {"source": "https://example.com"}})
    };
    json!({
        "schema_version": "1.7.0", "id": format!("TEST-{number:05}"), "modified": "2025-01-01T00:00:00Z",
        "published": "2024-01-01T00:00:00Z", "aliases": [format!("CVE-2024-{number:05}")],
        "summary": format!("Something is wrong in {name}"), "details": "Prose. ".repeat(200),
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
        "affected": [range(1, 2), range(3, 4), range(5, 6)],
        "references": (0..20).map(|n| json!({"type": "WEB", "url": format!("https://example.com/{number}/{n}")})).collect::<Vec<_>>(),
        "database_specific": {"severity": "CRITICAL", "github_reviewed": true},
    })
    .to_string()
}

#[tokio::test]
async fn five_thousand_advisories_are_imported_in_seconds() {
    let shelf = Shelf::with_images(200).await;
    for image in 1..=200u32 {
        let libraries: Vec<Component> = (0..50)
            .map(|n| {
                let number = image * 50 + n;
                let group = format!("org.example.g{}", number % 300);
                library(
                    &group,
                    &format!("artifact-{}", number % 2_500),
                    &format!("{}.5", number % 7),
                )
            })
            .collect();
        let mut libraries: Vec<&Component> = libraries.iter().collect();
        libraries.sort();
        libraries.dedup();
        shelf.hold(i64::from(image), &libraries).await;
    }
    let path = shelf.dir.join("all.zip");
    let mut zip = zip::ZipWriter::new(File::create(&path).expect("a file"));
    for number in 0..5_000 {
        let name = format!("TEST-{number:05}.json");
        zip.start_file(name, zip::write::SimpleFileOptions::default())
            .expect("an entry");
        zip.write_all(generated(number).as_bytes()).expect("written");
    }
    zip.finish().expect("written");
    let began = Instant::now();
    let (code, said) = shelf.import(&path).await;
    let took = began.elapsed();
    assert_eq!(code, ExitCode::SUCCESS, "{said}");
    assert!(
        said.contains("5000 advisories of Maven's libraries read, 5000 of them new"),
        "{said}"
    );
    assert!(!said.contains("\n0 images"), "{said}");
    assert!(took < Duration::from_secs(10), "it took {took:?}");
    println!("5,000 advisories, 200 images: {took:?}");
}

#[tokio::test]
async fn a_build_is_listed_described_and_judged_by_its_libraries() {
    let mut house = House::build().await;
    let bad = json!({"id": "HOUSE-1", "modified": "2025-01-01T00:00:00Z", "summary": "A test of the road",
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
        "affected": [{"package": {"ecosystem": "Maven", "name": "ch.qos.logback:logback-core"},
                      "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99"}]}]}]});
    let bad = advisories::osv::parse(bad.to_string().as_bytes())
        .expect("OSV")
        .expect("of Maven");
    advisories::import(&house.pool, "the test", &[bad])
        .await
        .expect("imported");
    let service = house.serve("worker", &[]).await;
    let project = house.project("shop/harbour", "harbour").await;
    house.merge_request(&service, &project, "berths").await;

    let record = house.passes(1).await;
    let remark = record
        .remarks
        .iter()
        .find(|remark| remark.rule == "known-vulnerability")
        .expect("a remark");
    assert!(
        remark.title.starts_with("ch.qos.logback:logback-core:"),
        "{}",
        remark.title
    );
    assert!(
        remark.detail[0].contains("HOUSE-1") && remark.detail[0].contains("mended in 99"),
        "{:?}",
        remark.detail
    );
    assert!(
        remark.title.ends_with(&format!("{} at worst", Level::Critical)),
        "{}",
        remark.title
    );

    // The same document in the database and beside the image.
    let (sha256, packed) = components::document(&house.pool, BuildId(1))
        .await
        .expect("read")
        .expect("a document");
    let document = decompress(&packed).expect("sound");
    let sbom = Sbom::from_document(&document).expect("ours");
    let image = images::of_build(&house.pool, BuildId(1))
        .await
        .expect("read")
        .expect("an image");
    assert_eq!(sbom.war, image.war_sha256);
    let names: Vec<&str> = sbom
        .entries
        .iter()
        .map(|entry| entry.component.artifact.as_str())
        .collect();
    assert_eq!(names, ["commons-lang3", "logback-classic", "logback-core", "slf4j-api"]);
    assert!(
        sbom.entries
            .iter()
            .all(|entry| !entry.component.group.is_empty() && entry.note.is_none()),
        "{sbom:?}"
    );
    let config = Config::load(None, house.environment(1)).expect("a configuration");
    let registry = Registry::new(&config, &Certificates::load(None).expect("certificates"));
    let beside = registry
        .attached(&image.pushed.pinned(), MEDIA_TYPE)
        .await
        .expect("an answer");
    assert_eq!(beside.as_deref(), Some(&document[..]));
    assert_eq!(sha256, seaworthy::model::Digest::of(&document));
    let described = seaworthy::dockerfile::describe(&image.dockerfile.labels).expect("labels of ours");
    assert_eq!(described.sbom.as_ref(), Some(&sha256));

    // Asked the way people ask.
    let ask = async |with: &str| {
        let request = reqwest::Client::new()
            .get(format!("{}/api/images", service.url))
            .query(&[("with", with)]);
        let response = request.send().await.expect("an answer");
        (response.status(), response.text().await.expect("a body"))
    };
    let list = |body: &str| serde_json::from_str::<ImageList>(body).expect("a list");
    let held = list(&ask("ch.qos.logback:logback-core<99").await.1);
    assert_eq!((held.total, held.images.len()), (1, 1));
    assert_eq!(held.images[0].digest, image.pushed.digest);
    assert_eq!(
        (held.images[0].environment.as_str(), held.images[0].project.as_str()),
        ("qa", "shop/harbour")
    );
    assert_eq!(list(&ask("ch.qos.logback:logback-core<1").await.1).total, 0);
    let (status, body) = ask("logback").await;
    assert_eq!(status, 400);
    assert!(body.contains("group:artifact"), "{body}");
    drop(service);

    house.define("[[ban]]\nlibrary = \"ch.qos.logback:logback-core<99\"\nreason = \"The house logs otherwise.\"");
    let service = house.serve("strict", &[]).await;
    house.merge_request(&service, &project, "again").await;
    let record = house.end(2).await;
    assert_eq!(record.build.state, BuildState::Failed, "{}", house.log_of(2).await);
    let finding = record.build.finding.expect("a finding");
    assert_eq!(finding.rule, "banned-library");
    assert!(
        finding.detail[0].contains("The house logs otherwise."),
        "{:?}",
        finding.detail
    );
    house.close().await;
    drop(service);
}

#[tokio::test]
async fn waivers_for_a_ban_and_a_vulnerability_hold_until_their_last_day_and_are_told() {
    let mut house = House::build().await;
    let bad = json!({"id": "HOUSE-2", "aliases": ["CVE-2025-99999"], "modified": "2025-01-01T00:00:00Z", "summary": "A test of waivers",
        "affected": [{"package": {"ecosystem": "Maven", "name": "ch.qos.logback:logback-core"},
                      "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99"}]}]}]});
    let bad = advisories::osv::parse(bad.to_string().as_bytes())
        .expect("OSV")
        .expect("of Maven");
    advisories::import(&house.pool, "the test", &[bad])
        .await
        .expect("imported");
    let rules = |last_day: &str| {
        format!(
            "[[ban]]\nlibrary = \"ch.qos.logback:logback-core\"\nreason = \"The house logs otherwise.\"\n\
             [vulnerabilities]\nfail_from = \"low\"\n\
             [[waiver]]\nrule = \"banned-library\"\nlibrary = \"ch.qos.logback:logback-core<99\"\nreason = \"ticket 7\"\n\
             owner = \"Ada Example\"\nlast_day = {last_day}\n\
             [[waiver]]\nrule = \"known-vulnerability\"\nlibrary = \"ch.qos.logback:logback-core\"\nadvisory = \"CVE-2025-99999\"\n\
             reason = \"not reachable\"\nowner = \"Ada Example\"\nlast_day = {last_day}\n"
        )
    };
    house.define(&rules("2999-12-31"));
    let service = house.serve("worker", &[]).await;
    let project = house.project("shop/harbour", "harbour").await;
    house.merge_request(&service, &project, "berths").await;
    let record = house.passes(1).await;
    let remark = record
        .remarks
        .iter()
        .find(|remark| remark.rule == "waived-library")
        .expect("a remark");
    assert_eq!(remark.detail.len(), 2, "{remark:?}");
    assert!(
        remark.detail[0].ends_with("waived until 2999-12-31 by Ada Example: ticket 7"),
        "{remark:?}"
    );
    assert!(remark.detail[1].contains("HOUSE-2 (CVE-2025-99999)"), "{remark:?}");
    assert!(
        !record.remarks.iter().any(|remark| remark.rule == "known-vulnerability"),
        "{record:?}"
    );
    let log = house.log_of(1).await;
    assert!(
        log.contains("waived until 2999-12-31 by Ada Example: not reachable"),
        "{log}"
    );
    let image = images::of_build(&house.pool, BuildId(1))
        .await
        .expect("read")
        .expect("an image");
    let described = seaworthy::dockerfile::describe(&image.dockerfile.labels).expect("labels of ours");
    assert!(
        described
            .waivers
            .contains("CVE-2025-99999 of ch.qos.logback:logback-core: waived until 2999-12-31"),
        "{}",
        described.waivers
    );
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mail = words(&house.mails(1).await[0].text);
    assert!(
        mail.contains("waived until 2999-12-31 by Ada Example: ticket 7"),
        "{mail}"
    );
    let page = reqwest::get(format!("{}/builds/1", service.url)).await.expect("a page");
    let page = page.text().await.expect("a body");
    assert!(
        page.contains("waived until 2999-12-31 by Ada Example: ticket 7"),
        "{page}"
    );
    service.terminate().await;

    // Over: as if they were not there, and that is said.
    house.define(&rules("2020-12-31"));
    let service = house.serve("later", &[]).await;
    house.merge_request(&service, &project, "again").await;
    let record = house.end(2).await;
    let finding = record.build.finding.expect("a finding");
    assert_eq!(finding.rule, "banned-library");
    let over = "The waiver by Ada Example for bans of ch.qos.logback:logback-core<99 ran out on 2020-12-31: ticket 7";
    assert_eq!(finding.detail.last().map(String::as_str), Some(over));
    let known = record
        .remarks
        .iter()
        .find(|remark| remark.rule == "known-vulnerability")
        .expect("a remark");
    assert!(
        known
            .detail
            .last()
            .is_some_and(|line| line.contains("ran out on 2020-12-31")),
        "{known:?}"
    );
    house.close().await;
    drop(service);
}
