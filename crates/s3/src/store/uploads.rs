//! Multipart uploads: parts arrive in any order and become one object at once, without moving a byte.

use super::receiving::Arrived;
use super::{Object, Received, Store, objects};
use crate::checksum::{Algorithm, Checksum, ChecksumKind, multipart_checksum, multipart_etag};
use crate::commit::Tx;
use crate::content::Content;
use crate::error::{Result, StoreError};
use crate::index::{buckets, uploads};
use crate::list::{self, ListQuery};
use crate::object::{Attributes, Condition, ObjectInfo, PART_MIN, PART_NUMBER_MAX, PartInfo, Time, UploadInfo, is_key};

/// What a client says an upload consists of.
#[derive(Clone, Debug, Default)]
pub struct Completion {
    /// The parts, in ascending order.
    pub parts: Vec<CompletedPart>,
    /// The checksum that the object must have.
    pub checksum: Option<Checksum>,
    /// The size that the object must have, in bytes.
    pub size: Option<u64>,
    /// What must hold of the object that it replaces.
    pub condition: Condition,
}

/// A part, as a completion names it.
#[derive(Clone, Debug)]
pub struct CompletedPart {
    /// Its number.
    pub number: u32,
    /// Its ETag, without quotes.
    pub etag: String,
    /// Its checksum, which then must match.
    pub checksum: Option<(Algorithm, String)>,
}

/// One page of uploads.
#[derive(Clone, Debug)]
pub struct UploadPage {
    /// By key, then by name.
    pub uploads: Vec<UploadInfo>,
    /// Keys rolled up to the delimiter.
    pub prefixes: Vec<String>,
    /// If there is more: the key and the upload's name (empty after a common prefix) that the next page comes after.
    pub next: Option<(String, String)>,
}

impl Store {
    /// Begins a multipart upload.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`], [`StoreError::InvalidKey`].
    pub async fn create_upload(
        &self,
        bucket: &str,
        key: &str,
        attributes: Attributes,
        checksum: Option<(Algorithm, ChecksumKind)>,
    ) -> Result<UploadInfo> {
        if !is_key(key) {
            return Err(StoreError::InvalidKey);
        }
        let upload_id = uuid::Uuid::new_v4().simple().to_string();
        let upload = UploadInfo { key: key.to_owned(), upload_id, initiated: Time::now(), attributes, checksum };
        let bucket = bucket.to_owned();
        self.commit(move |tx| {
            uploads::create(tx.index, buckets::id(tx.index, &bucket)?, &upload)?;
            Ok(upload)
        })
        .await
    }

    /// The upload of that name, or [`StoreError::NoSuchUpload`].
    pub async fn upload(&self, bucket: &str, key: &str, upload_id: &str) -> Result<UploadInfo> {
        let (bucket, key, upload_id) = (bucket.to_owned(), key.to_owned(), upload_id.to_owned());
        self.read(move |index| uploads::get(index, buckets::id(index, &bucket)?, &key, &upload_id)).await
    }

    /// Makes a part of a body taken in by [`Store::receive_part`], in place of one with the same number.
    ///
    /// # Errors
    /// [`StoreError::NoSuchUpload`], [`StoreError::InvalidPart`] for a number out of 1 to 10,000.
    pub async fn put_part(
        &self,
        bucket: &str,
        key: &str,
        upload_id: &str,
        number: u32,
        received: Received,
    ) -> Result<PartInfo> {
        let etag = received.etag();
        let part = PartInfo { number, size: received.size, etag, modified: Time::now(), checksum: received.checksum };
        let content = received.content.content(part.size);
        let place = (bucket.to_owned(), key.to_owned(), upload_id.to_owned());
        self.commit(move |tx| {
            if let Arrived::Blob(incoming) = received.content {
                tx.adopt(incoming)?;
            }
            put_part(tx, place, &part, &content)?;
            Ok(part)
        })
        .await
    }

