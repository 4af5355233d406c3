//! How endpoints are called: over TLS by `object_store`'s client, in the clear by a plain one.
//!
//! An endpoint in the clear is on this machine or next to it, and is called thousands of times: it needs neither the
//! certificates of the system, which take longer to read than a small archive to verify, nor redirects.

mod lines;

use self::lines::{Line, Lines};
use bytes::Bytes;
use http::header::{HeaderValue, USER_AGENT};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
    ReqwestConnector,
};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// What the calls of this program say they come from.
const AGENT: &str = concat!("opentrail/", env!("CARGO_PKG_VERSION"));

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// A request with its whole answer.
    pub(crate) request: Duration,
    /// A connection.
    pub(crate) connect: Duration,
}

/// A client for an endpoint, `http://…` or `https://…`.
///
/// # Errors
/// What the TLS library says when it cannot be set up.
pub(crate) fn client(endpoint: &str, patience: Patience) -> object_store::Result<HttpClient> {
    if endpoint.starts_with("http://")
        && !is_proxied()
        && let Ok(endpoint) = endpoint.parse()
    {
        let lines = Arc::new(Lines::new(endpoint, patience.connect));
        return Ok(HttpClient::new(Plain { lines, limit: patience.request }));
    }
    let options = ClientOptions::new()
        .with_allow_http(true)
        .with_user_agent(HeaderValue::from_static(AGENT))
        .with_timeout(patience.request)
        .with_connect_timeout(patience.connect);
    ReqwestConnector::default().connect(&options)
}

/// Whether the environment names a proxy for calls in the clear: then the client that knows proxies makes them.
fn is_proxied() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"].into_iter().any(is_set)
}

/// HTTP in the clear, over kept connections.
#[derive(Debug)]
struct Plain {
    lines: Arc<Lines>,
    limit: Duration,
}

#[derive(Debug, thiserror::Error)]
#[error("no answer within {} seconds", .0.as_secs())]
struct TooLate(Duration);

#[async_trait::async_trait]
impl HttpService for Plain {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        request.headers_mut().entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
        let mut deadline = Box::pin(sleep(self.limit));
        let (response, line) = tokio::select! {
            biased;
            answer = self.lines.ask(request) => answer?,
            () = &mut deadline => return Err(HttpError::new(HttpErrorKind::Timeout, TooLate(self.limit))),
        };
        let (lines, limit) = (Arc::clone(&self.lines), self.limit);
        Ok(response.map(|body| {
            HttpResponseBody::new(Answer {
                body,
                line: Some(line),
                lines,
                is_read: false,
                deadline,
                limit,
                is_given_up: false,
            })
        }))
    }
}

/// The body of an answer, that must be there in time.
struct Answer {
    body: Incoming,
    /// Where it comes from; it goes back when the body was read to its end.
    line: Option<Line>,
    lines: Arc<Lines>,
    is_read: bool,
    deadline: Pin<Box<Sleep>>,
    limit: Duration,
    is_given_up: bool,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let mut frame = Pin::new(&mut self.body).poll_frame(context);
        if let (Poll::Pending, Some(line)) = (&frame, &mut self.line) {
            line.drive(context);
            frame = Pin::new(&mut self.body).poll_frame(context);
        }
        if let Poll::Ready(frame) = frame {
            self.is_read |= frame.is_none();
            let broken = |error| HttpError::new(HttpErrorKind::Interrupted, error);
            return Poll::Ready(frame.map(|frame| frame.map_err(broken)));
        }
        if self.is_given_up {
            return Poll::Ready(None);
        }
        ready!(self.deadline.as_mut().poll(context));
        self.is_given_up = true;
        Poll::Ready(Some(Err(HttpError::new(HttpErrorKind::Timeout, TooLate(self.limit)))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let is_read = self.is_read || self.body.is_end_stream();
        if let Some(line) = self.line.take().filter(|_| is_read) {
            self.lines.keep(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt;
    use http::Request;
    use object_store::client::HttpRequestBody;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    const SOON: Patience = Patience { request: Duration::from_millis(200), connect: Duration::from_secs(1) };

    fn get(url: &str) -> HttpRequest {
        Request::builder().uri(url).body(HttpRequestBody::from(Bytes::new())).unwrap()
    }

    /// Answers one call with these bytes, and then stays silent.
    async fn endpoint(answer: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 4096];
            let count = stream.read(&mut asked).await.unwrap();
            assert!(String::from_utf8_lossy(&asked[..count]).contains("user-agent: opentrail/"));
            stream.write_all(answer).await.unwrap();
            tokio::time::sleep(Duration::from_secs(60)).await;
        });
        url
    }

    #[tokio::test]
    async fn an_endpoint_that_says_nothing_is_not_waited_for() {
        let url = endpoint(b"").await;
        let error = client(&url, SOON).unwrap().execute(get(&url)).await.unwrap_err();
        assert_eq!(error.kind(), HttpErrorKind::Timeout);
    }

    #[tokio::test]
    async fn an_answer_that_stops_half_way_is_not_waited_for() {
        let url = endpoint(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
        let response = client(&url, SOON).unwrap().execute(get(&url)).await.unwrap();
        let chunks: Vec<_> = response.into_body().bytes_stream().collect().await;
        assert_eq!(chunks.first().unwrap().as_ref().unwrap(), "half");
        assert_eq!(chunks.last().unwrap().as_ref().unwrap_err().kind(), HttpErrorKind::Timeout);
    }

    #[tokio::test]
    async fn nobody_there_is_told_as_such() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let error = client(&url, SOON).unwrap().execute(get(&url)).await.unwrap_err();
        assert_eq!(error.kind(), HttpErrorKind::Connect);
        assert!(crate::bucket::s3::whole_cause(&error).contains("Connection refused"));
    }
    /// Answers calls on each connection it is given, `calls` of them, and then closes it; counts the connections.
    async fn closing_after(calls: usize, answer: &'static [u8]) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                let mut asked = [0; 4096];
                for _ in 0..calls {
                    if stream.read(&mut asked).await.unwrap() == 0 {
                        break;
                    }
                    stream.write_all(answer).await.unwrap();
                }
            }
        });
        (url, connections)
    }

    async fn body_of(client: &HttpClient, url: &str) -> Bytes {
        client.execute(get(url)).await.unwrap().into_body().bytes().await.unwrap()
    }

    #[tokio::test]
    async fn a_connection_serves_one_call_after_another() {
        for answer in [
            &b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody"[..],
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        ] {
            let (url, connections) = closing_after(usize::MAX, answer).await;
            let client = client(&url, SOON).unwrap();
            for _ in 0..5 {
                assert_eq!(body_of(&client, &format!("{url}/path?query")).await, "body");
            }
            // A body that is empty need not be read, and one that is not read ends its connection.
            assert_eq!(connections.load(Ordering::Relaxed), 1);
            drop(client.execute(get(&url)).await.unwrap());
            assert_eq!(body_of(&client, &url).await, "body");
        }
        let (url, connections) = closing_after(usize::MAX, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        let client = client(&url, SOON).unwrap();
        for _ in 0..5 {
            drop(client.execute(get(&url)).await.unwrap());
        }
        assert_eq!(connections.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_connection_that_was_closed_meanwhile_is_replaced() {
        let (url, connections) = closing_after(1, b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody").await;
        let client = client(&url, SOON).unwrap();
        for count in 1..5 {
            assert_eq!(body_of(&client, &url).await, "body");
            assert_eq!(connections.load(Ordering::Relaxed), count);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
