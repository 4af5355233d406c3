//! The embedded object store, spoken as S3
