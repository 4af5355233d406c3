//! Who a key is, learned from answers; and through whom a session came.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says why")]

mod scene;

use event::EventTime;
use opentrail_capture::{Identities, Recorder};
use scene::{ALICE, NOW, Scene, recorder_with_memory};
use serde_json::{Value, json};

const CREDENTIALS: &str = "<SecretAccessKey>PLANTED</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2026-01-15T11:02:03Z</Expiration>";

fn sts(by: &str, parameters: &str, result: &str) -> Scene {
    let action = parameters.split('&').next().unwrap_or_default().trim_start_matches("Action=");
    let scene = Scene::unsigned("POST", "/").header("host", "sts.amazonaws.com");
    let scene = if by.is_empty() { scene } else { scene.by(by, "sts") };
    scene
        .header("content-type", "application/x-www-form-urlencoded")
        .body(&format!("{parameters}&Version=2011-06-15"))
        .answer(200, &format!("<{action}Response><{action}Result>{result}</{action}Result></{action}Response>"))
}

fn iam(parameters: &str, result: &str) -> Scene {
    let action = parameters.split('&').next().unwrap_or_default().trim_start_matches("Action=");
    Scene::form("iam", &format!("{parameters}&Version=2010-05-08"))
        .answer(200, &format!("<{action}Response><{action}Result>{result}</{action}Result></{action}Response>"))
}

fn role(by: &str, key: &str, name: &str, more: &str) -> Scene {
    let parameters =
        format!("Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2F{name}&RoleSessionName=s{more}");
    sts(
        by,
        &parameters,
        &format!(
            "<AssumedRoleUser><AssumedRoleId>AROA{name}:s</AssumedRoleId><Arn>arn:aws:sts::111122223333:assumed-role/{name}/s</Arn>\
             </AssumedRoleUser><Credentials><AccessKeyId>{key}</AccessKeyId>{CREDENTIALS}</Credentials>"
        ),
    )
}

/// The record of a call made with a key.
fn call(recorder: &Recorder, key: &str) -> Value {
    Scene::unsigned("POST", "/")
        .by(key, "dynamodb")
        .header("x-amz-target", "DynamoDB_20120810.ListTables")
        .body("{}")
        .record(recorder)
}

fn chain(record: &Value) -> Vec<String> {
    let links = record.pointer("/additionalEventData/opentrailSessionChain").and_then(Value::as_array);
    let name = |link: &Value| {
        let any = ["arn", "principalId", "userName"].into_iter().find_map(|member| link.get(member)?.as_str());
        any.unwrap_or_default().to_owned()
    };
    links.into_iter().flatten().map(name).collect()
}

const ALICES: &str = "arn:aws:iam::111122223333:user/alice";

#[test]
fn a_chained_session_tells_every_session_and_carries_the_source_identity() {
    let (recorder, _) = recorder_with_memory();
    let opened = role(ALICE, "ASIA1", "one", "&SourceIdentity=ally&SerialNumber=arn%3Amfa").record(&recorder);
    assert_eq!(chain(&opened), [""; 0], "a user's own record is as AWS writes it");
    assert_eq!(chain(&role("ASIA1", "ASIA2", "two", "").record(&recorder)).len(), 2);
    let record = call(&recorder, "ASIA2");
    let session = |name| format!("arn:aws:sts::111122223333:assumed-role/{name}/s");
    assert_eq!(chain(&record), [ALICES.to_owned(), session("one"), session("two")]);
    assert_eq!(
        record.pointer("/additionalEventData/opentrailSessionChain/1"),
        Some(
            &json!({"type":"AssumedRole","principalId":"AROAone:s","arn":session("one"),"accountId":"111122223333","accessKeyId":"ASIA1"})
        )
    );
    let context = record.pointer("/userIdentity/sessionContext").unwrap();
    assert_eq!(context.get("sourceIdentity"), Some(&json!("ally")));
    assert_eq!(context.pointer("/attributes/mfaAuthenticated"), Some(&json!("true")));
}

#[test]
fn a_session_of_an_unknown_key_has_no_chain_and_a_failed_call_teaches_nothing() {
    let (recorder, memory) = recorder_with_memory();
    role("AKIANOBODY", "ASIA1", "one", "").record(&recorder);
    assert_eq!(chain(&call(&recorder, "ASIA1")), [""; 0]);
    assert_eq!(chain(&role("ASIA1", "ASIA2", "two", "").record(&recorder)), [""; 0]);
    assert_eq!(chain(&call(&recorder, "ASIA2")).len(), 2, "the first session that is known is the workload");
    let mut failed = role(ALICE, "ASIA3", "one", "");
    failed.status = Some(403);
    failed.play(&recorder);
    assert!(memory.resolve("ASIA3", NOW).is_none());
}

