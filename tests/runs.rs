//! Images of the stacks run well: healthy, on the console, not as root, and they end without losing a request.

use std::time::Duration;

use seaworthy::store::images;
use tokio::time::{Instant, sleep, timeout};

use crate::house::House;

/// A container of an image, removed at the end of the test.
struct Running<'h> {
    house: &'h House,
    name: String,
}

impl Running<'_> {
    async fn docker(&self, arguments: &[&str]) -> String {
        let output = self.house.docker().args(arguments).output().await.expect("docker runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "docker {arguments:?}: {text}");
        text.trim().to_owned()
    }

    async fn ask(&self, format: &str) -> String {
        self.docker(&["inspect", "--format", format, &self.name]).await
    }
}

/// Everything that must be true of a started container, whatever its stack. `page` is one that takes its time.
pub async fn runs_well(house: &House, reference: &str, page: &str, logged: &str) {
    house.is_clean().await;
    let running = Running {
        house,
        name: format!("seaworthy-test-{}", uuid::Uuid::new_v4().simple()),
    };
    running
        .docker(&[
            "run",
            "--detach",
            "--health-interval",
            "1s",
            "--name",
            &running.name,
            reference,
        ])
        .await;
    let healthy = async {
        while running.ask("{{.State.Health.Status}}").await != "healthy" {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(60), healthy)
        .await
        .expect("it turns healthy");

    let inside = async |command: &str| running.docker(&["exec", &running.name, "sh", "-c", command]).await;
    assert_eq!(inside("id -u").await, "10001");
    assert_eq!(
        inside("cat /proc/1/comm").await,
        "java",
        "Tomcat is not the first process"
    );
    assert_eq!(
        inside("touch webapps/ROOT/x webapps/x conf/x /x 2>/dev/null; ls webapps").await,
        "ROOT"
    );
    assert_eq!(
        inside("find webapps -writable").await,
        "",
        "the application can be changed"
    );
    assert_eq!(
        inside("[ -f /usr/share/seaworthy/Dockerfile ] && echo yes").await,
        "yes"
    );
    let server = inside("curl --silent --include http://127.0.0.1:8080/nothing-here").await;
    assert!(
        server.starts_with("HTTP/1.1 404") && !server.contains("Tomcat/"),
        "{server}"
    );

    // A request in flight ends well, and the container after it.
    let address = running.ask("{{.NetworkSettings.IPAddress}}").await;
    let request = tokio::spawn({
        let url = format!("http://{address}:8080{page}");
        async move { reqwest::get(url).await.expect("an answer").status() }
    });
    sleep(Duration::from_millis(700)).await;
    let begun = Instant::now();
    running.docker(&["stop", &running.name]).await;
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "it took {:?} to stop",
        begun.elapsed()
    );
    assert_eq!(request.await.expect("asked"), 200);
    let code = running.ask("{{.State.ExitCode}}").await;
    assert!(code == "143" || code == "0", "exit code {code}");
    let log = running.docker(&["logs", &running.name]).await;
    assert!(log.contains(logged), "the application's own words are missing:\n{log}");
    assert!(
        log.contains(&format!("access {}", address.rsplit_once('.').expect("an address").0)),
        "{log}"
    );
    running.docker(&["rm", "--volumes", &running.name]).await;
}

#[tokio::test]
async fn an_image_of_a_stack_runs_well() {
    let house = House::build().await;
    let service = house.serve("worker", &[]).await;
    let project = house.project("shop/moods", "moods").await;
    house.merge_request(&service, &project, "run").await;
    house.passes(1).await;
    let image = images::of_build(&house.pool, seaworthy::model::BuildId(1))
        .await
        .expect("read")
        .expect("an image");
    runs_well(&house, &image.pushed.pinned(), "/?wait=2500", "Today's mood: well").await;
    house.close().await;
    drop(service);
}
