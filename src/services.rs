//! The services in the house: each call that is answered here to the room that answers it.

use crate::config::Auth;
use aws::recognise::form_action;
use aws::{Catalog, CredentialKind};
use bytes::Bytes;
use capture::{Answer, Body, BoxError, Identities, Local, LocalCall, Reason};
use event::{EventTime, Identity, IdentityType};
use futures_util::TryFutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Full, Limited};
use iam::{AuthError, Keys};
use registry::Organization;
use s3::S3Api;
use serve::CloudTrail;
use serve::organizations::OrganizationsCall;
use serve::sts::{QueryCall, QueryService};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a caller may take to send the body of a call that is collected whole.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// What answers here.
pub(crate) struct House {
    /// The CloudTrail API.
    pub(crate) cloudtrail: CloudTrail,
    /// The embedded store; `None` when an upstream owns S3.
    pub s3: Option<S3Api>,
    /// The keys kept here.
    pub(crate) keys: Keys,
    /// Who a key is.
    pub(crate) identities: Arc<dyn Identities>,
    /// Whether calls must be signed.
    pub(crate) auth: Auth,
    /// The house's account.
    pub(crate) account: String,
    /// The house's Region.
    pub(crate) region: String,
    /// The organization whose management account the house's is.
    pub(crate) organization: Option<Organization>,
}

/// Implements [`Local`] over a shared house.
pub(crate) struct Services(pub(crate) Arc<House>);

impl Local for Services {
    fn call(&self, call: LocalCall) -> Answer {
        let house = Arc::clone(&self.0);
        Box::pin(async move { house.answer(call).await })
    }
}

/// A call whose body has been collected, and who made it.
struct Collected<'a> {
    parts: &'a Parts,
    body: Bytes,
    service: &'static str,
    caller: Identity,
    region: String,
    request_id: String,
}

impl Collected<'_> {
    /// `X-Amz-Target`; empty when there is none.
    fn target(&self) -> &str {
        self.parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl House {
    async fn answer(&self, call: LocalCall) -> Response<Body> {
        let info = call.opened.and_then(|opened| opened.service()).and_then(|id| Catalog::embedded().info(id));
        let service = info.map_or("s3", |info| info.name());
        match (service, &self.s3) {
            ("s3", Some(s3)) => {
                let operation = call.opened.and_then(|opened| opened.operation()).map(|operation| operation.name());
                let (mut parts, body) = call.request.into_parts();
                let headers = headers_of(&parts);
                let bucket_in_host = aws::recognise::bucket_in_host(&request_of(&parts, &headers)).map(str::to_owned);
                parts.extensions.insert(s3::Named { operation, bucket_in_host });
                s3.call(Request::from_parts(parts, body)).await
            }
            _ => self.answer_collected(call, service).await,
        }
    }

    /// Everything but S3 is small: the body is read whole, so that its signature can be verified.
    async fn answer_collected(&self, call: LocalCall, service: &'static str) -> Response<Body> {
        let request_id = uuid::Uuid::new_v4().to_string();
        let protocol = call.opened.and_then(|opened| opened.protocol()).unwrap_or(aws::Protocol::Json);
        let refuse = |status: u16, code: &str, message: &str, reason: Option<Reason>| {
            refusal(protocol, status, code, message, &request_id, reason)
        };
        let (parts, body) = call.request.into_parts();
        let body = match tokio::time::timeout(BODY_TIMEOUT, collect(body)).await {
            Ok(Ok(body)) => body,
            Ok(Err(error)) => return refuse(413, "RequestEntityTooLargeException", &error.to_string(), None),
            Err(_) => {
                return refuse(408, "RequestTimeout", "The body did not arrive in time.", Some(Reason::Malformed));
            }
        };
        let caller = match self.caller(&parts, &body, service, protocol) {
            Ok(caller) => caller,
            // The code tells the recorder, as that of any service does, that nobody was let in.
            Err((status, code, message)) => return refuse(status, code, &message, None),
        };
        let (caller, region) = (caller.0, caller.1.unwrap_or_else(|| self.region.clone()));
        let call = Collected { parts: &parts, body, service, caller, region, request_id: request_id.clone() };
        match service {
            "cloudtrail" => self.cloudtrail(call).await,
            "sts" => self.query(&call, QueryService::Sts),
            "iam" => self.query(&call, QueryService::Iam),
            "organizations" => self.organizations(&call),
            other => {
                let hint =
                    if other == "events" { " Name an upstream that has it with --upstream events=URL." } else { "" };
                let message = format!("{other} is not built in this version of OpenTrail.{hint}");
                refuse(501, "NotImplementedException", &message, None)
            }
        }
    }

    async fn cloudtrail(&self, call: Collected<'_>) -> Response<Body> {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        let call = serve::Call {
            target: call.target().to_owned(),
            account_id: self.account_of(&call.caller).to_owned(),
            region: call.region,
            body: call.body,
            now_ms,
            request_id: call.request_id,
        };
        whole(self.cloudtrail.call(call).await)
    }

    fn organizations(&self, call: &Collected<'_>) -> Response<Body> {
        whole(serve::organizations::answer(&OrganizationsCall {
            target: call.target(),
            organization: self.organization.as_ref(),
            management_account: &self.account,
            account_id: self.account_of(&call.caller),
            request_id: &call.request_id,
        }))
    }

    /// The account in which a caller's calls take place: its own, if it is a member of the organization.
    fn account_of<'a>(&'a self, caller: &'a Identity) -> &'a str {
        let account = self.organization.as_ref().zip(caller.account_id.as_deref());
        account
            .filter(|(organization, account)| organization.has(account))
            .map_or(&self.account, |(_, account)| account)
    }

    fn query(&self, call: &Collected<'_>, service: QueryService) -> Response<Body> {
        let query = call.parts.uri.query().unwrap_or_default();
        let action = form_action(&call.body).or_else(|| form_action(query.as_bytes()));
        tracing::debug!(service = call.service, action = action.as_deref(), "query call");
        whole(serve::sts::answer(&QueryCall {
            service,
            action: action.as_deref(),
            caller: &call.caller,
            account_id: &self.account,
            request_id: &call.request_id,
        }))
    }

    /// Who calls, and the Region of the credential scope; or the status, code and message of a refusal.
    fn caller(
        &self,
        parts: &Parts,
        body: &[u8],
        service: &str,
        protocol: aws::Protocol,
    ) -> Result<(Identity, Option<String>), (u16, &'static str, String)> {
        let headers = headers_of(parts);
        let request = request_of(parts, &headers);
        let now = now();
        if self.auth == Auth::Verify {
            let hash = aws::sigv4::sha256_hex(body);
            return match iam::verify(&request, &hash, service, |id| self.keys.find(id), now) {
                Ok(verified) => Ok((verified.identity(), Some(verified.region))),
                Err(error) => Err((error.status(protocol, false), error.code(protocol, false), error.to_string())),
            };
        }
        let Some(credential) = aws::credential(&request) else {
            return Ok((Identity::of_type(IdentityType::Unknown), None));
        };
        let known = self.identities.resolve(&credential.access_key_id, now);
        let identity = known.map_or_else(
            || Identity {
                account_id: Some(self.account.clone()),
                access_key_id: Some(credential.access_key_id.to_string()),
                ..Identity::of_type(IdentityType::Unknown)
            },
            |known| Identity::clone(&known),
        );
        let region = Some(credential.region.to_string()).filter(|region| !region.is_empty());
        Ok((identity, region))
    }
}

