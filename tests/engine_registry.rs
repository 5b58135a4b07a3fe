//! The engine client against a registry that wants a password: pull, push, and a base that needs a login, by digest.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use seaworthy::clients::engine::{
    BuildError, Builder, Credentials, Engine, EngineOptions, ErrorKind, ImageSpec, Owner, tar_directory,
};
use seaworthy::model::{BuildId, Digest};

use crate::engine_client::{URL, scratch_image};

/// `~`, `?` and `>` are what the two base64 alphabets differ by; three in a row meet every alignment.
const PASSWORD: &str = "canary~~~???>>>";

struct Registry {
    process: Child,
    host: String,
    _dir: tempfile::TempDir,
}

impl Registry {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let port = TcpListener::bind("127.0.0.1:0")
            .expect("a port")
            .local_addr()
            .expect("its number")
            .port();
        let (htpasswd, config) = (dir.path().join("htpasswd"), dir.path().join("config.yml"));
        let users = Command::new("htpasswd")
            .args(["-nbB", "-C", "4", "ci", PASSWORD])
            .output()
            .expect("htpasswd is installed");
        fs::write(&htpasswd, users.stdout).expect("write");
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n\
             auth: {{htpasswd: {{realm: test, path: {}}}}}\n",
            dir.path().join("data").display(),
            htpasswd.display()
        );
        fs::write(&config, text).expect("write");
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry is installed");
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "the registry does not listen"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Self {
            process,
            host: format!("127.0.0.1:{port}"),
            _dir: dir,
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn login(password: &str) -> Credentials {
    Credentials {
        username: "ci".to_owned(),
        password: password.into(),
    }
}

async fn build(
    engine: &Engine,
    number: i64,
    dockerfile: &str,
    logins: BTreeMap<String, Credentials>,
    reference: &str,
) -> (Result<Digest, BuildError>, Vec<String>) {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("Dockerfile"), dockerfile).expect("write");
    let spec = ImageSpec {
        context: tar_directory(dir.path(), 0, 0).await.expect("packs"),
        reference: reference.to_owned(),
        labels: BTreeMap::new(),
        logins,
        owner: Some(owner(number)),
    };
    let mut lines = Vec::new();
    let result = engine.build_image(spec, |line| lines.push(line)).await;
    (result, lines)
}

fn owner(number: i64) -> Owner {
    Owner {
        installation: crate::house::installation(),
        build: BuildId(number),
        attempt: 1,
        worker: "test".to_owned(),
    }
}

#[tokio::test]
async fn an_image_goes_to_a_registry_and_comes_back_as_a_base_by_digest() {
    for (number, builder) in [(900_100, Builder::BuildKit), (900_110, Builder::Classic)] {
        let registry = Registry::start();
        let host = &registry.host;
        let engine = Engine::connect(&EngineOptions {
            builder,
            ..EngineOptions::at(URL)
        })
        .expect("a well-formed address");
        let scratch = scratch_image(&engine).await;
        let right = login(PASSWORD);
        let name = format!("{host}/base/box");
        let tagged = format!("{name}:1");
        let text = format!("FROM {scratch}\nRUN head -c 3000000 /dev/urandom > /blob\n");
        let (built, _) = build(&engine, number, &text, BTreeMap::new(), &tagged).await;
        built.expect("builds");

        let error = engine
            .push(&tagged, Some(&login("wrong")), |_| {})
            .await
            .expect_err("a wrong password");
        assert_eq!(error.kind(), ErrorKind::RegistryRefused, "{error}");
        let mut lines = Vec::new();
        let digest = engine
            .push(&tagged, Some(&right), |line| lines.push(line))
            .await
            .expect("pushes");
        assert!(lines.len() < 15, "{lines:#?}");
        assert!(lines.iter().any(|line| line.ends_with(": Pushed")), "{lines:#?}");
        let pinned = format!("{name}@{digest}");
        engine
            .remove_image(&tagged, Some(&owner(number)))
            .await
            .expect("removes");
        engine.remove_image(&pinned, None).await.expect("removes");
        assert!(
            engine.inspect_image(&pinned).await.expect("answers").is_none(),
            "the base must come from the registry"
        );

        // A base that is not here, by digest, with a login.
        let text = format!("FROM {pinned}\nRUN ls -l /blob\n");
        let mine = format!("{host}/qa/app:1");
        let (built, lines) = build(
            &engine,
            number + 1,
            &text,
            BTreeMap::from([(host.clone(), right.clone())]),
            &mine,
        )
        .await;
        built.unwrap_or_else(|error| panic!("{builder:?}: {error}\n{lines:#?}"));
        engine
            .remove_image(&mine, Some(&owner(number + 1)))
            .await
            .expect("removes");

        // And the same with it fetched before: one pull, and none the second time.
        let info = engine.ensure_image(&pinned, Some(&right), |_| {}).await.expect("pulls");
        assert!(info.repo_digests.contains(&pinned), "{:?}", info.repo_digests);
        let mut again = Vec::new();
        engine
            .ensure_image(&pinned, Some(&right), |line| again.push(line))
            .await
            .expect("is there");
        assert!(again.is_empty(), "{again:?}");
        let (built, lines) = build(&engine, number + 2, &text, BTreeMap::new(), &mine).await;
        built.unwrap_or_else(|error| panic!("{builder:?}, present, no login: {error}\n{lines:#?}"));
        engine
            .remove_image(&mine, Some(&owner(number + 2)))
            .await
            .expect("removes");

        let missing = format!("{name}@{}", Digest::of(b"nothing"));
        let error = engine
            .ensure_image(&missing, Some(&right), |_| {})
            .await
            .expect_err("no such manifest");
        assert_eq!(error.kind(), ErrorKind::RegistryRefused, "{error}");
        let (built, _) = build(
            &engine,
            number + 3,
            &format!("FROM {missing}\n"),
            BTreeMap::from([(host.clone(), right.clone())]),
            &mine,
        )
        .await;
        assert!(
            matches!(&built, Err(BuildError::Engine(error)) if !error.is_transient()),
            "{built:?}"
        );
        engine.remove_image(&pinned, None).await.expect("removes");

        let (built, _) = build(
            &engine,
            number + 4,
            &format!("FROM {scratch}\n"),
            BTreeMap::new(),
            &mine,
        )
        .await;
        built.expect("builds");
        drop(registry);
        let error = engine
            .push(&mine, Some(&right), |_| {})
            .await
            .expect_err("the registry is gone");
        assert_eq!(error.kind(), ErrorKind::RegistryDown, "{error}");
        assert!(
            !format!("{error:?} {lines:?}").contains("canary"),
            "a password was told"
        );
        engine
            .remove_image(&mine, Some(&owner(number + 4)))
            .await
            .expect("removes");
    }
}
