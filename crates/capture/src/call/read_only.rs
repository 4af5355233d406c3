//! `readOnly`: whether a call only looks (`reference/event-record.md` §9).

use aws::Operation;

/// Whether a call is `readOnly`: by its name, but for the services and operations that are known to differ.
pub(crate) fn is_read_only(service: &str, operation: Operation<'_>) -> bool {
    let name = operation.name();
    if listed(CHANGES, service, name) {
        return false;
    }
    looks(name) || listed(LOOKS, service, name) || operation.is_modeled_read_only()
}

/// Whether a name begins with a word for looking. `Getaway` would not: the next word begins with a capital.
fn looks(name: &str) -> bool {
    const WORDS: [&str; 11] =
        ["BatchDescribe", "BatchGet", "Describe", "Get", "Head", "List", "Lookup", "Query", "Scan", "Search", "Select"];
    WORDS.iter().any(|word| {
        name.strip_prefix(word)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_uppercase()))
    })
}

fn listed(rows: &[(&str, &[&str])], service: &str, name: &str) -> bool {
    let found = rows.binary_search_by(|(own, _)| (*own).cmp(service)).ok().and_then(|at| rows.get(at));
    found.is_some_and(|(_, names)| names.binary_search(&name).is_ok())
}

/// What begins with a word for looking and yet is recorded as a change, in real records; of EC2's searches one, and the others go with it.
static CHANGES: &[(&str, &[&str])] = &[
    ("amplifybackend", &["GetBackend", "ListBackendJobs"]),
    ("cognito-identity", &["GetCredentialsForIdentity"]),
    ("config", &["SelectResourceConfig"]),
    ("connect", &["ListRealtimeContactAnalysisSegmentsV2"]),
    ("dynamodb", &["DescribeKinesisStreamingDestination", "ListContributorInsights"]),
    ("ec2", &["SearchLocalGatewayRoutes", "SearchTransitGatewayMulticastGroups", "SearchTransitGatewayRoutes"]),
    ("securitylake", &["GetSubscriber"]),
    ("ssm", &["GetDeployablePatchSnapshotForInstance"]),
    ("sts", &["GetFederationToken", "GetSessionToken"]),
];

