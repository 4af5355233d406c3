//! What answers teach about keys: sessions of STS, new access keys, and who a caller is.
//!
//! Only what the service itself said is taken in; what it left open stays open.

use crate::call::Call;
use crate::identities::Lesson;
use crate::params::result_of;
use crate::recorder::Recorder;
use crate::tree::NodeRef;
use crate::who::Caller;
use event::{EventTime, Identity, IdentityType, SessionAttributes, SessionContext, SessionIssuer, WebIdFederationData};
use std::collections::BTreeMap;

/// Whether a successful answer to this operation may teach something.
pub(crate) fn teaches(service: &str, operation: &str) -> bool {
    match service {
        "sts" => matches!(
            operation,
            "AssumeRole"
                | "AssumeRoleWithSAML"
                | "AssumeRoleWithWebIdentity"
                | "GetCallerIdentity"
                | "GetFederationToken"
                | "GetSessionToken"
        ),
        "iam" => operation == "CreateAccessKey",
        _ => false,
    }
}

/// What a successful answer teaches, if anything. `key` is the key that signed the call.
pub(crate) fn lesson(
    recorder: &Recorder,
    call: &Call,
    caller: &Caller,
    key: Option<&str>,
    at: EventTime,
    request: Option<NodeRef<'_, '_>>,
    response: Option<NodeRef<'_, '_>>,
) -> Option<Lesson> {
    let result = result_of(response?);
    let asked = |name: &str| request.and_then(|request| request.child(name)).and_then(NodeRef::text);
    match call.operation.name() {
        "AssumeRole" | "AssumeRoleWithSAML" | "AssumeRoleWithWebIdentity" => {
            assumed_role(call, caller, at, result, &asked)
        }
        "GetSessionToken" => session_token(caller, at, result, &asked),
        "GetFederationToken" => federation_token(caller, at, result),
        "GetCallerIdentity" => caller_identity(caller, key?, at, result),
        "CreateAccessKey" => access_key(recorder, caller, result),
        _ => None,
    }
}

/// 36 hours: the longest that STS grants (GetSessionToken, GetFederationToken).
const LONGEST_SESSION: i64 = 36 * 3600;

/// The key and end of the `<Credentials>` of a result.
fn credentials(result: NodeRef<'_, '_>) -> Option<(String, Option<EventTime>)> {
    let credentials = result.child("Credentials")?;
    let key = credentials.child("AccessKeyId").and_then(NodeRef::text)?;
    let end = credentials.child("Expiration").and_then(NodeRef::text);
    let end = end.and_then(crate::time::Instant::parse).map(|instant| EventTime(instant.seconds));
    Some((key.to_owned(), end))
}

fn attributes(at: EventTime, mfa: bool) -> Option<SessionAttributes> {
    Some(SessionAttributes { creation_date: at.to_string(), mfa_authenticated: mfa.to_string() })
}

/// Whether the caller's own session was opened with MFA.
fn has_mfa(caller: &Caller) -> bool {
    let context = caller.known().and_then(|identity| identity.session_context.as_ref());
    context
        .and_then(|context| context.attributes.as_ref())
        .is_some_and(|attributes| attributes.mfa_authenticated == "true")
}

fn assumed_role<'t>(
    call: &Call,
    caller: &Caller,
    at: EventTime,
    result: NodeRef<'t, '_>,
    asked: &dyn Fn(&str) -> Option<&'t str>,
) -> Option<Lesson> {
    let (access_key_id, expires) = credentials(result)?;
    let user = result.child("AssumedRoleUser")?;
    let text = |name: &str| user.child(name).and_then(NodeRef::text);
    let (arn, id) = (text("Arn")?, text("AssumedRoleId")?);
    let account = arn.split(':').nth(4)?;
    let inherited = caller.known().and_then(|identity| identity.session_context.as_ref());
    let source_identity = result.child("SourceIdentity").and_then(NodeRef::text).or_else(|| asked("SourceIdentity"));
    let context = SessionContext {
        session_issuer: Some(SessionIssuer {
            issuer_type: "Role".to_owned(),
            principal_id: id.split_once(':').map(|(role, _)| role.to_owned()),
            arn: asked("RoleArn").map(str::to_owned),
            account_id: Some(account.to_owned()),
            user_name: arn.split('/').nth(1).map(str::to_owned),
        }),
        web_id_federation_data: web_identity(call, result),
        attributes: attributes(at, asked("SerialNumber").is_some() || has_mfa(caller)),
        source_identity: source_identity
            .map(str::to_owned)
            .or_else(|| inherited.and_then(|context| context.source_identity.clone())),
        ..SessionContext::default()
    };
    let identity = Identity {
        principal_id: Some(id.to_owned()),
        arn: Some(arn.to_owned()),
        account_id: Some(account.to_owned()),
        access_key_id: Some(access_key_id.clone()),
        session_context: Some(context),
        ..Identity::of_type(IdentityType::AssumedRole)
    };
    Some(Lesson { access_key_id, identity, expires })
}

