//! Does a web application speak `javax.servlet` or `jakarta.servlet`? Its own classes decide; failing those its libraries, then `web.xml`.
//!
//! Packing knows it not: the same POM packs both, and a WAR on the wrong Tomcat fails only when its first page is asked for.

use std::io::{Cursor, Read, Seek};

use zip::ZipArchive;

use super::class_file::ConstantPool;
use super::zip_guard::{self, Limits, Trouble};
use crate::model::ServletApi;

const JAVAX: &str = "javax/servlet/";
const JAKARTA: &str = "jakarta/servlet/";

/// Largest class that is read. The format allows more, compilers do not make them.
const CLASS: u64 = 16 << 20;

/// Largest `web.xml` that is read.
const WEB_XML: u64 = 4 << 20;

/// How many classes refer to what.
#[derive(Debug, Default, Clone, Copy)]
struct Votes {
    classes: usize,
    javax: usize,
    jakarta: usize,
    /// Libraries that were too large or too broken to look into.
    unread: usize,
}

impl Votes {
    fn count(&mut self, class: &[u8]) {
        // A file that only has the name of a class says nothing; the container will not load it either.
        let Ok(pool) = ConstantPool::read(class) else {
            return;
        };
        self.classes += 1;
        self.javax += usize::from(pool.refers_to(JAVAX));
        self.jakarta += usize::from(pool.refers_to(JAKARTA));
    }

    fn winner(self) -> Option<ServletApi> {
        match self.javax.cmp(&self.jakarta) {
            std::cmp::Ordering::Greater => Some(ServletApi::Javax),
            std::cmp::Ordering::Less => Some(ServletApi::Jakarta),
            std::cmp::Ordering::Equal => None,
        }
    }

    /// `12 of 14 classes refer to jakarta.servlet, none to javax.servlet`.
    fn sentence(self, winner: ServletApi, what: &str) -> String {
        let (most, fewer) = match winner {
            ServletApi::Javax => ((self.javax, "javax"), (self.jakarta, "jakarta")),
            ServletApi::Jakarta => ((self.jakarta, "jakarta"), (self.javax, "javax")),
        };
        let verb = if self.classes == 1 {
            "class refers"
        } else {
            "classes refer"
        };
        let few = if fewer.0 == 0 {
            "none".to_owned()
        } else {
            fewer.0.to_string()
        };
        let mut text = format!(
            "{} of {} {what}{verb} to {}.servlet, {few} to {}.servlet",
            most.0, self.classes, most.1, fewer.1
        );
        if fewer.0 > 0 {
            text.push_str("; the greater number decides");
        }
        if self.unread > 0 {
            text.push_str(&format!("; {} libraries could not be looked into", self.unread));
        }
        text
    }
}

/// The generation and the grounds for it, a sentence.
pub(super) fn decide<R: Read + Seek>(war: &mut ZipArchive<R>, limits: Limits) -> Result<(ServletApi, String), Trouble> {
    let names: Vec<(usize, String)> = zip_guard::names(war)?;
    let own = own_classes(war, &names)?;
    if let Some(winner) = own.winner() {
        return Ok((winner, own.sentence(winner, "")));
    }
    let libraries = libraries(war, &names, limits)?;
    if let Some(winner) = libraries.winner() {
        let own = if own.classes == 0 {
            "it has no classes of its own".to_owned()
        } else if own.javax > 0 {
            format!("its own classes refer to both alike ({} each)", own.javax)
        } else {
            format!("none of its own {} classes refers to a servlet interface", own.classes)
        };
        return Ok((winner, format!("{own}; {}", libraries.sentence(winner, "library "))));
    }
    let silent = "neither its classes nor its libraries decide";
    match web_xml(war)? {
        Some((api, why)) => Ok((api, format!("{silent}; {why}"))),
        None => Ok((
            ServletApi::Javax,
            format!(
                "{silent}, and there is no web.xml that does; taken for javax.servlet, on which pages without code run as well"
            ),
        )),
    }
}

fn own_classes<R: Read + Seek>(war: &mut ZipArchive<R>, names: &[(usize, String)]) -> Result<Votes, Trouble> {
    let mut votes = Votes::default();
    for (index, name) in names {
        if name.starts_with("WEB-INF/classes/")
            && name.ends_with(".class")
            && let Some(class) = zip_guard::content(war, *index, CLASS)?
        {
            votes.count(&class);
        }
    }
    Ok(votes)
}

