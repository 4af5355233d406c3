//! Trails of an organization: who makes them, who sees them, who changes them.

use super::*;
use registry::Organization;

const MEMBER: &str = "444455556666";
const ADMINISTRATOR: &str = "777788889999";
const STRANGER: &str = "999900001111";

/// The API of the management account [`ACCOUNT`], with two members.
fn api() -> Api {
    let mut api = Api::new();
    let accounts = vec![MEMBER.to_owned(), ADMINISTRATOR.to_owned()];
    let organization = Organization { id: "o-exampleorgid".to_owned(), accounts };
    let made = CloudTrail::new(&api.registry, api.store.clone(), api.tail.clone(), Some(api.past.clone())).unwrap();
    api.api = made.with_organization(Some(organization), ACCOUNT);
    api
}

fn by<'a>(api: &'a mut Api, account: &'static str) -> &'a Api {
    api.account = account;
    api
}

fn of_all(name: &str) -> Value {
    json!({"Name": name, "S3BucketName": "audit", "IsOrganizationTrail": true, "IsMultiRegionTrail": true, "EnableLogFileValidation": true})
}

#[test]
fn the_management_account_makes_a_trail_that_members_see_by_its_arn_and_cannot_change() {
    let mut api = api();
    let made = api.ok("CreateTrail", of_all("all"));
    assert_eq!((&made["IsOrganizationTrail"], &made["TrailARN"]), (&json!(true), &json!(arn("eu-west-1", "all"))));
    let markers = api.store.markers.lock().unwrap().clone();
    let of = |folder: &str| format!("audit/AWSLogs/{folder}/");
    let own = format!("{ACCOUNT}/CloudTrail");
    assert_eq!(
        markers,
        [
            of(&own),
            of(&format!("{own}-Digest")),
            of(&format!("o-exampleorgid/{own}")),
            of(&format!("o-exampleorgid/{own}-Digest"))
        ]
    );
    let api = by(&mut api, MEMBER);
    let arn = arn("eu-west-1", "all");
    for region in ["eu-west-1", "us-east-1"] {
        let seen = api.ok_in(region, "DescribeTrails", json!({}));
        assert_eq!(seen["trailList"][0]["TrailARN"], json!(arn), "{region}");
        assert_eq!(api.ok_in(region, "ListTrails", json!({}))["Trails"][0]["TrailARN"], json!(arn));
    }
    assert_eq!(api.ok("DescribeTrails", json!({"includeShadowTrails": false})), json!({"trailList": []}));
    assert_eq!(api.ok("DescribeTrails", json!({"trailNameList": ["all"]})), json!({"trailList": []}));
    assert_eq!(api.ok("GetTrail", json!({"Name": arn}))["Trail"]["IsOrganizationTrail"], json!(true));
    assert_eq!(api.ok("GetTrailStatus", json!({"Name": arn}))["IsLogging"], json!(false));
    api.refuses("GetTrail", json!({"Name": "all"}), "TrailNotFoundException");
    for operation in ["UpdateTrail", "DeleteTrail", "StartLogging", "StopLogging"] {
        api.refuses(operation, json!({"Name": arn}), "NotOrganizationMasterAccountException");
    }
    let selectors = json!({"TrailName": arn, "EventSelectors": [{}]});
    api.refuses("PutEventSelectors", selectors, "NotOrganizationMasterAccountException");
    let tag = json!({"ResourceId": arn, "TagsList": [{"Key": "a", "Value": "b"}]});
    api.refuses("AddTags", tag.clone(), "NotOrganizationMasterAccountException");
    api.refuses("RemoveTags", tag, "NotOrganizationMasterAccountException");
    api.refuses("CreateTrail", of_all("mine"), "NotOrganizationMasterAccountException");
    let own = api.ok("CreateTrail", json!({"Name": "all", "S3BucketName": "audit"}));
    assert_eq!(own["TrailARN"], json!(Trail::arn_of("eu-west-1", MEMBER, "all")), "members have trails of their own");
}

#[test]
fn who_is_in_no_organization_sees_nothing_of_it() {
    let mut api = api();
    api.ok("CreateTrail", of_all("all"));
    let api = by(&mut api, STRANGER);
    assert_eq!(api.ok("DescribeTrails", json!({})), json!({"trailList": []}));
    api.refuses("GetTrail", json!({"Name": arn("eu-west-1", "all")}), "TrailNotFoundException");
    api.refuses("CreateTrail", of_all("mine"), "OrganizationsNotInUseException");
}

