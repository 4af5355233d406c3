//! One pass over a record's JSON that finds the fields of the head.
//!
//! The scanner accepts exactly the JSON of RFC 8259 (nesting bounded), so that what is journaled is always readable,
//! and copies nothing: a field is remembered by its place. Only a value spelled with escapes is unescaped, aside.

use crate::escape::first_to_escape;
use crate::event::EventError;
use crate::head::{Field, Head, ResourceSpans, Span};
use crate::{Category, EventTime};
use smallvec::SmallVec;

/// No CloudTrail record comes near this (`reference/limits.md`: 1 MB at most).
const MAX_RECORD_BYTES: usize = 16 << 20;
/// Deeper nesting than any service model has; bounds the recursion.
const MAX_DEPTH: u32 = 128;

/// Finds the head of a record.
pub(crate) fn head_of(json: &str) -> Result<Head, EventError> {
    if json.len() > MAX_RECORD_BYTES {
        return Err(EventError::TooLarge(json.len()));
    }
    let mut scanner = Scanner { json: json.as_bytes(), at: 0, escapes: false, side: String::new() };
    let found =
        scanner.record().and_then(|found| scanner.end().map(|()| found)).ok_or(EventError::NotJson(scanner.at))?;
    found.finish(json, scanner.side)
}

/// What the scan has found so far.
#[derive(Default)]
struct Found {
    fields: [Span; Field::COUNT],
    time: Span,
    category: Span,
    console: Span,
    read_only: Option<bool>,
    management_event: Option<bool>,
    resources: SmallVec<[ResourceSpans; 2]>,
}

impl Found {
    fn finish(self, json: &str, side: String) -> Result<Head, EventError> {
        let text = |span: Span| span.get(json, &side);
        let time = text(self.time).and_then(EventTime::parse).ok_or(EventError::Missing("eventTime"))?;
        for (field, name) in [(Field::EventSource, "eventSource"), (Field::EventName, "eventName")] {
            text(self.fields[field as usize]).ok_or(EventError::Missing(name))?;
        }
        let category = match text(self.category) {
            Some(name) => Category::from_name(name),
            None if text(self.fields[Field::EventType as usize]) == Some("AwsCloudTrailInsight") => Category::Insight,
            None if self.management_event == Some(false) => Category::Data,
            None => Category::Management,
        };
        let from_console = text(self.console) == Some("true");
        Ok(Head {
            time,
            category,
            read_only: self.read_only,
            management_event: self.management_event,
            from_console,
            fields: self.fields,
            resources: self.resources,
            side: side.into_boxed_str(),
        })
    }
}

struct Scanner<'a> {
    json: &'a [u8],
    at: usize,
    /// Whether the string that was passed last is spelled with escapes.
    escapes: bool,
    side: String,
}

/// `None` means: not JSON, at `self.at`.
type Scan<T> = Option<T>;

impl<'a> Scanner<'a> {
    fn record(&mut self) -> Scan<Found> {
        let mut found = Found::default();
        self.object(|scanner, key| {
            let field = match key {
                b"eventID" => Field::EventId,
                b"eventSource" => Field::EventSource,
                b"eventName" => Field::EventName,
                b"awsRegion" => Field::AwsRegion,
                b"eventType" => Field::EventType,
                b"recipientAccountId" => Field::RecipientAccountId,
                b"errorCode" => Field::ErrorCode,
                b"requestID" => Field::RequestId,
                b"sharedEventID" => Field::SharedEventId,
                b"vpcEndpointId" => Field::VpcEndpointId,
                b"eventTime" => return scanner.text_into(&mut found.time),
                b"eventCategory" => return scanner.text_into(&mut found.category),
                b"sessionCredentialFromConsole" => return scanner.text_into(&mut found.console),
                b"readOnly" => return scanner.boolean_into(&mut found.read_only),
                b"managementEvent" => return scanner.boolean_into(&mut found.management_event),
                b"userIdentity" => return scanner.user_identity(&mut found.fields),
                b"resources" => return scanner.resources(&mut found.resources),
                _ => return scanner.skip(1),
            };
            scanner.text_into(&mut found.fields[field as usize])
        })?;
        Some(found)
    }

