//! URI templates: `/{Bucket}/{Key+}?acl`.

use crate::Labels;

/// The label values of a path that fits the template (the part before `?`); `None` when it does not fit.
pub(crate) fn labels<'c, 'r>(template: &'c str, path: &'r str) -> Option<Labels<'c, 'r>> {
    let template = template.split('?').next().unwrap_or_default();
    let mut labels = Labels::new();
    let mut pattern = template.trim_matches('/').split('/');
    let mut rest = Some(path.strip_prefix('/').unwrap_or(path));
    while let Some(part) = pattern.next() {
        let here = rest?;
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(label) => match label.strip_suffix('+') {
                Some(greedy) => {
                    // What follows a greedy label is matched from the end.
                    let behind = pattern.clone().count();
                    let mut end = here.len();
                    for _ in 0..behind {
                        end = here.get(..end)?.rfind('/')?;
                    }
                    labels.push((greedy, here.get(..end)?));
                    rest = here.get(end..).filter(|rest| !rest.is_empty()).map(|rest| rest.trim_start_matches('/'));
                }
                None => {
                    let (value, next) = cut(here);
                    labels.push((label, value));
                    rest = next;
                }
            },
            None => {
                let (value, next) = cut(here);
                if value != part {
                    return None;
                }
                rest = next;
            }
        }
    }
    rest.is_none_or(str::is_empty).then_some(labels)
}

/// The first segment and what follows its slash.
fn cut(path: &str) -> (&str, Option<&str>) {
    match path.split_once('/') {
        Some((segment, rest)) => (segment, Some(rest)),
        None => (path, None),
    }
}
