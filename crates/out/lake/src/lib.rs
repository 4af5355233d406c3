//! Event history: Entry to row, and lookups over the rows
