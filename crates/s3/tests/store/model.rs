//! Random puts, copies and deletes: the store agrees with a `BTreeMap`, and a reopened store with itself.

use std::collections::BTreeMap;

use bytes::Bytes;
use opentrail_s3::{Attributes, Copied, ListQuery, Store, StoreError};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Put(String, u32),
    Copy(String, String),
    Delete(String),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = "[ab/.]{1,4}";
    // Sizes on both sides of what lies within the index.
    let size = prop_oneof![0u32..50, 16_380..16_390u32, 40_000..60_000u32];
    let step = prop_oneof![
        5 => (key, size).prop_map(|(key, size)| Step::Put(key, size)),
        2 => (key, key).prop_map(|(from, to)| Step::Copy(from, to)),
        2 => key.prop_map(Step::Delete),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 0..40)
}

fn body(key: &str, size: u32) -> Bytes {
    key.bytes().cycle().take(size as usize).collect()
}

async fn run(steps: Vec<Step>, queries: Vec<ListQuery>) {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    store.create_bucket("model", "us-east-1").await.unwrap();
    let mut model: BTreeMap<String, Bytes> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Put(key, size) => {
                let body = body(&key, size);
                store.put("model", &key, Attributes::default(), body.clone()).await.unwrap();
                model.insert(key, body);
            }
            Step::Copy(from, to) => match (store.get("model", &from).await, model.get(&from).cloned()) {
                (Ok(source), Some(body)) => {
                    store.copy(source, "model", &to, Copied::default()).await.unwrap();
                    model.insert(to, body);
                }
                (Err(StoreError::NoSuchKey(_)), None) => {}
                (found, expected) => panic!("{from:?}: {:?}, not {expected:?}", found.map(|o| o.info().clone())),
            },
            Step::Delete(key) => {
                store.delete("model", &key).await.unwrap();
                model.remove(&key);
            }
            Step::Reopen => {
                drop(store);
                store = Store::open(dir.path()).unwrap();
            }
        }
    }
    let whole = ListQuery { max: usize::MAX, ..ListQuery::default() };
    let listed = store.list("model", whole).await.unwrap().rows;
    let found: Vec<_> = listed.iter().map(|row| (row.key.clone(), row.size)).collect();
    let expected: Vec<_> = model.iter().map(|(key, body)| (key.clone(), body.len() as u64)).collect();
    assert_eq!(found, expected);
    for (key, body) in &model {
        assert_eq!(store.get("model", key).await.unwrap().bytes().await.unwrap(), body, "{key:?}");
    }
    for query in queries {
        let page = store.list("model", query.clone()).await.unwrap();
        let after = |name: &str| query.after.as_deref().is_none_or(|after| name > after);
        assert!(page.rows.iter().all(|row| row.key.starts_with(&query.prefix) && after(&row.key)), "{query:?}");
        if query.delimiter.is_empty() {
            let expected = model.keys().filter(|key| key.starts_with(&query.prefix) && after(key)).take(query.max);
            assert!(page.rows.iter().map(|row| &row.key).eq(expected), "{query:?}");
        }
    }
    // Nothing is left on the disk that no object names.
    for key in model.keys() {
        store.delete("model", key).await.unwrap();
    }
    drop(store);
    drop(Store::open(dir.path()).unwrap());
    assert_eq!(super::crash::files(dir.path()), Vec::<std::path::PathBuf>::new());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_store_is_a_sorted_map(
        steps in steps(),
        queries in prop::collection::vec(
            ("[ab/]{0,2}", prop::sample::select(vec!["", "/"]), prop::option::of("[ab/]{0,3}"), 0usize..9)
                .prop_map(|(prefix, delimiter, after, max)| ListQuery { prefix, delimiter: delimiter.into(), after, max }),
            0..6,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(steps, queries));
    }
}

#[tokio::test]
async fn a_hundred_thousand_keys_are_listed_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.create_bucket("many", "us-east-1").await.unwrap();
    let puts = (0..100_000u32).map(|n| {
        let store = store.clone();
        async move {
            let key = format!("logs/{:03}/{n:06}", n / 1000);
            store.put("many", &key, Attributes::default(), Bytes::from_static(b"x")).await.unwrap();
        }
    });
    futures_util::StreamExt::for_each_concurrent(futures_util::stream::iter(puts), 512, |put| put).await;
    let started = std::time::Instant::now();
    let query = ListQuery { prefix: "logs/".into(), delimiter: "/".into(), after: None, max: 1000 };
    let folders = store.list("many", query).await.unwrap();
    assert_eq!((folders.prefixes.len(), folders.rows.len()), (100, 0));
    let query = ListQuery { prefix: "logs/050/".into(), delimiter: String::new(), after: None, max: 1000 };
    let page = store.list("many", query).await.unwrap();
    assert_eq!((page.rows.len(), page.next), (1000, None));
    let took = started.elapsed();
    assert!(took.as_millis() < 1000, "two pages of 100,000 keys took {took:?}");
}
