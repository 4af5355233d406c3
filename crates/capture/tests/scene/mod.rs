//! One exchange to play to a recorder, built word by word.

#![allow(dead_code, reason = "each test uses its part of the words")]

use aws::{Catalog, Headers, Request};
use event::{EventTime, Identity};
use opentrail_capture::{
    Captured, Exchange, Failure, Identities, KnownIdentities, Lesson, Recorder, RecorderConfig, Response, TlsDetails,
    Verdict,
};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const ALICE: &str = "AKIAEXAMPLEALICE0001";
/// 2026-01-15T10:02:03Z.
pub(crate) const NOW: EventTime = EventTime(1_768_471_323);

/// An exchange; the defaults are a signed call by Alice that succeeds.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) body_total: Option<u64>,
    pub(crate) status: Option<u16>,
    pub(crate) answer_headers: Vec<(String, Vec<u8>)>,
    pub(crate) answer: Vec<u8>,
    pub(crate) answer_total: Option<u64>,
    pub(crate) vpc_endpoint: Option<&'static str>,
    pub(crate) tls: Option<TlsDetails>,
    pub(crate) failure: Option<Failure>,
}

impl Scene {
    /// An unsigned request.
    pub(crate) fn unsigned(method: &str, target: &str) -> Scene {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Scene {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            body_total: None,
            status: Some(200),
            answer_headers: vec![("x-amzn-requestid".into(), b"request-1".to_vec())],
            answer: Vec::new(),
            answer_total: None,
            vpc_endpoint: None,
            tls: None,
            failure: None,
        }
    }

    /// A request signed by Alice for a service in eu-west-1.
    pub(crate) fn signed(method: &str, target: &str, service: &str) -> Scene {
        Scene::unsigned(method, target).by(ALICE, service)
    }

    /// A call of the JSON protocol.
    pub(crate) fn json(service: &str, target: &str, body: &str) -> Scene {
        Scene::signed("POST", "/", service)
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.1")
            .body(body)
    }

    /// A call of the query or EC2 protocol.
    pub(crate) fn form(service: &str, body: &str) -> Scene {
        Scene::signed("POST", "/", service)
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .body(body)
    }

    pub(crate) fn by(self, key: &str, service: &str) -> Scene {
        let credential = format!(
            "AWS4-HMAC-SHA256 Credential={key}/20260115/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=00"
        );
        self.header("authorization", &credential)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Scene {
        self.headers.push((name.to_owned(), value.as_bytes().to_vec()));
        self
    }

    pub(crate) fn body(mut self, body: &str) -> Scene {
        self.body = body.as_bytes().to_vec();
        self
    }

    pub(crate) fn answer(mut self, status: u16, body: &str) -> Scene {
        (self.status, self.answer) = (Some(status), body.as_bytes().to_vec());
        self
    }

    pub(crate) fn answer_header(mut self, name: &str, value: &str) -> Scene {
        self.answer_headers.push((name.to_owned(), value.as_bytes().to_vec()));
        self
    }

    /// Plays it to a recorder, as the proxy would: what the recorder does not ask to keep, it does not see.
    pub(crate) fn play(&self, recorder: &Recorder) -> Verdict {
        let borrowed = |lines: &'_ [(String, Vec<u8>)]| -> Vec<(String, Vec<u8>)> { lines.to_vec() };
        let (asked, answered) = (borrowed(&self.headers), borrowed(&self.answer_headers));
        let asked: Vec<(&str, &[u8])> = asked.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let answered: Vec<(&str, &[u8])> =
            answered.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let request = Request {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: Headers(&asked),
            path_style: false,
        };
        let opened = recorder.open(&request);
        let kept = |bytes: &'_ [u8], limit: usize| bytes[..bytes.len().min(limit)].to_vec();
        let body = kept(&self.body, opened.request_body().limit());
        let answer =
            self.status.map(|status| kept(&self.answer, opened.response_body(status).limit())).unwrap_or_default();
        recorder.record(
            &opened,
            &Exchange {
                request,
                request_body: Captured { bytes: &body, total: self.body_total.unwrap_or(self.body.len() as u64) },
                response: self.status.map(|status| Response {
                    status,
                    headers: Headers(&answered),
                    body: Captured { bytes: &answer, total: self.answer_total.unwrap_or(self.answer.len() as u64) },
                }),
                client: [198, 51, 100, 7].into(),
                vpc_endpoint: self.vpc_endpoint,
                tls: self.tls.as_ref(),
                completed: NOW,
                failure: self.failure,
            },
        )
    }

    /// Plays it and gives all records that come of it.
    pub(crate) fn records(&self, recorder: &Recorder) -> Vec<Value> {
        match self.play(recorder) {
            Verdict::Record(events) => {
                events.iter().map(|event| serde_json::from_slice(event.json()).expect("JSON")).collect()
            }
            Verdict::Unrecorded(reason) => panic!("{reason:?} of {} {}", self.method, self.path),
        }
    }

    /// Plays it and gives the one record that must come of it.
    pub(crate) fn record(&self, recorder: &Recorder) -> Value {
        match self.play(recorder) {
            Verdict::Record(events) => serde_json::from_slice(events.first().expect("a record").json()).expect("JSON"),
            Verdict::Unrecorded(reason) => panic!("{reason:?} of {} {}", self.method, self.path),
        }
    }
}

/// A recorder that knows Alice, and its memory.
pub(crate) fn recorder_with_memory() -> (Recorder, Arc<KnownIdentities>) {
    recorder_of(false)
}

/// A recorder that knows Alice.
pub(crate) fn recorder() -> Recorder {
    recorder_with_memory().0
}

/// A recorder that also records what AWS would not.
pub(crate) fn recorder_of(record_unauthenticated: bool) -> (Recorder, Arc<KnownIdentities>) {
    let known = Arc::new(KnownIdentities::new(100));
    let identity = Identity::iam_user(ACCOUNT, "alice", "AIDAEXAMPLEALICE00001", ALICE);
    known.learn(Lesson { access_key_id: ALICE.to_owned(), identity, origins: Vec::new(), expires: None }, NOW);
    let config =
        RecorderConfig { account_id: ACCOUNT.to_owned(), region: "us-east-1".to_owned(), record_unauthenticated };
    let counter = AtomicU64::new(1);
    let random = move || u128::from(counter.fetch_add(1, Ordering::Relaxed));
    (Recorder::new(Catalog::embedded(), config, Arc::clone(&known) as Arc<dyn Identities>, random), known)
}
