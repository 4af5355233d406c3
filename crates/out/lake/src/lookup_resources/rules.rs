//! The rules: read once from their text.

use smallvec::SmallVec;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Where one operation, or all of a service, name a resource.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    operations: Vec<&'static str>,
    /// `requestParameters` or `responseElements`, then keys; [`EACH`] for every element of a list.
    pub(crate) path: Vec<&'static str>,
    pub(crate) resource_type: Option<&'static str>,
}

/// Stands in a path for every element of a list.
pub(crate) const EACH: &str = "[]";

/// The rules of all services.
#[derive(Debug, Default)]
pub(crate) struct Rules(HashMap<&'static str, Service>);

#[derive(Debug, Default)]
struct Service {
    /// Failed calls have no resources.
    only_successful: bool,
    rules: Vec<Rule>,
}

impl Rules {
    /// The rules that come with the program.
    pub(crate) fn embedded() -> &'static Rules {
        // A line that cannot be read is left out; a test holds that there is none.
        static RULES: LazyLock<Rules> =
            LazyLock::new(|| Rules::parse(include_str!("../../data/lookup-resources.txt")).0);
        &RULES
    }

    /// The rules for a call.
    pub(crate) fn of(&self, source: &str, operation: &str, failed: bool) -> SmallVec<[&Rule; 64]> {
        let Some(service) = self.0.get(source) else { return SmallVec::new() };
        if failed && service.only_successful {
            return SmallVec::new();
        }
        let operation = without_version(operation);
        service.rules.iter().filter(|rule| rule.is_for(operation)).collect()
    }

    /// Reads rules; beside them the lines that are none.
    fn parse(text: &'static str) -> (Rules, Vec<&'static str>) {
        let mut rules = Rules::default();
        let mut unread = Vec::new();
        let mut source = "";
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some((name, mode)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                source = name;
                rules.0.entry(source).or_default().only_successful = mode.trim() == "successful";
                continue;
            }
            match Rule::parse(line) {
                Some(rule) if !source.is_empty() => rules.0.entry(source).or_default().rules.push(rule),
                _ => unread.push(line),
            }
        }
        (rules, unread)
    }
}

impl Rule {
    fn parse(line: &'static str) -> Option<Rule> {
        let mut words = line.split_ascii_whitespace();
        let (operations, path, resource_type) = (words.next()?, words.next()?, words.next()?);
        let (root, rest) = path.split_once('.')?;
        let root = match root {
            "req" => "requestParameters",
            "res" => "responseElements",
            _ => return None,
        };
        let keys = rest.split('.').flat_map(|key| match key.strip_suffix(EACH) {
            Some(list) => [Some(list), Some(EACH)],
            None => [Some(key), None],
        });
        words.next().is_none().then(|| Rule {
            operations: operations.split('|').collect(),
            path: [Some(root)].into_iter().chain(keys).flatten().collect(),
            resource_type: (resource_type != "-").then_some(resource_type),
        })
    }

    fn is_for(&self, operation: &str) -> bool {
        if self.operations == ["*"] {
            return true;
        }
        let fits = |pattern: &str| match pattern.strip_suffix('*') {
            Some(start) => operation.starts_with(start),
            None => operation == pattern,
        };
        let (mut wanted, mut left_out) = (false, false);
        for pattern in &self.operations {
            match pattern.strip_prefix('!') {
                Some(pattern) => left_out |= fits(pattern),
                None => wanted |= fits(pattern),
            }
        }
        wanted && !left_out
    }
}

/// An operation's name without the API version that some services append: `CreateFunction20150331v2`,
/// `CreateFunction2020_05_31`.
fn without_version(operation: &str) -> &str {
    let stem = operation.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_');
    let digits = operation.len() - stem.len();
    match stem.strip_suffix('v') {
        Some(rest) if digits == 1 => without_version(rest),
        _ if digits >= 8 => stem,
        _ => operation,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_a_rule() {
        let (rules, unread) = Rules::parse(include_str!("../../data/lookup-resources.txt"));
        assert_eq!(unread, Vec::<&str>::new());
        assert!(rules.0.len() > 20 && rules.0.values().all(|service| !service.rules.is_empty()));
        let types = rules.0.values().flat_map(|service| &service.rules).filter_map(|rule| rule.resource_type);
        for resource_type in types {
            assert_eq!(resource_type.split("::").count(), 3, "{resource_type}");
        }
    }

    #[test]
    fn patterns_name_take_any_rest_and_leave_out() {
        let rule = Rule::parse("Put*|Create|!PutOther req.a.b[].c -").unwrap();
        assert_eq!(rule.path, ["requestParameters", "a", "b", EACH, "c"]);
        for (operation, expected) in
            [("PutThis", true), ("PutOther", false), ("Create", true), ("CreateMore", false), ("Get", false)]
        {
            assert_eq!(rule.is_for(operation), expected, "{operation}");
        }
    }

    #[test]
    fn versions_in_names_do_not_matter() {
        for (name, stem) in [
            ("CreateFunction20150331", "CreateFunction"),
            ("AddPermission20150331v2", "AddPermission"),
            ("CreateFunction2020_05_31", "CreateFunction"),
            ("DescribeVpcV2", "DescribeVpcV2"),
            ("CreateV2", "CreateV2"),
            ("Ec2", "Ec2"),
            ("", ""),
        ] {
            assert_eq!(without_version(name), stem);
        }
    }
}
