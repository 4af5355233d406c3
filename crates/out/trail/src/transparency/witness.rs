//! Who else keeps checkpoints, and what is said to them: C2SP tlog-witness. Pure.

use super::merkle::Hash;
use super::note::{Checkpoint, Note, VerifierKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::fmt;

/// A second place for checkpoints, as the configuration names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Witness {
    /// `s3://BUCKET[/PREFIX]`: the S3 that log files go to.
    Bucket {
        /// The bucket.
        bucket: String,
        /// What keys begin with; empty, or ends with a slash.
        prefix: String,
    },
    /// `s3+https://HOST[:PORT]/BUCKET[/PREFIX]`: another S3.
    Elsewhere {
        /// `https://HOST[:PORT]`.
        endpoint: String,
        /// The bucket.
        bucket: String,
        /// What keys begin with; empty, or ends with a slash.
        prefix: String,
    },
    /// `https://HOST/PATH#KEY`: a witness that signs what it has seen.
    Http {
        /// Without a slash at the end.
        url: String,
        /// What its signatures are verified with.
        key: VerifierKey,
    },
}

impl Witness {
    /// Reads what the configuration says.
    ///
    /// # Errors
    /// What is wanted, for people.
    pub fn parse(text: &str) -> Result<Witness, &'static str> {
        let place = |rest: &str| {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let prefix = prefix.trim_matches('/');
            let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
            (!bucket.is_empty()).then(|| (bucket.to_owned(), prefix))
        };
        if let Some(rest) = text.strip_prefix("s3://") {
            let (bucket, prefix) = place(rest).ok_or("write s3://BUCKET/PREFIX")?;
            return Ok(Witness::Bucket { bucket, prefix });
        }
        if let Some(rest) = text.strip_prefix("s3+") {
            let read = || {
                let (scheme, rest) =
                    rest.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"))?;
                let (host, rest) = rest.split_once('/')?;
                let (bucket, prefix) = place(rest)?;
                Some(Witness::Elsewhere { endpoint: format!("{scheme}://{host}"), bucket, prefix })
            };
            return read().ok_or("write s3+https://HOST/BUCKET/PREFIX");
        }
        if text.starts_with("http://") || text.starts_with("https://") {
            let (url, key) =
                text.split_once('#').ok_or("name the witness's key, too: https://HOST/PATH#NAME+ID+KEY")?;
            let key = VerifierKey::parse(key).filter(VerifierKey::is_witness);
            let key = key.ok_or("what stands after the # is no Ed25519 key of a witness: NAME+ID+KEY")?;
            return Ok(Witness::Http { url: url.trim_end_matches('/').to_owned(), key });
        }
        Err("write s3://BUCKET/PREFIX, s3+https://HOST/BUCKET/PREFIX or https://HOST/PATH#NAME+ID+KEY")
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Witness::Bucket { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
            Witness::Elsewhere { endpoint, bucket, prefix } => write!(f, "s3+{endpoint}/{bucket}/{prefix}"),
            Witness::Http { url, .. } => f.write_str(url),
        }
    }
}

/// The key of a checkpoint in a witness's bucket. Another checkpoint has another key, also one of the same size.
pub fn witness_key(prefix: &str, checkpoint: &Checkpoint) -> String {
    let Checkpoint { origin, size, root } = checkpoint;
    format!("{prefix}{origin}/{size:020}-{}", hex::encode(root))
}

/// The body of `add-checkpoint`.
pub fn add_checkpoint(old: u64, proof: &[Hash], note: &Note) -> String {
    let lines: String = proof.iter().map(|hash| format!("{}\n", BASE64.encode(hash))).collect();
    format!("old {old}\n{lines}\n{note}")
}

/// What a witness says to `add-checkpoint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It has signed: the checkpoint with its signature.
    Cosigned(Box<Note>),
    /// Its latest checkpoint of the log has another size.
    Has(u64),
    /// It has seen another log under this name, or one that is longer.
    Contradiction(String),
    /// It cannot, and why.
    Refused(String),
}

/// Reads a witness's answer.
pub fn said(status: u16, body: &str, note: &Note, size: u64, key: &VerifierKey) -> Said {
    match status {
        200 => match note.cosigned(body, key) {
            Some(note) => Said::Cosigned(Box::new(note)),
            None => Said::Refused(format!("its answer holds no signature of {}", key.name())),
        },
        409 => match body.trim().parse::<u64>() {
            Ok(has) if has > size => {
                Said::Contradiction(format!("it has seen {has} entries, and the log here has {size}"))
            }
            Ok(has) => Said::Has(has),
            Err(_) => Said::Refused("it says that it has another checkpoint, but not which".to_owned()),
        },
        422 => Said::Contradiction("what it has seen of the log is not the beginning of the log here".to_owned()),
        404 => Said::Refused("it does not know the log: give it the log's name and public key".to_owned()),
        403 => Said::Refused("it has another public key of the log".to_owned()),
        other => {
            let text: String = body.chars().filter(|letter| !letter.is_control()).take(200).collect();
            Said::Refused(format!("HTTP status {other}: {text}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "w.example/w1+00000000+BAAA";

    #[test]
    fn witnesses_are_named_by_where_they_are() {
        assert_eq!(
            Witness::parse("s3://elsewhere/a/b/"),
            Ok(Witness::Bucket { bucket: "elsewhere".to_owned(), prefix: "a/b/".to_owned() })
        );
        assert_eq!(
            Witness::parse("s3+https://s3.example.com/elsewhere"),
            Ok(Witness::Elsewhere {
                endpoint: "https://s3.example.com".to_owned(),
                bucket: "elsewhere".to_owned(),
                prefix: String::new()
            })
        );
        for (bad, remedy) in [
            ("s3://", "s3://BUCKET"),
            ("s3+ftp://x/y", "s3+https://HOST"),
            ("https://w.example", "name the witness's key"),
            (&format!("https://w.example#{KEY}"), "no Ed25519 key"),
            ("elsewhere", "write s3://BUCKET/PREFIX,"),
        ] {
            assert!(Witness::parse(bad).unwrap_err().contains(remedy), "{bad}");
        }
    }

    #[test]
    fn what_is_asked_and_answered_is_that_of_the_protocol() {
        let log = VerifierKey::of_log("o", [1; 32]);
        let checkpoint = Checkpoint { origin: "o".to_owned(), size: 9, root: [2; 32] };
        let note = Note::new(checkpoint.text(), &log, &[7; 64]);
        assert_eq!(
            add_checkpoint(4, &[[0; 32]], &note),
            format!("old 4\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n{note}")
        );
        let key = &log;
        assert_eq!(said(409, "7\n", &note, 9, key), Said::Has(7));
        assert!(matches!(said(409, "10\n", &note, 9, key), Said::Contradiction(_)));
        assert!(matches!(said(422, "", &note, 9, key), Said::Contradiction(_)));
        assert!(matches!(said(200, "nonsense", &note, 9, key), Said::Refused(_)));
        assert!(matches!(said(503, "later", &note, 9, key), Said::Refused(_)));
        let key = witness_key("p/", &checkpoint);
        assert_eq!(key, format!("p/o/00000000000000000009-{}", "02".repeat(32)));
    }
}
