//! Listings of objects, of their versions and of unfinished uploads.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::*;
use s3s::{S3Request, S3Result, s3_error};

use super::convert::{ONLY_VERSION, etag, owner, timestamp};
use super::operations::Operations;
use crate::list::ListQuery;
use crate::object::{Listed, UploadInfo};

/// Most keys of a page.
const PAGE_MAX: usize = 1000;

pub(super) async fn list_objects(on: &Operations, request: S3Request<ListObjectsInput>) -> S3Result<ListObjectsOutput> {
    let input = request.input;
    let encoding = Encoding::of(input.encoding_type)?;
    let query = ListQuery {
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: input.delimiter.clone().unwrap_or_default(),
        after: input.marker.clone().filter(|marker| !marker.is_empty()),
        max: page_size(input.max_keys)?,
    };
    let page = on.store.list(&input.bucket, query).await?;
    let owner = owner(&on.settings.account);
    let contents = page.rows.into_iter().map(|listed| object(listed, &encoding, Some(&owner)));
    Ok(ListObjectsOutput {
        common_prefixes: common_prefixes(page.prefixes, &encoding),
        contents: Some(contents.collect()),
        is_truncated: Some(page.next.is_some()),
        // Without a delimiter the last key is the marker, and S3 leaves it to the client to see that.
        next_marker: page.next.filter(|_| input.delimiter.is_some()).map(|next| encoding.apply(next)),
        delimiter: input.delimiter.map(|text| encoding.apply(text)),
        marker: Some(encoding.apply(input.marker.unwrap_or_default())),
        prefix: Some(encoding.apply(input.prefix.unwrap_or_default())),
        encoding_type: encoding.name(),
        max_keys: Some(input.max_keys.unwrap_or(1000)),
        name: Some(input.bucket),
        request_charged: None,
    })
}

pub(super) async fn list_objects_v2(
    on: &Operations,
    request: S3Request<ListObjectsV2Input>,
) -> S3Result<ListObjectsV2Output> {
    let input = request.input;
    let encoding = Encoding::of(input.encoding_type)?;
    let after = match &input.continuation_token {
        Some(token) => Some(open_token(token)?),
        None => input.start_after.clone().filter(|after| !after.is_empty()),
    };
    let query = ListQuery {
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: input.delimiter.clone().unwrap_or_default(),
        after,
        max: page_size(input.max_keys)?,
    };
    let page = on.store.list(&input.bucket, query).await?;
    let owner = input.fetch_owner.unwrap_or(false).then(|| owner(&on.settings.account));
    let key_count = i32::try_from(page.rows.len() + page.prefixes.len()).ok();
    let contents = page.rows.into_iter().map(|listed| object(listed, &encoding, owner.as_ref()));
    Ok(ListObjectsV2Output {
        common_prefixes: common_prefixes(page.prefixes, &encoding),
        contents: Some(contents.collect()),
        continuation_token: input.continuation_token,
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.as_deref().map(token),
        delimiter: input.delimiter.map(|text| encoding.apply(text)),
        prefix: Some(encoding.apply(input.prefix.unwrap_or_default())),
        start_after: input.start_after.map(|text| encoding.apply(text)),
        encoding_type: encoding.name(),
        key_count,
        max_keys: Some(input.max_keys.unwrap_or(1000)),
        name: Some(input.bucket),
        request_charged: None,
    })
}

