//! How large the parts of a record may be (`reference/event-record.md` §2).

use crate::render::write::Json;

/// `userAgent`, `errorCode`, `errorMessage`, `requestID`: truncated beyond.
const TEXT: usize = 1024;
/// `requestParameters`, `responseElements`: omitted beyond. With both full, a record stays under 256 KB.
const OBJECT: usize = 100 << 10;

/// `additionalEventData`: omitted beyond.
const ADDITIONAL: usize = 28 << 10;
/// `resources`: no more entries beyond. What is left to an event is enough for these and for what is in every record.
const RESOURCES: usize = 16 << 10;
/// The whole event.
pub(crate) const EVENT: usize = 256 << 10;

/// What was written in place of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// The members, inside the braces that the caller writes.
    Members,
    /// Nothing, because the content is omitted.
    Omitted,
}

/// A text, cut at a character if it is too long.
pub(crate) fn text(text: &str) -> &str {
    match text.get(..TEXT) {
        _ if text.len() <= TEXT => text,
        Some(cut) => cut,
        None => {
            let end = (0..TEXT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.get(..end).unwrap_or_default()
        }
    }
}

/// Writes an object with its key: `null` when it has no members, and only that it is omitted when it is too large or its
/// content is not there.
pub(crate) fn object(key: &'static str, out: &mut Json, members: impl FnOnce(&mut Json) -> Written) {
    out.key(key);
    let mark = out.len();
    out.open_object();
    let empty = out.len();
    let written = members(out);
    let size = out.len() + "}".len() - mark;
    let too_large = size > OBJECT;
    if written == Written::Omitted || too_large {
        out.rewind(mark);
        out.open_object();
        out.key("omitted");
        out.bool(true);
        if too_large {
            out.key("originalSize");
            out.number(size as u64);
        }
        out.key("reason");
        out.text(&if too_large { format!("{key} too large") } else { format!("{key} not captured whole") });
        out.close_object();
    } else if out.len() == empty {
        out.rewind(mark);
        out.null();
    } else {
        out.close_object();
    }
}

/// Writes `additionalEventData` with its key: nothing when it has no members, and only that it is omitted when it is too
/// large.
pub(crate) fn additional(out: &mut Json, members: impl FnOnce(&mut Json)) {
    let mark = out.len();
    out.key("additionalEventData");
    out.open_object();
    let empty = out.len();
    members(out);
    match out.len() - empty {
        0 => return out.rewind(mark),
        size if size + "{}".len() > ADDITIONAL => {
            out.rewind(empty);
            out.key("omitted");
            out.bool(true);
        }
        _ => {}
    }
    out.close_object();
}

/// Writes `resources` with its key: nothing when there are none, and as many entries as there is room for. Entries are
/// flat objects.
pub(crate) fn resources(out: &mut Json, entries: impl FnOnce(&mut Json)) {
    let mark = out.len();
    out.key("resources");
    out.open_list();
    let empty = out.len();
    entries(out);
    out.cut_list(empty, RESOURCES);
    if out.len() == empty {
        return out.rewind(mark);
    }
    out.close_list();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(members: impl FnOnce(&mut Json) -> Written) -> String {
        let mut out = Json::default();
        out.open_object();
        object("requestParameters", &mut out, members);
        out.close_object();
        out.into_text()
    }

    #[test]
    fn nothing_is_null_and_too_much_is_omitted() {
        assert_eq!(written(|_| Written::Members), r#"{"requestParameters":null}"#);
        let large = written(|out| {
            out.text_member("a", &"x".repeat(OBJECT));
            Written::Members
        });
        assert_eq!(
            large,
            r#"{"requestParameters":{"omitted":true,"originalSize":102408,"reason":"requestParameters too large"}}"#
        );
        let of_size = |size: usize| {
            written(|out| {
                out.text_member("a", &"x".repeat(size - r#"{"a":""}"#.len()));
                Written::Members
            })
        };
        assert!(!of_size(OBJECT).contains("omitted") && of_size(OBJECT + 1).contains("omitted"));
        assert!(written(|_| Written::Omitted).contains("not captured whole"));
    }

    #[test]
    fn additional_data_is_left_out_or_omitted() {
        let written = |text: Option<String>| {
            let mut out = Json::default();
            out.open_object();
            additional(&mut out, |out| text.iter().for_each(|text| out.text_member("a", text)));
            out.close_object();
            out.into_text()
        };
        assert_eq!(written(None), "{}");
        assert_eq!(written(Some("b".into())), r#"{"additionalEventData":{"a":"b"}}"#);
        assert_eq!(written(Some("b".repeat(ADDITIONAL))), r#"{"additionalEventData":{"omitted":true}}"#);
    }

    #[test]
    fn resources_are_as_many_as_fit() {
        let written = |names: &[&str]| {
            let mut out = Json::default();
            resources(&mut out, |out| {
                for name in names {
                    out.open_object();
                    out.text_member("ARN", name);
                    out.close_object();
                }
            });
            out.into_text()
        };
        assert_eq!(written(&[]), "");
        assert_eq!(written(&["a", "b"]), r#""resources":[{"ARN":"a"},{"ARN":"b"}]"#);
        let long = "},{\"".repeat(4000);
        assert!(written(&["a", &long, "b"]) == r#""resources":[{"ARN":"a"}]"#);
        assert!(written(&[&long]).is_empty());
    }

    #[test]
    fn texts_are_cut_at_characters() {
        assert_eq!(text(&"é".repeat(600)).len(), 1024);
        assert_eq!(text(&format!("a{}", "é".repeat(600))).len(), 1023);
        assert_eq!(text("short"), "short");
    }
}
