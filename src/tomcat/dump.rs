//! A thread dump of a JVM, as SIGQUIT makes it print one.

/// Packages that are no application's.
const NOT_THE_APPLICATION: [&str; 12] = [
    "java.",
    "javax.",
    "jakarta.",
    "jdk.",
    "sun.",
    "com.sun.",
    "org.apache.catalina.",
    "org.apache.coyote.",
    "org.apache.tomcat.",
    "org.apache.juli.",
    "org.apache.jasper.",
    "org.apache.naming.",
];

/// The threads of which the application's code is found, as the lines come.
#[derive(Debug, Default)]
pub(super) struct Dump {
    inside: bool,
    /// The thread whose lines come now: does a JVM wait for its end?
    thread: Option<Thread>,
    main: Option<String>,
    other: Option<String>,
}

#[derive(Debug)]
struct Thread {
    is_main: bool,
    is_daemon: bool,
}

impl Dump {
    pub(super) fn line(&mut self, line: &str) {
        if line.starts_with("Full thread dump ") {
            // The newest dump counts.
            *self = Self {
                inside: true,
                ..Self::default()
            };
        } else if !self.inside {
        } else if let Some(rest) = line.strip_prefix('"') {
            let header = rest.split_once('"').map_or("", |(_, header)| header);
            self.thread = Some(Thread {
                is_main: rest.starts_with("main\""),
                is_daemon: header.contains(" daemon "),
            });
        } else if let Some(frame) = line.trim_start().strip_prefix("at ")
            && let Some(thread) = &self.thread
            && !thread.is_daemon
            && is_of_the_application(frame)
        {
            let place = if thread.is_main {
                &mut self.main
            } else {
                &mut self.other
            };
            place.get_or_insert_with(|| frame.to_owned());
            self.thread = None;
        }
    }

    /// The topmost frame of the application in the thread that starts it, or else in one that keeps the JVM from ending.
    pub(super) fn busy_in(&self) -> Option<&str> {
        self.main.as_deref().or(self.other.as_deref())
    }
}

/// `java.base@17.0.1/java.lang.Thread.sleep(…)` is not, `com.example.Slow.contextInitialized(Slow.java:12)` is.
fn is_of_the_application(frame: &str) -> bool {
    let method = frame.split('(').next().unwrap_or_default();
    let method = method.rsplit('/').next().unwrap_or(method);
    !NOT_THE_APPLICATION.iter().any(|package| method.starts_with(package))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_of_the_application_is_found() {
        let mut dump = Dump::default();
        for line in [
            "\tat com.example.Stale.run(Stale.java:1)",
            "Full thread dump OpenJDK 64-Bit Server VM (17.0.1 mixed mode, sharing):",
            "",
            "\"pool-1\" #9 daemon prio=5 os_prio=0 cpu=1ms tid=0x1 nid=1 waiting on condition  [0x1]",
            "\tat com.example.Pool.run(Pool.java:3)",
            "",
            "\"main\" #1 prio=5 os_prio=0 cpu=1ms tid=0x1 nid=1 waiting on condition  [0x1]",
            "   java.lang.Thread.State: TIMED_WAITING (sleeping)",
            "\tat java.lang.Thread.sleep(java.base@17.0.1/Native Method)",
            "\tat com.example.Slow.contextInitialized(Slow.java:12)",
            "\tat org.apache.catalina.core.StandardContext.listenerStart(StandardContext.java:4458)",
        ] {
            dump.line(line);
        }
        assert_eq!(
            dump.busy_in(),
            Some("com.example.Slow.contextInitialized(Slow.java:12)")
        );
    }

    #[test]
    fn a_shutdown_hook_is_found_when_main_is_gone() {
        let mut dump = Dump::default();
        for line in [
            "Full thread dump OpenJDK 64-Bit Server VM:",
            "\"Thread-3\" #31 prio=5 os_prio=0 tid=0x1 nid=1 waiting on condition  [0x1]",
            "\tat java.base@21/java.lang.Thread.sleep0(java.base@21/Native Method)",
            "\tat com.example.Stubborn.lambda$0(Stubborn.java:9)",
        ] {
            dump.line(line);
        }
        assert_eq!(dump.busy_in(), Some("com.example.Stubborn.lambda$0(Stubborn.java:9)"));
    }
}
