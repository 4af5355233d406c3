//! S3's records: names of HTTP instead of names of the model (`reference/event-record.md` §7.4, §10, §11).

use crate::call::{Call, shows_document};
use crate::decode::body::Body;
use crate::decode::form::decoded;
use crate::decode::{json, percent_decoded};
use crate::exchange::Exchange;
use crate::render::limits::Written;
use crate::render::redact::HIDDEN;
use crate::render::write::Json;
use aws::{Credential, Headers, Location, Request, Shape};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::HashSet;

/// The bucket and key of a call, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address<'a> {
    pub(crate) bucket: Option<Cow<'a, str>>,
    pub(crate) key: Option<Cow<'a, str>>,
}

impl<'a> Address<'a> {
    pub(crate) fn of(call: &Call, request: &Request<'a>) -> Address<'a> {
        let labels = aws::uri_labels(call.operation, request);
        // What decodes to no text stands as it was sent.
        let label = |wanted: &str| {
            let (_, raw) = labels.iter().find(|(name, _)| *name == wanted)?;
            percent_decoded(raw).or(Some(Cow::Borrowed(*raw)))
        };
        Address { bucket: label("Bucket"), key: label("Key") }
    }

    /// With the key that a browser's form names in a field.
    pub(crate) fn with_form(self, call: &Call, request: &Request<'_>, form: &'a [u8]) -> Address<'a> {
        if call.operation.name() != "PostObject" {
            return self;
        }
        let key = aws::form_key(request, form).or(self.key);
        Address { key, ..self }
    }
}

/// The member that has the headers by which a call grants something.
const GRANTS: &str = "accessControlList";

/// Headers with the prefix `x-amz-` that say how a request was sent or prove something, not what it asks for.
const UNSHOWN: [&str; 9] = [
    "x-amz-account-id",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-mfa",
    "x-amz-region-set",
    "x-amz-security-token",
    "x-amz-trailer",
    "x-amz-user-agent",
];

/// Which key shall encrypt an object, and in which context: no secrets, whatever the model says.
const OF_KMS: [&str; 2] = ["x-amz-server-side-encryption-aws-kms-key-id", "x-amz-server-side-encryption-context"];

/// Whether a record names those to whom a call grants something by their e-mail addresses: only the requester's copy
/// does (§6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grantees {
    Shown,
    Hidden,
}

impl Grantees {
    /// What a header or parameter that grants something says in the record.
    fn told(self, value: &str) -> &str {
        let has_address = || value.to_ascii_lowercase().contains("emailaddress");
        if self == Grantees::Hidden && has_address() { HIDDEN } else { value }
    }
}

/// Whether a header or parameter grants something.
fn is_grant(name: &str) -> bool {
    const START: &str = "x-amz-grant-";
    name.get(..START.len()).is_some_and(|start| start.eq_ignore_ascii_case(START))
}

/// Writes the members of `requestParameters`.
pub(crate) fn request(
    call: &Call,
    address: &Address<'_>,
    exchange: &Exchange<'_>,
    body: &Body<'_>,
    raw_body: &[u8],
    grantees: Grantees,
    out: &mut Json,
) -> Written {
    let request = &exchange.request;
    if call.service.name() == "s3" {
        for (name, value) in [("bucketName", &address.bucket), ("key", &address.key)] {
            if let Some(value) = value {
                out.text_member(name, value);
            }
        }
    }
    if let Some(host) = request.host() {
        out.text_member("Host", host);
    }
    let document = document(call, body);
    queries(request, document.unwrap_or_default(), grantees, out);
    if let Some(input) = call.operation.input() {
        headers(&request.headers, input, grantees, out);
    }
    match document {
        // No document of S3's is named like that, and no name may stand twice.
        Some(name) if is_own(name) => Written::Members,
        _ if !shows_document(call) => Written::Members,
        _ => content(call, body, raw_body, grantees, out),
    }
}

/// The name under which the document of a call will stand.
fn document<'t>(call: &Call, body: &'t Body<'_>) -> Option<&'t str> {
    match body {
        _ if !shows_document(call) => None,
        _ if call.operation.name() == "PutBucketPolicy" => Some("bucketPolicy"),
        _ => body.root().map(|root| root.name()),
    }
}

/// Names that say what the path, the host and the headers say, whatever else a caller writes under them.
fn is_own(name: &str) -> bool {
    matches!(name, "bucketName" | "key" | "Host" | GRANTS) || name.starts_with("x-amz-")
}

