//! The headings that Maven prints between a module's steps, in the forms of Maven 3.8, 3.9 and 4.

/// One module of the reactor as Maven announces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// `groupId:artifactId`.
    pub id: String,
    /// Its name and version, for example `lighthouse-web 1.0`.
    pub title: String,
    /// Place in the reactor and number of modules; a build of one module has none.
    pub position: Option<(u32, u32)>,
    /// What it makes (`war`, `jar`, `pom`); empty until Maven has said it.
    pub packaging: String,
}

/// One goal that Maven begins, for example `surefire:test` of module `web`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mojo {
    /// Short name of the plugin, without `maven-` and `-plugin`: Maven 3.8 prints the artifact's name, later ones the prefix.
    pub plugin: String,
    /// Name of the goal.
    pub goal: String,
    /// artifactId of the module.
    pub module: String,
}

impl Mojo {
    /// Reads `--- surefire:3.2.5:test (default-test) @ app ---` or `--- maven-surefire-plugin:3.2.5:test (default-test) @ app ---`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let inner = text.strip_prefix("--- ")?.strip_suffix(" ---")?;
        let (left, module) = inner.rsplit_once(" @ ")?;
        let (name, execution) = left.split_once(' ')?;
        if !execution.starts_with('(') || !execution.ends_with(')') || module.contains(' ') {
            return None;
        }
        // plugin:version:goal, for some plugins with their groupId in front.
        let mut parts = name.rsplit(':');
        let goal = parts.next()?;
        let _version = parts.next()?;
        let plugin = parts.next()?;
        let short = plugin
            .strip_prefix("maven-")
            .and_then(|rest| rest.strip_suffix("-plugin"))
            .or_else(|| plugin.strip_suffix("-maven-plugin"))
            .unwrap_or(plugin);
        Some(Self {
            plugin: short.to_owned(),
            goal: goal.to_owned(),
            module: module.to_owned(),
        })
    }

    /// Does it run tests?
    pub fn runs_tests(&self) -> bool {
        matches!(
            (&*self.plugin, &*self.goal),
            ("surefire", "test") | ("failsafe", "integration-test") | ("tycho-surefire", _)
        )
    }

    /// Does it compile test classes?
    pub fn compiles_tests(&self) -> bool {
        matches!(&*self.goal, "testCompile" | "test-compile")
    }

    /// Does it belong to packing what was built? Some goals are bound early in one project and late in the next;
    /// those count only when the module's tests are over.
    pub(super) fn packs(&self, tests_are_over: bool) -> bool {
        match (&*self.plugin, &*self.goal) {
            ("war", "war")
            | ("jar", "jar")
            | ("ear", "ear")
            | ("ejb", "ejb")
            | ("rar", "rar")
            | ("shade", "shade")
            | ("assembly", "single")
            | ("spring-boot", "repackage")
            | ("bundle", "bundle")
            | ("install", "install")
            | ("deploy", "deploy") => true,
            ("war" | "jar" | "source" | "javadoc" | "dependency" | "assembly" | "cyclonedx", _) => tests_are_over,
            _ => false,
        }
    }
}

/// `com.example:app` out of `----< com.example:app >----`, the line before a module's name.
pub(super) fn module_heading(text: &str) -> Option<&str> {
    let inner = between_dashes(text)?;
    let id = inner.strip_prefix("< ")?.strip_suffix(" >")?;
    (id.contains(':') && !id.contains(' ')).then_some(id)
}

/// `war` out of `----[ war ]----`.
pub(super) fn packaging(text: &str) -> Option<&str> {
    between_dashes(text)?.strip_prefix("[ ")?.strip_suffix(" ]")
}

/// Title and position out of `Building lighthouse-web 1.0      [4/4]`.
pub(super) fn module_title(text: &str) -> Option<(&str, Option<(u32, u32)>)> {
    let rest = text.strip_prefix("Building ")?.trim_end();
    let position = || {
        let (title, place) = rest.strip_suffix(']')?.rsplit_once('[')?;
        let (place, all) = place.split_once('/')?;
        Some((title.trim_end(), (place.parse().ok()?, all.parse().ok()?)))
    };
    Some(match position() {
        Some((title, position)) => (title, Some(position)),
        None => (rest, None),
    })
}

fn between_dashes(text: &str) -> Option<&str> {
    (text.starts_with("--") && text.ends_with("--")).then(|| text.trim_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_has_the_same_name_in_every_maven() {
        for line in [
            "--- maven-surefire-plugin:3.2.5:test (default-test) @ app ---",
            "--- surefire:3.2.5:test (default-test) @ app ---",
            "--- org.apache.maven.plugins:maven-surefire-plugin:3.2.5:test (default-test) @ app ---",
        ] {
            let mojo = Mojo::parse(line).expect(line);
            assert_eq!((&*mojo.plugin, &*mojo.goal, &*mojo.module), ("surefire", "test", "app"));
            assert!(mojo.runs_tests());
        }
        let boot = Mojo::parse("--- spring-boot-maven-plugin:3.2.0:repackage (repackage) @ app ---");
        assert_eq!(boot.expect("a goal").plugin, "spring-boot");
    }

    #[test]
    fn what_only_looks_like_a_goal_is_none() {
        for line in [
            "--- x ---",
            "--- a:b (c) @ d ---",
            "--- a:1:b c @ d ---",
            "-------------",
            "--- a:1:b (c) @ d e ---",
            ">>> source:3.3.0:jar (attach) > generate-sources @ app >>>",
        ] {
            assert_eq!(Mojo::parse(line), None, "{line}");
        }
    }

    #[test]
    fn headings_of_modules() {
        assert_eq!(
            module_heading("-------------------< com.example:lighthouse-web >-------------------"),
            Some("com.example:lighthouse-web")
        );
        assert_eq!(module_heading("------------------------"), None);
        assert_eq!(packaging("------[ war ]-----"), Some("war"));
        assert_eq!(
            module_title("Building lighthouse-web 1.0                  [4/4]"),
            Some(("lighthouse-web 1.0", Some((4, 4))))
        );
        assert_eq!(module_title("Building shop 1.0"), Some(("shop 1.0", None)));
        assert_eq!(module_title("Building a [beta] 1.0"), Some(("a [beta] 1.0", None)));
    }
}