fn libraries<R: Read + Seek>(
    war: &mut ZipArchive<R>,
    names: &[(usize, String)],
    limits: Limits,
) -> Result<Votes, Trouble> {
    let mut votes = Votes::default();
    // All libraries together may unpack to no more than the WAR itself may.
    let mut left = limits;
    for (index, name) in names {
        if !name.starts_with("WEB-INF/lib/") || !name.ends_with(".jar") {
            continue;
        }
        // A library needs seeking, so it is held in memory while it is looked at, one at a time.
        let Some(jar) = zip_guard::content(war, *index, limits.library)? else {
            votes.unread += 1;
            continue;
        };
        match library(jar, &mut left, &mut votes) {
            Ok(()) => {}
            // A broken library is the container's affair, no reason to refuse the WAR: it says nothing here.
            Err(Trouble::Broken(_)) => votes.unread += 1,
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(votes)
}

fn library(jar: Vec<u8>, left: &mut Limits, votes: &mut Votes) -> Result<(), Trouble> {
    let mut jar = zip_guard::open(Cursor::new(jar), *left)?;
    left.unpacked -= zip_guard::unpacked(&jar)?.min(left.unpacked);
    let names = zip_guard::names(&mut jar)?;
    // The container brings its own.
    if is_interface(&names) || is_container(&names) {
        return Ok(());
    }
    for (index, name) in &names {
        if name.ends_with(".class")
            && !name.starts_with("META-INF/")
            && let Some(class) = zip_guard::content(&mut jar, *index, CLASS)?
        {
            votes.count(&class);
        }
    }
    Ok(())
}

/// Is this jar the interface itself, packed by mistake? It says nothing of who uses it, and no container loads it.
pub(super) fn is_interface(names: &[(usize, String)]) -> bool {
    names.iter().any(|(_, name)| {
        matches!(
            &**name,
            "javax/servlet/Servlet.class"
                | "jakarta/servlet/Servlet.class"
                | "javax/servlet/jsp/JspPage.class"
                | "jakarta/servlet/jsp/JspPage.class"
        )
    })
}

/// Is this jar a part of a container that was packed with the application? It speaks of its own generation.
fn is_container(names: &[(usize, String)]) -> bool {
    const PARTS: &[&str] = &[
        "org/apache/catalina/",
        "org/apache/coyote/",
        "org/apache/jasper/",
        "org/apache/tomcat/",
        "org/eclipse/jetty/server/",
        "io/undertow/servlet/",
    ];
    let part = |name: &str| name.ends_with(".class") && PARTS.iter().any(|part| name.starts_with(part));
    names.iter().any(|(_, name)| part(name))
}

/// What the deployment descriptor says: the namespaces are those of the two generations (Servlet 5.0, chapter 14).
fn web_xml<R: Read + Seek>(war: &mut ZipArchive<R>) -> Result<Option<(ServletApi, String)>, Trouble> {
    let Some(index) = war.index_for_name("WEB-INF/web.xml") else {
        return Ok(None);
    };
    let Some(bytes) = zip_guard::content(war, index, WEB_XML)? else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&bytes);
    let Some(start) = text.find("<web-app") else {
        return Ok(None);
    };
    let root = &text[start..];
    let root = &root[..root.find('>').unwrap_or(root.len())];
    let says = |api, what: &str| Some((api, format!("web.xml {what}")));
    if root.contains("jakarta.ee/xml/ns/jakartaee") {
        return Ok(says(ServletApi::Jakarta, "has the namespace of Jakarta EE"));
    }
    if root.contains("java.sun.com/xml/ns/j")
        || root.contains("xmlns.jcp.org/xml/ns/javaee")
        || text.contains("java.sun.com/dtd/web-app")
    {
        return Ok(says(ServletApi::Javax, "has the namespace of Java EE"));
    }
    let version = root.split_once("version=").and_then(|(_, rest)| {
        let digits = rest.trim_start_matches(['"', '\'']);
        digits.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u32>().ok()
    });
    Ok(match version {
        Some(5..) => says(ServletApi::Jakarta, "has a version of Jakarta EE"),
        Some(_) => says(ServletApi::Javax, "has a version of Java EE"),
        None => None,
    })
}