#[test]
fn an_answer_to_nobody_in_particular_gives_no_key_to_somebody_else() {
    let (recorder, memory) = recorder_with_memory();
    let answer = |key: &str, role: &str| {
        format!(
            "<AssumedRoleUser><AssumedRoleId>AROA:s</AssumedRoleId><Arn>arn:aws:sts::111122223333:assumed-role/{role}/s</Arn></AssumedRoleUser>\
             <Credentials><AccessKeyId>{key}</AccessKeyId>{CREDENTIALS}</Credentials>"
        )
    };
    let asked = "Action=AssumeRoleWithWebIdentity&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fr&RoleSessionName=s&WebIdentityToken=PLANTED";
    let arn = |key: &str| memory.resolve(key, NOW).and_then(|known| known.identity.arn.clone()).unwrap_or_default();
    sts("", asked, &answer("ASIAONE", "r")).record(&recorder);
    for key in ["ASIAONE", "AKIAUSERS", ALICE] {
        let before = arn(key);
        sts("", asked, &answer(key, "false")).record(&recorder);
        assert_eq!(arn(key), before, "{key}");
    }
    assert!(arn("ASIAONE").ends_with("/r/s") && arn("AKIAUSERS").is_empty());
}

#[test]
fn saml_and_web_identity_subjects_are_the_first_of_their_chains() {
    let (recorder, _) = recorder_with_memory();
    let user = |key: &str| {
        format!(
            "<AssumedRoleUser><AssumedRoleId>AROA:s</AssumedRoleId><Arn>arn:aws:sts::111122223333:assumed-role/r/s</Arn></AssumedRoleUser>\
             <Credentials><AccessKeyId>{key}</AccessKeyId>{CREDENTIALS}</Credentials>"
        )
    };
    let saml = format!("<Subject>carol</Subject><NameQualifier>q=</NameQualifier>{}", user("ASIASAML"));
    sts("", "Action=AssumeRoleWithSAML&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fr&PrincipalArn=p&SAMLAssertion=PLANTED", &saml)
        .record(&recorder);
    assert_eq!(chain(&call(&recorder, "ASIASAML")), ["q=:carol", "arn:aws:sts::111122223333:assumed-role/r/s"]);
    let web = format!(
        "<Provider>arn:aws:iam::111122223333:oidc-provider/idp.example.com/id/1</Provider><Audience>app</Audience>\
         <SubjectFromWebIdentityToken>dave</SubjectFromWebIdentityToken>{}",
        user("ASIAWEB")
    );
    sts("", "Action=AssumeRoleWithWebIdentity&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fr&RoleSessionName=s&WebIdentityToken=PLANTED", &web)
        .record(&recorder);
    let record = call(&recorder, "ASIAWEB");
    assert_eq!(record.pointer("/additionalEventData/opentrailSessionChain/0/userName"), Some(&json!("dave")));
    assert_eq!(
        record.pointer("/userIdentity/sessionContext/webIdFederationData"),
        Some(&json!({"federatedProvider":"arn:aws:iam::111122223333:oidc-provider/idp.example.com/id/1",
            "attributes":{"idp.example.com/id/1:aud":"app","idp.example.com/id/1:sub":"dave"}}))
    );
}

#[test]
fn a_root_session_of_a_member_account_is_marked_as_assumed() {
    let (recorder, _) = recorder_with_memory();
    let credentials = format!("<Credentials><AccessKeyId>ASIAROOT</AccessKeyId>{CREDENTIALS}</Credentials>");
    sts(ALICE, "Action=AssumeRoot&TargetPrincipal=444455556666&TaskPolicyArn.arn=p", &credentials).record(&recorder);
    let record = call(&recorder, "ASIAROOT");
    assert_eq!(
        record.get("userIdentity"),
        Some(
            &json!({"type":"Root","principalId":"444455556666","arn":"arn:aws:iam::444455556666:root","accountId":"444455556666",
            "accessKeyId":"ASIAROOT","sessionContext":{"attributes":{"creationDate":"2026-01-15T10:02:03Z","mfaAuthenticated":"false"},
            "assumedRoot":"true"}})
        )
    );
    assert_eq!(chain(&record)[0], ALICES);
}

