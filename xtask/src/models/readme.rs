//! `models/README.md`: where the table comes from.

use super::compile::Service;
use std::fmt;

pub(super) struct Counts {
    services: usize,
    operations: usize,
    shapes: usize,
    members: usize,
    bytes: usize,
}

impl Counts {
    pub(super) fn of(services: &[Service], bytes: usize) -> Counts {
        Counts {
            services: services.len(),
            operations: services.iter().map(|service| service.operations.len()).sum(),
            shapes: services.iter().map(|service| service.shapes.len()).sum(),
            members: services.iter().flat_map(|service| &service.shapes).map(|shape| shape.members.len()).sum(),
            bytes,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { services, operations, shapes, members, bytes } = self;
        write!(f, "{services} services, {operations} operations, {shapes} shapes, {members} members, {bytes} bytes")
    }
}

pub(super) fn text(version: &str, retrieved: &str, sha256: &str, counts: &Counts) -> String {
    format!(
        "# The table of AWS operations

<!-- Written by `cargo xtask models`; do not edit. -->

`aws.bin` holds every operation of every AWS service: its protocol, route, parameters, results, errors, and which of its
values are secret. OpenTrail embeds it to know what a request asks for. `crates/aws/src/catalog/` describes the format.

| | |
|---|---|
| made from | the service models and endpoints (`data/*/*/service-2.json`, `endpoint-rule-set-1.json`, newest version of each; `data/endpoints.json`) of the Python package `botocore` |
| package | `botocore` {version} from PyPI, `botocore-{version}-py3-none-any.whl`, retrieved {retrieved} |
| SHA-256 of the package | `{sha256}` |
| licence | Apache-2.0, Copyright Amazon.com, Inc. or its affiliates: `LICENSE-botocore.txt`, `NOTICE-botocore.txt` |
| content | {counts} |

What was changed: documentation, examples, value constraints and names of scalar shapes are left out; what a member and
its shape say is merged; equal shapes are one. What was added, because services accept it although no model says so: S3's
`PostObject` (uploads by an HTML form), and the form protocol of SQS with its names (`xtask/src/models/sqs.rs`).

To make it again, which gives the same bytes:

    cargo xtask models          # downloads the package with pip, checks its hash, writes this folder
    cargo xtask models --check  # changes nothing; fails if this folder is not what the commit makes

To follow AWS, raise the version and hash in `xtask/src/models.rs`, run it, and run the tests of `opentrail-aws`: they call
every operation of the new table once.
"
    )
}
