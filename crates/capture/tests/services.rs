//! What single services show, hide and add in records, beyond what their protocol says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says why")]

mod scene;

use opentrail_capture::{Reason, Verdict};
use scene::{ACCOUNT, Scene, recorder};
use serde_json::{Value, json};

fn at<'v>(record: &'v Value, pointer: &str) -> &'v Value {
    record.pointer(pointer).unwrap_or(&Value::Null)
}

#[test]
fn secrets_of_many_services_leave_no_trace() {
    let secret = "PLANTED";
    let scenes = [
        Scene::json("secretsmanager", "secretsmanager.PutSecretValue", r#"{"SecretId":"s","SecretString":"PLANTED","SecretBinary":"UExBTlRFRA=="}"#),
        Scene::json("ssm", "AmazonSSM.PutParameter", r#"{"Name":"n","Value":"PLANTED","Type":"SecureString"}"#),
        Scene::json("ssm", "AmazonSSM.SendCommand", r#"{"DocumentName":"d","Parameters":{"commands":["PLANTED"]}}"#),
        Scene::json("ssm", "AmazonSSM.CreateDocument", r#"{"Name":"d","Content":"PLANTED"}"#),
        Scene::json("ssm", "AmazonSSM.UpdateDocument", r#"{"Name":"d","Content":"PLANTED"}"#),
        Scene::json("ssm", "AmazonSSM.StartAutomationExecution", r#"{"DocumentName":"d","Parameters":{"RoleName":["PLANTED"]}}"#),
        Scene::json("ssm", "AmazonSSM.StartChangeRequestExecution", r#"{"DocumentName":"d","Runbooks":[{"DocumentName":"r","Parameters":{"RoleName":["PLANTED"]}}]}"#),
        Scene::json("kms", "TrentService.Encrypt", r#"{"KeyId":"k","Plaintext":"PLANTED"}"#),
        Scene::json("dynamodb", "DynamoDB_20120810.PutItem", r#"{"TableName":"t","Item":{"a":{"S":"PLANTED"}},"ExpressionAttributeValues":{":x":{"S":"PLANTED"}}}"#),
        Scene::json("dynamodb", "DynamoDB_20120810.BatchWriteItem", r#"{"RequestItems":{"t":[{"PutRequest":{"Item":{"a":{"S":"PLANTED"}}}}]}}"#),
        Scene::json("dynamodb", "DynamoDB_20120810.ExecuteStatement", r#"{"Statement":"SELECT * FROM t WHERE a='PLANTED'","Parameters":[{"S":"PLANTED"}]}"#),
        Scene::json("kinesis", "Kinesis_20131202.PutRecord", r#"{"StreamName":"s","Data":"PLANTED","PartitionKey":"k"}"#),
        Scene::json("logs", "Logs_20140328.PutLogEvents", r#"{"logGroupName":"g","logStreamName":"s","logEvents":[{"timestamp":1,"message":"PLANTED"}]}"#),
        Scene::json("sqs", "AmazonSQS.SendMessage", r#"{"QueueUrl":"u","MessageBody":"PLANTED"}"#),
        Scene::json("events", "AWSEvents.PutEvents", r#"{"Entries":[{"Source":"s","DetailType":"t","Detail":"PLANTED"}]}"#),
        Scene::json("ecs", "AmazonEC2ContainerServiceV20141113.RegisterTaskDefinition", r#"{"family":"f","containerDefinitions":[{"name":"c","environment":[{"name":"K","value":"PLANTED"}]}]}"#),
        Scene::json("cognito-idp", "AWSCognitoIdentityProviderService.AdminCreateUser", r#"{"UserPoolId":"p","Username":"u","UserAttributes":[{"Name":"email","Value":"PLANTED"}]}"#).answer(200, r#"{"User":{"Username":"u","Attributes":[{"Name":"email","Value":"PLANTED"}]}}"#),
        Scene::json("cognito-idp", "AWSCognitoIdentityProviderService.SignUp", r#"{"ClientId":"c","Username":"u","Password":"PLANTED"}"#),
        Scene::json("cognito-idp", "AWSCognitoIdentityProviderService.CreateIdentityProvider", r#"{"UserPoolId":"p","ProviderName":"n","ProviderType":"OIDC","ProviderDetails":{"client_id":"i","client_secret":"PLANTED"}}"#),
        Scene::json("cognito-idp", "AWSCognitoIdentityProviderService.ConfirmForgotPassword", r#"{"ClientId":"c","Username":"u","ConfirmationCode":"PLANTED","Password":"PLANTED"}"#),
        Scene::json("support", "AWSSupport_20130415.CreateCase", r#"{"subject":"PLANTED","communicationBody":"PLANTED","language":"en"}"#),
        Scene::json("timestream", "Timestream_20181101.WriteRecords", r#"{"DatabaseName":"d","TableName":"t","Records":[{"MeasureName":"m","MeasureValue":"PLANTED","MeasureValues":[{"Name":"n","Value":"PLANTED","Type":"VARCHAR"}]}]}"#),
        Scene::form("cloudformation", "Action=CreateStack&Version=2010-05-15&StackName=s&Parameters.member.1.ParameterKey=Pw&Parameters.member.1.ParameterValue=PLANTED"),
        Scene::form("elasticbeanstalk", "Action=CreateEnvironment&Version=2010-12-01&ApplicationName=a&OptionSettings.member.1.OptionName=PW&OptionSettings.member.1.Value=PLANTED"),
        Scene::form("sns", "Action=CreatePlatformApplication&Version=2010-03-31&Name=n&Platform=GCM&Attributes.entry.1.key=PlatformCredential&Attributes.entry.1.value=PLANTED"),
        Scene::signed("POST", "/apikeys", "apigateway").body(r#"{"name":"k","value":"PLANTED"}"#).answer(201, r#"{"id":"i","value":"PLANTED"}"#),
        Scene::signed("POST", "/model/m/converse", "bedrock").header("host", "bedrock-runtime.eu-west-1.amazonaws.com").body(r#"{"system":[{"text":"PLANTED"}],"messages":[{"role":"user","content":[{"text":"PLANTED"}]}]}"#),
        Scene::form("sns", "Action=Publish&Version=2010-03-31&TopicArn=arn&Message=PLANTED&Subject=PLANTED"),
        Scene::form("rds", "Action=CreateDBInstance&Version=2014-10-31&DBInstanceIdentifier=i&MasterUserPassword=PLANTED"),
        Scene::form("iam", "Action=CreateLoginProfile&Version=2010-05-08&UserName=u&Password=PLANTED"),
        Scene::form("iam", "Action=UploadServerCertificate&Version=2010-05-08&ServerCertificateName=n&CertificateBody=c&PrivateKey=PLANTED"),
        Scene::form("redshift", "Action=CreateCluster&Version=2012-12-01&ClusterIdentifier=c&MasterUserPassword=PLANTED"),
        Scene::form("elasticache", "Action=CreateReplicationGroup&Version=2015-02-02&ReplicationGroupId=r&AuthToken=PLANTED"),
        Scene::form("ec2", "Action=CreateLaunchTemplate&Version=2016-11-15&LaunchTemplateName=n&LaunchTemplateData.UserData=PLANTED"),
        Scene::form("ec2", "Action=ModifyInstanceAttribute&Version=2016-11-15&InstanceId=i&UserData.Value=PLANTED"),
        Scene::form("iam", "Action=CreateAccessKey&Version=2010-05-08&UserName=alice").answer(200, "<CreateAccessKeyResponse><CreateAccessKeyResult><AccessKey><UserName>alice</UserName><AccessKeyId>AKIANEXT</AccessKeyId><SecretAccessKey>PLANTED</SecretAccessKey></AccessKey></CreateAccessKeyResult></CreateAccessKeyResponse>"),
        Scene::form("ec2", "Action=CreateKeyPair&Version=2016-11-15&KeyName=k").answer(200, "<CreateKeyPairResponse><keyName>k</keyName><keyMaterial>PLANTED</keyMaterial></CreateKeyPairResponse>"),
        Scene::signed("PUT", "/2015-03-31/functions/f/configuration", "lambda").body(r#"{"Environment":{"Variables":{"DB":"PLANTED"}}}"#).answer(200, r#"{"FunctionName":"f","Environment":{"Variables":{"DB":"PLANTED"}}}"#),
        Scene::signed("POST", "/2015-03-31/functions", "lambda").body(r#"{"FunctionName":"f","Role":"r","Code":{"ZipFile":"PLANTED"}}"#),
        Scene::form("ec2", "Action=ModifyVpnTunnelOptions&Version=2016-11-15&VpnConnectionId=v").answer(200, "<ModifyVpnTunnelOptionsResponse><vpnConnection><customerGatewayConfiguration>PLANTED</customerGatewayConfiguration></vpnConnection></ModifyVpnTunnelOptionsResponse>"),
        Scene::json("firehose", "Firehose_20150804.CreateDeliveryStream", r#"{"DeliveryStreamName":"d","SplunkDestinationConfiguration":{"HECToken":"PLANTED"}}"#),
        Scene::json("codepipeline", "CodePipeline_20150709.PutWebhook", r#"{"webhook":{"name":"w","authenticationConfiguration":{"SecretToken":"PLANTED"}}}"#),
        Scene::json("codebuild", "CodeBuild_20161006.CreateWebhook", r#"{"projectName":"p"}"#).answer(200, r#"{"webhook":{"url":"u","secret":"PLANTED"}}"#),
        Scene::signed("PUT", "/v1/apps/a/channels/gcm", "mobiletargeting").header("host", "pinpoint.eu-west-1.amazonaws.com").body(r#"{"ApiKey":"PLANTED","ServiceJson":"PLANTED"}"#),
        Scene::signed("POST", "/v1/pipes/p", "pipes").body(r#"{"TargetParameters":{"EcsTaskParameters":{"Overrides":{"ContainerOverrides":[{"Environment":[{"Name":"n","Value":"PLANTED"}]}]}}}}"#),
        Scene::json("license-manager", "AWSLicenseManager.CreateToken", r#"{"LicenseArn":"arn"}"#).answer(200, r#"{"TokenId":"i","Token":"PLANTED"}"#),
        Scene::json("directconnect", "OvertureService.CreateBGPPeer", r#"{"virtualInterfaceId":"i","newBGPPeer":{"asn":1,"authKey":"PLANTED"}}"#),
        Scene::form("cloudformation", "Action=CreateStack&Version=2010-05-15&StackName=s&TemplateURL=https%3A%2F%2Fb.s3.amazonaws.com%2Ft%3FX-Amz-Signature%3DPLANTED"),
        Scene::signed("DELETE", "/tags/arn%3Aaws%3Amgn%3Aeu-west-1%3A1%3Asource-server%2Fs?tagKeys=PLANTED&tagKeys=PLANTED", "mgn"),
        Scene::json("kms", "TrentService.CreateGrant", r#"{"KeyId":"k","GranteePrincipal":"p","Operations":["Decrypt"]}"#).answer(200, r#"{"GrantId":"g","GrantToken":"PLANTED"}"#),
        Scene::json("codebuild", "CodeBuild_20161006.StartBuild", r#"{"projectName":"p","encryptionKeyOverride":"PLANTED","environmentVariablesOverride":[{"name":"n","value":"PLANTED"}]}"#),
        Scene::json("ssm", "AmazonSSM.GetDeployablePatchSnapshotForInstance", r#"{"InstanceId":"i","SnapshotId":"s"}"#).answer(200, r#"{"SnapshotDownloadUrl":"https://b/?X-Amz-Signature=PLANTED"}"#),
        Scene::json("config", "StarlingDoveService.SelectResourceConfig", r#"{"Expression":"SELECT a"}"#).answer(200, r#"{"Results":["PLANTED"]}"#),
        Scene::json("logs", "Logs_20140328.TestMetricFilter", r#"{"filterPattern":"[a]"}"#).answer(200, r#"{"matches":[{"eventNumber":1,"eventMessage":"PLANTED"}]}"#),
        Scene::signed("POST", "/backend/a/details", "amplifybackend").body(r#"{"backendEnvironmentName":"e"}"#).answer(200, r#"{"amplifyMetaConfig":"PLANTED"}"#),
        Scene::signed("GET", "/v1/subscribers/s", "securitylake").answer(200, r#"{"subscriber":{"subscriberIdentity":{"externalId":"PLANTED"}}}"#),
        Scene::json("network-firewall", "NetworkFirewall_20201112.CreateFirewall", r#"{"FirewallName":"f","Description":"PLANTED"}"#),
        Scene::signed("PUT", "/bucket?versioning", "s3").header("x-amz-mfa", "PLANTED").body("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"),
        Scene::signed("PUT", "/bucket/key?X-Amz-Server-Side-Encryption-Customer-Key=PLANTED", "s3"),
    ];
    for scene in scenes {
        let record = scene.record(&recorder());
        assert!(!record.to_string().contains(secret), "{record}");
        assert!(!record.to_string().contains("UExBTlRFRA"), "{record}");
        assert_ne!(at(&record, "/requestParameters"), &Value::Null, "{record}");
    }
}

#[test]
fn a_denied_data_event_still_says_what_it_was_about() {
    let denied = r#"{"__type":"AccessDeniedException","message":"no"}"#;
    for (scene, kind) in [
        (
            Scene::json("dynamodb", "DynamoDB_20120810.PutItem", r#"{"TableName":"t","Item":{}}"#),
            "AWS::DynamoDB::Table",
        ),
        (
            Scene::json("kinesis", "Kinesis_20131202.PutRecord", r#"{"StreamName":"s","Data":"","PartitionKey":"k"}"#),
            "AWS::Kinesis::Stream",
        ),
        (Scene::signed("POST", "/2015-03-31/functions/f/invocations", "lambda"), "AWS::Lambda::Function"),
    ] {
        let record = scene.answer(400, denied).record(&recorder());
        assert_eq!(
            (at(&record, "/errorCode"), at(&record, "/requestParameters")),
            (&json!("AccessDenied"), &Value::Null)
        );
        let types: Vec<_> = at(&record, "/resources").as_array().unwrap().iter().map(|found| &found["type"]).collect();
        assert!(types.contains(&&json!(kind)), "a trail selects it by this: {record}");
    }
}

#[test]
fn a_parameter_counts_as_for_those_who_act_on_it() {
    let play = |path: &str, form: &str| {
        let scene = Scene::signed("POST", path, "iam").header("content-type", "application/x-www-form-urlencoded");
        scene.body(form).answer(200, "<DeleteUserResponse/>").record(&recorder())
    };
    for (path, form) in [
        ("/", "Action=DeleteUser&Version=2010-05-08&UserName=aa&UserName=bb"),
        ("/?UserName=aa", "Action=DeleteUser&Version=2010-05-08&UserName=bb"),
        ("/?UserName=aa", "Action=DeleteUser&Version=2010-05-08"),
        ("/", "Action=DeleteUser&Version=2010-05-08&UserName=aa&X=%ff"),
    ] {
        assert_eq!(at(&play(path, form), "/requestParameters/userName"), "aa", "{path} {form}");
    }
    let plain = Scene::json("dynamodb", "DynamoDB_20120810.DeleteTable", "");
    let broken = Scene { body: b"{\"TableName\":\"t\",\"x\":\"\xff\"}".to_vec(), ..plain };
    assert_eq!(at(&broken.record(&recorder()), "/requestParameters/tableName"), "t");
}

#[test]
fn a_query_call_signed_in_its_body_is_its_signers() {
    let form = "Action=DeleteUser&UserName=bob&Version=2010-05-08&AWSAccessKeyId=AKIABODY&SignatureVersion=2&SignatureMethod=HmacSHA256&Timestamp=t&Signature=PLANTED";
    let scene = Scene::unsigned("POST", "/").header("host", "iam.amazonaws.com");
    let record = scene.header("content-type", "application/x-www-form-urlencoded").body(form).record(&recorder());
    assert_eq!(at(&record, "/userIdentity/accessKeyId"), "AKIABODY");
    assert_eq!(at(&record, "/requestParameters"), &json!({"userName":"bob"}));
}

#[test]
fn what_was_not_read_of_a_form_is_not_guessed_from_its_query_string() {
    let played = |body_total: u64| {
        let scene = Scene::signed("POST", "/?Action=ListUsers&Version=2010-05-08", "iam");
        let form = scene.header("content-type", "application/x-www-form-urlencoded").body("x=1");
        Scene { body_total: Some(body_total), ..form }.play(&recorder())
    };
    assert!(matches!(played(3), Verdict::Record(_)));
    // Behind what was kept, `Action=DeleteUser` may stand.
    assert!(matches!(played(2_000_000), Verdict::Unrecorded(Reason::UnknownOperation)));
}

#[test]
fn a_form_is_read_though_its_head_says_that_it_is_compressed() {
    for (encoding, form) in
        [("br", &b"Action=DeleteUser&UserName=bob&x=\xff"[..]), ("gzip", b"\x1f\x8b&Action=DeleteUser&UserName=bob")]
    {
        let scene = Scene::form("iam", "").header("content-encoding", encoding);
        let record = Scene { body: form.to_vec(), ..scene }.record(&recorder());
        assert_eq!(
            (at(&record, "/eventName"), at(&record, "/requestParameters/userName")),
            (&json!("DeleteUser"), &json!("bob"))
        );
    }
}

#[test]
fn who_calls_ec2_too_often_is_at_fault() {
    let answer =
        "<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>m</Message></Error></Errors></Response>";
    let record =
        Scene::form("ec2", "Action=DescribeInstances&Version=2016-11-15").answer(503, answer).record(&recorder());
    assert_eq!(at(&record, "/errorCode"), "Client.RequestLimitExceeded");
}

#[test]
fn a_denied_web_identity_tells_which_role_it_wanted() {
    let form = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn:aws:iam::111122223333:role/r&RoleSessionName=s&WebIdentityToken=t";
    let answer = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";
    let record = Scene::form("sts", form).answer(403, answer).record(&recorder());
    let told = json!({"roleArn":"arn:aws:iam::111122223333:role/r","roleSessionName":"s"});
    assert_eq!(at(&record, "/requestParameters"), &told, "{record}");
}

#[test]
fn kms_tells_which_algorithm_and_spec_it_took() {
    let parameters = |operation: &str, body: &str| {
        let scene = Scene::json("kms", &format!("TrentService.{operation}"), body).answer(200, "{}");
        at(&scene.record(&recorder()), "/requestParameters").clone()
    };
    assert_eq!(
        parameters("Decrypt", r#"{"EncryptionContext":{"a":"b"}}"#),
        json!({"encryptionContext":{"a":"b"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"})
    );
    assert_eq!(
        parameters("Decrypt", r#"{"EncryptionAlgorithm":"RSAES_OAEP_SHA_256"}"#),
        json!({"encryptionAlgorithm":"RSAES_OAEP_SHA_256"})
    );
    let key = |spec: &str, usage: &str| json!({"description":"","origin":"AWS_KMS","bypassPolicyLockoutSafetyCheck":false,"customerMasterKeySpec":spec,"keySpec":spec,"keyUsage":usage});
    assert_eq!(parameters("CreateKey", "{}"), key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"));
    assert_eq!(
        parameters("CreateKey", r#"{"KeySpec":"ECC_NIST_P256","KeyUsage":"SIGN_VERIFY"}"#),
        key("ECC_NIST_P256", "SIGN_VERIFY")
    );
    assert_eq!(parameters("GenerateRandom", r#"{"NumberOfBytes":32}"#), Value::Null);
}

#[test]
fn lambda_takes_the_name_of_an_updated_function_apart() {
    let updated = |name: &str| {
        let target = format!("/2015-03-31/functions/{name}/code");
        let scene = Scene::signed("PUT", &target, "lambda").body(r#"{"S3Bucket":"b","S3Key":"k"}"#);
        at(&scene.record(&recorder()), "/requestParameters/fullyQualifiedArn").clone()
    };
    let arn = |region: &str, qualifier: Value| json!({"arnPrefix":{"partition":"aws","region":region,"account":ACCOUNT},"relativeId":{"functionName":"f"},"functionQualifier":qualifier});
    assert_eq!(updated("f"), arn("eu-west-1", json!({})));
    assert_eq!(updated("111122223333:function:f:live"), arn("eu-west-1", json!({"qualifier":"live"})));
    assert_eq!(
        updated("arn%3Aaws%3Alambda%3Aus-east-1%3A111122223333%3Afunction%3Af%3A3"),
        arn("us-east-1", json!({"qualifier":"3"}))
    );
}

#[test]
fn every_data_event_names_a_type_by_which_a_trail_can_select_it() {
    let resources = |scene: Scene| {
        let record = scene.record(&recorder());
        assert_eq!(at(&record, "/eventCategory"), "Data", "{record}");
        at(&record, "/resources").clone()
    };
    let kinesis = |body: &str| resources(Scene::json("kinesis", "Kinesis_20131202.GetRecords", body));
    assert_eq!(kinesis(r#"{"ShardIterator":"i"}"#), json!([{"type":"AWS::Kinesis::Stream"}]));
    let stream = "arn:aws:kinesis:eu-west-1:444455556666:stream/s";
    assert_eq!(
        kinesis(&format!(r#"{{"ShardIterator":"i","StreamARN":"{stream}"}}"#)),
        json!([{"accountId":"444455556666","type":"AWS::Kinesis::Stream","ARN":stream}])
    );
    let write =
        Scene::json("timestream", "Timestream_20181101.WriteRecords", r#"{"DatabaseName":"d","TableName":"t"}"#);
    assert_eq!(
        resources(write),
        json!([{"accountId":ACCOUNT,"type":"AWS::Timestream::Table","ARN":"arn:aws:timestream:eu-west-1:111122223333:database/d/table/t"}])
    );
    let missing = Scene::signed("GET", "/nowhere/k", "s3")
        .answer(404, "<Error><Code>NoSuchBucket</Code><Message>no</Message></Error>");
    assert_eq!(resources(missing), json!([{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::nowhere/k"}]));
    let invoked = Scene::signed("POST", "/2015-03-31/functions/f:live/invocations", "lambda");
    assert_eq!(
        resources(invoked),
        json!([{"accountId":ACCOUNT,"type":"AWS::Lambda::Function","ARN":"arn:aws:lambda:eu-west-1:111122223333:function:f"}])
    );
    // One snapshot is named by the query string, the other by the path; a parameter that the model places elsewhere names none.
    let compared =
        Scene::signed("GET", "/snapshots/snap-2/changedblocks?firstSnapshotId=snap-1&SnapshotId=snap-3", "ebs");
    let snapshot = |id: &str| {
        let arn = format!("arn:aws:ec2:eu-west-1::snapshot/{id}");
        json!({"accountId":ACCOUNT,"type":"AWS::EC2::Snapshot","ARN":arn})
    };
    assert_eq!(resources(compared), json!([snapshot("snap-1"), snapshot("snap-2")]));
}

#[test]
fn the_key_of_an_item_is_shown_once_the_table_has_told_it() {
    let recorder = recorder();
    let call = |operation: &str, body: &str| Scene::json("dynamodb", &format!("DynamoDB_20120810.{operation}"), body);
    let asked = |scene: Scene| at(&scene.record(&recorder), "/requestParameters").clone();
    let put = r#"{"TableName":"Music","Item":{"Artist":{"S":"A"},"Song":{"S":"PLANTED"},"Year":{"N":"1972"}}}"#;
    let item = json!(["Artist", "Song", "Year"]);
    assert_eq!(asked(call("PutItem", put)), json!({"tableName":"Music","item":item}), "nobody knows");

    let schema =
        r#""KeySchema":[{"AttributeName":"Artist","KeyType":"HASH"},{"AttributeName":"Year","KeyType":"RANGE"}]"#;
    asked(call("CreateTable", &format!(r#"{{"TableName":"Music",{schema}}}"#)).answer(400, r#"{"__type":"X"}"#));
    assert_eq!(asked(call("PutItem", put)), json!({"tableName":"Music","item":item}), "it was not made");
    asked(call("CreateTable", &format!(r#"{{"TableName":"Music",{schema}}}"#)).answer(200, "{}"));
    let key = json!({"Artist":"A","Year":"1972"});
    assert_eq!(asked(call("PutItem", put)), json!({"tableName":"Music","item":item,"key":key}));
    let transact =
        r#"{"TransactItems":[{"Put":{"TableName":"Music","Item":{"Artist":{"S":"A"},"Year":{"N":"1972"}}}}]}"#;
    assert_eq!(
        asked(call("TransactWriteItems", transact)),
        json!({"requestItems":[{"operation":"Put","tableName":"Music","items":["Artist","Year"],"key":key}]})
    );
    let batch = r#"{"RequestItems":{"Music":[{"PutRequest":{"Item":{"Artist":{"S":"A"},"Year":{"N":"1972"}}}}]}}"#;
    assert_eq!(at(&asked(call("BatchWriteItem", batch)), "/requestItems/0/key"), &key);
    let select = r#"{"Statement":"SELECT * FROM Music WHERE Artist = 'A' AND Song = 'PLANTED'"}"#;
    assert_eq!(
        asked(call("ExecuteStatement", select)),
        json!({"statement":"SELECT * FROM Music WHERE Artist = 'A' AND Song = ***(Redacted)"})
    );

    asked(call("DeleteTable", r#"{"TableName":"Music"}"#).answer(200, "{}"));
    assert_eq!(asked(call("PutItem", put)), json!({"tableName":"Music","item":item}), "another may have another key");
    asked(call("GetItem", r#"{"TableName":"Music","Key":{"Artist":{"S":"B"}}}"#).answer(200, "{}"));
    let by_arn = put.replace("Music", "arn:aws:dynamodb:eu-west-1:111122223333:table/Music");
    assert_eq!(at(&asked(call("PutItem", &by_arn)), "/key"), &json!({"Artist":"A"}), "who names an item names its key");
    let described =
        call("DescribeTable", r#"{"TableName":"Music"}"#).answer(200, &format!(r#"{{"Table":{{{schema}}}}}"#));
    asked(described);
    assert_eq!(at(&asked(call("PutItem", put)), "/key"), &key);
}

#[test]
fn a_queue_that_is_missing_has_one_name_in_both_protocols() {
    let missing = "<ErrorResponse><Error><Code>AWS.SimpleQueueService.NonExistentQueue</Code></Error></ErrorResponse>";
    let query = Scene::form("sqs", "Action=GetQueueUrl&Version=2012-11-05&QueueName=q").answer(400, missing);
    let json = Scene::json("sqs", "AmazonSQS.GetQueueUrl", r#"{"QueueName":"q"}"#)
        .answer(400, r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist"}"#);
    for scene in [query, json] {
        assert_eq!(at(&scene.record(&recorder()), "/errorCode"), "QueueDoesNotExist");
    }
}

#[test]
fn a_web_identity_token_that_has_expired_is_no_bad_signature() {
    let expired = |query: &str| {
        Scene::unsigned("POST", "/")
            .header("host", "sts.amazonaws.com")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(query)
            .answer(400, "<ErrorResponse><Error><Code>ExpiredTokenException</Code></Error></ErrorResponse>")
    };
    let web = expired(
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=s&WebIdentityToken=PLANTED",
    );
    let record = web.record(&recorder());
    assert_eq!(at(&record, "/errorCode"), "ExpiredTokenException");
    assert_eq!(at(&record, "/userIdentity/type"), "WebIdentityUser");
    let other = expired("Action=GetCallerIdentity&Version=2011-06-15").play(&recorder());
    assert!(matches!(other, Verdict::Unrecorded(Reason::Unauthenticated)), "{other:?}");
}

#[test]
fn a_snapshot_shared_the_older_way_is_recorded_as_shared() {
    let share = |operation: &str, more: &str| {
        let scene = Scene::form("ec2", &format!("Action={operation}&Version=2016-11-15{more}"));
        at(&scene.record(&recorder()), "/requestParameters").clone()
    };
    let with = "&SnapshotId=s&Attribute=createVolumePermission&OperationType=add&UserId.1=444455556666&UserGroup.1=all";
    assert_eq!(
        share("ModifySnapshotAttribute", with),
        json!({"snapshotId":"s","attributeType":"CREATE_VOLUME_PERMISSION",
            "createVolumePermission":{"add":{"items":[{"userId":"444455556666"},{"group":"all"}]}}})
    );
    assert_eq!(
        share("ModifyImageAttribute", "&ImageId=i&Attribute=launchPermission&OperationType=remove&UserGroup.1=all"),
        json!({"imageId":"i","attributeType":"launchPermission","launchPermission":{"remove":{"items":[{"group":"all"}]}}})
    );
}

#[test]
fn a_call_of_a_stream_names_the_table_and_the_stream() {
    let stream = "arn:aws:dynamodb:eu-west-1:111122223333:table/t/stream/2026-01-15T10:00:00.000";
    let both = json!([
        {"accountId":ACCOUNT,"type":"AWS::DynamoDB::Table","ARN":"arn:aws:dynamodb:eu-west-1:111122223333:table/t"},
        {"accountId":ACCOUNT,"type":"AWS::DynamoDB::Stream","ARN":stream}
    ]);
    for (operation, body) in [
        ("GetShardIterator", format!(r#"{{"StreamArn":"{stream}","ShardId":"s"}}"#)),
        ("GetRecords", format!(r#"{{"ShardIterator":"{stream}|1|AAAA"}}"#)),
    ] {
        let scene = Scene::json("dynamodb", &format!("DynamoDBStreams_20120810.{operation}"), &body);
        assert_eq!(at(&scene.record(&recorder()), "/resources"), &both, "{operation}");
    }
}

#[test]
fn a_sent_mail_tells_its_id() {
    let sent = Scene::form("ses", "Action=SendEmail&Version=2010-12-01&Source=a%40example.com").answer(
        200,
        "<SendEmailResponse><SendEmailResult><MessageId>m-1</MessageId></SendEmailResult></SendEmailResponse>",
    );
    let record = sent.record(&recorder());
    assert_eq!(at(&record, "/additionalEventData"), &json!({"sesMessageId":"m-1"}));
    assert_eq!(at(&record, "/responseElements"), &Value::Null);
}

#[test]
fn services_add_what_real_records_show_that_they_add() {
    let deleted = |body: &str| {
        let scene = Scene::json("events", "AWSEvents.DeleteRule", body).answer(200, "");
        at(&scene.record(&recorder()), "/requestParameters").clone()
    };
    assert_eq!(deleted(r#"{"Name":"r"}"#), json!({"name":"r","force":false}));
    assert_eq!(deleted(r#"{"Name":"r","Force":true}"#), json!({"name":"r","force":true}));
    let disabled = |key: &str| {
        let body = format!(r#"{{"KeyId":"{key}"}}"#);
        let scene = Scene::json("kms", "TrentService.DisableKey", &body).answer(200, "");
        at(&scene.record(&recorder()), "/responseElements").clone()
    };
    assert_eq!(disabled("k"), json!({"keyId":"arn:aws:kms:eu-west-1:111122223333:key/k"}));
    assert_eq!(disabled("alias/a"), Value::Null, "nobody says which key that is");
    let sent = Scene::json("ssm", "AmazonSSM.SendCommand", r#"{"DocumentName":"d"}"#)
        .answer(200, r#"{"Command":{"CommandId":"c"}}"#)
        .record(&recorder());
    assert_eq!(
        at(&sent, "/responseElements/command"),
        &json!({
            "commandId":"c","clientName":"","clientSourceId":"","hasCancelCommandSignature":false,
            "hasSendCommandSignature":false,"interactive":false
        })
    );
}

#[test]
fn a_published_message_is_hidden_and_its_id_shown() {
    let record = Scene::form(
        "sns",
        "Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A111122223333%3At&Message=PLANTED",
    )
    .answer(200, "<PublishResponse><PublishResult><MessageId>1c6ef438</MessageId></PublishResult></PublishResponse>")
    .record(&recorder());
    assert_eq!(
        (at(&record, "/requestParameters/message"), at(&record, "/responseElements")),
        (&json!("HIDDEN_DUE_TO_SECURITY_REASONS"), &json!({"messageId":"1c6ef438"}))
    );
    assert_eq!(at(&record, "/eventCategory"), "Data");
}

#[test]
fn the_extended_id_of_sts_is_told_and_says_where_the_global_endpoint_served() {
    let sts = |host: &str, id: &str| {
        Scene::form("sts", "Action=GetCallerIdentity&Version=2011-06-15")
            .header("host", host)
            .answer_header("x-amz-sts-extended-request-id", id)
            .record(&recorder())
    };
    // 1:us-east-2:S:1763579652304:R:1Qdxo2gT
    let id = "MTp1cy1lYXN0LTI6UzoxNzYzNTc5NjUyMzA0OlI6MVFkeG8yZ1Q=";
    assert_eq!(
        at(&sts("sts.amazonaws.com", id), "/additionalEventData"),
        &json!({"ExtendedRequestId":id,"RequestDetails":{"endpointType":"global","awsServingRegion":"us-east-2"}})
    );
    assert_eq!(
        at(&sts("sts.eu-west-1.amazonaws.com", id), "/additionalEventData/RequestDetails"),
        &json!({"endpointType":"regional","awsServingRegion":"eu-west-1"})
    );
    assert_eq!(
        at(&sts("sts.amazonaws.com", "none"), "/additionalEventData/RequestDetails"),
        &json!({"endpointType":"global"})
    );
}

#[test]
fn what_somebody_else_was_not_allowed_is_the_callers_record_all_the_same() {
    let error = |message: &str| {
        format!(
            "<Response><Errors><Error><Code>AuthFailure</Code><Message>{message}</Message></Error></Errors></Response>"
        )
    };
    let export = Scene::form("ec2", "Action=CreateInstanceExportTask&Version=2016-11-15&InstanceId=i-1");
    let record = export.clone().answer(400, &error("the export may not write to the bucket")).record(&recorder());
    assert_eq!(at(&record, "/errorCode"), &json!("Client.AuthFailure"));
    assert_eq!(at(&record, "/requestParameters/instanceId"), &json!("i-1"));
    let refused = export.answer(401, &error("not able to validate the credentials")).play(&recorder());
    assert!(matches!(refused, opentrail_capture::Verdict::Unrecorded(_)), "{refused:?}");
}

#[test]
fn the_keys_of_tags_are_no_keys_of_items() {
    let tagged =
        r#"{"ResourceArn":"arn:aws:dynamodb:eu-west-1:111122223333:table/t","Tags":[{"Key":"team","Value":"blue"}]}"#;
    let record = Scene::json("dynamodb", "DynamoDB_20120810.TagResource", tagged).record(&recorder());
    assert_eq!(at(&record, "/requestParameters/tags"), &json!([{"key":"team","value":"blue"}]));
}

#[test]
fn what_some_calls_that_only_look_gave_is_told() {
    let listed = r#"{"tags":[{"key":"team","value":"blue"}]}"#;
    let list =
        |target: &str| Scene::json("ecs", target, r#"{"resourceArn":"arn"}"#).answer(200, listed).record(&recorder());
    let record = list("AmazonEC2ContainerServiceV20141113.ListTagsForResource");
    assert_eq!((at(&record, "/readOnly"), at(&record, "/responseElements/tags/0/key")), (&json!(true), &json!("team")));
    let record = list("AmazonEC2ContainerServiceV20141113.ListServices");
    assert_eq!(at(&record, "/responseElements"), &Value::Null);
}

#[test]
fn what_manages_a_table_or_makes_a_queue_names_it_too() {
    let named = |target: &str, service: &str, body: &str| {
        at(&Scene::json(service, target, body).record(&recorder()), "/resources").clone()
    };
    let table = json!([{"accountId":ACCOUNT,"type":"AWS::DynamoDB::Table","ARN":format!("arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/t")}]);
    let queue =
        json!([{"accountId":ACCOUNT,"type":"AWS::SQS::Queue","ARN":format!("arn:aws:sqs:eu-west-1:{ACCOUNT}:q")}]);
    assert_eq!(named("DynamoDB_20120810.DescribeTable", "dynamodb", r#"{"TableName":"t"}"#), table);
    assert_eq!(named("DynamoDB_20120810.ListTables", "dynamodb", "{}"), Value::Null);
    assert_eq!(named("AmazonSQS.CreateQueue", "sqs", r#"{"QueueName":"q"}"#), queue);
    assert_eq!(named("AmazonSQS.DeleteQueue", "sqs", r#"{"QueueUrl":"https://sqs/111122223333/q"}"#), Value::Null);
}

#[test]
fn an_error_has_its_modeled_name_in_json_too() {
    let record = Scene::json("monitoring", "GraniteServiceVersion20100801.GetDashboard", r#"{"DashboardName":"d"}"#)
        .answer(404, r#"{"__type":"ResourceNotFound","message":"no"}"#)
        .record(&recorder());
    assert_eq!(at(&record, "/errorCode"), "DashboardNotFoundError");
}

#[test]
fn what_aws_lets_a_page_read_stands_beside_the_result() {
    const EXPOSED: &str = "Access-Control-Expose-Headers";
    let result = |exposed: &str| {
        let create = Scene::signed("PUT", "/environments/e", "airflow").body("{}");
        let record = create.answer(200, r#"{"Arn":"arn"}"#).answer_header(EXPOSED, exposed).record(&recorder());
        at(&record, "/responseElements").clone()
    };
    let aws = "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date";
    assert_eq!(result(aws), json!({EXPOSED: aws, "Arn": "arn"}));
    assert_eq!(result("etag,x-amz-version-id"), json!({"Arn": "arn"}), "somebody else's");
}

#[test]
fn api_gateway_has_the_body_under_the_name_of_its_input() {
    let stage = Scene::signed("POST", "/restapis/a/stages", "apigateway").body(r#"{"stageName":"live"}"#);
    assert_eq!(
        at(&stage.record(&recorder()), "/requestParameters"),
        &json!({"restApiId":"a","createStageInput":{"stageName":"live"},"template":false})
    );
    let resource = Scene::signed("GET", "/restapis/a/resources/r", "apigateway").record(&recorder());
    assert_eq!(at(&resource, "/requestParameters"), &json!({"restApiId":"a","resourceId":"r","template":false}));
    let all = Scene::signed("GET", "/account", "apigateway").record(&recorder());
    assert_eq!(at(&all, "/requestParameters"), &Value::Null);
}

/// A call of SQS as older SDKs and people with curl make it.
fn queue_form(target: &str, body: &str, answer: &str) -> Value {
    let form = Scene::signed("POST", target, "sqs").header("content-type", "application/x-www-form-urlencoded");
    form.body(&format!("{body}&Version=2012-11-05")).answer(200, answer).record(&recorder())
}

#[test]
fn lists_and_maps_of_a_queue_are_known_by_their_names_in_forms() {
    let url = "QueueUrl=https%3A%2F%2Fsqs%2F111122223333%2Fq";
    let parameters = |body: &str| at(&queue_form("/", &format!("{body}&{url}"), ""), "/requestParameters").clone();
    let with = |name: &str, value: Value| json!({name: value, "queueUrl": "https://sqs/111122223333/q"});
    assert_eq!(
        parameters("Action=SetQueueAttributes&Attribute.1.Name=DelaySeconds&Attribute.1.Value=5"),
        with("attributes", json!({"DelaySeconds": "5"}))
    );
    // Names that SQS does not know hide nothing.
    for forged in [
        "Attribute.1.key=DelaySeconds&Attribute.1.value=1&Attribute.1.Name=Policy&Attribute.1.Value=open",
        "Attribute.1.Name=Policy&Attribute.1.Value=open&Attributes.1.Name=Policy&Attributes.1.Value=closed",
        "Attribute.entry.1.key=Policy&Attribute.entry.1.value=closed&Attribute.1.Name=Policy&Attribute.1.Value=open",
    ] {
        let open = with("attributes", json!({"Policy": "open"}));
        assert_eq!(parameters(&format!("Action=SetQueueAttributes&{forged}")), open, "{forged}");
    }
    assert_eq!(parameters("Action=TagQueue&Tag.1.Key=k&Tag.1.Value=v"), with("tags", json!({"k": "v"})));
    assert_eq!(parameters("Action=UntagQueue&TagKey.1=a&TagKey.2=b"), with("tagKeys", json!(["a", "b"])));
    let sent = queue_form(
        "/",
        &format!(
            "Action=SendMessageBatch&SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=PLANTED&{url}"
        ),
        "<SendMessageBatchResponse><SendMessageBatchResult><SendMessageBatchResultEntry><Id>a</Id><MessageId>m</MessageId></SendMessageBatchResultEntry></SendMessageBatchResult></SendMessageBatchResponse>",
    );
    assert_eq!(at(&sent, "/requestParameters/entries"), &json!([{"id": "a"}]));
    assert_eq!(at(&sent, "/responseElements/successful"), &json!([{"id": "a", "messageId": "m"}]));
}

#[test]
fn a_form_that_is_sent_to_a_queue_names_it() {
    let sent = queue_form("/111122223333/orders", "Action=SendMessage&MessageBody=x", "");
    assert_eq!(at(&sent, "/resources/0/ARN"), "arn:aws:sqs:eu-west-1:111122223333:orders");
}

#[test]
fn what_is_published_or_put_names_where_it_goes() {
    let resources = |scene: Scene| at(&scene.record(&recorder()), "/resources").clone();
    let put = |body: &str| resources(Scene::json("events", "AWSEvents.PutEvents", body));
    let bus = |name: &str| json!({"type":"AWS::Events::EventBus","ARN":format!("arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/{name}")});
    assert_eq!(put(r#"{"Entries":[{"EventBusName":"mine"},{"Detail":"x"},{}]}"#), json!([bus("mine"), bus("default")]));
    let endpoint = put(r#"{"EndpointId":"abc.xyz","Entries":[{}]}"#);
    assert_eq!(endpoint, json!([bus("default"), {"type":"AWS::Events::Endpoint"}]));
    let publish = |arn: &str| {
        resources(Scene::form("sns", &format!("Action=Publish&Version=2010-03-31&TargetArn={arn}&Message=m")))
    };
    let device = format!("arn:aws:sns:eu-west-1:{ACCOUNT}:endpoint/GCM/app/1");
    assert_eq!(publish(&device), json!([{"accountId":ACCOUNT,"type":"AWS::SNS::PlatformEndpoint","ARN":device}]));
    let decoy = Scene::form("sns", "Action=Subscribe&Version=2010-03-31&TopicArn=t&Protocol=http&TargetArn=decoy");
    assert_eq!(resources(decoy), Value::Null);
    let topic = format!("arn:aws:sns:eu-west-1:{ACCOUNT}:t");
    assert_eq!(publish(&topic), json!([{"accountId":ACCOUNT,"type":"AWS::SNS::Topic","ARN":topic}]));
}

#[test]
fn both_keys_of_a_new_encryption_are_named() {
    let arn = |id: &str| format!("arn:aws:kms:eu-west-1:{ACCOUNT}:key/{id}");
    let answer = format!(r#"{{"SourceKeyId":"{}","KeyId":"{}","SourceKeyMaterialId":"m"}}"#, arn("a"), arn("b"));
    let call = Scene::json("kms", "TrentService.ReEncrypt", r#"{"SourceKeyId":"a","DestinationKeyId":"b"}"#);
    let record = call.answer(200, &answer).record(&recorder());
    assert_eq!(
        (at(&record, "/resources/0/ARN"), at(&record, "/resources/1/ARN")),
        (&json!(arn("a")), &json!(arn("b")))
    );
    assert_eq!(at(&record, "/additionalEventData/sourceKeyMaterialId"), "m");
}

#[test]
fn query_parameters_are_told_as_their_service_tells_values() {
    let asked = |service: &str, target: &str, pointer: &str| {
        at(&Scene::signed("GET", target, service).record(&recorder()), pointer).clone()
    };
    let created =
        asked("backup", "/backup-jobs/?createdAfter=2021-07-04T13:03:43Z", "/requestParameters/byCreatedAfter");
    assert_eq!(created, "Jul 4, 2021 1:03:43 PM");
    assert_eq!(asked("backup", "/backup-jobs/?maxResults=7", "/requestParameters/maxResults"), 7);
    assert_eq!(asked("datazone", "/v2/domains?maxResults=7", "/requestParameters/maxResults"), "7");
}

#[test]
fn a_program_that_is_told_as_it_was_sent_is_told_whole() {
    let body = r#"{"Name":"c","Code":{"Handler":"h","ZipFile":"UEsDBAo="}}"#;
    let record = Scene::signed("POST", "/canary", "synthetics").body(body).record(&recorder());
    assert_eq!(at(&record, "/requestParameters/Code/ZipFile"), "UEsDBAo=");
}

#[test]
fn repositories_documents_and_tables_are_named_wherever_a_call_names_them() {
    let named = |scene: Scene| -> Vec<Value> {
        let record = scene.record(&recorder());
        let resources = at(&record, "/resources").as_array().cloned().unwrap_or_default();
        resources.into_iter().map(|mut resource| resource["ARN"].take()).collect()
    };
    let repository = format!("arn:aws:codecommit:eu-west-1:{ACCOUNT}:r");
    let commit =
        |operation: &str, body: &str| Scene::json("codecommit", &format!("CodeCommit_20150413.{operation}"), body);
    assert_eq!(
        named(commit("MergePullRequestByFastForward", r#"{"pullRequestId":"1","repositoryName":"r"}"#)),
        [repository.as_str()]
    );
    assert_eq!(
        named(commit("CreatePullRequest", r#"{"title":"t","targets":[{"repositoryName":"r"}]}"#)),
        [repository.as_str()]
    );
    let closed = commit("UpdatePullRequestStatus", r#"{"pullRequestId":"1","pullRequestStatus":"CLOSED"}"#)
        .answer(200, r#"{"pullRequest":{"pullRequestTargets":[{"repositoryName":"r"}]}}"#);
    assert_eq!(named(closed), [repository.as_str()]);
    let ssm = |operation: &str, body: &str| Scene::json("ssm", &format!("AmazonSSM.{operation}"), body);
    let (aws, own) = (
        "arn:aws:ssm:eu-west-1::document/AWS-RunShellScript",
        format!("arn:aws:ssm:eu-west-1:{ACCOUNT}:document/mine"),
    );
    assert_eq!(named(ssm("CreateAssociation", r#"{"Name":"AWS-RunShellScript"}"#)), [aws]);
    assert_eq!(
        named(ssm("UpdateAssociation", r#"{"AssociationId":"a","Name":"mine"}"#)),
        [format!("arn:aws:ssm:eu-west-1:{ACCOUNT}:association/a"), own]
    );
    let table = format!("arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/t");
    let tag = format!(r#"{{"ResourceArn":"{table}/index/i","Tags":[]}}"#);
    assert_eq!(named(Scene::json("dynamodb", "DynamoDB_20120810.TagResource", &tag)), [table]);
}

#[test]
fn calls_of_the_portal_are_service_events() {
    let target = "/federation/credentials?role_name=Admin&account_id=444455556666";
    let call = Scene::unsigned("GET", target)
        .header("host", "portal.sso.eu-west-1.amazonaws.com")
        .header("x-amz-sso_bearer_token", "PLANTED");
    let record = call.record(&recorder());
    assert_eq!(
        (at(&record, "/eventName"), at(&record, "/eventType")),
        (&json!("GetRoleCredentials"), &json!("AwsServiceEvent"))
    );
    assert_eq!(at(&record, "/requestParameters"), &Value::Null);
    assert_eq!(at(&record, "/serviceEventDetails"), &json!({"role_name": "Admin", "account_id": "444455556666"}));
}

#[test]
fn scaling_comes_under_the_name_of_its_parent() {
    let target = "AnyScaleFrontendService.RegisterScalableTarget";
    let record = Scene::json("application-autoscaling", target, r#"{"ServiceNamespace":"ecs"}"#).record(&recorder());
    assert_eq!(at(&record, "/eventSource"), "autoscaling.amazonaws.com");
    assert_eq!(at(&record, "/additionalEventData/service"), "application-autoscaling");
}

#[test]
fn what_is_global_happens_where_its_partition_has_it() {
    for (signed, recorded) in
        [("eu-west-1", "us-east-1"), ("cn-northwest-1", "cn-north-1"), ("us-gov-east-1", "us-gov-west-1")]
    {
        let mut call = Scene::form("iam", "Action=ListUsers&Version=2010-05-08");
        for (_, value) in call.headers.iter_mut().filter(|(name, _)| name == "authorization") {
            *value = String::from_utf8_lossy(value).replace("eu-west-1", signed).into_bytes();
        }
        assert_eq!(at(&call.record(&recorder()), "/awsRegion"), recorded, "{signed}");
    }
}
