//! With `fail-closed` a small answer waits whole for its record, however its pieces come; a stream waits for nothing long.

use crate::house::{House, Plan, Stage, ending, exactly, head, long_poll, request, reset, say};
use opentrail_capture::Audit;
use std::io::Read;
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

/// Longer than a beginning waits that may be that of a stream (`hold.rs`).
const PAUSE: Duration = Duration::from_millis(600);

/// An upstream that says each piece when it is told to, and then ends.
fn in_pieces(pieces: Vec<Vec<u8>>) -> (Stage, Sender<()>) {
    let (go_on, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let stage = Stage::playing(move |wire, saw| {
        head(wire);
        for piece in &pieces {
            wait.lock().unwrap().recv().unwrap();
            say(wire, piece);
            saw("said");
        }
        if wait.lock().unwrap().recv().is_ok() {
            reset(wire);
        }
    });
    (stage, go_on)
}

fn pieces(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Whether nothing comes for [`PAUSE`].
fn hears_nothing(client: &mut TcpStream) -> bool {
    client.set_read_timeout(Some(PAUSE)).unwrap();
    let heard = client.read(&mut [0]);
    client.set_read_timeout(Some(crate::house::PATIENCE)).unwrap();
    heard.is_err_and(|error| matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut))
}

#[test]
fn not_a_byte_of_a_small_answer_goes_out_before_its_record_is_durable() {
    let (stage, go_on) = in_pieces(pieces(&["HTTP/1.1 200 OK\r\nContent-Le", "ngth: 5\r\n\r\n", "he", "llo"]));
    let house = House::before(stage.address, Plan::default());
    let mut client = house.connect();
    say(&mut client, &request("GET /bucket?versioning", "s3", &[], ""));
    for _ in 0..3 {
        go_on.send(()).unwrap();
        assert_eq!(stage.saw(), "said");
        assert!(hears_nothing(&mut client), "the answer is not whole");
        assert!(house.records().is_empty());
    }
    go_on.send(()).unwrap();
    exactly(&mut client, 1);
    assert_eq!(house.records().len(), 1, "it has begun to go out");
    assert!(head(&mut client).starts_with("TTP/1.1 200 OK\r\nContent-Length: 5\r\n"));
    assert_eq!(exactly(&mut client, 5), b"hello");
}

#[test]
fn a_short_answer_without_a_length_goes_out_with_its_record_too() {
    let chunked = ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "5\r\nhello\r\n", "0\r\n\r\n"];
    let (stage, go_on) = in_pieces(pieces(&chunked));
    let house = House::before(stage.address, Plan::default());
    let mut client = house.connect();
    say(&mut client, &request("GET /bucket?versioning", "s3", &[], ""));
    for _ in 0..3 {
        go_on.send(()).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    exactly(&mut client, 1);
    assert_eq!(house.records().len(), 1);
    assert_eq!(exactly(&mut client, chunked.concat().len() - 1), &chunked.concat().as_bytes()[1..]);
}

#[test]
fn fail_open_holds_no_head() {
    let (stage, go_on) = in_pieces(pieces(&["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "hello"]));
    let house = House::before(stage.address, Plan { audit: Audit::FailOpen, ..Plan::default() });
    let mut client = house.connect();
    say(&mut client, &request("GET /bucket?versioning", "s3", &[], ""));
    go_on.send(()).unwrap();
    assert!(head(&mut client).starts_with("HTTP/1.1 200"));
    go_on.send(()).unwrap();
    assert_eq!(exactly(&mut client, 5), b"hello");
}

/// A head after which nothing more comes for now, and whether its beginning may wait at all.
const STREAMS: [(&str, bool); 5] = [
    ("Transfer-Encoding: chunked\r\nContent-Type: application/vnd.amazon.eventstream\r\n\r\n", false),
    ("Content-Type: text/event-stream;charset=utf-8\r\n\r\n", false),
    ("Transfer-Encoding: chunked\r\n\r\n", true),
    ("Content-Length: 1000000\r\n\r\n", true),
    ("Connection: close\r\n\r\n", true),
];

#[test]
fn streams_flow_though_their_end_is_far() {
    for (headers, may_wait) in STREAMS {
        let beginning = format!("HTTP/1.1 200 OK\r\n{headers}");
        let (stage, go_on) = in_pieces(pieces(&[&beginning, "3\r\none\r\n", "3\r\ntwo\r\n"]));
        let house = House::before(stage.address, Plan::default());
        let mut client = house.connect();
        say(&mut client, &request("GET /bucket/key", "s3", &[], ""));
        let mut wanted = vec![beginning.len(), 8, 8].into_iter();
        go_on.send(()).unwrap();
        let started = Instant::now();
        exactly(&mut client, wanted.next().unwrap());
        let waited = started.elapsed();
        assert!(waited < if may_wait { PAUSE } else { Duration::from_millis(200) }, "{headers}: {waited:?}");
        // Once it flows, each piece comes as it is said.
        for length in wanted {
            let started = Instant::now();
            go_on.send(()).unwrap();
            exactly(&mut client, length);
            assert!(started.elapsed() < Duration::from_millis(200), "{headers}: {:?}", started.elapsed());
        }
        assert!(house.records().is_empty(), "its end is to come");
    }
}

#[test]
fn a_large_answer_flows_as_soon_as_there_is_much_of_it() {
    let beginning = format!("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{}", "x".repeat(100 << 10));
    let (stage, go_on) = in_pieces(vec![beginning.clone().into_bytes()]);
    let house = House::before(stage.address, Plan::default());
    let mut client = house.connect();
    say(&mut client, &request("GET /bucket/key", "s3", &[], ""));
    go_on.send(()).unwrap();
    let started = Instant::now();
    exactly(&mut client, beginning.len());
    assert!(started.elapsed() < Duration::from_millis(200), "{:?}", started.elapsed());
}

#[test]
fn a_held_answer_that_breaks_off_comes_as_far_as_it_came_and_ends_as_it_ended() {
    let beginning = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<Versioning";
    let (stage, go_on) = in_pieces(pieces(&[beginning]));
    let house = House::before(stage.address, Plan::default());
    let mut client = house.connect();
    say(&mut client, &request("GET /bucket?versioning", "s3", &[], ""));
    go_on.send(()).unwrap();
    assert_eq!(stage.saw(), "said");
    assert!(hears_nothing(&mut client));
    go_on.send(()).unwrap();
    assert_eq!(ending(&mut client), (beginning.as_bytes().to_vec(), "reset"));
    assert_eq!(house.record("GetBucketVersioning")["errorCode"], "InternalFailure");
}

#[test]
fn to_be_told_to_go_on_is_no_answer_and_waits_for_none() {
    let stage = Stage::playing(|wire, saw| {
        head(wire);
        say(wire, b"HTTP/1.1 100 Continue\r\n\r\n");
        exactly(wire, 9);
        say(wire, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
        saw("answered");
        std::thread::sleep(PAUSE);
        say(wire, b"ok");
    });
    let house = House::before(stage.address, Plan::default());
    let mut client = house.connect();
    let headers = [("Content-Length", "9"), ("Expect", "100-continue")];
    say(&mut client, &request("PUT /bucket?tagging", "s3", &headers, ""));
    assert!(head(&mut client).starts_with("HTTP/1.1 100"));
    say(&mut client, b"<Tagging>");
    assert_eq!(stage.saw(), "answered");
    house.journal.close().unwrap();
    let answer = head(&mut client);
    assert!(answer.starts_with("HTTP/1.1 503"), "of the answer nothing has gone out: {answer}");
}

#[test]
fn a_client_is_not_given_up_for_an_answer_that_is_held() {
    let limits = opentrail_capture::ClientLimits { stall: PAUSE / 2, ..Default::default() };
    let (stage, go_on) = in_pieces(pieces(&["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "{}"]));
    let house = House::before(stage.address, Plan { limits, ..Plan::default() });
    let mut client = house.connect();
    say(&mut client, &long_poll());
    go_on.send(()).unwrap();
    assert!(hears_nothing(&mut client));
    go_on.send(()).unwrap();
    assert!(head(&mut client).starts_with("HTTP/1.1 200"));
    assert_eq!(exactly(&mut client, 2), b"{}");
}
