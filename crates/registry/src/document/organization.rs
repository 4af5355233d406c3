//! An organization: the accounts whose events its trails take, and who may change them beside the management account.

use super::Document;
use serde::{Deserialize, Serialize};

/// An organization as it stands on its trails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// `o-` and 10 to 32 lower-case letters and digits.
    pub id: String,
    /// The member accounts, 12 digits each, beside the management account; none: every account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<String>,
}

impl Organization {
    /// Whether an account is a member. The management account is not asked for here.
    pub fn has(&self, account: &str) -> bool {
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        is_account && (self.accounts.is_empty() || self.accounts.iter().any(|member| member == account))
    }
}

/// A member account that may change the organization's trails as the management account may. Key: the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelegatedAdministrator {
    /// 12 digits.
    pub account_id: String,
    /// The organization that it was registered for: in another one it means nothing.
    pub organization_id: String,
    /// When it was registered, milliseconds since the epoch.
    pub registered_ms: u64,
}

impl Document for DelegatedAdministrator {
    const KIND: &'static str = "delegated-administrator";

    fn key(&self) -> String {
        self.account_id.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_those_listed_or_every_account() {
        let of = |accounts: &[&str]| Organization {
            id: "o-exampleorgid".to_owned(),
            accounts: accounts.iter().map(|account| (*account).to_owned()).collect(),
        };
        assert!(of(&[]).has("444455556666") && !of(&[]).has("anonymous") && !of(&[]).has("../../../../.."));
        assert!(of(&["444455556666"]).has("444455556666") && !of(&["444455556666"]).has("777788889999"));
    }
}
