//! Every shipped stack runs well, each on a base image of its own JDK and Tomcat. Run by `make stacks`: the bases take
//! minutes to make once, so the usual run of the tests leaves this out and looks at the stacks of the samples alone.

use std::collections::BTreeSet;
use std::path::Path;

use seaworthy::definition::{Definitions, Stack};
use seaworthy::dockerfile::{BaseSays, CONTEXT_HOUSE, DockerfileInput, PinnedBase, Templates, render};
use seaworthy::model::{Digest, Layer, ServletApi};

use crate::house::House;
use crate::runs::runs_well;

/// A web application of one class that takes its time when it is asked to, for either generation of the interface.
fn servlet(api: ServletApi) -> String {
    format!(
        r#"import {0}.servlet.http.*;
public class Slow extends HttpServlet {{
    public void init() {{ System.out.println("Slow is there"); }}
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws java.io.IOException {{
        String wait = request.getParameter("wait");
        try {{
            Thread.sleep(wait == null ? 0 : Long.parseLong(wait));
        }} catch (InterruptedException e) {{
            response.sendError(503);
            return;
        }}
        response.getWriter().println("slept");
    }}
}}
"#,
        api.as_str()
    )
}

const WEB_XML: &str = r#"<web-app><servlet><servlet-name>slow</servlet-name><servlet-class>Slow</servlet-class>
<load-on-startup>1</load-on-startup></servlet>
<servlet-mapping><servlet-name>slow</servlet-name><url-pattern></url-pattern></servlet-mapping></web-app>
"#;

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
    std::fs::write(path, text).expect("written");
}

async fn docker(house: &House, arguments: &[&str], directory: &Path) -> String {
    let output = house
        .docker()
        .args(arguments)
        .env("DOCKER_BUILDKIT", "0")
        .current_dir(directory)
        .output()
        .await
        .expect("docker runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {arguments:?}: {text}");
    text
}

/// The image of a small application on this stack, by the stack's own template.
async fn image(house: &House, templates: &Templates, stack: &Stack) -> String {
    let base = format!(
        "seaworthy-world/{}",
        stack.runtime.image.as_str().trim_start_matches("docker.io/")
    );
    let directory = house.dir.join(&stack.name);
    let input = DockerfileInput {
        application: "slow".to_owned(),
        base: PinnedBase::new(stack.runtime.image.as_str(), &Digest::of(b"base")).expect("a name"),
        base_says: BaseSays::default(),
        layers: vec![Layer::Resources, Layer::Classes],
        webapp: "ROOT".to_owned(),
        health_path: "/".to_owned(),
    };
    let rendered = render(templates, stack, &input).expect("a Dockerfile");
    let pinned = input.base.as_str();
    assert!(rendered.text.contains(pinned));
    write(&directory.join("Dockerfile"), &rendered.text.replace(pinned, &base));
    for path in &rendered.directories {
        std::fs::create_dir_all(directory.join(CONTEXT_HOUSE).join(path)).expect("made");
    }
    for file in &rendered.files {
        let path = directory.join(CONTEXT_HOUSE).join(&file.path);
        write(&path, &file.text);
        if file.is_program() {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&path, mode).expect("executable");
        }
    }
    write(&directory.join("layers/resources/ROOT/WEB-INF/web.xml"), WEB_XML);
    let classes = directory.join("layers/classes/ROOT/WEB-INF/classes");
    write(&directory.join("Slow.java"), &servlet(stack.servlet));
    std::fs::create_dir_all(&classes).expect("made");
    // By the JDK of the base itself.
    let mount = format!("{}:/work", directory.display());
    let compile = "javac -cp /usr/local/tomcat/lib/servlet-api.jar -d layers/classes/ROOT/WEB-INF/classes Slow.java";
    docker(
        house,
        &[
            "run",
            "--rm",
            "--volume",
            &mount,
            "--workdir",
            "/work",
            &base,
            "sh",
            "-c",
            compile,
        ],
        &directory,
    )
    .await;
    let name = format!("seaworthy-test/{}:{}", stack.name, uuid::Uuid::new_v4().simple());
    docker(
        house,
        &["build", "--quiet", "--network", "none", "--tag", &name, "."],
        &directory,
    )
    .await;
    name
}

#[tokio::test]
#[ignore = "needs the base images of all stacks: make stacks"]
async fn every_stack_runs_well() {
    let house = House::build().await;
    let templates = Templates::load(None).expect("the shipped templates");
    let definitions = Definitions::load(None, &templates.names()).expect("the shipped definitions");
    let mut seen = BTreeSet::new();
    for stack in definitions.stacks() {
        let name = image(&house, &templates, stack).await;
        let version = docker(&house, &["run", "--rm", &name, "java", "-version"], &house.dir).await;
        let major = match stack.builder.jdk {
            8 => "\"1.8.".to_owned(),
            jdk => format!("\"{jdk}"),
        };
        assert!(version.contains(&major), "stack {}: {version}", stack.name);
        runs_well(&house, &name, "/?wait=2500", "Slow is there").await;
        docker(&house, &["rmi", &name], &house.dir).await;
        println!("stack {} runs well", stack.name);
        seen.insert(stack.name.clone());
    }
    assert!(seen.len() >= 16, "{seen:?}");
    house.close().await;
}
