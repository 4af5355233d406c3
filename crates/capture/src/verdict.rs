//! What became of an exchange: records, or a reason that is counted.

use event::Event;
use std::ops::Deref;

/// What the recorder made of an exchange.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// The records to append.
    Record(Records),
    /// AWS would not have recorded this call (`reference/event-record.md` §17); to be counted under its reason.
    Unrecorded(Reason),
}

/// The records of one exchange, in order; never empty (`DeleteObjects` gives one more for each key, a VPC endpoint one more for
/// its owner). Reads like the list.
#[derive(Debug, Clone, Default)]
pub struct Records {
    /// The records.
    pub events: Vec<Event>,
    /// How many of them tell only who called what and how it ended, because what was written of the rest was no valid record
    /// or too large. Each is a defect of the writer; to be counted.
    pub reduced: u64,
}

impl Deref for Records {
    type Target = [Event];

    fn deref(&self) -> &[Event] {
        &self.events
    }
}

/// Why a call has no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Nobody signed it, and it is neither an anonymous S3 call nor an STS call with a SAML or web identity token.
    Unauthenticated,
    /// Its signature was refused (`InvalidSignatureException`, `SignatureDoesNotMatch`, …).
    BadSignature,
    /// The request cannot be read as a call of its protocol.
    Malformed,
    /// No AWS service of the table answers to it.
    UnknownService,
    /// The service is known, the operation is not.
    UnknownOperation,
    /// A CORS preflight, a health probe or another request that is no AWS call.
    NotACall,
}

impl Reason {
    /// Every reason, for metrics that start at zero.
    pub const ALL: [Reason; 6] = [
        Reason::Unauthenticated,
        Reason::BadSignature,
        Reason::Malformed,
        Reason::UnknownService,
        Reason::UnknownOperation,
        Reason::NotACall,
    ];

    /// A short name for metrics and logs, such as `unauthenticated`.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Unauthenticated => "unauthenticated",
            Reason::BadSignature => "bad_signature",
            Reason::Malformed => "malformed",
            Reason::UnknownService => "unknown_service",
            Reason::UnknownOperation => "unknown_operation",
            Reason::NotACall => "not_a_call",
        }
    }
}
