//! StartLogging and StopLogging: both idempotent, both in the home Region only.

use super::error::ApiError;
use super::input::Input;
use super::state::State;
use registry::{Trail, Version};

/// The trail after StartLogging; logging begins at `journal_end`. `delivered` is the place up to which delivery of the
/// trail of that ARN and creation time has come (0 without any). `None` when it logs already.
///
/// # Errors
/// Those of [`State::to_change`].
pub(crate) fn start(
    state: &State<'_>,
    input: &Input,
    journal_end: u64,
    delivered: impl Fn(&Trail) -> u64,
    now_ms: u64,
) -> Result<Option<(Trail, Version)>, ApiError> {
    let found = state.to_change(input.text("Name")?.unwrap_or_default())?;
    if found.logging.is_on() {
        return Ok(None);
    }
    let mut trail = Trail::clone(found);
    trail.logging.start(journal_end, now_ms, delivered(found));
    Ok(Some((trail, found.version)))
}

/// The trail after StopLogging, which turns Insights off as well. `None` when it does not log.
///
/// # Errors
/// Those of [`State::to_change`].
pub(crate) fn stop(state: &State<'_>, input: &Input, now_ms: u64) -> Result<Option<(Trail, Version)>, ApiError> {
    let found = state.to_change(input.text("Name")?.unwrap_or_default())?;
    if !found.logging.is_on() {
        return Ok(None);
    }
    let mut trail = Trail::clone(found);
    trail.logging.stop(now_ms);
    trail.insight_selectors.clear();
    Ok(Some((trail, found.version)))
}