    fn user_identity(&mut self, fields: &mut [Span; Field::COUNT]) -> Scan<()> {
        if self.peek()? != b'{' {
            return self.skip(1);
        }
        self.object(|scanner, key| {
            let field = match key {
                b"type" => Field::IdentityType,
                b"principalId" => Field::PrincipalId,
                b"arn" => Field::IdentityArn,
                b"accountId" => Field::IdentityAccountId,
                b"accessKeyId" => Field::AccessKeyId,
                b"userName" => Field::UserName,
                b"invokedBy" => Field::InvokedBy,
                _ => return scanner.skip(2),
            };
            scanner.text_into(&mut fields[field as usize])
        })
    }

    fn resources(&mut self, resources: &mut SmallVec<[ResourceSpans; 2]>) -> Scan<()> {
        if self.peek()? != b'[' {
            return self.skip(1);
        }
        self.array(|scanner| {
            if scanner.peek()? != b'{' {
                return scanner.skip(2);
            }
            let mut spans = ResourceSpans::default();
            scanner.object(|scanner, key| match key {
                b"type" => scanner.text_into(&mut spans.resource_type),
                b"ARN" | b"arn" | b"ARNPrefix" => scanner.text_into(&mut spans.arn),
                _ => scanner.skip(3),
            })?;
            resources.push(spans);
            Some(())
        })
    }

    /// Remembers a string's place; any other value is passed over.
    fn text_into(&mut self, span: &mut Span) -> Scan<()> {
        if self.peek()? != b'"' {
            return self.skip(1);
        }
        let raw = self.string()?;
        *span = if !self.escapes {
            Span::in_json(self.at - 1 - raw.len(), raw.len())
        } else {
            let quoted = self.json.get(self.at - 2 - raw.len()..self.at)?;
            let text: String = serde_json::from_slice(quoted).ok()?;
            let start = self.side.len();
            self.side.push_str(&text);
            Span::in_side(start, text.len())
        };
        Some(())
    }

    fn boolean_into(&mut self, flag: &mut Option<bool>) -> Scan<()> {
        match self.peek()? {
            b't' => *flag = Some(true),
            b'f' => *flag = Some(false),
            _ => {}
        }
        self.skip(1)
    }

    fn end(&mut self) -> Scan<()> {
        self.space();
        (self.at == self.json.len()).then_some(())
    }

