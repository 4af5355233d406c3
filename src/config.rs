//! Text → [`Config`]: flags, variables, the file and the defaults, settled once and checked.

use crate::cli::ServeArgs;
use crate::identity_file::{self, IdentityFileError, StatedIdentities};
use capture::{Audit, Routes, TrustedProxies, Upstream};
use registry::{Organization, Secret};
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;
use trail::transparency::witness::Witness;

/// Port of the one door.
const DEFAULT_PORT: u16 = 4780;
/// The file that is read where none is named.
const DEFAULT_FILE: &str = "opentrail.toml";
/// Bounds of `--delivery-interval`: below, files would be mostly overhead; above, CloudTrail users would wait in vain.
const DELIVERY_INTERVAL: Bounds = Bounds { default: "5m", seconds: 1..=3600, remedy: "choose 1s to 1h" };

/// Bounds of `--digest-interval`: names have whole seconds; above, a cut tail would be noticed too late.
const DIGEST_INTERVAL: Bounds = Bounds { default: "1h", seconds: 1..=24 * 3600, remedy: "choose 1s to 24h" };

/// What an interval may be.
struct Bounds {
    default: &'static str,
    seconds: RangeInclusive<u64>,
    remedy: &'static str,
}

/// What `serve` runs with. Inert: building it touches nothing.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The data folder.
    pub(crate) data_dir: PathBuf,
    /// Address of the edge.
    pub(crate) listen: SocketAddr,
    /// The house's account, 12 digits.
    pub(crate) account: String,
    /// The house's Region.
    pub(crate) region: String,
    /// Who answers which call.
    pub(crate) routes: Routes,
    /// Whether answers wait for their records.
    pub(crate) audit: Audit,
    /// Whether calls to local services must be signed.
    pub(crate) auth: Auth,
    /// How long events are gathered into a log file.
    pub(crate) delivery_interval: Duration,
    /// How much time a digest file covers.
    pub(crate) digest_interval: Duration,
    /// Whether transparency logs are kept.
    pub(crate) transparency_log: bool,
    /// Who else gets the checkpoints of transparency logs.
    pub(crate) witnesses: Vec<Witness>,
    /// How long the journal keeps events.
    pub(crate) retention: Duration,
    /// Whether calls that AWS would not record are recorded.
    pub(crate) record_unauthenticated: bool,
    /// Whose word about a caller's address is believed.
    pub(crate) trusted_proxies: TrustedProxies,
    /// Names below which the hosts of S3's buckets stand, as stated.
    pub(crate) s3_domains: Vec<String>,
    /// Whether the S3 upstream knows no other names, not even AWS's.
    pub(crate) s3_own_hosts_only: bool,
    /// What the identity file says.
    pub(crate) identities: StatedIdentities,
    /// The organization whose management account the house's is.
    pub(crate) organization: Option<Organization>,
    /// Certificate chain and key files.
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
    /// Number of event loops.
    pub(crate) threads: usize,
    /// The form of log lines.
    pub(crate) log_format: LogFormat,
    /// Keys for our own calls to upstreams; without them the AWS chain, then the administrator's.
    pub(crate) upstream_keys: Option<UpstreamKeys>,
    /// Keys for witnesses on another S3; without them those of `upstream_keys`.
    pub(crate) witness_keys: Option<UpstreamKeys>,
}

/// Who may call the services in the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Auth {
    /// Holders of a key kept here.
    Verify,
    /// Anybody who reaches the (loopback) address.
    Trust,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// The `[upstream-keys]` and `[witness-keys]` sections of the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct UpstreamKeys {
    /// Access key id.
    pub(crate) access_key_id: String,
    /// Secret access key.
    pub(crate) secret_access_key: Secret,
    /// Session token of temporary keys.
    pub(crate) session_token: Option<Secret>,
}

