//! Keys of a console sign-in: what `CreateOAuth2Token` teaches, and what its record tells.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on says why")]

mod scene;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use event::EventTime;
use opentrail_capture::{Identities, KnownIdentities, Reason, Recorder, Verdict};
use scene::{NOW, Scene, recorder, recorder_with_memory};
use serde_json::{Value, json};

const DEVICE: &str = "arn:aws:signin:::devtools/same-device";
const ROLE_SESSION: &str = "arn:aws:sts::111122223333:assumed-role/Admin/alice@example.com";

fn id_token(claims: &Value) -> String {
    let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
    [part(r#"{"alg":"ES384"}"#), part(&claims.to_string()), "PLANTED-SIGNATURE".to_owned()].join(".")
}

fn exchange(body: &Value, answer: &Value) -> Scene {
    Scene::unsigned("POST", "/v1/token")
        .header("host", "eu-west-1.signin.aws.amazon.com")
        .header("content-type", "application/json")
        .header("dpop", "PLANTED")
        .body(&body.to_string())
        .answer(200, &answer.to_string())
}

fn tokens(key: &str, refresh: &str, id_token: Option<String>) -> Value {
    let mut tokens = json!({
        "accessToken": {"accessKeyId": key, "secretAccessKey": "PLANTED", "sessionToken": "PLANTED"},
        "tokenType": "aws_sigv4", "expiresIn": 900, "refreshToken": refresh,
    });
    if let Some(token) = id_token {
        tokens["idToken"] = token.into();
    }
    tokens
}

fn login(key: &str, claims: &Value) -> Scene {
    let body = json!({"clientId": DEVICE, "grantType": "authorization_code", "code": "PLANTED",
        "codeVerifier": "PLANTED", "redirectUri": "http://127.0.0.1:5/PLANTED"});
    exchange(&body, &tokens(key, "PLANTED-1", Some(id_token(claims))))
}

fn renewal(key: &str, from: &str, to: &str) -> Scene {
    let body = json!({"clientId": DEVICE, "grantType": "refresh_token", "refreshToken": from});
    exchange(&body, &tokens(key, to, None))
}

fn call(recorder: &Recorder, key: &str) -> Value {
    Scene::unsigned("POST", "/")
        .by(key, "dynamodb")
        .header("x-amz-target", "DynamoDB_20120810.ListTables")
        .body("{}")
        .record(recorder)
}

/// Signed in at 10:00:00, twenty-three seconds before the call after two minutes.
fn alice() -> Value {
    json!({"sub": ROLE_SESSION, "iat": 1_768_471_200, "aud": DEVICE, "amr": ["pwd", "mfa"],
        "signin_session": "arn:aws:signin:eu-west-1:111122223333:session/s-1"})
}

fn admin(key: Option<&str>) -> Value {
    let mut identity = json!({"type":"AssumedRole","arn":ROLE_SESSION,"accountId":"111122223333","sessionContext":{
        "sessionIssuer":{"type":"Role","arn":"arn:aws:iam::111122223333:role/Admin","accountId":"111122223333","userName":"Admin"},
        "attributes":{"creationDate":"2026-01-15T10:00:00Z","mfaAuthenticated":"true"},
        "signInSessionArn":"arn:aws:signin:eu-west-1:111122223333:session/s-1"}});
    if let Some(key) = key {
        identity["accessKeyId"] = key.into();
    }
    identity
}

#[test]
fn a_sign_in_is_recorded_as_aws_shows_it_and_names_the_key() {
    let recorder = recorder();
    let record = login("ASIALOGIN", &alice()).record(&recorder);
    assert_eq!(record["userIdentity"], admin(None));
    assert_eq!((&record["eventName"], &record["readOnly"]), (&json!("CreateOAuth2Token"), &json!(true)));
    assert_eq!((&record["eventSource"], &record["awsRegion"]), (&json!("signin.amazonaws.com"), &json!("eu-west-1")));
    assert_eq!(record["requestParameters"], json!({"client_id": DEVICE}));
    assert_eq!(record["responseElements"], Value::Null);
    assert_eq!(
        record["additionalEventData"],
        json!({"signInSessionArn":"arn:aws:signin:eu-west-1:111122223333:session/s-1","grant_type":"authorization_code","success":"true"})
    );
    assert!(!record.to_string().contains("PLANTED"), "{record}");
    let next = call(&recorder, "ASIALOGIN");
    assert_eq!(next["userIdentity"], admin(Some("ASIALOGIN")));
    assert_eq!(next.get("sessionCredentialFromConsole"), None, "real records of such keys have none");
}

#[test]
fn renewed_keys_belong_to_whom_the_refresh_token_was_given() {
    let (recorder, memory) = recorder_with_memory();
    login("ASIA1", &alice()).record(&recorder);
    let record = renewal("ASIA2", "PLANTED-1", "PLANTED-2").record(&recorder);
    assert_eq!(record["userIdentity"], admin(None));
    assert_eq!(record["additionalEventData"]["grant_type"], "refresh_token");
    assert!(!record.to_string().contains("PLANTED"), "{record}");
    renewal("ASIA3", "PLANTED-2", "PLANTED-3").record(&recorder);
    for key in ["ASIA1", "ASIA2", "ASIA3"] {
        assert_eq!(call(&recorder, key)["userIdentity"], admin(Some(key)));
        assert!(memory.resolve(key, EventTime(NOW.0 + 900)).is_some());
        assert!(memory.resolve(key, EventTime(NOW.0 + 901)).is_none(), "keys live as long as the answer says");
    }
    let restarted = KnownIdentities::new(100);
    let kept = memory.snapshot(NOW);
    assert!(!format!("{kept:?}").contains("PLANTED"), "no token is kept");
    restarted.restore(kept, NOW);
    assert_eq!(
        restarted.snapshot(EventTime(NOW.0 + 901)).len(),
        3 + 1,
        "three refresh tokens, and the key of the scene"
    );
}

#[test]
fn a_refresh_token_that_nobody_knows_teaches_nothing() {
    let (recorder, memory) = recorder_with_memory();
    let record = renewal("ASIA1", "PLANTED-OTHER", "PLANTED-2").record(&recorder);
    assert_eq!(record["userIdentity"], json!({"type":"Unknown","principalId":"Anonymous"}));
    assert!(memory.resolve("ASIA1", NOW).is_none());
    let mut refused = login("ASIA2", &alice()).answer(400, r#"{"error":"AUTHCODE_EXPIRED","message":"no"}"#);
    refused.answer_headers.push(("x-amzn-errortype".into(), b"AccessDeniedException".to_vec()));
    assert_eq!(refused.record(&recorder)["errorCode"], "AccessDenied");
    assert!(memory.resolve("ASIA2", NOW).is_none());
}

#[test]
fn users_and_root_sign_in_too_and_a_caller_identity_says_the_rest() {
    let recorder = recorder();
    login("ASIAUSER", &json!({"sub": "arn:aws:iam::111122223333:user/team/bob"})).record(&recorder);
    assert_eq!(
        call(&recorder, "ASIAUSER")["userIdentity"],
        json!({"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/team/bob","accountId":"111122223333","accessKeyId":"ASIAUSER",
            "userName":"bob","sessionContext":{"attributes":{"creationDate":"2026-01-15T10:02:03Z","mfaAuthenticated":"false"}}})
    );
    login("ASIAROOT", &json!({"sub": "arn:aws:iam::111122223333:root"})).record(&recorder);
    let root = call(&recorder, "ASIAROOT");
    assert_eq!(
        (&root["userIdentity"]["type"], &root["userIdentity"]["principalId"]),
        (&json!("Root"), &json!("111122223333"))
    );

    login("ASIAROLE", &alice()).record(&recorder);
    Scene::unsigned("POST", "/")
        .by("ASIAROLE", "sts")
        .header("content-type", "application/x-www-form-urlencoded")
        .body("Action=GetCallerIdentity&Version=2011-06-15")
        .answer(200, &format!("<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>{ROLE_SESSION}</Arn>\
            <UserId>AROAADMIN:alice@example.com</UserId><Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"))
        .record(&recorder);
    let told = call(&recorder, "ASIAROLE")["userIdentity"].clone();
    assert_eq!(
        (&told["principalId"], &told["sessionContext"]["sessionIssuer"]["principalId"]),
        (&json!("AROAADMIN:alice@example.com"), &json!("AROAADMIN"))
    );
    assert_eq!(told["sessionContext"]["attributes"], admin(None)["sessionContext"]["attributes"]);
}

#[test]
fn hostile_id_tokens_teach_nothing_and_break_nothing() {
    let (recorder, memory) = recorder_with_memory();
    let claims = |claims: &Value| Some(id_token(claims));
    let bad = [
        None,
        Some(String::new()),
        Some("a.b".to_owned()),
        Some("a.!!!.c".to_owned()),
        Some(format!("a.{}.c", URL_SAFE_NO_PAD.encode("{"))),
        Some(format!("a.{}.c", URL_SAFE_NO_PAD.encode([0xff, 0xfe]))),
        claims(&json!({"sub": 7})),
        claims(&json!({"sub": "alice"})),
        claims(&json!({"sub": "arn:aws:iam::1:instance-profile/x"})),
    ];
    for token in bad {
        exchange(&json!({"clientId": DEVICE}), &tokens("ASIABAD", "PLANTED-BAD", token.clone())).record(&recorder);
        assert!(memory.resolve("ASIABAD", NOW).is_none(), "{token:?}");
    }
    let odd = json!({"sub": ROLE_SESSION, "iat": -5, "auth_time": i64::MAX, "amr": {"mfa": true}});
    let mut answer = tokens("ASIAODD", "PLANTED-ODD", claims(&odd));
    answer["expiresIn"] = json!(i64::MAX);
    exchange(&json!({"clientId": DEVICE}), &answer).record(&recorder);
    let known = memory.resolve("ASIAODD", NOW).unwrap();
    let attributes = known.session_context.as_ref().unwrap().attributes.as_ref().unwrap();
    assert_eq!(
        (attributes.creation_date.as_str(), attributes.mfa_authenticated.as_str()),
        ("2026-01-15T10:02:03Z", "false")
    );
    assert!(memory.resolve("ASIAODD", EventTime(NOW.0 + 36 * 3600 + 1)).is_none(), "no session is without end");
}

/// The federation endpoint trades a session for a token of the console's; its answer names no key, so that there is
/// nothing to learn, and the session's secrets stand in the query.
#[test]
fn the_federation_endpoint_leaves_no_secrets() {
    let (recorder, memory) = recorder_with_memory();
    let session =
        "%7B%22sessionId%22%3A%22ASIAFED%22%2C%22sessionKey%22%3A%22PLANTED%22%2C%22sessionToken%22%3A%22PLANTED%22%7D";
    for target in [
        format!("/federation?Action=getSigninToken&SessionDuration=1800&Session={session}"),
        format!("/federation?Session={session}&Action=getSigninToken"),
        "/federation?Action=login&Issuer=me&Destination=https%3A%2F%2Fconsole&SigninToken=PLANTED".to_owned(),
    ] {
        for host in ["signin.aws.amazon.com", "127.0.0.1:4780"] {
            let scene =
                Scene::unsigned("GET", &target).header("host", host).answer(200, r#"{"SigninToken":"PLANTED"}"#);
            match scene.play(&recorder) {
                Verdict::Unrecorded(reason) => {
                    assert!(matches!(reason, Reason::UnknownService | Reason::UnknownOperation))
                }
                Verdict::Record(events) => panic!("{}", String::from_utf8_lossy(events[0].json())),
            }
        }
    }
    assert!(memory.resolve("ASIAFED", NOW).is_none());
}
