//! The engine client against a real engine: limits hold, endings are told apart, nothing is left.
//!
//! The image is a static busybox in an empty root, imported through the engine's interface: no registry, no download.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use seaworthy::clients::engine::{
    BuildContainer, Builder, CacheVolume, Command, ContainerSpec, Engine, EngineOptions, Exit, FilesError, Guards,
    LeftoverKind, Limits, Owner, User, tar_directory,
};
use seaworthy::model::BuildId;
use tokio_util::sync::CancellationToken;

pub const URL: &str = "unix:///var/run/docker.sock";
const IMAGE: &str = "seaworthy-test-scratch:1";
const MB: u64 = 1 << 20;

pub fn engine(builder: Builder) -> Engine {
    Engine::connect(&EngineOptions {
        builder,
        ..EngineOptions::at(URL)
    })
    .expect("a well-formed address")
}

/// An image with a static busybox and nothing else, on the engine once.
pub async fn scratch_image(engine: &Engine) -> &'static str {
    static MADE: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    MADE.get_or_init(|| async {
        if engine.inspect_image(IMAGE).await.expect("the engine answers").is_some() {
            return;
        }
        let dir = tempfile::tempdir().expect("a directory");
        for name in ["bin", "tmp", "proc", "etc"] {
            fs::create_dir(dir.path().join(name)).expect("mkdir");
        }
        fs::copy(busybox(), dir.path().join("bin/busybox")).expect("copy");
        for applet in [
            "sh", "sleep", "cat", "dd", "ls", "id", "env", "touch", "mkdir", "ln", "mkfifo", "yes", "awk", "true",
            "ps", "head",
        ] {
            std::os::unix::fs::symlink("busybox", dir.path().join("bin").join(applet)).expect("symlink");
        }
        let docker =
            bollard::Docker::connect_with_unix(URL, 60, bollard::API_DEFAULT_VERSION).expect("the engine's socket");
        let tar: Vec<Bytes> = tar_directory(dir.path(), 0, 0)
            .await
            .expect("packs")
            .map(|block| block.expect("a block"))
            .collect()
            .await;
        let (repo, tag) = IMAGE.split_once(':').expect("a tag");
        let options = bollard::query_parameters::CreateImageOptionsBuilder::new()
            .from_src("-")
            .repo(repo)
            .tag(tag)
            .build();
        let mut done =
            Box::pin(docker.create_image(Some(options), Some(bollard::body_full(tar.concat().into())), None));
        while let Some(message) = done.next().await {
            message.expect("imports");
        }
    })
    .await;
    IMAGE
}

/// The installed static busybox, or the one of the distribution's package.
fn busybox() -> std::path::PathBuf {
    let installed = Path::new("/bin/busybox");
    if installed.exists() {
        return installed.to_owned();
    }
    let kept = std::env::temp_dir().join("seaworthy-test-busybox");
    let binary = kept.join("bin/busybox");
    if !binary.exists() {
        fs::create_dir_all(&kept).expect("mkdir");
        let script = "apt-get download -qq busybox-static && dpkg -x busybox-static_*.deb .";
        let done = std::process::Command::new("sh")
            .args(["-c", script])
            .current_dir(&kept)
            .status()
            .expect("sh runs");
        assert!(
            done.success(),
            "busybox-static could not be fetched: install it or run apt-get update"
        );
    }
    binary
}

struct Build {
    engine: Engine,
    container: BuildContainer,
    owner: Owner,
}

