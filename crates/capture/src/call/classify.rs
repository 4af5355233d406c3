//! Management or data, and which type of resource makes it data (`reference/event-record.md` §15).

/// The `resources.type` of a data event; `None` for a management event. `service` is the botocore name.
pub(crate) fn data_resource_type(service: &str, operation: &str) -> Option<&'static str> {
    let start = DATA.partition_point(|row| row.service < service);
    let rows = DATA.get(start..)?.iter().take_while(|row| row.service == service);
    let covers = |row: &&'static Row| row.operations.is_empty() || row.operations.contains(&operation);
    rows.filter(covers).map(|row| row.resource_type).next()
}

/// Operations of one service that are data events of one type: these, or all.
struct Row {
    service: &'static str,
    resource_type: &'static str,
    operations: &'static [&'static str],
}

const fn row(service: &'static str, resource_type: &'static str, operations: &'static [&'static str]) -> Row {
    Row { service, resource_type, operations }
}

const fn all(service: &'static str, resource_type: &'static str) -> Row {
    Row { service, resource_type, operations: &[] }
}

/// Queries of a scope of the network flow monitor, which each record names as its resource, too.
pub(crate) const WORKLOAD_INSIGHTS: &[&str] = &[
    "GetQueryResultsWorkloadInsightsTopContributors",
    "GetQueryResultsWorkloadInsightsTopContributorsData",
    "GetQueryStatusWorkloadInsightsTopContributors",
    "GetQueryStatusWorkloadInsightsTopContributorsData",
    "StartQueryWorkloadInsightsTopContributors",
    "StartQueryWorkloadInsightsTopContributorsData",
    "StopQueryWorkloadInsightsTopContributors",
    "StopQueryWorkloadInsightsTopContributorsData",
];

