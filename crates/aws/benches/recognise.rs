//! How long it takes to open the table, to decode services, and to recognise requests:
//!
//!     cargo bench -p opentrail-aws
#![allow(clippy::expect_used, reason = "a test that cannot go on says why")]

#[path = "../tests/support/synthetic.rs"]
mod synthetic;

use opentrail_aws::{Catalog, Headers, Request, credential, recognise};
use std::hint::black_box;
use std::time::{Duration, Instant};
use synthetic::{Filling, Synthetic};

static TABLE: &[u8] = include_bytes!("../../../models/aws.bin");

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let made = black_box(work());
    (made, start.elapsed())
}

fn main() {
    let opened: Vec<_> = (0..50).map(|_| timed(|| Catalog::open(TABLE)).1).collect();
    println!("open the index              {:>10.1?}", median(opened));

    let catalog = Catalog::open(TABLE).expect("the committed table opens");
    for name in ["dynamodb", "s3", "ec2"] {
        let decoded = (0..20).map(|_| {
            let fresh = Catalog::open(TABLE).expect("opens");
            let id = fresh.by_name(name).expect("known").id();
            timed(|| fresh.service(id).map(|service| service.operations().len())).1
        });
        println!("decode {name:<20} {:>10.1?}", median(decoded.collect()));
    }
    let all = timed(|| catalog.services().iter().filter(|info| catalog.service(info.id()).is_ok()).count());
    println!("decode all {} services     {:>10.1?}", all.0, all.1);

    let mut calls = Vec::new();
    for info in catalog.services() {
        for operation in catalog.service(info.id()).expect("decodes").operations() {
            calls.push(Synthetic::new(operation, info.protocol(), Filling::Required));
        }
    }
    let recognised: Vec<_> = calls.iter().map(|call| time_call(&catalog, call)).collect();
    println!("recognise: median of {} calls {:>7.0?}", calls.len(), median(recognised.clone()));
    let mut sorted = recognised;
    sorted.sort();
    println!("recognise: 99 of 100 under  {:>10.0?}", sorted[sorted.len() * 99 / 100]);

    for (service, operation) in [
        ("dynamodb", "GetItem"),
        ("sqs", "SendMessage"),
        ("s3", "PutObject"),
        ("iam", "CreateUser"),
        ("ec2", "RunInstances"),
        ("lambda", "Invoke"),
        ("cloudwatch", "PutMetricData"),
    ] {
        let service = catalog.service(catalog.by_name(service).expect("known").id()).expect("decodes");
        let call = Synthetic::new(service.operation(operation).expect("known"), service.protocol(), Filling::Required);
        println!("recognise {:<22}{:>7.0?}", format!("{}:{operation}", service.name()), time_call(&catalog, &call));
    }
    let headers = calls[0].headers();
    let request = Request { method: "GET", path: "/", query: "", headers: Headers(&headers), path_style: false };
    let rounds = 10_000;
    let (_, time) = timed(|| (0..rounds).filter(|_| credential(black_box(&request)).is_some()).count());
    println!("read a credential           {:>10.0?}", time / rounds);
}

/// The time of one recognition, over many rounds.
fn time_call(catalog: &Catalog, call: &Synthetic) -> Duration {
    let headers = call.headers();
    let request = call.request(&headers);
    black_box(recognise::operation(catalog, &request, &call.body));
    let rounds = 100;
    let (_, time) = timed(|| {
        (0..rounds).filter(|_| recognise::operation(catalog, black_box(&request), &call.body).is_some()).count()
    });
    time / rounds
}
