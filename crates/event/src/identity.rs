//! Who made a call: the `userIdentity` element (`reference/event-record.md`, section 3).

use serde::{Deserialize, Serialize};

/// `userIdentity.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum IdentityType {
    /// The account root.
    Root,
    /// A user of the account, by long-term or GetSessionToken keys.
    IAMUser,
    /// A session of a role.
    AssumedRole,
    /// A role without a session.
    Role,
    /// A GetFederationToken session.
    FederatedUser,
    /// A caller of a directory service.
    Directory,
    /// Another account, or nobody (`ANONYMOUS_PRINCIPAL`).
    AWSAccount,
    /// An account that belongs to an AWS service.
    AWSService,
    /// A user of IAM Identity Center.
    IdentityCenterUser,
    /// The subject of AssumeRoleWithSAML.
    SAMLUser,
    /// The subject of AssumeRoleWithWebIdentity.
    WebIdentityUser,
    /// Undetermined: a key that nobody has told us about.
    Unknown,
}

/// One `userIdentity` element, serialised in the member order of real log files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// What kind of principal this is. `None` only in service events.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none", default)]
    pub identity_type: Option<IdentityType>,
    /// `AIDA…`, `AROA…:session`, an account id, …
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub principal_id: Option<String>,
    /// ARN of the principal.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub arn: Option<String>,
    /// Account that owns the principal (12 digits).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub account_id: Option<String>,
    /// The access key that signed the call.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub access_key_id: Option<String>,
    /// Friendly name, where the type has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_name: Option<String>,
    /// Present for temporary credentials.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session_context: Option<SessionContext>,
    /// DNS name of the AWS service that made the call with this principal's authority.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub invoked_by: Option<String>,
    /// The external identity provider of SAML and web identities.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub identity_provider: Option<String>,
}

/// `userIdentity.sessionContext`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionContext {
    /// Who issued the session; absent for MFA sessions of users since event version 1.09.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session_issuer: Option<SessionIssuer>,
    /// Where a web identity came from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub web_id_federation_data: Option<WebIdFederationData>,
    /// When the session began and whether with MFA.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub attributes: Option<SessionAttributes>,
    /// The `SourceIdentity` carried through role chains.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source_identity: Option<String>,
}

/// `sessionContext.sessionIssuer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionIssuer {
    /// `Root`, `IAMUser` or `Role`.
    #[serde(rename = "type")]
    pub issuer_type: String,
    /// Unique id of the issuer, where known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub principal_id: Option<String>,
    /// ARN with path.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub arn: Option<String>,
    /// Account of the issuer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub account_id: Option<String>,
    /// Name of the user or role.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user_name: Option<String>,
}

/// `sessionContext.webIdFederationData`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebIdFederationData {
    /// ARN or host name of the identity provider.
    pub federated_provider: String,
    /// Such as `accounts.google.com:aud`.
    pub attributes: std::collections::BTreeMap<String, String>,
}

/// `sessionContext.attributes`: strings, as CloudTrail writes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionAttributes {
    /// ISO time, UTC seconds, when the session was created.
    pub creation_date: String,
    /// `"true"` or `"false"`.
    pub mfa_authenticated: String,
}

impl Identity {
    /// An identity of which only the type is known.
    pub fn of_type(identity_type: IdentityType) -> Identity {
        Identity {
            identity_type: Some(identity_type),
            principal_id: None,
            arn: None,
            account_id: None,
            access_key_id: None,
            user_name: None,
            session_context: None,
            invoked_by: None,
            identity_provider: None,
        }
    }

    /// A user of this account.
    pub fn iam_user(account_id: &str, user_name: &str, principal_id: &str, access_key_id: &str) -> Identity {
        Identity {
            principal_id: Some(principal_id.to_owned()),
            arn: Some(format!("arn:aws:iam::{account_id}:user/{user_name}")),
            account_id: Some(account_id.to_owned()),
            access_key_id: Some(access_key_id.to_owned()),
            user_name: Some(user_name.to_owned()),
            ..Identity::of_type(IdentityType::IAMUser)
        }
    }

    /// Nobody: how CloudTrail writes an unsigned S3 request.
    pub fn anonymous() -> Identity {
        Identity {
            principal_id: Some(String::new()),
            account_id: Some("ANONYMOUS_PRINCIPAL".to_owned()),
            ..Identity::of_type(IdentityType::AWSAccount)
        }
    }
}
