//! Which calls name a resource by their parameters, and how: as data (`reference/event-record.md` §10, and of data events the ARNs of
//! the AWS Service Authorization Reference).

/// One row: these operations of a service (none named: all data events of the type) name a resource of this type (none: an entry
/// without a type) by this ARN. In the ARN, `{region}` and `{account}` are the place's, and any other `{Name}` is a
/// parameter; a parameter that is an ARN by itself stands for the whole, and a list of values gives one entry for each.
pub(super) struct Row {
    pub(super) service: &'static str,
    pub(super) operations: &'static [&'static str],
    pub(super) resource_type: Option<&'static str>,
    pub(super) arn: &'static str,
    /// Whether the entry says whose the resource is.
    pub(super) owned: bool,
}

const fn row(
    service: &'static str,
    operations: &'static [&'static str],
    resource_type: &'static str,
    arn: &'static str,
) -> Row {
    Row { service, operations, resource_type: Some(resource_type), arn, owned: true }
}

const fn untyped(service: &'static str, operations: &'static [&'static str], arn: &'static str) -> Row {
    Row { service, operations, resource_type: None, arn, owned: true }
}

pub(super) const DOCUMENT: &str = "arn:aws:ssm:{region}:{account}:document/{Name}";
pub(super) const FUNCTION: &str = "arn:aws:lambda:{region}:{account}:function:{FunctionName}";

const ASSUME: &[&str] = &["AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"];
const IMAGES: &[&str] = &[
    "BatchCheckLayerAvailability",
    "BatchDeleteImage",
    "BatchGetImage",
    "CompleteLayerUpload",
    "CreateRepository",
    "DeleteLifecyclePolicy",
    "DeleteRepository",
    "DeleteRepositoryPolicy",
    "DescribeImages",
    "GetDownloadUrlForLayer",
    "GetLifecyclePolicy",
    "GetRepositoryPolicy",
    "InitiateLayerUpload",
    "ListImageReferrers",
    "ListImages",
    "PutImage",
    "PutImageScanningConfiguration",
    "PutImageTagMutability",
    "PutLifecyclePolicy",
    "SetRepositoryPolicy",
    "StartImageScan",
    "UpdateImageStorageClass",
    "UploadLayerPart",
];
const PUBLIC_IMAGES: &[&str] = &[
    "BatchCheckLayerAvailability",
    "BatchDeleteImage",
    "CompleteLayerUpload",
    "CreateRepository",
    "DeleteRepository",
    "DeleteRepositoryPolicy",
    "DescribeImageTags",
    "DescribeImages",
    "GetRepositoryCatalogData",
    "GetRepositoryPolicy",
    "InitiateLayerUpload",
    "PutImage",
    "PutRepositoryCatalogData",
    "SetRepositoryPolicy",
    "UploadLayerPart",
];
const CLASSIFIERS: &[&str] =
    &["DeleteDocumentClassifier", "DescribeDocumentClassifier", "StopTrainingDocumentClassifier"];
const RECOGNIZERS: &[&str] = &["DeleteEntityRecognizer", "DescribeEntityRecognizer", "StopTrainingEntityRecognizer"];
const POLICIES: &[&str] = &[
    "CreateIdentitySource",
    "CreatePolicy",
    "CreatePolicyTemplate",
    "DeleteIdentitySource",
    "DeletePolicy",
    "DeletePolicyStore",
    "DeletePolicyTemplate",
    "GetIdentitySource",
    "ListIdentitySources",
    "PutSchema",
    "UpdateIdentitySource",
    "UpdatePolicy",
    "UpdatePolicyStore",
    "UpdatePolicyTemplate",
];

const VECTORS: &[&str] = &["DeleteVectors", "GetVectors", "ListVectors", "PutVectors", "QueryVectors"];
const NAMED_STREAMS: &[&str] = &["GetShardIterator", "ListShards", "PutRecord", "PutRecords"];
const STREAMS: &[&str] = &["GetRecords", "GetShardIterator", "ListShards", "PutRecord", "PutRecords"];

pub(super) static ROWS: &[Row] = &[
    row(
        "appconfigdata",
        &["StartConfigurationSession"],
        "AWS::AppConfig::Configuration",
        "arn:aws:appconfig:{region}:{account}:application/{ApplicationIdentifier}/environment/{EnvironmentIdentifier}/configuration/{ConfigurationProfileIdentifier}",
    ),
    row("b2bi", &[], "AWS::B2BI::Transformer", "arn:aws:b2bi:{region}:{account}:transformer/{transformerId}"),
    row(
        "bedrock-agent-runtime",
        &["InvokeAgent"],
        "AWS::Bedrock::AgentAlias",
        "arn:aws:bedrock:{region}:{account}:agent-alias/{agentId}/{agentAliasId}",
    ),
    row(
        "bedrock-agent-runtime",
        &["InvokeFlow"],
        "AWS::Bedrock::FlowAlias",
        "arn:aws:bedrock:{region}:{account}:flow/{flowIdentifier}/alias/{flowAliasIdentifier}",
    ),
    row(
        "bedrock-agent-runtime",
        &["Retrieve"],
        "AWS::Bedrock::KnowledgeBase",
        "arn:aws:bedrock:{region}:{account}:knowledge-base/{knowledgeBaseId}",
    ),
    row(
        "bedrock-agentcore",
        &[],
        "AWS::BedrockAgentCore::Memory",
        "arn:aws:bedrock-agentcore:{region}:{account}:memory/{memoryId}",
    ),
    row("bedrock-agentcore", &[], "AWS::BedrockAgentCore::Runtime", "{agentRuntimeArn}"),
    row(
        "bedrock-agentcore",
        &[],
        "AWS::BedrockAgentCore::WorkloadIdentity",
        "arn:aws:bedrock-agentcore:{region}:{account}:workload-identity-directory/default/workload-identity/{workloadName}",
    ),
    row(
        "bedrock-runtime",
        &["ApplyGuardrail"],
        "AWS::Bedrock::Guardrail",
        "arn:aws:bedrock:{region}:{account}:guardrail/{guardrailIdentifier}",
    ),
    row("bedrock-runtime", &["GetAsyncInvoke"], "AWS::Bedrock::AsyncInvoke", "{invocationArn}"),
    row("cloudfront-keyvaluestore", &[], "AWS::CloudFront::KeyValueStore", "{KvsARN}"),
    row("cloudtrail-data", &[], "AWS::CloudTrail::Channel", "{channelArn}"),
    row(
        "codeguruprofiler",
        &[],
        "AWS::CodeGuruProfiler::ProfilingGroup",
        "arn:aws:codeguru-profiler:{region}:{account}:profilingGroup/{profilingGroupName}",
    ),
    row(
        "cognito-identity",
        &[],
        "AWS::Cognito::IdentityPool",
        "arn:aws:cognito-identity:{region}:{account}:identitypool/{IdentityPoolId}",
    ),
    row("comprehend", CLASSIFIERS, "AWS::Comprehend::DocumentClassifier", "{DocumentClassifierArn}"),
    row("comprehend", &["ClassifyDocument"], "AWS::Comprehend::DocumentClassifierEndpoint", "{EndpointArn}"),
    row("comprehend", RECOGNIZERS, "AWS::Comprehend::EntityRecognizer", "{EntityRecognizerArn}"),
    row(
        "dataexchange",
        &[],
        "AWS::DataExchange::Asset",
        "arn:aws:dataexchange:{region}:{account}:data-sets/{DataSetId}/revisions/{RevisionId}/assets/{AssetId}",
    ),
    row(
        "ebs",
        &["GetSnapshotBlock", "ListSnapshotBlocks", "PutSnapshotBlock"],
        "AWS::EC2::Snapshot",
        "arn:aws:ec2:{region}::snapshot/{SnapshotId}",
    ),
    row("ebs", &["ListChangedBlocks"], "AWS::EC2::Snapshot", "arn:aws:ec2:{region}::snapshot/{FirstSnapshotId}"),
    row("ebs", &["ListChangedBlocks"], "AWS::EC2::Snapshot", "arn:aws:ec2:{region}::snapshot/{SecondSnapshotId}"),
    untyped("ecr", IMAGES, "arn:aws:ecr:{region}:{account}:repository/{repositoryName}"),
    untyped("ecr-public", PUBLIC_IMAGES, "arn:aws:ecr-public::{account}:repository/{repositoryName}"),
    row(
        "firehose",
        &[],
        "AWS::KinesisFirehose::DeliveryStream",
        "arn:aws:firehose:{region}:{account}:deliverystream/{DeliveryStreamName}",
    ),
    row(
        "gameliftstreams",
        &["StartStreamSession"],
        "AWS::GameLiftStreams::StreamGroup",
        "arn:aws:gameliftstreams:{region}:{account}:streamgroup/{Identifier}",
    ),
    row(
        "gameliftstreams",
        &["StartStreamSession"],
        "AWS::GameLiftStreams::Application",
        "arn:aws:gameliftstreams:{region}:{account}:application/{ApplicationIdentifier}",
    ),
    row("geo-maps", &[], "AWS::GeoMaps::Provider", "arn:aws:geomaps:{region}:{account}:provider"),
    row("geo-places", &[], "AWS::GeoPlaces::Provider", "arn:aws:geoplaces:{region}:{account}:provider"),
    row("geo-routes", &[], "AWS::GeoRoutes::Provider", "arn:aws:georoutes:{region}:{account}:provider"),
    row("greengrassv2", &["GetComponentVersionArtifact"], "AWS::GreengrassV2::ComponentVersion", "{arn}"),
    row("iot-data", &[], "AWS::IoT::Thing", "arn:aws:iot:{region}:{account}:thing/{thingName}"),
    row(
        "kendra-ranking",
        &[],
        "AWS::KendraRanking::ExecutionPlan",
        "arn:aws:kendra-ranking:{region}:{account}:rescore-execution-plan/{RescoreExecutionPlanId}",
    ),
    row("keyspacesstreams", &["GetShardIterator"], "AWS::Cassandra::Stream", "{streamArn}"),
    row("kinesis", NAMED_STREAMS, "AWS::Kinesis::Stream", "arn:aws:kinesis:{region}:{account}:stream/{StreamName}"),
    row("kinesis", STREAMS, "AWS::Kinesis::Stream", "{StreamARN}"),
    row("kinesis", &["SubscribeToShard"], "AWS::Kinesis::StreamConsumer", "{ConsumerARN}"),
    row("lambda", &[], "AWS::Lambda::Function", FUNCTION),
    row(
        "machinelearning",
        &[],
        "AWS::MachineLearning::MlModel",
        "arn:aws:machinelearning:{region}:{account}:mlmodel/{MLModelId}",
    ),
    row(
        "medical-imaging",
        &["SearchImageSets"],
        "AWS::MedicalImaging::Datastore",
        "arn:aws:medical-imaging:{region}:{account}:datastore/{datastoreId}",
    ),
    row(
        "medical-imaging",
        &["GetImageFrame", "GetImageSet", "GetImageSetMetadata"],
        "AWS::MedicalImaging::Imageset",
        "arn:aws:medical-imaging:{region}:{account}:datastore/{datastoreId}/imageset/{imageSetId}",
    ),
    row("mwaa", &[], "AWS::MWAA::Environment", "arn:aws:airflow:{region}:{account}:environment/{Name}"),
    row(
        "neptune-graph",
        &[],
        "AWS::NeptuneGraph::Graph",
        "arn:aws:neptune-graph:{region}:{account}:graph/{graphIdentifier}",
    ),
    row(
        "networkflowmonitor",
        &[],
        "AWS::NetworkFlowMonitor::Monitor",
        "arn:aws:networkflowmonitor:{region}:{account}:monitor/{monitorName}",
    ),
    row(
        "networkflowmonitor",
        &[],
        "AWS::NetworkFlowMonitor::Scope",
        "arn:aws:networkflowmonitor:{region}:{account}:scope/{scopeId}",
    ),
    row(
        "payment-cryptography-data",
        &[],
        "AWS::PaymentCryptography::Key",
        "arn:aws:payment-cryptography:{region}:{account}:key/{KeyIdentifier}",
    ),
    row(
        "qbusiness",
        &[],
        "AWS::QBusiness::Application",
        "arn:aws:qbusiness:{region}:{account}:application/{applicationId}",
    ),
    row("rds-data", &[], "AWS::RDS::DBCluster", "{resourceArn}"),
    row(
        "redshift-data",
        &[],
        "AWS::Redshift::Cluster",
        "arn:aws:redshift:{region}:{account}:cluster:{ClusterIdentifier}",
    ),
    row(
        "s3vectors",
        VECTORS,
        "AWS::S3Vectors::VectorBucket",
        "arn:aws:s3vectors:{region}:{account}:bucket/{vectorBucketName}",
    ),
    row(
        "s3vectors",
        &[],
        "AWS::S3Vectors::Index",
        "arn:aws:s3vectors:{region}:{account}:bucket/{vectorBucketName}/index/{indexName}",
    ),
    row("s3vectors", &[], "AWS::S3Vectors::Index", "{indexArn}"),
    row(
        "sagemaker-featurestore-runtime",
        &[],
        "AWS::SageMaker::FeatureGroup",
        "arn:aws:sagemaker:{region}:{account}:feature-group/{FeatureGroupName}",
    ),
    row(
        "sagemaker-runtime",
        &[],
        "AWS::SageMaker::Endpoint",
        "arn:aws:sagemaker:{region}:{account}:endpoint/{EndpointName}",
    ),
    row("sdb", &[], "AWS::SDB::Domain", "arn:aws:sdb:{region}:{account}:domain/{DomainName}"),
    row(
        "security-ir",
        &["CreateCase"],
        "AWS::SecurityResponder::Case",
        "arn:aws:security-ir:{region}:{account}:case/*",
    ),
    row(
        "ses",
        &["SendBulkTemplatedEmail", "SendEmail", "SendRawEmail", "SendTemplatedEmail"],
        "AWS::SES::EmailIdentity",
        "arn:aws:ses:{region}:{account}:identity/{Source}",
    ),
    row(
        "sesv2",
        &["SendBulkEmail", "SendEmail"],
        "AWS::SES::EmailIdentity",
        "arn:aws:ses:{region}:{account}:identity/{FromEmailAddress}",
    ),
    row(
        "signer",
        &["SignPayload"],
        "AWS::Signer::SigningProfile",
        "arn:aws:signer:{region}:{account}:/signing-profiles/{profileName}",
    ),
    row("signer", &["GetRevocationStatus"], "AWS::Signer::SigningJob", "{jobArn}"),
    row("sns", &["PublishBatch"], "AWS::SNS::Topic", "{TopicArn}"),
    row(
        "socialmessaging",
        &[],
        "AWS::SocialMessaging::PhoneNumberId",
        "arn:aws:social-messaging:{region}:{account}:phone-number-id/{originationPhoneNumberId}",
    ),
    Row {
        service: "sso-oidc",
        operations: &["CreateTokenWithIAM"],
        resource_type: Some("AWS::SSO::Application"),
        arn: "{clientId}",
        owned: false,
    },
    untyped(
        "ssm",
        &["DeleteAssociation", "UpdateAssociation"],
        "arn:aws:ssm:{region}:{account}:association/{AssociationId}",
    ),
    untyped("ssm", &["CreateAssociation", "DeleteDocument", "UpdateAssociation"], DOCUMENT),
    untyped(
        "ssm",
        &["DeleteParameter", "GetParameter", "GetParameterHistory", "LabelParameterVersion", "PutParameter"],
        "arn:aws:ssm:{region}:{account}:parameter/{Name}",
    ),
    untyped("ssm", &["DeleteParameters", "GetParameters"], "arn:aws:ssm:{region}:{account}:parameter/{Names}"),
    untyped("ssm", &["GetParametersByPath"], "arn:aws:ssm:{region}:{account}:parameter/{Path}"),
    untyped("ssm", &["UpdateServiceSetting"], "arn:aws:ssm:{region}:{account}:servicesetting/{SettingId}"),
    untyped("ssm", &["PutInventory"], "arn:aws:ec2:{region}:{account}:instance/{InstanceId}"),
    untyped("ssm", &["PutInventory"], "arn:aws:ssm:{region}:{account}:managed-instance-inventory/{InstanceId}"),
    row("stepfunctions", &["GetActivityTask"], "AWS::StepFunctions::Activity", "{activityArn}"),
    row(
        "stepfunctions",
        &["StartExecution", "StartSyncExecution"],
        "AWS::StepFunctions::StateMachine",
        "{stateMachineArn}",
    ),
    row("sts", ASSUME, "AWS::IAM::Role", "{RoleArn}"),
    row("sts", &["AssumeRoleWithSAML"], "AWS::IAM::SAMLProvider", "{PrincipalArn}"),
    row("swf", &[], "AWS::SWF::Domain", "arn:aws:swf:{region}:{account}:/domain/{domain}"),
    row(
        "timestream-write",
        &[],
        "AWS::Timestream::Table",
        "arn:aws:timestream:{region}:{account}:database/{DatabaseName}/table/{TableName}",
    ),
    row(
        "verifiedpermissions",
        POLICIES,
        "AWS::VerifiedPermissions::PolicyStore",
        "arn:aws:verifiedpermissions::{account}:policy-store/{policyStoreId}",
    ),
    row(
        "verifiedpermissions",
        &[],
        "AWS::VerifiedPermissions::PolicyStore",
        "arn:aws:verifiedpermissions::{account}:policy-store/{policyStoreId}",
    ),
];
