//! Single operations that differ from the rules of their own service (`reference/event-record.md` §7.1, §7.5): as data.

/// The members of a result that the record shows and their names there, where it shows only these.
pub(crate) fn result(service: &str, operation: &str) -> Option<&'static [(&'static str, &'static str)]> {
    RESULTS.iter().find(|(own, name, _)| *own == service && *name == operation).map(|row| row.2)
}

/// The parameters that the record shows and their names there, where it shows only these.
pub(crate) fn parameters(service: &str, operation: &str) -> Option<&'static [(&'static str, &'static str)]> {
    PARAMETERS.iter().find(|(own, name, _)| *own == service && *name == operation).map(|row| row.2)
}

type Names = &'static [(&'static str, &'static str)];

static RESULTS: &[(&str, &str, Names)] = &[
    ("secretsmanager", "CreateSecret", &[("ARN", "arn")]),
    ("secretsmanager", "PutSecretValue", &[("ARN", "arn")]),
    ("secretsmanager", "UpdateSecret", &[("ARN", "arn")]),
];

static PARAMETERS: &[(&str, &str, Names)] = &[
    ("kms", "GenerateRandom", &[]),
    // In the words of OAuth, and nothing that proves anything (AWS Security Blog, "Simplified developer access to AWS with aws login").
    ("signin", "CreateOAuth2Token", &[("resource", "resource"), ("clientId", "client_id")]),
];

/// Parameters that a service adds to the record although the caller did not send them: name in the model, name in the
/// record, JSON.
pub(crate) fn defaults(service: &str, operation: &str) -> impl Iterator<Item = &'static Default> {
    DEFAULTS.iter().filter(move |row| row.service == service && row.operation == operation)
}

/// One row of [`defaults`].
pub(crate) struct Default {
    service: &'static str,
    operation: &'static str,
    /// The member that replaces the default when it was sent; empty where the model has none.
    pub(crate) member: &'static str,
    pub(crate) name: &'static str,
    pub(crate) json: &'static str,
}

const fn off(service: &'static str, operation: &'static str, member: &'static str, name: &'static str) -> Default {
    Default { service, operation, member, name, json: "false" }
}

const fn text(
    service: &'static str,
    operation: &'static str,
    member: &'static str,
    name: &'static str,
    json: &'static str,
) -> Default {
    Default { service, operation, member, name, json }
}

const SYMMETRIC: &str = "\"SYMMETRIC_DEFAULT\"";

/// What stands in the real records of callers that send only what they were told to (the AWS CLI and the SDKs).
static DEFAULTS: &[Default] = &[
    off("codepipeline", "CreatePipeline", "", "suppressExecuteOnCreate"),
    off("ds", "CreateDirectory", "", "setAsDefault"),
    off("ds", "CreateMicrosoftAD", "", "setAsDefault"),
    off("ds", "DeleteDirectory", "", "forceDeletion"),
    off("ec2-instance-connect", "SendSerialConsoleSSHPublicKey", "", "monitorMode"),
    off("events", "DeleteRule", "Force", "force"),
    off("iam", "UpdateAccountPasswordPolicy", "AllowUsersToChangePassword", "allowUsersToChangePassword"),
    off("kms", "CreateKey", "BypassPolicyLockoutSafetyCheck", "bypassPolicyLockoutSafetyCheck"),
    text("kms", "CreateKey", "Description", "description", "\"\""),
    text("kms", "CreateKey", "KeyUsage", "keyUsage", "\"ENCRYPT_DECRYPT\""),
    text("kms", "CreateKey", "Origin", "origin", "\"AWS_KMS\""),
    text("kms", "Decrypt", "EncryptionAlgorithm", "encryptionAlgorithm", SYMMETRIC),
    text("kms", "Encrypt", "EncryptionAlgorithm", "encryptionAlgorithm", SYMMETRIC),
    off("kms", "PutKeyPolicy", "BypassPolicyLockoutSafetyCheck", "bypassPolicyLockoutSafetyCheck"),
    text("kms", "ReEncrypt", "DestinationEncryptionAlgorithm", "destinationEncryptionAlgorithm", SYMMETRIC),
    text("kms", "ReEncrypt", "SourceEncryptionAlgorithm", "sourceEncryptionAlgorithm", SYMMETRIC),
    text("kms", "Sign", "MessageType", "messageType", "\"RAW\""),
    text("kms", "Verify", "MessageType", "messageType", "\"RAW\""),
    off("lambda", "CreateFunction", "Publish", "publish"),
    off("lambda", "GetAccountSettings", "", "includeBlacklistedFeatures"),
    off("lambda", "GetAccountSettings", "", "includeDeprecatedFeaturesAccess"),
    off("lambda", "GetAccountSettings", "", "includeDeprecatedRuntimeDetails"),
    off("lambda", "GetAccountSettings", "", "includePreviewFeatures"),
    off("lambda", "GetAccountSettings", "", "includeUnreservedConcurrentExecutionsMinimum"),
    off("lambda", "UpdateFunctionCode", "DryRun", "dryRun"),
    off("logs", "GetLogRecord", "", "dryRun"),
    off("rds", "DescribeDBClusters", "IncludeShared", "includeShared"),
    off("rds", "DescribeDBEngineVersions", "DefaultOnly", "defaultOnly"),
    off("rds", "DescribeDBSnapshots", "IncludePublic", "includePublic"),
    off("rds", "DescribeDBSnapshots", "IncludeShared", "includeShared"),
    off("rds", "ModifyDBCluster", "AllowEngineModeChange", "allowEngineModeChange"),
    off("rds", "ModifyDBCluster", "AllowMajorVersionUpgrade", "allowMajorVersionUpgrade"),
    off("rds", "ModifyDBInstance", "AllowMajorVersionUpgrade", "allowMajorVersionUpgrade"),
    text("route53resolver", "DeleteResolverQueryLogConfig", "", "originSequenceNumber", "0"),
    off("sns", "Subscribe", "ReturnSubscriptionArn", "returnSubscriptionArn"),
    off("ssm", "DescribeParameters", "Shared", "shared"),
    off("ssm", "SendCommand", "", "interactive"),
];

