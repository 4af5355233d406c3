use super::*;
use bytes::Bytes;
use journal::Options as JournalOptions;
use proptest::prelude::*;
use tempfile::TempDir;

const NOW: i64 = 1_800_000_000;

struct House {
    journal: Journal,
    history: History,
    taken: Seq,
    _folder: TempDir,
}

impl House {
    fn new() -> House {
        let folder = tempfile::tempdir().unwrap();
        let options = JournalOptions { clock: journal::Clock::new(|| NOW as u64 * 1000), ..JournalOptions::default() };
        let journal = Journal::open(folder.path(), options).unwrap();
        let history = History::new(journal.clone(), Options::default());
        House { journal, history, taken: Seq(0), _folder: folder }
    }

    /// Appends records and lets history take them, as its follower would.
    fn record(&mut self, records: impl IntoIterator<Item = String>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let events: Vec<Event> = records.into_iter().map(|json| Event::from_json(Bytes::from(json)).unwrap()).collect();
        runtime.block_on(self.journal.appender().append_all(events)).unwrap();
        loop {
            let batch = self.journal.read(self.taken, ReadLimit::default()).unwrap();
            let Some(last) = batch.last() else { break };
            self.taken = last.seq.next();
            self.history.take(&batch);
        }
    }

    fn page(&self, query: &Query) -> (Vec<String>, Option<String>) {
        let page = self.history.lookup_blocking(query).unwrap();
        (page.events.iter().map(|found| found.event.id().to_owned()).collect(), page.next_token)
    }

    fn ids(&self, attribute: Attribute, value: &str) -> Vec<String> {
        self.page(&Query { attribute: Some((attribute, value.to_owned())), ..query() }).0
    }
}

fn query() -> Query {
    Query {
        account_id: "111122223333".to_owned(),
        region: "us-east-1".to_owned(),
        attribute: None,
        start: None,
        end: None,
        max_results: 50,
        next_token: None,
        now: EventTime(NOW),
    }
}

/// A record; `more` is further members.
fn record(id: &str, time: i64, source: &str, name: &str, more: &str) -> String {
    format!(
        r#"{{"eventVersion":"1.11","userIdentity":{{"type":"IAMUser","userName":"alice","accessKeyId":"AKIAALICE"}},"eventTime":"{}","eventSource":"{source}.amazonaws.com","eventName":"{name}","awsRegion":"us-east-1","eventID":"{id}","readOnly":false,"recipientAccountId":"111122223333","eventCategory":"Management"{more}}}"#,
        EventTime(time)
    )
}

fn plain(id: &str, time: i64) -> String {
    record(id, time, "s3", "CreateBucket", "")
}

