//! The audit trail: complete, and proof against those who own the database.

use std::process::Output;

use serde_json::{Value, json};
use tokio::process::Command;

use super::scene::{Scene, secret};

pub async fn seaworthy(scene: &Scene, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_seaworthy"))
        .args(arguments)
        .env_clear()
        .envs(scene.house.environment(1))
        .env("SEAWORTHY_URL", &scene.service.url)
        .env("SEAWORTHY_TOKEN", secret("rita"))
        .output()
        .await
        .expect("it runs")
}

pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test]
async fn one_changed_byte_names_its_row() {
    let scene = Scene::open("approvals = 1\nprevious = false").await;
    let image = scene.image(1, &[1000], "ada", true).await;
    scene.bring(&image, "production").await;
    let order = json!({"image": image.digest, "category": "other", "reason": "no"});
    scene.post("dev", "/api/rejections", order).await;
    let exported = seaworthy(&scene, &["audit", "export"]).await;
    assert!(exported.status.success(), "{}", text(&exported));
    let rows: Vec<Value> = text(&exported)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let actions: Vec<&str> = rows.iter().filter_map(|row| row["action"].as_str()).collect();
    assert_eq!(
        actions,
        [
            "promotion.request",
            "promotion.approve",
            "promotion.begin",
            "promotion.done",
            "image.reject"
        ]
    );
    assert_eq!(rows[1]["actor"], "rita");
    assert_eq!(rows[1]["address"], "127.0.0.1");
    assert!(
        rows[1]["grounds"]
            .as_str()
            .is_some_and(|grounds| grounds.contains(image.digest.as_str()))
    );
    let good = seaworthy(&scene, &["audit", "verify"]).await;
    assert!(
        good.status.success() && text(&good).starts_with("good: 5 rows"),
        "{}",
        text(&good)
    );
    let known = text(&good)
        .trim()
        .rsplit(' ')
        .next()
        .expect("number and hash")
        .to_owned();

    // The service's own role may not.
    for statement in [
        "update audit set actor = 'eve' where seq = 2",
        "delete from audit where seq = 2",
        "truncate audit",
    ] {
        let refused = sqlx::query(statement).execute(&scene.house.pool).await;
        let error = refused.expect_err("it is refused").to_string();
        assert!(
            error.contains("append-only") || error.contains("permission denied"),
            "{error}"
        );
    }
    // A superuser who takes the trigger away can, and is found out.
    let mut owner = scene.house.pool.acquire().await.expect("a connection");
    for statement in [
        "alter table audit disable trigger audit_is_append_only",
        "grant update, delete on audit to current_user",
        "update audit set grounds = replace(grounds, 'tested', 'testet') where seq = 1",
    ] {
        sqlx::query(statement).execute(&mut *owner).await.expect(statement);
    }
    let broken = seaworthy(&scene, &["audit", "verify"]).await;
    assert!(!broken.status.success(), "{}", text(&broken));
    assert!(
        text(&broken).starts_with("BROKEN: row 1 was changed"),
        "{}",
        text(&broken)
    );
    // The last rows cut off: only who noted down the last hash can tell.
    for statement in [
        "update audit set grounds = replace(grounds, 'testet', 'tested') where seq = 1",
        "delete from audit where seq = 5",
    ] {
        sqlx::query(statement).execute(&mut *owner).await.expect(statement);
    }
    let short = seaworthy(&scene, &["audit", "verify"]).await;
    assert!(short.status.success(), "{}", text(&short));
    let missed = seaworthy(&scene, &["audit", "verify", "--contains", &known]).await;
    assert!(
        !missed.status.success() && text(&missed).contains("cut off"),
        "{}",
        text(&missed)
    );
    drop(owner);
    scene.close().await;
}
