//! A journal that takes no more records: with `fail-closed` no call is carried out, with `fail-open` every one is.

use crate::house::{House, Plan, Stage, ending, eventually, exactly, head, long_poll, request, say};
use opentrail_capture::Audit;

fn stage() -> Stage {
    Stage::playing(|wire, saw| {
        while !head(wire).is_empty() {
            saw("asked");
            exactly(wire, 59);
            say(wire, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
        }
    })
}

#[test]
fn fail_closed_refuses_the_call_before_it_is_carried_out() {
    let stage = stage();
    let house = House::before(stage.address, Plan::default());
    house.journal.close().unwrap();
    let mut client = house.connect();
    say(&mut client, &long_poll());
    let answer = head(&mut client);
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    drop(house);
    assert!(stage.saw_nothing(), "the upstream was asked");
}

#[test]
fn fail_open_carries_it_out_and_counts_the_loss() {
    let stage = stage();
    let house = House::before(stage.address, Plan { audit: Audit::FailOpen, ..Plan::default() });
    house.journal.close().unwrap();
    let mut client = house.connect();
    for _ in 0..2 {
        say(&mut client, &long_poll());
        assert!(head(&mut client).starts_with("HTTP/1.1 200"));
        assert_eq!(exactly(&mut client, 2), b"{}");
        assert_eq!(stage.saw(), "asked");
    }
    eventually("the losses are counted", || house.counted("opentrail_events_lost_total") == 2);
    assert_eq!(house.counted("opentrail_events_recorded_total"), 0);
}

/// Closes the journal while the upstream is at work, and lets it go on.
fn refusing_midway(beginning: &'static [u8]) -> (House, std::net::TcpStream) {
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let stage = Stage::playing(move |wire, saw| {
        head(wire);
        say(wire, beginning);
        saw("asked");
        wait.lock().unwrap().recv().unwrap();
        say(
            wire,
            if beginning.is_empty() { b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" } else { b" of the answer" },
        );
    });
    let house = House::before(stage.address, Plan::default());
    let mut client = house.connect();
    say(&mut client, &request("GET /bucket/key", "s3", &[], ""));
    assert_eq!(stage.saw(), "asked");
    if !beginning.is_empty() {
        assert_eq!(exactly(&mut client, beginning.len()), beginning);
    }
    house.journal.close().unwrap();
    go_on.send(()).unwrap();
    (house, client)
}

#[test]
fn fail_closed_does_not_give_an_answer_whose_record_was_refused() {
    let (house, mut client) = refusing_midway(b"");
    assert!(head(&mut client).starts_with("HTTP/1.1 503"));
    assert_eq!(house.counted("opentrail_events_lost_total"), 1);
}

#[test]
fn fail_closed_breaks_off_an_answer_that_has_begun() {
    let (house, mut client) = refusing_midway(b"HTTP/1.1 200 OK\r\n\r\nthe beginning");
    // Only a reset tells that this is not the end.
    assert_eq!(ending(&mut client).1, "reset");
    assert_eq!(house.counted("opentrail_events_lost_total"), 1);
}
