//! The opaque token of a next page: where the page before ended, and for which question.

use crate::Query;
use crate::row::Key;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use event::EventTime;
use journal::Seq;

/// Where a lookup goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The last event of the page before.
    pub(crate) last: Key,
    /// Where history ended when the first page was asked for.
    pub(crate) end: Seq,
}

/// The version byte; another form of token is another number.
const VERSION: u8 = 1;
/// Version, fingerprint, end, time, seq, check.
const BYTES: usize = 1 + 8 + 8 + 8 + 8 + 8;

/// The token for going on with `query`.
pub(crate) fn write(cursor: &Cursor, query: &Query) -> String {
    let mut bytes = Vec::with_capacity(BYTES);
    bytes.push(VERSION);
    bytes.extend(fingerprint(query).to_le_bytes());
    bytes.extend(cursor.end.0.to_le_bytes());
    bytes.extend(cursor.last.time.0.to_le_bytes());
    bytes.extend(cursor.last.seq.0.to_le_bytes());
    bytes.extend(fnv(&bytes).to_le_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a token; `None` when it is not one of ours, or belongs to other parameters.
pub(crate) fn read(token: &str, query: &Query) -> Option<Cursor> {
    if token.len() > BYTES * 2 {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (content, check) = bytes.split_last_chunk::<8>()?;
    let number = |at: usize| content.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
    let fits = content.len() == BYTES - 8
        && content.first() == Some(&VERSION)
        && u64::from_le_bytes(*check) == fnv(content)
        && number(1)? == fingerprint(query);
    fits.then_some(())?;
    let last = Key { time: EventTime(number(17)? as i64), seq: Seq(number(25)?) };
    Some(Cursor { last, end: Seq(number(9)?) })
}

/// What a token is bound to: everything that is asked, but not when. The same in every process, so that a token
/// survives a restart.
fn fingerprint(query: &Query) -> u64 {
    let time = |time: Option<EventTime>| time.map_or_else(String::new, |time| time.0.to_string());
    let (attribute, value) =
        query.attribute.as_ref().map_or((0, ""), |(attribute, value)| (1 + *attribute as u8, value.as_str()));
    // The value comes last because it may hold anything, separators too.
    let text = format!(
        "{}/{}/{}/{}/{}/{attribute}/{value}",
        query.account_id,
        query.region,
        time(query.start),
        time(query.end),
        query.max_results,
    );
    fnv(text.as_bytes())
}

/// FNV-1a. It keeps garbage out, not forgers: a forged token shows its maker nothing that a lookup would not.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Attribute;
    use proptest::prelude::*;

    fn query() -> Query {
        Query {
            account_id: "111122223333".to_owned(),
            region: "eu-west-1".to_owned(),
            attribute: Some((Attribute::Username, "alice".to_owned())),
            start: Some(EventTime(5)),
            end: None,
            max_results: 50,
            next_token: None,
            now: EventTime(100),
        }
    }

    fn cursor() -> Cursor {
        Cursor { last: Key { time: EventTime(77), seq: Seq(9) }, end: Seq(12) }
    }

    #[test]
    fn a_token_belongs_to_its_question_whenever_it_is_asked() {
        let token = write(&cursor(), &query());
        assert_eq!(read(&token, &query()), Some(cursor()));
        assert_eq!(read(&token, &Query { now: EventTime(500), ..query() }), Some(cursor()));
        let user = |name: &str| Some((Attribute::Username, name.to_owned()));
        for other in [
            Query { account_id: "111122223334".to_owned(), ..query() },
            Query { region: "eu-west-2".to_owned(), ..query() },
            Query { attribute: None, ..query() },
            Query { attribute: user("bob"), ..query() },
            Query { attribute: Some((Attribute::EventName, "alice".to_owned())), ..query() },
            Query { start: None, ..query() },
            Query { end: Some(EventTime(5)), ..query() },
            Query { max_results: 49, ..query() },
        ] {
            assert_eq!(read(&token, &other), None, "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn no_garbage_is_a_token(garbage in "[A-Za-z0-9_=/+ é-]{0,80}") {
            prop_assert_eq!(read(&garbage, &query()), None);
        }

        #[test]
        fn a_token_with_any_character_changed_is_none(place in 0usize..54, to in "[A-Za-z0-9_-]") {
            let token = write(&cursor(), &query());
            let place = place % token.len();
            let mut changed = token.clone();
            changed.replace_range(place..=place, &to);
            prop_assume!(changed != token);
            prop_assert_eq!(read(&changed, &query()), None);
        }
    }
}
