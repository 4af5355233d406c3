//! An archive behind an S3 endpoint, and the CloudTrail API that knows its keys. Ours or AWS's.

use super::archive::{Archive, ArchiveError, Body, Object};
use super::keys::{KeySource, PublicKeys};
use crate::BucketError;
use crate::bucket::s3::{S3Endpoint, S3Options, elements, region_of};
use crate::client::{Patience, client};
use bytes::Bytes;
use event::EventTime;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use http::{Method, Request};
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::{HttpClient, HttpRequestBody, HttpResponse};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use registry::Secret;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Whose calls these are.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// `AKIA…` or `ASIA…`.
    pub access_key_id: String,
    /// What requests are signed with.
    pub secret: Secret,
    /// Of temporary credentials.
    pub session_token: Option<Secret>,
}

/// Buckets behind an S3 endpoint, or in AWS, where each bucket is asked for in its own Region.
pub struct S3Archive {
    credentials: Credentials,
    /// `None`: AWS.
    endpoint: Option<String>,
    region: String,
    /// By Region.
    clients: Mutex<HashMap<String, Arc<S3Endpoint>>>,
    /// Regions of buckets in AWS.
    regions: tokio::sync::Mutex<HashMap<String, String>>,
}

/// The most of a listing or an API answer that is read, bytes.
const ANSWER_MAX: usize = 16 << 20;

impl S3Archive {
    /// Buckets behind `endpoint`, or in AWS; `region` is where requests are signed for.
    pub fn new(credentials: Credentials, endpoint: Option<String>, region: String) -> S3Archive {
        S3Archive { credentials, endpoint, region, clients: Mutex::default(), regions: tokio::sync::Mutex::default() }
    }

    async fn client_of(&self, bucket: &str) -> Result<Arc<S3Endpoint>, ArchiveError> {
        if self.endpoint.is_some() {
            return self.client(&self.region);
        }
        let mut regions = self.regions.lock().await;
        if let Some(region) = regions.get(bucket) {
            return self.client(region);
        }
        let asked = self.client("us-east-1")?.read(bucket, bucket, "?location").await;
        let answer = text(asked.map_err(|error| failed(bucket, &error))?)
            .await
            .map_err(|why| ArchiveError::Failed(bucket.to_owned(), why))?;
        let region = region_of(&answer).unwrap_or_else(|| "us-east-1".to_owned());
        regions.insert(bucket.to_owned(), region.clone());
        self.client(&region)
    }

    fn client(&self, region: &str) -> Result<Arc<S3Endpoint>, ArchiveError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(region) {
            return Ok(Arc::clone(client));
        }
        let endpoint = self.endpoint.clone().unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        let client = S3Endpoint::new(S3Options {
            endpoint: endpoint.clone(),
            region: region.to_owned(),
            access_key_id: self.credentials.access_key_id.clone(),
            secret: self.credentials.secret.clone(),
            session_token: self.credentials.session_token.clone(),
        });
        let client = Arc::new(client.map_err(|error| ArchiveError::Failed(endpoint, error.to_string()))?);
        clients.insert(region.to_owned(), Arc::clone(&client));
        Ok(client)
    }
}

