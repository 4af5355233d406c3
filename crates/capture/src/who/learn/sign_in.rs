//! Sign-in: the keys that `aws login` and the SDKs get for somebody who signed in to the console (`CreateOAuth2Token`).
//!
//! The first answer brings an ID token, whose subject is the ARN of who signed in. The keys live for minutes; the answers
//! that renew them bring no ID token, and belong to whom the refresh token was given that was sent. So that one can be
//! found again, the person is remembered under a digest of each refresh token, too: never under the token itself.
//!
//! Records of calls with these keys are like the real ones that are public: of the person who signed in, since when that
//! person did, without `sessionCredentialFromConsole`, which marks the console's own calls.

use super::{Answered, named, text_of};
use crate::call::Call;
use crate::decode::body::Body;
use crate::decode::json;
use crate::decode::tree::NodeRef;
use crate::recorder::Recorder;
use crate::who::identities::Lesson;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use event::{EventTime, Identity, IdentityType, SessionAttributes};

/// Who asks for keys, as far as the tokens tell: the subject of the ID token that is answered, or the one to whom the
/// refresh token was given.
pub(crate) fn person(
    recorder: &Recorder,
    call: &Call,
    at: EventTime,
    body: &Body<'_>,
    answer: &Body<'_>,
) -> Option<Identity> {
    if !is_sign_in(call) {
        return None;
    }
    let by_id = || named_by(text_of(answer.root()?, "idToken")?, at);
    let by_refresh = || {
        let known = recorder.identities.resolve(&remembered_as(text_of(body.root()?, "refreshToken")?), at)?;
        Some(known.identity.clone())
    };
    by_id().or_else(by_refresh)
}

/// Whether a call exchanges a sign-in for keys, or renews them.
pub(crate) fn is_sign_in(call: &Call) -> bool {
    (call.service.name(), call.operation.name()) == ("signin", "CreateOAuth2Token")
}

impl Answered<'_> {
    /// Who the new key is, and who will ask with the new refresh token.
    pub(super) fn signed_in(&self) -> Option<[Lesson; 2]> {
        const LIVED: i64 = super::sessions::LONGEST;
        let person = self.caller.identity().filter(|person| person.identity_type != Some(IdentityType::Unknown))?;
        let person = Identity { access_key_id: None, ..person.clone() };
        let result = self.result?;
        let key = text_of(result.child("accessToken")?, "accessKeyId")?;
        let seconds = text_of(result, "expiresIn").and_then(|text| text.parse().ok());
        let lived = seconds.filter(|seconds| (0..=LIVED).contains(seconds)).unwrap_or(LIVED);
        let lesson = |key: String, identity: Identity, lived: i64| Lesson {
            access_key_id: key,
            identity,
            origins: Vec::new(),
            expires: Some(EventTime(self.at.0.saturating_add(lived))),
        };
        let signing = Identity { access_key_id: Some(key.to_owned()), ..person.clone() };
        let refresh = text_of(result, "refreshToken")?;
        Some([lesson(key.to_owned(), signing, lived), lesson(remembered_as(refresh), person, LIVED)])
    }
}

/// What stands in place of an access key for somebody who will ask with a refresh token.
fn remembered_as(refresh_token: &str) -> String {
    format!("refresh-token:{}", aws::sigv4::sha256_hex(refresh_token.as_bytes()))
}

/// Whom an ID token is about (OpenID Connect Core §2). Nobody checks its signature here: it is the service's answer.
fn named_by(id_token: &str, at: EventTime) -> Option<Identity> {
    let mut parts = id_token.split('.');
    let (_, claims, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else { return None };
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims = json::tree(&claims).ok()?;
    let claims = claims.root();
    let subject = text_of(claims, "sub")?;
    let mut person = named::principal(subject, subject.split(':').nth(4)?, None)?;
    let time = |name: &str| text_of(claims, name)?.parse().ok().filter(|seconds| (0..=at.0).contains(seconds));
    let since = time("auth_time").or_else(|| time("iat")).map_or(at, EventTime);
    let with_mfa = claims.child("amr").is_some_and(|methods| methods.children().any(is_mfa));
    let context = person.session_context.get_or_insert_default();
    context.attributes =
        Some(SessionAttributes { creation_date: since.to_string(), mfa_authenticated: with_mfa.to_string() });
    context.sign_in_session_arn = text_of(claims, "signin_session").map(str::to_owned);
    Some(person)
}

/// RFC 8176.
fn is_mfa(method: NodeRef<'_, '_>) -> bool {
    method.text() == Some("mfa")
}
