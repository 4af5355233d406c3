//! Bytes live as long as someone names or reads them, and no longer.

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use opentrail_s3::{Attributes, CompletedPart, Completion, Condition, Copied, NewObject, Store, StoreError, Tag};

use super::crash::files;

fn body(fill: u8, size: usize) -> Bytes {
    Bytes::from(vec![fill; size])
}

async fn store(dir: &std::path::Path) -> Store {
    let store = Store::open(dir).unwrap();
    store.create_bucket("life", "us-east-1").await.unwrap();
    store
}

/// The sweeper works on its own time.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..200 {
        if holds() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

#[tokio::test]
async fn a_reader_keeps_what_was_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    store.put("life", "k", Attributes::default(), body(1, 3_000_000)).await.unwrap();
    let old = store.get("life", "k").await.unwrap();
    store.put("life", "k", Attributes::default(), body(2, 100_000)).await.unwrap();
    store.delete("life", "k").await.unwrap();
    assert_eq!(old.bytes().await.unwrap(), body(1, 3_000_000));
    store.put("life", "other", Attributes::default(), body(3, 1)).await.unwrap();
    eventually("the blobs are swept", || files(dir.path()).is_empty()).await;
}

#[tokio::test]
async fn a_copy_shares_bytes_and_outlives_its_source() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    store.put("life", "from", Attributes::default(), body(1, 100_000)).await.unwrap();
    let source = store.get("life", "from").await.unwrap();
    store.delete("life", "from").await.unwrap();
    store.copy(source, "life", "to", Copied::default()).await.unwrap();
    for _ in 0..3 {
        store.put("life", "tick", Attributes::default(), body(0, 1)).await.unwrap();
    }
    assert_eq!(files(dir.path()).len(), 1);
    assert_eq!(store.get("life", "to").await.unwrap().bytes().await.unwrap(), body(1, 100_000));
}

#[tokio::test]
async fn completing_an_upload_moves_no_bytes_and_drops_unused_parts() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let upload = store.create_upload("life", "k", Attributes::default(), None).await.unwrap().upload_id;
    let mut parts = Vec::new();
    for (number, size) in [(1, 5 << 20), (2, 5 << 20), (3, 10)] {
        let received =
            store.receive_part(stream::iter([Ok::<_, std::io::Error>(body(number, size))]), None).await.unwrap();
        let part = store.put_part("life", "k", &upload, number.into(), received).await.unwrap();
        parts.push(CompletedPart { number: part.number, etag: part.etag, checksum: None });
    }
    let before = files(dir.path());
    parts.remove(1);
    let info =
        store.complete_upload("life", "k", &upload, Completion { parts, ..Completion::default() }).await.unwrap();
    assert_eq!(info.size, (5 << 20) + 10);
    assert!(info.etag.ends_with("-2"));
    eventually("the unused part is swept", || files(dir.path()).len() == 2).await;
    assert!(files(dir.path()).iter().all(|file| before.contains(file)));
    let across = store.get("life", "k").await.unwrap().stream_range((5 << 20) - 1..(5 << 20) + 1);
    let across: Vec<_> = across.map(Result::unwrap).collect().await;
    assert_eq!(across.concat(), [1, 3]);
}

#[tokio::test]
async fn only_one_of_many_creates_under_if_none_match() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let attempts = (0..20).map(|n| {
        let store = store.clone();
        async move {
            let received = store.receive(stream::iter([Ok::<_, std::io::Error>(body(n, 20_000))]), None).await.unwrap();
            let condition = Condition { if_match: None, if_none_match: Some(Tag::Any) };
            let new = NewObject { bucket: "life".into(), key: "k".into(), condition, ..NewObject::default() };
            store.put_received(new, received).await
        }
    });
    let outcomes = futures_util::future::join_all(attempts).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let failed = |outcome: &Result<_, StoreError>| matches!(outcome, Err(StoreError::PreconditionFailed(_)));
    assert_eq!(outcomes.iter().filter(|outcome| failed(outcome)).count(), 19);
    assert_eq!(files(dir.path()).len(), 1, "those that failed left nothing");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_object() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let broken = stream::iter([Ok(body(1, 3_000_000)), Err(std::io::Error::other("reset"))]);
    let outcome = store.receive(broken, None).await;
    assert!(matches!(outcome, Err(StoreError::IncompleteBody(Some(_)))));
    eventually("the rest is removed", || files(dir.path()).is_empty()).await;
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_undo_its_write() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let received = store.receive(stream::iter([Ok::<_, std::io::Error>(body(1, 50_000))]), None).await.unwrap();
    let new = NewObject { bucket: "life".into(), key: "k".into(), ..NewObject::default() };
    // Asked once and then dropped, as when a client hangs up.
    let mut put = Box::pin(store.put_received(new, received));
    let _ = put.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    drop(put);
    let mut read = BytesMut::new();
    for _ in 0..200 {
        match store.get("life", "k").await {
            Ok(object) => {
                read.extend_from_slice(&object.bytes().await.unwrap());
                break;
            }
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
        }
    }
    assert_eq!(read, body(1, 50_000));
}