/// Settings that cannot be used; each names its remedy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The named file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file is not what we read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: toml::de::Error,
    },
    /// A value out of its form.
    #[error("--{name} `{value}`: {remedy}")]
    Value {
        /// The flag.
        name: &'static str,
        /// What was given.
        value: String,
        /// What is wanted.
        remedy: &'static str,
    },
    /// No upstream, where one is needed.
    #[error("say where the calls go: --upstream URL, or set AWS_ENDPOINT_URL")]
    NoUpstream,
    /// An upstream that is no URL.
    #[error("--upstream: {0}")]
    Upstream(#[from] capture::UpstreamError),
    /// Upstreams that contradict each other.
    #[error("--upstream: {0}")]
    Routes(#[from] capture::RoutesError),
    /// An identity file that cannot be used.
    #[error(transparent)]
    Identities(#[from] IdentityFileError),
    /// Certificate without key, or key without certificate.
    #[error("--tls-cert and --tls-key go together: give both or neither")]
    HalfTls,
    /// Members of no organization.
    #[error("--organization-account: name the organization, too, with --organization o-ID")]
    MembersOfNothing,
    /// `trust` where strangers could call.
    #[error(
        "--auth trust accepts any key, so it needs a loopback address, not {0}: use --listen 127.0.0.1:PORT or --auth verify"
    )]
    TrustInPublic(IpAddr),
}

/// More event loops than any machine has processors for.
const THREADS_MAX: usize = 256;

/// The file, with the same names as the flags.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct File {
    data_dir: Option<PathBuf>,
    listen: Option<SocketAddr>,
    account: Option<String>,
    region: Option<String>,
    #[serde(default)]
    upstream: OneOrMany,
    audit: Option<String>,
    auth: Option<String>,
    delivery_interval: Option<String>,
    digest_interval: Option<String>,
    transparency_log: Option<String>,
    #[serde(default)]
    witness: OneOrMany,
    retention: Option<String>,
    record_unauthenticated: Option<bool>,
    identities: Option<PathBuf>,
    #[serde(default)]
    trusted_proxy: OneOrMany,
    #[serde(default)]
    s3_domain: OneOrMany,
    s3_own_hosts_only: Option<bool>,
    organization: Option<String>,
    #[serde(default)]
    organization_account: OneOrMany,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    threads: Option<usize>,
    log_format: Option<String>,
    upstream_keys: Option<UpstreamKeys>,
    witness_keys: Option<UpstreamKeys>,
}

/// `upstream = "URL"` or `upstream = ["URL", "s3=URL"]`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn into_vec(self) -> Vec<String> {
        match self {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        }
    }
}

impl Default for OneOrMany {
    fn default() -> OneOrMany {
        OneOrMany::Many(Vec::new())
    }
}

impl Config {
    /// The names below which the hosts of S3's buckets stand: as stated, and the host of S3's upstream unless only the stated count.
    pub(crate) fn s3_domains(&self) -> Vec<String> {
        let upstream = self.routes.upstream_of("s3").map(|upstream| upstream.host.clone());
        let named = upstream.filter(|host| !self.s3_own_hosts_only && host.parse::<IpAddr>().is_err());
        self.s3_domains.iter().cloned().chain(named).collect()
    }