/// Writes the members of `requestParameters` of one key of a `DeleteObjects` call.
pub(crate) fn key(address: &Address<'_>, request: &Request<'_>, version: Option<&str>, out: &mut Json) {
    let members = [
        ("bucketName", address.bucket.as_deref()),
        ("key", address.key.as_deref()),
        ("Host", request.host()),
        ("versionId", version),
    ];
    for (name, value) in members {
        if let Some(value) = value {
            out.text_member(name, value);
        }
    }
}

/// Every parameter under its own name as text, but what proves the caller, and what would stand beside something that
/// carries more weight under the same name.
fn queries(request: &Request<'_>, document: &str, grantees: Grantees, out: &mut Json) {
    const UNSHOWN: [&str; 6] =
        ["x-amz-credential", "x-amz-mfa", "x-amz-signature", "x-amz-security-token", "awsaccesskeyid", "signature"];
    let unshown =
        |name: &str| UNSHOWN.iter().any(|unshown| unshown.eq_ignore_ascii_case(name)) || is_customers_key(name);
    // All of them are looked at, however many a caller sends to hide one behind: the head that they stand in is bounded.
    let mut seen = HashSet::new();
    for (name, value) in request.query_pairs() {
        let (name, value) = (decoded(name), decoded(value));
        let repeated = !seen.insert(name.clone());
        let outweighed =
            name == document || (is_own(&name) && (!name.starts_with("x-amz-") || request.headers.has(&name)));
        if unshown(&name) || repeated || outweighed {
            continue;
        }
        out.foreign_member(&name, if is_grant(&name) { grantees.told(&value) } else { &value });
    }
}

/// Whether a header or parameter is a key that the store forgets (SSE-C).
fn is_customers_key(name: &str) -> bool {
    const TAIL: &str = "-customer-key";
    let tail = name.len().checked_sub(TAIL.len()).and_then(|at| name.get(at..));
    tail.is_some_and(|tail| tail.eq_ignore_ascii_case(TAIL))
}

