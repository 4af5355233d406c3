//! `userIdentity`: who made a call (`reference/event-record.md` §3).

pub(crate) mod chain;
pub(crate) mod identities;
pub(crate) mod learn;

use crate::call::Call;
use crate::decode::body::{Body, result_of};
use crate::decode::tree::NodeRef;
use crate::recorder::Recorder;
use crate::render::write::Json;
use crate::who::identities::Principal;
use crate::who::learn::sign_in;
use aws::{Credential, CredentialKind, Request};
use event::{EventTime, Identity, IdentityType};
use std::sync::Arc;

/// Who made a call, as far as anyone knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A key that we have been told about.
    Known(Arc<Principal>),
    /// Somebody whose key or token says nothing to us, or a call that needs no signature: recorded as such, never
    /// guessed.
    Stated(Box<Identity>),
    /// Nobody signed the call, and it should have been signed.
    Nobody,
}

impl Caller {
    /// The identity to write.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        match self {
            Caller::Known(principal) => Some(&principal.identity),
            Caller::Stated(identity) => Some(identity),
            Caller::Nobody => None,
        }
    }

    /// The identity of a key that we know.
    pub(crate) fn known(&self) -> Option<&Identity> {
        self.principal().map(|principal| &principal.identity)
    }

    /// The same, with the sessions through which it came.
    pub(crate) fn principal(&self) -> Option<&Principal> {
        match self {
            Caller::Known(principal) => Some(principal),
            _ => None,
        }
    }
}

/// Who made the call. `body` and `result` are decoded, for the calls that are made with a token instead of a key.
pub(crate) fn caller(
    recorder: &Recorder,
    call: &Call,
    request: &Request<'_>,
    credential: Option<&Credential<'_>>,
    at: EventTime,
    body: &Body<'_>,
    result: &Body<'_>,
) -> Caller {
    if let Some(by_token) = federated(call, result).or_else(|| sign_in::person(recorder, call, at, body, result)) {
        return Caller::Stated(Box::new(by_token));
    }
    match credential {
        Some(credential) if credential.kind == CredentialKind::Bearer => {
            Caller::Stated(Box::new(unknown(recorder, None)))
        }
        // What is remembered under something else than an access key has a colon in its name, which no key has.
        Some(credential) if credential.access_key_id.contains(':') => {
            Caller::Stated(Box::new(unknown(recorder, Some(&credential.access_key_id))))
        }
        Some(credential) => match recorder.identities.resolve(&credential.access_key_id, at) {
            Some(principal) => Caller::Known(principal),
            None => Caller::Stated(Box::new(unknown(recorder, Some(&credential.access_key_id)))),
        },
        // A signature that cannot be read is somebody's.
        None if is_signed(request) => Caller::Stated(Box::new(unknown(recorder, None))),
        None if call.service.name() == "s3" && call.data.is_some() => Caller::Stated(Box::new(Identity::anonymous())),
        None if call.operation.is_unsigned() => Caller::Stated(Box::new(Identity {
            principal_id: Some("Anonymous".to_owned()),
            ..Identity::of_type(IdentityType::Unknown)
        })),
        None => Caller::Nobody,
    }
}

/// Whether a request says that it is signed, readably or not.
fn is_signed(request: &Request<'_>) -> bool {
    request.headers.has("authorization") || request.has_query("X-Amz-Credential") || request.has_query("AWSAccessKeyId")
}

/// An identity of which nothing is known but its key, if that.
pub(crate) fn unknown(recorder: &Recorder, access_key_id: Option<&str>) -> Identity {
    Identity {
        account_id: Some(recorder.config.account_id.clone()),
        access_key_id: access_key_id.map(str::to_owned),
        ..Identity::of_type(IdentityType::Unknown)
    }
}

