//! `userIdentity`: who made a call (`reference/event-record.md` §3).

use crate::call::Call;
use crate::params::{Body, result_of};
use crate::recorder::Recorder;
use crate::tree::NodeRef;
use aws::{Credential, CredentialKind};
use event::{EventTime, Identity, IdentityType};
use std::sync::Arc;

/// Who made a call, as far as anyone knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A key that we have been told about.
    Known(Arc<Identity>),
    /// Somebody whose key or token says nothing to us, or a call that needs no signature: recorded as such, never
    /// guessed.
    Stated(Identity),
    /// Nobody signed the call, and it should have been signed.
    Nobody,
}

impl Caller {
    /// The identity to write.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        match self {
            Caller::Known(identity) => Some(identity),
            Caller::Stated(identity) => Some(identity),
            Caller::Nobody => None,
        }
    }

    /// The identity of a key that we know.
    pub(crate) fn known(&self) -> Option<&Identity> {
        match self {
            Caller::Known(identity) => Some(identity),
            _ => None,
        }
    }
}

/// Who made the call. `result` is the decoded answer, for the STS calls that are made with a token instead of a key.
pub(crate) fn caller(
    recorder: &Recorder,
    call: &Call,
    credential: Option<&Credential<'_>>,
    at: EventTime,
    result: &Body<'_>,
) -> Caller {
    if let Some(federated) = federated(call, result) {
        return Caller::Stated(federated);
    }
    match credential {
        Some(credential) if credential.kind == CredentialKind::Bearer => Caller::Stated(unknown(recorder, None)),
        Some(credential) => match recorder.identities.resolve(&credential.access_key_id, at) {
            Some(identity) => Caller::Known(identity),
            None => Caller::Stated(unknown(recorder, Some(&credential.access_key_id))),
        },
        None if call.service.name() == "s3" && call.data.is_some() => Caller::Stated(Identity::anonymous()),
        None if call.operation.is_unsigned() => Caller::Stated(Identity {
            principal_id: Some("Anonymous".to_owned()),
            ..Identity::of_type(IdentityType::Unknown)
        }),
        None => Caller::Nobody,
    }
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
