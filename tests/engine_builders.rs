//! Images made by both of the engine's builders, and whose fault it is when there is none.

use std::collections::BTreeMap;
use std::fs;

use seaworthy::clients::engine::{BuildError, Builder, Engine, ImageSpec, Owner, tar_directory};
use seaworthy::model::BuildId;

use crate::engine_client::{engine, scratch_image};

async fn build_image(engine: &Engine, number: i64, dockerfile: &str) -> (Result<String, BuildError>, Vec<String>) {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("Dockerfile"), dockerfile).expect("write");
    let owner = Owner {
        installation: crate::house::installation(),
        build: BuildId(number),
        attempt: 1,
        worker: "test".to_owned(),
    };
    let reference = format!("seaworthy-test/app:{number}");
    let mut lines = Vec::new();
    let spec = ImageSpec {
        context: tar_directory(dir.path(), 0, 0).await.expect("packs"),
        reference: reference.clone(),
        labels: BTreeMap::from([("a.label".to_owned(), "with \"quotes\" $and\\more".to_owned())]),
        logins: BTreeMap::new(),
        owner: Some(owner.clone()),
    };
    let result = engine.build_image(spec, |line| lines.push(line)).await;
    if let Ok(id) = &result {
        let info = engine
            .inspect_image(&reference)
            .await
            .expect("answers")
            .expect("is there");
        assert_eq!(&info.id, id);
        assert_eq!(info.labels["a.label"], "with \"quotes\" $and\\more");
        let mine = |all: Vec<seaworthy::clients::engine::Leftover>| {
            all.into_iter().filter(|l| l.owner.build == owner.build).count()
        };
        assert_eq!(
            mine(engine.leftovers(&crate::house::installation()).await.expect("lists")),
            2,
            "the sweep would not find it"
        );
        engine.remove_image(&reference, Some(&owner)).await.expect("removes");
        assert_eq!(
            mine(engine.leftovers(&crate::house::installation()).await.expect("lists")),
            0
        );
    }
    (result.map(|id| id.to_string()), lines)
}

#[tokio::test]
async fn both_builders_build_and_tell_whose_fault_it_is() {
    for (number, builder) in [(900_020, Builder::BuildKit), (900_030, Builder::Classic)] {
        let engine = engine(builder);
        let base = scratch_image(&engine).await;
        // What ran before must not come from the cache: the number makes the step new for each process.
        let nonce = std::process::id();
        let (result, lines) = build_image(&engine, number, &format!("FROM {base}\nRUN echo hello {nonce}\n")).await;
        result.unwrap_or_else(|error| panic!("{builder:?}: {error}\n{lines:#?}"));
        assert!(
            lines.iter().any(|line| line.ends_with(&format!("hello {nonce}"))),
            "{builder:?}: {lines:#?}"
        );
        for (text, told) in [
            (format!("FROM {base}\nRUN exit 7\n"), "7"),
            (format!("FROM {base}\nNOPE x\n"), "NOPE"),
            (format!("FROM {base}\nCOPY nope /\n"), "nope"),
        ] {
            let (result, _) = build_image(&engine, number + 1, &text).await;
            match result {
                Err(BuildError::Dockerfile(message)) => assert!(message.contains(told), "{message}"),
                other => panic!("{builder:?} {text:?}: {other:?}"),
            }
        }
        let (result, _) = build_image(&engine, number + 2, "FROM 127.0.0.1:1/nothing:1\n").await;
        match result {
            Err(BuildError::Engine(error)) => assert!(
                error.is_transient() && error.to_string().contains("127.0.0.1:1"),
                "{error}"
            ),
            other => panic!("{builder:?}: {other:?}"),
        }
    }
}
