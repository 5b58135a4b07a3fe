//! The rules for hand-written Dockerfiles. All are errors: whoever needs the exception takes the care.

use crate::model::{Rule, Severity};

macro_rules! rules {
    ($($name:ident = $id:literal, $title:literal, $why:literal, $mend:literal;)*) => {
        $(
            pub(super) static $name: Rule = Rule {
                id: $id,
                severity: Severity::Error,
                title: $title,
                why: $why,
                mend: $mend,
            };
        )*
        /// All rules, in the order of a report.
        pub static RULES: &[&Rule] = &[$(&$name),*];
    };
}

rules! {
    UNREADABLE = "dockerfile-unreadable",
        "The file cannot be read for sure",
        "What two builders read in two ways cannot be judged.",
        "Write plain instructions: one a line, joined by one \\ at the end of a line where they are long, in spaces, tabs and visible characters.";
    DIRECTIVE = "builder-directive",
        "An order to the builder stands at the top",
        "# syntax= makes the builder fetch and run a foreign program that reads the file; # escape= and # check= change how it is read.",
        "Take the line away. A comment at the top must not have the form \"# word=\".";
    BASE = "base-approved",
        "A stage stands on, or copies from, an image that is not approved",
        "Only the bases of the house are kept up to date and looked into. The service pins each to the digest that its tag has at the build, as it does for generated Dockerfiles: a digest in a repository would grow old unseen.",
        "Write the name of an approved image, without digest and without variables. Another one is approved by the platform team: approved_bases in [dockerfile_exception] of the pipeline.";
    USER = "user-not-root",
        "The image does not run as a numeric user other than root",
        "Kubernetes can tell that a user is not root only by its number, and root in a container is one mistake away from root on its host.",
        "End the last stage with USER 10001:0 (any number but 0). Give that user the directories that it must write, in a RUN before.";
    ADD = "no-add",
        "ADD is used",
        "ADD fetches what an address holds today, and unpacks archives unasked.",
        "Use COPY. What comes from elsewhere belongs into an approved base or into the repository.";
    SECRET = "no-secret",
        "A secret is written down",
        "Everybody who can pull the image can read it: in its history, in its labels and in the Dockerfile that it carries.",
        "Take it away and change it, it is known by now. Give it to the container at run time: a variable, or a file at CONFIG_DIRECTORY.";
    APPLICATION = "one-application",
        "The image would not hold just the web application that was checked",
        "The WAR check is about the WAR. What else lies in webapps was never looked at, and a missing layer is a missing part.",
        "COPY each layer whole, owned by root, to where Tomcat looks, and nothing else there: COPY layers/*/ /usr/local/tomcat/webapps/";
    EXEC = "exec-form",
        "A command is in shell form",
        "The shell would be the first process, and the application would never see SIGTERM: requests in flight are lost at each stop.",
        "Write it as a list: CMD [\"catalina.sh\", \"run\"].";
    HEALTH = "health-check",
        "The image has no health check",
        "Boot check and engines ask it whether the application is up.",
        "HEALTHCHECK CMD [\"/usr/share/seaworthy/health\", \"8080\", \"/\"]; COPY house/ / brings that program.";
    HEREDOC = "no-heredoc",
        "A here-document (<<) is used",
        "Older builders read its lines as instructions.",
        "Put the text into a file of the repository that the pipeline names, or use printf.";
    RUN_FLAG = "no-run-flag",
        "RUN has a flag",
        "Mounts bring in secrets, keys and images that nobody sees in the image afterwards; the others change what RUN may do.",
        "Take the flag away. RUN has no network here: what it needs is in its base or in the context.";
    ONBUILD = "no-onbuild",
        "ONBUILD is used",
        "It does nothing here, and runs unseen in images that are built upon this one.",
        "Take it away.";
    COPY = "copy-paths",
        "COPY has a path that is not allowed",
        "The context holds three directories, and what is copied where must be plain to see.",
        "Copy from layers/ (the unpacked WAR), house/ (how the house runs Tomcat) or files/ (files of the repository that the pipeline names), by paths without variables, quotes and .., to an absolute path.";
    LABEL = "reserved-label",
        "A label of the service is set",
        "What an image says of its origin comes from who built it.",
        "Take it away: the service sets dev.seaworthy.* and org.opencontainers.image.* itself.";
}
