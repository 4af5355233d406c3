//! Who signed a request, as the request itself says it. Nothing is verified here.

use crate::Request;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// What a request says about its signature. Text is borrowed from the request; what had to be percent-decoded is owned.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential<'a> {
    /// The access key id; empty for a bearer token.
    pub access_key_id: Cow<'a, str>,
    /// `YYYYMMDD` of the scope; empty for version 2 and bearer tokens.
    pub date: Cow<'a, str>,
    /// The Region of the scope; empty where there is none. For version 4a `X-Amz-Region-Set`, as sent.
    pub region: Cow<'a, str>,
    /// The service of the scope (a signing name); empty for version 2 and bearer tokens.
    pub service: Cow<'a, str>,
    /// `SignedHeaders` as sent: lower-case names separated by `;`. Empty for version 2.
    pub signed_headers: Cow<'a, str>,
    /// The signature as sent: hex for version 4 and 4a, base64 for version 2. Never log it.
    pub signature: Cow<'a, str>,
    /// `X-Amz-Security-Token`, from a header or the query string. Never log it.
    pub session_token: Option<Cow<'a, str>>,
    /// How and where it was signed.
    pub kind: CredentialKind,
}

/// How and where a request was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// `Authorization: AWS4-HMAC-SHA256 …`.
    HeaderV4,
    /// `Authorization: AWS4-ECDSA-P256-SHA256 …`, good for a set of Regions.
    HeaderV4a,
    /// A presigned URL with `X-Amz-Credential`.
    QueryV4,
    /// A presigned URL of version 4a.
    QueryV4a,
    /// `Authorization: AWS KEY:SIGNATURE`.
    HeaderV2,
    /// A presigned URL (or query call) with `AWSAccessKeyId`.
    QueryV2,
    /// A browser's form for S3 with a POST policy and `X-Amz-Credential`.
    FormV4,
    /// The same with `AWSAccessKeyId`.
    FormV2,
    /// `Authorization: Bearer …`: the token names nobody by itself.
    Bearer,
}

impl CredentialKind {
    /// Whether the signature stands in the query string.
    pub fn is_query(self) -> bool {
        matches!(self, CredentialKind::QueryV4 | CredentialKind::QueryV4a | CredentialKind::QueryV2)
    }

    /// Whether the signature stands in a form.
    pub fn is_form(self) -> bool {
        matches!(self, CredentialKind::FormV4 | CredentialKind::FormV2)
    }

    /// `SigV4` or `SigV2`, as records say it; `None` for bearer tokens.
    pub fn signature_version(self) -> Option<&'static str> {
        match self {
            CredentialKind::HeaderV4 | CredentialKind::QueryV4 | CredentialKind::FormV4 => Some("SigV4"),
            CredentialKind::HeaderV4a | CredentialKind::QueryV4a => Some("SigV4A"),
            CredentialKind::HeaderV2 | CredentialKind::QueryV2 | CredentialKind::FormV2 => Some("SigV2"),
            CredentialKind::Bearer => None,
        }
    }
}

// The signature and the token must not reach a log by way of `{:?}`.
impl std::fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential")
            .field("access_key_id", &self.access_key_id)
            .field("date", &self.date)
            .field("region", &self.region)
            .field("service", &self.service)
            .field("signed_headers", &self.signed_headers)
            .field("has_session_token", &self.session_token.is_some())
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Who signed the request: from `Authorization`, or else from the query string. `None` when it is not signed or the
/// signature's text is malformed (a half-understood identity would be a guess).
pub fn credential<'a>(request: &Request<'a>) -> Option<Credential<'a>> {
    match request.headers.get("authorization") {
        Some(authorization) => from_header(request, authorization),
        None => from_query(request),
    }
}

/// The service that a request is signed for, without reading the rest of the signature: a request is named before, and more
/// often than, its signer is. `None` as for [`credential`], except that what else is wrong with the header is not seen.
pub(crate) fn signed_service<'a>(request: &Request<'a>) -> Option<Cow<'a, str>> {
    let authorization = request.headers.get("authorization").unwrap_or_default().trim_start();
    if !authorization.starts_with("AWS4-") {
        return credential(request).map(|credential| credential.service);
    }
    let (_, parameters) = authorization.split_once([' ', '\t'])?;
    let scope = parameters.split(',').find_map(|parameter| parameter.trim().strip_prefix("Credential="))?;
    let scope = scope.strip_suffix("/aws4_request")?;
    let slash = scope.bytes().rposition(|byte| byte == b'/')?;
    usable(Cow::Borrowed(scope.get(slash + 1..)?))
}