impl Build {
    /// A container with small limits; each test has a build number of its own, so that tests run side by side.
    async fn new(number: i64, change: impl FnOnce(&mut ContainerSpec)) -> Self {
        let engine = engine(Builder::BuildKit);
        let mut spec = ContainerSpec {
            image: scratch_image(&engine).await.to_owned(),
            workspace: "/workspace".to_owned(),
            env: vec![("HOME".to_owned(), "/workspace".to_owned())],
            limits: Limits {
                memory: 64 * MB,
                cpus: 1.0,
                pids: 64,
                disk: 64 * MB,
                log: 4 * MB,
            },
            caches: Vec::new(),
            user: User { uid: 10001, gid: 10001 },
        };
        change(&mut spec);
        let owner = Owner {
            installation: crate::house::installation(),
            build: BuildId(number),
            attempt: 1,
            worker: "test".to_owned(),
        };
        let container = engine.create_build_container(&spec, &owner).await.expect("a container");
        Self {
            engine,
            container,
            owner,
        }
    }

    async fn run(&self, script: &str, deadline: Duration, cancel: &CancellationToken) -> (Exit, Vec<String>) {
        let command = Command {
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            env: Vec::new(),
            workdir: "/workspace".to_owned(),
            deadline,
        };
        let mut lines = Vec::new();
        let exit = self
            .container
            .exec(&command, cancel, |line| lines.push(line.text))
            .await
            .expect("the engine answers");
        (exit, lines)
    }

    async fn sh(&self, script: &str) -> (Exit, Vec<String>) {
        self.run(script, Duration::from_secs(120), &CancellationToken::new())
            .await
    }