/// Members that a service adds to the record of a result of this one structure, although no public model has them: name and
/// JSON.
pub(crate) fn added_to_result(service: &str, structure: &str) -> &'static [(&'static str, &'static str)] {
    match (service, structure) {
        ("elasticache", "CacheCluster" | "ReplicationGroup") => &[("deleteProtection", "false")],
        // In all whole records of instances since 2022.
        ("rds", "DBInstance") => &[("httpEndpointEnabled", "false")],
        ("redshift", "Cluster") => &[("isSilentUpdateActivated", "false")],
        // In all since 2024.
        ("ssm", "Command") => &[
            ("clientName", "\"\""),
            ("clientSourceId", "\"\""),
            ("hasCancelCommandSignature", "false"),
            ("hasSendCommandSignature", "false"),
            ("interactive", "false"),
        ],
        _ => &[],
    }
}

/// Whether a result is shown although the call only looks: single operations in real records.
pub(crate) fn shows_result(service: &str, operation: &str) -> bool {
    SHOWN.iter().any(|(own, names)| *own == service && names.contains(&operation))
}

static SHOWN: &[(&str, &[&str])] = &[
    ("acm", &["ListCertificates"]),
    ("application-insights", &["ListApplications"]),
    ("athena", &["ListWorkGroups"]),
    ("cloud9", &["ListTagsForResource"]),
    ("directconnect", &["DescribeDirectConnectGateways", "DescribeLags"]),
    ("ecr", &["DescribeImageScanFindings"]),
    ("ecs", &["ListTagsForResource"]),
    ("polly", &["SynthesizeSpeech"]),
    (
        "redshift",
        &[
            "DescribeAccountAttributes",
            "DescribeClusterDbRevisions",
            "DescribeClusters",
            "DescribeEventCategories",
            "DescribeEventSubscriptions",
            "DescribeHsmClientCertificates",
            "DescribeHsmConfigurations",
            "DescribeOrderableClusterOptions",
            "DescribeStorage",
        ],
    ),
    ("sagemaker", &["ListLabelingJobs", "ListWorkteams"]),
];

/// Whether a result is not shown although the call changes something (`reference/event-record.md` §8).
pub(crate) fn hides_result(service: &str, operation: &str) -> bool {
    matches!(
        (service, operation),
        ("config", "SelectResourceConfig")
            | ("dynamodb", "DescribeKinesisStreamingDestination" | "ListContributorInsights")
            | ("events", "TestEventPattern")
            | ("lambda", "PutFunctionConcurrency" | "PutFunctionEventInvokeConfig")
            | ("logs", "TestMetricFilter")
            | ("securitylake", "GetSubscriber")
            | ("sqs", "DeleteMessage")
    )
}
