//! What the first start leaves behind: the default trail and its bucket (README, "Quick start").

use crate::config::Config;
use crate::objects::Buckets;
use registry::{Expected, Logging, Meta, Organization, Registry, RegistryError, Trail};
use std::time::Duration;

/// Name of the default management trail.
const DEFAULT_TRAIL: &str = "management-events";
/// Waits between tries to make the bucket, while an upstream is not up yet.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// The bucket of the default trail.
pub(crate) fn default_bucket(account: &str) -> String {
    format!("opentrail-logs-{account}")
}

/// Refuses a folder of another account, before anything in it is changed.
///
/// # Errors
/// Whose it is, or what the registry says.
pub(crate) fn check_account(registry: &Registry, config: &Config) -> anyhow::Result<()> {
    if let Some(meta) = registry.get::<Meta>(Meta::KEY)? {
        anyhow::ensure!(
            meta.account_id == config.account,
            "{} belongs to account {}, not {}; start with --account {} or choose another --data-dir",
            config.data_dir.display(),
            meta.account_id,
            config.account,
            meta.account_id,
        );
    }
    Ok(())
}

/// Makes a data folder that account's: at the first start the default trail is created, logging from `journal_end` on.
/// The mark that it is done comes last, so that a start that was cut off is made up for, and a trail that was deleted
/// later stays deleted.
///
/// # Errors
/// What the registry says.
pub(crate) fn settle_in(registry: &Registry, config: &Config, journal_end: u64, now_ms: u64) -> anyhow::Result<()> {
    if registry.get::<Meta>(Meta::KEY)?.is_some() {
        return Ok(());
    }
    match registry.put(default_trail(config, journal_end, now_ms), Expected::Absent) {
        Ok(_) | Err(RegistryError::Conflict { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    registry.put(Meta { account_id: config.account.clone(), created_ms: now_ms }, Expected::Absent)?;
    Ok(())
}

/// Brings the organization's trails to the organization as it is now. Without one they become trails of the management
/// account alone, as in AWS when the trusted access of CloudTrail is taken away.
///
/// # Errors
/// What the registry says.
pub(crate) fn follow_organization(
    registry: &Registry,
    organization: Option<&Organization>,
) -> Result<(), RegistryError> {
    for found in registry.list::<Trail>()? {
        if found.is_organization_trail && found.organization.as_ref() != organization {
            tracing::warn!(
                trail = found.arn(),
                was = found.organization.as_ref().map(|was| was.id.as_str()),
                is = organization.map(|is| is.id.as_str()),
                "the organization of a trail has changed"
            );
            let is_organization_trail = organization.is_some();
            let organization = organization.cloned();
            let trail = Trail { is_organization_trail, organization, ..Trail::clone(&found) };
            registry.put(trail, Expected::At(found.version))?;
        }
    }
    Ok(())
}

/// `management-events`: all Regions, management events, validation on.
fn default_trail(config: &Config, journal_end: u64, now_ms: u64) -> Trail {
    let mut logging = Logging::default();
    logging.start(journal_end, now_ms, 0);
    Trail {
        is_multi_region_trail: true,
        log_file_validation_enabled: true,
        logging,
        ..Trail::new(&config.region, &config.account, DEFAULT_TRAIL, &default_bucket(&config.account), now_ms)
    }
}

/// Refuses trails that an earlier version kept under an ARN of another partition than their Region's: they could be neither
/// changed nor deleted, and would be delivered again from the beginning.
///
/// # Errors
/// One that names the trail and the remedy.
pub(crate) fn check_partitions(registry: &Registry) -> anyhow::Result<()> {
    for trail in registry.list::<Trail>()? {
        anyhow::ensure!(
            registry.get::<Trail>(&trail.arn())?.is_some(),
            "the trail {} was made by an earlier version, which named it in the partition `aws`: start that version, delete \
             the trail, and make it anew with this one",
            trail.arn(),
        );
    }
    Ok(())
}

/// The default trail's bucket, if there is a trail that delivers to it: one that was deleted with its trail stays deleted.
///
/// # Errors
/// What the registry says.
pub(crate) fn wanted_bucket(registry: &Registry, account: &str) -> Result<Option<String>, RegistryError> {
    let bucket = default_bucket(account);
    let is_wanted = registry.list::<Trail>()?.iter().any(|trail| trail.s3_bucket_name == bucket);
    Ok(is_wanted.then_some(bucket))
}

/// Makes the default trail's bucket, however long its store takes to come up, while it is wanted.
pub(crate) async fn ensure_bucket(buckets: Buckets, bucket: String, is_wanted: impl Fn() -> bool) {
    let (mut wait, longest) = RETRY;
    while is_wanted() {
        let Err(error) = buckets.create_bucket(&bucket).await else { return };
        tracing::warn!(bucket, %error, "cannot make the bucket of the default trail yet");
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_is_made_for_as_long_as_a_trail_delivers_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(&folder.path().join("registry")).unwrap();
        let account = "111122223333";
        let wanted = || wanted_bucket(&registry, account).unwrap();
        registry.put(Trail::new("eu-west-1", account, "other", "elsewhere", 0), Expected::Absent).unwrap();
        assert_eq!(wanted(), None);
        let trail = Trail::new("eu-west-1", account, "any", &default_bucket(account), 0);
        let version = registry.put(trail.clone(), Expected::Absent).unwrap();
        assert_eq!(wanted(), Some(default_bucket(account)));
        registry.delete::<Trail>(&trail.arn(), version).unwrap();
        assert_eq!(wanted(), None);
    }
}
