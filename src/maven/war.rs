//! The WAR of a build: which of the found ones it is, and what is known of it before it is put into an image.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::bytecode::{self, Bytecode};
use super::mojo::Module;
use super::servlet;
use super::zip_guard::{self, Trouble};
use crate::model::{Digest, Finding, War};

pub use super::zip_guard::Limits as WarLimits;

/// How many directories deep a WAR is looked for.
const DEPTH: usize = 16;

/// Paths that a finding lists.
const LISTED: usize = 40;

/// A WAR that was not taken.
#[derive(Debug, thiserror::Error)]
pub enum WarError {
    /// The project is at fault.
    #[error("{}", .0.title)]
    Project(Box<Finding>),
    /// The worker's disk is at fault.
    #[error("reading {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
}

/// Is this the path of a WAR that a module made, for example `web/target/shop.war`?
///
/// What plugins leave beside it does not count: `shop.war.original`, and anything inside an exploded WAR or an overlay's directory.
pub fn is_war(path: &str) -> bool {
    path.ends_with(".war")
        && !path.contains("/WEB-INF/")
        && !path.contains("/target/war/work/")
        && !path.starts_with("target/war/work/")
}

/// The WARs below a directory, as sorted paths relative to it, with `/`. Links are not followed.
pub fn find_wars(directory: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut waiting = vec![(directory.to_owned(), String::new(), 0)];
    while let Some((place, prefix, depth)) = waiting.pop() {
        for entry in fs::read_dir(&place)? {
            let entry = entry?;
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type()?;
            if kind.is_dir() && depth < DEPTH {
                waiting.push((entry.path(), format!("{path}/"), depth + 1));
            } else if kind.is_file() && is_war(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The pipeline's own word on which WAR is meant.
pub struct Wanted<'a> {
    /// As it stands in the pipeline file, for messages.
    pub pattern: &'a str,
    /// Does a path match it?
    pub matches: &'a dyn Fn(&str) -> bool,
}

/// Chooses: what the pipeline wants, or the only one there is.
///
/// `jars` are other archives that the build made, `modules` what Maven said of its modules: they make the finding helpful.
pub fn choose(
    wars: &[String],
    jars: &[String],
    modules: &[Module],
    wanted: Option<&Wanted<'_>>,
) -> Result<String, Finding> {
    let matching: Vec<&String> = wars
        .iter()
        .filter(|path| wanted.is_none_or(|wanted| (wanted.matches)(path)))
        .collect();
    match (&matching[..], wanted) {
        ([only], _) => Ok((*only).clone()),
        ([], Some(wanted)) if !wars.is_empty() => Err(Finding::new(
            "no-war",
            format!("No WAR matches {:?}, which the pipeline asks for", wanted.pattern),
            format!(
                "Correct the line in the pipeline file, for example: war = {:?}",
                glob_of(&wars[0])
            ),
        )
        .with_detail(list("found", wars))),
        ([], _) => Err(no_war(jars, modules)),
        (several, _) => {
            let paths: Vec<String> = several.iter().map(|path| (*path).clone()).collect();
            Err(Finding::new(
                "several-wars",
                format!(
                    "The build made {} WARs, and nothing says which one is the application",
                    several.len()
                ),
                format!(
                    "Write the one that is meant into the pipeline file, for example: war = {:?}",
                    glob_of(&paths[0])
                ),
            )
            .with_detail(list("found", &paths)))
        }
    }
}

fn no_war(jars: &[String], modules: &[Module]) -> Finding {
    let packs = modules.iter().map(|module| {
        format!(
            "module {}: packaging {}",
            module.id,
            if module.packaging.is_empty() {
                "unknown"
            } else {
                &module.packaging
            }
        )
    });
    let any_war = modules.iter().any(|module| module.packaging == "war");
    let title = if jars.is_empty() {
        "The build made no WAR".to_owned()
    } else {
        format!("The build made no WAR, but {} JAR(s)", jars.len())
    };
    let help = if any_war {
        "A module has the packaging war, yet no WAR lies in a target directory: does the pipeline's command run the phase package, and for that module?"
    } else {
        "Set <packaging>war</packaging> in the module that is the web application. A JAR with an embedded server is not what this pipeline deploys."
    };
    Finding::new("no-war", title, help)
        .with_detail(list("found", jars))
        .with_detail(packs.take(LISTED))
}

fn list(what: &str, paths: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = paths
        .iter()
        .take(LISTED)
        .map(|path| format!("{what}: {path}"))
        .collect();
    if paths.len() > LISTED {
        lines.push(format!("… and {} more", paths.len() - LISTED));
    }
    lines
}

/// `web/target/*.war` for `web/target/shop-1.0.war`: a version in the name must not have to be followed.
fn glob_of(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((directory, _)) => format!("{directory}/*.war"),
        None => "*.war".to_owned(),
    }
}

/// Looks into a WAR: checksum, size, servlet generation. `path` is where it lay in the project.
///
/// Reads the whole file once for the checksum and its classes for the generation: blocking, a second for 60 MB of libraries.
pub fn inspect(file: &Path, path: &str, limits: WarLimits) -> Result<War, WarError> {
    let io_error = |source| WarError::Io {
        path: file.display().to_string(),
        source,
    };
    let mut opened = File::open(file).map_err(io_error)?;
    let (sha256, size) = checksum(&mut opened).map_err(io_error)?;
    opened.rewind().map_err(io_error)?;
    let looked = zip_guard::open(io::BufReader::new(opened), limits)
        .and_then(|mut archive| servlet::decide(&mut archive, limits));
    match looked {
        Ok((servlet, evidence)) => Ok(War {
            file: file.to_owned(),
            path: path.to_owned(),
            sha256,
            size,
            servlet,
            evidence,
        }),
        Err(Trouble::Io(source)) => Err(io_error(source)),
        Err(Trouble::Broken(why)) => Err(broken(path, &why)),
    }
}

/// Looks at the classes of a WAR that [`inspect`] has taken: what they need of the runtime. Blocking, as that is.
pub fn bytecode(war: &War, limits: WarLimits) -> Result<Bytecode, WarError> {
    let file = &war.file;
    let io_error = |source| WarError::Io {
        path: file.display().to_string(),
        source,
    };
    let opened = File::open(file).map_err(io_error)?;
    let looked = zip_guard::open(io::BufReader::new(opened), limits)
        .and_then(|mut archive| bytecode::survey(&mut archive, limits));
    looked.map_err(|trouble| match trouble {
        Trouble::Io(source) => io_error(source),
        Trouble::Broken(why) => broken(&war.path, &why),
    })
}

fn broken(path: &str, why: &str) -> WarError {
    WarError::Project(Box::new(Finding::new(
        "war-broken",
        format!("{path} {why}"),
        "Unpack it on your desk (jar tf …). An archive like this comes from a plugin that changes the WAR after it was packed.",
    )))
}

fn checksum(file: &mut File) -> io::Result<(Digest, u64)> {
    let mut hash = Sha256::new();
    let mut size = 0;
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((Digest::from_sha256(hash.finalize().into()), size)),
            Ok(count) => {
                hash.update(&buffer[..count]);
                size += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use zip::write::SimpleFileOptions;

    use super::super::class_file::class_with;
    use super::*;
    use crate::model::ServletApi;

    fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in entries {
            zip.start_file(*name, SimpleFileOptions::default()).expect("an entry");
            zip.write_all(content).expect("in memory");
        }
        zip.finish().expect("in memory").into_inner()
    }

    fn looked(war: &[u8]) -> Result<War, WarError> {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("app.war");
        fs::write(&file, war).expect("written");
        inspect(&file, "web/target/app.war", WarLimits::default())
    }

    fn decided(entries: &[(&str, &[u8])]) -> (ServletApi, String) {
        let war = looked(&zipped(entries)).expect("a WAR");
        (war.servlet, war.evidence)
    }

    fn refused(war: &[u8]) -> Finding {
        match looked(war) {
            Err(WarError::Project(finding)) => *finding,
            other => panic!("it was not refused: {other:?}"),
        }
    }

    fn jakarta() -> Vec<u8> {
        class_with(&["jakarta/servlet/http/HttpServlet"], &[], &[])
    }

    fn javax() -> Vec<u8> {
        class_with(&[], &["(Ljavax/servlet/http/HttpServletRequest;)V"], &[])
    }

    fn plain() -> Vec<u8> {
        class_with(&["java/lang/Object"], &[], &["javax/servlet/"])
    }

    #[test]
    fn its_own_classes_decide_even_against_its_libraries() {
        let library = zipped(&[("a/B.class", &jakarta()), ("a/C.class", &jakarta())]);
        let (api, why) = decided(&[
            ("WEB-INF/lib/logback.jar", &library),
            ("WEB-INF/classes/x/A.class", &javax()),
            ("WEB-INF/classes/x/B.class", &plain()),
        ]);
        assert_eq!(api, ServletApi::Javax);
        assert_eq!(why, "1 of 2 classes refer to javax.servlet, none to jakarta.servlet");
    }

    #[test]
    fn libraries_decide_where_its_classes_are_silent() {
        let spring = zipped(&[("org/s/A.class", &jakarta()), ("org/s/B.class", &plain())]);
        // The interface itself, packed by mistake: says nothing of who uses it.
        let interface = zipped(&[
            ("javax/servlet/Servlet.class", &javax()),
            ("javax/servlet/Filter.class", &javax()),
        ]);
        let (api, why) = decided(&[
            ("WEB-INF/classes/x/App.class", &plain()),
            ("WEB-INF/lib/servlet-api.jar", &interface),
            ("WEB-INF/lib/spring-web.jar", &spring),
            ("WEB-INF/lib/broken.jar", b"PK but no zip"),
        ]);
        assert_eq!(api, ServletApi::Jakarta);
        assert_eq!(
            why,
            "none of its own 1 classes refers to a servlet interface; \
             1 of 2 library classes refer to jakarta.servlet, none to javax.servlet; \
             1 libraries could not be looked into"
        );
    }

    #[test]
    fn the_descriptor_decides_where_no_class_does() {
        for (xml, api) in [
            (
                r#"<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0">"#,
                ServletApi::Jakarta,
            ),
            (
                r#"<web-app xmlns="http://xmlns.jcp.org/xml/ns/javaee" version="4.0">"#,
                ServletApi::Javax,
            ),
            (r#"<web-app version="5.0"/>"#, ServletApi::Jakarta),
            (
                r#"<!DOCTYPE web-app SYSTEM "http://java.sun.com/dtd/web-app_2_3.dtd"><web-app>"#,
                ServletApi::Javax,
            ),
        ] {
            let (found, why) = decided(&[("WEB-INF/web.xml", xml.as_bytes())]);
            assert_eq!(found, api, "{xml}");
            assert!(why.contains("web.xml has"), "{why}");
        }
        let (api, why) = decided(&[("index.html", b"<html>")]);
        assert_eq!(api, ServletApi::Javax);
        assert!(why.contains("taken for javax.servlet"), "{why}");
    }

    #[test]
    fn checksum_and_size_are_those_of_the_file() {
        let bytes = zipped(&[("index.html", b"<html>")]);
        let war = looked(&bytes).expect("a WAR");
        assert_eq!((war.sha256, war.size), (Digest::of(&bytes), bytes.len() as u64));
        assert_eq!(war.path, "web/target/app.war");
    }

    #[test]
    fn a_broken_or_hostile_archive_is_a_finding() {
        let good = zipped(&[("WEB-INF/classes/A.class", &javax())]);
        for (bytes, why) in [
            (b"".to_vec(), "is not a readable archive"),
            (b"not a zip at all".to_vec(), "is not a readable archive"),
            (good[..good.len() - 10].to_vec(), "is not a readable archive"),
            (zipped(&[("../../etc/passwd", b"x")]), "leads out of it"),
        ] {
            let finding = refused(&bytes);
            assert_eq!(finding.rule, "war-broken");
            assert!(finding.title.contains(why), "{}", finding.title);
        }
    }

    #[test]
    fn an_archive_beyond_its_limits_is_refused_before_it_is_read() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("app.war");
        fs::write(&file, zipped(&[("a", &[0; 5000]), ("b", b""), ("c", b"")])).expect("written");
        let inspect = |limits| match inspect(&file, "a.war", limits) {
            Err(WarError::Project(finding)) => finding.title,
            other => panic!("{other:?}"),
        };
        let limits = WarLimits::default();
        assert!(inspect(WarLimits { entries: 2, ..limits }).contains("3 entries"));
        assert!(
            inspect(WarLimits {
                unpacked: 4999,
                ..limits
            })
            .contains("5000 bytes")
        );
    }

    #[test]
    fn a_missing_file_is_the_worlds_fault() {
        let error = inspect(Path::new("/nonexistent/app.war"), "app.war", WarLimits::default());
        assert!(matches!(error, Err(WarError::Io { .. })));
    }

    #[test]
    fn wars_are_found_where_modules_make_them() {
        let directory = tempfile::tempdir().expect("a directory");
        for path in [
            "target/app.war",
            "target/app.war.original",
            "target/war/work/g/overlay.war",
            "target/app/WEB-INF/nested.war",
            "web/target/web.war",
            "web/target/web-classes.jar",
        ] {
            let file = directory.path().join(path);
            fs::create_dir_all(file.parent().expect("a parent")).expect("made");
            fs::write(file, "").expect("written");
        }
        assert_eq!(
            find_wars(directory.path()).expect("read"),
            ["target/app.war", "web/target/web.war"]
        );
    }

    #[test]
    fn the_only_war_is_it_and_of_several_the_pipeline_says_which() {
        let wars = ["quay/target/quay.war".to_owned(), "yard/target/yard.war".to_owned()];
        assert_eq!(choose(&wars[..1], &[], &[], None), Ok(wars[0].clone()));
        let finding = choose(&wars, &[], &[], None).expect_err("two");
        assert_eq!(finding.rule, "several-wars");
        assert!(finding.help.contains("war = \"quay/target/*.war\""), "{}", finding.help);
        assert_eq!(finding.detail.len(), 2);
        let wanted = Wanted {
            pattern: "yard/target/*.war",
            matches: &|path| path.starts_with("yard/"),
        };
        assert_eq!(choose(&wars, &[], &[], Some(&wanted)), Ok(wars[1].clone()));
        let finding = choose(&wars[..1], &[], &[], Some(&wanted)).expect_err("no match");
        assert!(finding.title.contains("yard/target/*.war"), "{}", finding.title);
    }

    #[test]
    fn no_war_lists_what_there_is_instead() {
        let module = Module {
            id: "com.x:justajar".to_owned(),
            title: "justajar 1.0".to_owned(),
            position: None,
            packaging: "jar".to_owned(),
        };
        let jars = ["target/justajar-1.0.jar".to_owned()];
        let finding = choose(&[], &jars, &[module], None).expect_err("none");
        assert_eq!(finding.title, "The build made no WAR, but 1 JAR(s)");
        assert_eq!(
            finding.detail,
            ["found: target/justajar-1.0.jar", "module com.x:justajar: packaging jar"]
        );
    }
}
