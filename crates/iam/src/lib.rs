//! Who may do what: the keys kept here, and SigV4 verification against them.
//!
//! [`verify`] is a pure function: a request's head, the hash of its payload, a way to find a key, and the present go in;
//! who signed it, or the one reason why not, comes out. It adds to the signature's mathematics (`aws::sigv4`) what makes
//! a signature mean something: that it is of this time, of this service, over these headers and this payload, by a key
//! that may be used. Signatures are compared in constant time. [`AuthError`] knows its name in each protocol.
//!
//! [`Keys`] finds access keys in the registry, which holds them in memory and wipes their secrets. [`ensure_administrator`]
//! makes the first one.
//!
//! Why not `scratchstack-aws-signature` (0.11), which does the same check: it takes an `http::Request` with its body and
//! gives back another one, so every call would be copied and no stream could pass; it asks for the key through an
//! asynchronous tower service, where ours is a lookup in a map; and it brings a second implementation of SHA-256, HMAC
//! and time (`sha2`, `hmac`, `chrono`), and `regex` on the path of a request. The rules that remain beside the
//! mathematics are those of `verify.rs`, tested against botocore's own signer.
//!
//! Users, roles and policies come later; until then a valid signature by a key kept here may do everything.

mod credentials;
mod error;
mod file;
mod keys;
mod verify;

pub use error::AuthError;
pub use file::{FirstStart, FirstStartError, ensure_administrator};
pub use keys::Keys;
pub use verify::{Verified, check_head, verify};
