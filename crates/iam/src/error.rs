//! Why a caller is not let in, in the words of each protocol.

use aws::Protocol;

/// Why a request is not authentic. The text is AWS's, and tells the caller nothing that the caller did not send.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No signature at all.
    #[error("Request is missing Authentication Token")]
    Missing,
    /// A signature that lacks a part, or whose parts do not fit together; what is wrong.
    #[error("{0}")]
    Incomplete(&'static str),
    /// A way of signing that is not verified here.
    #[error("The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")]
    Mechanism,
    /// A key that is not kept here or may not be used, or a session token, none of which was issued here.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// Signed for another service.
    #[error("Credential should be scoped to correct service: '{expected}'.")]
    Scope {
        /// The service that was called.
        expected: String,
    },
    /// The caller's clock is off by more than 15 minutes.
    #[error("Signature expired or not yet current: {signed_at} is more than 15 min. from {now}")]
    Skewed {
        /// `X-Amz-Date`.
        signed_at: String,
        /// The time here, in the same form.
        now: String,
    },
    /// A presigned URL whose time is over.
    #[error("Request has expired")]
    Expired,
    /// A header that must be signed and is not.
    #[error("There were headers present in the request which were not signed: {0}")]
    UnsignedHeader(String),
    /// The payload is not the one that was signed.
    #[error("The provided 'x-amz-content-sha256' header does not match what was computed.")]
    PayloadMismatch,
    /// Everything fits but the signature.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details."
    )]
    Signature,
}

impl AuthError {
    /// The error's name on the wire; `is_s3` where the protocol is S3's dialect of REST XML.
    pub fn code(&self, protocol: Protocol, is_s3: bool) -> &'static str {
        let json = matches!(protocol, Protocol::Json | Protocol::RestJson | Protocol::RpcV2Cbor);
        let ec2 = protocol == Protocol::Ec2;
        match self {
            AuthError::Missing if is_s3 => "AccessDenied",
            AuthError::Missing if json => "MissingAuthenticationTokenException",
            AuthError::Missing => "MissingAuthenticationToken",
            AuthError::Incomplete(_) if is_s3 => "AuthorizationHeaderMalformed",
            AuthError::Incomplete(_) | AuthError::Mechanism if json => "IncompleteSignatureException",
            AuthError::Mechanism if is_s3 => "InvalidRequest",
            AuthError::Incomplete(_) | AuthError::Mechanism => "IncompleteSignature",
            AuthError::UnknownKey if is_s3 => "InvalidAccessKeyId",
            AuthError::UnknownKey if json => "UnrecognizedClientException",
            AuthError::UnknownKey if ec2 => "AuthFailure",
            AuthError::UnknownKey => "InvalidClientTokenId",
            AuthError::Scope { .. } if is_s3 => "AuthorizationHeaderMalformed",
            AuthError::Skewed { .. } if is_s3 => "RequestTimeTooSkewed",
            AuthError::Expired if is_s3 => "AccessDenied",
            AuthError::Skewed { .. } | AuthError::Expired if ec2 => "RequestExpired",
            AuthError::UnsignedHeader(_) if is_s3 => "AccessDenied",
            AuthError::PayloadMismatch if is_s3 => "XAmzContentSHA256Mismatch",
            AuthError::Signature if ec2 => "AuthFailure",
            // What is left is a signature that does not stand, in the words of each protocol.
            _ if json => "InvalidSignatureException",
            _ => "SignatureDoesNotMatch",
        }
    }

    /// The HTTP status that goes with [`AuthError::code`].
    pub fn status(&self, protocol: Protocol, is_s3: bool) -> u16 {
        match (self, protocol) {
            (_, Protocol::Json | Protocol::RpcV2Cbor) => 400,
            (AuthError::Incomplete(_) | AuthError::Mechanism, _) => 400,
            (AuthError::Scope { .. } | AuthError::PayloadMismatch, _) if is_s3 => 400,
            (AuthError::UnknownKey | AuthError::Signature, Protocol::Ec2) => 401,
            (AuthError::Skewed { .. } | AuthError::Expired, Protocol::Ec2) => 400,
            _ => 403,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_protocol_has_its_own_words() {
        let words = |error: AuthError| {
            [(Protocol::Json, false), (Protocol::Query, false), (Protocol::RestXml, true), (Protocol::Ec2, false)]
                .map(|(protocol, is_s3)| (error.code(protocol, is_s3), error.status(protocol, is_s3)))
        };
        assert_eq!(
            words(AuthError::Missing),
            [
                ("MissingAuthenticationTokenException", 400),
                ("MissingAuthenticationToken", 403),
                ("AccessDenied", 403),
                ("MissingAuthenticationToken", 403),
            ]
        );
        assert_eq!(
            words(AuthError::UnknownKey),
            [
                ("UnrecognizedClientException", 400),
                ("InvalidClientTokenId", 403),
                ("InvalidAccessKeyId", 403),
                ("AuthFailure", 401),
            ]
        );
        assert_eq!(
            words(AuthError::Signature),
            [
                ("InvalidSignatureException", 400),
                ("SignatureDoesNotMatch", 403),
                ("SignatureDoesNotMatch", 403),
                ("AuthFailure", 401),
            ]
        );
        assert_eq!(
            words(AuthError::Expired),
            [
                ("InvalidSignatureException", 400),
                ("SignatureDoesNotMatch", 403),
                ("AccessDenied", 403),
                ("RequestExpired", 400),
            ]
        );
        assert_eq!(AuthError::Missing.status(Protocol::RestJson, false), 403);
    }
}
