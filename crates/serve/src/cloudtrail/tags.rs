//! Tags of trails: AddTags, RemoveTags, ListTags, and the TagsList of CreateTrail.

use super::arn::TrailRef;
use super::error::ApiError;
use super::input::{Input, text_in};
use super::output::TagOutput;
use super::state::State;
use registry::{Tag, Trail, Versioned};
use serde_json::{Value, json};

/// Tags per trail (`reference/limits.md`).
const TAGS_PER_TRAIL: usize = 50;
/// Trails per ListTags (`reference/limits.md`).
const TRAILS_PER_LIST: usize = 20;

/// The checked `TagsList` of an input; empty when there is none.
///
/// # Errors
/// `InvalidTagParameterException`, `TagsLimitExceededException`.
pub(crate) fn read(input: &Input) -> Result<Vec<Tag>, ApiError> {
    let invalid = |message: String| Err(ApiError::new("InvalidTagParameterException", message));
    let given = input.list("TagsList")?.unwrap_or_default();
    check_count(given.len())?;
    let mut tags: Vec<Tag> = Vec::with_capacity(given.len());
    for structure in given {
        let key = text_in(structure, "Key")?.unwrap_or_default();
        let value = text_in(structure, "Value")?;
        if !(1..=128).contains(&key.chars().count()) {
            return invalid("A tag key must have between 1 and 128 characters.".to_owned());
        }
        if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
            return invalid(format!("The tag key {key} is reserved: it starts with aws:."));
        }
        if value.is_some_and(|value| value.chars().count() > 256) {
            return invalid(format!("The value of tag {key} has more than 256 characters."));
        }
        let allowed = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c);
        for (part, text) in [("key", key), ("value of tag", value.unwrap_or_default())] {
            if !text.chars().all(allowed) {
                return invalid(format!(
                    "The {part} {key} has characters other than letters, digits, spaces and _.:/=+-@."
                ));
            }
        }
        if tags.iter().any(|tag| tag.key == key) {
            return invalid(format!("The tag key {key} is given twice."));
        }
        tags.push(Tag { key: key.to_owned(), value: value.map(str::to_owned) });
    }
    Ok(tags)
}

/// AddTags: the trail with the tags added; a key that is there gets the new value.
///
/// # Errors
/// Those of [`read`], [`resource`] and [`State::check_may_change`].
pub(crate) fn add(state: &State<'_>, input: &Input) -> Result<(Trail, registry::Version), ApiError> {
    let found = resource(state, input.text("ResourceId")?.unwrap_or_default())?;
    state.check_may_change(found)?;
    let mut trail = Trail::clone(found);
    for tag in read(input)? {
        match trail.tags.iter_mut().find(|present| present.key == tag.key) {
            Some(present) => present.value = tag.value,
            None => trail.tags.push(tag),
        }
    }
    check_count(trail.tags.len())?;
    Ok((trail, found.version))
}

/// RemoveTags: the trail without the tags of those keys; a value, where given, must match as well.
///
/// # Errors
/// Those of [`read`], [`resource`] and [`State::check_may_change`].
pub(crate) fn remove(state: &State<'_>, input: &Input) -> Result<(Trail, registry::Version), ApiError> {
    let found = resource(state, input.text("ResourceId")?.unwrap_or_default())?;
    state.check_may_change(found)?;
    let unwanted = read(input)?;
    let mut trail = Trail::clone(found);
    let goes = |tag: &Tag| {
        unwanted.iter().any(|other| other.key == tag.key && (other.value.is_none() || other.value == tag.value))
    };
    trail.tags.retain(|tag| !goes(tag));
    Ok((trail, found.version))
}

/// ListTags: the tags of up to 20 trails.
///
/// # Errors
/// `InvalidParameterException` for more, and those of [`resource`].
pub(crate) fn list(state: &State<'_>, input: &Input) -> Result<Value, ApiError> {
    let resources = input.texts("ResourceIdList")?.unwrap_or_default();
    if resources.is_empty() || resources.len() > TRAILS_PER_LIST {
        let message = format!("ResourceIdList must hold between 1 and {TRAILS_PER_LIST} ARNs.");
        return Err(ApiError::new("InvalidParameterException", message));
    }
    if input.text("NextToken")?.is_some() {
        return Err(ApiError::new("InvalidTokenException", "The token is not valid: tags are listed in one page."));
    }
    let mut found = Vec::with_capacity(resources.len());
    for id in resources {
        let trail = resource(state, id)?;
        let tags: Vec<TagOutput<'_>> = trail.document.tags.iter().map(TagOutput::of).collect();
        found.push(json!({ "ResourceId": id, "TagsList": tags }));
    }
    Ok(json!({ "ResourceTagList": found }))
}

fn check_count(count: usize) -> Result<(), ApiError> {
    if count <= TAGS_PER_TRAIL {
        return Ok(());
    }
    let message = format!("A trail can have at most {TAGS_PER_TRAIL} tags.");
    Err(ApiError::new("TagsLimitExceededException", message))
}

/// The trail behind a `ResourceId`; other kinds of resources are refused by the name of their kind.
fn resource<'a>(state: &State<'a>, id: &str) -> Result<&'a Versioned<Trail>, ApiError> {
    let kind = id.splitn(6, ':').nth(5).and_then(|resource| resource.split('/').next());
    let missing = |code| Err(ApiError::new(code, format!("There is no {id} in account {}.", state.account_id)));
    match kind {
        Some("eventdatastore") => return missing("EventDataStoreNotFoundException"),
        Some("channel") => return missing("ChannelNotFoundException"),
        Some("dashboard") => return missing("ResourceNotFoundException"),
        Some("trail") | None => {}
        Some(other) => {
            let message = format!("Resources of type {other} cannot be tagged by CloudTrail.");
            return Err(ApiError::new("ResourceTypeNotSupportedException", message));
        }
    }
    match state.find(&TrailRef::parse_arn(id)?) {
        Some(trail) => Ok(trail),
        None => missing("ResourceNotFoundException"),
    }
}