#[test]
fn a_trail_becomes_the_organizations_and_leaves_it_again() {
    let mut api = api();
    api.create("main");
    let update = |api: &Api, wish: bool| api.ok("UpdateTrail", json!({"Name": "main", "IsOrganizationTrail": wish}));
    assert_eq!(update(&api, true)["IsOrganizationTrail"], json!(true));
    let stored =
        |api: &Api| api.registry.get::<Trail>(&arn("eu-west-1", "main")).unwrap().unwrap().organization.clone();
    assert_eq!(stored(&api).map(|organization| organization.id).as_deref(), Some("o-exampleorgid"));
    api.ok("UpdateTrail", json!({"Name": "main", "S3KeyPrefix": "ct"}));
    assert!(stored(&api).is_some(), "what is not given stays");
    assert_eq!(update(&api, false)["IsOrganizationTrail"], json!(false));
    assert_eq!(stored(&api), None);
    let theirs = by(&mut api, MEMBER);
    theirs.create("theirs");
    let wish = json!({"Name": "theirs", "IsOrganizationTrail": true});
    theirs.refuses("UpdateTrail", wish, "NotOrganizationMasterAccountException");
}

#[test]
fn a_delegated_administrator_changes_the_organizations_trails_which_stay_the_management_accounts() {
    let mut api = api();
    let register = |account: &str| json!({"MemberAccountId": account});
    for (account, code) in [
        ("12", "InvalidParameterException"),
        (ACCOUNT, "CannotDelegateManagementAccountException"),
        (STRANGER, "AccountNotFoundException"),
    ] {
        api.refuses("RegisterOrganizationDelegatedAdmin", register(account), code);
    }
    api.ok("RegisterOrganizationDelegatedAdmin", register(ADMINISTRATOR));
    api.refuses("RegisterOrganizationDelegatedAdmin", register(ADMINISTRATOR), "AccountRegisteredException");
    let admin = by(&mut api, ADMINISTRATOR);
    admin.refuses("RegisterOrganizationDelegatedAdmin", register(MEMBER), "NotOrganizationManagementAccountException");
    let made = admin.ok("CreateTrail", of_all("delegated"));
    let all = arn("eu-west-1", "delegated");
    assert_eq!(made["TrailARN"], json!(all));
    admin.refuses("CreateTrail", of_all("delegated"), "TrailAlreadyExistsException");
    admin.ok("StartLogging", json!({"Name": all}));
    admin.create("own");
    let wish = json!({"Name": "own", "IsOrganizationTrail": true});
    admin.refuses("UpdateTrail", wish, "NotOrganizationMasterAccountException");
    let management = by(&mut api, ACCOUNT);
    assert_eq!(management.ok("GetTrailStatus", json!({"Name": "delegated"}))["IsLogging"], json!(true));
    let deregister = |account: &str| json!({"DelegatedAdminAccountId": account});
    management.refuses("DeregisterOrganizationDelegatedAdmin", deregister(MEMBER), "AccountNotRegisteredException");
    management.ok("DeregisterOrganizationDelegatedAdmin", deregister(ADMINISTRATOR));
    by(&mut api, ADMINISTRATOR).refuses("DeleteTrail", json!({"Name": all}), "NotOrganizationMasterAccountException");
}

#[test]
fn an_organization_has_three_delegated_administrators() {
    let mut api = Api::new();
    let organization = Organization { id: "o-exampleorgid".to_owned(), accounts: Vec::new() };
    let made = CloudTrail::new(&api.registry, api.store.clone(), api.tail.clone(), None).unwrap();
    api.api = made.with_organization(Some(organization), ACCOUNT);
    for account in ["000000000001", "000000000002", "000000000003"] {
        api.ok("RegisterOrganizationDelegatedAdmin", json!({"MemberAccountId": account}));
    }
    let fourth = json!({"MemberAccountId": "000000000004"});
    api.refuses("RegisterOrganizationDelegatedAdmin", fourth, "DelegatedAdminAccountLimitExceededException");
}
