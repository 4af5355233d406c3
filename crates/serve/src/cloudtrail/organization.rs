//! Organizations (`reference/trails-and-delivery.md §5`): who may make and change trails that take the events of all
//! accounts, and who only sees them.

use super::error::ApiError;
use super::input::Input;
use super::state::State;
use registry::{DelegatedAdministrator, Organization};

/// Delegated administrators of an organization (`reference/trails-and-delivery.md §4`).
const ADMINISTRATORS_MAX: usize = 3;

/// The organization of this house, as one call sees it.
#[derive(Debug, Clone)]
pub(crate) struct Membership<'a> {
    pub(crate) organization: &'a Organization,
    /// The management account, which owns the organization's trails.
    pub(crate) management: &'a str,
    /// The accounts that may change them beside it.
    pub(crate) administrators: Vec<String>,
}

impl Membership<'_> {
    /// Whether an account sees the organization's trails.
    pub(crate) fn includes(&self, account: &str) -> bool {
        account == self.management || self.organization.has(account)
    }

    fn is_administrator(&self, account: &str) -> bool {
        account == self.management || self.administrators.iter().any(|other| other == account)
    }
}

/// The organization, for a caller who may make and change its trails: its management account, or an administrator that was
/// registered.
///
/// # Errors
/// `OrganizationsNotInUseException` without an organization, `NotOrganizationMasterAccountException` for other members.
pub(crate) fn administered<'s, 'a>(state: &'s State<'a>) -> Result<&'s Membership<'a>, ApiError> {
    let membership = state.organization.as_ref().ok_or_else(not_in_use)?;
    if membership.is_administrator(state.account_id) {
        return Ok(membership);
    }
    let message = format!(
        "Account {} is neither the management account nor a delegated administrator of organization {}.",
        state.account_id, membership.organization.id
    );
    Err(ApiError::new("NotOrganizationMasterAccountException", message))
}

/// The administrator that RegisterOrganizationDelegatedAdmin makes.
///
/// # Errors
/// `InvalidParameterException` for what is no account, those of [`managed`], and one for each rule.
pub(crate) fn register(
    state: &State<'_>,
    input: &Input,
    registered_ms: u64,
) -> Result<DelegatedAdministrator, ApiError> {
    let account = account(input, "MemberAccountId")?;
    let membership = managed(state)?;
    let refuse = |code, message: String| Err(ApiError::new(code, message));
    if account == membership.management {
        let message = format!("{account} is the management account, which needs no delegation.");
        return refuse("CannotDelegateManagementAccountException", message);
    }
    if !membership.organization.has(account) {
        let message = format!("{account} is no member of organization {}.", membership.organization.id);
        return refuse("AccountNotFoundException", message);
    }
    if membership.administrators.iter().any(|other| other == account) {
        let message = format!("{account} is a delegated administrator already.");
        return refuse("AccountRegisteredException", message);
    }
    if membership.administrators.len() >= ADMINISTRATORS_MAX {
        let message = format!("An organization can have at most {ADMINISTRATORS_MAX} delegated administrators.");
        return refuse("DelegatedAdminAccountLimitExceededException", message);
    }
    let organization_id = membership.organization.id.clone();
    Ok(DelegatedAdministrator { account_id: account.to_owned(), organization_id, registered_ms })
}

/// The account whose registration DeregisterOrganizationDelegatedAdmin takes back.
///
/// # Errors
/// `InvalidParameterException` for what is no account, those of [`managed`], `AccountNotRegisteredException`.
pub(crate) fn deregister(state: &State<'_>, input: &Input) -> Result<String, ApiError> {
    let account = account(input, "DelegatedAdminAccountId")?;
    let membership = managed(state)?;
    if membership.administrators.iter().any(|other| other == account) {
        return Ok(account.to_owned());
    }
    let message = format!("{account} is not registered as a delegated administrator.");
    Err(ApiError::new("AccountNotRegisteredException", message))
}

/// The organization, for a caller of its management account.
fn managed<'s, 'a>(state: &'s State<'a>) -> Result<&'s Membership<'a>, ApiError> {
    let membership = state.organization.as_ref().ok_or_else(not_in_use)?;
    if state.account_id == membership.management {
        return Ok(membership);
    }
    let message = format!("Only the management account {} can delegate administration.", membership.management);
    Err(ApiError::new("NotOrganizationManagementAccountException", message))
}

fn account<'i>(input: &'i Input, member: &str) -> Result<&'i str, ApiError> {
    let account = input.text(member)?.unwrap_or_default();
    if (12..=16).contains(&account.len()) && account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(account);
    }
    Err(ApiError::new("InvalidParameterException", format!("{member} must have 12 to 16 digits.")))
}

/// What is asked for needs an organization.
fn not_in_use() -> ApiError {
    let message = "Your account is not a member of an organization: OpenTrail was started without --organization.";
    ApiError::new("OrganizationsNotInUseException", message)
}
