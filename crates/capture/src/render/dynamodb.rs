//! DynamoDB's data events: keys without their wrappers, names of attributes instead of values
//! (`reference/event-record.md` §7.5).
//!
//! Which attributes are the key of an item that is put whole, only the table's schema tells: where that is not known (`tables.rs`),
//! such a record names the attributes and leaves the key out.

use crate::decode::tree::{NodeRef, Value};
use crate::render::redact::Mask;
use crate::render::write::Json;
use crate::render::{attribute_value, masked};
use crate::tables::Key;
use smallvec::SmallVec;

const REDACTED: &str = "***(Redacted)";

/// Texts of one item's action that a record shows.
const SHOWN: [&str; 6] = [
    "ConditionExpression",
    "ProjectionExpression",
    "ReturnValues",
    "ReturnValuesOnConditionCheckFailure",
    "TableName",
    "UpdateExpression",
];

/// The key attributes of a table that is named so, where they are known.
pub(crate) type Keys<'k> = &'k dyn Fn(&str) -> Option<Key>;

/// Writes what a record shows of the parameters that are not shown as they are: the key of an item that is put, statements, and
/// `requestItems` for the operations that act on several.
pub(crate) fn parameters(operation: &str, body: NodeRef<'_, '_>, keys: Keys<'_>, out: &mut Json) {
    match operation {
        "PutItem" => {
            if let (Some(table), Some(item)) = (body.child("TableName").and_then(NodeRef::text), body.child("Item")) {
                put_key(item, keys(table), out);
            }
        }
        "ExecuteStatement" => {
            if let Some(text) = body.child("Statement").and_then(NodeRef::text) {
                statement(text, keys, out);
            }
        }
        _ => request_items(operation, body, keys, out),
    }
}

/// Writes `key` of an item, if it has all of it.
fn put_key(item: NodeRef<'_, '_>, key: Option<Key>, out: &mut Json) {
    let Some(key) = key else { return };
    let attributes: SmallVec<[NodeRef<'_, '_>; 2]> = key.iter().filter_map(|name| item.child(name)).collect();
    if attributes.len() != key.len() {
        return;
    }
    out.key("key");
    out.open_object();
    for attribute in attributes {
        out.foreign_key(attribute.name());
        attribute_value(attribute, out);
    }
    out.close_object();
}

fn statement(text: &str, keys: Keys<'_>, out: &mut Json) {
    let key = table_of(text).and_then(keys).unwrap_or_default();
    out.text_member("statement", &without_literals(text, &key));
}

fn request_items(operation: &str, body: NodeRef<'_, '_>, keys: Keys<'_>, out: &mut Json) {
    let (list, action) = match operation {
        "TransactWriteItems" | "TransactGetItems" => ("TransactItems", ""),
        "BatchWriteItem" => ("RequestItems", ""),
        "BatchGetItem" => ("RequestItems", "Get"),
        "BatchExecuteStatement" => ("Statements", "Statement"),
        "ExecuteTransaction" => ("TransactStatements", "Statement"),
        _ => return,
    };
    let Some(items) = body.child(list) else { return };
    out.key("requestItems");
    out.open_list();
    match (operation, action) {
        (_, "Statement") => items.children().for_each(|statement| one("", "", statement, keys, out)),
        ("BatchGetItem", _) => {
            for table in items.children() {
                for key in table.child("Keys").into_iter().flat_map(NodeRef::children) {
                    out.open_object();
                    out.text_member("tableName", table.name());
                    out.key("key");
                    masked(Mask::Unwrapped, key, out);
                    out.close_object();
                }
            }
        }
        ("BatchWriteItem", _) => {
            for table in items.children() {
                for write in table.children().flat_map(NodeRef::children) {
                    one(write.name().trim_end_matches("Request"), table.name(), write, keys, out);
                }
            }
        }
        _ => items.children().flat_map(NodeRef::children).for_each(|action| one(action.name(), "", action, keys, out)),
    }
    out.close_list();
}

fn one(operation: &str, table: &str, item: NodeRef<'_, '_>, keys: Keys<'_>, out: &mut Json) {
    out.open_object();
    for (name, value) in [("operation", operation), ("tableName", table)] {
        if !value.is_empty() {
            out.text_member(name, value);
        }
    }
    for member in item.children() {
        match (member.name(), member.value()) {
            ("Key", _) => {
                out.key("key");
                masked(Mask::Unwrapped, member, out);
            }
            ("Item", _) => {
                let table = item.child("TableName").and_then(NodeRef::text).unwrap_or(table);
                put_key(member, keys(table), out);
                out.key("items");
                masked(Mask::Names, member, out);
            }
            ("Statement", Value::Text(text)) => statement(text, keys, out),
            ("ExpressionAttributeNames", _) => {
                out.key_lower_first(member.name());
                crate::render::verbatim(member, 0, out);
            }
            (name, Value::Text(text)) => {
                if let Some(known) = SHOWN.iter().find(|known| **known == name) {
                    out.key_lower_first(known);
                    out.text(text);
                }
            }
            _ => {}
        }
    }
    out.close_object();
}

