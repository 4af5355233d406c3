//! Buckets, their policies and tags.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLockWriteGuard};

use super::Store;
use crate::error::{Result, StoreError};
use crate::index::{buckets, uploads};
use crate::object::{BucketInfo, Time, is_bucket_name};

impl Store {
    /// Creates a bucket in that Region; `false` if it was there already, and is left as it was.
    ///
    /// # Errors
    /// [`StoreError::InvalidBucketName`].
    pub async fn create_bucket(&self, name: &str, region: &str) -> Result<bool> {
        if !is_bucket_name(name) {
            return Err(StoreError::InvalidBucketName(name.to_owned()));
        }
        let bucket = BucketInfo { name: name.to_owned(), created: Time::now(), region: region.to_owned() };
        let is_new = self.commit(move |tx| buckets::create(tx.index, &bucket)).await?;
        if is_new {
            self.regions_mut().insert(name.to_owned(), region.into());
        }
        Ok(is_new)
    }

    /// The Region of a bucket that is there; from memory.
    pub(crate) fn region_of(&self, name: &str) -> Option<Arc<str>> {
        self.inner.regions.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn regions_mut(&self) -> RwLockWriteGuard<'_, HashMap<String, Arc<str>>> {
        self.inner.regions.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bucket of that name, or [`StoreError::NoSuchBucket`].
    pub async fn bucket(&self, name: &str) -> Result<BucketInfo> {
        let name = name.to_owned();
        self.look_up(move |index| buckets::get(index, &name)).await
    }

    /// All buckets, by name.
    pub async fn buckets(&self) -> Result<Vec<BucketInfo>> {
        self.read(buckets::list).await
    }

    /// Deletes a bucket. Its unfinished multipart uploads go with it.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`], [`StoreError::BucketNotEmpty`].
    pub async fn delete_bucket(&self, name: &str) -> Result<()> {
        let gone = name.to_owned();
        self.commit(move |tx| {
            for upload in uploads::all(tx.index, buckets::id(tx.index, &gone)?)? {
                for (_, content) in uploads::parts(tx.index, &upload)? {
                    tx.release(&content)?;
                }
                uploads::delete(tx.index, &upload)?;
            }
            buckets::delete(tx.index, &gone)
        })
        .await?;
        self.regions_mut().remove(name);
        Ok(())
    }

    /// The bucket's policy, as it was put; `None` if it has none.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`].
    pub async fn bucket_policy(&self, bucket: &str) -> Result<Option<String>> {
        let bucket = bucket.to_owned();
        self.read(move |index| buckets::policy(index, &bucket)).await
    }

    /// Sets or, with `None`, deletes the bucket's policy. It is kept as a document: whether it is JSON is for the
    /// caller to check.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`].
    pub async fn set_bucket_policy(&self, bucket: &str, policy: Option<&str>) -> Result<()> {
        let (bucket, policy) = (bucket.to_owned(), policy.map(str::to_owned));
        self.commit(move |tx| buckets::set_policy(tx.index, &bucket, policy.as_deref())).await
    }

    /// The bucket's tags; `None` if it has none.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`].
    pub async fn bucket_tags(&self, bucket: &str) -> Result<Option<BTreeMap<String, String>>> {
        let bucket = bucket.to_owned();
        self.read(move |index| buckets::tags(index, &bucket)).await
    }

    /// Sets or, with `None`, deletes the bucket's tags.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`].
    pub async fn set_bucket_tags(&self, bucket: &str, tags: Option<BTreeMap<String, String>>) -> Result<()> {
        let bucket = bucket.to_owned();
        self.commit(move |tx| buckets::set_tags(tx.index, &bucket, tags.as_ref())).await
    }
}
