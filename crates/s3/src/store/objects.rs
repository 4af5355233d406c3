//! Objects: put, get, copy, list and delete.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::receiving::Arrived;
use super::{Object, Received, Store, blocking};
use crate::checksum::{Algorithm, Checksum, Hasher};
use crate::commit::Tx;
use crate::content::Content;
use crate::error::{Result, StoreError};
use crate::index::{buckets, objects};
use crate::list::{self, ListQuery, Page};
use crate::object::{Attributes, Condition, Listed, ObjectInfo, Time, is_key};

/// An object to be written.
#[derive(Clone, Debug, Default)]
pub struct NewObject {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// What is said about it.
    pub attributes: Attributes,
    /// What must hold of the object that it replaces.
    pub condition: Condition,
}

/// What a copy gives the new object in place of what the source has; `None` keeps the source's.
#[derive(Clone, Debug, Default)]
pub struct Copied {
    /// All attributes but the tags.
    pub attributes: Option<Attributes>,
    /// The tags.
    pub tags: Option<BTreeMap<String, String>>,
    /// The additional checksum to compute anew.
    pub checksum: Option<Algorithm>,
    /// What must hold of what is in the copy's place.
    pub condition: Condition,
}

/// An object to be deleted.
#[derive(Clone, Debug, Default)]
pub struct Deletion {
    /// Its key.
    pub key: String,
    /// What must hold of it; an object that is not there satisfies no `if_match`.
    pub condition: Condition,
}

impl Store {
    /// Writes an object whose bytes are at hand. Atomic and durable: readers see the old object or the new one.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`], [`StoreError::InvalidKey`]; those of the disk.
    pub async fn put(&self, bucket: &str, key: &str, attributes: Attributes, bytes: Bytes) -> Result<ObjectInfo> {
        let received = self.receive(stream::iter([Ok::<_, Infallible>(bytes)]), None).await?;
        let new =
            NewObject { bucket: bucket.to_owned(), key: key.to_owned(), attributes, condition: Condition::default() };
        self.put_received(new, received).await
    }

    /// Makes an object of a body that has arrived. Atomic and durable.
    ///
    /// # Errors
    /// As [`Store::put`], and [`StoreError::PreconditionFailed`]; [`StoreError::NoSuchKey`] for an `if_match` on
    /// nothing.
    pub async fn put_received(&self, new: NewObject, received: Received) -> Result<ObjectInfo> {
        let info = ObjectInfo {
            key: new.key,
            size: received.size,
            etag: received.etag(),
            modified: Time::now(),
            checksum: received.checksum,
            attributes: new.attributes,
            parts: Vec::new(),
        };
        let (content, arrived) = (received.content.content(info.size), received.content);
        self.commit(move |tx| {
            if let Arrived::Blob(incoming) = arrived {
                tx.adopt(incoming)?;
            }
            replace(tx, &new.bucket, &info, &content, &new.condition)?;
            Ok(info)
        })
        .await
    }

    /// The object under that key.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`], [`StoreError::NoSuchKey`].
    pub async fn get(&self, bucket: &str, key: &str) -> Result<Object> {
        let (blobs, bucket, key) = (self.inner.blobs.clone(), bucket.to_owned(), key.to_owned());
        self.look_up(move |index| {
            let find = || match objects::find(index, &bucket, &key)? {
                Some(found) => Ok(found),
                None => buckets::id(index, &bucket).and(Err(StoreError::NoSuchKey(key))),
            };
            let ((info, content), lease) = blobs.find_and_lease(find, |(_, content)| content.blobs())?;
            Ok(Object { info, content, lease: Arc::new(lease) })
        })
        .await
    }

