//! A trail: which events go where.

use super::organization::Organization;
use super::{Document, Older};
use event::Selectors;
use serde::{Deserialize, Serialize};

/// A trail as CreateTrail and UpdateTrail leave it (`reference/trails-and-delivery.md` §2). Key: its ARN.
///
/// Text that is not set is `None`, never the empty string.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trail {
    /// `Name`.
    pub name: String,
    /// `HomeRegion`: where it was created.
    pub home_region: String,
    /// The account that owns it, 12 digits.
    pub account_id: String,
    /// `S3BucketName`.
    pub s3_bucket_name: String,
    /// `S3KeyPrefix`, without a slash at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3_key_prefix: Option<String>,
    /// `SnsTopicName`, as the caller spelled it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sns_topic_name: Option<String>,
    /// `SnsTopicARN`, expanded in the home Region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sns_topic_arn: Option<String>,
    /// `IncludeGlobalServiceEvents`.
    pub include_global_service_events: bool,
    /// `IsMultiRegionTrail`.
    pub is_multi_region_trail: bool,
    /// `LogFileValidationEnabled`.
    pub log_file_validation_enabled: bool,
    /// `CloudWatchLogsLogGroupArn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_watch_logs_log_group_arn: Option<String>,
    /// `CloudWatchLogsRoleArn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_watch_logs_role_arn: Option<String>,
    /// Sequence number of the first journal entry that the log group is to have: where the journal ended when the trail
    /// got one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_watch_logs_from: Option<u64>,
    /// `KmsKeyId`, a full key ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<String>,
    /// `IsOrganizationTrail`: then there is an [`organization`](Trail::organization).
    pub is_organization_trail: bool,
    /// Whose events it takes beside those of its own account, and whose name stands in its keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<Organization>,
    /// `RecursiveLogging`.
    pub recursive_logging: bool,
    /// What PutEventSelectors was given last; `None` when it never was: then the default selectors hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selectors: Option<Selectors>,
    /// Selectors, with what else says which events the trail takes, that were replaced, the earliest first: they still hold for
    /// what came before, as far as that is not delivered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced_selectors: Vec<ReplacedSelectors>,
    /// What PutInsightSelectors was given last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub insight_selectors: Vec<InsightSelector>,
    /// What PutEventConfiguration was given last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aggregations: Vec<Aggregation>,
    /// `TagsList`, in the order given.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// When it was created, milliseconds since the epoch. With the ARN it names this very trail, also among trails of
    /// the same name that came before.
    pub created_ms: u64,
    /// Whether and since when it logs.
    #[serde(default)]
    pub logging: Logging,
}

/// The most replaced selectors that a trail remembers: beyond, the earliest are forgotten.
const REPLACED_MAX: usize = 16;

/// Which events the trail took of the journal before an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplacedSelectors {
    /// Sequence number of the first journal entry for which they do not hold.
    pub until: u64,
    /// As [`Trail::selectors`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selectors: Option<Selectors>,
    /// As [`Trail::is_multi_region_trail`]; `None`, in documents of form 3, where it is as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_multi_region_trail: Option<bool>,
    /// As [`Trail::include_global_service_events`]; `None` as above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include_global_service_events: Option<bool>,
}

/// A kind of unusual activity that a trail is to tell of (`reference/trails-and-delivery.md` §6.6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InsightSelector {
    /// `ApiCallRateInsight` or `ApiErrorRateInsight`.
    pub insight_type: String,
    /// `Management`, `Data`; `None` when not given, which means management events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_categories: Option<Vec<String>>,
}

/// How data events are to be rolled up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Aggregation {
    /// `API_ACTIVITY`, `RESOURCE_ACCESS`, `USER_ACTIONS`.
    pub templates: Vec<String>,
    /// `Data`.
    pub event_category: String,
}

/// One tag of a trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// 1–128 characters.
    pub key: String,
    /// Up to 256 characters; a missing value stays missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// When a trail was told to log. The default is a new trail: never started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logging {
    /// `StartLoggingTime`: the latest start, milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_ms: Option<u64>,
    /// `StopLoggingTime`: the latest stop, milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_ms: Option<u64>,
    /// The stretches of the journal that are to be delivered, oldest first; those delivered long ago are forgotten at
    /// the next start. Only the last can be open. Several stand here when logging was stopped and started again faster
    /// than delivery followed.
    #[serde(default)]
    pub periods: Vec<Period>,
}

