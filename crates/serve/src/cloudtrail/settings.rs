//! CreateTrail and UpdateTrail: from what a caller asks for to the trail as it will stand
//! (`reference/trails-and-delivery.md §2–4`). Nothing is touched here; the bucket is tried afterwards.

use super::arn::{TrailRef, check_name};
use super::destination::{check_bucket, check_key, check_logs, check_prefix, check_topic, topic_arn};
use super::error::ApiError;
use super::input::Input;
use super::organization;
use super::state::{State, TRAILS_PER_REGION};
use super::tags;
use registry::{Trail, Version};

/// The trail that CreateTrail asks for.
///
/// # Errors
/// The first rule that it breaks: syntax, then combinations, then what stands there already.
pub(crate) fn create(state: &State<'_>, input: &Input, journal_end: u64, now_ms: u64) -> Result<Trail, ApiError> {
    let wish = Wish::read(input)?;
    let name = wish.name;
    if name.starts_with("arn:") {
        return Err(ApiError::new("InvalidTrailNameException", "A trail is created by its name, not by an ARN."));
    }
    check_name(name)?;
    let bucket = wish.s3_bucket_name.unwrap_or_default();
    // An organization's trail belongs to its management account, whoever makes it.
    let of_organization = wish.is_organization_trail.unwrap_or(false).then(|| organization::administered(state));
    let membership = of_organization.as_ref().and_then(|administered| administered.as_ref().ok().copied());
    let caller = state.account_id;
    let state = &membership.map_or_else(|| state.clone(), |membership| state.of_account(membership.management));
    let trail = Trail {
        s3_key_prefix: wish.s3_key_prefix.and_then(set),
        sns_topic_name: wish.sns_topic_name.and_then(set),
        include_global_service_events: wish.include_global_service_events.unwrap_or(true),
        is_multi_region_trail: wish.is_multi_region_trail.unwrap_or(false),
        log_file_validation_enabled: wish.enable_log_file_validation.unwrap_or(false),
        cloud_watch_logs_log_group_arn: wish.cloud_watch_logs_log_group_arn.and_then(set),
        cloud_watch_logs_role_arn: wish.cloud_watch_logs_role_arn.and_then(set),
        kms_key_id: wish.kms_key_id.and_then(set),
        is_organization_trail: membership.is_some(),
        organization: membership.map(|membership| membership.organization.clone()),
        recursive_logging: wish.recursive_logging.unwrap_or(true),
        tags: tags::read(input)?,
        ..Trail::new(state.region, state.account_id, name, bucket, now_ms)
    };
    let mut trail = checked(trail, Some(caller))?;
    check_name_is_free(state, &trail, None)?;
    check_room(state, &trail)?;
    of_organization.transpose()?;
    begin_logs(&mut trail, None, journal_end);
    Ok(trail)
}

