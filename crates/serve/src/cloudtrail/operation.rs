//! Every operation of the CloudTrail API, by name.
//!
//! The list is the service model's (API version 2013-11-01, 60 operations), whole: what is not built yet is answered
//! by name instead of falling through to "unknown".

macro_rules! operations {
    ($($name:ident),* $(,)?) => {
        /// An operation of the CloudTrail API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "each is named as AWS names it, and documented there")]
        pub enum Operation { $($name),* }

        impl Operation {
            /// All operations, in the alphabet's order.
            pub const ALL: &[Operation] = &[$(Operation::$name),*];

            /// The name on the wire.
            pub fn name(self) -> &'static str {
                match self { $(Operation::$name => stringify!($name)),* }
            }
        }
    };
}

operations! {
    AddTags,
    CancelQuery,
    CreateChannel,
    CreateDashboard,
    CreateEventDataStore,
    CreateTrail,
    DeleteChannel,
    DeleteDashboard,
    DeleteEventDataStore,
    DeleteResourcePolicy,
    DeleteTrail,
    DeregisterOrganizationDelegatedAdmin,
    DescribeQuery,
    DescribeTrails,
    DisableFederation,
    EnableFederation,
    GenerateQuery,
    GetChannel,
    GetDashboard,
    GetEventConfiguration,
    GetEventDataStore,
    GetEventSelectors,
    GetImport,
    GetInsightSelectors,
    GetQueryResults,
    GetResourcePolicy,
    GetTrail,
    GetTrailStatus,
    ListChannels,
    ListDashboards,
    ListEventDataStores,
    ListImportFailures,
    ListImports,
    ListInsightsData,
    ListInsightsMetricData,
    ListPublicKeys,
    ListQueries,
    ListTags,
    ListTrails,
    LookupEvents,
    PutEventConfiguration,
    PutEventSelectors,
    PutInsightSelectors,
    PutResourcePolicy,
    RegisterOrganizationDelegatedAdmin,
    RemoveTags,
    RestoreEventDataStore,
    SearchSampleQueries,
    StartDashboardRefresh,
    StartEventDataStoreIngestion,
    StartImport,
    StartLogging,
    StartQuery,
    StopEventDataStoreIngestion,
    StopImport,
    StopLogging,
    UpdateChannel,
    UpdateDashboard,
    UpdateEventDataStore,
    UpdateTrail,
}

/// The `X-Amz-Target` prefixes that are answered: current SDKs', and the short one (`reference/trails-and-delivery.md §1`).
const TARGET_PREFIXES: [&str; 2] = ["com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.", "CloudTrail_20131101."];

impl Operation {
    /// The operation that an `X-Amz-Target` header names; `None` when it names none of this API.
    pub fn from_target(target: &str) -> Option<Operation> {
        TARGET_PREFIXES.iter().find_map(|prefix| target.strip_prefix(prefix)).and_then(Operation::from_name)
    }

    /// The operation of that name.
    pub fn from_name(name: &str) -> Option<Operation> {
        // The model's order is the alphabet's (a test holds it), so the names can be halved.
        let place = Operation::ALL.binary_search_by(|operation| operation.name().cmp(name)).ok()?;
        Operation::ALL.get(place).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_found_by_both_targets() {
        assert_eq!(Operation::ALL.len(), 60);
        for &operation in Operation::ALL {
            for prefix in TARGET_PREFIXES {
                assert_eq!(Operation::from_target(&format!("{prefix}{}", operation.name())), Some(operation));
            }
        }
    }

    #[test]
    fn what_is_no_target_of_ours_names_nothing() {
        for target in ["", "CreateTrail", "CloudTrail_20131101.", "CloudTrail_20131101.createtrail", "X.CreateTrail"] {
            assert_eq!(Operation::from_target(target), None, "{target}");
        }
    }
}
