//! What answers teach about keys: sessions, new access keys, who a caller is, and which keys were taken away.
//!
//! Only what the service itself said is taken in; what it left open stays open.

mod named;
mod sessions;
pub(crate) mod sign_in;

use crate::call::Call;
use crate::decode::body::{Body, result_of};
use crate::decode::form;
use crate::decode::tree::{NodeRef, Tree};
use crate::exchange::Exchange;
use crate::recorder::Recorder;
use crate::who::Caller;
use crate::who::identities::{Identities, Lesson, Revoked};
use aws::Credential;
use event::{EventTime, Identity, IdentityType, SessionContext, SessionIssuer, partition_of};

/// Takes in what a successful answer teaches, if anything.
pub(crate) fn take_in(
    recorder: &Recorder,
    call: &Call,
    caller: &Caller,
    credential: Option<&Credential<'_>>,
    exchange: &Exchange<'_>,
    body: &Body<'_>,
    answer: &Body<'_>,
) {
    // A presigned query call, and REST parameters.
    let query = matches!(body, Body::Empty).then(|| form::tree(exchange.request.query.as_bytes()).ok()).flatten();
    let answered = Answered {
        account: caller
            .known()
            .and_then(|identity| identity.account_id.as_deref())
            .unwrap_or(&recorder.config.account_id),
        caller,
        identities: &*recorder.identities,
        key: credential.map(|credential| credential.access_key_id.as_ref()),
        partition: partition_of(credential.map_or(&recorder.config.region, |credential| credential.region.as_ref())),
        at: exchange.completed,
        request: body.root().or_else(|| query.as_ref().map(Tree::root)),
        result: answer.root().map(result_of),
    };
    let operation = call.operation.name();
    if sign_in::is_sign_in(call) {
        answered.signed_in().into_iter().flatten().for_each(|lesson| recorder.identities.learn(lesson, answered.at));
    } else if let Some(lesson) = answered.lesson(operation) {
        if credential.is_none() && answered.contradicts(&lesson) {
            let key = lesson.access_key_id;
            tracing::warn!(
                key,
                "an answer to nobody in particular gives somebody's key to somebody else; it is not believed"
            );
        } else {
            recorder.identities.learn(lesson, answered.at);
        }
    } else if let Some(revoked) = answered.revoked(operation) {
        recorder.identities.forget(&revoked);
    }
}

/// A successful call, as far as it may teach.
struct Answered<'t> {
    /// The caller's account, or else the house's.
    account: &'t str,
    caller: &'t Caller,
    identities: &'t dyn Identities,
    /// The key that signed the call.
    key: Option<&'t str>,
    /// That of the Region which the call was signed for, or else of the house's.
    partition: &'static str,
    at: EventTime,
    request: Option<NodeRef<'t, 't>>,
    result: Option<NodeRef<'t, 't>>,
}

impl<'t> Answered<'t> {
    /// Whether a key that is said to be a new session's is known as somebody else's, or has the name of a user's. Answers are not
    /// signed: to a call that is not signed either, whoever can put an object where STS is taken to answer could write one.
    fn contradicts(&self, lesson: &Lesson) -> bool {
        let is_another = |known: &Identity| known.arn.is_some() && known.arn != lesson.identity.arn;
        lesson.access_key_id.starts_with("AKIA")
            || self.identities.resolve(&lesson.access_key_id, self.at).is_some_and(|known| is_another(&known.identity))
    }

    fn lesson(&self, operation: &str) -> Option<Lesson> {
        match operation {
            "AssumeRole" | "AssumeRoleWithSAML" | "AssumeRoleWithWebIdentity" => self.assumed_role(operation),
            "AssumeRoot" => self.assumed_root(),
            "GetSessionToken" => self.session_token(),
            "GetFederationToken" => self.federation_token(),
            "GetRoleCredentials" => self.role_credentials(),
            "GetCredentialsForIdentity" => self.identity_credentials(),
            "GetCallerIdentity" => self.caller_identity(),
            "CreateUser" => self.user(),
            "CreateAccessKey" => {
                let key = self.result?.child("AccessKey")?;
                self.access_key(text_of(key, "AccessKeyId")?, text_of(key, "UserName")?)
            }
            // The service agreed that the key is that user's, and that it works.
            "UpdateAccessKey" if self.asked("Status") == Some("Active") => {
                let own = || self.caller.known().and_then(|identity| identity.user_name.as_deref());
                self.access_key(self.asked("AccessKeyId")?, self.asked("UserName").or_else(own)?)
            }
            _ => None,
        }
    }

