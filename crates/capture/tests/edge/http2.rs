//! HTTP/2 clients before an HTTP/1.1 upstream: a stream that is reset is a connection that is reset, and the other way round.

use crate::house::{House, PATIENCE, Plan, Stage, ending, exactly, head, reset, say, signed};
use bytes::Bytes;
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentrail_capture::{BoxError, ClientLimits};
use std::io::Write;
use std::time::Duration;

type Body = UnsyncBoxBody<Bytes, BoxError>;

async fn connect(house: &House) -> SendRequest<Body> {
    let stream = tokio::net::TcpStream::connect(house.address).await.unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn ask(method: &str, target: &str, service: &str, body: Body) -> http::Request<Body> {
    let request = http::Request::builder().method(method).uri(format!("http://h{target}"));
    request.header("authorization", signed(service)).body(body).unwrap()
}

fn full(body: &'static str) -> Body {
    Full::new(Bytes::from_static(body.as_bytes())).map_err(|never| match never {}).boxed_unsync()
}

fn long_poll() -> http::Request<Body> {
    let body = r#"{"QueueUrl":"http://h/111122223333/q","WaitTimeSeconds":20}"#;
    let mut request = ask("POST", "/", "sqs", full(body));
    request.headers_mut().insert("x-amz-target", "AmazonSQS.ReceiveMessage".parse().unwrap());
    request.headers_mut().insert("content-type", "application/x-amz-json-1.0".parse().unwrap());
    request
}

/// What the upstream says, while the client's connection goes on.
async fn seen(stage: &Stage) -> String {
    tokio::task::block_in_place(|| stage.saw())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_reset_in_its_request_is_a_reset_for_the_upstream() {
    let stage = Stage::playing(|wire, saw| {
        head(wire);
        let (heard, how) = ending(wire);
        saw(&format!("{} {how}", String::from_utf8_lossy(&heard).contains("<Tagging>")));
    });
    let house = House::before(stage.address, Plan::default());
    let mut sender = connect(&house).await;
    let (mut body, channel) = Channel::<Bytes, BoxError>::new(1);
    let mut request = ask("PUT", "/bucket?tagging", "s3", channel.boxed_unsync());
    request.headers_mut().insert("content-length", "1000".parse().unwrap());
    let answer = tokio::spawn(sender.send_request(request));
    body.send_data(Bytes::from_static(b"<Tagging>")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    body.abort("the user went home".into());
    assert!(answer.await.unwrap().is_err());
    assert_eq!(seen(&stage).await, "true reset");
    let record = house.record("PutBucketTagging");
    assert_eq!(record["errorCode"], "RequestTimeout");
    assert_eq!(record["requestParameters"]["omitted"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_reset_while_the_upstream_thinks_is_noticed_at_once() {
    let stage = Stage::playing(|wire, saw| {
        head(wire);
        exactly(wire, 59);
        saw("asked");
        saw(ending(wire).1);
    });
    let house = House::before(stage.address, Plan::default());
    let mut sender = connect(&house).await;
    let answer = tokio::spawn(sender.send_request(long_poll()));
    assert_eq!(seen(&stage).await, "asked");
    answer.abort();
    assert_eq!(seen(&stage).await, "reset");
    let record = house.record("ReceiveMessage");
    assert_eq!(record["errorCode"], "RequestTimeout");
    assert_eq!(record["requestParameters"]["waitTimeSeconds"], 20, "the request was whole: {record}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_reset_in_its_answer_ends_the_upstreams_work() {
    let stage = Stage::playing(|wire, saw| {
        head(wire);
        say(wire, b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nbeginning");
        saw(ending(wire).1);
    });
    let house = House::before(stage.address, Plan::default());
    let mut sender = connect(&house).await;
    let mut answer = sender.send_request(ask("GET", "/bucket/key", "s3", full(""))).await.unwrap();
    assert_eq!(answer.body_mut().frame().await.unwrap().unwrap().into_data().unwrap(), "beginning");
    drop(answer);
    assert_eq!(seen(&stage).await, "reset");
    let record = house.record("GetObject");
    assert_eq!(record["additionalEventData"]["bytesTransferredOut"], 9, "{record}");
    assert!(record.get("errorCode").is_none(), "the service had answered: {record}");
}

/// Head, how the upstream ends it, and whether that is its end.
const ANSWERS: [(&str, &str, bool); 6] = [
    ("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<Versioning", "reset", false),
    ("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<Versioning", "close", false),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<Vers\r\n", "reset", false),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<Vers\r\n", "close", false),
    ("HTTP/1.1 200 OK\r\n\r\n<Versioning", "reset", false),
    ("HTTP/1.1 200 OK\r\n\r\n<Versioning/>", "close", true),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_breaks_off_resets_its_stream_and_no_other() {
    for (wire, how, whole) in ANSWERS {
        let stage = Stage::playing(move |stream, _| {
            if head(stream).contains("/other") {
                return say(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            }
            stream.write_all(wire.as_bytes()).unwrap();
            // A reset may overtake what was sent before.
            std::thread::sleep(Duration::from_millis(100));
            if how == "reset" {
                reset(stream);
            }
        });
        let house = House::before(stage.address, Plan::default());
        let mut sender = connect(&house).await;
        let answer = sender.send_request(ask("GET", "/bucket?versioning", "s3", full(""))).await.unwrap();
        assert_eq!(answer.status(), 200);
        let body = answer.into_body().collect().await;
        assert_eq!(body.is_ok(), whole, "{wire:?} {how}");
        if let Err(error) = body {
            let error = format!("{error:?}");
            assert!(error.contains("Reset(StreamId(1), INTERNAL_ERROR"), "{error}");
        }
        let record = house.record("GetBucketVersioning");
        assert_eq!(record.get("errorCode").is_none(), whole, "{record}");
        let other = sender.send_request(ask("GET", "/bucket/other", "s3", full(""))).await.unwrap();
        assert_eq!(other.into_body().collect().await.unwrap().to_bytes(), "ok");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_whose_streams_stand_still_is_given_up_stream_by_stream() {
    let stage = Stage::playing(|wire, saw| {
        head(wire);
        exactly(wire, 3);
        saw(ending(wire).1);
    });
    let limit = Duration::from_millis(300);
    let house = House::before(
        stage.address,
        Plan { limits: ClientLimits { stall: limit, ..ClientLimits::default() }, ..Plan::default() },
    );
    let mut sender = connect(&house).await;
    let (mut body, channel) = Channel::<Bytes, BoxError>::new(1);
    let mut request = ask("PUT", "/bucket?tagging", "s3", channel.boxed_unsync());
    request.headers_mut().insert("content-length", "1000".parse().unwrap());
    let answer = tokio::spawn(sender.send_request(request));
    body.send_data(Bytes::from_static(b"<Ta")).await.unwrap();
    let ended = tokio::time::timeout(PATIENCE, answer).await.expect("it is given up").unwrap();
    assert!(ended.is_err() || ended.unwrap().status().is_server_error());
    assert_eq!(seen(&stage).await, "close");
    assert_eq!(house.record("PutBucketTagging")["errorCode"], "RequestTimeout");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_answer_waits_whole_for_its_record() {
    let stage = Stage::playing(|wire, saw| {
        head(wire);
        say(wire, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
        saw("answered");
        std::thread::sleep(Duration::from_millis(500));
        say(wire, b"ok");
    });
    let house = House::before(stage.address, Plan::default());
    let mut sender = connect(&house).await;
    let mut answer = tokio::spawn(sender.send_request(ask("GET", "/bucket?versioning", "s3", full(""))));
    assert_eq!(seen(&stage).await, "answered");
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut answer).await.is_err(), "not even its head");
    let answer = answer.await.unwrap().unwrap();
    assert_eq!(house.records().len(), 1);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
}
