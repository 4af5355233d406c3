//! Creating, reading, updating and deleting trails.

use super::*;

#[test]
fn a_new_trail_has_the_defaults_of_the_api_and_is_shown_without_what_is_not_set() {
    let api = Api::new();
    let created = api.ok("CreateTrail", json!({"Name": "main", "S3BucketName": "audit", "S3KeyPrefix": "ct"}));
    // The response of `reference/trails-and-delivery.md §2`, members in its order.
    let expected = r#"{"Name":"main","S3BucketName":"audit","S3KeyPrefix":"ct","IncludeGlobalServiceEvents":true,"IsMultiRegionTrail":false,"TrailARN":"arn:aws:cloudtrail:eu-west-1:111122223333:trail/main","LogFileValidationEnabled":false,"IsOrganizationTrail":false}"#;
    assert_eq!(created.to_string(), expected);
    let read = api.ok("GetTrail", json!({"Name": "main"}));
    let mut expected = created;
    expected["HomeRegion"] = json!("eu-west-1");
    expected["HasCustomEventSelectors"] = json!(false);
    expected["HasInsightSelectors"] = json!(false);
    expected["RecursiveLogging"] = json!(true);
    assert_eq!(read["Trail"], expected);
    for wish in [true, false] {
        let updated = api.ok("UpdateTrail", json!({"Name": "main", "RecursiveLogging": wish}));
        assert_eq!(updated["RecursiveLogging"], json!(wish), "what is asked for is answered");
    }
    assert_eq!(api.ok("UpdateTrail", json!({"Name": "main"}))["RecursiveLogging"], json!(false));
    assert_eq!(api.ok("GetTrailStatus", json!({"Name": "main"}))["IsLogging"], json!(false));
}

#[test]
fn creating_writes_the_marker_objects_where_delivery_will_write() {
    let api = Api::new();
    api.ok("CreateTrail", json!({"Name": "one", "S3BucketName": "audit"}));
    api.ok(
        "CreateTrail",
        json!({"Name": "two", "S3BucketName": "audit", "S3KeyPrefix": "a/b/", "EnableLogFileValidation": true}),
    );
    let expected = [
        "audit/AWSLogs/111122223333/CloudTrail/",
        "audit/a/b/AWSLogs/111122223333/CloudTrail/",
        "audit/a/b/AWSLogs/111122223333/CloudTrail-Digest/",
    ];
    assert_eq!(*api.store.markers.lock().unwrap(), expected);
}

#[test]
fn a_trail_of_another_partition_is_named_in_it() {
    let api = Api::new();
    let create = json!({"Name": "main", "S3BucketName": "audit"});
    let arn = "arn:aws-cn:cloudtrail:cn-north-1:111122223333:trail/main";
    assert_eq!(api.ok_in("cn-north-1", "CreateTrail", create)["TrailARN"], json!(arn));
    assert_eq!(api.ok_in("cn-north-1", "GetTrail", json!({"Name": arn}))["Trail"]["TrailARN"], json!(arn));
}

#[test]
fn a_prefix_is_measured_as_it_is_given() {
    let api = Api::new();
    let with = |prefix: String| json!({"Name": "main", "S3BucketName": "audit", "S3KeyPrefix": prefix});
    api.refuses("CreateTrail", with("p".repeat(200) + "/"), "InvalidS3PrefixException");
    assert_eq!(api.ok("CreateTrail", with("p".repeat(199) + "/"))["S3KeyPrefix"], json!("p".repeat(199)));
}

