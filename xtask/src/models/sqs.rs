//! The names that SQS's former query protocol gives to lists and maps.
//!
//! The model of today describes JSON only, but SQS, its emulators and older SDKs still speak the form protocol of
//! 2012-11-05. There every list and map is flattened under the singular name of its element: facts of the public Amazon SQS
//! API Reference ("query" examples of each action).

/// Shape and the name of its repeated element in forms and XML answers.
const REPEATED: &[(&str, &str)] = &[
    ("AWSAccountIdList", "AWSAccountId"),
    ("ActionNameList", "ActionName"),
    ("AttributeNameList", "AttributeName"),
    ("MessageAttributeNameList", "MessageAttributeName"),
    ("MessageSystemAttributeList", "MessageSystemAttributeName"),
    ("TagKeyList", "TagKey"),
    ("ChangeMessageVisibilityBatchRequestEntryList", "ChangeMessageVisibilityBatchRequestEntry"),
    ("ChangeMessageVisibilityBatchResultEntryList", "ChangeMessageVisibilityBatchResultEntry"),
    ("DeleteMessageBatchRequestEntryList", "DeleteMessageBatchRequestEntry"),
    ("DeleteMessageBatchResultEntryList", "DeleteMessageBatchResultEntry"),
    ("SendMessageBatchRequestEntryList", "SendMessageBatchRequestEntry"),
    ("SendMessageBatchResultEntryList", "SendMessageBatchResultEntry"),
    ("BatchResultErrorEntryList", "BatchResultErrorEntry"),
    ("MessageList", "Message"),
    ("QueueUrlList", "QueueUrl"),
    ("BinaryList", "BinaryListValue"),
    ("StringList", "StringListValue"),
    ("QueueAttributeMap", "Attribute"),
    ("MessageSystemAttributeMap", "Attribute"),
    ("MessageBodyAttributeMap", "MessageAttribute"),
    ("MessageBodySystemAttributeMap", "MessageSystemAttribute"),
    ("TagMap", "Tag"),
];

/// The form's name for a member of that shape; `None` where it is the modeled name.
pub(super) fn query_name(service: &str, shape: &str) -> Option<&'static str> {
    let found = REPEATED.iter().find(|(name, _)| service == "sqs" && *name == shape);
    found.map(|(_, query)| *query)
}

/// The form's names for the keys and values of that map.
pub(super) fn entry_names(service: &str, map: &str) -> Option<(&'static str, &'static str)> {
    if service != "sqs" {
        return None;
    }
    Some(if map == "TagMap" { ("Key", "Value") } else { ("Name", "Value") })
}
