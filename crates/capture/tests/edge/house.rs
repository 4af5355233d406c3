//! An edge before an upstream that a test plays, and the journal behind it.

use aws::Catalog;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use journal::{Journal, Options, ReadLimit, Seq};
use opentrail_capture::{
    Answer, Audit, Bound, ClientLimits, Edge, KnownIdentities, Local, LocalCall, Metrics, Recorder, RecorderConfig,
    Routes, Running, TrustedProxies,
};
use prometheus_client::registry::Registry;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// What a test may choose.
pub(crate) struct Plan {
    pub(crate) audit: Audit,
    pub(crate) limits: ClientLimits,
    pub(crate) record_unauthenticated: bool,
    pub(crate) connections_max: usize,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            audit: Audit::FailClosed,
            limits: ClientLimits::default(),
            record_unauthenticated: false,
            connections_max: usize::MAX,
        }
    }
}

/// A running edge. S3 and everything else go to the upstream; CloudTrail is answered here, with the request's body.
pub(crate) struct House {
    pub(crate) address: SocketAddr,
    pub(crate) journal: Journal,
    registry: Registry,
    running: Option<Running>,
    _folder: tempfile::TempDir,
}

impl House {
    pub(crate) fn before(upstream: SocketAddr, plan: Plan) -> House {
        let pairs = vec![(Vec::new(), format!("http://{upstream}").parse().unwrap())];
        House::with(Routes::new(pairs).unwrap(), plan)
    }

    pub(crate) fn with(routes: Routes, plan: Plan) -> House {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path(), Options::default()).unwrap();
        let (metrics, mut registry) = (Metrics::default(), Registry::default());
        metrics.register(&mut registry);
        let config = RecorderConfig {
            account_id: "111122223333".to_owned(),
            region: "us-east-1".to_owned(),
            record_unauthenticated: plan.record_unauthenticated,
        };
        let identities = Arc::new(KnownIdentities::new(8));
        let random = || uuid::Uuid::new_v4().as_u128();
        let bound = Bound::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = bound.address().unwrap();
        let edge = Edge {
            recorder: Arc::new(Recorder::new(Catalog::embedded(), config, identities, random)),
            appender: journal.appender(),
            audit: plan.audit,
            routes,
            local: Arc::new(Echo),
            own: Arc::new(Echo),
            metrics,
            tls: None,
            upstream_tls: trusting_nobody(),
            trusted_proxies: TrustedProxies::default(),
            connections_max: plan.connections_max,
            client_limits: plan.limits,
            threads: 1,
        };
        House { address, journal, registry, running: Some(bound.start(edge).unwrap()), _folder: folder }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let client = TcpStream::connect(self.address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.set_write_timeout(Some(PATIENCE)).unwrap();
        client
    }

    pub(crate) fn records(&self) -> Vec<Value> {
        let entries = self.journal.read(Seq(0), ReadLimit::default()).unwrap();
        entries.iter().map(|entry| serde_json::from_slice(entry.event.json()).unwrap()).collect()
    }

    /// The only record of that name, as soon as it is there.
    pub(crate) fn record(&self, name: &str) -> Value {
        let mut found = Vec::new();
        eventually(&format!("a record of {name}"), || {
            found = self.records();
            found.retain(|record| record["eventName"] == name);
            !found.is_empty()
        });
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    /// The value of a counter, by the beginning of its line.
    pub(crate) fn counted(&self, line: &str) -> u64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let line = text.lines().find(|found| found.starts_with(line)).unwrap_or_else(|| panic!("no {line} in {text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.drain(Duration::from_millis(100));
        }
    }
}

/// Answers with what was sent, or with 400 when that breaks off.
struct Echo;

impl Local for Echo {
    fn call(&self, call: LocalCall) -> Answer {
        Box::pin(async move {
            let (status, body) = match call.request.into_body().collect().await {
                Ok(body) => (200, body.to_bytes()),
                Err(_) => (400, Bytes::new()),
            };
            let body = Full::new(body).map_err(|never| match never {}).boxed_unsync();
            http::Response::builder().status(status).body(body).unwrap()
        })
    }
}

/// An upstream that plays the same scene on each connection and says what it saw.
pub(crate) struct Stage {
    pub(crate) address: SocketAddr,
    saw: Receiver<String>,
}

impl Stage {
    pub(crate) fn playing(scene: impl Fn(&mut TcpStream, &mut dyn FnMut(&str)) + Send + Sync + 'static) -> Stage {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (tell, saw) = channel();
        let (address, scene) = (listener.local_addr().unwrap(), Arc::new(scene));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, tell, scene) = (stream.unwrap(), tell.clone(), Arc::clone(&scene));
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                std::thread::spawn(move || scene(&mut stream, &mut |word| drop(tell.send(word.to_owned()))));
            }
        });
        Stage { address, saw }
    }

    /// What the scene says next.
    pub(crate) fn saw(&self) -> String {
        self.saw.recv_timeout(PATIENCE).expect("the upstream sees something")
    }

    /// Whether the scene has said nothing so far.
    pub(crate) fn saw_nothing(&self) -> bool {
        self.saw.try_recv().is_err()
    }
}

/// An address where nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// Reads a head, without what stands behind it.
pub(crate) fn head(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0u8]);
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

pub(crate) fn exactly(stream: &mut TcpStream, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// How the other side ends the connection: `close` or `reset`, and what it says before.
pub(crate) fn ending(stream: &mut TcpStream) -> (Vec<u8>, &'static str) {
    let (mut heard, mut piece) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return (heard, "close"),
            Ok(read) => heard.extend_from_slice(&piece[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return (heard, "reset"),
            Err(error) => panic!("it does not end: {error}, after {} bytes", heard.len()),
        }
    }
}

/// Ends a connection by a reset.
pub(crate) fn reset(stream: &TcpStream) {
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
    let _ = stream.shutdown(Shutdown::Read);
}

pub(crate) fn say(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).unwrap();
}

pub(crate) fn signed(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLEALICE0001/20260115/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=00"
    )
}

/// A request with its body.
pub(crate) fn request(line: &str, service: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut head = format!("{line} HTTP/1.1\r\nHost: h\r\nAuthorization: {}\r\n", signed(service));
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    format!("{head}\r\n{body}").into_bytes()
}

/// A `ReceiveMessage` that waits for twenty seconds.
pub(crate) fn long_poll() -> Vec<u8> {
    let body = r#"{"QueueUrl":"http://h/111122223333/q","WaitTimeSeconds":20}"#;
    let headers = [
        ("X-Amz-Target", "AmazonSQS.ReceiveMessage"),
        ("Content-Type", "application/x-amz-json-1.0"),
        ("Content-Length", &body.len().to_string()),
    ];
    request("POST /", "sqs", &headers, body)
}

pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The upstreams of these tests speak in the clear.
fn trusting_nobody() -> Arc<rustls::ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}
