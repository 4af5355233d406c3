//! Event selectors, Insights selectors, event configuration, and what only other resources have.

use super::*;

fn condition(field: &str, operator: &str, value: &str) -> Value {
    json!({"Field": field, operator: [value]})
}

/// An advanced selector for writes below a prefix, its fields in an order of their own.
fn writes() -> Value {
    json!([{"Name": "writes", "FieldSelectors": [
        condition("resources.type", "Equals", "AWS::S3::Object"),
        condition("readOnly", "Equals", "false"),
        condition("eventCategory", "Equals", "Data"),
        condition("resources.ARN", "StartsWith", "arn:aws:s3:::audit/in/"),
    ]}])
}

fn has_custom(api: &Api) -> Value {
    api.ok("GetTrail", json!({"Name": "main"}))["Trail"]["HasCustomEventSelectors"].clone()
}

#[test]
fn a_trail_without_selectors_shows_the_default_and_has_no_custom_ones() {
    let api = Api::new();
    api.create("main");
    let default = json!([{"ReadWriteType": "All", "IncludeManagementEvents": true, "DataResources": [], "ExcludeManagementEventSources": []}]);
    let expected = json!({"TrailARN": arn("eu-west-1", "main"), "EventSelectors": default});
    assert_eq!(api.ok("GetEventSelectors", json!({"TrailName": "main"})), expected);
    assert_eq!(has_custom(&api), json!(false));
    assert_eq!(api.ok("PutEventSelectors", json!({"TrailName": "main", "EventSelectors": default})), expected);
    assert_eq!(has_custom(&api), json!(false), "the default, spelled out, is still the default");
    let short = json!([{"ReadWriteType": "All", "IncludeManagementEvents": true, "DataResources": []}]);
    let answer = api.ok("PutEventSelectors", json!({"TrailName": "main", "EventSelectors": [{}]}));
    assert_eq!(answer["EventSelectors"], short, "what was not said of excluded sources is not shown");
    assert_eq!(api.ok("GetEventSelectors", json!({"TrailName": "main"})), answer);
    assert_eq!(has_custom(&api), json!(false), "the default, said shortly, is still the default");
}

#[test]
fn basic_and_advanced_selectors_replace_one_another() {
    let api = Api::new();
    api.create("main");
    let basic = json!([{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": false,
        "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::audit/"]}],
        "ExcludeManagementEventSources": []}]);
    let put = |body: Value| api.ok("PutEventSelectors", body);
    let main = arn("eu-west-1", "main");
    let answer = put(json!({"TrailName": main, "EventSelectors": basic}));
    assert_eq!(answer, json!({"TrailARN": main, "EventSelectors": basic}));
    assert_eq!(api.ok("GetEventSelectors", json!({"TrailName": main})), answer);
    assert_eq!(has_custom(&api), json!(true));
    let answer = put(json!({"TrailName": "main", "AdvancedEventSelectors": writes()}));
    assert_eq!(answer["AdvancedEventSelectors"], writes(), "as they were given");
    assert!(answer.get("EventSelectors").is_none());
    let read = api.ok("GetEventSelectors", json!({"TrailName": "main"}));
    let fields: Vec<&Value> = read["AdvancedEventSelectors"][0]["FieldSelectors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|condition| &condition["Field"])
        .collect();
    assert_eq!(fields, ["eventCategory", "readOnly", "resources.ARN", "resources.type"]);
    assert!(read.get("EventSelectors").is_none());
    put(json!({"TrailName": "main", "EventSelectors": basic}));
    assert!(api.ok("GetEventSelectors", json!({"TrailName": "main"})).get("AdvancedEventSelectors").is_none());
}

