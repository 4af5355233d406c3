//! Which attributes are the keys of DynamoDB's tables. Records keep the values of keys and of nothing else (`reference/event-record.md`
//! §7.5), and an item that is put whole does not say which of its attributes are its key: only the table's schema does. It is
//! learned from what passes through, and forgotten when the process ends.

use crate::decode::tree::NodeRef;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// The names of a table's key attributes: one or two.
pub(crate) type Key = SmallVec<[Box<str>; 2]>;

/// More tables than an account has, and the longest names that DynamoDB takes: they bound what callers can make us remember.
const MAX_TABLES: usize = 20_000;
const MAX_ARN: usize = 1024;
const MAX_NAME: usize = 255;

/// The key attributes of tables, by the ARNs of the tables.
#[derive(Debug, Default)]
pub(crate) struct Tables(RwLock<HashMap<String, Key>>);

impl Tables {
    /// The key of a table, if it is known.
    pub(crate) fn key_of(&self, arn: &str) -> Option<Key> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(arn).cloned()
    }

    fn knows(&self, arn: &str) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains_key(arn)
    }

    /// Whether such a call tells something of a table's key.
    pub(crate) fn learns_from(operation: &str) -> bool {
        matches!(operation, "CreateTable" | "DeleteItem" | "DeleteTable" | "DescribeTable" | "GetItem" | "UpdateItem")
    }

    /// Takes in what a call that was carried out tells of a table's key.
    pub(crate) fn take_in(
        &self,
        arn: &str,
        operation: &str,
        request: NodeRef<'_, '_>,
        answer: Option<NodeRef<'_, '_>>,
    ) {
        let known = |key: Key| {
            let is_key = (1..=2).contains(&key.len()) && key.iter().all(|name| name.len() <= MAX_NAME);
            (is_key && arn.len() <= MAX_ARN).then_some(key)
        };
        let of_schema = |node: NodeRef<'_, '_>| {
            let parts = node.child("KeySchema").into_iter().flat_map(NodeRef::children);
            known(parts.filter_map(|part| part.child("AttributeName")?.text()).take(3).map(Box::from).collect())
        };
        let learned = match operation {
            "CreateTable" => of_schema(request),
            "DescribeTable" => answer.and_then(|answer| answer.child("Table")).and_then(of_schema),
            // Who names an item names its whole key.
            "DeleteItem" | "GetItem" | "UpdateItem" if !self.knows(arn) => request
                .child("Key")
                .and_then(|key| known(key.children().take(3).map(|attribute| Box::from(attribute.name())).collect())),
            // Another table of that name may have another key.
            "DeleteTable" => {
                self.0.write().unwrap_or_else(PoisonError::into_inner).remove(arn);
                None
            }
            _ => None,
        };
        let Some(key) = learned else { return };
        let mut tables = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if tables.len() < MAX_TABLES || tables.contains_key(arn) {
            tables.insert(arn.to_owned(), key);
        }
    }
}