/// A stretch of the journal during which a trail logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// Sequence number of the first journal entry.
    pub from: u64,
    /// When it was stopped, milliseconds since the epoch: entries appended later are outside. `None`: it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_ms: Option<u64>,
}

impl Trail {
    /// A trail with the defaults of CreateTrail: for one Region, and not logging.
    pub fn new(home_region: &str, account_id: &str, name: &str, s3_bucket_name: &str, created_ms: u64) -> Trail {
        Trail {
            name: name.to_owned(),
            home_region: home_region.to_owned(),
            account_id: account_id.to_owned(),
            s3_bucket_name: s3_bucket_name.to_owned(),
            s3_key_prefix: None,
            sns_topic_name: None,
            sns_topic_arn: None,
            include_global_service_events: true,
            is_multi_region_trail: false,
            log_file_validation_enabled: false,
            cloud_watch_logs_log_group_arn: None,
            cloud_watch_logs_role_arn: None,
            cloud_watch_logs_from: None,
            kms_key_id: None,
            is_organization_trail: false,
            organization: None,
            recursive_logging: true,
            selectors: None,
            replaced_selectors: Vec::new(),
            insight_selectors: Vec::new(),
            aggregations: Vec::new(),
            tags: Vec::new(),
            created_ms,
            logging: Logging::default(),
        }
    }

    /// PutEventSelectors, when the journal ends at `journal_end` and everything before `delivered` has been dealt with
    /// ([`DeliveryState::next`](crate::DeliveryState::next)): what came before is still judged by the selectors it came under.
    pub fn select(&mut self, selectors: Selectors, journal_end: u64, delivered: u64) {
        let before = self.clone();
        self.selectors = Some(selectors);
        self.remember(&before, journal_end, delivered);
    }

    /// Any change of which events it takes, made to the trail as it was `before`; the rest as for [`Trail::select`].
    pub fn remember(&mut self, before: &Trail, journal_end: u64, delivered: u64) {
        let taken = |trail: &Trail| (trail.is_multi_region_trail, trail.include_global_service_events);
        if taken(before) == taken(self) && before.selectors == self.selectors {
            return;
        }
        for earlier in &mut self.replaced_selectors {
            earlier.is_multi_region_trail.get_or_insert(before.is_multi_region_trail);
            earlier.include_global_service_events.get_or_insert(before.include_global_service_events);
        }
        self.replaced_selectors.push(ReplacedSelectors {
            until: journal_end,
            selectors: before.selectors.clone(),
            is_multi_region_trail: Some(before.is_multi_region_trail),
            include_global_service_events: Some(before.include_global_service_events),
        });
        let has_logged = !self.logging.periods.is_empty();
        self.replaced_selectors.retain(|earlier| has_logged && earlier.until > delivered);
        let surplus = self.replaced_selectors.len().saturating_sub(REPLACED_MAX);
        self.replaced_selectors.drain(..surplus);
    }

    /// Whether an event of an account is one of its own: those that tell no account are.
    pub fn has_account(&self, account: &str) -> bool {
        account.is_empty()
            || account == self.account_id
            || self.organization.as_ref().is_some_and(|organization| organization.has(account))
    }

    /// `arn:PARTITION:cloudtrail:REGION:ACCOUNT:trail/NAME`.
    pub fn arn(&self) -> String {
        Trail::arn_of(&self.home_region, &self.account_id, &self.name)
    }

    /// The ARN of the trail with that home Region, account and name.
    pub fn arn_of(home_region: &str, account_id: &str, name: &str) -> String {
        format!("arn:{}:cloudtrail:{home_region}:{account_id}:trail/{name}", event::partition_of(home_region))
    }
}

impl Logging {
    /// `IsLogging`.
    pub fn is_on(&self) -> bool {
        self.periods.last().is_some_and(|period| period.stopped_ms.is_none())
    }