#[test]
fn selectors_that_break_a_rule_leave_the_trail_as_it_was() {
    let api = Api::new();
    api.create("main");
    let before = api.ok("GetEventSelectors", json!({"TrailName": "main"}));
    for (selectors, code) in [
        (json!({}), "InvalidEventSelectorsException"),
        (json!({"EventSelectors": []}), "InvalidEventSelectorsException"),
        (json!({"AdvancedEventSelectors": []}), "InvalidEventSelectorsException"),
        (json!({"EventSelectors": [{}], "AdvancedEventSelectors": writes()}), "InvalidEventSelectorsException"),
        (json!({"EventSelectors": [{"ReadWriteType": "Some"}]}), "InvalidEventSelectorsException"),
        (json!({"EventSelectors": [{"IncludeManagementEvents": "yes"}]}), "SerializationException"),
        (json!({"EventSelectors": ["All"]}), "SerializationException"),
        (json!({"AdvancedEventSelectors": [{"FieldSelectors": []}]}), "InvalidEventSelectorsException"),
        (
            json!({"AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "eventCategory", "Equals": []}]}]}),
            "InvalidEventSelectorsException",
        ),
        (
            json!({"AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "f", "Equals": ["v"]}]}]}),
            "InvalidEventSelectorsException",
        ),
        (
            json!({"AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "eventCategory", "Equals": "Data"}]}]}),
            "SerializationException",
        ),
    ] {
        let mut body = selectors;
        body["TrailName"] = json!("main");
        api.refuses("PutEventSelectors", body, code);
    }
    let unknown_type = json!([{"FieldSelectors": [condition("eventCategory", "Equals", "Data"), condition("resources.type", "Equals", "AWS::S3::Thing")]}]);
    let (code, message) =
        api.refused("PutEventSelectors", json!({"TrailName": "main", "AdvancedEventSelectors": unknown_type}));
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("InvalidEventSelectorsException", "The resources.type field value is not valid.")
    );
    assert_eq!(api.ok("GetEventSelectors", json!({"TrailName": "main"})), before);
}

#[test]
fn selectors_are_put_at_home_and_read_everywhere() {
    let api = Api::new();
    api.ok("CreateTrail", json!({"Name": "main", "S3BucketName": "audit", "IsMultiRegionTrail": true}));
    let main = arn("eu-west-1", "main");
    let body = json!({"TrailName": main, "EventSelectors": [{}]});
    assert_eq!(api.refused_in("us-east-1", "PutEventSelectors", body).0, "InvalidHomeRegionException");
    assert_eq!(api.ok_in("us-east-1", "GetEventSelectors", json!({"TrailName": main}))["TrailARN"], json!(main));
    for operation in ["GetEventSelectors", "GetInsightSelectors"] {
        api.refuses(operation, json!({"TrailName": "nope"}), "TrailNotFoundException");
        api.refuses(operation, json!({"TrailName": "x"}), "InvalidTrailNameException");
        api.refuses(operation, json!({"TrailName": "arn:aws:x"}), "CloudTrailARNInvalidException");
    }
}

#[test]
fn insights_are_off_until_they_are_put_and_off_again_with_an_empty_list() {
    let api = Api::new();
    api.create("main");
    let main = arn("eu-west-1", "main");
    let (code, message) = api.refused("GetInsightSelectors", json!({"TrailName": "main"}));
    assert_eq!(code, "InsightNotEnabledException");
    assert!(message.starts_with(&format!("Trail {main} does not have Insights enabled.")), "{message}");
    let selectors = json!([{"InsightType": "ApiCallRateInsight"}, {"InsightType": "ApiErrorRateInsight", "EventCategories": ["Management"]}]);
    let answer = api.ok("PutInsightSelectors", json!({"TrailName": "main", "InsightSelectors": selectors}));
    assert_eq!(answer, json!({"TrailARN": main, "InsightSelectors": selectors}), "as they were given");
    assert_eq!(api.ok("GetInsightSelectors", json!({"TrailName": main})), answer);
    assert_eq!(api.ok("GetTrail", json!({"Name": "main"}))["Trail"]["HasInsightSelectors"], json!(true));
    let none = json!([{"InsightType": "ApiCallRateInsight", "EventCategories": []}]);
    let answer = api.ok("PutInsightSelectors", json!({"TrailName": "main", "InsightSelectors": none}));
    assert_eq!(
        answer["InsightSelectors"],
        json!([{"InsightType": "ApiCallRateInsight"}]),
        "no category is the default"
    );
    let elsewhere = json!({"TrailName": "main", "InsightSelectors": [], "InsightsDestination": "x"});
    api.refuses("PutInsightSelectors", elsewhere, "InvalidParameterCombinationException");
    api.ok("PutInsightSelectors", json!({"TrailName": "main", "InsightSelectors": []}));
    api.refuses("GetInsightSelectors", json!({"TrailName": "main"}), "InsightNotEnabledException");
    api.ok("StartLogging", json!({"Name": "main"}));
    api.ok(
        "PutInsightSelectors",
        json!({"TrailName": "main", "InsightSelectors": [{"InsightType": "ApiCallRateInsight"}]}),
    );
    api.ok("StopLogging", json!({"Name": "main"}));
    api.refuses("GetInsightSelectors", json!({"TrailName": "main"}), "InsightNotEnabledException");
}

#[test]
fn insights_need_the_events_that_they_are_drawn_from() {
    let api = Api::new();
    api.create("main");
    let call_rate = json!([{"InsightType": "ApiCallRateInsight"}]);
    let error_rate = json!([{"InsightType": "ApiErrorRateInsight"}]);
    let data = json!([{"InsightType": "ApiCallRateInsight", "EventCategories": ["Data"]}]);
    let put = |selectors: &Value| json!({"TrailName": "main", "InsightSelectors": selectors});
    api.refuses("PutInsightSelectors", put(&data), "InvalidInsightSelectorsException");
    api.ok("PutEventSelectors", json!({"TrailName": "main", "EventSelectors": [{"ReadWriteType": "ReadOnly"}]}));
    let needs = |selectors: &Value, message: &str| {
        let refused = api.refused("PutInsightSelectors", put(selectors));
        assert_eq!(refused, ("InvalidInsightSelectorsException".to_owned(), message.to_owned()));
    };
    needs(&call_rate, "ApiCallRateInsight needs a trail that logs write management events.");
    api.ok("PutInsightSelectors", put(&error_rate));
    api.ok("PutEventSelectors", json!({"TrailName": "main", "AdvancedEventSelectors": writes()}));
    needs(&error_rate, "ApiErrorRateInsight needs a trail that logs management events.");
    api.ok("PutInsightSelectors", put(&data));
    for selectors in
        [json!([{"InsightType": "Other"}]), json!([{"InsightType": "ApiCallRateInsight", "EventCategories": ["All"]}])]
    {
        api.refuses("PutInsightSelectors", put(&selectors), "InvalidInsightSelectorsException");
    }
    let store = "arn:aws:cloudtrail:eu-west-1:111122223333:eventdatastore/1";
    for operation in ["PutInsightSelectors", "GetInsightSelectors", "PutEventConfiguration", "GetEventConfiguration"] {
        let both = json!({"TrailName": "main", "EventDataStore": store, "InsightSelectors": []});
        api.refuses(operation, both, "InvalidParameterCombinationException");
        api.refuses(operation, json!({"InsightSelectors": []}), "InvalidParameterException");
        let store_alone = json!({"EventDataStore": store, "InsightSelectors": []});
        api.refuses(operation, store_alone, "UnsupportedOperationException");
    }
}

#[test]
fn a_trail_keeps_how_its_data_events_are_rolled_up() {
    let api = Api::new();
    api.create("main");
    let aggregations = json!([{"EventCategory": "Data", "Templates": ["API_ACTIVITY", "USER_ACTIONS"]}]);
    let main = arn("eu-west-1", "main");
    let put = json!({"TrailName": "main", "AggregationConfigurations": aggregations});
    let none = json!({"TrailARN": main, "AggregationConfigurations": []});
    assert_eq!(api.ok("GetEventConfiguration", json!({"TrailName": "main"})), none);
    let answer = api.ok("PutEventConfiguration", put);
    let shown = json!([{"Templates": ["API_ACTIVITY", "USER_ACTIONS"], "EventCategory": "Data"}]);
    assert_eq!(answer, json!({"TrailARN": main, "AggregationConfigurations": shown}));
    assert_eq!(api.ok("GetEventConfiguration", json!({"TrailName": main})), answer);
    for (more, code) in [
        (json!({"MaxEventSize": "Large"}), "InvalidParameterCombinationException"),
        (json!({"ContextKeySelectors": []}), "InvalidParameterCombinationException"),
        (
            json!({"AggregationConfigurations": [{"EventCategory": "Management", "Templates": ["API_ACTIVITY"]}]}),
            "InvalidParameterException",
        ),
        (
            json!({"AggregationConfigurations": [{"EventCategory": "Data", "Templates": []}]}),
            "InvalidParameterException",
        ),
        (
            json!({"AggregationConfigurations": [{"EventCategory": "Data", "Templates": ["X"]}]}),
            "InvalidParameterException",
        ),
    ] {
        let mut body = more;
        body["TrailName"] = json!("main");
        api.refuses("PutEventConfiguration", body, code);
    }
    assert_eq!(api.ok("PutEventConfiguration", json!({"TrailName": "main"})), none);
}

#[test]
fn resource_policies_are_refused_by_the_kind_of_the_resource() {
    let api = Api::new();
    let of = |resource: &str| format!("arn:aws:cloudtrail:eu-west-1:111122223333:{resource}");
    let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
    for operation in ["PutResourcePolicy", "GetResourcePolicy", "DeleteResourcePolicy"] {
        for (id, code) in [
            (of("channel/01"), "ResourceNotFoundException"),
            (of("eventdatastore/01"), "ResourceNotFoundException"),
            (of("trail/main"), "ResourceTypeNotSupportedException"),
            ("main".to_owned(), "ResourceARNNotValidException"),
            ("arn:aws:s3:::audit".to_owned(), "ResourceARNNotValidException"),
        ] {
            api.refuses(operation, json!({"ResourceArn": id, "ResourcePolicy": policy}), code);
        }
    }
    let bad = json!({"ResourceArn": of("channel/01"), "ResourcePolicy": "no policy"});
    api.refuses("PutResourcePolicy", bad, "ResourcePolicyNotValidException");
}

#[test]
fn there_is_no_organization_to_delegate() {
    let api = Api::new();
    for (operation, member) in [
        ("RegisterOrganizationDelegatedAdmin", "MemberAccountId"),
        ("DeregisterOrganizationDelegatedAdmin", "DelegatedAdminAccountId"),
    ] {
        api.refuses(operation, json!({member: "444455556666"}), "OrganizationsNotInUseException");
        api.refuses(operation, json!({member: "x"}), "InvalidParameterException");
        api.refuses(operation, json!({}), "InvalidParameterException");
    }
}

#[test]
fn a_multi_region_trail_meets_no_other_of_its_name_in_any_region() {
    let api = Api::new();
    api.create("main");
    let everywhere = json!({"Name": "main", "S3BucketName": "audit", "IsMultiRegionTrail": true});
    assert_eq!(api.refused_in("us-east-1", "CreateTrail", everywhere).0, "TrailAlreadyExistsException");
    api.ok_in("us-east-1", "CreateTrail", json!({"Name": "main", "S3BucketName": "audit"}));
    api.refuses("UpdateTrail", json!({"Name": "main", "IsMultiRegionTrail": true}), "TrailAlreadyExistsException");
    api.ok_in("us-east-1", "DeleteTrail", json!({"Name": "main"}));
    api.ok("UpdateTrail", json!({"Name": "main", "IsMultiRegionTrail": true}));
    api.ok("UpdateTrail", json!({"Name": "main", "IsMultiRegionTrail": true}));
}
