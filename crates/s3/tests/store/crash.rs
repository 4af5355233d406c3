//! What a crash leaves, made by hand: the folder as it was copied at that moment, opened again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::stream;
use opentrail_s3::{Attributes, ListQuery, Store, StoreError};

const LARGE: Bytes = Bytes::from_static(&[7; 100_000]);

/// The blobs below a store's folder.
pub(crate) fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.join("incoming"), root.join("blobs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

/// The folder as a power cut would leave it, were it cut now and all that was written kept.
fn cut(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            cut(&path, &target);
        } else if path.extension().is_none_or(|extension| extension != "sqlite-shm") {
            fs::copy(&path, &target).unwrap();
        }
    }
}

async fn keys(store: &Store) -> Vec<String> {
    let page = store.list("crash", ListQuery { max: 1000, ..ListQuery::default() }).await.unwrap();
    page.rows.into_iter().map(|row| row.key).collect()
}

#[tokio::test]
async fn an_upload_that_was_cut_off_leaves_nothing() {
    let (dir, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Store::open(dir.path()).unwrap();
    store.create_bucket("crash", "us-east-1").await.unwrap();
    store.put("crash", "whole", Attributes::default(), LARGE).await.unwrap();
    // Received and on the disk, but not yet an object.
    let received = store.receive(stream::iter([Ok::<_, std::io::Error>(LARGE)]), None).await.unwrap();
    assert_eq!(files(dir.path()).len(), 2);
    cut(dir.path(), after.path());

    let reopened = Store::open(after.path()).unwrap();
    assert_eq!(keys(&reopened).await, ["whole"]);
    assert_eq!(reopened.get("crash", "whole").await.unwrap().bytes().await.unwrap(), LARGE);
    assert_eq!(files(after.path()).len(), 1);
    drop(received);
    assert_eq!(files(dir.path()).len(), 1, "an upload that was given up is removed at once");
}

#[tokio::test]
async fn an_object_that_was_answered_is_there_whatever_comes() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.create_bucket("crash", "us-east-1").await.unwrap();
    for round in 0..20 {
        let body = Bytes::from(vec![round; if round % 2 == 0 { 100 } else { 50_000 }]);
        store.put("crash", "overwritten", Attributes::default(), body.clone()).await.unwrap();
        let after = tempfile::tempdir().unwrap();
        cut(dir.path(), after.path());
        let reopened = Store::open(after.path()).unwrap();
        assert_eq!(reopened.get("crash", "overwritten").await.unwrap().bytes().await.unwrap(), body);
    }
}

#[tokio::test]
async fn a_blob_that_was_committed_but_not_moved_is_found_and_moved() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.create_bucket("crash", "us-east-1").await.unwrap();
    store.put("crash", "k", Attributes::default(), LARGE).await.unwrap();
    let place = files(dir.path()).remove(0);
    let back = dir.path().join("incoming").join(place.file_name().unwrap());
    fs::rename(&place, &back).unwrap();
    assert_eq!(store.get("crash", "k").await.unwrap().bytes().await.unwrap(), LARGE, "readers look there too");
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(files(dir.path()), [place]);
    assert_eq!(store.get("crash", "k").await.unwrap().bytes().await.unwrap(), LARGE);
}

#[tokio::test]
async fn a_folder_is_open_once_and_private() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("s3");
    let store = Store::open(&root).unwrap();
    assert!(matches!(Store::open(&root), Err(StoreError::InUse(_))));
    store.create_bucket("crash", "us-east-1").await.unwrap();
    store.put("crash", "k", Attributes::default(), LARGE).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&root), 0o700);
    for name in ["index.sqlite", "index.sqlite-wal", "lock"] {
        assert_eq!(mode(&root.join(name)), 0o600, "{name}");
    }
    assert_eq!(mode(&files(&root)[0]), 0o600);
    drop(store);
    Store::open(&root).unwrap();
}

#[tokio::test]
async fn a_newer_format_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    let index = rusqlite::Connection::open(dir.path().join("index.sqlite")).unwrap();
    index.execute_batch("PRAGMA user_version = 2").unwrap();
    drop(index);
    assert!(matches!(Store::open(dir.path()), Err(StoreError::UnknownFormat { found: 2, known: 1, .. })));
}
