//! The front edge: the listening socket, one event loop per core, TLS, and the orderly end.

use super::connection;
use super::http2;
use super::origin::{self, Origin, Preamble, TrustedProxies};
use super::patience::ClientLimits;
use super::recording::{Audit, Peer, Recording};
use super::routes::Routes;
use super::upstream::Pool;
use crate::local::Local;
use crate::metrics::Metrics;
use crate::{Recorder, TlsDetails};
use bytes::BytesMut;
use journal::Appender;
use rustls::{ClientConfig, ServerConfig};
use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;
/// How long a TLS handshake, or the first bytes of a connection, may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after `accept` failed, typically for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Pause while a PROXY header is still coming in.
const PREAMBLE_PAUSE: Duration = Duration::from_millis(2);
/// How often connections to upstreams are closed that have waited too long: one that serves a connection at a time waits
/// for it to end.
const SWEEP_TICK: Duration = Duration::from_secs(1);
/// How often a draining thread looks whether its connections have ended.
const DRAIN_TICK: Duration = Duration::from_millis(20);

/// Everything that the edge is given.
#[derive(Clone)]
pub struct Edge {
    /// Makes records of exchanges.
    pub recorder: Arc<Recorder>,
    /// Where records go.
    pub appender: Appender,
    /// Whether answers wait for their records.
    pub audit: Audit,
    /// Who answers which call.
    pub routes: Routes,
    /// The services in the house.
    pub local: Arc<dyn Local>,
    /// The house's own pages under `/_opentrail/`.
    pub own: Arc<dyn Local>,
    /// The counters.
    pub metrics: Metrics,
    /// How to speak TLS to clients; `None` for plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// How to speak TLS to upstreams: whom to trust there.
    pub upstream_tls: Arc<ClientConfig>,
    /// How many connections may be open at once, over all threads; others wait to be accepted.
    pub connections_max: usize,
    /// Whose word about a caller's address is believed.
    pub trusted_proxies: TrustedProxies,
    /// When a client is given up.
    pub client_limits: ClientLimits,
    /// Number of event loops.
    pub threads: usize,
}

/// A bound socket that does not answer yet.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
}