/// A PartiQL statement with its literals taken out, but for those that an attribute of the key is said to equal.
fn without_literals(statement: &str, key: &[Box<str>]) -> String {
    let mut plain = String::with_capacity(statement.len());
    let mut rest = statement;
    // The name that stands before, and whether an equals sign has followed it.
    let (mut name, mut is_equal) = ("", false);
    while let Some(letter) = rest.chars().next() {
        let word = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.'))).unwrap_or(rest.len());
        let end = match letter {
            '\'' => {
                let end = end_of_text(rest);
                // Before a colon stands the name of an attribute.
                let is_name = rest.get(end..).is_some_and(|after| after.trim_start().starts_with(':'));
                let is_shown = is_name || is_equal && key.iter().any(|part| **part == *name);
                plain.push_str(if is_shown { rest.get(..end).unwrap_or_default() } else { REDACTED });
                (name, is_equal) = ("", false);
                end
            }
            // A quoted name.
            '"' => {
                let end = rest.get(1..).and_then(|tail| tail.find('"')).map_or(rest.len(), |at| at + 2);
                let quoted = rest.get(..end).unwrap_or_default();
                (name, is_equal) = (quoted.trim_matches('"'), false);
                plain.push_str(quoted);
                end
            }
            letter if letter.is_ascii_digit() => {
                let is_shown = is_equal && key.iter().any(|part| **part == *name);
                plain.push_str(if is_shown { rest.get(..word.max(1)).unwrap_or_default() } else { REDACTED });
                (name, is_equal) = ("", false);
                word.max(1)
            }
            _ => {
                let end = word.max(letter.len_utf8());
                let passed = rest.get(..end).unwrap_or_default();
                match letter {
                    '=' => is_equal = !plain.ends_with(['<', '>', '!']),
                    letter if letter.is_whitespace() => {}
                    _ => (name, is_equal) = (passed, false),
                }
                plain.push_str(passed);
                end
            }
        };
        rest = rest.get(end..).unwrap_or_default();
    }
    plain
}

/// Where a quoted text ends; two quotes inside it are one.
fn end_of_text(text: &str) -> usize {
    let mut at = 1;
    while let Some(quote) = text.get(at..).and_then(|rest| rest.find('\'')) {
        at += quote + 1;
        if text.get(at..).is_none_or(|rest| !rest.starts_with('\'')) {
            return at;
        }
        at += 1;
    }
    text.len()
}

/// The tables that a data event acts on, by name or ARN, each once.
pub(crate) fn tables<'t>(body: NodeRef<'t, '_>) -> SmallVec<[&'t str; 4]> {
    let mut tables: SmallVec<[&'t str; 4]> = SmallVec::new();
    let mut add = |table: Option<&'t str>| {
        if let Some(table) = table.filter(|table| !table.is_empty())
            && !tables.contains(&table)
        {
            tables.push(table);
        }
    };
    for member in body.children() {
        match member.name() {
            "TableName" => add(member.text()),
            "RequestItems" => member.children().for_each(|table| add(Some(table.name()))),
            "TransactItems" => {
                let actions = member.children().flat_map(NodeRef::children);
                actions.for_each(|action| add(action.child("TableName").and_then(NodeRef::text)));
            }
            "Statement" => add(member.text().and_then(table_of)),
            "Statements" | "TransactStatements" => {
                member
                    .children()
                    .for_each(|one| add(one.child("Statement").and_then(NodeRef::text).and_then(table_of)));
            }
            _ => {}
        }
    }
    tables
}

/// The table that a PartiQL statement names.
fn table_of(statement: &str) -> Option<&str> {
    let mut words = statement.split_ascii_whitespace();
    while let Some(word) = words.next() {
        if ["FROM", "INTO", "UPDATE"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword)) {
            let name = words.next()?.trim_matches(['"', ';']);
            return Some(name.split("\".\"").next().unwrap_or(name));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_keep_their_form_and_lose_their_literals() {
        assert_eq!(
            without_literals("UPDATE \"Music\" SET Album1 = 'It''s' WHERE n=12.5 AND Artist = 'x'", &[]),
            "UPDATE \"Music\" SET Album1 = ***(Redacted) WHERE n=***(Redacted) AND Artist = ***(Redacted)"
        );
        assert_eq!(
            without_literals("INSERT INTO t VALUE {'a' : 'x: y', 'b':'open", &[]),
            "INSERT INTO t VALUE {'a' : ***(Redacted), 'b':***(Redacted)"
        );
    }

    #[test]
    fn what_an_attribute_of_the_key_equals_is_kept() {
        let key = [Box::from("Artist"), Box::from("n")];
        for (statement, shown) in [
            (
                "DELETE FROM t WHERE Artist = 'x' AND n=12.5 AND m=12",
                "DELETE FROM t WHERE Artist = 'x' AND n=12.5 AND m=***(Redacted)",
            ),
            (
                "SELECT * FROM t WHERE \"Artist\"='it''s' OR Artist<>'y'",
                "SELECT * FROM t WHERE \"Artist\"='it''s' OR Artist<>***(Redacted)",
            ),
            (
                "SELECT * FROM t WHERE Artist >= 'x' AND n IN [1]",
                "SELECT * FROM t WHERE Artist >= ***(Redacted) AND n IN [***(Redacted)]",
            ),
            ("INSERT INTO t VALUE {'Artist':'x'}", "INSERT INTO t VALUE {'Artist':***(Redacted)}"),
        ] {
            assert_eq!(without_literals(statement, &key), shown);
        }
    }

    #[test]
    fn statements_name_their_table() {
        assert_eq!(table_of("select * from \"Music\" where a = 1"), Some("Music"));
        assert_eq!(table_of("INSERT INTO Music VALUE {}"), Some("Music"));
        assert_eq!(table_of("EXISTS(1)"), None);
    }
}
