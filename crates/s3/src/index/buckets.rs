//! Buckets, with their policies and tags.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, params};

use super::{from_json, one, to_json};
use crate::error::{Result, StoreError};
use crate::object::{BucketInfo, Time};

/// The bucket's number, which objects and uploads carry instead of its name.
pub(crate) fn id(index: &Connection, name: &str) -> Result<i64> {
    let mut select = index.prepare_cached("SELECT id FROM buckets WHERE name = ?1")?;
    one(select.query_row([name], |row| row.get(0)))?.ok_or_else(|| StoreError::NoSuchBucket(name.to_owned()))
}

/// Creates a bucket; `false` if it was there already.
pub(crate) fn create(index: &Connection, bucket: &BucketInfo) -> Result<bool> {
    let sql = "INSERT INTO buckets (name, created, region) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO NOTHING";
    let made = index.prepare_cached(sql)?.execute(params![bucket.name, bucket.created.0, bucket.region])?;
    Ok(made == 1)
}

/// Deletes a bucket that holds no object and no upload.
pub(crate) fn delete(index: &Connection, name: &str) -> Result<()> {
    let id = id(index, name)?;
    let sql = "SELECT EXISTS (SELECT 1 FROM objects WHERE bucket = ?1)";
    if index.query_row(sql, [id], |row| row.get(0))? {
        return Err(StoreError::BucketNotEmpty(name.to_owned()));
    }
    index.execute("DELETE FROM buckets WHERE id = ?1", [id])?;
    Ok(())
}

pub(crate) fn get(index: &Connection, name: &str) -> Result<BucketInfo> {
    let mut select = index.prepare_cached("SELECT name, created, region FROM buckets WHERE name = ?1")?;
    one(select.query_row([name], info))?.ok_or_else(|| StoreError::NoSuchBucket(name.to_owned()))
}

/// All buckets, by name.
pub(crate) fn list(index: &Connection) -> Result<Vec<BucketInfo>> {
    let mut select = index.prepare_cached("SELECT name, created, region FROM buckets ORDER BY name")?;
    let rows = select.query_map([], info)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn info(row: &Row<'_>) -> rusqlite::Result<BucketInfo> {
    Ok(BucketInfo { name: row.get(0)?, created: Time(row.get(1)?), region: row.get(2)? })
}

pub(crate) fn policy(index: &Connection, name: &str) -> Result<Option<String>> {
    let id = id(index, name)?;
    Ok(index.query_row("SELECT policy FROM buckets WHERE id = ?1", [id], |row| row.get(0))?)
}

pub(crate) fn set_policy(index: &Connection, name: &str, policy: Option<&str>) -> Result<()> {
    let id = id(index, name)?;
    index.execute("UPDATE buckets SET policy = ?2 WHERE id = ?1", params![id, policy])?;
    Ok(())
}

pub(crate) fn tags(index: &Connection, name: &str) -> Result<Option<BTreeMap<String, String>>> {
    let id = id(index, name)?;
    let tags: Option<String> = index.query_row("SELECT tags FROM buckets WHERE id = ?1", [id], |row| row.get(0))?;
    tags.as_deref().map(from_json).transpose()
}

pub(crate) fn set_tags(index: &Connection, name: &str, tags: Option<&BTreeMap<String, String>>) -> Result<()> {
    let id = id(index, name)?;
    let tags = tags.map(to_json).transpose()?;
    index.execute("UPDATE buckets SET tags = ?2 WHERE id = ?1", params![id, tags])?;
    Ok(())
}
