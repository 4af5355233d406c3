//! The follower: what the journal takes is findable as soon as this has been given it.

use crate::History;
use journal::{Entry, FollowError, Follower, Seq};

/// Feeds a [`History`] from its journal. Applies every batch at once and holds nothing back.
#[derive(Debug)]
pub struct HistoryFollower(History);

impl History {
    /// The follower that fills this history; run it with `journal::follow`.
    pub fn follower(&self) -> HistoryFollower {
        HistoryFollower(self.clone())
    }
}

impl Follower for HistoryFollower {
    fn name(&self) -> &str {
        "history"
    }

    async fn position(&mut self) -> Result<Seq, FollowError> {
        let position = self.0.position();
        tracing::debug!(%position, "event history is read from the journal");
        Ok(position)
    }

    async fn follow(&mut self, batch: &[Entry]) -> Result<(), FollowError> {
        self.0.take(batch);
        Ok(())
    }
}