    /// Reads the file that the flags name (or the default one, if it exists) and settles everything.
    ///
    /// # Errors
    /// [`ConfigError`], worded for the person who typed it.
    pub(crate) fn load(args: ServeArgs) -> Result<Config, ConfigError> {
        let path = args.config.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && args.config.is_none() => String::new(),
            Err(source) => return Err(ConfigError::Unreadable { path, source }),
        };
        Config::settle(args, &path, &text)
    }

    /// [`Config::load`] with the file's text; reads nothing but the identity file.
    fn settle(args: ServeArgs, path: &Path, text: &str) -> Result<Config, ConfigError> {
        let file: File = toml::from_str(text).map_err(|source| ConfigError::File { path: path.to_owned(), source })?;
        let account = args.account.or(file.account).unwrap_or_else(|| "000000000000".to_owned());
        check_account(&account)?;
        let region = args.region.or(file.region).unwrap_or_else(|| "us-east-1".to_owned());
        check_region(&region)?;
        let listen = args.listen.or(file.listen).unwrap_or(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), DEFAULT_PORT));
        let auth = choice("auth", args.auth.or(file.auth), &[("verify", Auth::Verify), ("trust", Auth::Trust)])?;
        if auth == Auth::Trust && !listen.ip().is_loopback() {
            return Err(ConfigError::TrustInPublic(listen.ip()));
        }
        let delivery_interval =
            interval("delivery-interval", args.delivery_interval.or(file.delivery_interval), &DELIVERY_INTERVAL)?;
        let digest_interval =
            interval("digest-interval", args.digest_interval.or(file.digest_interval), &DIGEST_INTERVAL)?;
        let tls = match (args.tls_cert.or(file.tls_cert), args.tls_key.or(file.tls_key)) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => return Err(ConfigError::HalfTls),
        };
        let cores = || std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
        let threads = args.threads.or(file.threads).unwrap_or_else(cores);
        if !(1..=THREADS_MAX).contains(&threads) {
            return Err(ConfigError::Value {
                name: "threads",
                value: threads.to_string(),
                remedy: "1 to 256; leave it out for one for each processor",
            });
        }
        Ok(Config {
            data_dir: args.data_dir.or(file.data_dir).unwrap_or_else(|| PathBuf::from("opentrail-data")),
            routes: routes(&several(args.upstream, file.upstream))?,
            audit: choice(
                "audit",
                args.audit.or(file.audit),
                &[("fail-closed", Audit::FailClosed), ("fail-open", Audit::FailOpen)],
            )?,
            retention: duration("retention", args.retention.or(file.retention), "90d")?,
            identities: match args.identities.or(file.identities) {
                Some(path) => identity_file::read(&path, &account)?,
                None => StatedIdentities::new(),
            },
            record_unauthenticated: args.record_unauthenticated.or(file.record_unauthenticated).unwrap_or(false),
            threads,
            log_format: choice(
                "log-format",
                args.log_format.or(file.log_format),
                &[("text", LogFormat::Text), ("json", LogFormat::Json)],
            )?,
            upstream_keys: file.upstream_keys,
            witness_keys: file.witness_keys,
            transparency_log: choice(
                "transparency-log",
                args.transparency_log.or(file.transparency_log),
                &[("on", true), ("off", false)],
            )?,
            witnesses: witnesses(several(args.witness, file.witness))?,
            trusted_proxies: networks(several(args.trusted_proxy, file.trusted_proxy))?,
            s3_domains: domains(several(args.s3_domain, file.s3_domain))?,
            s3_own_hosts_only: args.s3_own_hosts_only.or(file.s3_own_hosts_only).unwrap_or(false),
            organization: organization(
                args.organization.or(file.organization),
                several(args.organization_account, file.organization_account),
            )?,
            listen,
            account,
            region,
            auth,
            delivery_interval,
            digest_interval,
            tls,
        })
    }
}

/// The values that were typed, or else those of the file; empty ones are none.
fn several(typed: Vec<String>, file: OneOrMany) -> Vec<String> {
    let given = |values: Vec<String>| -> Vec<String> {
        values.iter().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()).collect()
    };
    let typed = given(typed);
    if typed.is_empty() { given(file.into_vec()) } else { typed }
}

/// Checks an account id: 12 digits.
///
/// # Errors
/// [`ConfigError::Value`] for anything else.
pub(crate) fn check_account(account: &str) -> Result<(), ConfigError> {
    if account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(ConfigError::Value { name: "account", value: account.to_owned(), remedy: "an account id has 12 digits" })
}

/// Checks the name of a Region.
///
/// # Errors
/// [`ConfigError::Value`] for anything that cannot be one.
pub(crate) fn check_region(region: &str) -> Result<(), ConfigError> {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !region.is_empty() && region.bytes().all(is_part) {
        return Ok(());
    }
    Err(ConfigError::Value { name: "region", value: region.to_owned(), remedy: "write a Region such as eu-west-1" })
}

