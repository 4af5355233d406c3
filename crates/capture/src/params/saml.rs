//! What the record of a sign-in by SAML tells of the assertion: its id, and the names and tags that it gives the session
//! (`reference/event-record.md` §7.5; IAM User Guide, "Configure SAML assertions for the authentication response").

use crate::decode::tree::NodeRef;
use crate::decode::xml;
use crate::render::limits;
use crate::render::write::Json;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// STS takes no longer ones.
const MAX_LENGTH: usize = 100_000;
/// STS takes no more tags, and no more keys of tags.
const MAX_TAGS: usize = 50;
/// How the names of the attributes begin that AWS knows.
const OURS: &str = "https://aws.amazon.com/SAML/Attributes/";

/// Writes what an assertion (base64 of XML) tells. Nothing of one that cannot be read or is encrypted.
pub(crate) fn write(assertion: &str, out: &mut Json) {
    if assertion.len() > MAX_LENGTH {
        return;
    }
    let encoded: Vec<u8> = assertion.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let Ok(document) = STANDARD.decode(encoded) else { return };
    let Ok(tree) = xml::tree(&document) else { return };
    let root = tree.root();
    let Some(assertion) = is_named(&root, "Assertion").then_some(root).or_else(|| inside(root, "Assertion").next())
    else {
        return;
    };
    if let Some(id) = assertion.child("ID").and_then(NodeRef::text) {
        out.text_member("sAMLAssertionID", limits::text(id));
    }
    let attributes = || {
        let all = inside(assertion, "AttributeStatement").flat_map(|statement| inside(statement, "Attribute"));
        all.filter_map(|attribute| Some((attribute.child("Name")?.text()?.strip_prefix(OURS)?, attribute)))
    };
    let of = |name: &'static str| attributes().find(|(own, _)| *own == name).map(|(_, attribute)| values(attribute));
    if let Some(name) = of("RoleSessionName").and_then(|mut values| values.next()) {
        out.text_member("roleSessionName", limits::text(name));
    }
    if let Some(identity) = of("SourceIdentity").and_then(|mut values| values.next()) {
        out.text_member("sourceIdentity", limits::text(identity));
    }
    tags(attributes().filter_map(|(name, attribute)| Some((name.strip_prefix("PrincipalTag:")?, attribute))), out);
    if let Some(keys) = of("TransitiveTagKeys") {
        out.key("transitiveTagKeys");
        out.open_list();
        keys.take(MAX_TAGS).for_each(|key| out.text(key));
        out.close_list();
    }
}

fn tags<'t, 'a: 't>(tags: impl Iterator<Item = (&'t str, NodeRef<'t, 'a>)>, out: &mut Json) {
    let mut tags = tags.take(MAX_TAGS).filter_map(|(key, attribute)| Some((key, values(attribute).next()?))).peekable();
    if tags.peek().is_none() {
        return;
    }
    out.key("principalTags");
    out.open_object();
    tags.for_each(|(key, value)| out.foreign_member(key, value));
    out.close_object();
}

fn values<'t, 'a>(attribute: NodeRef<'t, 'a>) -> impl Iterator<Item = &'t str> {
    inside(attribute, "AttributeValue").filter_map(NodeRef::text)
}

/// The elements of that name, whatever prefix stands before it.
fn inside<'t, 'a>(node: NodeRef<'t, 'a>, name: &'static str) -> impl Iterator<Item = NodeRef<'t, 'a>> {
    node.elements().filter(move |child| is_named(child, name))
}

fn is_named(node: &NodeRef<'_, '_>, name: &str) -> bool {
    node.name().rsplit(':').next() == Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(document: &str) -> String {
        let mut out = Json::default();
        out.open_object();
        write(&STANDARD.encode(document), &mut out);
        out.close_object();
        out.into_text()
    }

    #[test]
    fn an_assertion_tells_its_id_and_what_it_gives_the_session() {
        let attribute =
            |name: &str, values: &str| format!("<saml:Attribute Name=\"{OURS}{name}\">{values}</saml:Attribute>");
        let value = |text: &str| format!("<saml:AttributeValue xsi:type=\"xs:string\">{text}</saml:AttributeValue>");
        let statement = [
            attribute("Role", &value("arn:aws:iam::111122223333:role/r,arn:aws:iam::111122223333:saml-provider/p")),
            attribute("RoleSessionName", &value("alice")),
            attribute("PrincipalTag:Project", &value("Unicorn")),
            attribute("TransitiveTagKeys", &format!("{}{}", value("Project"), value("CostCenter"))),
            "<saml:Attribute Name=\"mail\"><saml:AttributeValue>a@example.com</saml:AttributeValue></saml:Attribute>"
                .to_owned(),
        ]
        .concat();
        let assertion = format!(
            "<saml:Assertion ID=\"_a1\"><saml:AttributeStatement>{statement}</saml:AttributeStatement></saml:Assertion>"
        );
        let expected = "{\"sAMLAssertionID\":\"_a1\",\"roleSessionName\":\"alice\",\"principalTags\":{\"Project\":\"Unicorn\"},\
                        \"transitiveTagKeys\":[\"Project\",\"CostCenter\"]}";
        assert_eq!(told(&assertion), expected);
        assert_eq!(
            told(&format!("<?xml version=\"1.0\"?><samlp:Response ID=\"_r\">{assertion}</samlp:Response>")),
            expected
        );
    }

    #[test]
    fn what_is_no_assertion_tells_nothing() {
        for document in ["", "<a", "PLANTED", "<r><EncryptedAssertion/></r>", "<!DOCTYPE a><Assertion ID=\"1\"/>"] {
            assert_eq!(told(document), "{}", "{document}");
        }
        let mut out = Json::default();
        write("no base64!", &mut out);
        write(&"A".repeat(MAX_LENGTH + 4), &mut out);
        assert_eq!(out.into_text(), "");
    }
}
