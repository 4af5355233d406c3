//! `/_opentrail/`: is it up, is it ready, what are its figures.
//!
//! Pure but for the gauges, which are read through [`Vitals`]: a path goes in, a response comes out.

use bytes::Bytes;
use http::{Response, StatusCode, header};
use prometheus_client::registry::Registry;
use serde_json::json;
use std::sync::Arc;

/// What the running house tells about itself; the binary implements it.
pub trait Vitals: Send + Sync + 'static {
    /// Every reader of the journal, as it stands now.
    fn followers(&self) -> Vec<FollowerVitals>;

    /// Why calls cannot be recorded at present, such as a journal that failed to sync; `None` when they can.
    fn failure(&self) -> Option<String>;

    /// Whether every reader has started, and nothing is being drained.
    fn ready(&self) -> bool;
}

/// One reader of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowerVitals {
    /// Such as `history` or `trail/management-events`.
    pub name: String,
    /// The sequence number of the entry it takes next; `None` before its first start.
    pub position: Option<u64>,
    /// Entries that it has not taken yet.
    pub lag: u64,
    /// Why its last try failed; `None` after one that did not.
    pub last_error: Option<String>,
}

/// The doors under `/_opentrail/`.
pub struct Health {
    version: &'static str,
    vitals: Arc<dyn Vitals>,
    metrics: Arc<Registry>,
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Health").field("version", &self.version).finish_non_exhaustive()
    }
}

/// The path that everything of ours stands under; no S3 bucket can have that name.
pub const PREFIX: &str = "/_opentrail/";

impl Health {
    /// The doors of a house of that version.
    pub fn new(version: &'static str, vitals: Arc<dyn Vitals>, metrics: Arc<Registry>) -> Health {
        Health { version, vitals, metrics }
    }

    /// Answers a request under [`PREFIX`]; `path` is the whole path, without the query. Never fails: an unknown path is
    /// a 404 with a JSON body, and any method but GET and HEAD a 405.
    pub fn answer(&self, method: &str, path: &str) -> Response<Bytes> {
        if !matches!(method, "GET" | "HEAD") {
            let mut response = json_response(
                StatusCode::METHOD_NOT_ALLOWED,
                &json!({"error": "only GET and HEAD are answered under /_opentrail/"}),
            );
            response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match path.strip_prefix("/_opentrail").unwrap_or(path).trim_end_matches('/') {
            "" => self.index(),
            "/health" => self.health(),
            "/ready" => self.ready(),
            "/metrics" => self.metrics(),
            _ => {
                json_response(StatusCode::NOT_FOUND, &json!({"error": format!("nothing is at {path}"), "see": PREFIX}))
            }
        }
    }

    fn index(&self) -> Response<Bytes> {
        let body = json!({
            "name": "opentrail",
            "version": self.version,
            "health": "/_opentrail/health",
            "ready": "/_opentrail/ready",
            "metrics": "/_opentrail/metrics",
            "transparency": "/_opentrail/transparency",
        });
        json_response(StatusCode::OK, &body)
    }

    /// 200 while calls can be recorded; 503 when they cannot, with the cause.
    fn health(&self) -> Response<Bytes> {
        let failure = self.vitals.failure();
        let status = if failure.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        let followers: Vec<_> = self
            .vitals
            .followers()
            .into_iter()
            .map(|follower| {
                json!({
                    "name": follower.name,
                    "position": follower.position,
                    "lag": follower.lag,
                    "lastError": follower.last_error,
                })
            })
            .collect();
        let body = json!({
            "status": if failure.is_some() { "failed" } else { "ok" },
            "failure": failure,
            "version": self.version,
            "ready": self.vitals.ready(),
            "followers": followers,
        });
        json_response(status, &body)
    }

    fn ready(&self) -> Response<Bytes> {
        let ready = self.vitals.ready() && self.vitals.failure().is_none();
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        json_response(status, &json!({ "ready": ready }))
    }

    fn metrics(&self) -> Response<Bytes> {
        let mut text = String::new();
        if prometheus_client::encoding::text::encode(&mut text, &self.metrics).is_err() {
            let body = json!({"error": "the metrics could not be written as text"});
            return json_response(StatusCode::INTERNAL_SERVER_ERROR, &body);
        }
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        response(StatusCode::OK, kind, text.into())
    }
}

fn json_response(status: StatusCode, body: &serde_json::Value) -> Response<Bytes> {
    response(status, "application/json", body.to_string().into())
}

fn response(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::metrics::counter::Counter;

    struct House {
        ready: bool,
        failure: Option<String>,
    }

    impl Vitals for House {
        fn followers(&self) -> Vec<FollowerVitals> {
            let last_error = Some("the bucket is gone".to_owned());
            vec![FollowerVitals { name: "history".to_owned(), position: Some(41), lag: 2, last_error }]
        }

        fn failure(&self) -> Option<String> {
            self.failure.clone()
        }

        fn ready(&self) -> bool {
            self.ready
        }
    }

    fn ask(house: House, method: &str, path: &str) -> (u16, String) {
        let mut metrics = Registry::default();
        let counter: Counter = Counter::default();
        counter.inc_by(7);
        metrics.register("opentrail_events", "Events recorded", counter);
        let response = Health::new("1.2.3", Arc::new(house), Arc::new(metrics)).answer(method, path);
        (response.status().as_u16(), String::from_utf8(response.body().to_vec()).unwrap())
    }

    fn up() -> House {
        House { ready: true, failure: None }
    }

    #[test]
    fn health_shows_each_reader_with_position_and_lag() {
        let (status, body) = ask(up(), "GET", "/_opentrail/health");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(status, 200);
        assert_eq!((&body["status"], &body["version"]), (&json!("ok"), &json!("1.2.3")));
        let follower = json!({"name": "history", "position": 41, "lag": 2, "lastError": "the bucket is gone"});
        assert_eq!(body["followers"], json!([follower]));
    }

    #[test]
    fn ready_is_503_until_every_reader_runs_and_after_a_failure() {
        assert_eq!(ask(up(), "GET", "/_opentrail/ready").0, 200);
        assert_eq!(ask(House { ready: false, failure: None }, "GET", "/_opentrail/ready").0, 503);
        let failed = || House { ready: true, failure: Some("no space left".to_owned()) };
        assert_eq!(ask(failed(), "GET", "/_opentrail/ready").0, 503);
        let (status, body) = ask(failed(), "GET", "/_opentrail/health");
        assert!(status == 503 && body.contains("no space left"));
    }

    #[test]
    fn metrics_are_prometheus_text() {
        let (status, body) = ask(up(), "GET", "/_opentrail/metrics");
        assert_eq!(status, 200);
        assert!(body.contains("opentrail_events_total 7\n") && body.ends_with("# EOF\n"), "{body}");
    }

    #[test]
    fn what_is_not_there_is_a_404_in_json() {
        assert_eq!(ask(up(), "GET", "/_opentrail/").0, 200);
        for path in ["/_opentrail/nothing", "/_opentrail/health/x", "/_opentrailx"] {
            let (status, body) = ask(up(), "GET", path);
            assert_eq!(status, 404, "{path}");
            assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok());
        }
        assert_eq!(ask(up(), "POST", "/_opentrail/health").0, 405);
    }
}
