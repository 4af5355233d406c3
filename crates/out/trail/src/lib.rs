//! What leaves the building: the events of every trail, as CloudTrail log files in its bucket.
//!
//! Takes journal entries, gives objects `AWSLogs/ACCOUNT/CloudTrail/REGION/Y/M/D/….json.gz` (`docs/formats/log-file.md`).
//! One follower per trail, run by [`Delivery`]. It gathers the records that the trail wants, each byte for byte as the
//! journal holds it, and cuts them into files when the delivery interval has passed, when 50 MB are together, or when
//! the trail changes.
//!
//! Each event is delivered exactly once, through any crash. Before the first object of a cut is written, the cut is
//! saved: the range of the journal, the delivery time, and the trail as it stood. Names and contents are functions of
//! these three, so a follower that finds a saved cut makes the same files under the same names again, and only then
//! moves on. The alternative, to ask the bucket what is there already, would need listing rights that trails do not have.
//!
//! Digests prove what was delivered (`docs/formats/digest.md`): every hour one for each Region, signed and linked to the
//! one before. They are made exactly once by the same means: what a round of digests covers is saved before the first is written.
//!
//! The transparency log proves to outsiders that nothing was left out or changed afterwards: `transparency`.
//!
//! Nothing is kept that cannot be rebuilt: what a follower has gathered is read again from the journal. What may be
//! lost: a bucket that stays out of reach for 30 days (CloudTrail's own limit). What may double: files of a cut that
//! failed half-way into one bucket before the trail was pointed at another; they are then complete in the new one.
//!
//! With many trails, one look at an entry serves all of them: `router`.
//!
//! Beside the bucket, a trail's topic is told of each log file, and its log group of each event: `notify`.
//!
//! Pure: `period` and `scope` (which entries), `router` (for whom), `sign` (as whom), `name` (where), `logfile` and `cut` (what), `rounds`, `digest` and `hash` (the
//! proof). I/O: `follower`, `digester`, `keys`, `kms`, `supervisor`, `client`, the senders of `notify`, and
//! behind [`LogBucket`] the buckets.

mod bucket;
mod client;
mod cut;
mod digest;
mod digester;
mod follower;
mod hash;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod hostile;
mod keys;
mod kms;
mod logfile;
mod name;
mod notify;
mod off_thread;
mod period;
mod rounds;
mod router;
mod scope;
mod sign;
mod supervisor;
pub mod transparency;
pub mod verify;

pub use bucket::s3::{S3Endpoint, S3Options};
pub use bucket::{BucketError, Encryption, LogBucket, ObjectHeaders};
pub use digest::{DigestFile, HASH_ALGORITHM, ListedFile, SIGNATURE_ALGORITHM, compress, sha256_hex};
pub use follower::NowMs;
pub use keys::{KeyError, SigningKeys, fingerprint};
pub use kms::{Key, KmsEndpoint, KmsError};
pub use logfile::{Finished, LogFile};
pub use name::Home;
pub use notify::{
    CallError, LogGroup, LogGroups, LogsEndpoint, Nobody, NotifyMetrics, NotifyOptions, SnsEndpoint, Topics,
    VALIDATION_MESSAGE, log_stream_name,
};
pub use supervisor::{Delivery, DeliveryOptions, delivered_to};
