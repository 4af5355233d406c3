//! Multipart uploads and their parts.

use std::ops::ControlFlow;

use rusqlite::{Connection, params};

use super::{from_json, one, to_json, to_key};
use crate::content::{Content, Segment};
use crate::error::{Result, StoreError};
use crate::object::{PartInfo, Time, UploadInfo};

pub(crate) fn create(index: &Connection, bucket: i64, upload: &UploadInfo) -> Result<()> {
    let sql = "INSERT INTO uploads (id, bucket, key, initiated, attributes, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    index.prepare_cached(sql)?.execute(params![
        upload.upload_id,
        bucket,
        upload.key.as_bytes(),
        upload.initiated.0,
        to_json(&upload.attributes)?,
        upload.checksum.as_ref().map(to_json).transpose()?,
    ])?;
    Ok(())
}

/// The upload of that name, if it is one of this bucket and key.
pub(crate) fn get(index: &Connection, bucket: i64, key: &str, upload_id: &str) -> Result<UploadInfo> {
    let sql = "SELECT initiated, attributes, checksum FROM uploads WHERE id = ?1 AND bucket = ?2 AND key = ?3";
    let mut select = index.prepare_cached(sql)?;
    let row = select.query_row(params![upload_id, bucket, key.as_bytes()], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?))
    });
    let (initiated, attributes, checksum) = one(row)?.ok_or_else(|| StoreError::NoSuchUpload(upload_id.to_owned()))?;
    Ok(UploadInfo {
        key: key.to_owned(),
        upload_id: upload_id.to_owned(),
        initiated: Time(initiated),
        attributes: from_json(&attributes)?,
        checksum: checksum.as_deref().map(from_json).transpose()?,
    })
}

/// Visits the uploads of a bucket by key and then by name, those at or after the key `from` that are also after the
/// key and name `after`, until `visit` breaks.
pub(crate) fn scan(
    index: &Connection,
    bucket: i64,
    from: &[u8],
    after: (&str, &str),
    visit: &mut dyn FnMut(UploadInfo) -> ControlFlow<()>,
) -> Result<()> {
    let mut select = index.prepare_cached(
        "SELECT key, id, initiated, attributes, checksum FROM uploads
         WHERE bucket = ?1 AND key >= ?2 AND (key, id) > (?3, ?4) ORDER BY key, id",
    )?;
    let mut rows = select.query(params![bucket, from, after.0.as_bytes(), after.1])?;
    while let Some(row) = rows.next()? {
        let (attributes, checksum): (String, Option<String>) = (row.get(3)?, row.get(4)?);
        let upload = UploadInfo {
            key: to_key(row.get(0)?)?,
            upload_id: row.get(1)?,
            initiated: Time(row.get(2)?),
            attributes: from_json(&attributes)?,
            checksum: checksum.as_deref().map(from_json).transpose()?,
        };
        if visit(upload).is_break() {
            break;
        }
    }
    Ok(())
}

/// The names of all uploads of a bucket.
pub(crate) fn all(index: &Connection, bucket: i64) -> Result<Vec<String>> {
    let mut select = index.prepare_cached("SELECT id FROM uploads WHERE bucket = ?1")?;
    let rows = select.query_map([bucket], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The parts of an upload, by number, with where their bytes lie.
pub(crate) fn parts(index: &Connection, upload_id: &str) -> Result<Vec<(PartInfo, Content)>> {
    let mut select = index.prepare_cached("SELECT info, segments FROM parts WHERE upload = ?1 ORDER BY number")?;
    let mut rows = select.query([upload_id])?;
    let mut parts = Vec::new();
    while let Some(row) = rows.next()? {
        let (info, segments): (String, String) = (row.get(0)?, row.get(1)?);
        parts.push((from_json(&info)?, Content::Segments(from_json(&segments)?)));
    }
    Ok(parts)
}

/// Writes a part; gives back where the bytes of the part lie that had this number before.
pub(crate) fn put_part(
    index: &Connection,
    upload_id: &str,
    info: &PartInfo,
    segments: &[Segment],
) -> Result<Option<Content>> {
    let mut select = index.prepare_cached("SELECT segments FROM parts WHERE upload = ?1 AND number = ?2")?;
    let before = one(select.query_row(params![upload_id, info.number], |row| row.get::<_, String>(0)))?;
    let before = before.map(|segments| from_json(&segments).map(Content::Segments)).transpose()?;
    let mut replace = index
        .prepare_cached("INSERT OR REPLACE INTO parts (upload, number, info, segments) VALUES (?1, ?2, ?3, ?4)")?;
    replace.execute(params![upload_id, info.number, to_json(info)?, to_json(&segments)?])?;
    Ok(before)
}

/// Deletes an upload and its parts' rows; the caller releases the parts' contents.
pub(crate) fn delete(index: &Connection, upload_id: &str) -> Result<()> {
    index.prepare_cached("DELETE FROM parts WHERE upload = ?1")?.execute([upload_id])?;
    index.prepare_cached("DELETE FROM uploads WHERE id = ?1")?.execute([upload_id])?;
    Ok(())
}
