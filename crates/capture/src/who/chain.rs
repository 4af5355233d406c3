//! The chain to the person: through which sessions a call came, from the first human or workload that we know
//! (`docs/formats/session-chain.md`).
//!
//! AWS writes only the last session into a record; who opened it stands in another record, or in none that can be found
//! by the key. We know, because we saw the session being opened.

use crate::render::limits;
use crate::render::write::Json;
use crate::who;
use crate::who::identities::Principal;
use event::Identity;

/// The member of `additionalEventData` under which the chain stands.
const KEY: &str = "opentrailSessionChain";
/// Links of a chain, the caller among them. A longer one loses those behind its first.
const LINKS: usize = 16;

/// The principals behind a session that `caller` has just opened, first one first.
pub(crate) fn behind_session_of(caller: &Principal) -> Vec<Identity> {
    let mut origins: Vec<Identity> = caller.origins.clone();
    origins.push(link(&caller.identity));
    if origins.len() >= LINKS {
        origins.drain(1..=origins.len() - LINKS + 1);
    }
    origins
}

/// What a chain tells of a principal: who, without the circumstances of the session.
pub(crate) fn link(identity: &Identity) -> Identity {
    let cut = |text: &Option<String>| text.as_deref().map(|text| limits::text(text).to_owned());
    Identity {
        identity_type: identity.identity_type,
        principal_id: cut(&identity.principal_id),
        arn: cut(&identity.arn),
        account_id: cut(&identity.account_id),
        access_key_id: cut(&identity.access_key_id),
        user_name: cut(&identity.user_name),
        identity_provider: cut(&identity.identity_provider),
        ..Identity::default()
    }
}

/// Writes the chain to a caller, with its key; nothing for a caller without an origin.
pub(crate) fn write(caller: &Principal, out: &mut Json) {
    if caller.origins.is_empty() {
        return;
    }
    out.key(KEY);
    out.open_list();
    caller.origins.iter().for_each(|origin| who::write(origin, out));
    who::write_link(&caller.identity, out);
    out.close_list();
}

#[cfg(test)]
mod tests {
    use super::*;
    use event::IdentityType;

    fn session(number: usize) -> Identity {
        Identity {
            arn: Some(format!("arn:{number}")),
            session_context: Some(event::SessionContext {
                source_identity: Some("s".to_owned()),
                ..Default::default()
            }),
            ..Identity::of_type(IdentityType::AssumedRole)
        }
    }

    fn written(caller: &Principal) -> String {
        let mut out = Json::default();
        out.open_object();
        write(caller, &mut out);
        out.close_object();
        out.into_text()
    }

    #[test]
    fn a_caller_without_origin_has_no_chain() {
        assert_eq!(written(&Principal::from(session(0))), "{}");
    }

    #[test]
    fn a_chain_goes_from_the_first_to_the_caller() {
        let first = Principal::from(session(0));
        let second = Principal { identity: session(1), origins: behind_session_of(&first) };
        let third = Principal { identity: session(2), origins: behind_session_of(&second) };
        assert_eq!(
            written(&third),
            r#"{"opentrailSessionChain":[{"type":"AssumedRole","arn":"arn:0"},{"type":"AssumedRole","arn":"arn:1"},{"type":"AssumedRole","arn":"arn:2"}]}"#
        );
    }

    #[test]
    fn a_long_chain_keeps_its_first_and_its_last() {
        let mut caller = Principal::from(session(0));
        for number in 1..100 {
            caller = Principal { identity: session(number), origins: behind_session_of(&caller) };
            assert!(caller.origins.len() < LINKS);
        }
        let arns: Vec<_> = caller.origins.iter().filter_map(|link| link.arn.as_deref()).collect();
        assert_eq!((arns[0], arns[1], arns[14]), ("arn:0", "arn:85", "arn:98"));
        assert_eq!(arns.len(), 15);
    }
}