/// Subjects of SAML and web identity tokens, as far as the answer names them.
fn federated(call: &Call, result: &Body<'_>) -> Option<Identity> {
    if call.service.name() != "sts" {
        return None;
    }
    let kind = match call.operation.name() {
        "AssumeRoleWithSAML" => IdentityType::SAMLUser,
        "AssumeRoleWithWebIdentity" => IdentityType::WebIdentityUser,
        _ => return None,
    };
    let root = result.root().map(result_of);
    let text = |name: &str| root.and_then(|root| root.child(name)).and_then(NodeRef::text).map(str::to_owned);
    let mut identity = Identity::of_type(kind);
    if kind == IdentityType::SAMLUser {
        let (qualifier, subject) = (text("NameQualifier"), text("Subject"));
        identity.principal_id = qualifier.as_ref().zip(subject.as_ref()).map(|(q, s)| format!("{q}:{s}"));
        identity.user_name = subject;
        identity.identity_provider = qualifier;
    } else {
        let (provider, subject) = (text("Provider"), text("SubjectFromWebIdentityToken"));
        let audience = text("Audience");
        identity.principal_id = match (&provider, &audience, &subject) {
            (Some(provider), Some(audience), Some(subject)) => Some(format!("{provider}:{audience}:{subject}")),
            _ => None,
        };
        identity.user_name = subject;
        identity.identity_provider = provider;
    }
    Some(identity)
}

/// Writes an identity in the member order of real log files, as [`Identity`] serialises itself.
pub(crate) fn write(identity: &Identity, out: &mut Json) {
    out.open_object();
    principal(identity, out);
    if let Some(context) = &identity.session_context {
        out.key("sessionContext");
        out.open_object();
        if let Some(issuer) = &context.session_issuer {
            out.key("sessionIssuer");
            out.open_object();
            if !issuer.issuer_type.is_empty() {
                out.text_member("type", &issuer.issuer_type);
            }
            member("principalId", &issuer.principal_id, out);
            member("arn", &issuer.arn, out);
            member("accountId", &issuer.account_id, out);
            member("userName", &issuer.user_name, out);
            out.close_object();
        }
        if let Some(web) = &context.web_id_federation_data {
            out.key("webIdFederationData");
            out.open_object();
            out.text_member("federatedProvider", &web.federated_provider);
            out.key("attributes");
            out.open_object();
            web.attributes.iter().for_each(|(key, value)| out.foreign_member(key, value));
            out.close_object();
            out.close_object();
        }
        if let Some(attributes) = &context.attributes {
            out.key("attributes");
            out.open_object();
            out.text_member("creationDate", &attributes.creation_date);
            out.text_member("mfaAuthenticated", &attributes.mfa_authenticated);
            out.close_object();
        }
        member("sourceIdentity", &context.source_identity, out);
        member("ec2RoleDelivery", &context.ec2_role_delivery, out);
        member("assumedRoot", &context.assumed_root, out);
        member("signInSessionArn", &context.sign_in_session_arn, out);
        out.close_object();
    }
    member("invokedBy", &identity.invoked_by, out);
    member("identityProvider", &identity.identity_provider, out);
    if let Some(user) = &identity.on_behalf_of {
        out.key("onBehalfOf");
        out.open_object();
        member("userId", &user.user_id, out);
        member("identityStoreArn", &user.identity_store_arn, out);
        out.close_object();
    }
    member("credentialId", &identity.credential_id, out);
    if let Some(scope) = &identity.in_scope_of {
        out.key("inScopeOf");
        out.open_object();
        member("sourceArn", &scope.source_arn, out);
        member("sourceAccount", &scope.source_account, out);
        member("issuerType", &scope.issuer_type, out);
        member("credentialsIssuedTo", &scope.credentials_issued_to, out);
        member("credentialsIssuedToVersion", &scope.credentials_issued_to_version, out);
        out.close_object();
    }
    if let Some(delegate) = &identity.invoked_by_delegate {
        out.key("invokedByDelegate");
        out.open_object();
        member("accountId", &delegate.account_id, out);
        out.close_object();
    }
    out.close_object();
}

