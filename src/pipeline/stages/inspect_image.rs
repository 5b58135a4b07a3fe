//! The image of a hand-written Dockerfile, looked into before it is started: what RUN did is in no text that can be judged.
//!
//! Its web application must be, file by file, the WAR that was checked, owned by root; and its configuration must say what the
//! Dockerfile was judged by.

use std::collections::BTreeMap;

use crate::clients::engine::{ImageFile, ImageFileKind, ImageInfo};
use crate::dockerfile::WEBAPPS;
use crate::model::{BuiltImage, DockerfileException, Finding};
use crate::pipeline::layout::Contents;
use crate::pipeline::stages::{Checked, Prepared};
use crate::pipeline::{Run, StageError};

/// Lines of evidence in a finding.
const LISTED: usize = 20;

pub(super) async fn inspect_image(
    run: &Run,
    built: &BuiltImage,
    checked: &Checked,
    prepared: &Prepared,
    allowed: &DockerfileException,
) -> Result<(), StageError> {
    let engine = &run.parts.engine;
    let id = built.id.as_str();
    let Some(info) = engine.inspect_image(id).await? else {
        return Err(StageError::world(format!(
            "{id} was built, but the engine does not have it"
        )));
    };
    let mut wrong = configuration(&info, &prepared.dockerfile.labels);
    let webapp = run.pipeline.context_path.directory();
    match engine.image_files(id, WEBAPPS, &run.owner()).await? {
        None => wrong.push(format!("there is no directory {WEBAPPS}")),
        Some(files) => wrong.extend(application(&files, &webapp, &checked.layout.contents()?)),
    }
    if wrong.is_empty() {
        run.say(&format!(
            "{WEBAPPS}/{webapp} is file by file the WAR that was checked, and nothing is beside it"
        ));
        return Ok(());
    }
    let count = wrong.len();
    if count > LISTED {
        wrong.truncate(LISTED);
        wrong.push(format!("… and {} more", count - LISTED));
    }
    let title = format!(
        "The image made from {} is not what its Dockerfile was judged to make: {}",
        allowed.path, wrong[0]
    );
    Err(Finding::new(
        "dockerfile-image",
        title,
        format!(
            "Look at what its RUN instructions do. Empty {WEBAPPS} before the layers are copied (RUN rm -rf {WEBAPPS}/*), and change \
             nothing below it afterwards."
        ),
    )
    .with_detail(wrong)
    .into())
}

/// What the engine understood of the Dockerfile, by its own reading.
fn configuration(info: &ImageInfo, labels: &BTreeMap<String, String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let user = info.user.split(':').next().unwrap_or_default();
    if !user.parse::<u32>().is_ok_and(|user| user > 0) {
        wrong.push(format!(
            "it runs as {:?}, which is no number of a user other than root",
            info.user
        ));
    }
    if !info.on_build.is_empty() {
        wrong.push("it has ONBUILD instructions".to_owned());
    }
    if !info.has_health_check {
        wrong.push("it has no health check".to_owned());
    }
    if let [shell, flag, script, ..] = info.command.as_slice()
        && shell.ends_with("sh")
        && flag == "-c"
        && !script.trim_start().starts_with("exec ")
    {
        wrong.push(format!("it is started by a shell: {script}"));
    }
    let foreign = info
        .labels
        .keys()
        .filter(|key| key.starts_with("dev.seaworthy.") || key.starts_with("org.opencontainers.image."))
        .filter(|key| info.labels.get(*key) != labels.get(*key));
    wrong.extend(foreign.map(|key| format!("the label {key} is not the service's")));
    wrong
}