impl Archive for S3Archive {
    fn list<'a>(
        &'a self,
        bucket: &'a str,
        prefix: &'a str,
        after: &'a str,
        until: &'a (dyn Fn(&str) -> bool + Send + Sync),
    ) -> BoxFuture<'a, Result<Vec<String>, ArchiveError>> {
        Box::pin(async move {
            let client = self.client_of(bucket).await?;
            let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let mut after = after.to_owned();
            let mut keys = Vec::new();
            loop {
                let query = format!("?list-type=2&prefix={}&start-after={}", encoded(prefix), encoded(&after));
                let answer = client.read(bucket, bucket, &query).await.map_err(|error| failed(bucket, &error))?;
                let answer = text(answer).await.map_err(|why| ArchiveError::Failed(bucket.to_owned(), why))?;
                let before = keys.len();
                for key in elements(&answer, "Key") {
                    if until(&key) {
                        return Ok(keys);
                    }
                    keys.push(key);
                }
                let is_truncated = elements(&answer, "IsTruncated").next().is_some_and(|word| word == "true");
                match keys.last().filter(|_| is_truncated && keys.len() > before) {
                    Some(last) if *last > after => after.clone_from(last),
                    // The same page would come for ever.
                    Some(_) => {
                        let why =
                            "the store lists what was asked to be passed over: it does not know start-after".to_owned();
                        return Err(ArchiveError::Failed(format!("s3://{bucket}"), why));
                    }
                    None => return Ok(keys),
                }
            }
        })
    }

    fn get<'a>(&'a self, bucket: &'a str, key: &'a str) -> BoxFuture<'a, Result<Object, ArchiveError>> {
        Box::pin(async move {
            let client = self.client_of(bucket).await?;
            let response = client.read(bucket, &format!("{bucket}/{key}"), "").await.map_err(|error| match &error {
                BucketError::Refused { code, .. } if code == "NoSuchKey" => ArchiveError::NotFound,
                _ => failed(bucket, &error),
            })?;
            let mut metadata = BTreeMap::new();
            for (name, value) in response.headers() {
                if let (Some(name), Ok(value)) = (name.as_str().strip_prefix("x-amz-meta-"), value.to_str()) {
                    metadata.insert(name.to_owned(), value.to_owned());
                }
            }
            let key = key.to_owned();
            let chunks = response.into_body().bytes_stream();
            let chunks =
                chunks.map(move |chunk| chunk.map_err(|error| ArchiveError::Failed(key.clone(), error.to_string())));
            Ok(Object { metadata, body: Body::Stream(chunks.boxed()) })
        })
    }
}

fn failed(bucket: &str, error: &BucketError) -> ArchiveError {
    ArchiveError::Failed(format!("s3://{bucket}"), error.to_string())
}

/// A small answer.
async fn text(response: HttpResponse) -> Result<String, String> {
    let mut bytes = Vec::new();
    let mut chunks = response.into_body().bytes_stream();
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk.map_err(|error| error.to_string())?);
        if bytes.len() > ANSWER_MAX {
            return Err("the answer is too long".to_owned());
        }
    }
    String::from_utf8(bytes).map_err(|error| error.to_string())
}

/// The CloudTrail API, as far as verification needs it.
pub struct CloudTrailApi {
    client: HttpClient,
    credential: AwsCredential,
    endpoint: String,
    region: String,
}

/// Where a trail delivers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TrailInfo {
    #[serde(rename = "TrailARN")]
    arn: String,
    /// The bucket.
    #[serde(rename = "S3BucketName")]
    pub bucket: String,
    /// The prefix of keys.
    #[serde(rename = "S3KeyPrefix", default)]
    pub prefix: Option<String>,
    /// Whether it is the trail of an organization.
    #[serde(default)]
    pub is_organization_trail: bool,
    /// Whether digests are made now, where that is said.
    #[serde(default)]
    pub log_file_validation_enabled: Option<bool>,
}

impl CloudTrailApi {
    /// The API at `endpoint`, or of AWS, in a Region.
    ///
    /// # Errors
    /// A text for people.
    pub fn new(credentials: Credentials, endpoint: Option<String>, region: String) -> Result<CloudTrailApi, String> {
        let endpoint = endpoint.unwrap_or_else(|| format!("https://cloudtrail.{region}.amazonaws.com"));
        let patience = Patience { request: Duration::from_secs(60), connect: Duration::from_secs(5) };
        let client = client(&endpoint, patience).map_err(|error| error.to_string())?;
        let credential = AwsCredential {
            key_id: credentials.access_key_id,
            secret_key: credentials.secret.expose().to_owned(),
            token: credentials.session_token.map(|token| token.expose().to_owned()),
        };
        Ok(CloudTrailApi { client, credential, endpoint: endpoint.trim_end_matches('/').to_owned(), region })
    }

