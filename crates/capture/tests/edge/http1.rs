//! HTTP/1.1: clients that stand still, clients that have gone, and clients that only seem to.

use crate::house::{
    House, PATIENCE, Plan, Stage, ending, eventually, exactly, head, long_poll, nobody, request, reset, say,
};
use opentrail_capture::{ClientLimits, Routes};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_millis(400);

fn impatient() -> Plan {
    Plan { limits: ClientLimits { stall: LIMIT, ..ClientLimits::default() }, ..Plan::default() }
}

/// `DeleteObjectTagging` and the like have no body; this has one, and its record shows it.
fn put_tagging(length: usize, body: &str) -> Vec<u8> {
    request("PUT /bucket?tagging", "s3", &[("Content-Length", &length.to_string())], body)
}

#[test]
fn a_client_that_stops_sending_is_given_up_after_the_limit() {
    let stage = Stage::playing(|wire, saw| {
        head(wire);
        saw(&format!("{:?}", ending(wire)));
    });
    let house = House::before(stage.address, impatient());
    let (mut client, started) = (house.connect(), Instant::now());
    say(&mut client, &put_tagging(1000, "<Tagging>"));
    assert_eq!(ending(&mut client).0, b"");
    assert!((LIMIT..PATIENCE).contains(&started.elapsed()), "{:?}", started.elapsed());
    assert_eq!(stage.saw(), format!("{:?}", (b"<Tagging>", "close")));
    let record = house.record("PutBucketTagging");
    assert_eq!(record["errorCode"], "RequestTimeout");
    assert_eq!(record["requestParameters"]["omitted"], true, "{record}");
    assert_eq!(house.counted("opentrail_clients_gone_total{reason=\"stalled\"}"), 1);
}

#[test]
fn a_client_that_takes_nothing_is_given_up_after_the_limit() {
    let stage = Stage::playing(|wire, saw| {
        head(wire);
        let _ = wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n");
        let piece = vec![0; 1 << 20];
        while wire.write_all(&piece).is_ok() {}
        saw("gone");
    });
    let house = House::before(stage.address, impatient());
    let (mut client, started) = (house.connect(), Instant::now());
    say(&mut client, &request("GET /bucket/key", "s3", &[], ""));
    assert_eq!(stage.saw(), "gone");
    assert!(started.elapsed() >= LIMIT);
    let record = house.record("GetObject");
    let passed = record["additionalEventData"]["bytesTransferredOut"].as_u64().unwrap();
    assert!(passed > 0 && passed < 1 << 30, "{passed}");
    assert_eq!(house.counted("opentrail_clients_gone_total{reason=\"stalled\"}"), 1);
}

#[test]
fn a_client_that_moves_is_not_given_up_however_slow() {
    let stage = Stage::playing(|wire, _| {
        head(wire);
        let body = exactly(wire, 8);
        wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n").unwrap();
        wire.write_all(&body).unwrap();
    });
    let house = House::before(stage.address, impatient());
    let mut client = house.connect();
    say(&mut client, &put_tagging(8, ""));
    for byte in b"12345678" {
        std::thread::sleep(LIMIT / 4);
        say(&mut client, &[*byte]);
    }
    assert!(head(&mut client).starts_with("HTTP/1.1 200"));
    assert_eq!(exactly(&mut client, 8), b"12345678");
}

