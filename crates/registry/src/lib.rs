//! What people asked for: trails, keys, positions; compare-and-set and watch
