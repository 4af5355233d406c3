//! Listing: which keys and common prefixes belong on a page. Pure: the keys come from a scan that the caller gives.

use std::ops::ControlFlow;

/// What is asked of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Only keys that begin so.
    pub prefix: String,
    /// Roll keys that share a prefix up to this text, after the asked prefix, into one. Empty: do not.
    pub delimiter: String,
    /// Only keys and common prefixes after this one, in byte order.
    pub after: Option<String>,
    /// At most so many keys and common prefixes.
    pub max: usize,
}

/// One page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<R> {
    /// The keys, in byte order.
    pub rows: Vec<R>,
    /// The common prefixes, in byte order.
    pub prefixes: Vec<String>,
    /// If there is more: the last key or common prefix of this page, to be given as `after` for the next.
    pub next: Option<String>,
}

/// Fills one page. `scan(from, visit)` must visit the rows whose key is at or after `from`, in byte order, until
/// `visit` breaks. A page without a delimiter is one scan; each common prefix costs one more, however many keys it
/// hides.
pub(crate) fn page<R, E>(
    query: &ListQuery,
    key_of: impl Fn(&R) -> &str,
    mut scan: impl FnMut(&[u8], &mut dyn FnMut(R) -> ControlFlow<()>) -> Result<(), E>,
) -> Result<Page<R>, E> {
    let mut page = Page { rows: Vec::new(), prefixes: Vec::new(), next: None };
    if query.max == 0 {
        return Ok(page);
    }
    let mut from = start(query);
    let mut last: Option<String> = None;
    while let Some(lower) = from.take() {
        scan(&lower, &mut |row| {
            let key = key_of(&row);
            if !key.starts_with(&query.prefix) {
                return ControlFlow::Break(());
            }
            let common = common_prefix(key, query);
            if page.rows.len() + page.prefixes.len() == query.max {
                page.next = last.take();
                return ControlFlow::Break(());
            }
            match common {
                Some(prefix) => {
                    from = successor(prefix.as_bytes());
                    page.prefixes.push(prefix.to_owned());
                    last = Some(prefix.to_owned());
                    ControlFlow::Break(())
                }
                None => {
                    last = Some(key.to_owned());
                    page.rows.push(row);
                    ControlFlow::Continue(())
                }
            }
        })?;
    }
    Ok(page)
}

/// The first key that may be listed. `None` if no key can be.
fn start(query: &ListQuery) -> Option<Vec<u8>> {
    let prefix = query.prefix.as_bytes().to_vec();
    let Some(after) = query.after.as_deref() else { return Some(prefix) };
    // A page that ended with a common prefix, or that starts inside of one, goes on behind all that it hides.
    let after = match common_prefix(after, query) {
        Some(hidden) => successor(hidden.as_bytes())?,
        None => [after.as_bytes(), &[0]].concat(),
    };
    Some(after.max(prefix))
}

/// The part of the key up to and with the first delimiter behind the asked prefix.
fn common_prefix<'k>(key: &'k str, query: &ListQuery) -> Option<&'k str> {
    if query.delimiter.is_empty() {
        return None;
    }
    let rest = key.strip_prefix(query.prefix.as_str())?;
    let end = query.prefix.len() + rest.find(&query.delimiter)? + query.delimiter.len();
    key.get(..end)
}

