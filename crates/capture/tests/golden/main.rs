//! The recorder against records that AWS wrote: for each replayable record, the request and the response are rebuilt
//! from it by the service model, passed through the recorder, and what comes out is compared with the record.
//!
//! The rebuilding knows the wire formats as SDKs write them, the inverse of the general rule of casing, and the words of
//! EC2's old records; it knows nothing of the recorder's tables. `OPENTRAIL_BLESS=1` writes the report to
//! `docs/fidelity.md`; `OPENTRAIL_SHOW=field` or `field:service` prints what differs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says why")]

mod compare;
mod corpus;
mod ec2;
mod rebuild;
mod report;
mod s3;
mod value;
mod wire;

use report::Report;

#[test]
fn records_are_what_cloudtrail_wrote() {
    let mut report = Report::default();
    for record in corpus::records() {
        match rebuild::Replay::of(&record) {
            Ok(replay) => match replay.record() {
                Ok(recorded) => report.compare(&replay, &record, &recorded),
                Err(reason) => report.lost(&record, reason),
            },
            Err(reason) => report.not_replayable(reason),
        }
    }
    report.show();
    report.bless();
    report.assert_bars();
}

/// Every byte of every record of the corpus, searched for what the rebuilding put where AWS shows a mask.
#[test]
fn what_aws_masks_never_reaches_a_record() {
    for record in corpus::records() {
        let Ok(replay) = rebuild::Replay::of(&record) else { continue };
        let Ok(recorded) = replay.record() else { continue };
        assert!(!recorded.to_string().contains("PLANTED-SECRET"), "{recorded}");
    }
}
