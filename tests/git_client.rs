//! The Git client against the real `git http-backend`.

mod fetching;
mod merging;
mod packing;
mod server;
mod trouble;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use seaworthy::clients::git::{Checkout, Fetched, Git, GitError, GitOptions, Merged};
use seaworthy::model::{ProjectId, ProjectPath, Sha};
use tokio_util::sync::CancellationToken;

use server::{Repository, Server, TOKEN};

const PROJECT: ProjectId = ProjectId(4711);

struct World {
    dir: tempfile::TempDir,
    repository: Repository,
    server: Server,
    git: Git,
}

impl World {
    async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let repository = Repository::new(dir.path());
        let server = Server::start(&repository.root).await;
        let git = client(dir.path(), &server.url, TOKEN);
        Self {
            dir,
            repository,
            server,
            git,
        }
    }

    async fn fetch(&self) -> Result<Fetched, GitError> {
        fetch(&self.git, "shop/basket", "main").await
    }

    /// A fetch, and the lines that it told.
    async fn fetch_told(&self) -> (Fetched, Vec<String>) {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let project = "shop/basket".parse().expect("a path");
        let go = CancellationToken::new();
        let tell = move |line| sink.lock().expect("unshared").push(line);
        let fetched = self.git.fetch(&project, PROJECT, Some(7), "main", &go, tell).await;
        let lines = lines.lock().expect("unshared").clone();
        (fetched.expect("fetched"), lines)
    }

    async fn merge(&self, fetched: &Fetched) -> Merged {
        let merged = self.git.merge(PROJECT, &fetched.head, &fetched.target_tip);
        merged.await.expect("merged")
    }

    async fn checkout(&self, tree: &str) -> Result<(PathBuf, Checkout), GitError> {
        let into = self.dir.path().join("out");
        let go = CancellationToken::new();
        let done = self.git.checkout(PROJECT, &sha(tree), &into, &go).await?;
        Ok((into, done))
    }

    fn mirror(&self, path: &str) -> PathBuf {
        self.dir.path().join("mirrors/4711.git").join(path)
    }
}

pub fn client(dir: &Path, url: &str, token: &str) -> Git {
    // Another test of this binary may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = GitOptions {
        mirrors: dir.join("mirrors"),
        username: "seaworthy".to_owned(),
        token: token.into(),
        base_url: url.to_owned(),
        connect_timeout: Duration::from_secs(5),
        read_timeout: Duration::from_secs(60),
    };
    Git::new(options, reqwest::Client::builder()).expect("a client")
}

async fn fetch(git: &Git, project: &str, branch: &str) -> Result<Fetched, GitError> {
    let project: ProjectPath = project.parse().expect("a path");
    let go = CancellationToken::new();
    git.fetch(&project, PROJECT, Some(7), branch, &go, |_| {}).await
}

fn sha(text: &str) -> Sha {
    text.parse().expect("a commit id")
}
