//! The values that stand in the path of a REST request.

use crate::{Operation, Request, recognise};
use smallvec::SmallVec;

/// Label names and their raw (percent-encoded) values, in the order of the template.
pub type Labels<'c, 'r> = SmallVec<[(&'c str, &'r str); 4]>;

/// The values of the labels of a REST operation's template in this request.
///
/// The name is the label's, which is the wire name of the member ([`crate::Shape::member_by_wire`]). Values are raw: decode
/// them before use. For S3 the bucket may come from the host name. Empty when the path does not fit the template.
pub fn uri_labels<'c, 'r>(operation: Operation<'c>, request: &Request<'r>) -> Labels<'c, 'r> {
    if operation.service().name() == "s3" {
        return s3_labels(operation, request);
    }
    recognise::template::labels(operation.request_uri(), request.path).unwrap_or_default()
}

fn s3_labels<'c, 'r>(operation: Operation<'c>, request: &Request<'r>) -> Labels<'c, 'r> {
    let address = recognise::s3_address(request);
    let mut labels = Labels::new();
    for (label, value) in [("{Bucket}", address.bucket), ("{Key+}", address.key)] {
        if let (Some(at), Some(value)) = (operation.request_uri().find(label), value) {
            // Cut the name out of the template, so that it lives as long as the catalog.
            let name = operation.request_uri().get(at + 1..at + label.len() - 1).unwrap_or_default();
            labels.push((name.trim_end_matches('+'), value));
        }
    }
    labels
}
