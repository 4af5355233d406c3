//! Clients that keep the house waiting for a request: between requests, and in the middle of a head.

use crate::house::{House, PATIENCE, Plan, Stage, ending, exactly, head, request, say};
use opentrail_capture::ClientLimits;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Far apart, so that a test tells which of them it met.
const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(60);

fn house(upstream: &Stage, head: Duration, idle: Duration) -> House {
    let limits = ClientLimits { head, idle, ..ClientLimits::default() };
    House::before(upstream.address, Plan { limits, ..Plan::default() })
}

/// Answers each request on a connection with two bytes.
fn upstream() -> Stage {
    Stage::playing(|wire, _| {
        while !head(wire).is_empty() {
            if wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
                return;
            }
        }
    })
}

/// The connection is closed without a word, when the short limit has passed since `started` and not before.
fn closed_after_the_short_limit(client: &mut TcpStream, started: Instant) {
    assert_eq!(ending(client).0, b"");
    let waited = started.elapsed();
    assert!((SHORT..PATIENCE).contains(&waited), "{waited:?}");
}

fn call(client: &mut TcpStream) {
    say(client, &request("GET /bucket/key", "s3", &[], ""));
    assert!(head(client).starts_with("HTTP/1.1 200"));
    assert_eq!(exactly(client, 2), b"ok");
}

#[test]
fn a_connection_on_which_nothing_is_said_is_closed_after_the_idle_limit() {
    let stage = upstream();
    let patient = house(&stage, LONG, SHORT);
    let mut used = patient.connect();
    call(&mut used);
    closed_after_the_short_limit(&mut used, Instant::now());
    // Its first bytes tell what it speaks, and have the time that a head has.
    let impatient = house(&stage, SHORT, SHORT);
    let mut silent = impatient.connect();
    closed_after_the_short_limit(&mut silent, Instant::now());
}

#[test]
fn more_connections_than_there_is_room_for_wait_until_others_end() {
    let stage = upstream();
    let house = House::before(stage.address, Plan { connections_max: 2, ..Plan::default() });
    let (mut first, mut second) = (house.connect(), house.connect());
    call(&mut first);
    call(&mut second);
    let mut third = house.connect();
    say(&mut third, &request("GET /bucket/key", "s3", &[], ""));
    third.set_read_timeout(Some(SHORT)).unwrap();
    let nothing = std::io::Read::read(&mut third, &mut [0]).unwrap_err();
    assert!(matches!(nothing.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut), "{nothing}");
    drop(first);
    third.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(head(&mut third).starts_with("HTTP/1.1 200"));
}

#[test]
fn a_head_that_does_not_end_is_given_up_after_its_limit_however_it_trickles_in() {
    let stage = upstream();
    let house = house(&stage, SHORT, LONG);
    for used in [false, true] {
        let mut client = house.connect();
        if used {
            call(&mut client);
        }
        let started = Instant::now();
        say(&mut client, b"GET /bucket/key HTTP/1.1\r\nHost: s3.amazonaws.com\r\n");
        // Each piece comes well within the limit, all of them together do not.
        let mut slow = client.try_clone().unwrap();
        let trickling = std::thread::spawn(move || {
            for number in 0..100 {
                if slow.write_all(format!("X-Slow-{number}: 1\r\n").as_bytes()).is_err() {
                    return;
                }
                std::thread::sleep(SHORT / 6);
            }
        });
        let (_, how) = ending(&mut client);
        let waited = started.elapsed();
        assert!((SHORT..PATIENCE.min(SHORT * 15)).contains(&waited), "{waited:?}, {how}");
        drop(client);
        trickling.join().unwrap();
    }
}

#[test]
fn a_client_that_speaks_in_time_is_served_for_as_long_as_it_likes() {
    let stage = upstream();
    let house = house(&stage, SHORT, SHORT);
    let mut client = house.connect();
    for _ in 0..5 {
        std::thread::sleep(SHORT / 2);
        call(&mut client);
    }
}