#[test]
fn an_upstream_may_think_for_longer_than_a_client_may_stand_still() {
    let stage = Stage::playing(|wire, _| {
        head(wire);
        std::thread::sleep(LIMIT * 3);
        wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    let house = House::before(stage.address, impatient());
    let mut client = house.connect();
    say(&mut client, &request("GET /bucket?tagging", "s3", &[], ""));
    assert!(head(&mut client).starts_with("HTTP/1.1 200"));
}

#[test]
fn a_service_of_the_house_does_not_wait_for_a_client_for_ever_either() {
    let house = House::with(Routes::new(Vec::new()).unwrap(), impatient());
    let (mut client, started) = (house.connect(), Instant::now());
    let target = ("X-Amz-Target", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.CreateTrail");
    let headers = [target, ("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", "1000")];
    say(&mut client, &request("POST /", "cloudtrail", &headers, "{\"Name\""));
    let _ = ending(&mut client);
    assert!((LIMIT..PATIENCE).contains(&started.elapsed()), "{:?}", started.elapsed());
    assert!(house.record("CreateTrail")["errorCode"].is_string());
}

/// Otherwise whoever makes a change and hangs up had it recorded as one that failed.
#[test]
fn what_became_of_a_change_is_told_though_its_caller_has_hung_up() {
    let stage = Stage::playing(|wire, saw| {
        head(wire);
        saw("asked");
        std::thread::sleep(Duration::from_millis(300));
        say(wire, b"HTTP/1.1 204 No Content\r\nx-amz-request-id: R1\r\n\r\n");
    });
    let house = House::before(stage.address, Plan::default());
    let mut client = house.connect();
    say(&mut client, &request("DELETE /bucket", "s3", &[], ""));
    assert_eq!(stage.saw(), "asked");
    reset(&client);
    drop(client);
    let record = house.record("DeleteBucket");
    assert!(record["errorCode"].is_null() && record["requestID"] == "R1", "{record}");
    assert_eq!(house.counted("opentrail_clients_gone_total{reason=\"gone\"}"), 1);
}

#[test]
fn a_client_that_leaves_during_a_long_poll_is_noticed_at_once() {
    let stage = Stage::playing(|wire, saw| {
        head(wire);
        exactly(wire, 59);
        saw("asked");
        saw(ending(wire).1);
    });
    let house = House::before(stage.address, Plan::default());
    let mut client = house.connect();
    say(&mut client, &long_poll());
    assert_eq!(stage.saw(), "asked");
    std::thread::sleep(Duration::from_millis(50));
    reset(&client);
    let started = Instant::now();
    drop(client);
    assert_eq!(stage.saw(), "reset");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    let record = house.record("ReceiveMessage");
    assert_eq!(record["errorCode"], "RequestTimeout");
    assert_eq!(record["requestParameters"]["waitTimeSeconds"], 20, "the request was whole: {record}");
    assert_eq!(house.counted("opentrail_clients_gone_total{reason=\"gone\"}"), 1);
}

#[test]
fn a_client_that_has_said_all_and_closed_its_side_is_not_gone() {
    let stage = Stage::playing(|wire, _| {
        head(wire);
        exactly(wire, 59);
        std::thread::sleep(Duration::from_millis(300));
        wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap();
    });
    let house = House::before(stage.address, Plan::default());
    let mut client = house.connect();
    say(&mut client, &long_poll());
    client.shutdown(Shutdown::Write).unwrap();
    assert!(head(&mut client).starts_with("HTTP/1.1 200"));
    assert_eq!(ending(&mut client), (b"{}".to_vec(), "close"));
    assert!(house.record("ReceiveMessage").get("errorCode").is_none());
}

#[test]
fn looking_whether_a_client_has_gone_takes_nothing_from_its_next_request() {
    let stage = Stage::playing(|wire, _| {
        for body in ["first", "other"] {
            head(wire);
            std::thread::sleep(Duration::from_millis(200));
            wire.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{body}").as_bytes()).unwrap();
        }
    });
    let house = House::before(stage.address, Plan::default());
    let mut client = house.connect();
    let ask = request("GET /bucket?tagging", "s3", &[], "");
    say(&mut client, &ask);
    std::thread::sleep(Duration::from_millis(50));
    say(&mut client, &ask);
    for body in [b"first", b"other"] {
        assert!(head(&mut client).starts_with("HTTP/1.1 200"));
        assert_eq!(exactly(&mut client, 5), body);
    }
}

fn content_length(head: &str) -> usize {
    let head = head.to_lowercase();
    head.split("content-length: ").nth(1).unwrap().split('\r').next().unwrap().parse().unwrap()
}

#[test]
fn an_upstream_that_resets_before_its_answer_is_a_bad_gateway_in_the_protocol_of_the_call() {
    let stage = Stage::playing(|wire, _| {
        head(wire);
        exactly(wire, 59);
        reset(wire);
    });
    let house = House::before(stage.address, Plan::default());
    let mut client = house.connect();
    say(&mut client, &long_poll());
    let answer = head(&mut client);
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    let body = String::from_utf8(exactly(&mut client, content_length(&answer))).unwrap();
    assert!(body.contains("ServiceUnavailable") && body.starts_with("{\"__type\":"), "{body}");
    let record = house.record("ReceiveMessage");
    assert_eq!(record["errorCode"], "ServiceUnavailable");
    assert_eq!(record["requestParameters"]["waitTimeSeconds"], 20);
    assert_eq!(house.counted("opentrail_upstream_failures_total{reason=\"no_answer\"}"), 1);
}

#[test]
fn an_upstream_that_nobody_reaches_is_unavailable_in_the_protocol_of_the_call() {
    let house = House::before(nobody(), Plan::default());
    let mut client = house.connect();
    say(&mut client, &request("GET /bucket/key", "s3", &[], ""));
    let answer = head(&mut client);
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    let mut body = vec![0; 20];
    client.read_exact(&mut body).unwrap();
    assert!(body.starts_with(b"<?xml") || body.starts_with(b"<Error>"), "{}", String::from_utf8_lossy(&body));
    assert_eq!(house.record("GetObject")["errorCode"], "ServiceUnavailable");
    assert_eq!(house.counted("opentrail_upstream_failures_total{reason=\"unreachable\"}"), 1);
}

#[test]
fn a_service_that_nobody_has_is_unavailable_and_recorded() {
    let house = House::with(Routes::new(Vec::new()).unwrap(), Plan::default());
    let mut client = house.connect();
    say(&mut client, &long_poll());
    assert!(head(&mut client).starts_with("HTTP/1.1 503"));
    assert_eq!(house.record("ReceiveMessage")["errorCode"], "ServiceUnavailable");
}

#[test]
fn what_is_no_http_is_refused_counted_and_never_passed_on() {
    let stage = Stage::playing(|_, saw| saw("connected"));
    let house = House::before(stage.address, Plan::default());
    let long = format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "x".repeat(70 << 10));
    let many = format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "x: y\r\n".repeat(200));
    let wires = [
        ("NONSENSE\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "400"),
        ("PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", "501"),
        (&long, "431"),
        (&many, "431"),
    ];
    for (number, (wire, status)) in wires.into_iter().enumerate() {
        let mut client = house.connect();
        say(&mut client, wire.as_bytes());
        let answer = head(&mut client);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert_eq!(house.counted("opentrail_bad_requests_total"), number as u64 + 1);
    }
    assert!(house.records().is_empty());
    // Chunks that cannot be followed are found only when they come.
    let mut client = house.connect();
    say(&mut client, &request("PUT /bucket?tagging", "s3", &[("Transfer-Encoding", "chunked")], "nonsense"));
    assert!(head(&mut client).starts_with("HTTP/1.1 400"));
    eventually("it is counted", || house.counted("opentrail_bad_requests_total") == wires.len() as u64 + 1);
}

#[test]
fn what_an_upstream_has_begun_to_read_is_recorded_though_its_end_is_malformed() {
    let stage = Stage::playing(|wire, saw| {
        head(wire);
        saw("acts on the head");
        let _ = ending(wire);
    });
    let house = House::before(stage.address, Plan::default());
    let mut client = house.connect();
    say(&mut client, &request("DELETE /bucket", "s3", &[("Transfer-Encoding", "chunked")], ""));
    assert_eq!(stage.saw(), "acts on the head");
    say(&mut client, b"Z");
    assert!(head(&mut client).starts_with("HTTP/1.1 400"));
    assert_eq!(house.record("DeleteBucket")["errorCode"], "RequestTimeout");
    assert_eq!(house.counted("opentrail_bad_requests_total"), 1);
}

#[test]
fn who_sends_the_house_a_body_that_is_none_is_told_so() {
    let house = House::before((Ipv4Addr::LOCALHOST, 9).into(), Plan::default());
    for sent in ["Z", "2\r\n{}\r\nZ"] {
        let mut client = house.connect();
        let headers = [("Transfer-Encoding", "chunked"), ("X-Amz-Target", "CloudTrail_20131101.DescribeTrails")];
        say(&mut client, &request("POST /", "cloudtrail", &headers, sent));
        assert!(head(&mut client).starts_with("HTTP/1.1 400"));
        assert_eq!(ending(&mut client).1, "close");
    }
    eventually("both are recorded", || house.records().len() == 2);
    assert_eq!(house.counted("opentrail_bad_requests_total"), 2);
}

#[test]
fn no_calls_pass_through_a_tunnel_that_nobody_reads() {
    let stage = Stage::playing(|wire, saw| {
        head(wire);
        say(wire, b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
        let (heard, _) = ending(wire);
        saw(&String::from_utf8_lossy(&heard));
    });
    let house = House::before(stage.address, Plan::default());
    let mut client = house.connect();
    let headers = [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABk")];
    say(&mut client, &request("GET /bucket/key", "s3", &headers, ""));
    assert_eq!(ending(&mut client).1, "reset");
    let _ = client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!(stage.saw(), "", "nothing behind the request");
    assert_eq!(house.record("GetObject")["errorCode"], "InternalFailure");
    assert_eq!(house.counted("opentrail_upstream_failures_total{reason=\"upgraded\"}"), 1);
}

#[test]
fn a_switch_of_protocols_that_nobody_asked_for_opens_no_tunnel() {
    let stage = Stage::playing(|wire, saw| {
        head(wire);
        say(wire, b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
        let (heard, _) = ending(wire);
        saw(&String::from_utf8_lossy(&heard));
    });
    let house = House::before(stage.address, Plan::default());
    let mut client = house.connect();
    say(&mut client, &request("GET /bucket/key", "s3", &[], ""));
    assert_eq!(ending(&mut client).1, "reset");
    let _ = client.write_all(&request("DELETE /bucket/key", "s3", &[], ""));
    assert_eq!(stage.saw(), "", "nothing behind the request");
    assert_eq!(house.record("GetObject")["errorCode"], "InternalFailure");
}

#[test]
fn an_operation_is_known_however_it_is_spelt_and_the_form_says_what_it_is() {
    let stage = Stage::playing(|wire, _| {
        while let asked = head(wire)
            && !asked.is_empty()
        {
            exactly(wire, content_length(&asked));
            say(wire, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let house = House::before(stage.address, Plan::default());
    let mut client = house.connect();
    let form = |line: &str, service: &str, body: &str| {
        let length = body.len().to_string();
        let kind = ("Content-Type", "application/x-www-form-urlencoded");
        request(line, service, &[kind, ("Content-Length", &length)], body)
    };
    let calls = [
        (form("POST /", "iam", "Act%69on=Create%55ser&UserName=a&Version=2010-05-08"), "CreateUser"),
        (form("POST /?%41ction=DeleteUser&UserName=a&Version=2010-05-08", "iam", ""), "DeleteUser"),
        (form("POST /?Action=ListUsers", "iam", "Action=CreateGroup&GroupName=g&Version=2010-05-08"), "CreateGroup"),
        (request("PUT /bucket?%70olicy", "s3", &[("Content-Length", "2")], "{}"), "PutBucketPolicy"),
    ];
    for (wire, name) in calls {
        say(&mut client, &wire);
        assert!(head(&mut client).starts_with("HTTP/1.1 200"));
        assert_eq!(house.records().last().unwrap()["eventName"], name);
    }
}

#[test]
fn a_connection_that_waits_in_vain_is_closed_and_one_that_was_to_close_is_not_used_again() {
    let stage = Stage::playing(|wire, saw| {
        saw("opened");
        while let asked = head(wire)
            && !asked.is_empty()
        {
            say(wire, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
        saw("closed");
    });
    let house = House::before(stage.address, Plan::default());
    let ask = |headers: &[(&str, &str)]| {
        let mut client = house.connect();
        say(&mut client, &request("GET /bucket?tagging", "s3", headers, ""));
        assert!(head(&mut client).starts_with("HTTP/1.1 200"));
    };
    ask(&[("Connection", "close")]);
    assert_eq!([stage.saw(), stage.saw()], ["opened", "closed"]);
    ask(&[]);
    ask(&[]);
    assert_eq!([stage.saw(), stage.saw()], ["opened", "closed"], "used twice, then closed for want of a third");
}

#[test]
fn what_aws_would_not_record_is_counted_under_its_reason_or_recorded_as_unknown() {
    let target = ("X-Amz-Target", "AmazonSQS.ListQueues");
    let unsigned = "POST / HTTP/1.1\r\nHost: h\r\nX-Amz-Target: AmazonSQS.ListQueues\r\nContent-Length: 2\r\n\r\n{}";
    let asked = [
        ("unauthenticated", unsigned.as_bytes().to_vec()),
        ("bad_signature", request("POST /refuse", "sqs", &[target, ("Content-Length", "2")], "{}")),
        ("unknown_service", request("POST /", "nonsense", &[("Content-Length", "2")], "{}")),
        (
            "unknown_operation",
            request("POST /", "sqs", &[("X-Amz-Target", "AmazonSQS.Non"), ("Content-Length", "2")], "{}"),
        ),
        (
            "not_a_call",
            b"OPTIONS /bucket/key HTTP/1.1\r\nHost: h\r\nOrigin: http://x\r\nContent-Length: 2\r\n\r\n{}".to_vec(),
        ),
    ];
    for record_unauthenticated in [false, true] {
        let stage = Stage::playing(move |wire, _| {
            while let asked = head(wire)
                && !asked.is_empty()
            {
                exactly(wire, 2);
                let refused = r#"{"__type":"com.amazon.coral.service#InvalidClientTokenId","message":"no"}"#;
                let (status, body) =
                    if asked.starts_with("POST /refuse") { ("403 Forbidden", refused) } else { ("200 OK", "{}") };
                say(wire, format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
            }
        });
        let house = House::before(stage.address, Plan { record_unauthenticated, ..Plan::default() });
        let mut client = house.connect();
        for (_, wire) in &asked {
            say(&mut client, wire);
            let answer = head(&mut client);
            exactly(&mut client, content_length(&answer));
        }
        let counted = |reason: &str| house.counted(&format!("opentrail_calls_unrecorded_total{{reason=\"{reason}\"}}"));
        let counts = asked.each_ref().map(|(reason, _)| counted(reason));
        if record_unauthenticated {
            assert_eq!(counts, [0, 0, 0, 0, 1], "a preflight asks for nothing, and has no record in any case");
            let records = house.records();
            let told: Vec<_> =
                records.iter().map(|record| (record["eventSource"].as_str(), record["eventName"].as_str())).collect();
            let sqs = |name| (Some("sqs.amazonaws.com"), Some(name));
            let nonsense = (Some("nonsense.amazonaws.com"), Some("Unknown"));
            assert_eq!(told, [sqs("ListQueues"), sqs("ListQueues"), nonsense, sqs("Non")]);
            assert!(records.iter().all(|record| record["userIdentity"]["type"] == "Unknown"));
        } else {
            assert_eq!(counts, [1, 1, 1, 1, 1]);
            assert!(house.records().is_empty());
        }
    }
}

#[test]
fn a_kept_connection_that_ends_under_a_request_is_replaced_where_the_request_may_be_sent_twice() {
    let stage = Stage::playing(|wire, saw| {
        // Each connection answers one request and ends in the next.
        for answers in [true, false] {
            let asked = head(wire);
            saw(asked.split(' ').next().unwrap());
            if answers {
                say(wire, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            }
        }
    });
    let house = House::before(stage.address, Plan::default());
    let mut client = house.connect();
    let get = request("GET /bucket?tagging", "s3", &[], "");
    let post = request("POST /bucket/key?uploads", "s3", &[("Content-Length", "0")], "");
    for (wire, status, seen) in [(&get, "200", 1), (&get, "200", 2), (&post, "502", 1)] {
        say(&mut client, wire);
        let answer = head(&mut client);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        exactly(&mut client, content_length(&answer));
        (0..seen).for_each(|_| drop(stage.saw()));
    }
    assert!(stage.saw_nothing());
    assert_eq!(house.record("CreateMultipartUpload")["errorCode"], "ServiceUnavailable");
}

#[test]
fn an_answer_that_is_no_http_is_a_bad_gateway() {
    let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(300 << 10));
    for answer in ["SSH-2.0-OpenSSH_9.9\r\n".to_owned(), endless] {
        let stage = Stage::playing(move |wire, _| {
            head(wire);
            let _ = wire.write_all(answer.as_bytes());
            let _ = ending(wire);
        });
        let house = House::before(stage.address, Plan::default());
        let mut client = house.connect();
        say(&mut client, &request("GET /bucket?tagging", "s3", &[], ""));
        assert!(head(&mut client).starts_with("HTTP/1.1 502"));
        assert_eq!(house.record("GetBucketTagging")["errorCode"], "ServiceUnavailable");
    }
}