#[test]
fn events_are_found_by_each_attribute_and_by_the_exact_value() {
    let mut house = House::new();
    let bucket = r#","requestParameters":{"bucketName":"audit"}"#;
    let bob = record("b", NOW - 2, "iam", "GetUser", "")
        .replace("alice", "bob")
        .replace("AKIAALICE", "AKIABOB")
        .replace(r#""readOnly":false"#, r#""readOnly":true"#);
    house.record([record("a", NOW - 3, "s3", "CreateBucket", bucket), bob]);
    for (attribute, a, b) in [
        (Attribute::EventId, "a", "b"),
        (Attribute::EventName, "CreateBucket", "GetUser"),
        (Attribute::ReadOnly, "false", "true"),
        (Attribute::Username, "alice", "bob"),
        (Attribute::EventSource, "s3.amazonaws.com", "iam.amazonaws.com"),
        (Attribute::AccessKeyId, "AKIAALICE", "AKIABOB"),
    ] {
        assert_eq!(house.ids(attribute, a), ["a"], "{attribute:?}");
        assert_eq!(house.ids(attribute, b), ["b"], "{attribute:?}");
        if attribute != Attribute::ReadOnly {
            for near in [&a[..a.len() - 1], &a.to_uppercase(), &format!("{a} ")] {
                if near != a {
                    assert_eq!(house.ids(attribute, near), [""; 0], "{near}");
                }
            }
        }
    }
    assert_eq!(house.ids(Attribute::ResourceType, "AWS::S3::Bucket"), ["a"]);
    assert_eq!(house.ids(Attribute::ResourceName, "audit"), ["a"]);
    // A name is no type, and the other way round.
    assert_eq!(house.ids(Attribute::ResourceName, "AWS::S3::Bucket"), [""; 0]);
    assert_eq!(house.page(&query()).0, ["b", "a"]);
}

#[test]
fn only_management_events_of_the_account_and_region_are_history() {
    let mut house = House::new();
    house.record([
        plain("mine", NOW - 1),
        plain("other-region", NOW - 1).replace("us-east-1", "eu-west-1"),
        plain("other-account", NOW - 1).replace("111122223333", "999999999999"),
        plain("data", NOW - 1).replace(r#""eventCategory":"Management""#, r#""eventCategory":"Data""#),
        plain("insight", NOW - 1).replace(r#""eventCategory":"Management""#, r#""eventCategory":"Insight""#),
        plain("old", NOW - 91 * 86_400),
    ]);
    assert_eq!(house.page(&query()).0, ["mine"]);
    let there = Query { region: "eu-west-1".to_owned(), ..query() };
    assert_eq!(house.page(&there).0, ["other-region"]);
}

#[test]
fn the_time_range_includes_both_ends() {
    let mut house = House::new();
    house.record((0..10).map(|number| plain(&number.to_string(), NOW - 10 + number)));
    let ids = |start: Option<i64>, end: Option<i64>| {
        let time = |offset: Option<i64>| offset.map(|offset| EventTime(NOW - 10 + offset));
        house.page(&Query { start: time(start), end: time(end), ..query() }).0.concat()
    };
    assert_eq!(ids(Some(3), Some(5)), "543");
    assert_eq!(ids(Some(8), None), "98");
    assert_eq!(ids(None, Some(1)), "10");
    assert_eq!(ids(Some(20), None), "");
}

#[test]
fn the_newest_comes_first_whatever_the_order_of_arrival() {
    let mut house = House::new();
    house.record([plain("1", NOW - 50), plain("3", NOW - 10), plain("2", NOW - 30), plain("4", NOW - 10)]);
    assert_eq!(house.page(&query()).0, ["4", "3", "2", "1"]);
}

#[test]
fn a_token_of_other_parameters_or_none_of_ours_is_refused() {
    let mut house = House::new();
    house.record((0..5).map(|number| plain(&number.to_string(), NOW - number)));
    let first = Query { max_results: 2, ..query() };
    let token = house.page(&first).1;
    assert!(token.is_some());
    assert_eq!(house.page(&Query { next_token: token.clone(), ..first.clone() }).0, ["2", "3"]);
    let other = Some((Attribute::Username, "alice".to_owned()));
    for wrong in [
        Query { next_token: Some("AAAA".to_owned()), ..first.clone() },
        Query { next_token: Some(String::new()), ..first.clone() },
        Query { next_token: token.clone(), attribute: other, ..first.clone() },
        Query { next_token: token, start: Some(EventTime(1)), ..first },
    ] {
        assert!(matches!(house.history.lookup_blocking(&wrong), Err(LookupError::InvalidNextToken)));
    }
}

#[test]
fn the_last_page_has_no_token_even_when_it_is_full() {
    let mut house = House::new();
    house.record((0..4).map(|number| plain(&number.to_string(), NOW - number)));
    let pages = Query { max_results: 2, ..query() };
    let (_, token) = house.page(&pages);
    let (second, end) = house.page(&Query { next_token: token, ..pages });
    assert_eq!((second.len(), end), (2, None));
    assert_eq!(house.page(&Query { max_results: 4, ..query() }).1, None);
    assert_eq!(house.page(&Query { region: "nowhere".to_owned(), ..query() }), (vec![], None));
}

#[test]
fn a_restart_rebuilds_the_same_history() {
    let mut house = House::new();
    house.record((0..100).map(|number| plain(&number.to_string(), NOW - number)));
    let again = History::new(house.journal.clone(), Options::default());
    assert_eq!(again.position(), Seq(0));
    again.take(&house.journal.read(Seq(0), ReadLimit::default()).unwrap());
    assert_eq!((again.events(), again.position()), (100, Seq(100)));
    let token = house.page(&query()).1;
    let second = Query { next_token: token, ..query() };
    let page = again.lookup_blocking(&second).unwrap();
    let ids: Vec<&str> = page.events.iter().map(|found| found.event.id()).collect();
    assert_eq!(house.page(&second).0, ids, "a token survives a restart");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn paging_neither_repeats_nor_misses_an_event_while_others_arrive(
        times in proptest::collection::vec((0i64..50, any::<bool>()), 1..200),
        late in proptest::collection::vec(0i64..50, 0..20),
        page_size in 1usize..20,
        by_name in any::<bool>(),
    ) {
        let mut house = House::new();
        house.record(times.iter().enumerate().map(|(number, (time, creates))| {
            let name = if *creates { "CreateBucket" } else { "DeleteBucket" };
            record(&number.to_string(), NOW - time, "s3", name, "")
        }));
        let attribute = by_name.then(|| (Attribute::EventName, "CreateBucket".to_owned()));
        let mut question = Query { attribute, max_results: page_size, ..query() };
        let mut seen = Vec::new();
        let mut late = late.into_iter();
        loop {
            let (ids, token) = house.page(&question);
            prop_assert!(ids.len() <= page_size);
            seen.extend(ids);
            let Some(token) = token else { break };
            question.next_token = Some(token);
            // Another event comes between two pages, newer or older than where the pages stand.
            house.record(late.next().map(|time| plain("late", NOW - time)));
        }
        let mut expected: Vec<(i64, usize)> = times
            .iter()
            .enumerate()
            .filter(|(_, (_, creates))| !by_name || *creates)
            .map(|(number, (time, _))| (NOW - time, number))
            .collect();
        expected.sort_unstable_by(|one, other| other.cmp(one));
        let expected: Vec<String> = expected.into_iter().map(|(_, number)| number.to_string()).collect();
        prop_assert_eq!(seen, expected);
    }
}

#[test]
fn the_follower_makes_an_event_findable_in_well_under_200_milliseconds() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let journal = Journal::open(folder.path(), JournalOptions::default()).unwrap();
        let history = History::new(journal.clone(), Options::default());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let shutdown = async { drop(stopped.await) };
        let (_, running) = journal::follow(&journal, history.follower(), journal::FollowOptions::default(), shutdown);
        let running = tokio::spawn(running);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
        let mut waits = Vec::new();
        for number in 0..20 {
            let event = Event::from_json(Bytes::from(plain(&format!("id-{number}"), now))).unwrap();
            journal.appender().append(event).await.unwrap();
            let answered = std::time::Instant::now();
            let attribute = Some((Attribute::EventId, format!("id-{number}")));
            let query = Query { attribute, now: EventTime(now), ..query() };
            while history.lookup(query.clone()).await.unwrap().events.is_empty() {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            waits.push(answered.elapsed());
        }
        waits.sort_unstable();
        assert!(waits[18] < std::time::Duration::from_millis(200), "{waits:?}");
        stop.send(()).unwrap();
        running.await.unwrap().unwrap();
    });
}

#[test]
fn what_somebody_did_through_their_sessions_is_found_by_their_arn() {
    let mut house = House::new();
    let by = |first: &str| {
        format!(
            r#","additionalEventData":{{"opentrailSessionChain":[{first},{{"type":"AssumedRole","arn":"arn:aws:sts::1:assumed-role/r/s"}}]}}"#
        )
    };
    let alice = by(r#"{"type":"IAMUser","arn":"arn:aws:iam::1:user/alice","userName":"alice"}"#);
    let bob = by(r#"{"type":"WebIdentityUser","principalId":"idp:app:bob","userName":"bob"}"#);
    let parameters = r#","requestParameters":{"opentrailSessionChain":[{"arn":"arn:aws:iam::1:user/mallory"}]}"#;
    house.record([
        record("a", NOW - 3, "sns", "CreateTopic", &alice),
        record("b", NOW - 2, "sns", "CreateTopic", &bob),
        record("c", NOW - 1, "sns", "CreateTopic", parameters),
    ]);
    assert_eq!(house.ids(Attribute::ResourceName, "arn:aws:iam::1:user/alice"), ["a"]);
    assert_eq!(house.ids(Attribute::ResourceName, "bob"), ["b"]);
    assert_eq!(house.ids(Attribute::ResourceName, "idp:app:bob"), ["b"]);
    assert_eq!(house.ids(Attribute::ResourceName, "arn:aws:sts::1:assumed-role/r/s"), [""; 0]);
    assert_eq!(house.ids(Attribute::ResourceName, "arn:aws:iam::1:user/mallory"), [""; 0]);
}