/// Objects with the one version that each has: clients that empty a bucket ask for versions, whatever became of them.
pub(super) async fn list_object_versions(
    on: &Operations,
    request: S3Request<ListObjectVersionsInput>,
) -> S3Result<ListObjectVersionsOutput> {
    let input = request.input;
    let encoding = Encoding::of(input.encoding_type)?;
    let key_marker = input.key_marker.filter(|marker| !marker.is_empty());
    let version_marker = input.version_id_marker.filter(|marker| !marker.is_empty());
    if version_marker.is_some() && key_marker.is_none() {
        return Err(s3_error!(InvalidArgument, "A version-id marker cannot be specified without a key marker."));
    }
    let query = ListQuery {
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: input.delimiter.clone().unwrap_or_default(),
        after: key_marker.clone(),
        max: page_size(input.max_keys)?,
    };
    let page = on.store.list(&input.bucket, query).await?;
    let owner = owner(&on.settings.account);
    let versions = page.rows.into_iter().map(|listed| version(object(listed, &encoding, Some(&owner))));
    Ok(ListObjectVersionsOutput {
        common_prefixes: common_prefixes(page.prefixes, &encoding),
        delete_markers: None,
        versions: Some(versions.collect()),
        is_truncated: Some(page.next.is_some()),
        next_version_id_marker: page.next.as_ref().map(|_| ONLY_VERSION.to_owned()),
        next_key_marker: page.next.map(|next| encoding.apply(next)),
        delimiter: input.delimiter.map(|text| encoding.apply(text)),
        key_marker: Some(encoding.apply(key_marker.unwrap_or_default())),
        version_id_marker: Some(version_marker.unwrap_or_default()),
        prefix: Some(encoding.apply(input.prefix.unwrap_or_default())),
        encoding_type: encoding.name(),
        max_keys: Some(input.max_keys.unwrap_or(1000)),
        name: Some(input.bucket),
        request_charged: None,
    })
}

pub(super) async fn list_multipart_uploads(
    on: &Operations,
    request: S3Request<ListMultipartUploadsInput>,
) -> S3Result<ListMultipartUploadsOutput> {
    let input = request.input;
    let encoding = Encoding::of(input.encoding_type)?;
    let key_marker = input.key_marker.filter(|marker| !marker.is_empty());
    let query = ListQuery {
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: input.delimiter.clone().unwrap_or_default(),
        after: key_marker.clone(),
        max: page_size(input.max_uploads)?,
    };
    // S3 passes over an upload marker that comes without a key marker.
    let id_marker = input.upload_id_marker.filter(|marker| !marker.is_empty() && key_marker.is_some());
    let page = on.store.uploads(&input.bucket, query, id_marker.clone()).await?;
    let owner = owner(&on.settings.account);
    let uploads = page.uploads.into_iter().map(|info| upload(info, &encoding, &owner));
    let (next_key, next_id) = page.next.unzip();
    Ok(ListMultipartUploadsOutput {
        common_prefixes: common_prefixes(page.prefixes, &encoding),
        uploads: Some(uploads.collect()),
        is_truncated: Some(next_key.is_some()),
        next_key_marker: next_key.map(|key| encoding.apply(key)),
        next_upload_id_marker: next_id,
        delimiter: input.delimiter.map(|text| encoding.apply(text)),
        prefix: input.prefix.map(|text| encoding.apply(text)),
        key_marker: Some(encoding.apply(key_marker.unwrap_or_default())),
        upload_id_marker: Some(id_marker.unwrap_or_default()),
        encoding_type: encoding.name(),
        max_uploads: Some(input.max_uploads.unwrap_or(1000)),
        bucket: Some(input.bucket),
        request_charged: None,
    })
}

fn object(listed: Listed, encoding: &Encoding, owner: Option<&Owner>) -> Object {
    let (algorithm, kind) = listed.checksum.unzip();
    Object {
        checksum_algorithm: algorithm.map(|algorithm| vec![ChecksumAlgorithm::from_static(algorithm.name())]),
        checksum_type: kind.map(|kind| ChecksumType::from_static(kind.name())),
        e_tag: Some(etag(&listed.etag)),
        key: Some(encoding.apply(listed.key)),
        last_modified: Some(timestamp(listed.modified)),
        owner: owner.cloned(),
        restore_status: None,
        size: i64::try_from(listed.size).ok(),
        storage_class: Some(listed.storage_class.unwrap_or_else(|| ObjectStorageClass::STANDARD.to_owned()).into()),
    }
}

