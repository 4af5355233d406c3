//! `eventSource`: the name under which a service records its calls.

/// Services whose `eventSource` is not their signing name: botocore's name of the service, and the source's first word.
///
/// Where from: `r` is in real records, `l` is in a list of sources seen in CloudTrail (iann0036/iam-dataset, MIT),
/// `d` is in AWS's own guides, `p` follows the pattern of its siblings.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("application-autoscaling", "autoscaling"),                   // d
    ("application-insights", "application-insights"),             // l
    ("autoscaling-plans", "autoscaling"),                         // d
    ("chime-sdk-media-pipelines", "chime-sdk-media-pipelines"),   // l
    ("chime-sdk-voice", "chime-sdk-voice"),                       // l
    ("cloudfront-keyvaluestore", "edgekeyvaluestore"),            // d
    ("connect-contact-lens", "contact-lens"),                     // l
    ("connectparticipant", "participant-connect"),                // l
    ("iotsecuretunneling", "iotsecuredtunneling"),                // d
    ("marketplace-agreement", "agreement-marketplace"),           // r
    ("marketplace-catalog", "marketplacecatalog"),                // l
    ("marketplace-deployment", "deployment-marketplace"),         // p
    ("marketplace-discovery", "discovery-marketplace"),           // r
    ("marketplace-entitlement", "entitlement-marketplace"),       // p
    ("marketplace-reporting", "reporting-marketplace"),           // l
    ("meteringmarketplace", "metering-marketplace"),              // p
    ("mgh", "migrationhub"),                                      // l
    ("migrationhub-config", "migrationhub-config"),               // p
    ("mq", "amazonmq"),                                           // l
    ("pinpoint", "pinpoint"),                                     // l
    ("pricing", "pricelist"),                                     // l
    ("qconnect", "qconnect"),                                     // l
    ("rds-data", "rdsdata"),                                      // d
    ("servicecatalog-appregistry", "servicecatalog-appregistry"), // r
    ("sso", "sso"),                                               // d
    ("wisdom", "qconnect"),                                       // l, the former name of qconnect
];

/// The `eventSource` of the service of that botocore name and signing name.
pub(crate) fn event_source(name: &str, signing_name: &str) -> Box<str> {
    let exception = EXCEPTIONS.iter().find(|(service, _)| *service == name);
    format!("{}.amazonaws.com", exception.map_or(signing_name, |(_, source)| source)).into()
}
