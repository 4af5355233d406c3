//! The six protocols that AWS services speak.

/// How a service writes its requests and responses on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// `awsJson1_0` and `1_1`: one path, the operation in `X-Amz-Target`.
    Json,
    /// REST routes with JSON bodies.
    RestJson,
    /// REST routes with XML bodies (S3, CloudFront, Route 53).
    RestXml,
    /// A form with `Action` and `Version`, XML answers.
    Query,
    /// EC2's own dialect of the query protocol.
    Ec2,
    /// Smithy RPC v2: `POST /service/NAME/operation/OP` with CBOR bodies.
    RpcV2Cbor,
}

impl Protocol {
    /// All, in the order of their stored numbers.
    pub const ALL: [Protocol; 6] =
        [Protocol::Json, Protocol::RestJson, Protocol::RestXml, Protocol::Query, Protocol::Ec2, Protocol::RpcV2Cbor];

    /// The name in the service models.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Json => "json",
            Protocol::RestJson => "rest-json",
            Protocol::RestXml => "rest-xml",
            Protocol::Query => "query",
            Protocol::Ec2 => "ec2",
            Protocol::RpcV2Cbor => "smithy-rpc-v2-cbor",
        }
    }

    /// The protocol of that name in the service models.
    pub fn from_name(name: &str) -> Option<Protocol> {
        Protocol::ALL.into_iter().find(|protocol| protocol.name() == name)
    }

    /// Whether method and path name the operation.
    pub fn is_rest(self) -> bool {
        matches!(self, Protocol::RestJson | Protocol::RestXml)
    }

    /// Whether a form names the operation by `Action`.
    pub fn is_form(self) -> bool {
        matches!(self, Protocol::Query | Protocol::Ec2)
    }
}
