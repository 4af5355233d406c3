//! What a record must not show, and what stands in its place (`reference/event-record.md` §7.5, §12).
//!
//! Three nets, one behind the other: this table, the sensitive marks of the service models (what replaces them is the
//! service's [`Manner`](crate::render::manner::Manner)), and names that mean a secret in any service.

/// What stands in place of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mask {
    /// Nothing: not even the member.
    Drop,
    /// This text, whatever the kind of the value.
    Text(&'static str),
    /// A list of one such text.
    TextList(&'static str),
    /// This text in place of each value inside; names and structure stay.
    Leaves(&'static str),
    /// The keys of a map as a list: DynamoDB's items.
    Names,
    /// DynamoDB's keys without their attribute-value wrappers.
    Unwrapped,
    /// The value after all, although the model marks it.
    Show,
}

/// What most services write in place of a value.
pub(crate) const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";
/// What services behind API Gateway write.
pub(crate) const THREE_STARS: Mask = Mask::Text("***");
const ATHENA: &str = "HIDDEN_FOR_SECURITY_REASONS";
const SSM: &str = "Value hidden due to security reasons.";
const EC2: &str = "<sensitiveDataRemoved>";
const OMITTED: &str = "***OMITTED***";
const STARS: &str = "**********";

/// One row: in this service, this member (anywhere, or directly inside the member, the request or the result `within`).
#[derive(Debug, Clone, Copy)]
struct Row {
    service: &'static str,
    within: &'static str,
    member: &'static str,
    mask: Mask,
}

const fn row(service: &'static str, member: &'static str, mask: Mask) -> Row {
    Row { service, within: "", member, mask }
}

const fn inside(service: &'static str, within: &'static str, member: &'static str, mask: Mask) -> Row {
    Row { service, within, member, mask }
}

/// Sorted by service.
static ROWS: &[Row] = &[
    row("amplifybackend", "AmplifyMetaConfig", Mask::Text(HIDDEN)),
    inside("apigateway", "patchOperations", "value", Mask::Show),
    row("apigateway", "value", Mask::Text(HIDDEN)),
    row("apigatewayv2", "StageVariables", THREE_STARS),
    row("appconfigdata", "ConfigurationToken", Mask::Text(HIDDEN)),
    row("appconfigdata", "InitialConfigurationToken", Mask::Text(HIDDEN)),
    row("appflow", "authCode", THREE_STARS),
    inside("appsync", "apiKey", "id", THREE_STARS),
    row("appsync", "ownerContact", THREE_STARS),
    row("appsync", "requestMappingTemplate", THREE_STARS),
    row("appsync", "responseMappingTemplate", THREE_STARS),
    row("arc-zonal-shift", "comment", Mask::Text(ATHENA)),
    row("athena", "CodeBlock", Mask::Text(ATHENA)),
    row("athena", "Payload", Mask::Text(ATHENA)),
    row("athena", "QueryString", Mask::Text(OMITTED)),
    row("autoscaling", "UserData", Mask::Text(EC2)),
    inside("batch", "environment", "value", Mask::Text(HIDDEN)),
    row("bedrock", "offerToken", Mask::Drop),
    // What an agent types, runs and remembers.
    row("bedrock-agentcore", "action", Mask::Drop),
    row("bedrock-agentcore", "arguments", Mask::Drop),
    row("bedrock-agentcore", "content", Mask::Drop),
    row("bedrock-agentcore", "payload", Mask::Drop),
    row("bedrock-agentcore", "searchCriteria", Mask::Drop),
    // Which model it was, and nothing that was said to it: as of InvokeModel.
    row("bedrock-runtime", "accept", Mask::Drop),
    row("bedrock-runtime", "additionalModelRequestFields", Mask::Drop),
    row("bedrock-runtime", "additionalModelResponseFieldPaths", Mask::Drop),
    row("bedrock-runtime", "content", Mask::Drop),
    row("bedrock-runtime", "contentType", Mask::Drop),
    row("bedrock-runtime", "guardrailConfig", Mask::Drop),
    row("bedrock-runtime", "inferenceConfig", Mask::Drop),
    row("bedrock-runtime", "input", Mask::Drop),
    row("bedrock-runtime", "messages", Mask::Drop),
    row("bedrock-runtime", "modelInput", Mask::Drop),
    row("bedrock-runtime", "outputConfig", Mask::Drop),
    row("bedrock-runtime", "performanceConfig", Mask::Drop),
    row("bedrock-runtime", "promptVariables", Mask::Drop),
    row("bedrock-runtime", "requestMetadata", Mask::Drop),
    row("bedrock-runtime", "serviceTier", Mask::Drop),
    row("bedrock-runtime", "system", Mask::Drop),
    row("bedrock-runtime", "toolConfig", Mask::Drop),
    row("chime", "PersonalPIN", Mask::Text(HIDDEN)),
    row("cleanroomsml", "environment", Mask::Leaves(HIDDEN)),
    // "Only the input parameter key names are logged" (CloudFormation User Guide, "Logging CloudFormation API calls").
    row("cloudformation", "ParameterValue", Mask::Drop),
    row("cloudformation", "ResolvedValue", Mask::Drop),
    row("codebuild", "buildspec", Mask::Text(HIDDEN)),
    row("codebuild", "buildspecOverride", Mask::Text(HIDDEN)),
    row("codebuild", "encryptionKey", Mask::Text(HIDDEN)),
    row("codebuild", "encryptionKeyOverride", Mask::Text(HIDDEN)),
    row("codebuild", "environmentVariables", Mask::Leaves(HIDDEN)),
    row("codebuild", "environmentVariablesOverride", Mask::Leaves(HIDDEN)),
    row("codebuild", "secret", Mask::Text(HIDDEN)),
    row("codebuild", "tags", Mask::Leaves(HIDDEN)),
    row("cognito-identity", "SecretKey", Mask::Drop),
    row("cognito-identity", "SessionToken", Mask::Show),
    row("cognito-idp", "Attributes", Mask::Text(HIDDEN)),
    row("cognito-idp", "ConfirmationCode", Mask::Text(HIDDEN)),
    row("cognito-idp", "PreSignedUrl", Mask::Text(HIDDEN)),
    row("cognito-idp", "UserAttributes", Mask::Text(HIDDEN)),
    row("connect", "Content", THREE_STARS),
    row("dataexchange", "QueryStringParameters", Mask::Drop),
    row("dataexchange", "RequestHeaders", Mask::Drop),
    row("directconnect", "authKey", Mask::Text(HIDDEN)),
    inside("dynamodb", "Tags", "Key", Mask::Show),
    row("dynamodb", "AttributesToGet", Mask::Drop),
    row("dynamodb", "Expected", Mask::Drop),
    row("dynamodb", "ExpressionAttributeValues", Mask::Drop),
    row("dynamodb", "ExclusiveStartKey", Mask::Unwrapped),
    row("dynamodb", "Item", Mask::Names),
    row("dynamodb", "Key", Mask::Unwrapped),
    row("dynamodb", "KeyConditions", Mask::Drop),
    row("dynamodb", "Keys", Mask::Unwrapped),
    row("dynamodb", "Parameters", Mask::Drop),
    row("dynamodb", "QueryFilter", Mask::Drop),
    row("dynamodb", "RequestItems", Mask::Drop),
    row("dynamodb", "ScanFilter", Mask::Drop),
    row("dynamodb", "Statement", Mask::Drop),
    row("dynamodb", "Statements", Mask::Drop),
    row("dynamodb", "TransactItems", Mask::Drop),
    row("dynamodb", "TransactStatements", Mask::Drop),
    row("dynamodb", "AttributeUpdates", Mask::Names),
    inside("ecs", "environment", "value", Mask::Text(HIDDEN)),
    inside("ecs", "environmentFiles", "value", Mask::Text(HIDDEN)),
    inside("elasticbeanstalk", "OptionSettings", "Value", Mask::Text(HIDDEN)),
    row("emr", "Configurations", Mask::Text(HIDDEN)),
    inside("events", "Entries", "Detail", Mask::Text(HIDDEN)),
    row("firehose", "HECToken", Mask::Text(HIDDEN)),
    row("glue", "ConnectionProperties", Mask::Leaves(HIDDEN)),
    row("greengrass", "InitialVersion", THREE_STARS),
    row("iam", "AllowUsersToChangePassword", Mask::Show),
    row("iam", "AuthenticationCode1", Mask::Drop),
    row("iam", "AuthenticationCode2", Mask::Drop),
    row("iot", "token", Mask::Text(HIDDEN)),
    row("kinesis", "Data", Mask::Drop),
    // Whoever has it may use the key, before the grant is known everywhere.
    row("kms", "GrantToken", Mask::Drop),
    row("lambda", "Variables", Mask::Drop),
    row("lambda", "ZipFile", Mask::Drop),
    row("license-manager", "SignedToken", Mask::Text(HIDDEN)),
    row("license-manager", "Token", Mask::Text(HIDDEN)),
    row("lightsail", "userData", Mask::Text(EC2)),
    row("logs", "logEvents", Mask::Drop),
    inside("medialive", "HlsAkamaiSettings", "Token", Mask::Text(HIDDEN)),
    row("mwaa", "QueryParameters", THREE_STARS),
    row("network-firewall", "Description", Mask::Text(HIDDEN)),
    row("organizations", "AccountName", Mask::Text("****")),
    row("organizations", "Email", Mask::Text("****")),
    row("pinpoint", "ApiKey", Mask::Text(HIDDEN)),
    row("pinpoint", "Credential", Mask::Text(HIDDEN)),
    row("pinpoint", "Otp", Mask::Text(HIDDEN)),
    row("pinpoint", "ServiceJson", Mask::Text(HIDDEN)),
    row("pinpoint", "TokenKey", Mask::Text(HIDDEN)),
    inside("pinpoint", "CampaignResponse", "Description", THREE_STARS),
    inside("pinpoint", "CampaignResponse", "Name", THREE_STARS),
    inside("pinpoint", "WriteCampaignRequest", "Description", THREE_STARS),
    inside("pinpoint", "WriteCampaignRequest", "Name", THREE_STARS),
    row("pinpoint", "MessageConfiguration", THREE_STARS),
    row("pinpoint-sms-voice-v2", "DestinationPhoneNumber", Mask::Text(HIDDEN)),
    row("pinpoint-sms-voice-v2", "MediaUrls", Mask::Text(HIDDEN)),
    row("pinpoint-sms-voice-v2", "MessageBody", Mask::Text(HIDDEN)),
    row("pinpoint-sms-voice-v2", "RcsMessageContent", Mask::Text(HIDDEN)),
    row("pinpoint-sms-voice-v2", "TemplateVariables", Mask::Text(HIDDEN)),
    inside("pipes", "Environment", "Value", Mask::Text(HIDDEN)),
    row("polly", "Text", Mask::Text(STARS)),
    row("rds-data", "database", Mask::Text(STARS)),
    row("rds-data", "parameterSets", Mask::Leaves(STARS)),
    row("rds-data", "parameters", Mask::Leaves(STARS)),
    row("rds-data", "schema", Mask::Text(STARS)),
    row("rds-data", "sql", Mask::Text(STARS)),
    row("rds-data", "sqlStatements", Mask::Text(STARS)),
    row("redshift-data", "Parameters", Mask::Leaves(OMITTED)),
    row("redshift-data", "Sql", Mask::Text(OMITTED)),
    row("redshift-data", "Sqls", Mask::Leaves(OMITTED)),
    row("s3control", "AccountId", Mask::Drop),
    row("s3vectors", "data", Mask::Drop),
    row("s3vectors", "metadata", Mask::Drop),
    row("s3vectors", "queryVector", Mask::Drop),
    row("secretsmanager", "SecretBinary", Mask::Drop),
    row("secretsmanager", "SecretString", Mask::Drop),
    row("securityhub", "AuthCode", THREE_STARS),
    row("ses", "BccAddresses", Mask::TextList(HIDDEN)),
    row("ses", "CcAddresses", Mask::TextList(HIDDEN)),
    row("ses", "Data", Mask::Text(HIDDEN)),
    row("ses", "ToAddresses", Mask::TextList(HIDDEN)),
    row("sesv2", "BccAddresses", Mask::TextList(HIDDEN)),
    row("sesv2", "CcAddresses", Mask::TextList(HIDDEN)),
    row("sesv2", "Data", Mask::Text(HIDDEN)),
    row("sesv2", "ToAddresses", Mask::TextList(HIDDEN)),
    row("signin", "code", Mask::Drop),
    row("signin", "codeVerifier", Mask::Drop),
    row("sns", "Message", Mask::Text(HIDDEN)),
    row("sns", "MessageAttributes", Mask::Text(HIDDEN)),
    row("sns", "PhoneNumber", Mask::Text(HIDDEN)),
    row("sns", "PublishBatchRequestEntries", Mask::Text(HIDDEN)),
    row("sns", "Subject", Mask::Text(HIDDEN)),
    row("sqs", "Body", Mask::Drop),
    row("sqs", "MessageAttributeNames", Mask::TextList(HIDDEN)),
    row("sqs", "MessageAttributes", Mask::Drop),
    row("sqs", "MessageBody", Mask::Drop),
    row("sqs", "MessageSystemAttributes", Mask::Drop),
    inside("ssm", "CreateDocumentRequest", "Content", Mask::Text(HIDDEN)),
    inside("ssm", "UpdateDocumentRequest", "Content", Mask::Text(HIDDEN)),
    // What an automation is told; of a command the model marks it.
    inside("ssm", "Runbooks", "Parameters", Mask::Leaves(HIDDEN)),
    inside("ssm", "StartAutomationExecutionRequest", "Parameters", Mask::Leaves(HIDDEN)),
    row("ssm", "SnapshotDownloadUrl", Mask::Text(HIDDEN)),
    row("ssm", "TokenValue", Mask::Text(SSM)),
    row("stepfunctions", "input", Mask::Text(HIDDEN)),
    row("stepfunctions", "output", Mask::Text(HIDDEN)),
    row("sts", "SAMLAssertion", Mask::Drop),
    row("sts", "SecretAccessKey", Mask::Drop),
    row("sts", "SessionToken", Mask::Show),
    row("sts", "TokenCode", Mask::Drop),
    row("sts", "WebIdentityToken", Mask::Drop),
    row("support", "communicationBody", Mask::Drop),
    row("support", "subject", Mask::Drop),
    row("timestream-write", "MeasureValue", Mask::Text(HIDDEN)),
    inside("timestream-write", "MeasureValues", "Value", Mask::Text(HIDDEN)),
    row("translate", "Text", Mask::Text(HIDDEN)),
    row("translate", "TranslatedText", Mask::Text(HIDDEN)),
    row("wellarchitected", "Answer", THREE_STARS),
    row("wellarchitected", "ChoiceUpdates", THREE_STARS),
    inside("wellarchitected", "CreateLensVersionInput", "LensAlias", THREE_STARS),
    row("wellarchitected", "LensVersion", THREE_STARS),
    row("wellarchitected", "Notes", THREE_STARS),
    row("wellarchitected", "SelectedChoices", THREE_STARS),
    row("workmail", "Token", Mask::Text(HIDDEN)),
];

/// Endings of names that mean a secret in any service, where nothing else is said.
const SECRET_ENDINGS: [&str; 32] = [
    "Password",
    "Passwords",
    "PasswordVerifier",
    "Passphrase",
    "SecretAccessKey",
    "SecretKey",
    "SecretString",
    "SecretBinary",
    "SharedSecret",
    "ClientSecret",
    "PrivateKey",
    "PreSharedKey",
    "ApiKeyValue",
    "ApiToken",
    "PlatformCredential",
    "AuthToken",
    "AccessToken",
    "RefreshToken",
    "IdToken",
    "BearerToken",
    "SessionToken",
    "SecurityToken",
    "ParticipantToken",
    "ConnectionToken",
    "SecretToken",
    "TokenCode",
    "TokenValue",
    "VerificationCode",
    "SAMLAssertion",
    "UserData",
    "UserDataOverride",
    "EnvironmentVariables",
];

/// The rows of one service, looked up once for each record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows(&'static [Row]);

/// The rows of the service of that botocore name.
pub(crate) fn rows(service: &str) -> Rows {
    let start = ROWS.partition_point(|row| row.service < service);
    let length = ROWS.get(start..).map_or(0, |rest| rest.partition_point(|row| row.service == service));
    Rows(ROWS.get(start..start + length).unwrap_or_default())
}

impl Rows {
    /// What stands in place of a member, if anything: by the table, by the model's mark, by its name.
    pub(crate) fn mask(self, member: &str, within: &str, sensitive: bool, by_mark: Mask) -> Option<Mask> {
        let found = self.0.iter().find(|row| row.member == member && (row.within.is_empty() || row.within == within));
        match found.map(|row| row.mask) {
            Some(Mask::Show) => None,
            Some(mask) => Some(mask),
            None if sensitive => Some(by_mark).filter(|mask| *mask != Mask::Show),
            None if is_secret_name(member) => Some(match by_mark {
                Mask::Text(text) => Mask::Text(text),
                _ => Mask::Drop,
            }),
            None => None,
        }
    }
}

/// Whether a name means a secret wherever it stands: `MasterUserPassword` and `client_secret`, but not
/// `PasswordResetRequired`.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let tail = |ending: &str| {
        let mut letters = name.bytes().rev().filter(|byte| !matches!(byte, b'_' | b'-'));
        ending.bytes().rev().all(|end| letters.next().is_some_and(|letter| letter.eq_ignore_ascii_case(&end)))
    };
    let [.., first, last] = name.as_bytes() else { return false };
    // Nearly every name is known to be none of these by its last two letters.
    SECRET_TAILS.contains(&[first.to_ascii_lowercase(), last.to_ascii_lowercase()])
        && SECRET_ENDINGS.iter().any(|ending| tail(ending))
}

