//! Where a log file lies: pure arithmetic on who, where and when (`reference/trails-and-delivery.md` §7).

use aws_lc_rs::digest::{Context, SHA256};
use event::{Category, Event, EventTime};
use registry::Trail;
use std::borrow::Cow;

/// File names tell the delivery time by slots of this many seconds.
const SLOT_SECONDS: i64 = 300;

/// What the events of a log file are: each kind has folders and names of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Management and data events, and whatever has no folder of its own.
    Events,
    /// Network activity events.
    NetworkActivity,
}

impl Kind {
    pub(crate) const ALL: [Kind; 2] = [Kind::Events, Kind::NetworkActivity];

    /// The kind of file that an event goes to.
    pub(crate) fn of(event: &Event) -> Kind {
        match event.category() {
            Category::NetworkActivity => Kind::NetworkActivity,
            _ => Kind::Events,
        }
    }

    /// The folder that stands in the place of `CloudTrail`.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Kind::Events => "CloudTrail",
            Kind::NetworkActivity => "CloudTrail-NetworkActivity",
        }
    }
}

/// The account and Region of this house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// 12 digits.
    pub account_id: String,
    /// The Region of the default trail.
    pub region: String,
}

impl Home {
    /// What a trail's follower is called in metrics, health and logs: `KIND/NAME`. Between the two stands what tells the trail
    /// from those of the house that may have the same name: its Region where that is another, its account where it is a
    /// member's of the organization.
    pub(crate) fn follower_name(&self, kind: &str, trail: &Trail) -> String {
        let Trail { account_id, home_region, name, .. } = trail;
        if *account_id != self.account_id {
            format!("{kind}/{account_id}/{home_region}/{name}")
        } else if *home_region != self.region {
            format!("{kind}/{home_region}/{name}")
        } else {
            format!("{kind}/{name}")
        }
    }
}

/// Key of a log file:
/// `[prefix/]AWSLogs/[o-ORGANIZATION/]ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/ACCOUNT_CloudTrail_REGION_YYYYMMDDTHHmmZ_SUFFIX.json.gz`.
/// Twice `CloudTrail-NetworkActivity` stands in the place of `CloudTrail` for files of that kind.
///
/// Both the folder and the name take the delivery time (milliseconds since the epoch), rounded down to five minutes.
pub(crate) fn log_file_key(chain: &ChainName<'_>, kind: Kind, delivery_ms: u64, suffix: &str) -> String {
    let slot = EventTime(i64::try_from(delivery_ms / 1000).unwrap_or(i64::MAX)).floor_to(SLOT_SECONDS);
    let (year, month, day, hour, minute, _) = slot.civil();
    let (folder, kind, ChainName { account, region, .. }) = (chain.folder(kind.folder()), kind.folder(), chain);
    format!(
        "{folder}{year:04}/{month:02}/{day:02}/\
         {account}_{kind}_{region}_{year:04}{month:02}{day:02}T{hour:02}{minute:02}Z_{suffix}.json.gz"
    )
}

/// Key of a digest file (`reference/integrity.md` §1):
/// `[prefix/]AWSLogs/ACCOUNT/CloudTrail-Digest/REGION/YYYY/MM/DD/ACCOUNT_CloudTrail-Digest_REGION_TRAIL_HOME_YYYYMMDDTHHMMSSZ[_backfill].json.gz`.
///
/// Both the folder and the name take the end of the digest's window.
pub(crate) fn digest_key(chain: &ChainName<'_>, end: EventTime, backfill: bool) -> String {
    let (year, month, day, hour, minute, second) = end.civil();
    let ChainName { account, region, trail, home_region, .. } = chain;
    let folder = chain.folder("CloudTrail-Digest");
    let backfill = if backfill { "_backfill" } else { "" };
    format!(
        "{folder}{year:04}/{month:02}/{day:02}/\
         {account}_CloudTrail-Digest_{region}_{trail}_{home_region}_\
         {year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z{backfill}.json.gz"
    )
}

/// What the keys of a chain's log files and digests are made of, but for the time.
pub(crate) struct ChainName<'a> {
    pub(crate) prefix: Option<&'a str>,
    /// `o-…` of the trail of an organization.
    pub(crate) organization: Option<&'a str>,
    pub(crate) account: &'a str,
    /// The Region whose log files are listed.
    pub(crate) region: &'a str,
    pub(crate) trail: &'a str,
    pub(crate) home_region: &'a str,
}

