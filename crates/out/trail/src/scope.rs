//! Which events a trail wants.

use crate::period;
use event::{Category, Event};
use journal::Entry;
use registry::Trail;

/// The Region in which the services without Regions have their events.
const GLOBAL_REGION: &str = "us-east-1";

/// Services whose events in [`GLOBAL_REGION`] are global service events (`reference/trails-and-delivery.md` §5). A
/// record does not say whether STS was called through its global endpoint: in that Region every call counts as such.
const GLOBAL_SOURCES: [&str; 5] = [
    "iam.amazonaws.com",
    "sts.amazonaws.com",
    "cloudfront.amazonaws.com",
    "route53.amazonaws.com",
    "organizations.amazonaws.com",
];

/// Whether the trail delivers this entry: it was logging, and the event is its own. The one place where that is decided.
pub(crate) fn wants(trail: &Trail, entry: &Entry) -> bool {
    wants_event(trail, &entry.event) && period::was_logging(trail, entry)
}

/// Management events of the trail's account, in its Region or in all.
fn wants_event(trail: &Trail, event: &Event) -> bool {
    let own_account = [trail.account_id.as_str(), ""].contains(&event.account());
    let own_region = trail.is_multi_region_trail || event.region() == trail.home_region;
    event.category() == Category::Management
        && own_account
        && own_region
        && (trail.include_global_service_events || !is_global(event))
}

fn is_global(event: &Event) -> bool {
    event.region() == GLOBAL_REGION && GLOBAL_SOURCES.contains(&event.source())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cut::tests::trail;

    fn event(fields: &str) -> Event {
        let json = format!(r#"{{"eventTime":"2026-01-15T10:02:03Z","eventName":"Do",{fields}}}"#);
        Event::from_json(json.into()).unwrap()
    }

    fn check(multi_region: bool, global: bool, fields: &str, wanted: bool) {
        let mut trail = trail();
        (trail.is_multi_region_trail, trail.include_global_service_events) = (multi_region, global);
        assert_eq!(wants_event(&trail, &event(fields)), wanted, "multi {multi_region}, global {global}: {fields}");
    }

    const HERE: &str = r#""eventSource":"sqs.amazonaws.com","awsRegion":"eu-west-1","recipientAccountId":"111122223333","eventCategory":"Management""#;
    const THERE: &str = r#""eventSource":"sqs.amazonaws.com","awsRegion":"us-east-1","recipientAccountId":"111122223333","eventCategory":"Management""#;
    const GLOBAL: &str = r#""eventSource":"iam.amazonaws.com","awsRegion":"us-east-1","recipientAccountId":"111122223333","eventCategory":"Management""#;
    const LOCAL_STS: &str = r#""eventSource":"sts.amazonaws.com","awsRegion":"eu-west-1","recipientAccountId":"111122223333","eventCategory":"Management""#;
    const DATA: &str = r#""eventSource":"s3.amazonaws.com","awsRegion":"eu-west-1","recipientAccountId":"111122223333","eventCategory":"Data""#;
    const FOREIGN: &str = r#""eventSource":"sqs.amazonaws.com","awsRegion":"eu-west-1","recipientAccountId":"444455556666","eventCategory":"Management""#;
    const UNSIGNED: &str = r#""eventSource":"sqs.amazonaws.com","awsRegion":"eu-west-1","eventCategory":"Management""#;

    #[test]
    fn a_single_region_trail_takes_its_own_region() {
        check(false, true, HERE, true);
        check(false, true, THERE, false);
        check(false, true, GLOBAL, false);
        check(false, true, LOCAL_STS, true);
        check(false, false, LOCAL_STS, true);
    }

    #[test]
    fn a_multi_region_trail_takes_all_regions() {
        for fields in [HERE, THERE, GLOBAL, LOCAL_STS] {
            check(true, true, fields, true);
        }
        check(true, false, GLOBAL, false);
        check(true, false, THERE, true);
    }

    #[test]
    fn a_trail_takes_management_events_of_its_account() {
        check(true, true, DATA, false);
        check(true, true, FOREIGN, false);
        check(true, true, UNSIGNED, true);
    }

    #[test]
    fn a_trail_in_the_global_region_may_leave_global_events_out() {
        let mut trail = trail();
        trail.home_region = "us-east-1".to_owned();
        assert!(wants_event(&trail, &event(GLOBAL)));
        trail.include_global_service_events = false;
        assert!(!wants_event(&trail, &event(GLOBAL)));
        assert!(wants_event(&trail, &event(THERE)));
    }
}
