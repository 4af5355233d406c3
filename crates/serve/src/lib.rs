//! The doors: the CloudTrail API, health, metrics
