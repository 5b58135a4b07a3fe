//! What many fetches and merges leave in the mirror becomes one pack, and nothing is lost.

use std::fs;
use std::path::Path;
use std::process::Command;

use seaworthy::clients::git::Merged;

use super::{PROJECT, World, sha};

/// Fetches so often that the next one has to pack; gives what was built.
async fn fill(world: &World) -> Vec<(String, Merged)> {
    let mut built = Vec::new();
    for n in 0..50 {
        // Each head replaces the one before: no ref leads to that any more.
        let head = world
            .repository
            .merge_request("main", &format!("src/New{n}.java"), &format!("class New{n} {{}}\n"));
        if n % 10 == 0 {
            world.repository.advance_main(&format!("docs/{n}"), "more\n");
        }
        let (fetched, lines) = world.fetch_told().await;
        assert!(
            !lines.iter().any(|line| line.contains("packing")),
            "fetch {n}: {lines:?}"
        );
        built.push((head, world.merge(&fetched).await));
    }
    built
}

fn names(folder: &Path, ending: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(ending)).collect()
}

fn loose(world: &World) -> usize {
    let folders = fs::read_dir(world.mirror("objects")).expect("a folder");
    let folders = folders.map(|entry| entry.expect("an entry").path());
    let hashed = folders.filter(|path| path.file_name().is_some_and(|name| name.len() == 2));
    hashed.map(|path| fs::read_dir(path).expect("a folder").count()).sum()
}

fn git_finds_it_sound(world: &World) {
    let checked = Command::new("git")
        .arg("-C")
        .arg(world.mirror(""))
        .args(["fsck", "--full", "--no-dangling"])
        .output()
        .expect("git");
    assert!(checked.status.success(), "{checked:?}");
}

#[tokio::test]
async fn many_packs_become_one_and_every_build_can_be_made_again() {
    let world = World::start().await;
    let built = fill(&world).await;
    assert_eq!(names(&world.mirror("objects/pack"), ".pack").len(), 50);
    let scattered = loose(&world);
    assert!(scattered > 0);
    // What one left who died while packing.
    fs::create_dir_all(world.mirror("packing/pack")).expect("a folder");
    fs::write(world.mirror("packing/pack/pack-1.idx"), "x").expect("written");
    let orphan = format!("objects/pack/pack-{}.idx", "1".repeat(40));
    fs::write(world.mirror(&orphan), "x").expect("written");

    world
        .repository
        .merge_request("main", "src/Last.java", "class Last {}\n");
    let (_, lines) = world.fetch_told().await;
    let told = format!("packing the mirror: 50 packs and {scattered} loose objects into one");
    assert!(lines.contains(&told), "{lines:?} without {told}");

    // The largest was left as it is.
    let packs = names(&world.mirror("objects/pack"), "");
    assert_eq!(
        packs.iter().filter(|name| name.ends_with(".pack")).count(),
        2,
        "{packs:?}"
    );
    assert_eq!(packs.len(), 4, "{packs:?}");
    assert_eq!(loose(&world), 0);
    assert!(!world.mirror("packing").exists());
    git_finds_it_sound(&world);
    for (head, merged) in &built {
        assert!(
            world.git.has_commit(PROJECT, &sha(head)).await.expect("asked"),
            "{head}"
        );
        let Merged::Tree { tree, commit, .. } = merged else {
            panic!("{merged:?}");
        };
        assert!(world.git.has_commit(PROJECT, commit).await.expect("asked"), "{commit}");
        let (into, _) = world.checkout(tree.as_str()).await.expect("checked out");
        fs::remove_dir_all(into).expect("removed");
    }
    let (_, lines) = world.fetch_told().await;
    assert!(!lines.iter().any(|line| line.contains("packing")), "{lines:?}");
}

#[tokio::test]
async fn a_damage_that_packing_meets_does_not_fail_the_fetch_and_is_mended_by_the_next() {
    let world = World::start().await;
    fill(&world).await;
    let before = names(&world.mirror("objects/pack"), ".pack");
    let smallest = before
        .iter()
        .map(|name| world.mirror("objects/pack").join(name))
        .min_by_key(|file| fs::metadata(file).expect("a file").len())
        .expect("packs");
    // Packs are read-only files: it is written anew.
    let mut bytes = fs::read(&smallest).expect("read");
    let middle = bytes.len() / 2;
    bytes[12..middle].fill(0xff);
    fs::remove_file(&smallest).expect("removed");
    fs::write(&smallest, bytes).expect("written");

    let head = world
        .repository
        .merge_request("main", "src/Last.java", "class Last {}\n");
    let (last, lines) = world.fetch_told().await;
    assert_eq!(last.head, sha(&head), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("packing")), "{lines:?}");
    let again = world.fetch_told().await.0;
    assert_eq!(again.head, last.head);
    assert!(again.objects > 40, "it was not fetched anew: {again:?}");
    git_finds_it_sound(&world);
}

#[tokio::test]
async fn many_loose_objects_are_packed_too() {
    let world = World::start().await;
    world.repository.merge_request("main", "a", "1");
    world.fetch_told().await;
    let mirror = git2::Repository::open_bare(world.mirror("")).expect("a mirror");
    let name = |text: &String| {
        let id = git2::Oid::hash_object(git2::ObjectType::Blob, text.as_bytes()).expect("hashed");
        id.to_string().starts_with("17").then_some(id)
    };
    let texts: Vec<_> = (0..)
        .map(|n| format!("text {n}"))
        .filter(|text| name(text).is_some())
        .take(27)
        .collect();
    for text in &texts[1..] {
        mirror.blob(text.as_bytes()).expect("written");
    }
    let (_, lines) = world.fetch_told().await;
    assert!(!lines.iter().any(|line| line.contains("packing")), "{lines:?}");
    mirror.blob(texts[0].as_bytes()).expect("written");
    let (_, lines) = world.fetch_told().await;
    assert!(
        lines.contains(&"packing the mirror: 0 packs and 27 loose objects into one".to_owned()),
        "{lines:?}"
    );
    assert_eq!(loose(&world), 0);
    let mirror = git2::Repository::open_bare(world.mirror("")).expect("a mirror");
    for text in &texts {
        let blob = mirror.find_blob(name(text).expect("chosen")).expect("kept");
        assert_eq!(blob.content(), text.as_bytes());
    }
}