fn version(object: Object) -> ObjectVersion {
    ObjectVersion {
        checksum_algorithm: object.checksum_algorithm,
        checksum_type: object.checksum_type,
        e_tag: object.e_tag,
        is_latest: Some(true),
        key: object.key,
        last_modified: object.last_modified,
        owner: object.owner,
        restore_status: object.restore_status,
        size: object.size,
        storage_class: object.storage_class.map(|class| class.as_str().to_owned().into()),
        version_id: Some(ONLY_VERSION.to_owned()),
    }
}

fn upload(info: UploadInfo, encoding: &Encoding, owner: &Owner) -> MultipartUpload {
    let (algorithm, kind) = info.checksum.unzip();
    MultipartUpload {
        checksum_algorithm: algorithm.map(|algorithm| ChecksumAlgorithm::from_static(algorithm.name())),
        checksum_type: kind.map(|kind| ChecksumType::from_static(kind.name())),
        initiated: Some(timestamp(info.initiated)),
        initiator: Some(Initiator { id: owner.id.clone(), ..Initiator::default() }),
        key: Some(encoding.apply(info.key)),
        owner: Some(owner.clone()),
        storage_class: Some(info.attributes.storage_class.unwrap_or_else(|| StorageClass::STANDARD.to_owned()).into()),
        upload_id: Some(info.upload_id),
    }
}

fn common_prefixes(prefixes: Vec<String>, encoding: &Encoding) -> Option<Vec<CommonPrefix>> {
    let prefixes = prefixes.into_iter().map(|prefix| CommonPrefix { prefix: Some(encoding.apply(prefix)) });
    Some(prefixes.collect())
}

fn page_size(asked: Option<i32>) -> S3Result<usize> {
    let asked = usize::try_from(asked.unwrap_or(1000));
    let asked = asked
        .map_err(|_| s3_error!(InvalidArgument, "Argument max-keys must be an integer between 0 and 2147483647"))?;
    Ok(asked.min(PAGE_MAX))
}

/// Continuation tokens hide the last key of a page, so that clients do not build their own.
fn token(last: &str) -> String {
    BASE64.encode(last)
}

fn open_token(token: &str) -> S3Result<String> {
    let last = BASE64.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    last.ok_or_else(|| s3_error!(InvalidArgument, "The continuation token provided is incorrect"))
}

/// How keys are written: XML cannot hold all characters that keys can.
enum Encoding {
    Plain,
    Url,
}

/// What S3 leaves as it is with `encoding-type=url`.
const URL_KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*').remove(b'/');

impl Encoding {
    fn of(asked: Option<EncodingType>) -> S3Result<Encoding> {
        match asked.as_ref().map(EncodingType::as_str) {
            None => Ok(Encoding::Plain),
            Some(EncodingType::URL) => Ok(Encoding::Url),
            Some(_) => Err(s3_error!(InvalidArgument, "Invalid Encoding Method specified in Request")),
        }
    }

    fn apply(&self, text: String) -> String {
        match self {
            Encoding::Plain => text,
            Encoding::Url => utf8_percent_encode(&text, URL_KEPT).to_string(),
        }
    }

    fn name(&self) -> Option<EncodingType> {
        matches!(self, Encoding::Url).then(|| EncodingType::from_static(EncodingType::URL))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_encoded_as_a_url() {
        assert_eq!(Encoding::Url.apply("a b/c+d~é\u{1}*".into()), "a%20b/c%2Bd%7E%C3%A9%01*");
        assert_eq!(Encoding::Plain.apply("a b".into()), "a b");
    }

    #[test]
    fn tokens_open_to_what_they_hide() {
        assert_eq!(open_token(&token("日/本")).unwrap(), "日/本");
        assert!(open_token("not a token!").is_err());
    }
}