#[test]
fn a_bucket_that_is_missing_or_refuses_leaves_no_trail() {
    let api = Api::new();
    let (code, message) = api.refused("CreateTrail", json!({"Name": "main", "S3BucketName": "nowhere"}));
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("S3BucketDoesNotExistException", "S3 bucket nowhere does not exist!")
    );
    let locked = json!({"Name": "main", "S3BucketName": "locked-audit"});
    api.refuses("CreateTrail", locked, "InsufficientS3BucketPolicyException");
    let (code, message) = api.refused("CreateTrail", json!({"Name": "main", "S3BucketName": "far-away"}));
    assert_eq!(code, "InsufficientS3BucketPolicyException");
    assert!(message.contains("far-away") && message.contains("http://store:9000 cannot be reached"), "{message}");
    assert!(!message.contains("connection refused"), "the cause is the operator's");
    assert_eq!(api.ok("DescribeTrails", json!({})), json!({"trailList": []}));
}

#[test]
fn a_bucket_whose_acl_may_not_be_read_is_refused_and_keeps_its_marker() {
    let api = Api::new();
    let with = |bucket: &str| json!({"Name": "main", "S3BucketName": bucket});
    api.refuses("CreateTrail", with("shy-audit"), "InsufficientS3BucketPolicyException");
    assert_eq!(*api.store.markers.lock().unwrap(), ["shy-audit/AWSLogs/111122223333/CloudTrail/"]);
    api.refuses("CreateTrail", with("shy-nowhere"), "S3BucketDoesNotExistException");
    assert_eq!(api.ok("DescribeTrails", json!({})), json!({"trailList": []}));
}

#[test]
fn a_key_that_may_not_be_looked_at_is_left_to_the_bucket() {
    let mut api = Api::new();
    api.api = api.api.with_kms(Some(Arc::new(Keys)));
    let create = |bucket: &str| json!({"Name": "main", "S3BucketName": bucket, "KmsKeyId": "alias/secret"});
    api.refuses("CreateTrail", create("plain-audit"), "UnsupportedOperationException");
    let arn = "arn:aws:kms:eu-west-1:111122223333:alias/secret";
    assert_eq!(api.ok("CreateTrail", create("audit"))["KmsKeyId"], arn);
    assert_eq!(*api.store.marker_keys.lock().unwrap(), [Some(arn.to_owned())]);
}

#[test]
fn a_key_is_found_by_any_of_its_names_and_shown_by_its_arn() {
    let mut api = Api::new();
    let create = |api: &Api, key: &str| {
        let trail = api.ok("CreateTrail", json!({"Name": "main", "S3BucketName": "audit", "KmsKeyId": key}));
        assert_eq!(api.ok("GetTrail", json!({"Name": "main"}))["Trail"]["KmsKeyId"], trail["KmsKeyId"]);
        api.ok("DeleteTrail", json!({"Name": "main"}));
        trail["KmsKeyId"].clone()
    };
    let with = |bucket: &str, key: &str| json!({"Name": "main", "S3BucketName": bucket, "KmsKeyId": key});
    // Nobody can be asked: what names a key by itself is believed.
    for key in [KEY, "12345678-1234-1234-1234-123456789012"] {
        assert_eq!(create(&api, key), json!(KEY), "{key}");
    }
    api.refuses("CreateTrail", with("audit", "alias/audit"), "KmsKeyNotFoundException");
    api.refuses("CreateTrail", with("plain-audit", KEY), "UnsupportedOperationException");
    api.api = api.api.with_kms(Some(Arc::new(Keys)));
    for key in [KEY, "12345678-1234-1234-1234-123456789012", "alias/audit"] {
        assert_eq!(create(&api, key), json!(KEY), "{key}");
    }
    for (key, code) in [
        ("87654321-1234-1234-1234-123456789012", "InsufficientEncryptionPolicyException"),
        ("alias/unknown", "InsufficientEncryptionPolicyException"),
        ("alias/disabled", "KmsException"),
        ("alias/far", "KmsKeyNotFoundException"),
        ("arn:aws:kms:ap-south-1:111122223333:key/12345678-1234-1234-1234-123456789012", "KmsKeyNotFoundException"),
    ] {
        api.store.marker_keys.lock().unwrap().clear();
        api.refuses("CreateTrail", with("audit", key), code);
        let keys = api.store.marker_keys.lock().unwrap().clone();
        assert!(matches!(&keys[..], [Some(_)]), "the bucket is tried before the key, and never without one: {keys:?}");
    }
    assert_eq!(api.ok("DescribeTrails", json!({})), json!({"trailList": []}));
}