    /// The trail of an ARN; `None` when there is none.
    ///
    /// # Errors
    /// [`ArchiveError::Failed`].
    pub async fn trail(&self, arn: &str) -> Result<Option<TrailInfo>, ArchiveError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            trail_list: Vec<TrailInfo>,
        }
        let answer: Answer = self.call("DescribeTrails", json!({})).await?;
        Ok(answer.trail_list.into_iter().find(|trail| trail.arn == arn))
    }

    /// When the trail last delivered digests in this Region; `None` when it never did or does not say.
    ///
    /// # Errors
    /// [`ArchiveError::Failed`].
    pub async fn latest_digest_delivery(&self, arn: &str) -> Result<Option<EventTime>, ArchiveError> {
        let status: Value = self.call("GetTrailStatus", json!({"Name": arn})).await?;
        Ok(status["LatestDigestDeliveryTime"].as_f64().map(|seconds| EventTime(seconds as i64)))
    }

    /// The organization of the caller's account, as AWS Organizations at `endpoint`, or of AWS, says.
    ///
    /// # Errors
    /// [`ArchiveError::Failed`].
    pub async fn organization_id(
        credentials: Credentials,
        endpoint: Option<String>,
        region: String,
    ) -> Result<String, ArchiveError> {
        let endpoint = endpoint.unwrap_or_else(|| "https://organizations.us-east-1.amazonaws.com".to_owned());
        let failed = |why: &str| ArchiveError::Failed("DescribeOrganization".to_owned(), why.to_owned());
        let api = CloudTrailApi::new(credentials, Some(endpoint), region).map_err(|why| failed(&why))?;
        let target = "AWSOrganizationsV20161128.DescribeOrganization";
        let answer: Value = api.ask("organizations", target, json!({})).await?;
        answer["Organization"]["Id"].as_str().map(str::to_owned).ok_or_else(|| failed("the answer names none"))
    }

    async fn call<T: serde::de::DeserializeOwned>(&self, operation: &str, body: Value) -> Result<T, ArchiveError> {
        let target = format!("com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.{operation}");
        self.ask("cloudtrail", &target, body).await
    }

    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        service: &str,
        target: &str,
        body: Value,
    ) -> Result<T, ArchiveError> {
        let operation = target.rsplit('.').next().unwrap_or(target);
        let failed = |why: String| ArchiveError::Failed(format!("{operation} of {}", self.endpoint), why);
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/", self.endpoint))
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", target)
            .body(HttpRequestBody::from(Bytes::from(body.to_string())))
            .map_err(|error| failed(error.to_string()))?;
        AwsAuthorizer::new(&self.credential, service, &self.region).authorize(&mut request, None);
        let response =
            self.client.execute(request).await.map_err(|error| failed(crate::bucket::s3::whole_cause(&error)))?;
        let is_success = response.status().is_success();
        let text = text(response).await.map_err(failed)?;
        if !is_success {
            let error: Value = serde_json::from_str(&text).unwrap_or_default();
            let part = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
            let message = part("message") + &part("Message");
            return Err(failed(format!("{}: {message}", part("__type"))));
        }
        serde_json::from_str(&text).map_err(|error| failed(error.to_string()))
    }
}

impl KeySource for CloudTrailApi {
    fn keys(&self, start: EventTime, end: EventTime) -> BoxFuture<'_, Result<PublicKeys, ArchiveError>> {
        Box::pin(async move {
            let mut keys = PublicKeys::default();
            let mut input = json!({"StartTime": start.0, "EndTime": end.0});
            loop {
                let page: Value = self.call("ListPublicKeys", input.clone()).await?;
                let (found, next) = PublicKeys::parse(page.to_string().as_bytes())
                    .map_err(|why| ArchiveError::Failed("ListPublicKeys".to_owned(), why))?;
                keys.extend(found);
                match next {
                    Some(token) if input["NextToken"] == token => {
                        let why = "the answer has the token that was given".to_owned();
                        return Err(ArchiveError::Failed("ListPublicKeys".to_owned(), why));
                    }
                    Some(token) => input["NextToken"] = token.into(),
                    None => return Ok(keys),
                }
            }
        })
    }
}