/// Who signed a form in the form itself: a browser's for S3 (a POST policy), or a query call by Signature Version 2, whose
/// place in a POST is the body. `form` is the body or its beginning: the fields that matter stand before a file. `None` for
/// other requests, and as for [`credential`].
pub fn form_credential<'a>(request: &Request<'_>, form: &'a [u8]) -> Option<Credential<'a>> {
    let kind = request.headers.get("content-type")?.split(';').next()?.trim();
    if kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return in_pairs(form);
    }
    let fields = Fields::of(request, form)?;
    let field = |name: &str| fields.get(name);
    let token = field("x-amz-security-token").map(Cow::Borrowed);
    if let Some(scope) = field("x-amz-credential") {
        if field("x-amz-algorithm") != Some("AWS4-HMAC-SHA256") {
            return None;
        }
        let scope = Scope::parse(Cow::Borrowed(scope), CredentialKind::FormV4, None)?;
        let signature = Cow::Borrowed(field("x-amz-signature")?);
        return Some(scope.into_credential(Cow::Borrowed(""), signature, token, CredentialKind::FormV4));
    }
    Some(Credential {
        access_key_id: usable(Cow::Borrowed(field("awsaccesskeyid")?))?,
        date: Cow::Borrowed(""),
        region: Cow::Borrowed(""),
        service: Cow::Borrowed(""),
        signed_headers: Cow::Borrowed(""),
        signature: Cow::Borrowed(field("signature")?),
        session_token: token,
        kind: CredentialKind::FormV2,
    })
}

/// The key under which a browser's form stores its file; `${filename}` is the file's own name.
pub fn form_key<'a>(request: &Request<'_>, form: &'a [u8]) -> Option<Cow<'a, str>> {
    const FILE_NAME: &str = "${filename}";
    let fields = Fields::of(request, form)?;
    let key = fields.get("key")?;
    let named = || {
        let (_, rest) = fields.text.split_once("; name=\"file\"; filename=\"")?;
        // Browsers of old sent the whole path.
        rest.split('"').next()?.rsplit(['/', '\\']).next()
    };
    match key.contains(FILE_NAME).then(named).flatten() {
        Some(name) => Some(Cow::Owned(key.replace(FILE_NAME, name))),
        None => Some(Cow::Borrowed(key)),
    }
}

/// The fields of a browser's form (`multipart/form-data`).
struct Fields<'a> {
    /// The file may be anything; what stands before it is text.
    text: &'a str,
    delimiter: String,
}

impl<'a> Fields<'a> {
    fn of(request: &Request<'_>, form: &'a [u8]) -> Option<Fields<'a>> {
        let (kind, parameters) = request.headers.get("content-type")?.split_once(';')?;
        if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
            return None;
        }
        let boundary = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("boundary="))?;
        let delimiter = format!("--{}", boundary.trim_matches('"'));
        Some(Fields { text: form.utf8_chunks().next()?.valid(), delimiter })
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.text.split(self.delimiter.as_str()).find_map(|part| {
            let (head, value) = part.split_once("\r\n\r\n")?;
            let (_, named) = head.split_once("; name=\"")?;
            named.split('"').next()?.eq_ignore_ascii_case(name).then(|| value.strip_suffix("\r\n"))?
        })
    }
}

/// Signature Version 2 among the parameters of a query call.
fn in_pairs(form: &[u8]) -> Option<Credential<'_>> {
    let value = |wanted: &str| {
        let (_, value) = crate::Pairs::new(form).find(|(name, _)| *name == wanted.as_bytes())?;
        percent_encoding::percent_decode(value).decode_utf8().ok()
    };
    Some(Credential {
        signature: value("Signature")?,
        access_key_id: usable(value("AWSAccessKeyId")?)?,
        date: Cow::Borrowed(""),
        region: Cow::Borrowed(""),
        service: Cow::Borrowed(""),
        signed_headers: Cow::Borrowed(""),
        session_token: value("SecurityToken"),
        kind: CredentialKind::FormV2,
    })
}