    fn revoked(&self, operation: &str) -> Option<Revoked> {
        let renamed = || self.asked("NewUserName").or_else(|| self.asked("NewPath")).is_some();
        match operation {
            "UpdateAccessKey" if self.asked("Status") == Some("Inactive") => self.revoked("DeleteAccessKey"),
            "DeleteAccessKey" => Some(Revoked::Key(self.asked("AccessKeyId")?.to_owned())),
            "UpdateUser" if renamed() => self.revoked("DeleteUser"),
            "DeleteUser" => Some(Revoked::User {
                account_id: self.account.to_owned(),
                user_name: self.asked("UserName")?.to_owned(),
            }),
            _ => None,
        }
    }

    /// A parameter of the call.
    fn asked(&self, name: &str) -> Option<&'t str> {
        text_of(self.request?, name)
    }

    /// A member of the result.
    fn told(&self, name: &str) -> Option<&'t str> {
        text_of(self.result?, name)
    }

    fn access_key(&self, access_key_id: &str, user: &str) -> Option<Lesson> {
        let own = self.caller.known().filter(|identity| identity.user_name.as_deref() == Some(user));
        let made = || self.identities.resolve(&user_as(self.account, user), self.at);
        let identity = match own.cloned().or_else(|| made().map(|made| made.identity.clone())) {
            Some(known) => Identity { session_context: None, ..known },
            None => Identity {
                arn: Some(format!("arn:{}:iam::{}:user/{user}", self.partition, self.account)),
                account_id: Some(self.account.to_owned()),
                user_name: Some(user.to_owned()),
                ..Identity::of_type(IdentityType::IAMUser)
            },
        };
        let identity = Identity { access_key_id: Some(access_key_id.to_owned()), ..identity };
        Some(Lesson { access_key_id: access_key_id.to_owned(), identity, origins: Vec::new(), expires: None })
    }

    /// A new user, with the path and the unique id that only this answer tells: who its keys will be.
    fn user(&self) -> Option<Lesson> {
        let user = self.result?.child("User")?;
        let (arn, id, name) = (text_of(user, "Arn")?, text_of(user, "UserId")?, text_of(user, "UserName")?);
        let account = arn.split(':').nth(4).filter(|account| !account.is_empty())?;
        Some(Lesson {
            access_key_id: user_as(account, name),
            identity: named::principal(arn, account, Some(id))?,
            origins: Vec::new(),
            expires: None,
        })
    }

    /// The service says who the key is that asked: good where nobody has said it better.
    fn caller_identity(&self) -> Option<Lesson> {
        let known = self.caller.principal();
        if known.is_some_and(|known| known.principal_id.is_some()) {
            return None;
        }
        let key = self.key?;
        let (arn, id, account) = (self.told("Arn")?, self.told("UserId")?, self.told("Account")?);
        let said = named::principal(arn, account, Some(id))?;
        let issuer = said.session_context.and_then(|context| context.session_issuer);
        let context = known.and_then(|known| known.session_context.clone());
        let identity = Identity {
            access_key_id: Some(key.to_owned()),
            session_context: match issuer {
                Some(issuer) => {
                    let context = context.unwrap_or_default();
                    let session_issuer = match context.session_issuer {
                        // Its path is only known to who saw the session being opened.
                        Some(known) => {
                            SessionIssuer { principal_id: known.principal_id.or(issuer.principal_id), ..known }
                        }
                        None => issuer,
                    };
                    Some(SessionContext { session_issuer: Some(session_issuer), ..context })
                }
                None => context,
            },
            ..said
        };
        // Temporary keys begin so, and none lives longer.
        let expires = key.starts_with("ASIA").then_some(EventTime(self.at.0 + sessions::LONGEST));
        let origins = known.map(|known| known.origins.clone()).unwrap_or_default();
        Some(Lesson { access_key_id: key.to_owned(), identity, origins, expires })
    }
}

/// What stands in place of an access key for a user who has none yet. No call is signed with it: see [`crate::who`].
fn user_as(account: &str, name: &str) -> String {
    format!("iam-user:{account}:{name}")
}

fn text_of<'t>(node: NodeRef<'t, 't>, name: &str) -> Option<&'t str> {
    node.child(name).and_then(NodeRef::text)
}