/// The last two letters of each of [`SECRET_ENDINGS`], in lower case.
const SECRET_TAILS: [[u8; 2]; SECRET_ENDINGS.len()] = {
    let mut tails = [[0; 2]; SECRET_ENDINGS.len()];
    let mut at = 0;
    while at < tails.len() {
        if let [.., first, last] = SECRET_ENDINGS[at].as_bytes() {
            tails[at] = [first.to_ascii_lowercase(), last.to_ascii_lowercase()];
        }
        at += 1;
    }
    tails
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_are_sorted_and_name_members_that_exist() {
        assert!(ROWS.windows(2).all(|pair| pair[0].service <= pair[1].service));
        let catalog = aws::Catalog::embedded();
        for row in ROWS {
            let service = catalog.service(catalog.by_name(row.service).unwrap().id()).unwrap();
            let known =
                service.operations().flat_map(|o| [o.input(), o.output()]).flatten().any(|s| has(s, row.member, 9));
            assert!(known, "{row:?}");
        }
    }

    fn has(shape: aws::Shape<'_>, name: &str, depth: u32) -> bool {
        depth > 0 && shape.members().any(|member| member.name() == name || has(member.shape(), name, depth - 1))
    }

    #[test]
    fn names_of_secrets_are_known_in_any_service() {
        assert!(is_secret_name("MasterUserPassword") && is_secret_name("masterUserPassword"));
        assert!(SECRET_ENDINGS.iter().all(|ending| is_secret_name(ending)));
        assert!(is_secret_name("AuthToken") && is_secret_name("clientSecret"));
        assert!(is_secret_name("client_secret") && is_secret_name("DB-PASSWORD"));
        for name in ["PasswordResetRequired", "NextToken", "KeyName", "SecretId", "PublicKey", "ClientToken"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
