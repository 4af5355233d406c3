//! Objects: one row each, found by bucket and key.

use std::ops::ControlFlow;

use bytes::Bytes;
use rusqlite::{CachedStatement, Connection, ToSql, params};

use super::{from_json, one, size_of, stored_size, to_json, to_key};
use crate::checksum::Checksum;
use crate::content::Content;
use crate::error::Result;
use crate::object::{Listed, ObjectInfo, Time};

/// The object and where its bytes lie.
pub(crate) fn get(index: &Connection, bucket: i64, key: &str) -> Result<Option<(ObjectInfo, Content)>> {
    let select = index.prepare_cached(
        "SELECT size, etag, modified, checksum, attributes, parts, segments, inline FROM objects WHERE bucket = ?1 AND key = ?2",
    )?;
    found(select, params![bucket, key.as_bytes()], key)
}

/// As [`get`], of a bucket of that name, if there is one: one statement, so one look at what others have written.
pub(crate) fn find(index: &Connection, bucket: &str, key: &str) -> Result<Option<(ObjectInfo, Content)>> {
    let select = index.prepare_cached(
        "SELECT size, etag, modified, checksum, attributes, parts, segments, inline FROM objects
         WHERE bucket = (SELECT id FROM buckets WHERE name = ?1) AND key = ?2",
    )?;
    found(select, params![bucket, key.as_bytes()], key)
}

fn found(mut select: CachedStatement<'_>, params: &[&dyn ToSql], key: &str) -> Result<Option<(ObjectInfo, Content)>> {
    let row = select.query_row(params, |row| {
        let texts: (Option<String>, String, Option<String>) = (row.get(3)?, row.get(4)?, row.get(5)?);
        let places: (Option<String>, Option<Vec<u8>>) = (row.get(6)?, row.get(7)?);
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?, texts, places))
    });
    let Some((size, etag, modified, (checksum, attributes, parts), (segments, inline))) = one(row)? else {
        return Ok(None);
    };
    let info = ObjectInfo {
        key: key.to_owned(),
        size: size_of(size)?,
        etag,
        modified: Time(modified),
        checksum: checksum.as_deref().map(from_json).transpose()?,
        attributes: from_json(&attributes)?,
        parts: parts.as_deref().map(from_json).transpose()?.unwrap_or_default(),
    };
    let content = match segments {
        Some(segments) => Content::Segments(from_json(&segments)?),
        None => Content::Inline(Bytes::from(inline.unwrap_or_default())),
    };
    Ok(Some((info, content)))
}

/// Writes the row of an object that is not there.
pub(crate) fn insert(index: &Connection, bucket: i64, info: &ObjectInfo, content: &Content) -> Result<()> {
    let (segments, inline) = match content {
        Content::Segments(segments) => (Some(to_json(segments)?), None),
        Content::Inline(bytes) => (None, Some(&bytes[..])),
    };
    let parts = (!info.parts.is_empty()).then(|| to_json(&info.parts)).transpose()?;
    let mut insert = index.prepare_cached(
        "INSERT INTO objects (bucket, key, size, etag, modified, checksum, storage_class, attributes, parts, segments, inline)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    insert.execute(params![
        bucket,
        info.key.as_bytes(),
        stored_size(info.size),
        info.etag,
        info.modified.0,
        info.checksum.as_ref().map(to_json).transpose()?,
        info.attributes.storage_class,
        to_json(&info.attributes)?,
        parts,
        segments,
        inline,
    ])?;
    Ok(())
}

pub(crate) fn delete(index: &Connection, bucket: i64, key: &str) -> Result<()> {
    let mut delete = index.prepare_cached("DELETE FROM objects WHERE bucket = ?1 AND key = ?2")?;
    delete.execute(params![bucket, key.as_bytes()])?;
    Ok(())
}

/// Replaces the attributes alone.
pub(crate) fn set_attributes(index: &Connection, bucket: i64, info: &ObjectInfo) -> Result<()> {
    let sql = "UPDATE objects SET attributes = ?3 WHERE bucket = ?1 AND key = ?2";
    let mut update = index.prepare_cached(sql)?;
    update.execute(params![bucket, info.key.as_bytes(), to_json(&info.attributes)?])?;
    Ok(())
}

/// Visits the objects whose key is at or after `from`, in byte order, until `visit` breaks.
pub(crate) fn scan(
    index: &Connection,
    bucket: i64,
    from: &[u8],
    visit: &mut dyn FnMut(Listed) -> ControlFlow<()>,
) -> Result<()> {
    let mut select = index.prepare_cached(
        "SELECT key, size, etag, modified, checksum, storage_class FROM objects WHERE bucket = ?1 AND key >= ?2 ORDER BY key",
    )?;
    let mut rows = select.query(params![bucket, from])?;
    while let Some(row) = rows.next()? {
        let checksum: Option<String> = row.get(4)?;
        let checksum: Option<Checksum> = checksum.as_deref().map(from_json).transpose()?;
        let listed = Listed {
            key: to_key(row.get(0)?)?,
            size: size_of(row.get(1)?)?,
            etag: row.get(2)?,
            modified: Time(row.get(3)?),
            checksum: checksum.map(|c| (c.algorithm, c.kind)),
            storage_class: row.get(5)?,
        };
        if visit(listed).is_break() {
            break;
        }
    }
    Ok(())
}
