//! What class of event a record is.

/// `eventCategory` of a record (`reference/event-record.md`, section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Category {
    /// Control-plane calls, sign-ins and service events: the only class in event history.
    Management = 0,
    /// Object, row and invoke level calls.
    Data = 1,
    /// Traffic through a VPC endpoint.
    NetworkActivity = 2,
    /// Unusual activity, written by Insights.
    Insight = 3,
    /// Five-minute roll-ups of data events.
    Aggregated = 4,
    /// Any other class that only event data stores hold (configuration items, evidence, audit activity).
    Other = 5,
}

impl Category {
    /// The category named by an `eventCategory` value.
    pub fn from_name(name: &str) -> Category {
        match name {
            "Management" => Category::Management,
            "Data" => Category::Data,
            "NetworkActivity" => Category::NetworkActivity,
            "Insight" => Category::Insight,
            "Aggregated" => Category::Aggregated,
            _ => Category::Other,
        }
    }

    /// The inverse of `category as u8`, for stored heads.
    pub(crate) fn from_code(code: u8) -> Option<Category> {
        Some(match code {
            0 => Category::Management,
            1 => Category::Data,
            2 => Category::NetworkActivity,
            3 => Category::Insight,
            4 => Category::Aggregated,
            5 => Category::Other,
            _ => return None,
        })
    }
}
