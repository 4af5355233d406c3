//! Builds a request for an operation from its model, as an SDK would.

use opentrail_aws::{Headers, Location, Member, Operation, Protocol, Request};

/// Which members of the input are filled in.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Filling {
    /// What must be there.
    Required,
    /// All parameters and headers.
    Everything,
}

/// A request with everything owned.
pub(crate) struct Synthetic {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Synthetic {
    /// A call to an endpoint of our own, signed if the operation asks for it.
    pub(crate) fn new(operation: Operation<'_>, protocol: Protocol, filling: Filling) -> Synthetic {
        let call = Synthetic::unsigned(operation, protocol, filling, "127.0.0.1:4780");
        if operation.is_unsigned() {
            return call;
        }
        let scope = format!("AKIDEXAMPLE/20260115/us-east-1/{}/aws4_request", signing_name(operation));
        let signature = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00");
        call.with_header("Authorization", signature)
    }

    /// A call to that host without a signature.
    pub(crate) fn unsigned(operation: Operation<'_>, protocol: Protocol, filling: Filling, host: &str) -> Synthetic {
        let service = operation.service();
        let mut call = Synthetic {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            query: String::new(),
            headers: vec![("Host".to_owned(), host.as_bytes().to_vec())],
            body: Vec::new(),
        };
        match protocol {
            Protocol::RpcV2Cbor => {
                call.path = format!("/service/{}/operation/{}", service.target_prefix(), operation.name());
                call.header("smithy-protocol", "rpc-v2-cbor".to_owned());
            }
            Protocol::Json => {
                call.header("Content-Type", format!("application/x-amz-json-{}", service.json_version()));
                call.header("X-Amz-Target", format!("{}.{}", service.target_prefix(), operation.name()));
            }
            Protocol::Query | Protocol::Ec2 => {
                call.header("content-type", "application/x-www-form-urlencoded; charset=utf-8".to_owned());
                call.body = format!("Action={}&Version={}&X=1", operation.name(), service.api_version()).into_bytes();
            }
            Protocol::RestJson | Protocol::RestXml => call.rest(operation, filling),
        }
        call
    }

    fn rest(&mut self, operation: Operation<'_>, filling: Filling) {
        self.method = operation.http_method().to_owned();
        let (path, query) = operation.request_uri().split_once('?').unwrap_or((operation.request_uri(), ""));
        self.path = fill(path);
        self.query = query.to_owned();
        // SDKs say it; without a body it is still a JSON service's request.
        if operation.service().protocol() == Protocol::RestJson && self.method != "GET" {
            self.header("Content-Type", "application/json".to_owned());
        }
        if operation.name() == "PostObject" {
            self.header("Content-Type", "multipart/form-data; boundary=x".to_owned());
        }
        for member in operation.input().into_iter().flat_map(|input| input.members()) {
            if member.is_required() || filling == Filling::Everything {
                self.member(member);
            }
        }
    }

    fn member(&mut self, member: Member<'_>) {
        match member.location() {
            Location::Header => self.header(member.wire_name(), "sample".to_owned()),
            Location::QueryString
                if !self.query.split('&').any(|pair| pair.split('=').next() == Some(member.wire_name())) =>
            {
                let and = if self.query.is_empty() { "" } else { "&" };
                self.query += &format!("{and}{}=sample", member.wire_name());
            }
            _ => {}
        }
    }

    /// The same with a header more.
    pub(crate) fn with_header(mut self, name: &str, value: String) -> Synthetic {
        self.header(name, value);
        self
    }

    fn header(&mut self, name: &str, value: String) {
        self.headers.push((name.to_owned(), value.into_bytes()));
    }

    pub(crate) fn headers(&self) -> Vec<(&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect()
    }

    pub(crate) fn request<'a>(&'a self, headers: &'a [(&'a str, &'a [u8])]) -> Request<'a> {
        Request {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: Headers(headers),
            path_style: false,
        }
    }
}

/// The signing name; for single operations the endpoint rules say another one.
fn signing_name<'c>(operation: Operation<'c>) -> &'c str {
    match (operation.service().name(), operation.name()) {
        ("s3", "ListDirectoryBuckets") => "s3express",
        ("s3control", "CreateBucket" | "ListRegionalBuckets") => "s3-outposts",
        _ => operation.service().signing_name(),
    }
}

/// Puts values into the labels of a template: encoded ones, and for greedy labels several segments.
fn fill(template: &str) -> String {
    let mut path = String::new();
    let mut rest = template;
    while let Some((before, label)) = rest.split_once('{') {
        let (label, behind) = label.split_once('}').expect("a template's label ends");
        path += before;
        path += if label.ends_with('+') { "a%20b/c/d.txt" } else { "arn%3Aaws%3Ax%3Ay%2Fz" };
        rest = behind;
    }
    path + rest
}
