//! Kept connections to one endpoint in the clear, each driven by whoever uses it.
//!
//! Hyper's ready-made client gives each connection to a task of its own; a request goes there and its answer comes back
//! through channels, and both wake somebody. Of a small object that costs as much as sending and reading it. Here the task
//! that asks drives the connection itself, until it has read the answer.

use http::header::{HOST, HeaderValue};
use http::uri::PathAndQuery;
use http::{Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use hyper::service::Service;
use hyper_util::client::legacy::connect::HttpConnector as TcpConnector;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use object_store::client::{HttpError, HttpErrorKind, HttpRequest, HttpRequestBody};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(60);

/// The connections to one endpoint.
#[derive(Debug)]
pub(super) struct Lines {
    endpoint: Uri,
    tcp: TowerToHyperService<TcpConnector>,
    /// The one used last stands last.
    kept: Mutex<VecDeque<(Line, Instant)>>,
}

/// A connection. It does nothing unless it is driven.
#[derive(Debug)]
pub(super) struct Line {
    sender: SendRequest<HttpRequestBody>,
    /// `None` once it has ended.
    wire: Option<Connection<TokioIo<TcpStream>, HttpRequestBody>>,
}

impl Lines {
    /// Connections to `endpoint`, `http://HOST:PORT`, that are made within `connect`. None is made yet.
    pub(super) fn new(endpoint: Uri, connect: Duration) -> Lines {
        let mut tcp = TcpConnector::new();
        tcp.set_connect_timeout(Some(connect));
        tcp.set_nodelay(true);
        Lines { endpoint, tcp: TowerToHyperService::new(tcp), kept: Mutex::default() }
    }

    /// Sends a request; gives the answer's head, and the line on which its body comes.
    pub(super) async fn ask(&self, request: HttpRequest) -> Result<(Response<Incoming>, Line), HttpError> {
        let mut request = self.addressed(request);
        loop {
            let kept = self.take().await;
            let is_kept = kept.is_some();
            let mut line = match kept {
                Some(line) => line,
                None => self.connect().await?,
            };
            match line.ask(request).await {
                Ok(response) => return Ok((response, line)),
                // Closed before anything was sent, as idle connections are.
                Err(mut error) => match error.take_message().filter(|_| is_kept) {
                    Some(unsent) => request = unsent,
                    None => return Err(HttpError::new(HttpErrorKind::Request, error.into_error())),
                },
            }
        }
    }

    /// Keeps a line whose answer was read to its end; lets those go that were not needed for long.
    pub(super) fn keep(&self, line: Line) {
        let mut kept = self.kept();
        if line.wire.is_some() {
            kept.push_back((line, Instant::now()));
        }
        while kept.front().is_some_and(|(_, since)| since.elapsed() >= IDLE) {
            kept.pop_front();
        }
    }

    /// The kept line that was used last, if it is still good; those that are not end here.
    async fn take(&self) -> Option<Line> {
        loop {
            let (mut line, since) = self.kept().pop_back()?;
            if since.elapsed() < IDLE && line.is_ready().await {
                return Some(line);
            }
        }
    }

    async fn connect(&self) -> Result<Line, HttpError> {
        let broken = |error| HttpError::new(HttpErrorKind::Connect, error);
        let stream = self.tcp.call(self.endpoint.clone()).await;
        let stream = stream.map_err(|error| HttpError::new(HttpErrorKind::Connect, error))?;
        let (sender, wire) = handshake(stream).await.map_err(broken)?;
        Ok(Line { sender, wire: Some(wire) })
    }

    /// The request as it is sent to the endpoint itself: a path, and the host in a header.
    fn addressed(&self, mut request: HttpRequest) -> HttpRequest {
        if let Some(host) = self.endpoint.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok()) {
            request.headers_mut().entry(HOST).or_insert(host);
        }
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
        request
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<(Line, Instant)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    async fn ask(&mut self, request: HttpRequest) -> Result<Response<Incoming>, TrySendError<HttpRequest>> {
        let Line { sender, wire } = self;
        let mut answering = pin!(sender.try_send_request(request));
        poll_fn(|context| {
            drive(wire, context);
            answering.as_mut().poll(context)
        })
        .await
    }

    /// Whether a request can be sent at once: the last answer is done with, and the other side has not gone.
    async fn is_ready(&mut self) -> bool {
        poll_fn(|context| {
            self.drive(context);
            Poll::Ready(self.wire.is_some() && self.sender.is_ready())
        })
        .await
    }

    /// Sends and reads what can be sent and read; whoever waits is woken when there is more to do.
    pub(super) fn drive(&mut self, context: &mut Context<'_>) {
        drive(&mut self.wire, context);
    }
}

/// A wire that has ended tells those who wait for it when it is dropped.
fn drive(wire: &mut Option<Connection<TokioIo<TcpStream>, HttpRequestBody>>, context: &mut Context<'_>) {
    if let Some(open) = wire
        && Pin::new(open).poll(context).is_ready()
    {
        *wire = None;
    }
}
