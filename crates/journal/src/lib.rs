//! The durable order: Event to Entry, and the one Follower loop