#[test]
fn create_is_checked_by_syntax_first_then_by_what_there_is_then_by_the_bucket() {
    let api = Api::new();
    let with = |more: Value| {
        let mut body = json!({"Name": "main", "S3BucketName": "nowhere"});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    for (more, code) in [
        (json!({"Name": "x"}), "InvalidTrailNameException"),
        (json!({"Name": null}), "InvalidTrailNameException"),
        (json!({"Name": arn("eu-west-1", "main")}), "InvalidTrailNameException"),
        (json!({"S3BucketName": null}), "InvalidS3BucketNameException"),
        (json!({"S3BucketName": "Not_A_Bucket"}), "InvalidS3BucketNameException"),
        (json!({"S3KeyPrefix": "a".repeat(201)}), "InvalidS3PrefixException"),
        (json!({"SnsTopicName": "orders.fifo"}), "InvalidSnsTopicNameException"),
        (json!({"CloudWatchLogsLogGroupArn": "g"}), "InvalidCloudWatchLogsRoleArnException"),
        (json!({"CloudWatchLogsRoleArn": "r"}), "InvalidCloudWatchLogsLogGroupArnException"),
        (json!({"KmsKeyId": "no key"}), "InvalidKmsKeyIdException"),
        (json!({"TagsList": [{"Key": "a"}, {"Key": "a"}]}), "InvalidTagParameterException"),
        (
            json!({"IsMultiRegionTrail": true, "IncludeGlobalServiceEvents": false}),
            "InvalidParameterCombinationException",
        ),
        (json!({"IsOrganizationTrail": true}), "OrganizationsNotInUseException"),
        // Valid wishes that this version could not keep.
        (json!({"SnsTopicName": "topic"}), "UnsupportedOperationException"),
        (json!({"KmsKeyId": "alias/key"}), "S3BucketDoesNotExistException"),
        (json!({"KmsKeyId": KEY.replace("eu-west-1", "us-east-1")}), "S3BucketDoesNotExistException"),
        (json!({}), "S3BucketDoesNotExistException"),
    ] {
        api.refuses("CreateTrail", with(more), code);
    }
    assert!(api.store.markers.lock().unwrap().is_empty(), "nothing is written for a refused trail");
    api.create("main");
    api.refuses("CreateTrail", with(json!({})), "TrailAlreadyExistsException");
}

#[test]
fn a_region_holds_five_trails_and_shadows_count() {
    let api = Api::new();
    for name in ["one", "two", "three", "four"] {
        api.create(name);
    }
    let everywhere = json!({"Name": "everywhere", "S3BucketName": "audit", "IsMultiRegionTrail": true});
    api.ok_in("us-east-1", "CreateTrail", everywhere.clone());
    let (code, message) = api.refused("CreateTrail", json!({"Name": "six", "S3BucketName": "audit"}));
    assert_eq!(code, "MaximumNumberOfTrailsExceededException");
    assert_eq!(message, "User: 111122223333 already has 5 trails in eu-west-1.");
    let another = json!({"Name": "another", "S3BucketName": "audit", "IsMultiRegionTrail": true});
    let (code, _) = api.refused_in("us-west-2", "CreateTrail", another);
    assert_eq!(code, "MaximumNumberOfTrailsExceededException", "it would be the sixth of eu-west-1");
    api.ok_in("us-west-2", "CreateTrail", json!({"Name": "another", "S3BucketName": "audit"}));
    let spread = json!({"Name": "another", "IsMultiRegionTrail": true});
    assert_eq!(api.refused_in("us-west-2", "UpdateTrail", spread).0, "MaximumNumberOfTrailsExceededException");
    // A shadow takes its name in every Region.
    let (code, _) = api.refused("CreateTrail", json!({"Name": "everywhere", "S3BucketName": "audit"}));
    assert_eq!(code, "TrailAlreadyExistsException");
}

/// Names and ARNs of the trails in a DescribeTrails response.
fn described(api: &Api, region: &str, body: Value) -> Vec<String> {
    let answer = api.ok_in(region, "DescribeTrails", body);
    answer["trailList"].as_array().unwrap().iter().map(|trail| trail["TrailARN"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn describe_trails_shows_this_regions_trails_and_shadows() {
    let api = Api::new();
    api.create("local");
    api.ok_in(
        "us-east-1",
        "CreateTrail",
        json!({"Name": "everywhere", "S3BucketName": "audit", "IsMultiRegionTrail": true}),
    );
    api.ok_in("us-west-2", "CreateTrail", json!({"Name": "elsewhere", "S3BucketName": "audit"}));
    let (local, everywhere, elsewhere) =
        (arn("eu-west-1", "local"), arn("us-east-1", "everywhere"), arn("us-west-2", "elsewhere"));
    let here = |body| described(&api, "eu-west-1", body);
    assert_eq!(here(json!({})), [local.as_str(), &everywhere]);
    assert_eq!(here(json!({"trailNameList": [], "includeShadowTrails": true})), [local.as_str(), &everywhere]);
    assert_eq!(here(json!({"includeShadowTrails": false})), [local.as_str()]);
    // A name is one of this Region and account; a shadow, or a trail elsewhere, is asked for by its ARN.
    assert_eq!(here(json!({"trailNameList": ["local", "everywhere", "unknown"]})), [local.as_str()]);
    assert_eq!(here(json!({"trailNameList": [everywhere, elsewhere]})), [everywhere.as_str(), &elsewhere]);
    let foreign = "arn:aws:cloudtrail:eu-west-1:999999999999:trail/local";
    assert_eq!(here(json!({"trailNameList": [foreign]})), [""; 0]);
    api.refuses("DescribeTrails", json!({"trailNameList": ["arn:aws:nonsense"]}), "CloudTrailARNInvalidException");
    api.refuses("DescribeTrails", json!({"trailNameList": ["x"]}), "InvalidTrailNameException");
    let listed = |region| api.ok_in(region, "ListTrails", json!({}));
    let entry = |arn: &str, name, home| json!({"TrailARN": arn, "Name": name, "HomeRegion": home});
    let (at_home, shadow) = (entry(&local, "local", "eu-west-1"), entry(&everywhere, "everywhere", "us-east-1"));
    assert_eq!(listed("eu-west-1"), json!({"Trails": [at_home, shadow]}));
    assert_eq!(listed("ap-south-1"), json!({"Trails": [shadow]}), "a trail of one Region is listed there alone");
}

#[test]
fn an_unknown_trail_is_echoed_as_asked_by_reads_and_in_full_by_changes() {
    let api = Api::new();
    let text = |operation: &str, name: &str| {
        let (code, message) = api.refused(operation, json!({"Name": name}));
        assert_eq!(code, "TrailNotFoundException");
        message
    };
    assert_eq!(text("GetTrail", "nope"), "Unknown trail: nope for the user: 111122223333");
    for operation in ["StartLogging", "StopLogging", "DeleteTrail", "UpdateTrail"] {
        let full = format!("Unknown trail: {} for the user: 111122223333", arn("eu-west-1", "nope"));
        assert_eq!(text(operation, "nope"), full);
        assert_eq!(text(operation, &arn("eu-west-1", "nope")), full);
    }
    for operation in ["GetTrail", "GetTrailStatus", "StartLogging", "DeleteTrail"] {
        api.refuses(operation, json!({"Name": "arn:aws:cloudtrail:x"}), "CloudTrailARNInvalidException");
        api.refuses(operation, json!({}), "InvalidTrailNameException");
    }
}

#[test]
fn an_arn_of_another_partition_names_no_trail_of_this_one() {
    let api = Api::new();
    api.create("main");
    for partition in ["aws-cn", "aws-us-gov"] {
        let other = arn("eu-west-1", "main").replace("arn:aws:", &format!("arn:{partition}:"));
        for operation in ["GetTrail", "GetTrailStatus", "UpdateTrail", "StartLogging", "StopLogging", "DeleteTrail"] {
            api.refuses(operation, json!({"Name": other}), "TrailNotFoundException");
        }
        api.refuses("GetEventSelectors", json!({"TrailName": other}), "TrailNotFoundException");
        api.refuses("ListTags", json!({"ResourceIdList": [other]}), "ResourceNotFoundException");
        assert_eq!(api.ok("DescribeTrails", json!({"trailNameList": [other]})), json!({"trailList": []}));
    }
}

#[test]
fn a_trail_is_changed_in_its_home_region_only() {
    let api = Api::new();
    api.ok("CreateTrail", json!({"Name": "main", "S3BucketName": "audit", "IsMultiRegionTrail": true}));
    let main = arn("eu-west-1", "main");
    assert_eq!(api.ok_in("us-east-1", "GetTrail", json!({"Name": main}))["Trail"]["HomeRegion"], "eu-west-1");
    for operation in ["StartLogging", "StopLogging", "DeleteTrail", "UpdateTrail"] {
        let (code, message) = api.refused_in("us-east-1", operation, json!({"Name": main}));
        assert_eq!(code, "InvalidHomeRegionException");
        assert!(message.contains("eu-west-1"));
        // By name it is not known there: a name is of the current Region.
        assert_eq!(api.refused_in("us-east-1", operation, json!({"Name": "main"})).0, "TrailNotFoundException");
    }
}

#[test]
fn update_keeps_what_is_not_given_and_the_empty_string_clears() {
    let api = Api::new();
    api.ok(
        "CreateTrail",
        json!({"Name": "main", "S3BucketName": "audit", "S3KeyPrefix": "ct", "EnableLogFileValidation": true}),
    );
    api.store.buckets.lock().unwrap().insert("other".to_owned());
    let moved = api.ok("UpdateTrail", json!({"Name": arn("eu-west-1", "main"), "S3BucketName": "other"}));
    assert_eq!((&moved["S3BucketName"], &moved["S3KeyPrefix"]), (&json!("other"), &json!("ct")));
    assert_eq!(moved["LogFileValidationEnabled"], json!(true));
    let cleared = api.ok("UpdateTrail", json!({"Name": "main", "S3KeyPrefix": "", "EnableLogFileValidation": false}));
    assert!(cleared.get("S3KeyPrefix").is_none() && cleared["S3BucketName"] == "other");
    assert_eq!(cleared["LogFileValidationEnabled"], json!(false));
    api.refuses("UpdateTrail", json!({"Name": "main", "S3BucketName": ""}), "InvalidS3BucketNameException");
    api.refuses("UpdateTrail", json!({"Name": "main", "S3BucketName": "gone"}), "S3BucketDoesNotExistException");
    assert_eq!(api.ok("GetTrail", json!({"Name": "main"}))["Trail"]["S3BucketName"], "other");
}

#[test]
fn the_empty_string_clears_topic_key_and_both_halves_of_the_log_group() {
    let api = Api::new();
    api.create("main");
    let fill = |trail: &mut Trail| -> Result<(), RegistryError> {
        trail.sns_topic_name = Some("topic".to_owned());
        trail.sns_topic_arn = Some("arn:aws:sns:eu-west-1:111122223333:topic".to_owned());
        trail.kms_key_id = Some("alias/key".to_owned());
        trail.cloud_watch_logs_log_group_arn = Some("arn:aws:logs:eu-west-1:111122223333:log-group:g:*".to_owned());
        trail.cloud_watch_logs_role_arn = Some("arn:aws:iam::111122223333:role/R".to_owned());
        Ok(())
    };
    for logs in [
        json!({"CloudWatchLogsLogGroupArn": ""}),
        json!({"CloudWatchLogsRoleArn": ""}),
        json!({"CloudWatchLogsLogGroupArn": "", "CloudWatchLogsRoleArn": ""}),
    ] {
        api.registry.update(&arn("eu-west-1", "main"), fill).unwrap();
        let full = api.ok("GetTrail", json!({"Name": "main"}));
        assert_eq!(full["Trail"]["SnsTopicARN"], "arn:aws:sns:eu-west-1:111122223333:topic");
        let mut body = json!({"Name": "main", "SnsTopicName": "", "KmsKeyId": ""});
        for (name, value) in logs.as_object().unwrap() {
            body[name] = value.clone();
        }
        let cleared = api.ok("UpdateTrail", body);
        for member in ["SnsTopicName", "SnsTopicARN", "KmsKeyId", "CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn"]
        {
            assert!(cleared.get(member).is_none(), "{member}");
        }
    }
    api.registry.update(&arn("eu-west-1", "main"), fill).unwrap();
    let mixed = json!({"Name": "main", "CloudWatchLogsLogGroupArn": "", "CloudWatchLogsRoleArn": "arn:aws:iam::111122223333:role/S"});
    api.refuses("UpdateTrail", mixed, "InvalidCloudWatchLogsLogGroupArnException");
}

#[test]
fn global_events_follow_the_switch_between_one_and_all_regions() {
    let api = Api::new();
    api.create("main");
    let update = |more: Value| {
        let mut body = more;
        body["Name"] = json!("main");
        let trail = api.ok("UpdateTrail", body);
        (trail["IsMultiRegionTrail"].as_bool().unwrap(), trail["IncludeGlobalServiceEvents"].as_bool().unwrap())
    };
    assert_eq!(update(json!({"IncludeGlobalServiceEvents": false})), (false, false));
    assert_eq!(update(json!({"IsMultiRegionTrail": true})), (true, true));
    assert_eq!(update(json!({"IsMultiRegionTrail": true})), (true, true));
    assert_eq!(update(json!({"IsMultiRegionTrail": false})), (false, false));
    assert_eq!(update(json!({"IsMultiRegionTrail": true})), (true, true));
    assert_eq!(update(json!({"IsMultiRegionTrail": false, "IncludeGlobalServiceEvents": true})), (false, true));
    let clash = json!({"Name": "main", "IsMultiRegionTrail": true, "IncludeGlobalServiceEvents": false});
    api.refuses("UpdateTrail", clash, "InvalidParameterCombinationException");
}

#[test]
fn a_deleted_trail_is_gone_and_its_name_is_free() {
    let api = Api::new();
    api.create("main");
    assert_eq!(api.ok("DeleteTrail", json!({"Name": "main"})), json!({}));
    api.refuses("DeleteTrail", json!({"Name": "main"}), "TrailNotFoundException");
    api.create("main");
}

#[test]
fn trails_of_another_account_are_not_seen() {
    let api = Api::new();
    api.create("main");
    let found: Vec<Versioned<Trail>> = api.registry.list().unwrap();
    let theirs = Trail { account_id: "999999999999".to_owned(), name: "theirs".to_owned(), ..Trail::clone(&found[0]) };
    let their_arn = theirs.arn();
    api.registry.put(theirs, Expected::Absent).unwrap();
    assert_eq!(described(&api, "eu-west-1", json!({})), [arn("eu-west-1", "main")]);
    for operation in ["GetTrail", "DeleteTrail", "StartLogging"] {
        api.refuses(operation, json!({"Name": their_arn}), "TrailNotFoundException");
        api.refuses(operation, json!({"Name": "theirs"}), "TrailNotFoundException");
    }
}
