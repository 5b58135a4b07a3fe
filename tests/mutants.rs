//! Hooks that were tampered with: whatever a body holds, it is stored, decided, and makes neither a panic nor an error.

use proptest::prelude::*;
use seaworthy::intake::event::{self, Event};
use serde_json::{Value, json};

use crate::hooks::{Desk, fixture};

/// Every place of a JSON value, as pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(name, value)| places(value, &format!("{at}/{name}"), found)),
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                places(value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(list) => list.iter().any(holds_nul),
        Value::Object(map) => map.values().any(holds_nul),
        _ => false,
    }
}

/// Puts `value` in at a place, or removes what is there.
fn mutate(json: &mut Value, place: &str, value: Option<Value>) {
    match value {
        Some(value) => {
            if let Some(at) = json.pointer_mut(place) {
                *at = value;
            }
        }
        None => {
            if let Some((parent, name)) = place.rsplit_once('/')
                && let Some(Value::Object(parent)) = json.pointer_mut(parent)
            {
                parent.remove(name);
            }
        }
    }
}

#[tokio::test]
async fn no_field_of_a_hook_can_make_an_error() {
    let desk = Desk::open_careless().await;
    let whole: Value = serde_json::from_slice(&fixture("03-push.json")).expect("JSON");
    let mut all = Vec::new();
    places(&whole, "", &mut all);
    // Of these objects nothing but their being there is read.
    all.retain(|place| !place.starts_with("/repository/") && !place.starts_with("/object_attributes/source/"));
    let values = [
        None,
        Some(json!(null)),
        Some(json!(-1)),
        Some(json!(u64::MAX)),
        Some(json!(i64::MAX)),
        Some(json!(1.5e300)),
        Some(json!(true)),
        Some(json!("")),
        Some(json!("\u{0}\u{1f}\u{202e}\"'<;--")),
        Some(json!("x".repeat(70_000))),
        Some(json!([[], {}])),
        Some(json!({"id": {"id": []}})),
    ];
    for place in &all {
        for value in &values {
            let mut mutant = whole.clone();
            mutate(&mut mutant, place, value.clone());
            desk.deliver("Merge Request Hook", mutant.to_string()).await;
        }
    }
    let outcomes = futures_util::future::join_all((0..4).map(|_| desk.work())).await;
    assert_eq!(outcomes.iter().map(Vec::len).sum::<usize>(), all.len() * values.len());
    assert_eq!(
        desk.count("select count(*) from delivery where decision is null").await,
        0
    );
    desk.close().await;
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        prop::sample::select(vec![
            "merge_request",
            "opened",
            "open",
            "reopen",
            "close",
            "main",
            "a/b"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-z_]{1,12}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_mutant_is_read(
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(any_json())), 1..6),
    ) {
        let mut json: Value = serde_json::from_slice(&fixture("01-open.json")).expect("JSON");
        for (index, value) in changes {
            let mut all = Vec::new();
            places(&json, "", &mut all);
            let place: &String = index.get(&all);
            mutate(&mut json, place, value);
        }
        // What is read can be stored: Postgres takes no NUL.
        if let Event::MergeRequest(event) = event::read(json.to_string().as_bytes()) {
            let texts = match &event.merge_request {
                Ok(merge_request) => serde_json::to_value(merge_request).expect("JSON"),
                Err(missing) => json!([missing]),
            };
            prop_assert!(!holds_nul(&texts), "{texts}");
        }
    }

    #[test]
    fn every_damaged_body_is_read(
        cut in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut body = fixture("01-open.json");
        for (index, byte) in damage {
            let length = body.len();
            body[index.index(length)] = byte;
        }
        body.truncate(cut.index(body.len()) + 1);
        event::read(&body);
    }
}
