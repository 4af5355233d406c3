//! The recorder and the proxy: Exchange to Call to Event
