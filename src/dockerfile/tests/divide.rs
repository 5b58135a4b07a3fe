//! A Dockerfile is divided where that changes nothing, and nowhere else.

use crate::definition::Definitions;
use crate::dockerfile::*;
use crate::model::{Digest, Layer};

const HEAD: &str = "# Made.\nFROM a\nRUN x \\\n # a comment \n && y\nCOPY --chown=0:0 house/ /\n";
const LIBRARIES: &str = "COPY --chown=0:0 layers/libraries/ /webapps/\n";

#[test]
fn every_shipped_stack_is_divided_behind_its_libraries() {
    let templates = Templates::load(None).expect("the shipped templates");
    let definitions = Definitions::load(None, &templates.names()).expect("the shipped definitions");
    for stack in definitions.stacks() {
        let mut input = DockerfileInput {
            application: "shop".to_owned(),
            base: PinnedBase::new("a/tomcat:9", &Digest::of(b"")).expect("a name"),
            base_says: BaseSays {
                user: "tomcat".to_owned(),
                working_dir: "/".to_owned(),
                stop_signal: "SIGINT".to_owned(),
            },
            layers: Layer::ALL.to_vec(),
            webapp: "ROOT".to_owned(),
            health_path: "/".to_owned(),
        };
        let text = render(&templates, stack, &input).expect("rendered").text;
        let divided = divide(&text).unwrap_or_else(|| panic!("{}:\n{text}", stack.name));
        assert_eq!(format!("{}{}", divided.foundation, divided.rest), text);
        let last = divided.foundation.trim_end().lines().next_back().expect("lines");
        assert!(last.starts_with("COPY --chown=0:0 layers/libraries/ "), "{last}");
        assert!(divided.rest.starts_with("COPY --chown=0:0 layers/own-libraries/ "));

        input.layers = vec![Layer::Pages, Layer::Classes];
        let text = render(&templates, stack, &input).expect("rendered").text;
        assert_eq!(divide(&text), None, "there are no libraries");
    }
}

#[test]
fn both_parts_together_are_the_text() {
    let rest = "COPY layers/classes/ /webapps/\nENV A=b\nENTRYPOINT [\"x\"]\nCMD [\"y\"]\n";
    let text = format!("{HEAD}{LIBRARIES}{rest}");
    let foundation = format!("{HEAD}{LIBRARIES}");
    assert_eq!(
        divide(&text),
        Some(Divided {
            foundation: &foundation,
            rest
        })
    );
}

#[test]
fn what_would_not_be_the_same_in_two_steps_is_not_divided() {
    for (first, rest) in [
        ("ARG A=b\n", ""),
        ("SHELL [\"/bin/bash\"]\n", ""),
        ("CMD [\"x\"]\n", ""),
        ("ONBUILD RUN x\n", ""),
        ("LABEL a=b\n", ""),
        ("RUN --mount=type=bind,target=/x x\n", ""),
        ("COPY layers/ /x/\n", ""),
        ("COPY layers/classes/ /x/\n", ""),
        ("COPY . /x/\n", ""),
        ("COPY house/../layers/classes/ /x/\n", ""),
        ("COPY house/a layers/classes/ /x/\n", ""),
        ("COPY --from=b /a /b\n", ""),
        ("COPY $A /b\n", ""),
        ("COPY [\"house/\", \"/\"]\n", ""),
        ("FROM b\n", ""),
        ("RUN cat <<EOF\nFROM x\nEOF\n", ""),
        ("", "FROM b\n"),
        ("", "COPY layers/libraries/ /x/\n"),
        ("", "COPY layers/l* /x/\n"),
        ("", "COPY layers/ /x/\n"),
        ("", "COPY ./ /x/\n"),
        ("", "ADD layers/classes/ /x/\n"),
        ("", "ONBUILD RUN x\n"),
        ("", "RUN \\\n --mount=type=bind,target=/x x\n"),
    ] {
        let text = format!("{HEAD}{first}{LIBRARIES}{rest}");
        assert_eq!(divide(&text), None, "{text}");
    }
    let good = format!("{HEAD}{LIBRARIES}");
    assert!(divide(&good).is_some());
    for text in [
        good.replace("# Made.", "# escape=`"),
        good.replace("# Made.\n", ""),
        good.replace("FROM a", "FROM a AS b"),
        good.replace("FROM a", "FROM --platform=x a"),
        good.replace("FROM a", "ARG A=b\nFROM a"),
        HEAD.to_owned(),
    ] {
        assert_eq!(divide(&text), None, "{text}");
    }
}