/// Whether the head of a call to the embedded store may be one: what [`iam::verify`] asks of every other service here.
pub(crate) fn check_s3_head(head: &Parts) -> Result<(), s3::Refusal> {
    let headers = headers_of(head);
    let request = request_of(head, &headers);
    // Presigned URLs of Version 2, which boto3 and the AWS CLI make unless told otherwise, end when they say, and sign every
    // `x-amz-…` header there is. In a header that version would be good for ever.
    if aws::credential(&request).is_some_and(|credential| credential.kind == CredentialKind::QueryV2) {
        return Ok(());
    }
    match iam::check_head(&request, "s3", now()) {
        // The store says itself what it does not let strangers do.
        Ok(()) | Err(AuthError::Missing) => Ok(()),
        Err(error) => Err(s3::Refusal {
            status: error.status(aws::Protocol::RestXml, true),
            code: error.code(aws::Protocol::RestXml, true),
            message: error.to_string(),
        }),
    }
}

fn headers_of(head: &Parts) -> Vec<(&str, &[u8])> {
    head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
}

fn request_of<'a>(head: &'a Parts, headers: &'a [(&'a str, &'a [u8])]) -> aws::Request<'a> {
    aws::Request {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: head.uri.query().unwrap_or_default(),
        headers: aws::Headers(headers),
        path_style: false,
    }
}

fn now() -> EventTime {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    EventTime(since_epoch as i64)
}

/// A body that is to be small, as a whole. No `async` block: in one, the compiler asks more of the error's lifetime than
/// `Limited` can prove.
fn collect(body: Body) -> BoxFuture<'static, Result<Bytes, BoxError>> {
    Box::pin(Limited::new(body, CloudTrail::MAX_BODY_BYTES).collect().map_ok(|collected| collected.to_bytes()))
}

/// An error in the protocol of the call; `reason` keeps it from being recorded.
fn refusal(
    protocol: aws::Protocol,
    status: u16,
    code: &str,
    message: &str,
    request_id: &str,
    reason: Option<Reason>,
) -> Response<Body> {
    let error = aws::error_body(protocol, false, status, code, message, "", request_id);
    let mut response = whole(Response::new(Bytes::from(error.body)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(error.content_type));
    for (name, value) in error.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(header::HeaderName::from_static(name), value);
        }
    }
    if let Some(reason) = reason {
        response.extensions_mut().insert(reason);
    }
    response
}

/// A response whose body is known as one that the edge streams.
pub(crate) fn whole(response: Response<Bytes>) -> Response<Body> {
    response.map(|body| Full::new(body).map_err(|never| -> BoxError { match never {} }).boxed_unsync())
}