    /// Copies an object within the store; large ones share their bytes with the source. The ETag is that of an
    /// object put whole, as S3 makes it.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub async fn copy(&self, source: Object, bucket: &str, key: &str, copied: Copied) -> Result<ObjectInfo> {
        let mut info = source.info.clone();
        info.key = key.to_owned();
        info.modified = Time::now();
        let tags = copied.tags.unwrap_or_else(|| std::mem::take(&mut info.attributes.tags));
        info.attributes = Attributes { tags, ..copied.attributes.unwrap_or(info.attributes) };
        let has = info.checksum.as_ref().map(|checksum| checksum.algorithm);
        let wants = copied.checksum.or(has);
        if !info.parts.is_empty() || has != wants {
            let (md5, checksum) = source.clone().digest(wants).await?;
            (info.etag, info.checksum, info.parts) = (hex::encode(md5), checksum, Vec::new());
        }
        let bucket = bucket.to_owned();
        self.commit(move |tx| {
            tx.share(&source.content)?; // leased by the source until then
            replace(tx, &bucket, &info, &source.content, &copied.condition)?;
            Ok(info)
        })
        .await
    }

    /// One page of the keys of a bucket, in byte order.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`].
    pub async fn list(&self, bucket: &str, query: ListQuery) -> Result<Page<Listed>> {
        let bucket = bucket.to_owned();
        self.read(move |index| {
            let bucket = buckets::id(index, &bucket)?;
            list::page(&query, |listed: &Listed| &listed.key, |from, visit| objects::scan(index, bucket, from, visit))
        })
        .await
    }

    /// Deletes an object. One that is not there is deleted already.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`]; [`StoreError::PreconditionFailed`] if its condition does not hold.
    pub async fn delete(&self, bucket: &str, key: &str) -> Result<()> {
        let deletion = Deletion { key: key.to_owned(), condition: Condition::default() };
        let outcomes = self.delete_all(bucket, vec![deletion]).await?;
        outcomes.into_iter().collect()
    }

    /// Deletes many objects at once; one outcome for each.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`], for all.
    pub async fn delete_all(&self, bucket: &str, deletions: Vec<Deletion>) -> Result<Vec<Result<()>>> {
        let bucket = bucket.to_owned();
        self.commit(move |tx| {
            let bucket = buckets::id(tx.index, &bucket)?;
            let mut outcomes = Vec::with_capacity(deletions.len());
            for deletion in deletions {
                let found = objects::get(tx.index, bucket, &deletion.key)?;
                let allowed = check(&deletion.condition, found.as_ref().map(|(info, _)| info), &deletion.key);
                if let (Ok(()), Some((_, content))) = (&allowed, found) {
                    objects::delete(tx.index, bucket, &deletion.key)?;
                    tx.release(&content)?;
                }
                outcomes.push(allowed);
            }
            Ok(outcomes)
        })
        .await
    }

    /// Sets the tags of an object.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`], [`StoreError::NoSuchKey`].
    pub async fn set_object_tags(&self, bucket: &str, key: &str, tags: BTreeMap<String, String>) -> Result<()> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.commit(move |tx| {
            let bucket = buckets::id(tx.index, &bucket)?;
            let (mut info, _) = objects::get(tx.index, bucket, &key)?.ok_or(StoreError::NoSuchKey(key))?;
            info.attributes.tags = tags;
            objects::set_attributes(tx.index, bucket, &info)
        })
        .await
    }
}

impl Object {
    /// Reads the object through for its MD5 and, if asked, an additional checksum.
    pub(super) async fn digest(self, algorithm: Option<Algorithm>) -> Result<([u8; 16], Option<Checksum>)> {
        let mut hasher = Hasher::new(algorithm);
        let mut stream = self.stream();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(StoreError::io("read a blob"))?;
            hasher = blocking(move || {
                hasher.update(&chunk);
                Ok(hasher)
            })
            .await?;
        }
        Ok(hasher.finish())
    }
}

/// Puts an object in the place of what is there, if the condition holds. The content's blobs are counted already.
pub(super) fn replace(
    tx: &mut Tx<'_>,
    bucket: &str,
    info: &ObjectInfo,
    content: &Content,
    condition: &Condition,
) -> Result<()> {
    if !is_key(&info.key) {
        return Err(StoreError::InvalidKey);
    }
    let bucket = buckets::id(tx.index, bucket)?;
    let before = objects::get(tx.index, bucket, &info.key)?;
    check(condition, before.as_ref().map(|(info, _)| info), &info.key)?;
    if let Some((_, content)) = before {
        objects::delete(tx.index, bucket, &info.key)?;
        tx.release(&content)?;
    }
    objects::insert(tx.index, bucket, info, content)
}

/// Whether a write may go ahead (RFC 9110 §13.1, as S3 answers it: an `If-Match` on nothing is `NoSuchKey`).
fn check(condition: &Condition, found: Option<&ObjectInfo>, key: &str) -> Result<()> {
    if let Some(tag) = &condition.if_match {
        let found = found.ok_or_else(|| StoreError::NoSuchKey(key.to_owned()))?;
        if !tag.matches(&found.etag) {
            return Err(StoreError::PreconditionFailed("If-Match"));
        }
    }
    if let (Some(tag), Some(found)) = (&condition.if_none_match, found)
        && tag.matches(&found.etag)
    {
        return Err(StoreError::PreconditionFailed("If-None-Match"));
    }
    Ok(())
}
