//! What a read shows of an object: its conditions, and the range or part that it asks for. Pure.

use std::ops::Range;

use http::{HeaderMap, HeaderValue, StatusCode};
use s3s::dto::{ETagCondition, Timestamp};
use s3s::{S3Result, s3_error};

use super::convert::{condition_tag, http_date, seconds, timestamp};
use super::error::custom;
use crate::error::StoreError;
use crate::object::ObjectInfo;

/// What of an object an answer shows.
pub(super) struct View {
    pub(super) range: Range<u64>,
    pub(super) content_range: Option<String>,
    pub(super) parts_count: Option<i32>,
}

/// The range or part that a GET or HEAD asks for.
pub(super) fn view(info: &ObjectInfo, range: Option<s3s::dto::Range>, part: Option<i32>) -> S3Result<View> {
    let range = match (range, part) {
        (None, None) => return Ok(View { range: 0..info.size, content_range: None, parts_count: None }),
        (Some(_), Some(_)) => {
            return Err(s3_error!(InvalidRequest, "Cannot specify both Range header and partNumber query parameter"));
        }
        (Some(range), None) => range.check(info.size).map_err(|_| {
            let mut error = s3_error!(InvalidRange, "The requested range is not satisfiable");
            let value = HeaderValue::try_from(format!("bytes */{}", info.size)).ok();
            error.set_headers(HeaderMap::from_iter(value.map(|value| (http::header::CONTENT_RANGE, value))));
            error
        })?,
        (None, Some(part)) => part_range(info, part).ok_or_else(|| {
            custom(
                "InvalidPartNumber",
                StatusCode::RANGE_NOT_SATISFIABLE,
                "The requested partnumber is not satisfiable",
            )
        })?,
    };
    let last = range.end.saturating_sub(1);
    let content_range = (!range.is_empty()).then(|| format!("bytes {}-{last}/{}", range.start, info.size));
    let parts_count = part.and(i32::try_from(info.parts.len()).ok()).filter(|count| *count > 0);
    Ok(View { range, content_range, parts_count })
}

/// Where part `number` lies, counting from 1. An object that was put whole is its own first part.
fn part_range(info: &ObjectInfo, number: i32) -> Option<Range<u64>> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    if info.parts.is_empty() {
        return (index == 0).then_some(0..info.size);
    }
    let part = info.parts.get(index)?;
    let start: u64 = info.parts.iter().take(index).map(|part| part.size).sum();
    Some(start..start + part.size)
}

/// The conditions of a read, in the order of RFC 9110 §13.2.2.
pub(super) struct ReadConditions {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
    pub(super) if_modified_since: Option<Timestamp>,
    pub(super) if_unmodified_since: Option<Timestamp>,
}

/// How the conditions of a read came out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    GoOn,
    NotModified,
    Failed,
}

impl ReadConditions {
    pub(super) fn check(self, info: &ObjectInfo) -> Reading {
        let modified_after = |time: &Timestamp| seconds(time).is_some_and(|time| info.modified.seconds() > time);
        match (condition_tag(self.if_match), self.if_unmodified_since) {
            (Some(tag), _) if !tag.matches(&info.etag) => return Reading::Failed,
            (None, Some(time)) if modified_after(&time) => return Reading::Failed,
            _ => {}
        }
        match (condition_tag(self.if_none_match), self.if_modified_since) {
            (Some(tag), _) if tag.matches(&info.etag) => Reading::NotModified,
            (None, Some(time)) if !modified_after(&time) => Reading::NotModified,
            _ => Reading::GoOn,
        }
    }

    /// As [`check`](Self::check), as the answer to a GET or HEAD.
    pub(super) fn answer(self, info: &ObjectInfo) -> S3Result<()> {
        match self.check(info) {
            Reading::GoOn => Ok(()),
            Reading::Failed => Err(StoreError::PreconditionFailed("of the read").into()),
            Reading::NotModified => {
                let mut error = s3_error!(NotModified, "Not Modified");
                let date = http_date(&timestamp(info.modified)).unwrap_or_default();
                let values = [(http::header::ETAG, format!("\"{}\"", info.etag)), (http::header::LAST_MODIFIED, date)];
                let values =
                    values.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::try_from(value).ok()?)));
                error.set_headers(values.collect());
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3s::dto::TimestampFormat;

    use crate::api::convert::etag;
    use crate::object::{Attributes, PartInfo, Time};

    fn info() -> ObjectInfo {
        let part = |number, size| PartInfo { number, size, etag: String::new(), modified: Time(0), checksum: None };
        ObjectInfo {
            key: "k".into(),
            size: 10,
            etag: "e".into(),
            modified: Time(5_500),
            checksum: None,
            attributes: Attributes::default(),
            parts: vec![part(1, 6), part(7, 4)],
        }
    }

    #[test]
    fn parts_are_counted_by_their_order() {
        let info = info();
        assert_eq!(part_range(&info, 1), Some(0..6));
        assert_eq!(part_range(&info, 2), Some(6..10));
        assert_eq!(part_range(&info, 3), None);
        assert_eq!(part_range(&info, 0), None);
        assert_eq!(part_range(&info, -1), None);
        assert_eq!(part_range(&ObjectInfo { parts: vec![], ..info }, 1), Some(0..10));
    }

    #[test]
    fn conditions_are_weighed_in_the_order_of_the_rfc() {
        let time = |seconds: i64| Timestamp::parse(TimestampFormat::EpochSeconds, &seconds.to_string()).ok();
        let tag = |tag: &str| Some(ETagCondition::ETag(etag(tag)));
        let check = |if_match, if_none_match, since: Option<i64>, until: Option<i64>| {
            let (if_modified_since, if_unmodified_since) = (since.and_then(time), until.and_then(time));
            ReadConditions { if_match, if_none_match, if_modified_since, if_unmodified_since }.check(&info())
        };
        assert_eq!(check(None, None, None, None), Reading::GoOn);
        assert_eq!(check(tag("x"), None, None, None), Reading::Failed);
        assert_eq!(check(tag("e"), None, None, Some(1)), Reading::GoOn);
        assert_eq!(check(None, None, None, Some(4)), Reading::Failed);
        assert_eq!(check(None, None, None, Some(5)), Reading::GoOn);
        assert_eq!(check(None, Some(ETagCondition::Any), None, None), Reading::NotModified);
        assert_eq!(check(None, tag("x"), Some(9), None), Reading::GoOn);
        assert_eq!(check(None, None, Some(5), None), Reading::NotModified);
        assert_eq!(check(None, None, Some(4), None), Reading::GoOn);
    }
}