    /// Makes a part of bytes of an object. They are shared with it, not copied, unless they lie within the index.
    ///
    /// # Errors
    /// As [`Store::put_part`].
    pub async fn copy_part(
        &self,
        bucket: &str,
        key: &str,
        upload_id: &str,
        number: u32,
        source: Object,
        range: std::ops::Range<u64>,
    ) -> Result<PartInfo> {
        let algorithm = self.upload(bucket, key, upload_id).await?.checksum.map(|(algorithm, _)| algorithm);
        if let Content::Inline(_) = source.content {
            let received = self.receive_part(source.stream_range(range), algorithm).await?;
            return self.put_part(bucket, key, upload_id, number, received).await;
        }
        let mut piece = source;
        piece.content = piece.content.slice(range.clone());
        piece.info.size = range.end.saturating_sub(range.start);
        let (md5, checksum) = piece.clone().digest(algorithm).await?;
        let part = PartInfo { number, size: piece.info.size, etag: hex::encode(md5), modified: Time::now(), checksum };
        let place = (bucket.to_owned(), key.to_owned(), upload_id.to_owned());
        self.commit(move |tx| {
            tx.share(&piece.content)?; // leased by the source until then
            put_part(tx, place, &part, &piece.content)?;
            Ok(part)
        })
        .await
    }

    /// The parts of an upload that have arrived, by number.
    ///
    /// # Errors
    /// [`StoreError::NoSuchUpload`].
    pub async fn parts(&self, bucket: &str, key: &str, upload_id: &str) -> Result<(UploadInfo, Vec<PartInfo>)> {
        let (bucket, key, upload_id) = (bucket.to_owned(), key.to_owned(), upload_id.to_owned());
        self.read(move |index| {
            let upload = uploads::get(index, buckets::id(index, &bucket)?, &key, &upload_id)?;
            let parts = uploads::parts(index, &upload_id)?;
            Ok((upload, parts.into_iter().map(|(info, _)| info).collect()))
        })
        .await
    }

    /// One page of the unfinished uploads of a bucket. `after_id` narrows `query.after`: with it, later uploads of that
    /// same key are listed too.
    ///
    /// # Errors
    /// [`StoreError::NoSuchBucket`].
    pub async fn uploads(&self, bucket: &str, mut query: ListQuery, after_id: Option<String>) -> Result<UploadPage> {
        let bucket = bucket.to_owned();
        self.read(move |index| {
            let bucket = buckets::id(index, &bucket)?;
            let after = match after_id {
                Some(id) => (query.after.take().unwrap_or_default(), id),
                None => Default::default(),
            };
            let page = list::page(
                &query,
                |upload: &UploadInfo| &upload.key,
                |from, visit| uploads::scan(index, bucket, from, (&after.0, &after.1), visit),
            )?;
            let last = page.rows.last().map(|upload| (upload.key.as_str(), upload.upload_id.as_str()));
            let next = page.next.map(|next| match last {
                Some((key, id)) if key == next => (next, id.to_owned()),
                _ => (next, String::new()),
            });
            Ok(UploadPage { uploads: page.rows, prefixes: page.prefixes, next })
        })
        .await
    }

    /// Makes one object of the parts. Atomic and durable.
    ///
    /// # Errors
    /// [`StoreError::NoSuchUpload`], [`StoreError::InvalidPart`], [`StoreError::InvalidPartOrder`],
    /// [`StoreError::EntityTooSmall`], [`StoreError::BadDigest`], [`StoreError::PreconditionFailed`].
    pub async fn complete_upload(
        &self,
        bucket: &str,
        key: &str,
        upload_id: &str,
        completion: Completion,
    ) -> Result<ObjectInfo> {
        let (bucket, key, upload_id) = (bucket.to_owned(), key.to_owned(), upload_id.to_owned());
        self.commit(move |tx| {
            let upload = uploads::get(tx.index, buckets::id(tx.index, &bucket)?, &key, &upload_id)?;
            let arrived = uploads::parts(tx.index, &upload_id)?;
            let chosen = choose(&completion.parts, &arrived)?;
            let info = assemble(upload, &completion, chosen.iter().map(|(part, _)| part.clone()).collect())?;
            let content = Content::join(chosen.into_iter().map(|(_, content)| content.clone()))?;
            tx.share(&content)?;
            for (_, content) in &arrived {
                tx.release(content)?;
            }
            uploads::delete(tx.index, &upload_id)?;
            objects::replace(tx, &bucket, &info, &content, &completion.condition)?;
            Ok(info)
        })
        .await
    }