fn from_header<'a>(request: &Request<'a>, authorization: &'a str) -> Option<Credential<'a>> {
    let (scheme, rest) = authorization.trim().split_once([' ', '\t'])?;
    let rest = rest.trim_start();
    match scheme {
        "AWS4-HMAC-SHA256" => version_4(request, rest, CredentialKind::HeaderV4),
        "AWS4-ECDSA-P256-SHA256" => version_4(request, rest, CredentialKind::HeaderV4a),
        "AWS" => {
            let (key, signature) = rest.split_once(':')?;
            Some(version_2(request, usable(Cow::Borrowed(key))?, Cow::Borrowed(signature), CredentialKind::HeaderV2))
        }
        _ if scheme.eq_ignore_ascii_case("bearer") => {
            Some(version_2(request, Cow::Borrowed(""), Cow::Borrowed(rest), CredentialKind::Bearer))
        }
        _ => None,
    }
}

/// `Credential=…, SignedHeaders=…, Signature=…` in any order, each exactly once.
fn version_4<'a>(request: &Request<'a>, parameters: &'a str, kind: CredentialKind) -> Option<Credential<'a>> {
    let (mut scope, mut signed_headers, mut signature) = (None, None, None);
    for parameter in parameters.split(',') {
        let (name, value) = parameter.trim().split_once('=')?;
        let slot = match name {
            "Credential" => &mut scope,
            "SignedHeaders" => &mut signed_headers,
            "Signature" => &mut signature,
            _ => continue,
        };
        if slot.replace(value).is_some() {
            return None;
        }
    }
    let set = (kind == CredentialKind::HeaderV4a).then(|| request.headers.get("x-amz-region-set")).flatten();
    let region_set = set.map(Cow::Borrowed);
    let scope = Scope::parse(Cow::Borrowed(scope?), kind, region_set)?;
    let token = request.headers.get("x-amz-security-token").map(Cow::Borrowed);
    Some(scope.into_credential(Cow::Borrowed(signed_headers?), Cow::Borrowed(signature?), token, kind))
}

fn version_2<'a>(
    request: &Request<'a>,
    access_key_id: Cow<'a, str>,
    signature: Cow<'a, str>,
    kind: CredentialKind,
) -> Credential<'a> {
    Credential {
        access_key_id,
        date: Cow::Borrowed(""),
        region: Cow::Borrowed(""),
        service: Cow::Borrowed(""),
        signed_headers: Cow::Borrowed(""),
        signature,
        session_token: request.headers.get("x-amz-security-token").map(Cow::Borrowed),
        kind,
    }
}

fn from_query<'a>(request: &Request<'a>) -> Option<Credential<'a>> {
    if !request.query.contains("X-Amz-Credential") && !request.query.contains("AWSAccessKeyId") {
        return None;
    }
    let value = |name: &str| request.query_value(name).and_then(decode);
    if let Some(scope) = value("X-Amz-Credential") {
        let kind = match value("X-Amz-Algorithm").as_deref() {
            Some("AWS4-HMAC-SHA256") => CredentialKind::QueryV4,
            Some("AWS4-ECDSA-P256-SHA256") => CredentialKind::QueryV4a,
            _ => return None,
        };
        let scope = Scope::parse(scope, kind, value("X-Amz-Region-Set"))?;
        let token =
            value("X-Amz-Security-Token").or_else(|| request.headers.get("x-amz-security-token").map(Cow::Borrowed));
        return Some(scope.into_credential(value("X-Amz-SignedHeaders")?, value("X-Amz-Signature")?, token, kind));
    }
    let key = usable(value("AWSAccessKeyId")?)?;
    let mut credential = version_2(request, key, value("Signature")?, CredentialKind::QueryV2);
    credential.session_token = value("x-amz-security-token").or(value("SecurityToken")).or(credential.session_token);
    Some(credential)
}

fn decode(raw: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(raw).decode_utf8().ok()
}

/// `KEY/DATE/REGION/SERVICE/aws4_request`, or without the Region for version 4a.
struct Scope<'a> {
    access_key_id: Cow<'a, str>,
    date: Cow<'a, str>,
    region: Cow<'a, str>,
    service: Cow<'a, str>,
}

