//! Text from outside, made harmless: it goes into the database (which refuses NUL), mails' subjects and pages.

/// Longest text that is kept of one field, in characters. GitLab's own limit of titles and branches is 255.
const LONGEST: usize = 300;

/// Without control characters and shortened.
pub fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

/// On one line: control characters become spaces, and it is shortened.
pub fn one_line(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST)
        .collect();
    text.trim().to_owned()
}

/// What is wrong with a branch name by Git's rules (git-check-ref-format), which GitLab keeps as well. It becomes part
/// of a refspec, where other characters would mean something else.
pub fn branch_problem(name: &str) -> Option<&'static str> {
    let forbidden = |c: char| c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\');
    if name.is_empty() || name.len() > 1024 {
        Some("has no length that Git allows")
    } else if name.contains(forbidden) {
        Some("holds a character that Git does not allow")
    } else if name.starts_with('-') || name == "@" || name.contains("..") || name.contains("@{") || name.ends_with('.')
    {
        Some("has a form that Git does not allow")
    } else if name
        .split('/')
        .any(|part| part.is_empty() || part.starts_with('.') || part.ends_with(".lock"))
    {
        Some("has a part that Git does not allow")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_one_harmless_line() {
        assert_eq!(one_line("a\r\nBcc: x\u{0}"), "a  Bcc: x");
        assert_eq!(clean("a\u{0}b"), "ab");
        assert_eq!(one_line(&"ä".repeat(1000)).chars().count(), LONGEST);
    }

    #[test]
    fn branch_names_follow_git() {
        for good in ["main", "feature/login", "dépôt", "v1.2", "a-b_c", "@home", "x@y"] {
            assert_eq!(branch_problem(good), None, "{good}");
        }
        for bad in [
            "", "-x", "a b", "a..b", "a:b", "*", "a^", "a~1", "/a", "a/", "a//b", ".a", "a/.b", "a.lock", "a.", "@",
            "a@{1}", "a\\b", "a\u{0}", "a[b",
        ] {
            assert!(branch_problem(bad).is_some(), "{bad:?} was taken for a branch");
        }
    }
}
