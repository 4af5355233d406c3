//! Connections to the upstreams: where they go, how they are opened, and which wait to be used again.

use rustls::pki_types::ServerName;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long a connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// An idle connection is used again only this long: servers close theirs after 5 s (Node, Python) to 75 s (nginx).
const IDLE: Duration = Duration::from_secs(4);
/// Idle connections kept per upstream and thread.
const MAX_IDLE: usize = 256;

/// An endpoint that answers AWS calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether to speak TLS.
    pub tls: bool,
}

/// Text that is not the URL of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// Neither `http://` nor `https://`.
    #[error("`{0}` is not an upstream: write it as http://HOST[:PORT] or https://HOST[:PORT]")]
    Scheme(String),
    /// A path, query or user in the URL: requests keep their own path, and nothing is rewritten.
    #[error("`{0}` has more than a host and a port: requests keep their own paths, so an upstream has none")]
    Extra(String),
    /// A host or port that cannot be read.
    #[error("`{0}` has no usable host and port")]
    Authority(String),
}

impl std::str::FromStr for Upstream {
    type Err = UpstreamError;

    /// Reads `http[s]://HOST[:PORT][/]`; the port defaults to 80 or 443.
    fn from_str(text: &str) -> Result<Upstream, UpstreamError> {
        let uri: http::Uri =
            text.trim_end_matches('/').parse().map_err(|_| UpstreamError::Authority(text.to_owned()))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(UpstreamError::Scheme(text.to_owned())),
        };
        if uri.path() != "/" || uri.query().is_some() || uri.authority().is_some_and(|a| a.as_str().contains('@')) {
            return Err(UpstreamError::Extra(text.to_owned()));
        }
        let host =
            uri.host().filter(|host| !host.is_empty()).ok_or_else(|| UpstreamError::Authority(text.to_owned()))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let default_port = if tls { 443 } else { 80 };
        // `port_u16` has none for one that is out of range, too.
        let names_port = uri.authority().is_some_and(|authority| !authority.as_str().ends_with(authority.host()));
        let port = match uri.port_u16() {
            None if !names_port => default_port,
            Some(port) if port > 0 => port,
            _ => return Err(UpstreamError::Authority(text.to_owned())),
        };
        Ok(Upstream { host, port, tls })
    }
}

impl std::fmt::Display for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{}{close}:{}", self.host, self.port)
    }
}

/// A connection to an upstream.
pub(super) enum UpstreamIo {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// One thread's connections to one upstream.
pub(super) struct Pool {
    upstream: Upstream,
    connector: TlsConnector,
    idle: Mutex<Vec<(UpstreamIo, Instant)>>,
}

impl Pool {
    pub(super) fn new(upstream: Upstream, tls: Arc<rustls::ClientConfig>) -> Pool {
        Pool { upstream, connector: TlsConnector::from(tls), idle: Mutex::new(Vec::new()) }
    }

    /// A connection that waited here and is still open.
    pub(super) fn reuse(&self) -> Option<UpstreamIo> {
        loop {
            let (io, since) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if since.elapsed() < IDLE && io.is_quiet() {
                return Some(io);
            }
        }
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> io::Result<UpstreamIo> {
        let connecting = TcpStream::connect((self.upstream.host.as_str(), self.upstream.port));
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.map_err(|_| io::ErrorKind::TimedOut)??;
        stream.set_nodelay(true)?;
        if !self.upstream.tls {
            return Ok(UpstreamIo::Plain(stream));
        }
        let name = ServerName::try_from(self.upstream.host.clone()).map_err(io::Error::other)?;
        let shaking = self.connector.connect(name, stream);
        let shaken = tokio::time::timeout(CONNECT_TIMEOUT, shaking).await.map_err(|_| io::ErrorKind::TimedOut)?;
        Ok(UpstreamIo::Tls(Box::new(shaken.map_err(with_remedy)?)))
    }

    /// Closes the connections that will not be used again: they waited too long, or the upstream has ended them.
    pub(super) fn sweep(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(io, since)| since.elapsed() < IDLE && io.is_quiet());
    }

    /// Keeps a connection for the next exchange.
    pub(super) fn put_back(&self, io: UpstreamIo) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push((io, Instant::now()));
        }
    }

    pub(super) fn upstream(&self) -> &Upstream {
        &self.upstream
    }
}

/// An upstream of one's own often has a certificate that only one's own authority vouches for.
fn with_remedy(error: io::Error) -> io::Error {
    use rustls::{CertificateError, Error};
    match error.get_ref().and_then(|cause| cause.downcast_ref()) {
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => io::Error::other(
            "nobody trusted here vouches for its certificate; add its authority to the system's, or name a PEM file in SSL_CERT_FILE",
        ),
        _ => error,
    }
}

impl UpstreamIo {
    /// Makes the coming close a reset, so that an upstream whose request was reset sees just that.
    pub(super) fn reset_on_close(&self) {
        let _ = socket2::SockRef::from(self.socket()).set_linger(Some(Duration::ZERO));
    }

    fn socket(&self) -> &TcpStream {
        match self {
            UpstreamIo::Plain(socket) => socket,
            UpstreamIo::Tls(stream) => stream.get_ref().0,
        }
    }

    /// Whether the peer has neither closed nor said anything unasked.
    fn is_quiet(&self) -> bool {
        let mut byte = [0u8; 1];
        matches!(self.socket().try_read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl AsyncRead for UpstreamIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            UpstreamIo::Plain(io) => Pin::new(io).poll_read(cx, buf),
            UpstreamIo::Tls(io) => Pin::new(io.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for UpstreamIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            UpstreamIo::Plain(io) => Pin::new(io).poll_write(cx, buf),
            UpstreamIo::Tls(io) => Pin::new(io.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            UpstreamIo::Plain(io) => Pin::new(io).poll_flush(cx),
            UpstreamIo::Tls(io) => Pin::new(io.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            UpstreamIo::Plain(io) => Pin::new(io).poll_shutdown(cx),
            UpstreamIo::Tls(io) => Pin::new(io.as_mut()).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_a_scheme_a_host_and_a_port() {
        let read = |text: &str| text.parse::<Upstream>().map(|upstream| upstream.to_string());
        assert_eq!(read("http://127.0.0.1:5000"), Ok("http://127.0.0.1:5000".to_owned()));
        assert_eq!(read("https://minio.lan/"), Ok("https://minio.lan:443".to_owned()));
        assert_eq!(read("http://[::1]:9000"), Ok("http://[::1]:9000".to_owned()));
        assert!(matches!(read("127.0.0.1:5000"), Err(UpstreamError::Scheme(_) | UpstreamError::Authority(_))));
        assert!(matches!(read("http://h/path"), Err(UpstreamError::Extra(_))));
        assert!(matches!(read("ftp://h"), Err(UpstreamError::Scheme(_))));
        for text in ["http://h:99999", "http://h:0", "http://h:", "http://h:x"] {
            assert!(matches!(read(text), Err(UpstreamError::Authority(_))), "{text}: {:?}", read(text));
        }
    }
}
