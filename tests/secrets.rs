//! No secret where it does not belong: logs, database, mails, image, build container.

use std::process::Stdio;

use seaworthy::model::{BuildId, BuildState};
use seaworthy::store::images;

use crate::house::{HOOK_SECRET, House};

#[tokio::test]
async fn secrets_stay_where_they_belong() {
    let house = House::build().await;
    let secrets = [
        ("GitLab token", house.gitlab.api_token()),
        ("Git token", house.gitlab.git_token()),
        ("registry password", house.registry.password.clone()),
        ("mail password", house.smtp.password.clone()),
        ("hook secret", HOOK_SECRET.to_owned()),
    ];
    let nowhere = |place: &str, bytes: &[u8]| {
        for (name, secret) in &secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "the {name} is in {place}");
        }
    };
    let service = house.serve("worker", &[]).await;
    let project = house.project("shop/harbour", "harbour").await;
    house.merge_request(&service, &project, "berths").await;

    // While the build runs: what the engine tells of its container is what the project's code can see.
    house
        .wait(1, "its container", |record| {
            record.build.state == BuildState::Running && record.log_lines > 20
        })
        .await;
    for name in house.leftovers().await {
        let seen = house
            .docker()
            .args(["inspect", &name])
            .output()
            .await
            .expect("docker runs");
        nowhere("the build container", &seen.stdout);
    }

    house.passes(1).await;
    house.settled().await;
    for mail in house.mails(1).await {
        nowhere("a mail", mail.raw.as_bytes());
    }
    nowhere("the build's log", house.log_of(1).await.as_bytes());
    nowhere("the service's log", &std::fs::read(&service.log).expect("a log"));
    for note in house.gitlab.notes() {
        nowhere("a note", note.body.as_bytes());
    }

    let dump = tokio::process::Command::new("pg_dump")
        .args(["--inserts", &house.database_url])
        .stdin(Stdio::null())
        .output()
        .await
        .expect("pg_dump runs");
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    assert!(dump.stdout.len() > 10_000);
    nowhere("the database", &dump.stdout);

    // The worker takes its own copy off the engine after the result is recorded; ours is pulled after that.
    house.is_clean().await;
    let image = images::of_build(&house.pool, BuildId(1))
        .await
        .expect("read")
        .expect("an image")
        .pushed
        .pinned();
    let pulled = house
        .docker()
        .args(["pull", "--quiet", &image])
        .status()
        .await
        .expect("docker runs");
    assert!(pulled.success());
    let saved = house
        .docker()
        .args(["save", &image])
        .output()
        .await
        .expect("docker runs");
    assert!(saved.stdout.len() > 1_000_000);
    nowhere("the image", &saved.stdout);
    let removed = house
        .docker()
        .args(["rmi", &image])
        .status()
        .await
        .expect("docker runs");
    assert!(removed.success());
    house.close().await;
}
