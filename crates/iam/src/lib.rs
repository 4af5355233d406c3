//! Who may do what: keys, and SigV4 verification against them
