//! Records and stored heads from bytes of any kind.

use bytes::Bytes;
use event::{Event, Field};

/// Reads the input as a record: it is refused, or its stored head leads to the same record again.
pub fn scan(input: &[u8]) {
    let Ok(event) = Event::from_json(Bytes::copy_from_slice(input)) else { return };
    assert_eq!(event.json(), input);
    ask_everything(&event);
    let stored = event.head().encode();
    let again = Event::from_stored(&stored, event.json()).expect("a head that was just written");
    assert_eq!(again.head(), event.head());
}

/// Reads the input as a stored head (and its second part, behind the length in the first two bytes, as the record): it is
/// refused, or every field that it points to can be asked for, and it is written as it reads.
pub fn head(input: &[u8]) {
    let Some(([low, high], rest)) = input.split_first_chunk() else { return };
    let len = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
    let (stored, json) = rest.split_at(len);
    let Ok(event) = Event::from_stored(stored, json) else { return };
    ask_everything(&event);
    let written = event.head().encode();
    let again = Event::from_stored(&written, event.json()).expect("a head that was just written");
    assert_eq!(again.head(), event.head());
}

fn ask_everything(event: &Event) {
    let all = [
        Field::EventId,
        Field::EventSource,
        Field::EventName,
        Field::AwsRegion,
        Field::EventType,
        Field::RecipientAccountId,
        Field::ErrorCode,
        Field::RequestId,
        Field::SharedEventId,
        Field::VpcEndpointId,
        Field::IdentityType,
        Field::PrincipalId,
        Field::IdentityArn,
        Field::IdentityAccountId,
        Field::AccessKeyId,
        Field::UserName,
        Field::InvokedBy,
    ];
    let text: usize = all.iter().filter_map(|field| event.get(*field)).map(str::len).sum();
    let resources = event.resources().filter_map(|resource| resource.arn.or(resource.resource_type)).count();
    std::hint::black_box((text, resources, event.lookup_user_name(), event.account(), event.time()));
}
