//! A Java stack trace cut down to what a developer reads: the message, and the way to his own code.

/// Most lines that are kept.
const LINES: usize = 20;

/// Longest line that is kept, in characters.
const WIDTH: usize = 500;

/// Packages whose frames stand between a test and its assertion, or between the test and the runner, and tell nothing.
const FRAMEWORKS: [&str; 15] = [
    "java.",
    "javax.",
    "jdk.",
    "sun.",
    "com.sun.",
    "org.junit.",
    "junit.",
    "org.opentest4j.",
    "org.testng.",
    "org.apache.maven.",
    "org.assertj.",
    "org.hamcrest.",
    "org.mockito.",
    "org.codehaus.",
    "com.google.common.truth.",
];

/// The first lines of `trace` for a test of class `test`: headers, messages and causes whole, frames up to and including the
/// first ones of the test's own class, without those of frameworks.
///
/// A trace that consists of frameworks alone keeps its first frames, so that there is something to hold on to.
pub(super) fn shorten(trace: &str, test: &str) -> Vec<String> {
    let shortened = cut(trace, test, is_framework);
    if shortened.iter().any(|line| frame(line).is_some()) {
        shortened
    } else {
        cut(trace, test, |_| false)
    }
}

fn cut(trace: &str, test: &str, unwanted: impl Fn(&str) -> bool) -> Vec<String> {
    let outer = test.split('$').next().unwrap_or(test);
    let mut kept = Vec::new();
    let mut in_test = false;
    let mut done = false;
    for line in lines(trace) {
        if kept.len() == LINES {
            break;
        }
        let Some(place) = frame(line) else {
            if line.trim().is_empty() || line.trim_start().starts_with("... ") {
                continue;
            }
            if is_section(line) {
                (in_test, done) = (false, false);
            }
            kept.push(line.chars().take(WIDTH).collect());
            continue;
        };
        let own = is_of(place, outer);
        // The frames of the test's own class stand together; behind them comes only what called the test.
        done |= in_test && !own;
        in_test |= own;
        if !done && !unwanted(place) {
            kept.push(line.chars().take(WIDTH).collect());
        }
    }
    kept
}

/// Lines, also where Surefire lost the line breaks: it does for a trace with characters that XML cannot hold.
fn lines(trace: &str) -> impl Iterator<Item = &str> {
    trace.lines().flat_map(|line| {
        let mut rest = Some(line);
        std::iter::from_fn(move || {
            let line = rest?;
            let body = line.len() - line.trim_start().len();
            match line[body..]
                .find("\tat ")
                .filter(|_| frame(line).is_none() || line.matches("\tat ").count() > 1)
            {
                Some(at) => {
                    rest = Some(&line[body + at..]);
                    Some(&line[..body + at])
                }
                None => {
                    rest = None;
                    Some(line)
                }
            }
        })
    })
}

/// `Class.method` of a frame line, without module and class loader (`app//`, `java.base/`).
fn frame(line: &str) -> Option<&str> {
    let place = line.trim_start().strip_prefix("at ")?;
    let place = &place[..place.find('(')?];
    Some(place.rsplit('/').next().unwrap_or(place))
}

fn is_section(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("Caused by: ") || line.starts_with("Suppressed: ")
}

fn is_framework(place: &str) -> bool {
    FRAMEWORKS.iter().any(|name| place.starts_with(name))
}

fn is_of(place: &str, class: &str) -> bool {
    place
        .strip_prefix(class)
        .is_some_and(|rest| rest.starts_with(['.', '$']))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASSERTION: &str = "org.opentest4j.AssertionFailedError: \n\
        sum ==> expected: <3> but was: <2>\n\
        \tat org.junit.jupiter.api.AssertEquals.failNotEqual(AssertEquals.java:197)\n\
        \tat app//org.junit.jupiter.api.Assertions.assertEquals(Assertions.java:563)\n\
        \tat com.x.CartTest.check(CartTest.java:20)\n\
        \tat com.x.CartTest.adds(CartTest.java:8)\n\
        \tat java.base/java.lang.reflect.Method.invoke(Method.java:569)\n\
        \tat com.x.Runner.run(Runner.java:1)\n";

    #[test]
    fn an_assertion_leads_to_the_line_of_the_test() {
        assert_eq!(
            shorten(ASSERTION, "com.x.CartTest"),
            [
                "org.opentest4j.AssertionFailedError: ",
                "sum ==> expected: <3> but was: <2>",
                "\tat com.x.CartTest.check(CartTest.java:20)",
                "\tat com.x.CartTest.adds(CartTest.java:8)",
            ]
        );
    }

    #[test]
    fn the_cause_stays_with_its_first_own_frames() {
        let trace = "java.lang.IllegalStateException: outer\n\
            \tat com.x.Cart.total(Cart.java:13)\n\
            \tat com.x.CartTest$Inner.boom(CartTest.java:11)\n\
            \tat java.base/java.lang.reflect.Method.invoke(Method.java:569)\n\
            Caused by: java.sql.SQLException: no such table\n\
            \tat com.x.Table.read(Table.java:3)\n\
            \t... 5 more\n";
        assert_eq!(
            shorten(trace, "com.x.CartTest$Inner"),
            [
                "java.lang.IllegalStateException: outer",
                "\tat com.x.Cart.total(Cart.java:13)",
                "\tat com.x.CartTest$Inner.boom(CartTest.java:11)",
                "Caused by: java.sql.SQLException: no such table",
                "\tat com.x.Table.read(Table.java:3)",
            ]
        );
    }

    #[test]
    fn frameworks_alone_are_better_than_nothing() {
        let trace = "java.lang.NoClassDefFoundError: a/B\n\tat java.base/java.lang.Class.forName(Class.java:1)\n";
        assert_eq!(shorten(trace, "com.x.CartTest").len(), 2);
    }

    #[test]
    fn lost_line_breaks_are_found_again() {
        let trace = "a.B: end\tat com.x.CartTest.control(CartTest.java:12)\tat java.base/java.lang.Method.invoke(Method.java:5)";
        assert_eq!(
            shorten(trace, "com.x.CartTest"),
            ["a.B: end", "\tat com.x.CartTest.control(CartTest.java:12)"]
        );
    }

    #[test]
    fn a_long_message_is_bounded() {
        let trace = format!("a.B: {}\n{}", "x".repeat(9999), "line\n".repeat(999));
        let kept = shorten(&trace, "com.x.CartTest");
        assert_eq!(kept.len(), LINES);
        assert_eq!(kept[0].len(), WIDTH);
    }
}