/// Sorted by service.
static DATA: &[Row] = &[
    row("appconfigdata", "AWS::AppConfig::Configuration", &["GetLatestConfiguration", "StartConfigurationSession"]),
    row("b2bi", "AWS::B2BI::Transformer", &["GetTransformerJob", "StartTransformerJob"]),
    row("bedrock-agent-runtime", "AWS::Bedrock::AgentAlias", &["InvokeAgent"]),
    row("bedrock-agent-runtime", "AWS::Bedrock::FlowAlias", &["InvokeFlow"]),
    row("bedrock-agent-runtime", "AWS::Bedrock::InlineAgent", &["InvokeInlineAgent"]),
    row(
        "bedrock-agent-runtime",
        "AWS::Bedrock::KnowledgeBase",
        &["Retrieve", "RetrieveAndGenerate", "RetrieveAndGenerateStream"],
    ),
    row(
        "bedrock-agentcore",
        "AWS::BedrockAgentCore::Browser",
        &[
            "GetBrowserSession",
            "InvokeBrowser",
            "ListBrowserSessions",
            "SaveBrowserSessionProfile",
            "StartBrowserSession",
            "StopBrowserSession",
            "UpdateBrowserStream",
        ],
    ),
    row(
        "bedrock-agentcore",
        "AWS::BedrockAgentCore::CodeInterpreter",
        &[
            "GetCodeInterpreterSession",
            "InvokeCodeInterpreter",
            "ListCodeInterpreterSessions",
            "StartCodeInterpreterSession",
            "StopCodeInterpreterSession",
        ],
    ),
    row(
        "bedrock-agentcore",
        "AWS::BedrockAgentCore::Memory",
        &[
            "BatchCreateMemoryRecords",
            "BatchDeleteMemoryRecords",
            "BatchUpdateMemoryRecords",
            "CreateEvent",
            "DeleteEvent",
            "DeleteMemoryRecord",
            "GetEvent",
            "GetMemoryRecord",
            "ListActors",
            "ListEvents",
            "ListMemoryRecords",
            "ListSessions",
            "RetrieveMemoryRecords",
        ],
    ),
    row(
        "bedrock-agentcore",
        "AWS::BedrockAgentCore::Runtime",
        &["InvokeAgentRuntime", "InvokeAgentRuntimeCommand", "StopRuntimeSession"],
    ),
    row("bedrock-agentcore", "AWS::BedrockAgentCore::TokenVault", &["GetResourceApiKey", "GetResourceOauth2Token"]),
    row(
        "bedrock-agentcore",
        "AWS::BedrockAgentCore::WorkloadIdentity",
        &["GetWorkloadAccessToken", "GetWorkloadAccessTokenForJWT", "GetWorkloadAccessTokenForUserId"],
    ),
    row("bedrock-runtime", "AWS::Bedrock::AsyncInvoke", &["GetAsyncInvoke", "StartAsyncInvoke"]),
    row("bedrock-runtime", "AWS::Bedrock::Guardrail", &["ApplyGuardrail"]),
    all("cloudfront-keyvaluestore", "AWS::CloudFront::KeyValueStore"),
    all("cloudtrail-data", "AWS::CloudTrail::Channel"),
    row(
        "cloudwatch",
        "AWS::CloudWatch::Metric",
        &["GetMetricData", "GetMetricStatistics", "GetMetricWidgetImage", "ListMetrics", "PutMetricData"],
    ),
    row("codeguruprofiler", "AWS::CodeGuruProfiler::ProfilingGroup", &["ConfigureAgent", "PostAgentProfile"]),
    row(
        "cognito-identity",
        "AWS::Cognito::IdentityPool",
        &[
            "GetCredentialsForIdentity",
            "GetId",
            "GetOpenIdToken",
            "GetOpenIdTokenForDeveloperIdentity",
            "UnlinkIdentity",
        ],
    ),
    row("dataexchange", "AWS::DataExchange::Asset", &["SendApiAsset"]),
    row(
        "dynamodb",
        "AWS::DynamoDB::Table",
        &[
            "BatchExecuteStatement",
            "BatchGetItem",
            "BatchWriteItem",
            "DeleteItem",
            "ExecuteStatement",
            "ExecuteTransaction",
            "GetItem",
            "PutItem",
            "Query",
            "Scan",
            "TransactGetItems",
            "TransactWriteItems",
            "UpdateItem",
        ],
    ),
    row("dynamodbstreams", "AWS::DynamoDB::Stream", &["GetRecords", "GetShardIterator"]),
    row(
        "ebs",
        "AWS::EC2::Snapshot",
        &["GetSnapshotBlock", "ListChangedBlocks", "ListSnapshotBlocks", "PutSnapshotBlock"],
    ),
    row("events", "AWS::Events::EventBus", &["PutEvents"]),
    row("events", "AWS::Events::EventSource", &["PutPartnerEvents"]),
    row("firehose", "AWS::KinesisFirehose::DeliveryStream", &["PutRecord", "PutRecordBatch"]),
    all("geo-maps", "AWS::GeoMaps::Provider"),
    all("geo-places", "AWS::GeoPlaces::Provider"),
    all("geo-routes", "AWS::GeoRoutes::Provider"),
    row(
        "greengrassv2",
        "AWS::GreengrassV2::ComponentVersion",
        &["GetComponentVersionArtifact", "ResolveComponentCandidates"],
    ),
    row(
        "iot-data",
        "AWS::IoT::Thing",
        &["DeleteThingShadow", "GetThingShadow", "ListNamedShadowsForThing", "UpdateThingShadow"],
    ),
    row(
        "iotsitewise",
        "AWS::IoTSiteWise::TimeSeries",
        &[
            "BatchGetAssetPropertyAggregates",
            "BatchGetAssetPropertyValue",
            "BatchGetAssetPropertyValueHistory",
            "BatchPutAssetPropertyValue",
            "GetAssetPropertyAggregates",
            "GetAssetPropertyValue",
            "GetAssetPropertyValueHistory",
            "GetInterpolatedAssetPropertyValues",
        ],
    ),
    row("kendra-ranking", "AWS::KendraRanking::ExecutionPlan", &["Rescore"]),
    row("keyspacesstreams", "AWS::Cassandra::Stream", &["GetRecords", "GetShardIterator"]),
    row(
        "kinesis",
        "AWS::Kinesis::Stream",
        &["GetRecords", "GetShardIterator", "ListShards", "PutRecord", "PutRecords"],
    ),
    row("kinesis", "AWS::Kinesis::StreamConsumer", &["SubscribeToShard"]),
    row("kinesis-video-archived-media", "AWS::KinesisVideo::Stream", &[]),
    row("kinesis-video-media", "AWS::KinesisVideo::Stream", &[]),
    row("lambda", "AWS::Lambda::Function", &["Invoke", "InvokeAsync", "InvokeWithResponseStream"]),
    row("machinelearning", "AWS::MachineLearning::MlModel", &["Predict"]),
    all("managedblockchain-query", "AWS::ManagedBlockchainQuery::QueryAPI"),
    row("medical-imaging", "AWS::MedicalImaging::Datastore", &["SearchImageSets"]),
    row("medical-imaging", "AWS::MedicalImaging::Imageset", &["GetImageFrame", "GetImageSet", "GetImageSetMetadata"]),
    row("mwaa", "AWS::MWAA::Environment", &["InvokeRestApi"]),
    row(
        "neptune-graph",
        "AWS::NeptuneGraph::Graph",
        &["CancelQuery", "ExecuteQuery", "GetGraphSummary", "GetQuery", "ListQueries"],
    ),
    row(
        "networkflowmonitor",
        "AWS::NetworkFlowMonitor::Monitor",
        &[
            "GetQueryResultsMonitorTopContributors",
            "GetQueryStatusMonitorTopContributors",
            "StartQueryMonitorTopContributors",
            "StopQueryMonitorTopContributors",
        ],
    ),
    row("networkflowmonitor", "AWS::NetworkFlowMonitor::Scope", WORKLOAD_INSIGHTS),
    all("payment-cryptography-data", "AWS::PaymentCryptography::Key"),
    row(
        "pinpoint-sms-voice-v2",
        "AWS::SMSVoice::OriginationIdentity",
        &["SendMediaMessage", "SendRcsMessage", "SendTextMessage", "SendVoiceMessage"],
    ),
    row("pinpoint-sms-voice-v2", "AWS::SMSVoice::Message", &["PutMessageFeedback"]),
    row(
        "qbusiness",
        "AWS::QBusiness::Application",
        &["Chat", "ChatSync", "DeleteConversation", "ListConversations", "ListMessages", "PutFeedback"],
    ),
    all("rds-data", "AWS::RDS::DBCluster"),
    all("redshift-data", "AWS::Redshift::Cluster"),
    row(
        "s3",
        "AWS::S3::Object",
        &[
            "AbortMultipartUpload",
            "CompleteMultipartUpload",
            "CopyObject",
            "CreateMultipartUpload",
            "DeleteObject",
            "DeleteObjectAnnotation",
            "DeleteObjectTagging",
            "DeleteObjects",
            "GetObject",
            "GetObjectAcl",
            "GetObjectAnnotation",
            "GetObjectAttributes",
            "GetObjectLegalHold",
            "GetObjectRetention",
            "GetObjectTagging",
            "GetObjectTorrent",
            "HeadBucket",
            "HeadObject",
            "ListObjectAnnotations",
            "ListObjectVersions",
            "ListObjects",
            "ListObjectsV2",
            "ListParts",
            // An upload like `PutObject`, by a browser's form.
            "PostObject",
            "PutObject",
            "PutObjectAcl",
            "PutObjectAnnotation",
            "PutObjectLegalHold",
            "PutObjectRetention",
            "PutObjectTagging",
            "RestoreObject",
            "SelectObjectContent",
            "UpdateObjectEncryption",
            "UploadPart",
            "UploadPartCopy",
        ],
    ),
    row("s3", "AWS::S3Express::Object", &["CreateSession"]),
    row("s3", "AWS::S3ObjectLambda::AccessPoint", &["WriteGetObjectResponse"]),
    row(
        "s3vectors",
        "AWS::S3Vectors::Index",
        &["DeleteVectors", "GetVectors", "ListVectors", "PutVectors", "QueryVectors"],
    ),
    row("sagemaker-featurestore-runtime", "AWS::SageMaker::FeatureGroup", &[]),
    row(
        "sagemaker-runtime",
        "AWS::SageMaker::Endpoint",
        &["InvokeEndpoint", "InvokeEndpointAsync", "InvokeEndpointWithResponseStream"],
    ),
    row(
        "sdb",
        "AWS::SDB::Domain",
        &[
            "BatchDeleteAttributes",
            "BatchPutAttributes",
            "DeleteAttributes",
            "GetAttributes",
            "PutAttributes",
            "Select",
        ],
    ),
    row("servicediscovery", "AWS::ServiceDiscovery::Service", &["DiscoverInstances", "DiscoverInstancesRevision"]),
    row(
        "ses",
        "AWS::SES::EmailIdentity",
        &[
            "SendBounce",
            "SendBulkTemplatedEmail",
            "SendCustomVerificationEmail",
            "SendEmail",
            "SendRawEmail",
            "SendTemplatedEmail",
        ],
    ),
    row("sesv2", "AWS::SES::EmailIdentity", &["SendBulkEmail", "SendCustomVerificationEmail", "SendEmail"]),
    row("signer", "AWS::Signer::SigningJob", &["GetRevocationStatus"]),
    row("signer", "AWS::Signer::SigningProfile", &["SignPayload"]),
    row("sns", "AWS::SNS::Topic", &["Publish", "PublishBatch"]),
    row(
        "socialmessaging",
        "AWS::SocialMessaging::PhoneNumberId",
        &["DeleteWhatsAppMessageMedia", "GetWhatsAppMessageMedia", "PostWhatsAppMessageMedia", "SendWhatsAppMessage"],
    ),
    row(
        "sqs",
        "AWS::SQS::Queue",
        &[
            "ChangeMessageVisibility",
            "ChangeMessageVisibilityBatch",
            "DeleteMessage",
            "DeleteMessageBatch",
            "GetQueueAttributes",
            "GetQueueUrl",
            "ListDeadLetterSourceQueues",
            "ListQueueTags",
            "ListQueues",
            "ReceiveMessage",
            "SendMessage",
            "SendMessageBatch",
        ],
    ),
    row("ssm", "AWS::SSM::ExecutionPreview", &["GetExecutionPreview", "StartExecutionPreview"]),
    row(
        "stepfunctions",
        "AWS::StepFunctions::Activity",
        &["GetActivityTask", "SendTaskFailure", "SendTaskHeartbeat", "SendTaskSuccess"],
    ),
    row(
        "stepfunctions",
        "AWS::StepFunctions::StateMachine",
        &["RedriveExecution", "StartExecution", "StartSyncExecution", "StopExecution"],
    ),
    row(
        "swf",
        "AWS::SWF::Domain",
        &[
            "CountClosedWorkflowExecutions",
            "CountOpenWorkflowExecutions",
            "CountPendingActivityTasks",
            "CountPendingDecisionTasks",
            "DescribeWorkflowExecution",
            "GetWorkflowExecutionHistory",
            "ListClosedWorkflowExecutions",
            "ListOpenWorkflowExecutions",
            "PollForActivityTask",
            "PollForDecisionTask",
            "RecordActivityTaskHeartbeat",
            "RequestCancelWorkflowExecution",
            "RespondActivityTaskCanceled",
            "RespondActivityTaskCompleted",
            "RespondActivityTaskFailed",
            "RespondDecisionTaskCompleted",
            "SignalWorkflowExecution",
            "StartWorkflowExecution",
            "TerminateWorkflowExecution",
        ],
    ),
    row("timestream-query", "AWS::Timestream::Table", &["PrepareQuery", "Query", "CancelQuery"]),
    row("timestream-write", "AWS::Timestream::Table", &["WriteRecords"]),
    row(
        "verifiedpermissions",
        "AWS::VerifiedPermissions::PolicyStore",
        &[
            "BatchIsAuthorized",
            "BatchIsAuthorizedWithToken",
            "GetPolicy",
            "GetPolicyTemplate",
            "GetSchema",
            "IsAuthorized",
            "IsAuthorizedWithToken",
            "ListPolicies",
            "ListPolicyTemplates",
        ],
    ),
    row("xray", "AWS::XRay::Trace", &["BatchGetTraces", "GetTraceGraph", "GetTraceSummaries", "PutTraceSegments"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_are_sorted_and_name_real_operations() {
        assert!(DATA.windows(2).all(|pair| pair[0].service <= pair[1].service));
        let catalog = aws::Catalog::embedded();
        for row in DATA {
            let service = catalog.service(catalog.by_name(row.service).unwrap().id()).unwrap();
            for operation in row.operations {
                assert!(service.operation(operation).is_some(), "{}:{operation}", row.service);
            }
        }
    }

    #[test]
    fn what_a_service_does_not_list_as_data_is_management() {
        assert_eq!(data_resource_type("s3", "GetObject"), Some("AWS::S3::Object"));
        assert_eq!(data_resource_type("s3", "HeadBucket"), Some("AWS::S3::Object"));
        assert_eq!(data_resource_type("s3", "CreateBucket"), None);
        assert_eq!(data_resource_type("kms", "Decrypt"), None);
        assert_eq!(data_resource_type("bedrock-runtime", "InvokeModel"), None);
        assert_eq!(data_resource_type("dynamodbstreams", "DescribeStream"), None);
        assert_eq!(data_resource_type("lambda", "Invoke"), Some("AWS::Lambda::Function"));
    }
}