/// The modeled `x-amz-` headers that a caller may see again.
fn headers(headers: &Headers<'_>, shape: Shape<'_>, grantees: Grantees, out: &mut Json) {
    let mut grants: SmallVec<[(String, Cow<'_, str>); 5]> = SmallVec::new();
    for member in shape.members().filter(|member| member.location() == Location::Header) {
        let name = member.wire_name();
        let amazon = name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"));
        let shown = amazon
            && (!member.is_sensitive() || OF_KMS.iter().any(|shown| shown.eq_ignore_ascii_case(name)))
            && !UNSHOWN.iter().any(|unshown| unshown.eq_ignore_ascii_case(name))
            && !is_customers_key(name);
        // Lines of one name are one value (RFC 9110, section 5.3).
        let mut lines = headers.all(name).map(String::from_utf8_lossy);
        let joined = lines.next().map(|first| lines.fold(first, |value, line| Cow::Owned(format!("{value},{line}"))));
        if let Some(value) = joined.filter(|_| shown) {
            let name = name.to_ascii_lowercase();
            if is_grant(&name) {
                grants.push((name, value));
            } else {
                out.text_member(&name, &value);
            }
        }
    }
    if grants.is_empty() {
        return;
    }
    out.key(GRANTS);
    out.open_object();
    for (name, value) in grants {
        out.text_member(&name, grantees.told(&value));
    }
    out.close_object();
}

/// The document that a call puts: a policy as JSON, anything else as its XML says.
fn content(call: &Call, body: &Body<'_>, raw_body: &[u8], grantees: Grantees, out: &mut Json) -> Written {
    if call.operation.name() == "PutBucketPolicy" {
        match json::tree(raw_body) {
            Ok(policy) => {
                out.key("bucketPolicy");
                crate::render::verbatim(policy.root(), 0, out);
                return Written::Members;
            }
            Err(_) => return if matches!(body, Body::Omitted) { Written::Omitted } else { Written::Members },
        }
    }
    // Of a call on an object its name and upload say more than a long document.
    let is_data = call.data.is_some();
    match body {
        Body::Omitted if !is_data => return Written::Omitted,
        Body::Tree(tree) => {
            out.foreign_key(tree.root().name());
            let start = out.len();
            let hidden = (grantees == Grantees::Hidden).then_some("EmailAddress");
            crate::params::ec2::element(tree.root(), None, hidden, 0, out);
            if is_data && out.len() - start > LONG_DOCUMENT {
                out.rewind(start);
                out.open_object();
                out.key("omitted");
                out.bool(true);
                out.close_object();
            }
        }
        Body::Empty | Body::Malformed | Body::Omitted => {}
    }
    Written::Members
}

/// Documents of calls on objects are shown up to this size, bytes: what else they say has room beside them.
const LONG_DOCUMENT: usize = 64 << 10;

/// Headers of an answer that a record shows.
const SHOWN_OF_ANSWER: [&str; 8] = [
    "x-amz-expiration",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-server-side-encryption-context",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-server-side-encryption-customer-key-MD5",
    "x-amz-version-id",
];

/// Writes the members of `responseElements`.
pub(crate) fn response(answer: &Headers<'_>, out: &mut Json) {
    for name in SHOWN_OF_ANSWER {
        if let Some(value) = answer.get(name) {
            out.text_member(name, value);
        }
    }
}

/// Writes the members of `additionalEventData` (§11). `sized` says whether the bytes that passed belong to this record;
/// `form` is the beginning of the body, where a browser's form has its fields.
pub(crate) fn additional(
    call: &Call,
    exchange: &Exchange<'_>,
    credential: Option<&Credential<'_>>,
    sized: bool,
    form: &[u8],
    out: &mut Json,
) {
    if let Some(version) = credential.and_then(|credential| credential.kind.signature_version()) {
        out.text_member("SignatureVersion", version);
    }
    if let Some(tls) = exchange.tls {
        out.text_member("CipherSuite", &tls.cipher_suite);
    }
    out.key("bytesTransferredIn");
    out.number(if sized { exchange.request_body.total } else { 0 });
    if let Some(applied) = sse_applied(call, exchange, form) {
        out.text_member("SSEApplied", applied);
    }
    // No real record shows what stands there for a form.
    if let Some(credential) = credential.filter(|credential| !credential.kind.is_form()) {
        out.text_member("AuthenticationMethod", if credential.kind.is_query() { "QueryString" } else { "AuthHeader" });
    }
    if let Some(id) = exchange.response.as_ref().and_then(|response| response.headers.get("x-amz-id-2")) {
        out.text_member("x-amz-id-2", id);
    }
    out.key("bytesTransferredOut");
    out.number(exchange.response.as_ref().filter(|_| sized).map_or(0, |response| response.body.total));
}

/// How the new object was encrypted: as its call asked, or as the bucket does by itself (S3 User Guide, "Monitoring default
/// encryption with CloudTrail"). Of a multipart upload the call that began it tells.
fn sse_applied(call: &Call, exchange: &Exchange<'_>, form: &[u8]) -> Option<&'static str> {
    const ENCRYPTION: &str = "x-amz-server-side-encryption";
    if !matches!(call.operation.name(), "CopyObject" | "CreateMultipartUpload" | "PostObject" | "PutObject") {
        return None;
    }
    let answer = exchange.response.as_ref().filter(|response| response.status < 300)?.headers;
    if answer.has("x-amz-server-side-encryption-customer-algorithm") {
        return Some("SSE_C");
    }
    let in_form = || memchr::memmem::find(form, b"name=\"x-amz-server-side-encryption\"").is_some();
    let asked = match call.operation.name() {
        "PostObject" => in_form(),
        _ => exchange.request.headers.has(ENCRYPTION) || exchange.request.query_value(ENCRYPTION).is_some(),
    };
    match (answer.get(ENCRYPTION)?, asked) {
        ("AES256", true) => Some("SSE_S3"),
        ("AES256", false) => Some("Default_SSE_S3"),
        ("aws:kms", true) => Some("SSE_KMS"),
        ("aws:kms", false) => Some("Default_SSE_KMS"),
        _ => None,
    }
}

/// The bucket and key that a call copies from, as `BUCKET/KEY`. Access points and other ARNs are not taken apart.
pub(crate) fn copied<'a>(call: &Call, request: &Request<'a>) -> Option<Cow<'a, str>> {
    if !matches!(call.operation.name(), "CopyObject" | "UploadPartCopy") {
        return None;
    }
    let source = request.headers.get("x-amz-copy-source")?;
    let source = source.split_once('?').map_or(source, |(source, _)| source);
    let source = percent_decoded(source.strip_prefix('/').unwrap_or(source))?;
    let is_object = source.split_once('/').is_some_and(|(bucket, key)| !bucket.contains(':') && !key.is_empty());
    is_object.then_some(source)
}

/// Writes `resources` with its key (§10): the object or the prefix, then the bucket if there was one, then the bucket and the
/// object that were copied from. A trail selects data events by what stands here, so none is without its object.
pub(crate) fn resources(
    call: &Call,
    address: &Address<'_>,
    source: Option<&str>,
    region: &str,
    account: &str,
    has_bucket: bool,
    out: &mut Json,
) {
    let Some(bucket) = &address.bucket else { return };
    let partition = event::partition_of(region);
    let (kind, bucket) = if call.is_directory {
        ("AWS::S3Express::DirectoryBucket", format!("arn:{partition}:s3express:{region}:{account}:bucket/{bucket}"))
    } else {
        ("AWS::S3::Bucket", format!("arn:{partition}:s3:::{bucket}"))
    };
    crate::render::limits::resources(out, |out| {
        if let Some(data) = call.data {
            match &address.key {
                Some(key) => entry(None, data, ("ARN", &format!("{bucket}/{key}")), out),
                None => entry(None, data, ("ARNPrefix", &format!("{bucket}/")), out),
            }
        }
        if has_bucket {
            entry(Some(account), kind, ("ARN", &bucket), out);
        }
        if let (Some(data), Some(source), false) = (call.data, source, call.is_directory) {
            if let Some((bucket, _)) = source.split_once('/').filter(|_| has_bucket) {
                entry(Some(account), kind, ("ARN", &format!("arn:{partition}:s3:::{bucket}")), out);
            }
            entry(None, data, ("ARN", &format!("arn:{partition}:s3:::{source}")), out);
        }
    });
}

/// What stands before a bucket, whose name a call through it does not tell (S3 User Guide, "Referencing access points").
pub(crate) struct AccessPoint {
    arn: String,
    account: String,
    is_lambda: bool,
}

impl AccessPoint {
    /// The access point that is named in place of a bucket: by its ARN, or by its host
    /// (`NAME-ACCOUNT.s3-accesspoint.REGION.amazonaws.com`).
    pub(crate) fn of(address: &Address<'_>, host: Option<&str>) -> Option<AccessPoint> {
        let bucket = address.bucket.as_deref()?;
        if let Some(rest) = bucket.strip_prefix("arn:") {
            let mut parts = rest.splitn(5, ':');
            let (_, service, _, account) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            let is_lambda = service == "s3-object-lambda";
            let fits = (is_lambda || service == "s3") && parts.next()?.starts_with("accesspoint");
            return fits.then(|| AccessPoint { arn: bucket.to_owned(), account: account.to_owned(), is_lambda });
        }
        let (label, rest) = host?.split_once('.')?;
        let (kind, rest) = rest.split_once('.')?;
        let (service, is_lambda) = match kind {
            "s3-accesspoint" | "s3-accesspoint-fips" => ("s3", false),
            "s3-object-lambda" | "s3-object-lambda-fips" => ("s3-object-lambda", true),
            _ => return None,
        };
        let region = rest.strip_prefix("dualstack.").unwrap_or(rest).split_once(".amazonaws.com")?.0;
        let (name, account) = label.rsplit_once('-')?;
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let partition = event::partition_of(region);
        let arn = format!("arn:{partition}:{service}:{region}:{account}:accesspoint/{name}");
        Some(AccessPoint { arn, account: account.to_owned(), is_lambda })
    }

    /// Writes `resources` with its key: the object as it is named through the access point, and the access point.
    pub(crate) fn resources(&self, call: &Call, key: Option<&str>, out: &mut Json) {
        let kind = if self.is_lambda { "AWS::S3ObjectLambda::AccessPoint" } else { "AWS::S3::AccessPoint" };
        crate::render::limits::resources(out, |out| {
            if let Some(data) = call.data {
                match key {
                    Some(key) => entry(None, data, ("ARN", &format!("{}/object/{key}", self.arn)), out),
                    None => entry(None, data, ("ARNPrefix", &format!("{}/object/", self.arn)), out),
                }
            }
            entry(Some(&self.account), kind, ("ARN", &self.arn), out);
        });
    }
}

fn entry(account: Option<&str>, kind: &str, (name, arn): (&'static str, &str), out: &mut Json) {
    out.open_object();
    if let Some(account) = account {
        out.text_member("accountId", account);
    }
    out.text_member("type", kind);
    out.text_member(name, arn);
    out.close_object();
}

/// Whether the record of a call names no bucket because there was none when the call came.
pub(crate) fn has_no_bucket(call: &Call, error: Option<&str>) -> bool {
    call.operation.name() == "CreateBucket" || error == Some("NoSuchBucket")
}
