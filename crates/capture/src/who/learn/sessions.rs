//! Sessions: what a temporary key is, and through whom it came (`reference/event-record.md` §3, §3.1).

use super::{Answered, text_of};
use crate::render::time::Instant;
use crate::who::identities::Lesson;
use crate::who::{Caller, chain};
use event::{EventTime, Identity, IdentityType, SessionAttributes, SessionContext, SessionIssuer, WebIdFederationData};
use std::collections::BTreeMap;

/// 36 hours in seconds: the longest that STS grants (GetSessionToken, GetFederationToken).
pub(super) const LONGEST: i64 = 36 * 3600;

impl<'t> Answered<'t> {
    pub(super) fn assumed_role(&self, operation: &str) -> Option<Lesson> {
        let user = self.result?.child("AssumedRoleUser")?;
        let (arn, id) = (text_of(user, "Arn")?, text_of(user, "AssumedRoleId")?);
        let account = arn.split(':').nth(4)?;
        let by_web_identity = operation == "AssumeRoleWithWebIdentity";
        let issuer = SessionIssuer {
            issuer_type: "Role".to_owned(),
            principal_id: id.split_once(':').map(|(role, _)| role.to_owned()),
            arn: self.asked("RoleArn").map(str::to_owned),
            account_id: Some(account.to_owned()),
            user_name: arn.split('/').nth(1).map(str::to_owned),
        };
        let context = SessionContext {
            session_issuer: Some(issuer),
            web_id_federation_data: if by_web_identity { self.web_identity() } else { None },
            attributes: self.attributes(self.asked("SerialNumber").is_some() || self.has_mfa()),
            source_identity: self.source_identity(),
            ..SessionContext::default()
        };
        let identity = Identity {
            principal_id: Some(id.to_owned()),
            arn: Some(arn.to_owned()),
            account_id: Some(account.to_owned()),
            session_context: Some(context),
            ..Identity::of_type(IdentityType::AssumedRole)
        };
        self.session("Credentials", identity, self.origins())
    }

    /// The root of a member account, for a task.
    pub(super) fn assumed_root(&self) -> Option<Lesson> {
        let target = self.asked("TargetPrincipal")?;
        let account = if target.starts_with("arn:") { target.split(':').nth(4)? } else { target };
        let context = SessionContext {
            attributes: self.attributes(self.has_mfa()),
            source_identity: self.source_identity(),
            assumed_root: Some("true".to_owned()),
            ..SessionContext::default()
        };
        let identity = Identity {
            principal_id: Some(account.to_owned()),
            arn: Some(format!("arn:{}:iam::{account}:root", self.partition)),
            account_id: Some(account.to_owned()),
            session_context: Some(context),
            ..Identity::of_type(IdentityType::Root)
        };
        self.session("Credentials", identity, self.origins())
    }

    /// The caller again, with a temporary key.
    pub(super) fn session_token(&self) -> Option<Lesson> {
        let context = SessionContext {
            attributes: self.attributes(self.asked("SerialNumber").is_some()),
            ..SessionContext::default()
        };
        let identity = Identity { session_context: Some(context), ..self.caller.known()?.clone() };
        self.session("Credentials", identity, self.origins())
    }

    pub(super) fn federation_token(&self) -> Option<Lesson> {
        let user = self.result?.child("FederatedUser")?;
        let (arn, id) = (text_of(user, "Arn")?, text_of(user, "FederatedUserId")?);
        let issuer = self.caller.known().map(|identity| SessionIssuer {
            issuer_type: if identity.identity_type == Some(IdentityType::Root) { "Root" } else { "IAMUser" }.to_owned(),
            principal_id: identity.principal_id.clone(),
            arn: identity.arn.clone(),
            account_id: identity.account_id.clone(),
            user_name: identity.user_name.clone(),
        });
        let context = SessionContext {
            session_issuer: issuer,
            attributes: self.attributes(self.has_mfa()),
            ..SessionContext::default()
        };
        let identity = Identity {
            principal_id: Some(id.to_owned()),
            arn: Some(arn.to_owned()),
            account_id: arn.split(':').nth(4).map(str::to_owned),
            session_context: Some(context),
            ..Identity::of_type(IdentityType::FederatedUser)
        };
        self.session("Credentials", identity, self.origins())
    }

