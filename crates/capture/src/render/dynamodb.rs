//! DynamoDB's data events: keys without their wrappers, names of attributes instead of values
//! (`reference/event-record.md` §7.5).
//!
//! Which attributes are the key of an item that is put whole, only the table's schema tells; the recorder does not know
//! it, so such a record names the attributes and leaves the key out.

use crate::decode::tree::{NodeRef, Value};
use crate::render::masked;
use crate::render::redact::Mask;
use crate::render::write::Json;
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

/// Writes `requestItems` for the operations that act on several items or statements; `false` for any other.
pub(crate) fn request_items(operation: &str, body: NodeRef<'_, '_>, out: &mut Json) -> bool {
    let (list, action) = match operation {
        "TransactWriteItems" | "TransactGetItems" => ("TransactItems", ""),
        "BatchWriteItem" => ("RequestItems", ""),
        "BatchGetItem" => ("RequestItems", "Get"),
        "BatchExecuteStatement" => ("Statements", "Statement"),
        "ExecuteTransaction" => ("TransactStatements", "Statement"),
        _ => return false,
    };
    let Some(items) = body.child(list) else { return false };
    out.key("requestItems");
    out.open_list();
    match (operation, action) {
        (_, "Statement") => items.children().for_each(|statement| one("", "", statement, out)),
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
                    one(write.name().trim_end_matches("Request"), table.name(), write, out);
                }
            }
        }
        _ => items.children().flat_map(NodeRef::children).for_each(|action| one(action.name(), "", action, out)),
    }
    out.close_list();
    true
}

fn one(operation: &str, table: &str, item: NodeRef<'_, '_>, out: &mut Json) {
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
                out.key("items");
                masked(Mask::Names, member, out);
            }
            ("Statement", Value::Text(text)) => {
                out.key("statement");
                out.text(&without_literals(text));
            }
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

/// A PartiQL statement with its literals taken out.
pub(crate) fn without_literals(statement: &str) -> String {
    let mut plain = String::with_capacity(statement.len());
    let mut rest = statement;
    while let Some(letter) = rest.chars().next() {
        let word = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.'))).unwrap_or(rest.len());
        let end = match letter {
            '\'' => {
                let end = end_of_text(rest);
                // Before a colon stands the name of an attribute.
                let is_name = rest.get(end..).is_some_and(|after| after.trim_start().starts_with(':'));
                plain.push_str(if is_name { rest.get(..end).unwrap_or_default() } else { REDACTED });
                end
            }
            // A quoted name.
            '"' => {
                let end = rest.get(1..).and_then(|tail| tail.find('"')).map_or(rest.len(), |at| at + 2);
                plain.push_str(rest.get(..end).unwrap_or_default());
                end
            }
            letter if letter.is_ascii_digit() => {
                plain.push_str(REDACTED);
                word.max(1)
            }
            _ => {
                let end = word.max(letter.len_utf8());
                plain.push_str(rest.get(..end).unwrap_or_default());
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
            without_literals("UPDATE \"Music\" SET Album1 = 'It''s' WHERE n=12.5 AND Artist = 'x'"),
            "UPDATE \"Music\" SET Album1 = ***(Redacted) WHERE n=***(Redacted) AND Artist = ***(Redacted)"
        );
        assert_eq!(
            without_literals("INSERT INTO t VALUE {'a' : 'x: y', 'b':'open"),
            "INSERT INTO t VALUE {'a' : ***(Redacted), 'b':***(Redacted)"
        );
    }

    #[test]
    fn statements_name_their_table() {
        assert_eq!(table_of("select * from \"Music\" where a = 1"), Some("Music"));
        assert_eq!(table_of("INSERT INTO Music VALUE {}"), Some("Music"));
        assert_eq!(table_of("EXISTS(1)"), None);
    }
}
