//! The record that a call through a VPC endpoint has beside its own (`reference/event-record.md` §16): who called what
//! through which endpoint, without what was asked and answered. It is not found in the event history, and only trails that
//! select network activity deliver it.

use super::{EVENT_VERSION, Record, accounts};
use crate::render::limits;
use crate::render::write::Json;
use crate::verdict::{Reason, Records};

impl Record<'_> {
    /// The record of the endpoint's owner, where somebody wants it. Whose the endpoint is nobody says (`origin.rs`): it is
    /// taken for that of the account in which the call takes place.
    pub(super) fn through_endpoint(self, records: &mut Records) -> Result<(), Reason> {
        let Some(endpoint) = self.exchange.vpc_endpoint else { return Ok(()) };
        if !self.recorder.has_network_activity(self.call.event_source()) {
            return Ok(());
        }
        let endpoint = Some(endpoint);
        match &self.caller.account_id {
            // The owner of an endpoint does not hear who in another account it was.
            Some(account) if account != self.recipient => {
                let caller = accounts::reduced(self.caller);
                Record { caller: &caller, endpoint, ..self }.event(records)
            }
            _ => Record { endpoint, ..self }.event(records),
        }
    }

    /// Writes it, its members as AWS's are.
    pub(super) fn write_network_activity(&self, id: uuid::Uuid, endpoint: &str) -> String {
        let mut out = Json::with_capacity(1024);
        out.open_object();
        out.text_member("eventVersion", EVENT_VERSION);
        self.head(&mut out);
        self.failure(&mut out);
        out.text_member("requestID", limits::text(self.request_id));
        out.key("eventID");
        out.text(id.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()));
        out.text_member("eventType", "AwsVpceEvent");
        out.text_member("recipientAccountId", self.recipient);
        out.text_member("vpcEndpointId", endpoint);
        out.text_member("eventCategory", "NetworkActivity");
        out.close_object();
        out.into_text()
    }
}