/// Reads the id of an organization and its members.
fn organization(id: Option<String>, accounts: Vec<String>) -> Result<Option<Organization>, ConfigError> {
    let Some(id) = id else {
        return if accounts.is_empty() { Ok(None) } else { Err(ConfigError::MembersOfNothing) };
    };
    let is_part = |part: &str| {
        (10..=32).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    if !id.strip_prefix("o-").is_some_and(is_part) {
        let remedy = "an organization's id is o- and 10 to 32 lower-case letters and digits";
        return Err(ConfigError::Value { name: "organization", value: id, remedy });
    }
    for account in &accounts {
        check_account(account).map_err(|_| ConfigError::Value {
            name: "organization-account",
            value: account.clone(),
            remedy: "an account id has 12 digits",
        })?;
    }
    Ok(Some(Organization { id, accounts }))
}

/// Reads `[SERVICE,…=]URL` values.
///
/// # Errors
/// [`ConfigError`] for what is no URL or contradicts itself.
pub(crate) fn routes(values: &[String]) -> Result<Routes, ConfigError> {
    let mut pairs = Vec::new();
    for value in values.iter().map(|value| value.trim()).filter(|value| !value.is_empty()) {
        let (services, url) = match value.split_once('=') {
            Some((services, url)) if !services.contains("://") => (services, url),
            _ => ("", value),
        };
        let services = services.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect();
        pairs.push((services, url.parse::<Upstream>()?));
    }
    Ok(Routes::new(pairs)?)
}

/// Reads addresses and networks; an address is a network of its own.
fn networks(values: Vec<String>) -> Result<TrustedProxies, ConfigError> {
    let network = |value: String| {
        let parsed =
            value.parse::<ipnet::IpNet>().ok().or_else(|| value.parse::<IpAddr>().ok().map(ipnet::IpNet::from));
        let remedy = "write an address or a network such as 10.0.0.0/8";
        parsed.ok_or(ConfigError::Value { name: "trusted-proxy", value, remedy })
    };
    Ok(TrustedProxies::new(values.into_iter().map(network).collect::<Result<_, _>>()?))
}

/// Reads where checkpoints go, too.
fn witnesses(values: Vec<String>) -> Result<Vec<Witness>, ConfigError> {
    let witness =
        |value: String| Witness::parse(&value).map_err(|remedy| ConfigError::Value { name: "witness", value, remedy });
    values.into_iter().map(witness).collect()
}

/// Reads names of hosts.
fn domains(values: Vec<String>) -> Result<Vec<String>, ConfigError> {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let name = |value: String| {
        let good = value.bytes().all(usual) && !value.starts_with('.') && !value.ends_with('.');
        let remedy = "write a host name without scheme and port, such as s3.example.com";
        if good { Ok(value) } else { Err(ConfigError::Value { name: "s3-domain", value, remedy }) }
    };
    values.into_iter().map(name).collect()
}

/// The value of a flag that takes one of a few words; the first is the default.
fn choice<T: Copy>(name: &'static str, value: Option<String>, words: &[(&'static str, T)]) -> Result<T, ConfigError> {
    let chosen = match &value {
        None => words.first(),
        Some(value) => words.iter().find(|(word, _)| word == value),
    };
    let remedy = match name {
        "audit" => "choose fail-closed or fail-open",
        "auth" => "choose verify or trust",
        "transparency-log" => "choose on or off",
        _ => "choose text or json",
    };
    chosen.map(|(_, meaning)| *meaning).ok_or_else(|| ConfigError::Value {
        name,
        value: value.unwrap_or_default(),
        remedy,
    })
}

/// A duration within bounds.
fn interval(name: &'static str, value: Option<String>, bounds: &Bounds) -> Result<Duration, ConfigError> {
    let interval = duration(name, value.clone(), bounds.default)?;
    if bounds.seconds.contains(&interval.as_secs()) {
        return Ok(interval);
    }
    Err(ConfigError::Value { name, value: value.unwrap_or_default(), remedy: bounds.remedy })
}