#[test]
fn a_session_signed_for_china_has_an_arn_of_its_partition() {
    let (recorder, memory) = recorder_with_memory();
    let scope = format!("Credential={ALICE}/20260115/cn-north-1/sts/aws4_request, SignedHeaders=host, Signature=00");
    Scene::unsigned("POST", "/")
        .header("authorization", &format!("AWS4-HMAC-SHA256 {scope}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("Action=AssumeRoot&Version=2011-06-15&TargetPrincipal=444455556666&TaskPolicyArn.arn=p")
        .answer(200, &format!("<AssumeRootResponse><AssumeRootResult><Credentials><AccessKeyId>ASIACN</AccessKeyId>{CREDENTIALS}</Credentials></AssumeRootResult></AssumeRootResponse>"))
        .play(&recorder);
    let known = memory.resolve("ASIACN", NOW).expect("a lesson");
    assert_eq!(known.arn.as_deref(), Some("arn:aws-cn:iam::444455556666:root"));
}

#[test]
fn keys_of_identity_center_and_cognito_are_known_until_they_expire() {
    let (recorder, memory) = recorder_with_memory();
    Scene::unsigned("GET", "/federation/credentials?role_name=Admin&account_id=444455556666")
        .header("host", "portal.sso.eu-west-1.amazonaws.com")
        .header("x-amz-sso_bearer_token", "PLANTED")
        .answer(200, r#"{"roleCredentials":{"accessKeyId":"ASIASSO","secretAccessKey":"PLANTED","sessionToken":"t","expiration":1768474923000}}"#)
        .play(&recorder);
    let sso = memory.resolve("ASIASSO", NOW).expect("a lesson");
    assert_eq!(sso.account_id.as_deref(), Some("444455556666"));
    assert!(memory.resolve("ASIASSO", EventTime(1_768_474_924)).is_none());
    Scene::unsigned("POST", "/")
        .header("host", "cognito-identity.eu-west-1.amazonaws.com")
        .header("x-amz-target", "AWSCognitoIdentityService.GetCredentialsForIdentity")
        .header("content-type", "application/x-amz-json-1.1")
        .body(r#"{"IdentityId":"eu-west-1:1"}"#)
        .answer(200, r#"{"IdentityId":"eu-west-1:1","Credentials":{"AccessKeyId":"ASIACOG","SecretKey":"PLANTED","SessionToken":"t","Expiration":1768474923.0}}"#)
        .play(&recorder);
    assert_eq!(chain(&call(&recorder, "ASIACOG"))[0], "eu-west-1:1");
    assert!(memory.resolve("ASIACOG", EventTime(1_768_474_924)).is_none());
}

#[test]
fn keys_that_were_taken_away_are_unknown() {
    let (recorder, memory) = recorder_with_memory();
    let is_known = |key: &str| memory.resolve(key, NOW).is_some();
    let create = |key: &str| {
        let result = format!("<AccessKey><AccessKeyId>{key}</AccessKeyId><UserName>bob</UserName></AccessKey>");
        iam("Action=CreateAccessKey&UserName=bob", &result).record(&recorder)
    };
    for key in ["AKIABOB1", "AKIABOB2", "AKIABOB3"] {
        create(key);
        assert!(is_known(key));
    }
    let mut refused = iam("Action=DeleteAccessKey&AccessKeyId=AKIABOB1", "");
    refused.status = Some(400);
    refused.play(&recorder);
    assert!(is_known("AKIABOB1"), "a refused call takes nothing away");
    iam("Action=DeleteAccessKey&AccessKeyId=AKIABOB1", "").record(&recorder);
    iam("Action=UpdateAccessKey&AccessKeyId=AKIABOB2&UserName=bob&Status=Inactive", "").record(&recorder);
    assert_eq!([is_known("AKIABOB1"), is_known("AKIABOB2"), is_known("AKIABOB3")], [false, false, true]);
    iam("Action=UpdateAccessKey&AccessKeyId=AKIABOB2&UserName=bob&Status=Active", "").record(&recorder);
    assert!(is_known("AKIABOB2"));
    iam("Action=DeleteUser&UserName=bob", "").record(&recorder);
    assert_eq!([is_known("AKIABOB2"), is_known("AKIABOB3"), is_known(ALICE)], [false, false, true]);
}

#[test]
fn the_first_key_of_a_new_user_is_known_with_path_and_id() {
    let (recorder, memory) = recorder_with_memory();
    let user = "<User><Path>/div/team/</Path><UserName>bob</UserName><UserId>AIDABOB</UserId><Arn>arn:aws:iam::111122223333:user/div/team/bob</Arn></User>";
    iam("Action=CreateUser&UserName=bob&Path=%2Fdiv%2Fteam%2F", user).record(&recorder);
    let key = "<AccessKey><AccessKeyId>AKIABOB</AccessKeyId><UserName>bob</UserName></AccessKey>";
    iam("Action=CreateAccessKey&UserName=bob", key).record(&recorder);
    let record = call(&recorder, "AKIABOB");
    assert_eq!(
        record.get("userIdentity"),
        Some(
            &json!({"type":"IAMUser","principalId":"AIDABOB","arn":"arn:aws:iam::111122223333:user/div/team/bob","accountId":"111122223333","accessKeyId":"AKIABOB","userName":"bob"})
        )
    );
    let pretender = call(&recorder, "iam-user:111122223333:bob");
    assert_eq!(
        pretender.pointer("/userIdentity/type"),
        Some(&json!("Unknown")),
        "no call is signed with what is no key"
    );
    iam("Action=DeleteUser&UserName=bob", "").record(&recorder);
    assert!(memory.resolve("AKIABOB", NOW).is_none() && memory.resolve("iam-user:111122223333:bob", NOW).is_none());
}

#[test]
fn a_caller_identity_completes_what_is_known_and_keeps_its_chain() {
    let (recorder, memory) = recorder_with_memory();
    Scene::unsigned("POST", "/")
        .header("host", "cognito-identity.eu-west-1.amazonaws.com")
        .header("x-amz-target", "AWSCognitoIdentityService.GetCredentialsForIdentity")
        .body(r#"{"IdentityId":"eu-west-1:1"}"#)
        .answer(
            200,
            r#"{"IdentityId":"eu-west-1:1","Credentials":{"AccessKeyId":"ASIACOG","Expiration":1768474923.0}}"#,
        )
        .play(&recorder);
    let who = "<Arn>arn:aws:sts::111122223333:assumed-role/pool/CognitoIdentityCredentials</Arn><UserId>AROA:CognitoIdentityCredentials</UserId><Account>111122223333</Account>";
    sts("ASIACOG", "Action=GetCallerIdentity", who).record(&recorder);
    let known = memory.resolve("ASIACOG", NOW).unwrap();
    assert_eq!(known.arn.as_deref(), Some("arn:aws:sts::111122223333:assumed-role/pool/CognitoIdentityCredentials"));
    assert_eq!(chain(&call(&recorder, "ASIACOG"))[0], "eu-west-1:1");
    assert!(known.session_context.as_ref().unwrap().web_id_federation_data.is_some());
    assert!(memory.resolve("ASIACOG", EventTime(1_768_474_924)).is_none(), "it ends when the session ends");
}

#[test]
fn a_form_with_a_post_policy_names_its_signer() {
    let field =
        |name: &str, value: &str| format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let body = [
        field("key", "photo.jpg"),
        field("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        field("X-Amz-Credential", &format!("{ALICE}/20260115/eu-west-1/s3/aws4_request")),
        field("Policy", "PLANTED"),
        field("X-Amz-Signature", "PLANTED"),
        field("file", &"PLANTED".repeat(10_000)),
        "--b--\r\n".to_owned(),
    ];
    let record = Scene::unsigned("POST", "/album")
        .header("host", "s3.eu-west-1.amazonaws.com")
        .header("content-type", "multipart/form-data; boundary=b")
        .body(&body.concat())
        .answer(204, "")
        .record(&recorder_with_memory().0);
    assert_eq!(record.get("eventName"), Some(&json!("PostObject")));
    assert_eq!(record.pointer("/userIdentity/arn"), Some(&json!(ALICES)));
    assert_eq!(record.get("awsRegion"), Some(&json!("eu-west-1")));
    assert_eq!(record.pointer("/additionalEventData/SignatureVersion"), Some(&json!("SigV4")));
    assert!(!record.to_string().contains("PLANTED"), "{record}");
}

/// Every answer that hands out a session: it is known to the second until it ends, and a restart changes nothing of it.
#[test]
fn every_session_ends_when_it_was_said_and_survives_a_restart() {
    const END: EventTime = EventTime(1_768_474_923);
    let given = |key: &str| format!("<Credentials><AccessKeyId>{key}</AccessKeyId>{CREDENTIALS}</Credentials>");
    let assumed = "<AssumedRoleUser><AssumedRoleId>AROA:s</AssumedRoleId><Arn>arn:aws:sts::111122223333:assumed-role/r/s</Arn></AssumedRoleUser>";
    let role = "&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fr";
    let federated = "<FederatedUser><FederatedUserId>111122223333:guest</FederatedUserId><Arn>arn:aws:sts::111122223333:federated-user/guest</Arn></FederatedUser>";
    let sessions = [
        (ALICE, format!("Action=AssumeRole{role}&RoleSessionName=s"), assumed, "AssumedRole"),
        ("", format!("Action=AssumeRoleWithSAML{role}&PrincipalArn=p&SAMLAssertion=PLANTED"), assumed, "AssumedRole"),
        (
            "",
            format!("Action=AssumeRoleWithWebIdentity{role}&RoleSessionName=s&WebIdentityToken=PLANTED"),
            assumed,
            "AssumedRole",
        ),
        (ALICE, "Action=AssumeRoot&TargetPrincipal=444455556666&TaskPolicyArn.arn=p".to_owned(), "", "Root"),
        (ALICE, "Action=GetSessionToken".to_owned(), "", "IAMUser"),
        (ALICE, "Action=GetFederationToken&Name=guest".to_owned(), federated, "FederatedUser"),
    ];
    for (number, (by, parameters, user, kind)) in sessions.into_iter().enumerate() {
        let (recorder, memory) = recorder_with_memory();
        let key = format!("ASIAEND{number}");
        let record = sts(by, &parameters, &format!("{user}{}", given(&key))).record(&recorder);
        assert!(!record.to_string().contains("PLANTED"), "{record}");
        let before = call(&recorder, &key);
        assert_eq!(before["userIdentity"]["type"], kind, "{parameters}");
        assert_eq!(before["userIdentity"]["accessKeyId"], key);
        assert_eq!(before["userIdentity"]["sessionContext"]["attributes"]["creationDate"], "2026-01-15T10:02:03Z");
        assert!(memory.resolve(&key, END).is_some(), "{parameters}");
        assert!(memory.resolve(&key, EventTime(END.0 + 1)).is_none(), "{parameters}");

        let kept = memory.snapshot(NOW);
        let (restarted, again) = recorder_with_memory();
        again.restore(kept.clone(), NOW);
        let after = call(&restarted, &key);
        assert_eq!((&after["userIdentity"], chain(&after)), (&before["userIdentity"], chain(&before)), "{parameters}");
        assert!(again.resolve(&key, END).is_some() && again.resolve(&key, EventTime(END.0 + 1)).is_none());
        let (_, late) = recorder_with_memory();
        late.restore(kept, EventTime(END.0 + 1));
        assert!(late.resolve(&key, NOW).is_none(), "what ended while the house was down is not taken back");
    }
}

#[test]
fn a_caller_identity_names_users_for_good_and_sessions_for_as_long_as_one_may_last() {
    let (recorder, memory) = recorder_with_memory();
    let who = |key: &str, arn: &str, id: &str| {
        let result = format!("<Arn>{arn}</Arn><UserId>{id}</UserId><Account>111122223333</Account>");
        sts(key, "Action=GetCallerIdentity", &result).record(&recorder)
    };
    assert_eq!(
        who("AKIAROOT", "arn:aws:iam::111122223333:root", "111122223333")["userIdentity"]["type"],
        "Unknown",
        "its own record comes first"
    );
    who("AKIABOB", "arn:aws-cn:iam::111122223333:user/team/bob", "AIDABOB");
    who("ASIAINSTANCE", "arn:aws:sts::111122223333:assumed-role/web/i-0123", "AROAWEB:i-0123");
    who("ASIAGUEST", "arn:aws:sts::111122223333:federated-user/guest", "111122223333:guest");
    who("AKIAODD", "arn:aws:iam::111122223333:instance-profile/x", "AIPA");
    let user = |key: &str| call(&recorder, key)["userIdentity"].clone();
    assert_eq!(
        user("AKIAROOT"),
        json!({"type":"Root","principalId":"111122223333","arn":"arn:aws:iam::111122223333:root","accountId":"111122223333","accessKeyId":"AKIAROOT"})
    );
    assert_eq!((&user("AKIABOB")["userName"], &user("AKIABOB")["principalId"]), (&json!("bob"), &json!("AIDABOB")));
    assert_eq!(
        user("ASIAINSTANCE")["sessionContext"]["sessionIssuer"],
        json!({"type":"Role","principalId":"AROAWEB","arn":"arn:aws:iam::111122223333:role/web","accountId":"111122223333","userName":"web"})
    );
    assert_eq!(user("ASIAGUEST")["type"], "FederatedUser");
    assert_eq!(user("AKIAODD")["type"], "Unknown");
    let later = |hours: i64| EventTime(NOW.0 + hours * 3600 + 1);
    assert!(memory.resolve("AKIABOB", later(10_000)).is_some());
    assert!(memory.resolve("ASIAINSTANCE", later(35)).is_some() && memory.resolve("ASIAINSTANCE", later(36)).is_none());
}