    /// Gives up an upload and its parts.
    ///
    /// # Errors
    /// [`StoreError::NoSuchUpload`].
    pub async fn abort_upload(&self, bucket: &str, key: &str, upload_id: &str) -> Result<()> {
        let (bucket, key, upload_id) = (bucket.to_owned(), key.to_owned(), upload_id.to_owned());
        self.commit(move |tx| {
            uploads::get(tx.index, buckets::id(tx.index, &bucket)?, &key, &upload_id)?;
            for (_, content) in uploads::parts(tx.index, &upload_id)? {
                tx.release(&content)?;
            }
            uploads::delete(tx.index, &upload_id)
        })
        .await
    }
}

/// Writes a part; its content's blobs are counted already.
fn put_part(tx: &mut Tx<'_>, place: (String, String, String), part: &PartInfo, content: &Content) -> Result<()> {
    let (bucket, key, upload_id) = place;
    if !(1..=PART_NUMBER_MAX).contains(&part.number) {
        return Err(StoreError::InvalidPart(part.number));
    }
    uploads::get(tx.index, buckets::id(tx.index, &bucket)?, &key, &upload_id)?;
    let segments = match content {
        Content::Segments(segments) => segments.as_slice(),
        Content::Inline(bytes) if bytes.is_empty() => &[],
        Content::Inline(_) => return Err(StoreError::Damaged("a part was received as a whole object".into())),
    };
    if let Some(before) = uploads::put_part(tx.index, &upload_id, part, segments)? {
        tx.release(&before)?;
    }
    Ok(())
}

/// The arrived parts that a completion names.
fn choose<'a>(named: &[CompletedPart], arrived: &'a [(PartInfo, Content)]) -> Result<Vec<&'a (PartInfo, Content)>> {
    if !named.is_sorted_by(|a, b| a.number < b.number) {
        return Err(StoreError::InvalidPartOrder);
    }
    let mut chosen = Vec::with_capacity(named.len());
    for name in named {
        let found = arrived.binary_search_by_key(&name.number, |(part, _)| part.number);
        let part = found.ok().and_then(|at| arrived.get(at)).filter(|(part, _)| is_meant(name, part));
        chosen.push(part.ok_or(StoreError::InvalidPart(name.number))?);
    }
    let (_, all_but_last) = chosen.split_last().ok_or(StoreError::InvalidPart(1))?;
    match all_but_last.iter().find(|(part, _)| part.size < PART_MIN) {
        Some((part, _)) => Err(StoreError::EntityTooSmall { number: part.number, size: part.size }),
        None => Ok(chosen),
    }
}

fn is_meant(name: &CompletedPart, part: &PartInfo) -> bool {
    let checksum = part.checksum.as_ref().map(|c| (c.algorithm, c.value.as_str()));
    let named = name.checksum.as_ref().map(|(algorithm, value)| (*algorithm, value.as_str()));
    part.etag == name.etag && (named.is_none() || named == checksum)
}

/// The object that those parts make.
fn assemble(upload: UploadInfo, completion: &Completion, parts: Vec<PartInfo>) -> Result<ObjectInfo> {
    let size = parts.iter().map(|part| part.size).sum();
    if completion.size.is_some_and(|expected| expected != size) {
        return Err(StoreError::BadDigest("x-amz-mp-object-size"));
    }
    let etag = multipart_etag(parts.iter().map(|part| part.etag.as_str()));
    let sums = parts.iter().map(|part| (part.checksum.as_ref(), part.size));
    let checksum = upload.checksum.and_then(|(algorithm, kind)| multipart_checksum(algorithm, kind, sums));
    if let Some(expected) = &completion.checksum {
        // A composite checksum may be sent with or without the number of parts.
        let same = |made: &Checksum| {
            made.algorithm == expected.algorithm
                && (made.value == expected.value
                    || made.value.split_once('-').is_some_and(|(digest, _)| digest == expected.value))
        };
        if !checksum.as_ref().is_some_and(same) {
            return Err(StoreError::BadDigest("checksum"));
        }
    }
    Ok(ObjectInfo {
        key: upload.key,
        size,
        etag: etag.ok_or_else(|| StoreError::Damaged("the ETag of a part is not an MD5".into()))?,
        modified: Time::now(),
        checksum,
        attributes: upload.attributes,
        parts,
    })
}