/// Writes what a chain tells of an identity ([`crate::who::chain::link`]).
pub(crate) fn write_link(identity: &Identity, out: &mut Json) {
    out.open_object();
    principal(identity, out);
    member("identityProvider", &identity.identity_provider, out);
    out.close_object();
}

fn principal(identity: &Identity, out: &mut Json) {
    if let Some(kind) = identity.identity_type {
        out.text_member("type", type_name(kind));
    }
    member("principalId", &identity.principal_id, out);
    member("arn", &identity.arn, out);
    member("accountId", &identity.account_id, out);
    member("accessKeyId", &identity.access_key_id, out);
    member("userName", &identity.user_name, out);
}

fn member(key: &str, text: &Option<String>, out: &mut Json) {
    if let Some(text) = text {
        out.text_member(key, text);
    }
}

fn type_name(kind: IdentityType) -> &'static str {
    match kind {
        IdentityType::Root => "Root",
        IdentityType::IAMUser => "IAMUser",
        IdentityType::AssumedRole => "AssumedRole",
        IdentityType::Role => "Role",
        IdentityType::FederatedUser => "FederatedUser",
        IdentityType::Directory => "Directory",
        IdentityType::AWSAccount => "AWSAccount",
        IdentityType::AWSService => "AWSService",
        IdentityType::IdentityCenterUser => "IdentityCenterUser",
        IdentityType::SAMLUser => "SAMLUser",
        IdentityType::WebIdentityUser => "WebIdentityUser",
        IdentityType::Unknown => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use event::{
        InScopeOf, InvokedByDelegate, OnBehalfOf, SessionAttributes, SessionContext, SessionIssuer, WebIdFederationData,
    };

    #[test]
    fn an_identity_is_written_as_it_serialises_itself() {
        let text = |text: &str| Some(text.to_owned());
        let full = Identity {
            identity_type: Some(IdentityType::AssumedRole),
            principal_id: text("AROA:s"),
            arn: text("arn:aws:sts::1:assumed-role/r/s"),
            account_id: text("1"),
            access_key_id: text("ASIA"),
            user_name: text("u\"\n"),
            session_context: Some(SessionContext {
                session_issuer: Some(SessionIssuer {
                    issuer_type: "Role".to_owned(),
                    principal_id: text("AROA"),
                    arn: text("arn"),
                    account_id: text("1"),
                    user_name: text("r"),
                }),
                web_id_federation_data: Some(WebIdFederationData {
                    federated_provider: "p".to_owned(),
                    attributes: [("a:\"b".to_owned(), "c".to_owned())].into(),
                }),
                attributes: Some(SessionAttributes {
                    creation_date: "d".to_owned(),
                    mfa_authenticated: "true".to_owned(),
                }),
                source_identity: text("me"),
                ec2_role_delivery: text("2.0"),
                assumed_root: text("true"),
                sign_in_session_arn: text("arn:aws:signin"),
            }),
            invoked_by: text("x.amazonaws.com"),
            identity_provider: text("idp"),
            on_behalf_of: Some(OnBehalfOf { user_id: text("u"), identity_store_arn: text("store") }),
            credential_id: text("c"),
            in_scope_of: Some(InScopeOf {
                source_arn: text("s"),
                source_account: text("1"),
                issuer_type: text("AWS::Lambda::Function"),
                credentials_issued_to: text("f"),
                credentials_issued_to_version: text("v"),
            }),
            invoked_by_delegate: Some(InvokedByDelegate { account_id: text("2") }),
        };
        for identity in [full, Identity::anonymous(), Identity::of_type(IdentityType::Unknown)] {
            let mut out = Json::default();
            write(&identity, &mut out);
            assert_eq!(out.into_text(), serde_json::to_string(&identity).unwrap());
        }
    }
}