/// The trail that UpdateTrail leaves, and the version that it replaces: what is not given stays, what is given empty is
/// cleared.
///
/// # Errors
/// The first rule that it breaks.
pub(crate) fn update(
    state: &State<'_>,
    input: &Input,
    journal_end: u64,
    delivered: impl Fn(&Trail) -> u64,
) -> Result<(Trail, Version), ApiError> {
    let wish = Wish::read(input)?;
    TrailRef::parse(wish.name)?;
    let found = state.to_change(wish.name)?;
    let mut trail = Trail::clone(found);
    if let Some(bucket) = wish.s3_bucket_name {
        trail.s3_bucket_name = bucket.to_owned();
    }
    if let Some(prefix) = wish.s3_key_prefix {
        trail.s3_key_prefix = set(prefix);
    }
    if let Some(topic) = wish.sns_topic_name {
        trail.sns_topic_name = set(topic);
    }
    if let Some(key) = wish.kms_key_id {
        trail.kms_key_id = set(key);
    }
    update_logs(&mut trail, wish.cloud_watch_logs_log_group_arn, wish.cloud_watch_logs_role_arn);
    if let Some(multi_region) = wish.is_multi_region_trail {
        if multi_region != trail.is_multi_region_trail {
            trail.include_global_service_events = multi_region;
        }
        trail.is_multi_region_trail = multi_region;
    }
    trail.include_global_service_events =
        wish.include_global_service_events.unwrap_or(trail.include_global_service_events);
    trail.log_file_validation_enabled = wish.enable_log_file_validation.unwrap_or(trail.log_file_validation_enabled);
    trail.recursive_logging = wish.recursive_logging.unwrap_or(trail.recursive_logging);
    // What stands there already may be of another account, which named it.
    let is_other_group = trail.cloud_watch_logs_log_group_arn != found.cloud_watch_logs_log_group_arn;
    let mut trail = checked(trail, is_other_group.then_some(state.account_id))?;
    if trail.is_multi_region_trail && !found.is_multi_region_trail {
        let state = &state.of_account(&found.document.account_id);
        check_name_is_free(state, &trail, Some(found))?;
        check_room(state, &trail)?;
    }
    update_organization(state, &mut trail, wish.is_organization_trail)?;
    begin_logs(&mut trail, Some(found), journal_end);
    trail.remember(found, journal_end, delivered(found));
    Ok((trail, found.version))
}

/// A trail of the management account can become its organization's, and leave it again.
fn update_organization(state: &State<'_>, trail: &mut Trail, wish: Option<bool>) -> Result<(), ApiError> {
    let Some(wish) = wish.filter(|wish| *wish != trail.is_organization_trail) else { return Ok(()) };
    let membership = organization::administered(state)?;
    if trail.account_id != membership.management {
        let message =
            format!("Only trails of the management account {} can be the organization's.", membership.management);
        return Err(ApiError::new("NotOrganizationMasterAccountException", message));
    }
    trail.is_organization_trail = wish;
    trail.organization = wish.then(|| membership.organization.clone());
    Ok(())
}

/// Clearing either of the pair clears both; one empty beside one that is not is left for the pair's check to refuse.
fn update_logs(trail: &mut Trail, group: Option<&str>, role: Option<&str>) {
    let all_empty = |one: Option<&str>, other: Option<&str>| one == Some("") && other.is_none_or(str::is_empty);
    if all_empty(group, role) || all_empty(role, group) {
        trail.cloud_watch_logs_log_group_arn = None;
        trail.cloud_watch_logs_role_arn = None;
        return;
    }
    if let Some(group) = group {
        trail.cloud_watch_logs_log_group_arn = set(group);
    }
    if let Some(role) = role {
        trail.cloud_watch_logs_role_arn = set(role);
    }
}

/// A log group has the events from the call on that gave it to the trail; another one in its place has what the first has not.
fn begin_logs(trail: &mut Trail, before: Option<&Trail>, journal_end: u64) {
    let begun = before.filter(|before| before.cloud_watch_logs_log_group_arn.is_some());
    trail.cloud_watch_logs_from = match (&trail.cloud_watch_logs_log_group_arn, begun) {
        (None, _) => None,
        (Some(_), None) => Some(journal_end),
        (Some(_), Some(before)) => before.cloud_watch_logs_from,
    };
}

/// Checks a trail as it will stand, in AWS's order as far as it is known, and fills in what follows from the rest. A log group
/// that is new is of the account of who names it (`reference/trails-and-delivery.md §5`).
fn checked(mut trail: Trail, owner_of_group: Option<&str>) -> Result<Trail, ApiError> {
    check_bucket(&trail.s3_bucket_name)?;
    trail.s3_key_prefix.as_deref().map(|prefix| check_prefix(prefix, &trail.name)).transpose()?;
    // The key puts a slash at its end.
    trail.s3_key_prefix = trail.s3_key_prefix.and_then(|prefix| set(prefix.trim_end_matches('/')));
    trail.sns_topic_name.as_deref().map(check_topic).transpose()?;
    check_logs(
        trail.cloud_watch_logs_log_group_arn.as_deref(),
        trail.cloud_watch_logs_role_arn.as_deref(),
        &trail.home_region,
        owner_of_group,
    )?;
    trail.kms_key_id.as_deref().map(check_key).transpose()?;
    if trail.is_multi_region_trail && !trail.include_global_service_events {
        let message = "Multi-Region trail must include global service events.";
        return Err(ApiError::new("InvalidParameterCombinationException", message));
    }
    trail.sns_topic_arn =
        trail.sns_topic_name.as_deref().map(|topic| topic_arn(topic, &trail.home_region, &trail.account_id));
    Ok(trail)
}

