//! Who signed a request: headers, query strings and forms of any kind.

use aws::sigv4::{Canonical, SigningKey, UNSIGNED_PAYLOAD, canonical_request, string_to_sign};
use aws::{Credential, CredentialKind, Headers, Request, credential, form_credential};

/// The first byte chooses whether the first line is an `Authorization`, a query string or the `Content-Type` of the form
/// that follows. It is refused, or it names somebody in printable text, and its signature is neither shown nor right.
pub fn credentials(input: &[u8]) {
    let Some((place, rest)) = input.split_first() else { return };
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let (line, form) = rest.split_at(end);
    let form = form.get(1..).unwrap_or_default();
    let authorization = [("authorization", line), ("x-amz-security-token", form)];
    let content_type = [("content-type", line)];
    let request =
        |query, headers| Request { method: "GET", path: "/b/k", query, headers: Headers(headers), path_style: false };
    match place % 3 {
        0 => {
            let request = request("", &authorization);
            look(credential(&request), &request);
        }
        1 => {
            let Ok(query) = std::str::from_utf8(line) else { return };
            let request = request(query, &[]);
            look(credential(&request), &request);
        }
        _ => {
            let request = request("", &content_type);
            look(form_credential(&request, form), &request);
        }
    }
}

fn look(found: Option<Credential<'_>>, request: &Request<'_>) {
    let Some(found) = found else { return };
    for text in [&found.access_key_id, &found.region, &found.service] {
        assert!(found.kind == CredentialKind::HeaderV4a || found.kind == CredentialKind::QueryV4a || printable(text));
    }
    assert!(found.date.is_empty() || (found.date.len() == 8 && found.date.bytes().all(|byte| byte.is_ascii_digit())));
    assert_eq!(found.access_key_id.is_empty(), found.kind == CredentialKind::Bearer);
    let shown = format!("{found:?}");
    for secret in [Some(&found.signature), found.session_token.as_ref()].into_iter().flatten() {
        let elsewhere = [&found.access_key_id, &found.date, &found.region, &found.service, &found.signed_headers];
        let word = secret.len() > 20 && !elsewhere.iter().any(|text| text.contains(secret.as_ref()));
        assert!(!word || !shown.contains(secret.as_ref()), "a secret is shown");
    }
    for s3_path in [false, true] {
        let presigned = found.kind.is_query();
        let how =
            Canonical { signed_headers: &found.signed_headers, payload_hash: UNSIGNED_PAYLOAD, s3_path, presigned };
        let canonical = canonical_request(request, how);
        let text = string_to_sign("20260115T100203Z", &found.date, &found.region, &found.service, &canonical);
        let key = SigningKey::new("a secret that nobody guesses", &found.date, &found.region, &found.service);
        assert!(!key.sign(&text).matches(&found.signature), "a signature out of nothing");
    }
}

fn printable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}