/// The directory of web applications against the WAR.
fn application(files: &[ImageFile], webapp: &str, war: &Contents) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut found = 0;
    for file in files {
        let place = format!("{WEBAPPS}/{}", file.path);
        let inside = match file.path.split_once('/') {
            None if file.path == webapp => "",
            Some((application, inside)) if application == webapp => inside,
            _ => {
                // What is in it is told by its top alone.
                if !file.path.contains('/') {
                    wrong.push(format!("{place} is beside the application"));
                }
                continue;
            }
        };
        if file.owner != 0 || file.others_write {
            wrong.push(format!("{place} can be changed by others than root"));
        }
        match (file.kind, war.get(inside)) {
            (ImageFileKind::Directory, _) => {}
            (ImageFileKind::File { size, crc32 }, Some(expected)) if *expected == (size, crc32) => found += 1,
            (ImageFileKind::File { .. }, Some(_)) => wrong.push(format!("{place} is another file than in the WAR")),
            (_, None) => wrong.push(format!("{place} is not in the WAR")),
            (ImageFileKind::Other, Some(_)) => wrong.push(format!("{place} is no file")),
        }
    }
    if wrong.is_empty() && found < war.len() {
        wrong.push(format!(
            "{} of the {} files of the WAR are missing",
            war.len() - found,
            war.len()
        ));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Digest;

    fn file(path: &str, size: u64) -> ImageFile {
        ImageFile {
            path: path.to_owned(),
            kind: ImageFileKind::File { size, crc32: 7 },
            owner: 0,
            others_write: false,
        }
    }

    fn directory(path: &str) -> ImageFile {
        ImageFile {
            kind: ImageFileKind::Directory,
            ..file(path, 0)
        }
    }

    #[test]
    fn the_application_is_the_war_and_nothing_else() {
        let war = Contents::from([("index.jsp".to_owned(), (3, 7)), ("WEB-INF/web.xml".to_owned(), (5, 7))]);
        let good = vec![
            directory("ROOT"),
            file("ROOT/index.jsp", 3),
            directory("ROOT/WEB-INF"),
            file("ROOT/WEB-INF/web.xml", 5),
        ];
        assert_eq!(application(&good, "ROOT", &war), Vec::<String>::new());
        let with = |more: ImageFile| {
            let all: Vec<ImageFile> = good.iter().cloned().chain([more]).collect();
            application(&all, "ROOT", &war).join("\n")
        };
        assert!(with(directory("manager")).contains("webapps/manager is beside the application"));
        assert!(with(file("other.war", 1)).contains("webapps/other.war is beside the application"));
        assert!(with(file("ROOT/x.jsp", 1)).contains("ROOT/x.jsp is not in the WAR"));
        assert!(application(&good[..3], "ROOT", &war)[0].contains("1 of the 2 files of the WAR are missing"));
        let mut changed = good.clone();
        changed[1] = file("ROOT/index.jsp", 4);
        assert!(application(&changed, "ROOT", &war)[0].contains("index.jsp is another file than in the WAR"));
        changed = good.clone();
        changed[2].others_write = true;
        changed[3].owner = 10001;
        assert_eq!(application(&changed, "ROOT", &war).len(), 2);
    }

    #[test]
    fn what_the_engine_read_is_compared() {
        let labels = BTreeMap::from([("dev.seaworthy.schema".to_owned(), "1".to_owned())]);
        let mut info = ImageInfo {
            id: Digest::of(b"x"),
            user: "10001:0".to_owned(),
            command: vec!["catalina.sh".to_owned(), "run".to_owned()],
            env: Vec::new(),
            on_build: Vec::new(),
            has_health_check: true,
            labels: labels.clone(),
            stop_signal: String::new(),
            working_dir: String::new(),
            repo_digests: Vec::new(),
            size: 0,
        };
        assert_eq!(configuration(&info, &labels), Vec::<String>::new());
        info.user = "0:0".to_owned();
        info.command = ["/bin/sh", "-c", "catalina.sh run"].map(str::to_owned).to_vec();
        info.on_build = vec!["RUN x".to_owned()];
        info.has_health_check = false;
        info.labels.insert("dev.seaworthy.build".to_owned(), "7".to_owned());
        assert_eq!(configuration(&info, &labels).len(), 5);
    }
}
