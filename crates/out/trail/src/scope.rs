//! Which events a trail wants.

use crate::period;
use event::{Event, Matcher, Selectors};
use journal::Entry;
use registry::{ReplacedSelectors, Trail};

/// The Region in which the services without Regions have their events.
const GLOBAL_REGION: &str = "us-east-1";

/// Services whose events in [`GLOBAL_REGION`] are global service events (`reference/trails-and-delivery.md` §5).
const GLOBAL_SOURCES: [&str; 4] =
    ["iam.amazonaws.com", "cloudfront.amazonaws.com", "route53.amazonaws.com", "organizations.amazonaws.com"];

/// A service with an endpoint in each Region, beside a global one of the same name.
const STS: &str = "sts.amazonaws.com";

/// What one version of a trail wants, worked out once: events that its selectors take, of its account, in its Region or
/// in all.
#[derive(Debug)]
pub(crate) struct Scope {
    now: Taken,
    /// What was taken before, the earliest first, and the entry up to which each holds.
    earlier: Vec<(u64, Taken)>,
}

/// What is taken of a stretch of the journal.
#[derive(Debug)]
struct Taken {
    /// The selectors, confined to the trail's Region.
    matcher: Matcher,
    global: bool,
}

impl Scope {
    /// The scope of a trail as it stands.
    pub(crate) fn of(trail: &Trail) -> Scope {
        let taken = |selectors: &Option<Selectors>, multi_region: Option<bool>, global: Option<bool>| {
            let matcher = Matcher::new(&selectors.clone().unwrap_or_default());
            let everywhere = multi_region.unwrap_or(trail.is_multi_region_trail);
            let matcher = if everywhere { matcher } else { matcher.only_in(&trail.home_region) };
            Taken { matcher, global: global.unwrap_or(trail.include_global_service_events) }
        };
        let earlier = |replaced: &ReplacedSelectors| {
            let ReplacedSelectors { until, selectors, is_multi_region_trail, include_global_service_events } = replaced;
            (*until, taken(selectors, *is_multi_region_trail, *include_global_service_events))
        };
        Scope {
            now: taken(&trail.selectors, None, None),
            earlier: trail.replaced_selectors.iter().map(earlier).collect(),
        }
    }

    /// The selectors that hold from [`Scope::since`] on.
    pub(crate) fn matcher(&self) -> &Matcher {
        &self.now.matcher
    }

    /// The first entry that none of the earlier selectors hold for.
    pub(crate) fn since(&self) -> u64 {
        self.earlier.last().map_or(0, |(until, _)| *until)
    }

    /// Whether the selectors that hold for an entry take it.
    pub(crate) fn selects(&self, entry: &Entry) -> bool {
        self.taken_of(entry).matcher.matches(&entry.event)
    }

    /// Whether the trail delivers this entry: its selectors take it, and the rest of [`Scope::delivers`].
    pub(crate) fn wants(&self, trail: &Trail, entry: &Entry) -> bool {
        self.selects(entry) && self.delivers(trail, entry)
    }

    /// Whether the trail delivers an entry that its selectors take: the event is its own, and it was logging.
    pub(crate) fn delivers(&self, trail: &Trail, entry: &Entry) -> bool {
        let event = &entry.event;
        trail.has_account(event.account())
            && (self.taken_of(entry).global || !is_global(event))
            && period::was_logging(trail, entry)
    }

    fn taken_of(&self, entry: &Entry) -> &Taken {
        let earlier = self.earlier.iter().find(|(until, _)| entry.seq.0 < *until);
        earlier.map_or(&self.now, |(_, taken)| taken)
    }
}

fn is_global(event: &Event) -> bool {
    let source = event.source();
    event.region() == GLOBAL_REGION
        && (GLOBAL_SOURCES.contains(&source) || source == STS && is_of_global_endpoint(event))
}