/// The smallest byte string after all that begin with this one. `None` if there is none.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let end = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut next = prefix.get(..=end)?.to_vec();
    if let Some(byte) = next.last_mut() {
        *byte += 1;
    }
    Some(next)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::convert::Infallible;

    /// The definition of a listing, as plainly as it can be said.
    pub(crate) fn model(keys: &BTreeSet<String>, query: &ListQuery) -> (Vec<String>, Vec<String>, bool) {
        let mut seen = BTreeSet::new();
        for key in keys.iter().filter(|key| key.starts_with(&query.prefix)) {
            let rest = &key[query.prefix.len()..];
            let shown = match rest.find(&query.delimiter).filter(|_| !query.delimiter.is_empty()) {
                Some(at) => (format!("{}{}{}", query.prefix, &rest[..at], query.delimiter), true),
                None => (key.clone(), false),
            };
            let hidden = |after: &String| shown.0 <= *after || (shown.1 && after.starts_with(&shown.0));
            if !query.after.as_ref().is_some_and(hidden) {
                seen.insert(shown);
            }
        }
        let more = seen.len() > query.max;
        let page: Vec<_> = seen.into_iter().take(query.max).collect();
        let (prefixes, keys): (Vec<_>, Vec<_>) = page.into_iter().partition(|(_, common)| *common);
        let names = |list: Vec<(String, bool)>| list.into_iter().map(|(name, _)| name).collect();
        (names(keys), names(prefixes), more && query.max > 0)
    }

    fn list(keys: &BTreeSet<String>, query: &ListQuery) -> Page<String> {
        let sorted: Vec<_> = keys.iter().cloned().collect();
        let page = page(
            query,
            |key: &String| key.as_str(),
            |from, visit| {
                for key in sorted.iter().filter(|key| key.as_bytes() >= from) {
                    if visit(key.clone()).is_break() {
                        break;
                    }
                }
                Ok::<_, Infallible>(())
            },
        );
        page.unwrap_or_else(|never| match never {})
    }

    fn check(keys: &[&str], prefix: &str, delimiter: &str, expect_keys: &[&str], expect_prefixes: &[&str]) {
        let keys: BTreeSet<_> = keys.iter().map(|key| key.to_string()).collect();
        let query = ListQuery { prefix: prefix.into(), delimiter: delimiter.into(), after: None, max: 1000 };
        let page = list(&keys, &query);
        assert_eq!(page.rows, expect_keys);
        assert_eq!(page.prefixes, expect_prefixes);
        assert_eq!(page.next, None);
    }

    #[test]
    fn folders_are_rolled_up() {
        check(&["a", "b/1", "b/2", "c"], "", "/", &["a", "c"], &["b/"]);
        check(&["a", "b/1", "b/2/x", "c"], "b/", "/", &["b/1"], &["b/2/"]);
        check(&["a", "b/1", "c"], "b", "/", &[], &["b/"]);
        check(&["b/"], "b/", "/", &["b/"], &[]);
        check(&["/a", "//b"], "", "/", &[], &["/"]);
        check(&["a-x-1", "a-x-2", "a-y"], "a-", "x-", &["a-y"], &["a-x-"]);
        check(&["日本/一", "日本語"], "", "/", &["日本語"], &["日本/"]);
    }

    #[test]
    fn no_keys_are_asked_for_and_none_are_given() {
        let keys = BTreeSet::from(["a".to_owned()]);
        let page = list(&keys, &ListQuery { max: 0, ..Default::default() });
        assert_eq!(page, Page { rows: vec![], prefixes: vec![], next: None });
    }

    pub(crate) fn keys() -> impl Strategy<Value = BTreeSet<String>> {
        prop::collection::btree_set("[ab/é\u{10FFFF}]{1,6}", 0..40)
    }

    pub(crate) fn queries() -> impl Strategy<Value = ListQuery> {
        ("[ab/é]{0,3}", prop::sample::select(vec!["", "/", "b/", "é"]), prop::option::of("[ab/é]{0,5}"), 0usize..12)
            .prop_map(|(prefix, delimiter, after, max)| ListQuery { prefix, delimiter: delimiter.into(), after, max })
    }

    proptest! {
        #[test]
        fn a_page_is_what_the_model_says(keys in keys(), query in queries()) {
            let page = list(&keys, &query);
            let (rows, prefixes, more) = model(&keys, &query);
            prop_assert_eq!(page.rows, rows);
            prop_assert_eq!(page.prefixes, prefixes);
            prop_assert_eq!(page.next.is_some(), more);
        }

        #[test]
        fn pages_together_are_the_whole(keys in keys(), mut query in queries(), max in 1usize..4) {
            query.max = usize::MAX;
            let whole = list(&keys, &query);
            query.max = max;
            let (mut rows, mut prefixes) = (vec![], vec![]);
            loop {
                let page = list(&keys, &query);
                rows.extend(page.rows);
                prefixes.extend(page.prefixes);
                query.after = page.next;
                if query.after.is_none() {
                    break;
                }
            }
            prop_assert_eq!(rows, whole.rows);
            prop_assert_eq!(prefixes, whole.prefixes);
        }
    }
}
