//! Keys of AWS and its kin as every SDK finds them: the standard chain, as far as it needs nobody else.

use crate::config::UpstreamKeys;
use registry::Secret;

/// The keys of the environment, or of the shared credentials file.
pub(crate) fn find() -> Option<UpstreamKeys> {
    environment_keys().or_else(profile_keys)
}

/// A variable of the environment that is not empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The first link of the standard AWS chain.
fn environment_keys() -> Option<UpstreamKeys> {
    Some(UpstreamKeys {
        access_key_id: variable("AWS_ACCESS_KEY_ID")?,
        secret_access_key: variable("AWS_SECRET_ACCESS_KEY").map(Secret::new)?,
        session_token: variable("AWS_SESSION_TOKEN").map(Secret::new),
    })
}

/// The second: the shared credentials file and its profile.
fn profile_keys() -> Option<UpstreamKeys> {
    let path = match std::env::var_os("AWS_SHARED_CREDENTIALS_FILE").filter(|path| !path.is_empty()) {
        Some(path) => std::path::PathBuf::from(path),
        None => std::path::Path::new(&std::env::var_os("HOME")?).join(".aws/credentials"),
    };
    let profile = variable("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
    let text = std::fs::read_to_string(path).map(Secret::new).ok()?;
    keys_of_profile(text.expose(), &profile)
}

fn keys_of_profile(text: &str, profile: &str) -> Option<UpstreamKeys> {
    let mut section = "";
    let mut values = std::collections::HashMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.trim();
        } else if let Some((name, value)) = line.split_once('=').filter(|_| section == profile) {
            values.insert(name.trim(), value.trim());
        }
    }
    let secret = |name: &str| values.get(name).map(|value: &&str| Secret::new((*value).to_owned()));
    Some(UpstreamKeys {
        access_key_id: (*values.get("aws_access_key_id")?).to_owned(),
        secret_access_key: secret("aws_secret_access_key")?,
        session_token: secret("aws_session_token"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_found_among_others() {
        let text = "[default]\naws_access_key_id = A\naws_secret_access_key=B=\n# c\n[other]\naws_access_key_id=C\naws_secret_access_key=D\naws_session_token = E\n";
        let keys = keys_of_profile(text, "default").unwrap();
        assert_eq!((keys.access_key_id.as_str(), keys.secret_access_key.expose()), ("A", "B="));
        let token = keys_of_profile(text, "other").unwrap().session_token;
        assert_eq!(token.as_ref().map(Secret::expose), Some("E"));
        assert!(keys_of_profile(text, "third").is_none());
    }
}