    fn space(&mut self) {
        while matches!(self.json.get(self.at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// The next byte that is not white space, not consumed.
    fn peek(&mut self) -> Scan<u8> {
        self.space();
        self.json.get(self.at).copied()
    }

    fn expect(&mut self, byte: u8) -> Scan<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Calls `member` for each key of an object; it must consume the value.
    fn object(&mut self, mut member: impl FnMut(&mut Self, &'a [u8]) -> Scan<()>) -> Scan<()> {
        self.expect(b'{')?;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.peek()?;
            let key = self.string()?;
            self.expect(b':')?;
            member(self, key)?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// Calls `element` before each element of an array; it must consume it.
    fn array(&mut self, mut element: impl FnMut(&mut Self) -> Scan<()>) -> Scan<()> {
        self.expect(b'[')?;
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            element(self)?;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// Passes over one value of any kind.
    fn skip(&mut self, depth: u32) -> Scan<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match self.peek()? {
            b'{' => self.object(|scanner, _| scanner.skip(depth + 1)),
            b'[' => self.array(|scanner| scanner.skip(depth + 1)),
            b'"' => self.string().map(|_| ()),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.number(),
        }
    }

    fn literal(&mut self, word: &[u8]) -> Scan<()> {
        self.json.get(self.at..)?.starts_with(word).then(|| self.at += word.len())
    }

    fn digits(&mut self) -> Scan<()> {
        let start = self.at;
        while self.json.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn number(&mut self) -> Scan<()> {
        if self.json.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        match self.json.get(self.at)? {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.json.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.json.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.json.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    /// Passes over a string and returns what stands between its quotes, escapes checked but kept.
    fn string(&mut self) -> Scan<&'a [u8]> {
        if self.json.get(self.at) != Some(&b'"') {
            return None;
        }
        let start = self.at + 1;
        let mut at = start;
        self.escapes = false;
        loop {
            at = first_to_escape(self.json, at);
            match *self.json.get(at)? {
                b'"' => {
                    self.at = at + 1;
                    return Some(&self.json[start..at]);
                }
                b'\\' => self.escapes = true,
                _ => return None,
            }
            at += match self.json.get(at + 1)? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
                b'u' => {
                    self.json.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit).then_some(())?;
                    6
                }
                _ => return None,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Category, Event, EventError, Field};
    use bytes::Bytes;
    use proptest::prelude::*;

    fn event(json: &str) -> Event {
        Event::from_json(Bytes::copy_from_slice(json.as_bytes())).unwrap()
    }

    const RECORD: &str = r#"{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLE:ses\u0073ion","arn":"arn:aws:sts::111122223333:assumed-role/R/session","accountId":"111122223333","accessKeyId":"ASIAEXAMPLE","sessionContext":{"sessionIssuer":{"type":"Role","userName":"R"}}},"eventTime":"2026-01-15T10:02:03Z","eventSource":"s3.amazonaws.com","eventName":"PutObject","awsRegion":"eu-west-1","requestParameters":{"eventName":"not this","deep":[1,-2.5e3,{"x":[true,false,null]}]},"responseElements":null,"errorCode":null,"eventID":"b8a4f5ee","readOnly":false,"resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::b/k"},{"accountId":"111122223333","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::b"}],"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"111122223333","eventCategory":"Data"}"#;

    #[test]
    fn finds_each_field_where_it_stands() {
        let event = event(RECORD);
        assert_eq!(event.time().to_string(), "2026-01-15T10:02:03Z");
        assert_eq!((event.source(), event.name(), event.region()), ("s3.amazonaws.com", "PutObject", "eu-west-1"));
        assert_eq!(
            (event.category(), event.read_only(), event.management_event()),
            (Category::Data, Some(false), Some(false))
        );
        assert_eq!(event.get(Field::ErrorCode), None);
        assert_eq!(event.get(Field::PrincipalId), Some("AROAEXAMPLE:session"), "escapes are undone");
        assert_eq!(event.get(Field::UserName), None, "the issuer's name is not the caller's");
        assert_eq!(event.lookup_user_name(), Some("session"));
        let resources: Vec<_> = event.resources().map(|r| (r.resource_type, r.arn)).collect();
        assert_eq!(
            resources,
            [(Some("AWS::S3::Object"), Some("arn:aws:s3:::b/k")), (Some("AWS::S3::Bucket"), Some("arn:aws:s3:::b"))]
        );
    }

    #[test]
    fn a_stored_head_reads_back_the_same() {
        let first = event(RECORD);
        let stored = first.head().encode();
        let second = Event::from_stored(&stored, first.json()).unwrap();
        assert_eq!(first.head(), second.head());
        for cut in 0..stored.len() {
            assert!(Event::from_stored(&stored[..cut], first.json()).is_err(), "cut at {cut}");
        }
        assert!(Event::from_stored(&stored, b"{}").is_err());
    }

    #[test]
    fn says_what_is_missing() {
        let read = |text: &str| Event::from_json(Bytes::copy_from_slice(text.as_bytes())).map(|_| ());
        assert_eq!(read("{}"), Err(EventError::Missing("eventTime")));
        assert_eq!(read("[]"), Err(EventError::NotJson(0)));
        assert_eq!(
            read(r#"{"eventTime":"2026-01-15T10:02:03Z","eventSource":"x"}"#),
            Err(EventError::Missing("eventName"))
        );
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = format!(r#"{{"requestParameters":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(Event::from_json(deep.into()), Err(EventError::NotJson(_))));
    }

    proptest! {
        #[test]
        fn accepts_what_serde_accepts_and_nothing_else(text in r#"[\[\]{}",:a-c0-2\\utnre.\- ]{0,24}"#) {
            let wrapped = format!(r#"{{"eventTime":"2026-01-15T10:02:03Z","eventSource":"s","eventName":"n","x":{text}}}"#);
            let ours = Event::from_json(wrapped.clone().into()).is_ok();
            let theirs = serde_json::from_str::<serde_json::Value>(&wrapped).is_ok();
            // serde refuses lone surrogates when it builds strings; the alphabet above can spell none.
            prop_assert_eq!(ours, theirs, "{}", wrapped);
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Event::from_json(bytes.clone().into());
            let _ = Event::from_stored(&bytes, b"{}");
        }
    }
}
