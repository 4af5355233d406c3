//! Organizations: this version keeps none, and says so wherever one is asked for.

use super::error::ApiError;
use super::input::Input;

/// RegisterOrganizationDelegatedAdmin and DeregisterOrganizationDelegatedAdmin; `member` names the account.
///
/// # Errors
/// `InvalidParameterException` for what is no account, `OrganizationsNotInUseException` for every account.
pub(crate) fn delegate(input: &Input, member: &str) -> Result<(), ApiError> {
    let account = input.text(member)?.unwrap_or_default();
    if !(12..=16).contains(&account.len()) || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        let message = format!("{member} must have 12 to 16 digits.");
        return Err(ApiError::new("InvalidParameterException", message));
    }
    Err(not_in_use())
}

/// What is asked for needs an organization.
pub(crate) fn not_in_use() -> ApiError {
    let message = "Your account is not a member of an organization: OpenTrail keeps no organizations.";
    ApiError::new("OrganizationsNotInUseException", message)
}
