//! Who made a call: the `userIdentity` element (`reference/event-record.md`, section 3).

use serde::{Deserialize, Deserializer, Serialize};

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

/// One `userIdentity` element, serialised in the member order of real log files. The objects without members that stood in
/// records before version 1.09 are read as absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "unless_empty")]
    pub session_context: Option<SessionContext>,
    /// DNS name of the AWS service that made the call with this principal's authority.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub invoked_by: Option<String>,
    /// The external identity provider of SAML and web identities.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub identity_provider: Option<String>,
    /// The Identity Center user for whom the call was made.
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "unless_empty")]
    pub on_behalf_of: Option<OnBehalfOf>,
    /// Which bearer token was used; only for requests with one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub credential_id: Option<String>,
    /// The function or instance to which the credentials were issued.
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "unless_empty")]
    pub in_scope_of: Option<InScopeOf>,
    /// The account that calls with temporary delegation.
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "unless_empty")]
    pub invoked_by_delegate: Option<InvokedByDelegate>,
}

/// `userIdentity.onBehalfOf`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OnBehalfOf {
    /// Id of the user in the identity store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// ARN of the identity store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_store_arn: Option<String>,
}

/// `userIdentity.inScopeOf`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InScopeOf {
    /// ARN of the resource that asked for the credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_arn: Option<String>,
    /// Account of that resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_account: Option<String>,
    /// Such as `AWS::Lambda::Function`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer_type: Option<String>,
    /// ARN of the function or instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials_issued_to: Option<String>,
    /// Version of the function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials_issued_to_version: Option<String>,
}

/// `userIdentity.invokedByDelegate`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InvokedByDelegate {
    /// Account of the delegate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
}

/// Reads an object; one without members is none (`reference/event-record.md` §3.1: until 1.08 such stood there).
fn unless_empty<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default + PartialEq,
{
    Ok(Option::<T>::deserialize(deserializer)?.filter(|value| *value != T::default()))
}

/// `userIdentity.sessionContext`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionContext {
    /// Who issued the session; absent for MFA sessions of users since event version 1.09.
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "unless_empty")]
    pub session_issuer: Option<SessionIssuer>,
    /// Where a web identity came from.
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "unless_empty")]
    pub web_id_federation_data: Option<WebIdFederationData>,
    /// When the session began and whether with MFA.
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "unless_empty")]
    pub attributes: Option<SessionAttributes>,
    /// The `SourceIdentity` carried through role chains.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source_identity: Option<String>,
    /// How an instance got the credentials: `"1.0"` (IMDSv1) or `"2.0"` (IMDSv2).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ec2_role_delivery: Option<String>,
    /// `"true"` for sessions of AssumeRoot.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub assumed_root: Option<String>,
    /// The sign-in session behind keys of `aws login`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sign_in_session_arn: Option<String>,
}

/// `sessionContext.sessionIssuer`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SessionIssuer {
    /// `Root`, `IAMUser` or `Role`.
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WebIdFederationData {
    /// ARN or host name of the identity provider.
    pub federated_provider: String,
    /// Such as `accounts.google.com:aud`.
    pub attributes: std::collections::BTreeMap<String, String>,
}

/// `sessionContext.attributes`: strings, as CloudTrail writes them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SessionAttributes {
    /// ISO time, UTC seconds, when the session was created.
    pub creation_date: String,
    /// `"true"` or `"false"`.
    pub mfa_authenticated: String,
}

impl Identity {
    /// An identity of which only the type is known.
    pub fn of_type(identity_type: IdentityType) -> Identity {
        Identity { identity_type: Some(identity_type), ..Identity::default() }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Identity {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn every_member_reads_back_in_its_place() {
        let full = concat!(
            r#"{"type":"AssumedRole","principalId":"AROA:s","arn":"a","accountId":"1","accessKeyId":"ASIA","userName":"u","#,
            r#""sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROA","arn":"r","accountId":"1","userName":"n"},"#,
            r#""webIdFederationData":{"federatedProvider":"p","attributes":{"p:aud":"x"}},"#,
            r#""attributes":{"creationDate":"2026-01-15T09:00:00Z","mfaAuthenticated":"false"},"sourceIdentity":"alice","#,
            r#""ec2RoleDelivery":"2.0","assumedRoot":"true","signInSessionArn":"arn:aws:signin:::session/1"},"#,
            r#""invokedBy":"cloudformation.amazonaws.com","identityProvider":"idp","#,
            r#""onBehalfOf":{"userId":"u-1","identityStoreArn":"arn:aws:identitystore::1:identitystore/d-1"},"credentialId":"c","#,
            r#""inScopeOf":{"sourceArn":"s","sourceAccount":"1","issuerType":"AWS::Lambda::Function","credentialsIssuedTo":"f","credentialsIssuedToVersion":"$LATEST"},"#,
            r#""invokedByDelegate":{"accountId":"2"}}"#
        );
        assert_eq!(serde_json::to_string(&read(full)).unwrap(), full);
    }

    #[test]
    fn the_empty_objects_of_old_records_are_absent() {
        let old = read(
            r#"{"type":"IAMUser","sessionContext":{"sessionIssuer":{},"webIdFederationData":{},"attributes":{"creationDate":"d","mfaAuthenticated":"true"}}}"#,
        );
        assert_eq!(
            serde_json::to_string(&old).unwrap(),
            r#"{"type":"IAMUser","sessionContext":{"attributes":{"creationDate":"d","mfaAuthenticated":"true"}}}"#
        );
        assert_eq!(read(r#"{"type":"Root","sessionContext":{}}"#), Identity::of_type(IdentityType::Root));
    }
}
