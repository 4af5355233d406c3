//! A store that an earlier version wrote is read for ever (`docs/formats/object-store.md`).

use opentrail_s3::{ListQuery, Store};
use std::fs;
use std::path::Path;

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(file.file_name());
        if file.path().is_dir() {
            copied(&file.path(), &target);
        } else {
            fs::copy(file.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn a_store_of_format_1_is_read_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    copied(&Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/v1"), folder.path());
    let store = Store::open(folder.path()).unwrap();
    let bucket = store.bucket("kept").await.unwrap();
    assert_eq!(bucket.region, "us-east-1");
    assert_eq!(store.bucket_tags("kept").await.unwrap().unwrap()["team"], "audit");

    let small = store.get("kept", "small/ü.txt").await.unwrap();
    let attributes = &small.info().attributes;
    assert_eq!(attributes.content_type.as_deref(), Some("text/plain"));
    assert_eq!((&*attributes.metadata["colour"], &*attributes.tags["a"]), ("green", "b"));
    assert!(small.info().checksum.is_some());
    assert_eq!(small.bytes().await.unwrap(), "small");
    let large: Vec<u8> = (0..80).flat_map(|_| 0..=255).collect();
    assert_eq!(store.get("kept", "large").await.unwrap().bytes().await.unwrap(), large);
    let parts = store.get("kept", "parts").await.unwrap();
    assert_eq!((parts.info().parts.len(), parts.info().etag.ends_with("-1")), (1, true));
    assert_eq!(parts.bytes().await.unwrap(), "part".repeat(5000));

    let all = ListQuery { prefix: String::new(), delimiter: String::new(), after: None, max: 10 };
    let unfinished = store.uploads("kept", all, None).await.unwrap().uploads;
    let [upload] = &unfinished[..] else { panic!("{unfinished:?}") };
    let (_, parts) = store.parts("kept", "unfinished", &upload.upload_id).await.unwrap();
    assert_eq!((parts[0].number, parts[0].size), (7, 5));
}