/// No two trails of one name are present in a Region: neither this one and a shadow, nor a shadow of this one and another.
/// `itself` is the trail as it stood, if it is one that changes.
fn check_name_is_free(state: &State<'_>, trail: &Trail, itself: Option<&Trail>) -> Result<(), ApiError> {
    let meets = |other: &Trail| {
        other.name == trail.name
            && (other.home_region == trail.home_region || other.is_multi_region_trail || trail.is_multi_region_trail)
    };
    let is_itself = |other: &Trail| itself.is_some_and(|itself| itself.arn() == other.arn());
    if !state.own().any(|other| meets(other) && !is_itself(other)) {
        return Ok(());
    }
    let message = format!("Trail {} already exists for customer: {}", trail.name, state.account_id);
    Err(ApiError::new("TrailAlreadyExistsException", message))
}

/// A new trail needs a place in its Region; a multi-Region trail one in every Region.
fn check_room(state: &State<'_>, trail: &Trail) -> Result<(), ApiError> {
    let mut regions = vec![state.region];
    if trail.is_multi_region_trail {
        regions.extend(state.own().map(|other| other.document.home_region.as_str()));
    }
    let is_other = |other: &Trail| other.name != trail.name || other.home_region != trail.home_region;
    let others = |region: &str| state.present_in(region).filter(|other| is_other(other)).count();
    match regions.into_iter().find(|region| others(region) >= TRAILS_PER_REGION) {
        None => Ok(()),
        Some(region) => {
            let message = format!("User: {} already has {TRAILS_PER_REGION} trails in {region}.", state.account_id);
            Err(ApiError::new("MaximumNumberOfTrailsExceededException", message))
        }
    }
}

/// Text that is set; the empty text is none.
fn set(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// The members that CreateTrail and UpdateTrail share, `None` where absent.
struct Wish<'a> {
    name: &'a str,
    s3_bucket_name: Option<&'a str>,
    s3_key_prefix: Option<&'a str>,
    sns_topic_name: Option<&'a str>,
    include_global_service_events: Option<bool>,
    is_multi_region_trail: Option<bool>,
    enable_log_file_validation: Option<bool>,
    cloud_watch_logs_log_group_arn: Option<&'a str>,
    cloud_watch_logs_role_arn: Option<&'a str>,
    kms_key_id: Option<&'a str>,
    is_organization_trail: Option<bool>,
    recursive_logging: Option<bool>,
}

impl<'a> Wish<'a> {
    fn read(input: &'a Input) -> Result<Wish<'a>, ApiError> {
        Ok(Wish {
            name: input.text("Name")?.unwrap_or_default(),
            s3_bucket_name: input.text("S3BucketName")?,
            s3_key_prefix: input.text("S3KeyPrefix")?,
            sns_topic_name: input.text("SnsTopicName")?,
            include_global_service_events: input.boolean("IncludeGlobalServiceEvents")?,
            is_multi_region_trail: input.boolean("IsMultiRegionTrail")?,
            enable_log_file_validation: input.boolean("EnableLogFileValidation")?,
            cloud_watch_logs_log_group_arn: input.text("CloudWatchLogsLogGroupArn")?,
            cloud_watch_logs_role_arn: input.text("CloudWatchLogsRoleArn")?,
            kms_key_id: input.text("KmsKeyId")?,
            is_organization_trail: input.boolean("IsOrganizationTrail")?,
            recursive_logging: input.boolean("RecursiveLogging")?,
        })
    }
}
