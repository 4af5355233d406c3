//! Who an ARN names (`reference/event-record.md` §3).

use event::{Identity, IdentityType, SessionContext, SessionIssuer};

/// The principal of that ARN and account; `id` is its unique id where somebody has said it. A session of a role comes with
/// its issuer. `None` for what is no user, role session, federated user or root.
pub(super) fn principal(arn: &str, account: &str, id: Option<&str>) -> Option<Identity> {
    let mut parts = arn.splitn(6, ':');
    let ("arn", partition, Some(path)) = (parts.next()?, parts.next()?, parts.nth(3)) else { return None };
    let (kind, name) = path.split_once('/').unwrap_or((path, ""));
    let identity_type = match kind {
        "root" => IdentityType::Root,
        "user" => IdentityType::IAMUser,
        "assumed-role" => IdentityType::AssumedRole,
        "federated-user" => IdentityType::FederatedUser,
        _ => return None,
    };
    let role = name.split('/').next().filter(|_| identity_type == IdentityType::AssumedRole);
    let issuer = role.map(|role| SessionIssuer {
        issuer_type: "Role".to_owned(),
        principal_id: id.and_then(|id| id.split_once(':')).map(|(role, _)| role.to_owned()),
        arn: Some(format!("arn:{partition}:iam::{account}:role/{role}")),
        account_id: Some(account.to_owned()),
        user_name: Some(role.to_owned()),
    });
    let is_user = identity_type == IdentityType::IAMUser;
    Some(Identity {
        // The one id that the ARN tells.
        principal_id: id.or(Some(account).filter(|_| identity_type == IdentityType::Root)).map(str::to_owned),
        arn: Some(arn.to_owned()),
        account_id: Some(account.to_owned()),
        user_name: name.rsplit('/').next().filter(|_| is_user).map(str::to_owned),
        session_context: issuer
            .map(|issuer| SessionContext { session_issuer: Some(issuer), ..SessionContext::default() }),
        ..Identity::of_type(identity_type)
    })
}
