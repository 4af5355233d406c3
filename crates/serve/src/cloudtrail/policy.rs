//! PutResourcePolicy, GetResourcePolicy and DeleteResourcePolicy: event data stores, dashboards and channels have
//! policies, trails have none. No such resource can be made in this version, so that none is ever found.

use super::error::ApiError;
use super::input::Input;
use super::state::State;
use serde_json::{Value, json};

/// Characters of a policy (`reference/limits.md`).
const POLICY_MAX: usize = 8192;

/// PutResourcePolicy.
///
/// # Errors
/// `ResourcePolicyNotValidException` for what is no policy, and those of [`find`].
pub(crate) fn put(state: &State<'_>, input: &Input) -> Result<Value, ApiError> {
    let (arn, policy) = (resource(input)?, input.text("ResourcePolicy")?.unwrap_or_default());
    check_kind(arn)?;
    let is_policy = (1..=POLICY_MAX).contains(&policy.chars().count())
        && serde_json::from_str::<Value>(policy).is_ok_and(|policy| policy["Statement"].is_array());
    if !is_policy {
        let message = "The resource policy must be a JSON policy of at most 8192 characters with statements.";
        return Err(ApiError::new("ResourcePolicyNotValidException", message));
    }
    find(state, arn)
}

/// GetResourcePolicy and DeleteResourcePolicy.
///
/// # Errors
/// Those of [`find`].
pub(crate) fn get(state: &State<'_>, input: &Input) -> Result<Value, ApiError> {
    let arn = resource(input)?;
    check_kind(arn)?;
    find(state, arn)
}

fn resource(input: &Input) -> Result<&str, ApiError> {
    Ok(input.text("ResourceArn")?.unwrap_or_default())
}

fn check_kind(arn: &str) -> Result<(), ApiError> {
    let mut parts = arn.splitn(6, ':');
    let is_ours = parts.next() == Some("arn")
        && parts.next().is_some_and(|partition| partition.starts_with("aws"))
        && parts.next() == Some("cloudtrail")
        && parts.next().is_some_and(|region| !region.is_empty())
        && parts.next().is_some_and(|account| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()));
    let kind = parts.next().and_then(|resource| resource.split_once('/')).map(|(kind, _)| kind);
    match kind.filter(|_| is_ours) {
        Some("channel" | "eventdatastore" | "dashboard") => Ok(()),
        Some(kind) => {
            let message = format!("Resources of type {kind} have no resource-based policies.");
            Err(ApiError::new("ResourceTypeNotSupportedException", message))
        }
        None => {
            let message = format!("The resource ARN {arn} is not valid.");
            Err(ApiError::new("ResourceARNNotValidException", message))
        }
    }
}

fn find(state: &State<'_>, arn: &str) -> Result<Value, ApiError> {
    let message = format!("There is no {arn} in account {}.", state.account_id);
    Err(ApiError::new("ResourceNotFoundException", message)).map(|()| json!({}))
}