impl<'a> Scope<'a> {
    fn parse(scope: Cow<'a, str>, kind: CredentialKind, region_set: Option<Cow<'a, str>>) -> Option<Scope<'a>> {
        let regional = matches!(kind, CredentialKind::HeaderV4 | CredentialKind::QueryV4 | CredentialKind::FormV4);
        // From the right, because the access keys of some stores contain slashes.
        let parts = usize::from(regional) + 4;
        let mut ends = [0..0, 0..0, 0..0, 0..0, 0..0];
        let mut end = scope.len();
        for (place, slot) in ends.iter_mut().enumerate().take(parts) {
            let before = scope.as_bytes().get(..end)?;
            let start = match before.iter().rposition(|byte| *byte == b'/') {
                Some(slash) if place + 1 < parts => slash + 1,
                _ if place + 1 == parts => 0,
                _ => return None,
            };
            *slot = start..end;
            end = start.saturating_sub(1);
        }
        let [terminator, service, region, date, key] = if regional {
            ends
        } else {
            let [t, s, d, k, none] = ends;
            [t, s, none, d, k]
        };
        if scope.get(terminator)? != "aws4_request" {
            return None;
        }
        let date = part(&scope, date)?;
        if date.len() != 8 || !date.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(Scope {
            access_key_id: usable(part(&scope, key)?)?,
            date,
            region: if regional { usable(part(&scope, region)?)? } else { region_set.unwrap_or_default() },
            service: usable(part(&scope, service)?)?,
        })
    }

    fn into_credential(
        self,
        signed_headers: Cow<'a, str>,
        signature: Cow<'a, str>,
        session_token: Option<Cow<'a, str>>,
        kind: CredentialKind,
    ) -> Credential<'a> {
        let Scope { access_key_id, date, region, service } = self;
        Credential { access_key_id, date, region, service, signed_headers, signature, session_token, kind }
    }
}

/// A piece of borrowed text stays borrowed.
fn part<'a>(text: &Cow<'a, str>, range: std::ops::Range<usize>) -> Option<Cow<'a, str>> {
    match text {
        Cow::Borrowed(text) => text.get(range).map(Cow::Borrowed),
        Cow::Owned(text) => text.get(range).map(|part| Cow::Owned(part.to_owned())),
    }
}

/// The longest key, Region or service: IAM's keys have at most 128 characters.
const WORD_MAX: usize = 128;