impl<'a> ChainName<'a> {
    /// The chain of a trail that stands under `key` ([`chain_key`]).
    pub(crate) fn of(trail: &'a Trail, key: &'a str) -> ChainName<'a> {
        let (account, region) = key.split_once('/').unwrap_or((&trail.account_id, key));
        ChainName {
            prefix: trail.s3_key_prefix.as_deref(),
            organization: trail.organization.as_ref().map(|organization| organization.id.as_str()),
            account,
            region,
            trail: &trail.name,
            home_region: &trail.home_region,
        }
    }

    /// The folder of the chain's digests (`CloudTrail-Digest`) or log files (`CloudTrail`).
    pub(crate) fn folder(&self, kind: &str) -> String {
        let part = |text: Option<&str>| {
            text.filter(|text| !text.is_empty()).map(|text| format!("{text}/")).unwrap_or_default()
        };
        let (prefix, organization) = (part(self.prefix), part(self.organization));
        format!("{prefix}AWSLogs/{organization}{}/{kind}/{}/", self.account, self.region)
    }
}

/// What a chain of a trail is called beside the others: its Region, or `ACCOUNT/REGION` where the account is not the trail's.
pub(crate) fn chain_key<'a>(trail: &Trail, account: &str, region: &'a str) -> Cow<'a, str> {
    if account.is_empty() || account == trail.account_id {
        Cow::Borrowed(region)
    } else {
        Cow::Owned(format!("{account}/{region}"))
    }
}

/// The 16 mixed-case letters and digits that end a file's name: a function of the trail and of the range of journal
/// entries that the file holds (the sequence numbers of its first and last record), so that writing a file again
/// overwrites it. No two files of a trail share an entry; hence no two share a suffix, up to one chance in 62^16.
pub(crate) fn file_suffix(trail_arn: &str, account: &str, region: &str, first: u64, last: u64) -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut hash = Context::new(&SHA256);
    for text in [trail_arn, account, region] {
        hash.update(text.as_bytes());
        hash.update(&[0]);
    }
    hash.update(&first.to_be_bytes());
    hash.update(&last.to_be_bytes());
    let digest = hash.finish();
    let mut number = digest.as_ref().iter().take(16).fold(0u128, |number, byte| number << 8 | u128::from(*byte));
    let mut suffix = String::with_capacity(16);
    for _ in 0..16 {
        suffix.push(char::from(ALPHABET[(number % 62) as usize]));
        number /= 62;
    }
    suffix
}

