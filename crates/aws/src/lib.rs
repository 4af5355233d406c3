//! Speaks AWS: credential scopes, SigV4, the protocols, the table of every operation (pure)
