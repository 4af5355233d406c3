//! What a KMS endpoint says about a key: CreateTrail shows whole ARNs, and refuses keys that cannot be used.
//!
//! One request is all that is needed (DescribeKey, JSON 1.1), so it is made by hand, as those of the buckets are.

use crate::bucket::s3::{S3Options, whole_cause};
use crate::client::{Patience, client};
use bytes::Bytes;
use http::Request;
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::{HttpClient, HttpRequestBody};
use std::fmt;
use std::time::Duration;

/// A KMS endpoint.
pub struct KmsEndpoint {
    client: HttpClient,
    credential: AwsCredential,
    endpoint: String,
}

/// A key that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its whole ARN, also where it was asked for by an id or an alias.
    pub arn: String,
    /// Whether it can be used.
    pub is_enabled: bool,
}

/// Why a key is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KmsError {
    /// The service answered with an error.
    #[error("KMS refused: {code}: {message}")]
    Refused {
        /// Its code, such as `NotFoundException`.
        code: String,
        /// What it says about it.
        message: String,
    },
    /// No usable answer.
    #[error("KMS cannot be reached: {0}")]
    Unreachable(String),
}

/// How long an answer may take: a caller waits for it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// The most that is read of an answer, bytes.
const ANSWER_MAX: usize = 64 * 1024;

impl KmsEndpoint {
    /// A client for the endpoint, with the options of an S3 endpoint. Nothing is sent yet.
    ///
    /// # Errors
    /// [`KmsError::Unreachable`] when no client can be made.
    pub fn new(options: S3Options) -> Result<KmsEndpoint, KmsError> {
        let client = client(&options.endpoint, Patience { request: REQUEST_TIMEOUT, connect: REQUEST_TIMEOUT })
            .map_err(|error| KmsError::Unreachable(error.to_string()))?;
        let credential = AwsCredential {
            key_id: options.access_key_id,
            secret_key: options.secret.expose().to_owned(),
            token: options.session_token.map(|token| token.expose().to_owned()),
        };
        Ok(KmsEndpoint { client, credential, endpoint: options.endpoint.trim_end_matches('/').to_owned() })
    }

    /// The key that an id, an alias or an ARN names in a Region.
    ///
    /// # Errors
    /// [`KmsError`].
    pub async fn describe(&self, key: &str, region: &str) -> Result<Key, KmsError> {
        let unreachable = |cause: String| KmsError::Unreachable(cause);
        let body = serde_json::json!({ "KeyId": key }).to_string();
        let mut request = Request::post(format!("{}/", self.endpoint))
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", "TrentService.DescribeKey")
            .body(HttpRequestBody::from(Bytes::from(body)))
            .map_err(|error| unreachable(error.to_string()))?;
        AwsAuthorizer::new(&self.credential, "kms", region).authorize(&mut request, None);
        let response = self.client.execute(request).await.map_err(|error| unreachable(whole_cause(&error)))?;
        let status = response.status();
        let mut text = Vec::new();
        let mut chunks = response.into_body().bytes_stream();
        while let Some(chunk) = futures_util::StreamExt::next(&mut chunks).await {
            let chunk = chunk.map_err(|error| unreachable(error.to_string()))?;
            if text.len() + chunk.len() > ANSWER_MAX {
                return Err(unreachable("the answer is too long".to_owned()));
            }
            text.extend_from_slice(&chunk);
        }
        let answer: Answer = serde_json::from_slice(&text).unwrap_or_default();
        match answer.metadata {
            Some(Metadata { arn, enabled }) if status.is_success() => Ok(Key { arn, is_enabled: enabled }),
            _ => match answer.code.rsplit('#').next().filter(|code| !code.is_empty() && !status.is_success()) {
                Some(code) => {
                    Err(KmsError::Refused { code: code.to_owned(), message: answer.message.unwrap_or_default() })
                }
                None => Err(unreachable(format!("what answers is no KMS (HTTP status {status})"))),
            },
        }
    }
}

#[derive(Default, serde::Deserialize)]
struct Answer {
    #[serde(rename = "KeyMetadata")]
    metadata: Option<Metadata>,
    #[serde(default, rename = "__type")]
    code: String,
    #[serde(alias = "Message")]
    message: Option<String>,
}

#[derive(serde::Deserialize)]
struct Metadata {
    #[serde(rename = "Arn")]
    arn: String,
    #[serde(default, rename = "Enabled")]
    enabled: bool,
}

impl fmt::Debug for KmsEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KmsEndpoint").field("endpoint", &self.endpoint).finish()
    }
}