/// A Region as it may stand in a key: a record's `awsRegion` comes from its caller, and may be anything.
pub(crate) fn is_region(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn chain<'a>(prefix: Option<&'a str>, account: &'a str, region: &'a str) -> ChainName<'a> {
        ChainName { prefix, organization: None, account, region, trail: "main", home_region: "eu-west-1" }
    }

    #[test]
    fn followers_of_trails_of_one_name_have_names_of_their_own() {
        let home = Home { account_id: "111122223333".to_owned(), region: "eu-west-1".to_owned() };
        let name = |region: &str, account: &str| home.follower_name("trail", &Trail::new(region, account, "t", "b", 0));
        assert_eq!(name("eu-west-1", "111122223333"), "trail/t");
        assert_eq!(name("us-east-1", "111122223333"), "trail/us-east-1/t");
        assert_eq!(name("eu-west-1", "444455556666"), "trail/444455556666/eu-west-1/t");
    }

    #[test]
    fn the_files_of_an_organization_lie_under_its_id() {
        let mut trail = Trail::new("eu-west-1", "111122223333", "main", "audit", 1);
        trail.organization = Some(registry::Organization { id: "o-exampleorgid".to_owned(), accounts: Vec::new() });
        assert_eq!(chain_key(&trail, "111122223333", "us-east-1"), "us-east-1");
        let key = chain_key(&trail, "444455556666", "us-east-1");
        assert_eq!(key, "444455556666/us-east-1");
        let (theirs, own) = (ChainName::of(&trail, &key), ChainName::of(&trail, "us-east-1"));
        assert_eq!(
            log_file_key(&theirs, Kind::Events, 1_768_471_323_000, "A6kvhMoVeCsc7v8U"),
            "AWSLogs/o-exampleorgid/444455556666/CloudTrail/us-east-1/2026/01/15/444455556666_CloudTrail_us-east-1_20260115T1000Z_A6kvhMoVeCsc7v8U.json.gz"
        );
        assert_eq!(
            log_file_key(&theirs, Kind::NetworkActivity, 1_768_471_323_000, "A6kvhMoVeCsc7v8U"),
            "AWSLogs/o-exampleorgid/444455556666/CloudTrail-NetworkActivity/us-east-1/2026/01/15/444455556666_CloudTrail-NetworkActivity_us-east-1_20260115T1000Z_A6kvhMoVeCsc7v8U.json.gz"
        );
        assert_eq!(
            digest_key(&own, EventTime(1_768_471_323), false),
            "AWSLogs/o-exampleorgid/111122223333/CloudTrail-Digest/us-east-1/2026/01/15/111122223333_CloudTrail-Digest_us-east-1_main_eu-west-1_20260115T100203Z.json.gz"
        );
    }

    /// Takes a real file name apart and puts it together again by our rule.
    fn check(name: &str, delivered: &str, prefix: Option<&str>, folder: &str) {
        let parts: Vec<&str> = name.trim_end_matches(".json.gz").split('_').collect();
        let ms = EventTime::parse(delivered).unwrap().0 as u64 * 1000 + 999;
        let key = log_file_key(&chain(prefix, parts[0], parts[2]), Kind::Events, ms, parts[4]);
        assert_eq!(key, format!("{folder}{name}"));
    }

    #[test]
    fn names_are_those_of_real_files() {
        check(
            "111111111111_CloudTrail_eu-central-1_20171211T1505Z_A6kvhMoVeCsc7v8U.json.gz",
            "2017-12-11T15:09:59Z",
            None,
            "AWSLogs/111111111111/CloudTrail/eu-central-1/2017/12/11/",
        );
        check(
            "218007301253_CloudTrail_us-east-1_20230710T1145Z_7xgocspSowgK0Gto.json.gz",
            "2023-07-10T11:45:00Z",
            Some("team/audit"),
            "team/audit/AWSLogs/218007301253/CloudTrail/us-east-1/2023/07/10/",
        );
    }

    #[test]
    fn a_suffix_never_changes() {
        // Stored names: another value here would make files of a crashed cut appear twice after an upgrade.
        let suffix =
            file_suffix("arn:aws:cloudtrail:eu-west-1:111122223333:trail/main", "111122223333", "eu-west-1", 7, 9);
        assert_eq!(suffix, "uUReUnG7VDRbgjnJ");
    }

    #[test]
    fn strange_regions_stay_out_of_keys() {
        assert!(is_region("eu-west-1") && is_region("apiso-centralnorth-2r"));
        for text in ["", "..", "a/b", "EU", "a b", "é", "a\u{0}", &"a".repeat(33)] {
            assert!(!is_region(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn suffixes_are_sixteen_letters_and_digits_and_differ(ranges in proptest::collection::hash_set((any::<u64>(), any::<u64>()), 1..50)) {
            let mut seen = HashSet::new();
            for (first, last) in ranges {
                let suffix = file_suffix("arn", "111122223333", "eu-west-1", first, last);
                prop_assert!(suffix.len() == 16 && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric()));
                prop_assert!(seen.insert(suffix));
            }
        }

        #[test]
        fn any_time_makes_a_name_of_the_same_shape(ms in 0u64..253_402_300_799_000) {
            let key = log_file_key(&chain(None, "111122223333", "eu-west-1"), Kind::Events, ms, "A6kvhMoVeCsc7v8U");
            let (folder, name) = key.rsplit_once('/').unwrap();
            let stamp = name.split('_').nth(3).unwrap();
            let date = format!("{}/{}/{}", &stamp[..4], &stamp[4..6], &stamp[6..8]);
            prop_assert!(folder.ends_with(&date));
            prop_assert_eq!(stamp.len(), "20171211T1505Z".len());
            prop_assert_eq!(stamp[11..13].parse::<u32>().unwrap() % 5, 0);
        }
    }
}