    /// Removes the container and looks that nothing with this build's label is left.
    async fn end(self) {
        self.container.remove().await.expect("removes");
        self.container.remove().await.expect("removes again");
        let left: Vec<_> = self
            .engine
            .leftovers(&crate::house::installation())
            .await
            .expect("lists")
            .into_iter()
            .filter(|l| l.owner.build == self.owner.build)
            .collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}

fn keep_all() -> Guards {
    Guards {
        max_files: 100,
        max_bytes: MB,
        max_file_bytes: MB,
        keep: Box::new(|_| true),
    }
}

/// Memory of this process in bytes, as the kernel counts it.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

#[tokio::test]
async fn a_command_has_no_rights_and_sees_no_secret() {
    let build = Build::new(900_001, |_| {}).await;
    let (exit, lines) = build
        .sh("id -u; cat /proc/self/status; touch here && ls -d here; touch /etc/no; echo err >&2; exit 3")
        .await;
    assert_eq!(exit, Exit::Code(3));
    // Standard output and error are two streams: their order among each other is not kept.
    assert!(lines.iter().any(|line| line == "10001"), "{lines:?}");
    for wanted in [
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
        "here",
        "err",
    ] {
        assert!(lines.iter().any(|line| line == wanted), "no {wanted:?} in {lines:?}");
    }
    assert!(
        lines.iter().any(|line| line.contains("/etc/no: Permission denied")),
        "{lines:?}"
    );
    let (_, users) = build.sh("cat /etc/passwd").await;
    assert_eq!(
        users,
        ["build:x:10001:10001:build:/workspace:/bin/sh"],
        "Java finds no home otherwise"
    );
    let (_, env) = build.sh("env | cut -d= -f1 2>/dev/null || env").await;
    for line in &env {
        let name = line.split('=').next().unwrap_or_default();
        assert!(
            ["HOME", "HOSTNAME", "PATH", "PWD", "SHLVL"].contains(&name),
            "{line:?} is in the environment"
        );
    }
    build.end().await;
}

#[tokio::test]
async fn each_build_has_a_network_of_its_own() {
    let one = Build::new(900_002, |_| {}).await;
    let two = Build::new(900_003, |_| {}).await;
    let all = one
        .engine
        .leftovers(&crate::house::installation())
        .await
        .expect("lists");
    let network = |build: &Build| {
        all.iter()
            .filter(|l| l.kind == LeftoverKind::Network && l.owner == build.owner)
            .count()
    };
    assert_eq!((network(&one), network(&two)), (1, 1));
    let mut addresses = Vec::new();
    for build in [&one, &two] {
        let (_, lines) = build
            .sh("cat /proc/net/fib_trie | awk '/32 host/ { print f } { f = $2 }' | awk '!/^127/ && !s[$0]++'")
            .await;
        assert_eq!(lines.len(), 1, "one address: {lines:?}");
        addresses.push(lines[0].rsplit_once('.').expect("an address").0.to_owned());
    }
    assert_ne!(addresses[0], addresses[1], "both are in one network");
    one.end().await;
    two.end().await;
}

#[tokio::test]
async fn a_gigabyte_of_output_ends_at_the_limit_and_not_in_memory() {
    let build = Build::new(900_004, |_| {}).await;
    let before = resident();
    let mut bytes = 0;
    let command = Command {
        argv: ["sh", "-c", "yes flood | head -c 1073741824"]
            .map(str::to_owned)
            .to_vec(),
        env: Vec::new(),
        workdir: "/".to_owned(),
        deadline: Duration::from_secs(120),
    };
    let exit = build
        .container
        .exec(&command, &CancellationToken::new(), |line| bytes += line.text.len() + 1)
        .await;
    assert_eq!(exit.expect("the engine answers"), Exit::LogLimit);
    assert_eq!(bytes as u64, 4 * MB + 1, "the limit is exact (the last line is cut)");
    let grown = resident().saturating_sub(before);
    assert!(grown < 50 * MB, "memory grew by {grown} bytes");
    build.end().await;
}

#[tokio::test]
async fn endings_are_told_apart() {
    let build = Build::new(900_005, |_| {}).await;
    let (exit, _) = build.sh("true").await;
    assert_eq!(exit, Exit::Code(0));
    let (exit, _) = build.sh("awk 'BEGIN { x = \"a\"; while (1) x = x x }'").await;
    assert_eq!(exit, Exit::OutOfMemory);
    let (exit, lines) = build.sh("echo still here; exit 4").await;
    assert_eq!(
        (exit, lines),
        (Exit::Code(4), vec!["still here".to_owned()]),
        "an old death is not held against a new command"
    );
    let (exit, lines) = build
        .run(
            "echo begun; sleep 1000",
            Duration::from_secs(2),
            &CancellationToken::new(),
        )
        .await;
    assert_eq!((exit, lines), (Exit::TimedOut, vec!["begun".to_owned()]));
    build.end().await;
}

#[tokio::test]
async fn many_small_files_and_one_large_both_end_at_the_disk_limit() {
    let build = Build::new(900_006, |_| {}).await;
    let (exit, _) = build.sh("dd if=/dev/zero of=big bs=1M count=200").await;
    assert_eq!(exit, Exit::DiskLimit);
    build.end().await;
    let build = Build::new(900_007, |_| {}).await;
    let (exit, _) = build.sh("i=0; while [ $i -lt 100 ]; do dd if=/dev/zero of=f$i bs=1M count=1 2>/dev/null; i=$((i+1)); done; sleep 1000").await;
    assert_eq!(exit, Exit::DiskLimit);
    build.end().await;
}

#[tokio::test]
async fn a_fork_bomb_ends_and_the_engine_stays() {
    let build = Build::new(900_008, |_| {}).await;
    let (exit, _) = build
        .run(
            "b() { b | b & }; b; sleep 1000",
            Duration::from_secs(5),
            &CancellationToken::new(),
        )
        .await;
    assert!(matches!(exit, Exit::TimedOut | Exit::Code(_)), "{exit:?}");
    build.engine.version().await.expect("the engine still answers");
    build.end().await;
}

#[tokio::test]
async fn a_cancel_is_felt_at_once() {
    let build = Build::new(900_009, |_| {}).await;
    let cancel = CancellationToken::new();
    let command = Command {
        argv: ["sh", "-c", "echo begun; sleep 1000"].map(str::to_owned).to_vec(),
        env: Vec::new(),
        workdir: "/".to_owned(),
        deadline: Duration::from_secs(120),
    };
    let mut begun = None;
    let exit = build
        .container
        .exec(&command, &cancel, |_| {
            begun = Some(Instant::now());
            cancel.cancel();
        })
        .await;
    assert_eq!(exit.expect("the engine answers"), Exit::Cancelled);
    let took = begun.expect("a first line").elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    build.end().await;
}

#[tokio::test]
async fn what_a_command_leaves_running_does_not_hold_it_up() {
    let build = Build::new(900_010, |_| {}).await;
    let (exit, lines) = build.sh("sleep 1000 & echo done").await;
    assert_eq!((exit, lines), (Exit::Code(0), vec!["done".to_owned()]));
    build.end().await;
}

#[tokio::test]
async fn a_container_that_somebody_removes_is_not_the_projects_fault() {
    let build = Build::new(900_011, |_| {}).await;
    let command = Command {
        argv: ["sleep", "1000"].map(str::to_owned).to_vec(),
        env: Vec::new(),
        workdir: "/".to_owned(),
        deadline: Duration::from_secs(60),
    };
    let cancel = CancellationToken::new();
    let (result, removed) = tokio::join!(
        build.container.exec(&command, &cancel, |_| {}),
        build.container.remove()
    );
    removed.expect("removes");
    let error = result.expect_err("the command cannot have ended by itself");
    assert!(error.is_transient(), "{error}");
    build.end().await;
}

#[tokio::test]
async fn files_go_in_with_their_owner_and_come_out_guarded() {
    let volume = format!("seaworthy-test-{}", std::process::id());
    let cache = CacheVolume {
        name: volume.clone(),
        mount: "/cache/m2".to_owned(),
    };
    let build = Build::new(900_012, |spec| spec.caches.push(cache.clone())).await;
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir(dir.path().join("src")).expect("mkdir");
    fs::write(dir.path().join("src/a.txt"), "in").expect("write");
    let tar = tar_directory(dir.path(), 10001, 10001).await.expect("packs");
    build.container.upload("/workspace", tar).await.expect("uploads");
    let (exit, lines) = build
        .sh(
            "cat src/a.txt && mkdir -p target/m && echo war > target/m/a.war && ln -s /etc/passwd target/b.war \
             && mkfifo target/c.war && echo x > target/x.class && echo kept > /cache/m2/f && ls -n target/m",
        )
        .await;
    assert_eq!(exit, Exit::Code(0), "{lines:?}");

    let into = tempfile::tempdir().expect("a directory");
    let wars = Guards {
        keep: Box::new(|path| path.extension().is_some_and(|e| e == "war")),
        ..keep_all()
    };
    let mut harvest = build
        .container
        .download("/workspace/target", into.path(), wars)
        .await
        .expect("downloads");
    harvest.skipped.sort();
    assert_eq!(harvest.files, [Path::new("m/a.war")]);
    assert_eq!(harvest.skipped, [Path::new("b.war"), Path::new("c.war")]);
    assert_eq!(fs::read_to_string(into.path().join("m/a.war")).expect("read"), "war\n");

    let nothing = build
        .container
        .download("/workspace/nothing", into.path(), keep_all())
        .await
        .expect("no error");
    assert!(!nothing.existed);
    let few = Guards {
        max_files: 0,
        ..keep_all()
    };
    let error = build
        .container
        .download("/workspace/src", into.path(), few)
        .await
        .expect_err("too many");
    assert!(matches!(error, FilesError::Refused { .. }), "{error}");
    build.end().await;

    let next = Build::new(900_013, |spec| spec.caches.push(cache)).await;
    let (exit, lines) = next.sh("cat /cache/m2/f && echo more >> /cache/m2/f").await;
    assert_eq!(
        (exit, lines),
        (Exit::Code(0), vec!["kept".to_owned()]),
        "the cache outlives the build"
    );
    next.end().await;
    let docker =
        bollard::Docker::connect_with_unix(URL, 60, bollard::API_DEFAULT_VERSION).expect("the engine's socket");
    docker
        .remove_volume(&volume, None::<bollard::query_parameters::RemoveVolumeOptions>)
        .await
        .expect("removes the cache");
}