/// The edge at work.
#[derive(Debug)]
pub struct Running {
    draining: watch::Sender<bool>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Bound {
    /// Binds the address. Port 0 takes a free one.
    ///
    /// # Errors
    /// The system's, when the address is taken or not ours.
    pub fn bind(address: SocketAddr) -> io::Result<Bound> {
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
        // A restart must not wait for the last connections' TIME_WAIT.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(Bound { listener: socket.into() })
    }

    /// The address, with the port that was taken.
    ///
    /// # Errors
    /// The system's.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Starts answering.
    ///
    /// # Errors
    /// The system's, when no thread can be started.
    pub fn start(self, edge: Edge) -> io::Result<Running> {
        let (draining, watching) = watch::channel(false);
        let mut threads = Vec::new();
        for index in 0..edge.threads.max(1) {
            let listener = self.listener.try_clone()?;
            let worker = Arc::new(Worker::new(&edge));
            let acceptor = edge.tls.clone().map(TlsAcceptor::from);
            let watching = watching.clone();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let run = move || runtime.block_on(worker.run(listener, acceptor, watching));
            threads.push(std::thread::Builder::new().name(format!("edge-{index}")).spawn(run)?);
        }
        Ok(Running { draining, threads })
    }
}

impl Running {
    /// Stops accepting, lets the calls in flight finish, and returns when the last has, or after `grace`.
    /// Blocks: to be called off the event loops.
    pub fn drain(self, grace: Duration) {
        let _ = self.draining.send(true);
        let deadline = std::time::Instant::now() + grace;
        for thread in self.threads {
            while !thread.is_finished() && std::time::Instant::now() < deadline {
                std::thread::sleep(DRAIN_TICK);
            }
            if thread.is_finished() && thread.join().is_err() {
                tracing::error!("an edge thread had panicked");
            }
        }
    }
}

/// One event loop's share of the edge.
pub(super) struct Worker {
    pub(super) recording: Recording,
    pub(super) routes: Routes,
    pub(super) pools: Vec<Pool>,
    pub(super) local: Arc<dyn Local>,
    pub(super) own: Arc<dyn Local>,
    pub(super) trusted_proxies: TrustedProxies,
    pub(super) client_stall: Duration,
    pub(super) client_limits: ClientLimits,
    connections_max: usize,
    draining: AtomicBool,
    connections: Mutex<HashMap<usize, Open>>,
    next_connection: AtomicUsize,
}

/// A connection that is open: whether it can be cut off without loss, and how.
struct Open {
    idle: Arc<AtomicBool>,
    task: AbortHandle,
}

impl Worker {
    fn new(edge: &Edge) -> Worker {
        Worker {
            recording: Recording {
                recorder: Arc::clone(&edge.recorder),
                appender: edge.appender.clone(),
                audit: edge.audit,
                metrics: edge.metrics.clone(),
            },
            pools: edge
                .routes
                .upstreams()
                .iter()
                .map(|u| Pool::new(u.clone(), Arc::clone(&edge.upstream_tls)))
                .collect(),
            routes: edge.routes.clone(),
            local: Arc::clone(&edge.local),
            own: Arc::clone(&edge.own),
            trusted_proxies: edge.trusted_proxies.clone(),
            client_stall: edge.client_limits.stall,
            client_limits: edge.client_limits,
            connections_max: edge.connections_max,
            draining: AtomicBool::new(false),
            connections: Mutex::default(),
            next_connection: AtomicUsize::new(0),
        }
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    async fn run(
        self: Arc<Self>,
        listener: TcpListener,
        acceptor: Option<TlsAcceptor>,
        mut draining: watch::Receiver<bool>,
    ) {
        let listener = match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "cannot listen"),
        };
        let mut sweep = tokio::time::interval(SWEEP_TICK);
        let mut was_full = false;
        loop {
            let is_full = self.is_full();
            if is_full && !was_full {
                let open = self.connections_max;
                tracing::warn!(open, "as many connections as the limit of open files allows: others wait");
            }
            was_full = is_full;
            let accepted = tokio::select! {
                biased;
                _ = draining.wait_for(|draining| *draining) => break,
                _ = sweep.tick() => {
                    self.pools.iter().for_each(Pool::sweep);
                    continue;
                }
                accepted = listener.accept(), if !is_full => accepted,
                () = tokio::time::sleep(ACCEPT_PAUSE), if is_full => continue,
            };
            match accepted {
                Ok((stream, address)) => self.welcome(stream, address, acceptor.clone()),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        self.draining.store(true, Ordering::Relaxed);
        while !self.cut_off_idle() {
            tokio::time::sleep(DRAIN_TICK).await;
        }
    }

    fn is_full(&self) -> bool {
        usize::try_from(self.recording.metrics.connections.get()).is_ok_and(|open| open >= self.connections_max)
    }

    /// Ends the connections without a request in flight; whether none is left.
    fn cut_off_idle(&self) -> bool {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(|_, open| {
            if open.idle.load(Ordering::Relaxed) {
                open.task.abort();
            }
            !open.task.is_finished()
        });
        connections.is_empty()
    }

    fn welcome(self: &Arc<Self>, stream: TcpStream, address: SocketAddr, acceptor: Option<TlsAcceptor>) {
        let _ = stream.set_nodelay(true);
        let number = self.next_connection.fetch_add(1, Ordering::Relaxed);
        let idle = Arc::new(AtomicBool::new(true));
        let (worker, is_idle) = (Arc::clone(self), Arc::clone(&idle));
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let task = tokio::spawn(async move {
            let _counted = Counted::new(&worker, number);
            worker.converse(stream, address, acceptor, &is_idle).await;
        });
        connections.insert(number, Open { idle, task: task.abort_handle() });
    }

    /// Finds out what the connection speaks and serves it.
    async fn converse(
        self: &Arc<Self>,
        mut stream: TcpStream,
        address: SocketAddr,
        acceptor: Option<TlsAcceptor>,
        idle: &AtomicBool,
    ) {
        let (mut address, mut vpc_endpoint) = (address.ip().to_canonical(), None);
        if self.trusted_proxies.trusts(address) {
            match tokio::time::timeout(HANDSHAKE_TIMEOUT, read_preamble(&mut stream)).await {
                Ok(Ok(origin)) => {
                    address = origin.caller.unwrap_or(address);
                    vpc_endpoint = origin.vpc_endpoint;
                }
                _ => {
                    self.recording.metrics.bad_requests.inc();
                    return;
                }
            }
        }
        let Some(acceptor) = acceptor else {
            let peer = Peer { address, vpc_endpoint, tls: None };
            return self.speak(stream, peer, false, idle).await;
        };
        let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await else {
            self.recording.metrics.bad_requests.inc();
            return;
        };
        let session = stream.get_ref().1;
        let is_http2 = session.alpn_protocol() == Some(b"h2");
        let peer = Peer { address, vpc_endpoint, tls: Some(tls_details(session)) };
        self.speak(stream, peer, is_http2, idle).await;
    }

    async fn speak<C>(self: &Arc<Self>, mut stream: C, peer: Peer, is_http2: bool, idle: &AtomicBool)
    where
        C: connection::Client + 'static,
    {
        let mut first = BytesMut::new();
        if is_http2 || http2::has_preface(&mut stream, &mut first, idle, self.client_limits.head).await {
            http2::serve(stream, first.freeze(), peer, Arc::clone(self), idle).await;
        } else {
            connection::serve(stream, first, peer, self, idle).await;
        }
    }
}

/// Takes the PROXY header, if there is one, off the beginning of a connection; what it says.
async fn read_preamble(stream: &mut TcpStream) -> io::Result<Origin> {
    let mut bytes = vec![0u8; origin::HEADER_MAX_BYTES];
    let mut seen = 0;
    loop {
        let peeked = stream.peek(&mut bytes).await?;
        match origin::preamble(&bytes[..peeked]) {
            Preamble::None => return Ok(Origin::default()),
            Preamble::Header { len, origin } => {
                tokio::io::AsyncReadExt::read_exact(stream, &mut bytes[..len]).await?;
                return Ok(origin);
            }
            // A proxy that only tries whether the port is open says nothing and closes.
            Preamble::Incomplete if peeked == 0 => return Ok(Origin::default()),
            Preamble::Incomplete if peeked < bytes.len() => {
                // Peeking again would not wait: the bytes that are there stay there.
                if peeked == seen {
                    tokio::time::sleep(PREAMBLE_PAUSE).await;
                }
                seen = peeked;
            }
            Preamble::Incomplete | Preamble::Malformed => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// A connection in the gauge and among the open ones, as long as it lives.
struct Counted<'w> {
    worker: &'w Worker,
    number: usize,
}

impl<'w> Counted<'w> {
    fn new(worker: &'w Worker, number: usize) -> Counted<'w> {
        worker.recording.metrics.connections.inc();
        Counted { worker, number }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.worker.recording.metrics.connections.dec();
        self.worker.connections.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

/// What a record says of the client's TLS (`reference/event-record.md`, section 4): OpenSSL's names.
fn tls_details(session: &rustls::ServerConnection) -> TlsDetails {
    let version = match session.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLSv1.3",
    };
    let suite = session.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or_default();
    let group = session.negotiated_key_exchange_group().and_then(|group| group.name().as_str());
    TlsDetails {
        version: version.to_owned(),
        cipher_suite: openssl_name(suite),
        key_exchange: group.map(|group| if group == "X25519" { "x25519".to_owned() } else { group.to_owned() }),
    }
}

/// `TLS13_AES_128_GCM_SHA256` → `TLS_AES_128_GCM_SHA256`;
/// `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256` → `ECDHE-RSA-AES128-GCM-SHA256`.
fn openssl_name(suite: &str) -> String {
    if let Some(rest) = suite.strip_prefix("TLS13_") {
        return format!("TLS_{rest}");
    }
    let name = suite.trim_start_matches("TLS_").replace("_WITH_", "_").replace("AES_", "AES").replace('_', "-");
    name.replace("-POLY1305-SHA256", "-POLY1305")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cipher_suites_have_the_names_that_records_use() {
        assert_eq!(openssl_name("TLS13_AES_128_GCM_SHA256"), "TLS_AES_128_GCM_SHA256");
        assert_eq!(openssl_name("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"), "ECDHE-RSA-AES128-GCM-SHA256");
        assert_eq!(openssl_name("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"), "ECDHE-ECDSA-CHACHA20-POLY1305");
    }
}
