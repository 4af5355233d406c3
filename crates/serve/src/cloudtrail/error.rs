//! What the CloudTrail API says when it does not do what was asked.

use std::borrow::Cow;

/// An error as a caller sees it: one of AWS's names, a sentence, an HTTP status.
///
/// The names are the service model's; the sentences are AWS's where they are known
/// (`reference/trails-and-delivery.md §3`). The operator's side of an internal failure goes to the log, never here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// `__type` on the wire.
    pub code: &'static str,
    /// `message` on the wire.
    pub message: Cow<'static, str>,
    /// 400 for everything modeled, 500 when the fault is ours.
    pub status: u16,
}

impl ApiError {
    /// A modeled error: HTTP 400.
    pub(crate) fn new(code: &'static str, message: impl Into<Cow<'static, str>>) -> ApiError {
        ApiError { code, message: message.into(), status: 400 }
    }

    /// A body that does not have the shape of the operation's input.
    pub(crate) fn serialization(message: impl Into<Cow<'static, str>>) -> ApiError {
        ApiError::new("SerializationException", message)
    }

    /// An operation, or a part of one, that this version does not have.
    pub(crate) fn unsupported(message: impl Into<Cow<'static, str>>) -> ApiError {
        ApiError::new("UnsupportedOperationException", message)
    }

    /// A trail that is not there; `named` is what the error echoes.
    pub(crate) fn trail_not_found(named: &str, account_id: &str) -> ApiError {
        ApiError::new("TrailNotFoundException", format!("Unknown trail: {named} for the user: {account_id}"))
    }

    /// The house failed: the cause is logged here, and the caller is told to try again.
    pub(crate) fn internal(cause: &dyn std::fmt::Display) -> ApiError {
        tracing::error!(%cause, "cloudtrail call failed");
        ApiError {
            code: "InternalFailure",
            message: "The request could not be processed because of a failure inside OpenTrail; its log says which."
                .into(),
            status: 500,
        }
    }
}