    /// Keys that IAM Identity Center hands out: the answer says only in which account they are good. GetCallerIdentity
    /// says the rest.
    pub(super) fn role_credentials(&self) -> Option<Lesson> {
        let context = SessionContext { attributes: self.attributes(false), ..SessionContext::default() };
        let identity = Identity {
            account_id: Some(self.asked("account_id")?.to_owned()),
            session_context: Some(context),
            ..Identity::of_type(IdentityType::AssumedRole)
        };
        self.session("roleCredentials", identity, self.origins())
    }

    /// Keys that Cognito hands out to an identity of its pool.
    pub(super) fn identity_credentials(&self) -> Option<Lesson> {
        const PROVIDER: &str = "cognito-identity.amazonaws.com";
        let subject = self.told("IdentityId")?;
        let web = WebIdFederationData {
            federated_provider: PROVIDER.to_owned(),
            attributes: [(format!("{PROVIDER}:sub"), subject.to_owned())].into(),
        };
        let context = SessionContext {
            web_id_federation_data: Some(web),
            attributes: self.attributes(false),
            ..SessionContext::default()
        };
        let person = Identity {
            user_name: Some(subject.to_owned()),
            identity_provider: Some(PROVIDER.to_owned()),
            ..Identity::of_type(IdentityType::WebIdentityUser)
        };
        let identity = Identity { session_context: Some(context), ..Identity::of_type(IdentityType::AssumedRole) };
        self.session("Credentials", identity, vec![chain::link(&person)])
    }

    /// The lesson of the key in a member of the result.
    fn session(&self, member: &str, identity: Identity, origins: Vec<Identity>) -> Option<Lesson> {
        let credentials = self.result?.child(member)?;
        let any = |names: [&str; 2]| names.into_iter().find_map(|name| text_of(credentials, name));
        let access_key_id = any(["AccessKeyId", "accessKeyId"])?.to_owned();
        // Identity Center says milliseconds; as seconds they would lie beyond the calendar.
        let end = any(["Expiration", "expiration"]).and_then(|end| {
            let millis = || end.parse().ok().map(|millis: i64| EventTime(millis.div_euclid(1000)));
            let in_millis = member == "roleCredentials";
            if in_millis { millis() } else { Instant::parse(end).map(|instant| EventTime(instant.seconds)) }
        });
        // No session is without end, even if nobody said which.
        let expires = Some(end.unwrap_or(EventTime(self.at.0 + LONGEST)));
        let identity = Identity { access_key_id: Some(access_key_id.clone()), ..identity };
        Some(Lesson { access_key_id, identity, origins, expires })
    }

    /// Through whom a session of this caller comes; nobody, where nothing is known of the caller.
    fn origins(&self) -> Vec<Identity> {
        match self.caller {
            Caller::Known(principal) => chain::behind_session_of(principal),
            Caller::Stated(identity)
                if matches!(identity.identity_type, Some(IdentityType::SAMLUser | IdentityType::WebIdentityUser)) =>
            {
                vec![chain::link(identity)]
            }
            _ => Vec::new(),
        }
    }

    fn attributes(&self, mfa: bool) -> Option<SessionAttributes> {
        Some(SessionAttributes { creation_date: self.at.to_string(), mfa_authenticated: mfa.to_string() })
    }

    /// Whether the caller's own session was opened with MFA.
    fn has_mfa(&self) -> bool {
        let context = self.caller.known().and_then(|identity| identity.session_context.as_ref());
        context
            .and_then(|context| context.attributes.as_ref())
            .is_some_and(|attributes| attributes.mfa_authenticated == "true")
    }

    /// Given anew, or carried on from the caller's session.
    fn source_identity(&self) -> Option<String> {
        let given = self.told("SourceIdentity").or_else(|| self.asked("SourceIdentity")).map(str::to_owned);
        let inherited = || self.caller.known()?.session_context.as_ref()?.source_identity.clone();
        given.or_else(inherited)
    }

    fn web_identity(&self) -> Option<WebIdFederationData> {
        let provider = self.told("Provider")?;
        let host = provider.rsplit_once("oidc-provider/").map_or(provider, |(_, host)| host);
        let claim = |name: &str, member: &str| Some((format!("{host}:{name}"), self.told(member)?.to_owned()));
        let attributes: BTreeMap<String, String> =
            [claim("aud", "Audience"), claim("sub", "SubjectFromWebIdentityToken")].into_iter().flatten().collect();
        Some(WebIdFederationData { federated_provider: provider.to_owned(), attributes })
    }
}