    /// StartLogging at `now_ms`, when the journal ends at `journal_end` and everything before `delivered` has been
    /// dealt with ([`DeliveryState::next`](crate::DeliveryState::next); 0 when there is no such state). Does nothing when logging is
    /// on already.
    pub fn start(&mut self, journal_end: u64, now_ms: u64, delivered: u64) {
        if self.is_on() {
            return;
        }
        // A period is over for good once delivery has passed the place where the one after it begins.
        let begins: Vec<u64> = self.periods.iter().skip(1).map(|next| next.from).chain([journal_end]).collect();
        let mut begins = begins.into_iter();
        self.periods.retain(|_| begins.next().is_some_and(|next_begins| delivered < next_begins));
        self.periods.push(Period { from: journal_end, stopped_ms: None });
        self.started_ms = Some(now_ms);
    }

    /// StopLogging at `now_ms`. Does nothing when logging is off already.
    pub fn stop(&mut self, now_ms: u64) {
        if let Some(period) = self.periods.last_mut().filter(|period| period.stopped_ms.is_none()) {
            period.stopped_ms = Some(now_ms);
            self.stopped_ms = Some(now_ms);
        }
    }
}

impl Document for Trail {
    const KIND: &'static str = "trail";
    /// The second form has selectors, the third an organization, and selectors may leave out which sources they exclude; in the
    /// fourth what was replaced tells Regions and global service events: a program that knows only earlier ones must not deliver
    /// such a trail.
    const FORM: u32 = 4;
    /// Selectors may have three megabytes, and those that were replaced are kept until delivery has passed them.
    const BODY_MAX: usize = 64 << 20;

    fn key(&self) -> String {
        self.arn()
    }

    /// Earlier forms have the same members, but for those that came with the later ones.
    fn from_older(form: u32, body: &str) -> Result<Self, Older> {
        match form {
            1..=3 => Ok(serde_json::from_str(body)?),
            _ => Err(Older::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logging_follows_start_and_stop_and_repeats_do_nothing() {
        let mut logging = Logging::default();
        assert!(!logging.is_on());
        logging.stop(1);
        assert_eq!(logging, Logging::default(), "what never started cannot stop");
        logging.start(10, 100, 0);
        let started = logging.clone();
        logging.start(11, 101, 0);
        assert_eq!(logging, started);
        assert!(logging.is_on());
        logging.stop(200);
        let stopped = logging.clone();
        logging.stop(201);
        assert_eq!(logging, stopped);
        assert_eq!((logging.is_on(), logging.started_ms, logging.stopped_ms), (false, Some(100), Some(200)));
    }

    #[test]
    fn replaced_selectors_are_remembered_until_what_they_hold_for_is_delivered() {
        let mut trail = Trail::new("eu-west-1", "111122223333", "main", "audit", 1);
        let none = || Selectors::Basic(Vec::new());
        trail.select(none(), 10, 0);
        assert_eq!(trail.replaced_selectors, [], "it has never logged");
        trail.logging.start(10, 100, 0);
        trail.select(none(), 20, 10);
        assert_eq!(trail.replaced_selectors, [], "the same selectors replace nothing");
        let until = |trail: &Trail| trail.replaced_selectors.iter().map(|earlier| earlier.until).collect::<Vec<_>>();
        trail.select(Selectors::default(), 30, 10);
        trail.select(none(), 40, 10);
        assert_eq!(until(&trail), [30, 40]);
        assert_eq!(trail.replaced_selectors[1].selectors, Some(Selectors::default()));
        trail.select(Selectors::default(), 50, 30);
        assert_eq!(until(&trail), [40, 50]);
        for journal_end in 60..100 {
            trail.select(if journal_end % 2 == 0 { none() } else { Selectors::default() }, journal_end, 30);
        }
        assert_eq!(trail.replaced_selectors.len(), REPLACED_MAX);
        assert_eq!(until(&trail).last(), Some(&99));
    }

    #[test]
    fn a_period_is_remembered_until_it_is_delivered() {
        let mut logging = Logging::default();
        logging.start(10, 100, 0);
        logging.stop(200);
        logging.start(30, 300, 20);
        assert_eq!(logging.periods.len(), 2, "delivery stands at 20 and has not passed 30");
        logging.stop(400);
        logging.start(50, 500, 30);
        let from: Vec<u64> = logging.periods.iter().map(|period| period.from).collect();
        assert_eq!(from, [30, 50], "delivery has passed the first period only");
    }
}