/// Reads `90s`, `5m`, `1h`, `90d`; a bare number is seconds.
fn duration(name: &'static str, value: Option<String>, default: &str) -> Result<Duration, ConfigError> {
    let text = value.as_deref().unwrap_or(default);
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        "d" => Some(86_400),
        _ => None,
    };
    let seconds = digits.parse::<u64>().ok().zip(unit).and_then(|(count, unit)| count.checked_mul(unit));
    seconds.map(Duration::from_secs).ok_or_else(|| ConfigError::Value {
        name,
        value: text.to_owned(),
        remedy: "write a number and a unit, such as 30s, 5m, 1h or 90d",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settle(args: ServeArgs, text: &str) -> Result<Config, ConfigError> {
        Config::settle(args, Path::new("opentrail.toml"), text)
    }

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let config = settle(ServeArgs::default(), "").unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:4780");
        assert_eq!((config.account.as_str(), config.region.as_str()), ("000000000000", "us-east-1"));
        assert_eq!(config.data_dir, PathBuf::from("opentrail-data"));
        assert_eq!((config.audit, config.auth), (Audit::FailClosed, Auth::Verify));
        assert_eq!(config.delivery_interval, Duration::from_secs(300));
        assert_eq!(config.digest_interval, Duration::from_secs(3600));
    }

    #[test]
    fn flags_win_over_the_file() {
        let args = ServeArgs { region: Some("eu-west-1".to_owned()), ..ServeArgs::default() };
        let text = "region = \"us-west-2\"\naccount = \"111122223333\"\nupstream = [\"http://a:1\", \"s3,sqs=http://b:2\"]\n[upstream-keys]\naccess-key-id = \"AK\"\nsecret-access-key = \"planted\"\nsession-token = \"planted\"";
        let config = settle(args, text).unwrap();
        assert_eq!((config.region.as_str(), config.account.as_str()), ("eu-west-1", "111122223333"));
        assert_eq!(config.routes.upstream_of("s3").map(ToString::to_string).as_deref(), Some("http://b:2"));
        assert_eq!(config.routes.upstream_of("iam").map(ToString::to_string).as_deref(), Some("http://a:1"));
        let keys = config.upstream_keys.as_ref().unwrap();
        assert_eq!((keys.access_key_id.as_str(), keys.secret_access_key.expose()), ("AK", "planted"));
        assert!(!format!("{config:?}").contains("planted"), "secrets are not printed");
    }

    #[test]
    fn empty_values_are_none_and_leave_those_of_the_file() {
        let empty = || vec![String::new(), " ".to_owned()];
        let args = || ServeArgs {
            upstream: empty(),
            trusted_proxy: empty(),
            s3_domain: empty(),
            s3_own_hosts_only: None,
            witness: empty(),
            organization_account: empty(),
            ..ServeArgs::default()
        };
        let none = settle(args(), "trusted-proxy = \"\"\ns3-domain = [\"\"]\norganization-account = \"\"").unwrap();
        assert!(none.s3_domains.is_empty() && none.organization.is_none());
        let text = "upstream = \"http://a:1\"\ns3-domain = [\"s3.lan\", \"\"]\norganization = \"o-exampleorgid\"\norganization-account = \"444455556666\"";
        let kept = settle(args(), text).unwrap();
        assert_eq!(kept.routes.upstreams().len(), 1);
        assert_eq!(kept.s3_domains, ["s3.lan"]);
        assert_eq!(kept.organization.unwrap().accounts, ["444455556666"]);
    }

    #[test]
    fn every_bad_value_is_named_with_its_remedy() {
        let with = |change: fn(&mut ServeArgs)| {
            let mut args = ServeArgs::default();
            change(&mut args);
            settle(args, "").map(|_| ()).unwrap_err().to_string()
        };
        assert!(with(|a| a.account = Some("12".into())).contains("12 digits"));
        assert!(with(|a| a.audit = Some("maybe".into())).contains("fail-closed or fail-open"));
        assert!(with(|a| a.delivery_interval = Some("5 parsecs".into())).contains("such as 30s"));
        assert!(with(|a| a.delivery_interval = Some("0s".into())).contains("1s to 1h"));
        assert!(with(|a| a.digest_interval = Some("25h".into())).contains("1s to 24h"));
        assert!(with(|a| a.upstream = vec!["moto:5000".into()]).contains("http://HOST"));
        assert!(with(|a| a.trusted_proxy = vec!["10.0.0.0/99".into()]).contains("10.0.0.0/8"));
        assert!(with(|a| a.s3_domain = vec!["http://s3.lan:9000".into()]).contains("s3.example.com"));
        assert!(with(|a| a.transparency_log = Some("maybe".into())).contains("on or off"));
        assert!(with(|a| a.witness = vec!["https://w.example".into()]).contains("NAME+ID+KEY"));
        assert!(with(|a| a.tls_cert = Some("x".into())).contains("both or neither"));
        assert!(with(|a| a.organization = Some("o-Short".into())).contains("lower-case letters"));
        assert!(with(|a| a.organization_account = vec!["444455556666".into()]).contains("--organization o-ID"));
        let members = |a: &mut ServeArgs| {
            a.organization = Some("o-exampleorgid".into());
            a.organization_account = vec!["4444".into()];
        };
        assert!(with(members).contains("12 digits"));
        let public = with(|a| (a.auth, a.listen) = (Some("trust".into()), "0.0.0.0:80".parse().ok()));
        assert!(public.contains("loopback"));
        assert!(settle(ServeArgs::default(), "colour = 1").unwrap_err().to_string().contains("colour"));
    }
}
