//! Puts the compiled services into the bytes that `aws::Catalog` reads (`crates/aws/src/catalog/`).

use super::compile::{Member, Operation, Service, Shape};
use anyhow::{Context, Result};
use aws::{Protocol, format};

/// The strongest level: the table is compressed once and committed.
const LEVEL: i32 = 22;

/// The whole file.
pub(super) fn table(services: &[Service]) -> Result<Vec<u8>> {
    let mut file = format::MAGIC.to_vec();
    let mut frames = Vec::new();
    number(&mut file, services.len() as u32);
    for service in services {
        let raw = tables(service);
        let frame = zstd::bulk::compress(&raw, LEVEL).with_context(|| format!("cannot compress {}", service.name))?;
        index_entry(&mut file, service, frame.len(), raw.len());
        frames.extend(frame);
    }
    file.extend(frames);
    Ok(file)
}

fn index_entry(out: &mut Vec<u8>, service: &Service, frame_len: usize, raw_len: usize) {
    for words in [
        &service.name,
        &service.service_id,
        &service.signing_name,
        &service.endpoint_prefix,
        &service.target_prefix,
        &service.api_version,
        &service.json_version,
        &service.xml_namespace,
        &service.global_region,
    ] {
        number(out, words.len() as u32);
        out.extend(words.as_bytes());
    }
    number(out, service.protocols.len() as u32);
    for protocol in &service.protocols {
        out.push(Protocol::ALL.iter().position(|known| known == protocol).unwrap_or(0) as u8);
    }
    number(out, service.flags);
    number(out, frame_len as u32);
    number(out, raw_len as u32);
}

fn tables(service: &Service) -> Vec<u8> {
    let out = &mut Vec::new();
    number(out, service.strings.len() as u32);
    column(out, &service.strings, |text| text.len() as u32);
    service.strings.iter().for_each(|text| out.extend(text.as_bytes()));

    let shapes: &[Shape] = &service.shapes;
    number(out, shapes.len() as u32);
    out.extend(shapes.iter().map(|shape| shape.kind));
    column(out, shapes, |shape| shape.flags);
    column(out, shapes, |shape| shape.name);
    column(out, shapes, |shape| shape.members.len() as u32);

    let members: Vec<&Member> = shapes.iter().flat_map(|shape| &shape.members).collect();
    column(out, &members, |member| member.name);
    column(out, &members, |member| member.wire);
    column(out, &members, |member| member.query);
    column(out, &members, |member| member.shape);
    column(out, &members, |member| member.flags);

    number(out, service.codes.len() as u32);
    column(out, &service.codes, |code| code.0);
    column(out, &service.codes, |code| code.1);
    column(out, &service.codes, |code| code.2);

    let operations: &[Operation] = &service.operations;
    number(out, operations.len() as u32);
    column(out, operations, |operation| operation.name);
    column(out, operations, |operation| operation.method);
    column(out, operations, |operation| operation.uri);
    column(out, operations, |operation| operation.status);
    column(out, operations, |operation| operation.input);
    column(out, operations, |operation| operation.output);
    column(out, operations, |operation| operation.host_prefix);
    column(out, operations, |operation| operation.flags);
    column(out, operations, |operation| operation.errors.len() as u32);
    let errors: Vec<u32> = operations.iter().flat_map(|operation| operation.errors.iter().copied()).collect();
    column(out, &errors, |error| *error);
    std::mem::take(out)
}

fn column<T>(out: &mut Vec<u8>, rows: &[T], of: impl Fn(&T) -> u32) {
    rows.iter().for_each(|row| number(out, of(row)));
}

/// LEB128.
fn number(out: &mut Vec<u8>, mut number: u32) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