fn web_identity(call: &Call, result: NodeRef<'_, '_>) -> Option<WebIdFederationData> {
    if call.operation.name() != "AssumeRoleWithWebIdentity" {
        return None;
    }
    let provider = result.child("Provider").and_then(NodeRef::text)?;
    let host = provider.rsplit_once("oidc-provider/").map_or(provider, |(_, host)| host);
    let claim = |name: &str, element: &str| {
        Some((format!("{host}:{name}"), result.child(element).and_then(NodeRef::text)?.to_owned()))
    };
    let attributes: BTreeMap<String, String> =
        [claim("aud", "Audience"), claim("sub", "SubjectFromWebIdentityToken")].into_iter().flatten().collect();
    Some(WebIdFederationData { federated_provider: provider.to_owned(), attributes })
}

/// The caller again, with a temporary key.
fn session_token<'t>(
    caller: &Caller,
    at: EventTime,
    result: NodeRef<'t, '_>,
    asked: &dyn Fn(&str) -> Option<&'t str>,
) -> Option<Lesson> {
    let (access_key_id, expires) = credentials(result)?;
    let context =
        SessionContext { attributes: attributes(at, asked("SerialNumber").is_some()), ..SessionContext::default() };
    let identity = Identity {
        access_key_id: Some(access_key_id.clone()),
        session_context: Some(context),
        ..caller.known()?.clone()
    };
    Some(Lesson { access_key_id, identity, expires })
}

fn federation_token(caller: &Caller, at: EventTime, result: NodeRef<'_, '_>) -> Option<Lesson> {
    let (access_key_id, expires) = credentials(result)?;
    let user = result.child("FederatedUser")?;
    let text = |name: &str| user.child(name).and_then(NodeRef::text);
    let (arn, id) = (text("Arn")?, text("FederatedUserId")?);
    let issuer = caller.known().map(|identity| SessionIssuer {
        issuer_type: if identity.identity_type == Some(IdentityType::Root) { "Root" } else { "IAMUser" }.to_owned(),
        principal_id: identity.principal_id.clone(),
        arn: identity.arn.clone(),
        account_id: identity.account_id.clone(),
        user_name: identity.user_name.clone(),
    });
    let context = SessionContext {
        session_issuer: issuer,
        attributes: attributes(at, has_mfa(caller)),
        ..SessionContext::default()
    };
    let identity = Identity {
        principal_id: Some(id.to_owned()),
        arn: Some(arn.to_owned()),
        account_id: arn.split(':').nth(4).map(str::to_owned),
        access_key_id: Some(access_key_id.clone()),
        session_context: Some(context),
        ..Identity::of_type(IdentityType::FederatedUser)
    };
    Some(Lesson { access_key_id, identity, expires })
}

/// The service says who the key is that asked: good where nobody has said it better.
fn caller_identity(caller: &Caller, key: &str, at: EventTime, result: NodeRef<'_, '_>) -> Option<Lesson> {
    if caller.known().is_some_and(|identity| identity.principal_id.is_some()) {
        return None;
    }
    let text = |name: &str| result.child(name).and_then(NodeRef::text);
    let (arn, id, account) = (text("Arn")?, text("UserId")?, text("Account")?);
    let path = arn.splitn(6, ':').nth(5)?;
    let identity_type = match path.split('/').next()? {
        "root" => IdentityType::Root,
        "user" => IdentityType::IAMUser,
        "assumed-role" => IdentityType::AssumedRole,
        "federated-user" => IdentityType::FederatedUser,
        _ => return None,
    };
    let role = (identity_type == IdentityType::AssumedRole).then(|| path.split('/').nth(1)).flatten();
    let partition = arn.split(':').nth(1)?;
    let identity = Identity {
        principal_id: Some(id.to_owned()),
        arn: Some(arn.to_owned()),
        account_id: Some(account.to_owned()),
        access_key_id: Some(key.to_owned()),
        user_name: (identity_type == IdentityType::IAMUser)
            .then(|| path.rsplit('/').next().map(str::to_owned))
            .flatten(),
        session_context: role.map(|role| SessionContext {
            session_issuer: Some(SessionIssuer {
                issuer_type: "Role".to_owned(),
                principal_id: id.split_once(':').map(|(role, _)| role.to_owned()),
                arn: Some(format!("arn:{partition}:iam::{account}:role/{role}")),
                account_id: Some(account.to_owned()),
                user_name: Some(role.to_owned()),
            }),
            ..SessionContext::default()
        }),
        ..Identity::of_type(identity_type)
    };
    // Temporary keys begin so, and none lives longer.
    let expires = key.starts_with("ASIA").then_some(EventTime(at.0 + LONGEST_SESSION));
    Some(Lesson { access_key_id: key.to_owned(), identity, expires })
}

fn access_key(recorder: &Recorder, caller: &Caller, result: NodeRef<'_, '_>) -> Option<Lesson> {
    let key = result.child("AccessKey")?;
    let text = |name: &str| key.child(name).and_then(NodeRef::text);
    let (access_key_id, user) = (text("AccessKeyId")?.to_owned(), text("UserName")?);
    let own = caller.known().filter(|identity| identity.user_name.as_deref() == Some(user));
    let identity = match own {
        Some(own) => Identity { session_context: None, ..own.clone() },
        None => {
            let account = &recorder.config.account_id;
            Identity {
                arn: Some(format!("arn:aws:iam::{account}:user/{user}")),
                account_id: Some(account.clone()),
                user_name: Some(user.to_owned()),
                ..Identity::of_type(IdentityType::IAMUser)
            }
        }
    };
    let identity = Identity { access_key_id: Some(access_key_id.clone()), ..identity };
    Some(Lesson { access_key_id, identity, expires: None })
}
