//! The layers that a web application is laid out in.

use std::collections::BTreeSet;

/// A layer of the application, in the order of the image: what changes least comes first, so that a change of one class
/// pushes one small layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Jars of `WEB-INF/lib` that were released.
    Libraries,
    /// Jars of `WEB-INF/lib` that change like the project itself: SNAPSHOTs, and what its other modules made.
    OwnLibraries,
    /// What browsers get: static files and JSPs, wherever they lie.
    Pages,
    /// Descriptors and resources: the rest of `META-INF` and `WEB-INF`.
    Resources,
    /// Class files of `WEB-INF/classes`.
    Classes,
}

impl Layer {
    /// All of them, in their order.
    pub const ALL: [Self; 5] = [
        Self::Libraries,
        Self::OwnLibraries,
        Self::Pages,
        Self::Resources,
        Self::Classes,
    ];

    /// Its name in the build context.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Libraries => "libraries",
            Self::OwnLibraries => "own-libraries",
            Self::Pages => "pages",
            Self::Resources => "resources",
            Self::Classes => "classes",
        }
    }

    /// The layer of a file of the application, by its path. `siblings` are the file names of jars that the same build
    /// made.
    pub fn of(path: &str, siblings: &BTreeSet<String>) -> Self {
        let (inside, name) = path.rsplit_once('/').unwrap_or(("", path));
        if under(path, "WEB-INF/lib/") && name.ends_with(".jar") {
            return if siblings.contains(name) || is_snapshot(name) {
                Self::OwnLibraries
            } else {
                Self::Libraries
            };
        }
        if under(path, "WEB-INF/classes/") {
            return if name.ends_with(".class") {
                Self::Classes
            } else {
                Self::Resources
            };
        }
        let is_page = [".jsp", ".jspx", ".jspf", ".tag", ".tagx"]
            .iter()
            .any(|end| name.ends_with(end));
        let private = under(inside, "WEB-INF") || under(inside, "META-INF");
        if private && !is_page {
            Self::Resources
        } else {
            Self::Pages
        }
    }
}

fn under(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| directory.ends_with('/') || rest.is_empty() || rest.starts_with('/'))
}

/// `a-1.0-SNAPSHOT.jar`, or with the time that a repository gives it: `a-1.0-20260301.120000-7.jar`.
pub fn is_snapshot(jar: &str) -> bool {
    if jar.contains("-SNAPSHOT") {
        return true;
    }
    let digits = |text: &str, length: usize| text.len() == length && text.bytes().all(|c| c.is_ascii_digit());
    // A classifier may follow: look at each part between dashes.
    let parts: Vec<&str> = jar.trim_end_matches(".jar").split('-').collect();
    parts.windows(2).any(|pair| {
        pair[0]
            .split_once('.')
            .is_some_and(|(day, time)| digits(day, 8) && digits(time, 6))
            && pair[1].bytes().all(|c| c.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_lies_in_the_layer_of_what_changes_as_often() {
        let siblings = BTreeSet::from(["shop-core-1.0.jar".to_owned()]);
        for (path, layer) in [
            ("WEB-INF/lib/log4j-core-2.17.1.jar", Layer::Libraries),
            ("WEB-INF/lib/shop-core-1.0.jar", Layer::OwnLibraries),
            ("WEB-INF/lib/a-1.0-SNAPSHOT.jar", Layer::OwnLibraries),
            ("WEB-INF/lib/a-1.0-20260301.120000-7.jar", Layer::OwnLibraries),
            ("WEB-INF/lib/a-1.0-20260301.120000-7-jdk8.jar", Layer::OwnLibraries),
            ("WEB-INF/lib/a-20260301.jar", Layer::Libraries),
            ("WEB-INF/lib/license.txt", Layer::Resources),
            ("WEB-INF/classes/a/B.class", Layer::Classes),
            ("WEB-INF/classes/a.properties", Layer::Resources),
            ("WEB-INF/web.xml", Layer::Resources),
            ("WEB-INF/views/list.jsp", Layer::Pages),
            ("META-INF/MANIFEST.MF", Layer::Resources),
            ("index.html", Layer::Pages),
            ("WEB-INFO/x", Layer::Pages),
            ("applet/A.class", Layer::Pages),
        ] {
            assert_eq!(Layer::of(path, &siblings), layer, "{path}");
        }
    }
}