/// What only looks although its name does not begin so. The rows of KMS, STS and SES are those of real records, that of Payment Cryptography has one of its operations; the others are the
/// operations whose access level is Read or List in the AWS Service Authorization Reference.
static LOOKS: &[(&str, &[&str])] = &[
    ("accessanalyzer", &["CheckAccessNotGranted", "CheckNoNewAccess", "CheckNoPublicAccess", "ValidatePolicy"]),
    ("acm", &["ExportCertificate"]),
    ("amplifyuibuilder", &["ExportComponents", "ExportForms", "ExportThemes"]),
    ("appsync", &["EvaluateCode", "EvaluateMappingTemplate"]),
    ("auditmanager", &["ValidateAssessmentReportIntegrity"]),
    ("backup", &["ExportBackupPlanTemplate"]),
    ("bedrock", &["ExportAutomatedReasoningPolicyVersion"]),
    ("bedrock-agent", &["ValidateFlowDefinition"]),
    (
        "bedrock-agent-runtime",
        &["GenerateQuery", "InvokeAgent", "InvokeFlow", "InvokeInlineAgent", "OptimizePrompt", "Retrieve"],
    ),
    ("bedrock-agentcore", &["CompleteResourceTokenAuth", "RetrieveMemoryRecords"]),
    (
        "bedrock-runtime",
        &[
            "ApplyGuardrail",
            "Converse",
            "ConverseStream",
            "CountTokens",
            "InvokeModel",
            "InvokeModelWithBidirectionalStream",
            "InvokeModelWithResponseStream",
        ],
    ),
    ("chime-sdk-voice", &["ValidateE911Address"]),
    ("cleanrooms", &["PreviewPrivacyImpact"]),
    ("clouddirectory", &["BatchRead"]),
    (
        "cloudformation",
        &[
            "DetectStackDrift",
            "DetectStackResourceDrift",
            "DetectStackSetDrift",
            "EstimateTemplateCost",
            "ValidateTemplate",
        ],
    ),
    ("cloudfront", &["VerifyDnsConfiguration"]),
    ("cloudsearchdomain", &["Suggest"]),
    ("codecommit", &["EvaluatePullRequestApprovalRules"]),
    (
        "cognito-idp",
        &["AdminGetDevice", "AdminGetUser", "AdminListDevices", "AdminListGroupsForUser", "AdminListUserAuthEvents"],
    ),
    (
        "comprehend",
        &[
            "BatchDetectDominantLanguage",
            "BatchDetectEntities",
            "BatchDetectKeyPhrases",
            "BatchDetectSentiment",
            "BatchDetectSyntax",
            "BatchDetectTargetedSentiment",
            "ClassifyDocument",
            "ContainsPiiEntities",
            "DetectDominantLanguage",
            "DetectEntities",
            "DetectKeyPhrases",
            "DetectPiiEntities",
            "DetectSentiment",
            "DetectSyntax",
            "DetectTargetedSentiment",
            "DetectToxicContent",
        ],
    ),
    ("comprehendmedical", &["DetectEntitiesV2", "DetectPHI", "InferICD10CM", "InferRxNorm", "InferSNOMEDCT"]),
    ("config", &["DeliverConfigSnapshot"]),
    ("connect", &["EvaluateDataTableValues"]),
    ("customer-profiles", &["DetectProfileObjectType"]),
    ("datapipeline", &["EvaluateExpression", "ValidatePipelineDefinition"]),
    ("deadline", &["StartSessionsStatisticsAggregation"]),
    ("devops-guru", &["StartCostEstimation"]),
    ("dms", &["TestConnection"]),
    ("ds", &["VerifyTrust"]),
    ("dynamodb", &["TransactGetItems"]),
    ("ec2", &["StartDeclarativePoliciesReport"]),
    ("ecr", &["BatchCheckLayerAvailability", "ValidatePullThroughCacheRule"]),
    ("ecr-public", &["BatchCheckLayerAvailability"]),
    ("eks-auth", &["AssumeRoleForPodIdentity"]),
    (
        "elasticbeanstalk",
        &["CheckDNSAvailability", "RequestEnvironmentInfo", "RetrieveEnvironmentInfo", "ValidateConfigurationSettings"],
    ),
    ("gamelift", &["RequestUploadCredentials", "ResolveAlias", "ValidateMatchmakingRuleSet"]),
    ("geo-places", &["Autocomplete", "Geocode", "ReverseGeocode", "Suggest"]),
    (
        "geo-routes",
        &["CalculateIsolines", "CalculateRouteMatrix", "CalculateRoutes", "OptimizeWaypoints", "SnapToRoads"],
    ),
    ("glue", &["CheckSchemaVersionValidity"]),
    ("greengrassv2", &["ResolveComponentCandidates"]),
    (
        "iam",
        &[
            "GenerateCredentialReport",
            "GenerateOrganizationsAccessReport",
            "GenerateServiceLastAccessedDetails",
            "SimulateCustomPolicy",
            "SimulatePrincipalPolicy",
        ],
    ),
    ("identitystore", &["IsMemberInGroups"]),
    ("inspector", &["PreviewAgents"]),
    ("internetmonitor", &["StartQuery", "StopQuery"]),
    ("iot", &["TestAuthorization", "TestInvokeAuthorizer", "ValidateSecurityProfileBehaviors"]),
    ("iotsitewise", &["ExecuteQuery", "InvokeAssistant"]),
    ("iottwinmaker", &["ExecuteQuery"]),
    ("kendra", &["Retrieve"]),
    ("kendra-ranking", &["Rescore"]),
    ("kinesis", &["SubscribeToShard"]),
    ("kinesisanalytics", &["DiscoverInputSchema"]),
    ("kinesisanalyticsv2", &["CreateApplicationPresignedUrl", "DiscoverInputSchema"]),
    (
        "kms",
        &[
            "Decrypt",
            "DeriveSharedSecret",
            "Encrypt",
            "GenerateDataKey",
            "GenerateDataKeyPair",
            "GenerateDataKeyPairWithoutPlaintext",
            "GenerateDataKeyWithoutPlaintext",
            "GenerateMac",
            "GenerateRandom",
            "ReEncrypt",
            "Sign",
            "Verify",
            "VerifyMac",
        ],
    ),
    ("lexv2-models", &["GenerateBotElement"]),
    ("lightsail", &["IsVpcPeered"]),
    ("location", &["CalculateRoute", "CalculateRouteMatrix", "ForecastGeofenceEvents", "VerifyDevicePosition"]),
    ("logs", &["FilterLogEvents", "StartLiveTail", "TestTransformer"]),
    ("mediaconvert", &["Probe"]),
    ("observabilityadmin", &["TestTelemetryPipeline", "ValidateTelemetryPipelineConfiguration"]),
    ("osis", &["ValidatePipeline"]),
    (
        "payment-cryptography-data",
        &[
            "DecryptData",
            "EncryptData",
            "GenerateAs2805KekValidation",
            "GenerateAuthRequestCryptogram",
            "GenerateCardValidationData",
            "GenerateMac",
            "GenerateMacEmvPinChange",
            "GeneratePinData",
            "ReEncryptData",
            "TranslateKeyMaterial",
            "TranslatePinData",
            "VerifyAuthRequestCryptogram",
            "VerifyCardValidationData",
            "VerifyMac",
            "VerifyPinData",
        ],
    ),
    ("pinpoint", &["PhoneNumberValidate"]),
    ("pinpoint-sms-voice-v2", &["CarrierLookup"]),
    ("polly", &["StartSpeechSynthesisStream", "SynthesizeSpeech"]),
    ("qbusiness", &["Chat", "ChatSync", "CheckDocumentAccess"]),
    ("qconnect", &["RenderMessageTemplate", "Retrieve"]),
    ("quicksight", &["PredictQAResults"]),
    ("rds", &["DownloadDBLogFilePortion"]),
    (
        "rekognition",
        &[
            "CompareFaces",
            "DetectCustomLabels",
            "DetectFaces",
            "DetectLabels",
            "DetectModerationLabels",
            "DetectProtectiveEquipment",
            "DetectText",
            "RecognizeCelebrities",
        ],
    ),
    ("route53", &["TestDNSAnswer"]),
    ("route53domains", &["CheckDomainAvailability", "CheckDomainTransferability", "ViewBilling"]),
    ("sagemaker", &["CreateHubContentPresignedUrls", "RenderUiTemplate"]),
    ("sagemaker-runtime", &["InvokeEndpoint", "InvokeEndpointAsync", "InvokeEndpointWithResponseStream"]),
    ("schemas", &["ExportSchema"]),
    ("sdb", &["DomainMetadata"]),
    ("service-quotas", &["StartQuotaUtilizationReport"]),
    ("servicediscovery", &["DiscoverInstances", "DiscoverInstancesRevision"]),
    ("ses", &["SendBounce", "SendBulkTemplatedEmail", "SendEmail", "SendRawEmail", "SendTemplatedEmail"]),
    ("sesv2", &["SendBulkEmail", "SendEmail"]),
    ("signin", &["CreateOAuth2Token"]),
    ("sns", &["CheckIfPhoneNumberIsOptedOut"]),
    ("sqs", &["ReceiveMessage"]),
    ("ssm", &["StartExecutionPreview"]),
    ("stepfunctions", &["ValidateStateMachineDefinition"]),
    ("sts", &["AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "DecodeAuthorizationMessage"]),
    (
        "swf",
        &[
            "CountClosedWorkflowExecutions",
            "CountOpenWorkflowExecutions",
            "CountPendingActivityTasks",
            "CountPendingDecisionTasks",
        ],
    ),
    ("textract", &["AnalyzeDocument", "AnalyzeExpense", "AnalyzeID", "DetectDocumentText"]),
    ("timestream-query", &["PrepareQuery"]),
    ("transfer", &["TestIdentityProvider"]),
    ("translate", &["TranslateDocument"]),
    ("verifiedpermissions", &["IsAuthorized", "IsAuthorizedWithToken"]),
    ("wafv2", &["CheckCapacity", "GenerateMobileSdkReleaseUrl"]),
    ("wellarchitected", &["ExportLens"]),
    ("wickr", &["BatchLookupUserUname"]),
    ("workmail", &["TestAvailabilityConfiguration"]),
    ("xray", &["CancelTraceRetrieval", "StartTraceRetrieval"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read_only(service: &str, operation: &str) -> bool {
        let catalog = aws::Catalog::embedded();
        let known = catalog.service(catalog.by_name(service).unwrap().id()).unwrap();
        is_read_only(service, known.operation(operation).unwrap())
    }

    #[test]
    fn the_rows_are_sorted() {
        for rows in [LOOKS, CHANGES] {
            assert!(rows.windows(2).all(|pair| pair[0].0 < pair[1].0));
            assert!(rows.iter().all(|(_, names)| names.windows(2).all(|pair| pair[0] < pair[1])));
        }
    }

    #[test]
    fn names_tell_and_the_known_exceptions_hold() {
        assert!(read_only("s3", "GetObject") && read_only("kms", "Decrypt") && read_only("sts", "AssumeRole"));
        assert!(read_only("sqs", "ReceiveMessage") && read_only("bedrock-runtime", "InvokeModel"));
        assert!(!read_only("sts", "GetSessionToken") && !read_only("sts", "GetFederationToken"));
        assert!(!read_only("ec2", "RunInstances") && !read_only("dynamodb", "PutItem"));
    }
}
