//! A copy that dies, and registries that go away in its middle: what is there stays, nothing finished is sent twice, and no
//! tag is there before everything else.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use seaworthy::model::Digest;
use tokio::process::{Child, Command};
use world::registry::Registry as Server;

use super::image::{MB, OCI, Pusher, intact, noise, server};
use super::proxy::{Fault, Proxy};
use crate::outside_clients::verbs::settings;

/// Copies, each killed so many times before it may end.
const COPIES: usize = 10;
const KILLS: usize = 5;

struct House {
    from: Server,
    there: Server,
    source: Proxy,
    destination: Proxy,
    digest: Digest,
}

impl House {
    async fn new(seed: u64) -> Self {
        let (from, there) = (server(None).await, server(None).await);
        let digest = Pusher::new(&from, "app")
            .image(OCI, seed, &[24 * MB, 6 * MB, 6 * MB, 2 * MB, 1000, 1000])
            .await;
        let source = Proxy::start(&from.address, |_| Fault::Pass).await;
        let destination = Proxy::start(&there.address, |_| Fault::Pass).await;
        Self {
            from,
            there,
            source,
            destination,
            digest,
        }
    }

    /// The copy as a process of its own.
    fn start(&self, repository: &str) -> Child {
        let plain = format!("{},{}", self.source.address, self.destination.address);
        Command::new(env!("CARGO_BIN_EXE_seaworthy"))
            .env_clear()
            .envs(settings(&[("registries_plain_http", plain)]))
            .arg("copy")
            .arg(format!("{}/app@{}", self.source.address, self.digest))
            .arg(format!("{}/{repository}:1", self.destination.address))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts")
    }

    async fn finish(&self, repository: &str) {
        let ended = self.start(repository).wait_with_output().await.expect("it ends");
        let said = String::from_utf8_lossy(&ended.stdout);
        assert!(
            ended.status.success(),
            "{said}{}",
            String::from_utf8_lossy(&ended.stderr)
        );
        assert!(self.tagged(repository).await, "{said}");
    }

    /// Is the tag there? If so, everything must be.
    async fn tagged(&self, repository: &str) -> bool {
        let Some(digest) = self.there.digest(repository, "1").await.expect("an answer") else {
            return false;
        };
        assert_eq!(digest, self.digest.to_string());
        assert_eq!(intact(&self.there.address, repository, "1").await, 8);
        true
    }

    /// No blob was sent once more after it had been finished.
    fn nothing_twice(&self) {
        let mut finished: BTreeMap<String, usize> = BTreeMap::new();
        for one in self.destination.passed() {
            let (path, query) = one.path.split_once('?').unwrap_or((&one.path, ""));
            let digest = query.split('&').find_map(|pair| pair.strip_prefix("digest="));
            if let (Some(digest), Some(201)) = (digest.filter(|_| one.method == "PUT"), one.status) {
                let repository = path.split("/blobs/").next().unwrap_or_default();
                *finished.entry(format!("{repository} {digest}")).or_default() += 1;
            }
        }
        assert!(finished.values().all(|times| *times == 1), "{finished:?}");
    }
}

#[tokio::test]
async fn a_copy_that_is_killed_fifty_times_ends_well() {
    let house = House::new(601).await;
    let began = Instant::now();
    house.finish("whole").await;
    let whole = began.elapsed();
    let chance = noise(602, COPIES * KILLS * 2);
    let (mut killed, mut early) = (0, 0);
    for copy in 0..COPIES {
        let repository = format!("copy{copy}");
        for kill in 0..KILLS {
            let at = (copy * KILLS + kill) * 2;
            let part = f64::from(u16::from_le_bytes([chance[at], chance[at + 1]])) / f64::from(u16::MAX);
            let mut child = house.start(&repository);
            tokio::time::sleep(whole.mul_f64(part)).await;
            match child.try_wait().expect("a state") {
                None => killed += 1,
                Some(status) => assert!(status.success(), "{status}"),
            }
            _ = child.kill().await;
            early += usize::from(!house.tagged(&repository).await);
        }
        house.finish(&repository).await;
    }
    // The point of it: most were killed, and many before the tag.
    assert!(
        killed >= COPIES * KILLS / 3 && early >= COPIES,
        "{killed} killed, {early} before the tag"
    );
    house.nothing_twice();
}

#[tokio::test]
async fn registries_that_restart_in_the_middle_are_waited_for() {
    let house = House::new(603).await;
    let began = Instant::now();
    house.finish("whole").await;
    let whole = began.elapsed();
    let chance = noise(604, 8);
    for (number, part) in chance.iter().map(|byte| f64::from(*byte) / 255.0).enumerate() {
        let repository = format!("copy{number}");
        let restarted = if number % 2 == 0 { &house.from } else { &house.there };
        let child = house.start(&repository);
        tokio::time::sleep(whole.mul_f64(part)).await;
        restarted.stop().await.expect("it stops");
        tokio::time::sleep(Duration::from_millis(200)).await;
        restarted.start_again().await.expect("it starts");
        let ended = child.wait_with_output().await.expect("it ends");
        let said = String::from_utf8_lossy(&ended.stdout);
        assert!(
            ended.status.success(),
            "{said}{}",
            String::from_utf8_lossy(&ended.stderr)
        );
        assert!(house.tagged(&repository).await, "{said}");
    }
    house.nothing_twice();
}
