//! S3's parameters back to HTTP.

use serde_json::Value;

/// What a client sends.
pub(crate) struct Sent {
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// The request of a call on `s3` or, with the template of its URI, `s3control`.
pub(crate) fn request(control: Option<&str>, parameters: &Value) -> Sent {
    let text = |name: &str| parameters.get(name).and_then(Value::as_str);
    let host = text("Host").unwrap_or("s3.amazonaws.com");
    let mut sent = Sent {
        path: String::new(),
        query: String::new(),
        headers: vec![("host".into(), host.into())],
        body: String::new(),
    };
    let bucket = text("bucketName").unwrap_or_default();
    match control {
        Some(template) => {
            let path = template.split('?').next().unwrap_or("/");
            sent.path = path
                .split('{')
                .map(|part| part.split_once('}').map_or(part.to_owned(), |(_, rest)| format!("unknown{rest}")))
                .collect();
        }
        None => {
            if !bucket.is_empty() && !host.starts_with(&format!("{bucket}.")) {
                sent.path = format!("/{bucket}");
            }
            sent.path.push('/');
            sent.path.push_str(
                &text("key").unwrap_or_default().split('/').map(crate::wire::encoded).collect::<Vec<_>>().join("/"),
            );
        }
    }
    for (name, value) in parameters.as_object().into_iter().flatten() {
        match (name.as_str(), value) {
            ("bucketName" | "Host" | "key", _) => {}
            ("bucketPolicy", policy) => sent.body = policy.to_string(),
            ("accessControlList", Value::Object(grants)) => {
                let grants = grants.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
                sent.headers.extend(grants);
            }
            (name, Value::Object(_)) => {
                let mut body = String::new();
                document(name, value, &mut body);
                sent.body = body;
            }
            (name, Value::String(value))
                if name.to_lowercase().starts_with("x-amz-") && !name.starts_with("X-Amz-") =>
            {
                sent.headers.push((name.to_owned(), value.clone()));
            }
            (name, value) => {
                if !sent.query.is_empty() {
                    sent.query.push('&');
                }
                sent.query.push_str(&crate::wire::encoded(name));
                match value {
                    Value::String(text) if text.is_empty() => {}
                    Value::String(text) => sent.query.push_str(&format!("={}", crate::wire::encoded(text))),
                    other => sent.query.push_str(&format!("={}", crate::wire::encoded(&other.to_string()))),
                }
            }
        }
    }
    sent
}

/// An XML document from its recorded form.
fn document(name: &str, value: &Value, out: &mut String) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| document(name, value, out)),
        Value::Object(members) => {
            out.push('<');
            out.push_str(name);
            let attribute = |name: &str| name.contains(':') || name == "xmlns";
            for (name, value) in members.iter().filter(|(name, _)| attribute(name)) {
                out.push_str(&format!(" {name}=\"{}\"", value.as_str().unwrap_or_default()));
            }
            out.push('>');
            members.iter().filter(|(name, _)| !attribute(name)).for_each(|(name, value)| document(name, value, out));
            out.push_str(&format!("</{name}>"));
        }
        Value::String(text) => crate::wire::tag(name, out, |out| out.push_str(&crate::wire::escaped(text))),
        other => crate::wire::tag(name, out, |out| out.push_str(&other.to_string())),
    }
}