/// Printable ASCII, not empty and not endless: anything else is not a key, a Region or a service.
fn usable(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    ((1..=WORD_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Headers;
    use proptest::prelude::*;

    fn check<'a>(query: &'a str, headers: &'a [(&'a str, &'a [u8])]) -> Option<Credential<'a>> {
        credential(&Request { method: "GET", path: "/", query, headers: Headers(headers), path_style: false })
    }

    #[test]
    fn a_version_4_header_is_read_without_copying() {
        let headers: [(&str, &[u8]); 2] = [
            ("Authorization", b"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260115/eu-west-1/sqs/aws4_request, SignedHeaders=host;x-amz-date, Signature=5d672d79"),
            ("X-Amz-Security-Token", b"token"),
        ];
        let found = check("", &headers).unwrap();
        assert_eq!(found.access_key_id, "AKIDEXAMPLE");
        assert_eq!((&*found.date, &*found.region, &*found.service), ("20260115", "eu-west-1", "sqs"));
        assert_eq!((&*found.signed_headers, &*found.signature), ("host;x-amz-date", "5d672d79"));
        assert_eq!(found.session_token.as_deref(), Some("token"));
        assert_eq!(found.kind, CredentialKind::HeaderV4);
        assert!(matches!(found.access_key_id, Cow::Borrowed(_)));
    }

    #[test]
    fn a_version_4a_scope_has_no_region_but_a_region_set() {
        let headers: [(&str, &[u8]); 2] = [
            (
                "authorization",
                b"AWS4-ECDSA-P256-SHA256 Credential=AKID/20260115/s3/aws4_request,SignedHeaders=host,Signature=30",
            ),
            ("x-amz-region-set", b"*"),
        ];
        let found = check("", &headers).unwrap();
        assert_eq!((&*found.region, &*found.service, found.kind), ("*", "s3", CredentialKind::HeaderV4a));
        assert_eq!(found.access_key_id, "AKID");
    }

    #[test]
    fn a_presigned_url_is_decoded() {
        let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20260115%2Fus-east-1%2Fs3%2Faws4_request\
            &X-Amz-SignedHeaders=host%3Brange&X-Amz-Signature=aa&X-Amz-Security-Token=a%2Bb";
        let found = check(query, &[]).unwrap();
        assert_eq!((&*found.region, &*found.service, found.kind), ("us-east-1", "s3", CredentialKind::QueryV4));
        assert_eq!(found.signed_headers, "host;range");
        assert_eq!(found.session_token.as_deref(), Some("a+b"));
    }

    #[test]
    fn version_2_names_the_key_in_header_and_query() {
        let found = check("", &[("authorization", b"AWS AKID:frJIUN8DYpKDtOLCwo//yllqDzg=")]).unwrap();
        assert_eq!((&*found.access_key_id, found.kind), ("AKID", CredentialKind::HeaderV2));
        let found = check("AWSAccessKeyId=AKID&Expires=1&Signature=a%3D", &[]).unwrap();
        assert_eq!((&*found.access_key_id, &*found.signature, found.kind), ("AKID", "a=", CredentialKind::QueryV2));
    }

    #[test]
    fn a_form_names_its_signer_in_fields_before_the_file() {
        let headers: [(&str, &[u8]); 1] = [("content-type", b"multipart/form-data; boundary=b1")];
        let request =
            Request { method: "POST", path: "/bucket", query: "", headers: Headers(&headers), path_style: false };
        let form = |fields: &[(&str, &str)]| {
            let mut body = Vec::new();
            for (name, value) in fields {
                let part = format!("--b1\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
                body.extend_from_slice(part.as_bytes());
            }
            body.extend_from_slice(
                b"--b1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n\xff\x00",
            );
            body
        };
        let version_4 = form(&[
            ("key", "k"),
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("x-amz-credential", "AKID/20260115/eu-west-1/s3/aws4_request"),
            ("X-Amz-Security-Token", "t"),
            ("X-Amz-Signature", "aa"),
        ]);
        let found = form_credential(&request, &version_4).unwrap();
        assert_eq!((&*found.access_key_id, &*found.region, found.kind), ("AKID", "eu-west-1", CredentialKind::FormV4));
        assert_eq!(found.session_token.as_deref(), Some("t"));
        let version_2 = form(&[("AWSAccessKeyId", "AKID"), ("signature", "aa=")]);
        assert_eq!(form_credential(&request, &version_2).unwrap().kind, CredentialKind::FormV2);
        assert_eq!(form_credential(&request, &form(&[("key", "k")])), None);
        assert_eq!(form_credential(&request, &version_4[..200]), None, "cut before the signature");
        assert_eq!(form_credential(&Request { headers: Headers(&[]), ..request }, &version_4), None);
    }

    #[test]
    fn an_access_key_may_contain_slashes() {
        let headers: [(&str, &[u8]); 1] = [(
            "authorization",
            b"AWS4-HMAC-SHA256 Credential=a/b/20260115/r/s3/aws4_request, SignedHeaders=host, Signature=0",
        )];
        assert_eq!(check("", &headers).unwrap().access_key_id, "a/b");
    }

    #[test]
    fn malformed_signatures_name_nobody() {
        for authorization in [
            "",
            "AWS4-HMAC-SHA256",
            "AWS4-HMAC-SHA256 Credential=AKID/20260115/r/s3/aws4_request, SignedHeaders=host",
            "AWS4-HMAC-SHA256 Credential=AKID/20260115/r/s3, SignedHeaders=host, Signature=0",
            "AWS4-HMAC-SHA256 Credential=AKID/today/r/s3/aws4_request, SignedHeaders=host, Signature=0",
            "AWS4-HMAC-SHA256 Credential=/20260115/r/s3/aws4_request, SignedHeaders=host, Signature=0",
            "AWS4-HMAC-SHA256 Credential=A/20260115/r/s3/aws4_request, Credential=B/20260115/r/s3/aws4_request, SignedHeaders=host, Signature=0",
            "AWS :x",
            "Basic YTpi",
        ] {
            assert_eq!(check("", &[("authorization", authorization.as_bytes())]), None, "{authorization}");
        }
        assert_eq!(check("X-Amz-Credential=A%2F20260115%2Fr%2Fs3%2Faws4_request", &[]), None);
    }

    #[test]
    fn debug_shows_no_secret() {
        let found = check("AWSAccessKeyId=AKID&Signature=topsecret&x-amz-security-token=hidden", &[]).unwrap();
        let shown = format!("{found:?}");
        assert!(!shown.contains("topsecret") && !shown.contains("hidden"), "{shown}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(authorization in ".*", query in ".*") {
            let _ = check(&query, &[("authorization", authorization.as_bytes())]);
            let _ = check(&query, &[]);
            let scoped = format!("AWS4-HMAC-SHA256 Credential={authorization}/aws4_request, SignedHeaders={query}, Signature=1");
            let _ = check("", &[("authorization", scoped.as_bytes())]);
        }
    }
}