/// Whether STS was called through its global endpoint, as far as the record tells: a call of which it does not counts as
/// regional, as are those of today's SDKs.
fn is_of_global_endpoint(event: &Event) -> bool {
    let record: serde_json::Value = serde_json::from_slice(event.json()).unwrap_or_default();
    let text = |pointer| record.pointer(pointer).and_then(serde_json::Value::as_str);
    match text("/additionalEventData/RequestDetails/endpointType") {
        Some(endpoint) => endpoint == "global",
        None => text("/tlsDetails/clientProvidedHostHeader").is_some_and(|host| host.split(':').next() == Some(STS)),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::cut::tests::trail;
    use event::{AdvancedEventSelector, DataResource, EventSelector, FieldSelector, Operators, SelectorField};
    use journal::Seq;

    /// Selectors for management events whose names begin like this.
    pub(crate) fn beginning(with: &str) -> Selectors {
        let condition = |field, operators| FieldSelector { field, operators };
        let category = Operators { equals: vec!["Management".to_owned()], ..Operators::default() };
        let name = Operators { starts_with: vec![with.to_owned()], ..Operators::default() };
        Selectors::Advanced(vec![AdvancedEventSelector {
            name: None,
            field_selectors: vec![
                condition(SelectorField::EventCategory, category),
                condition(SelectorField::EventName, name),
            ],
        }])
    }

    fn event(fields: &str) -> Event {
        let json = format!(r#"{{"eventTime":"2026-01-15T10:02:03Z","eventName":"Do",{fields}}}"#);
        Event::from_json(json.into()).unwrap()
    }

    fn check(multi_region: bool, global: bool, fields: &str, wanted: bool) {
        let mut trail = trail();
        (trail.is_multi_region_trail, trail.include_global_service_events) = (multi_region, global);
        assert_eq!(is_wanted(&trail, fields), wanted, "multi {multi_region}, global {global}: {fields}");
    }

    fn is_wanted(trail: &Trail, fields: &str) -> bool {
        let entry = Entry { seq: Seq(5), appended_ms: 100, event: event(fields) };
        Scope::of(trail).wants(trail, &entry)
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
    fn the_trail_of_an_organization_takes_events_of_its_members() {
        let mut trail = trail();
        let of = |accounts: &[&str]| registry::Organization {
            id: "o-exampleorgid".to_owned(),
            accounts: accounts.iter().map(|account| (*account).to_owned()).collect(),
        };
        trail.organization = Some(of(&["777788889999"]));
        assert!(!is_wanted(&trail, FOREIGN) && is_wanted(&trail, HERE) && is_wanted(&trail, UNSIGNED));
        trail.organization = Some(of(&["777788889999", "444455556666"]));
        assert!(is_wanted(&trail, FOREIGN));
        trail.organization = Some(of(&[]));
        assert!(is_wanted(&trail, FOREIGN) && !is_wanted(&trail, &FOREIGN.replace("444455556666", "../up")));
    }

    #[test]
    fn a_trail_in_the_global_region_may_leave_global_events_out() {
        let mut trail = trail();
        trail.home_region = "us-east-1".to_owned();
        assert!(is_wanted(&trail, GLOBAL));
        trail.include_global_service_events = false;
        assert!(!is_wanted(&trail, GLOBAL));
        assert!(is_wanted(&trail, THERE));
    }

    #[test]
    fn of_sts_only_its_global_endpoint_is_global() {
        let mut trail = trail();
        (trail.home_region, trail.include_global_service_events) = ("us-east-1".to_owned(), false);
        let sts = |more: &str| GLOBAL.replace("iam", "sts") + more;
        let host = |host: &str| sts(&format!(r#","tlsDetails":{{"clientProvidedHostHeader":"{host}"}}"#));
        let endpoint =
            |kind: &str| sts(&format!(r#","additionalEventData":{{"RequestDetails":{{"endpointType":"{kind}"}}}}"#));
        for regional in [sts(""), host("sts.us-east-1.amazonaws.com"), host("localhost:4780"), endpoint("regional")] {
            assert!(is_wanted(&trail, &regional), "{regional}");
        }
        for global in [host("sts.amazonaws.com"), host("sts.amazonaws.com:443"), endpoint("global")] {
            assert!(!is_wanted(&trail, &global), "{global}");
        }
        trail.include_global_service_events = true;
        assert!(is_wanted(&trail, &endpoint("global")));
    }

    fn replaced(until: u64, selectors: Option<Selectors>) -> ReplacedSelectors {
        ReplacedSelectors { until, selectors, is_multi_region_trail: None, include_global_service_events: None }
    }

    #[test]
    fn what_came_from_other_regions_and_global_services_before_a_change_is_still_the_trails() {
        let mut trail = trail();
        let before = trail.clone();
        (trail.is_multi_region_trail, trail.include_global_service_events) = (false, false);
        trail.remember(&before, 7, 0);
        let scope = Scope::of(&trail);
        let wanted =
            |seq, fields| scope.wants(&trail, &Entry { seq: Seq(seq), appended_ms: 100, event: event(fields) });
        for fields in [THERE, GLOBAL] {
            assert_eq!([6, 7].map(|seq| wanted(seq, fields)), [true, false], "{fields}");
        }
    }

    #[test]
    fn what_came_before_a_change_is_judged_by_what_held_then() {
        let mut trail = trail();
        trail.selectors = Some(Selectors::Basic(Vec::new()));
        trail.replaced_selectors =
            vec![replaced(3, None), replaced(5, Some(Selectors::Basic(Vec::new()))), replaced(7, None)];
        let scope = Scope::of(&trail);
        let wanted = |seq| scope.wants(&trail, &Entry { seq: Seq(seq), appended_ms: 100, event: event(HERE) });
        assert_eq!([2, 3, 4, 5, 6, 7].map(wanted), [true, false, false, true, true, false]);
        assert_eq!(scope.since(), 7);
    }

    #[test]
    fn selectors_choose_among_what_is_the_trails_own() {
        let mut trail = trail();
        let data =
            DataResource { resource_type: "AWS::S3::Object".into(), values: vec!["arn:aws:s3:::audit/in/".into()] };
        trail.selectors = Some(Selectors::Basic(vec![EventSelector {
            include_management_events: false,
            data_resources: vec![data],
            ..EventSelector::default()
        }]));
        let object = |key: &str, account: &str| {
            format!(
                r#""eventSource":"s3.amazonaws.com","awsRegion":"eu-west-1","recipientAccountId":"{account}","eventCategory":"Data","resources":[{{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::audit/{key}"}}]"#
            )
        };
        assert!(is_wanted(&trail, &object("in/a", "111122223333")));
        assert!(!is_wanted(&trail, &object("out/a", "111122223333")));
        assert!(!is_wanted(&trail, &object("in/a", "444455556666")));
        assert!(!is_wanted(&trail, HERE), "management events are left out");
    }
}
