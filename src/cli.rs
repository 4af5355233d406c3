//! What can be typed: the commands, their flags and their help.

mod audit;
mod places;
pub(crate) mod prove;
pub(crate) mod record;
pub(crate) mod say;
pub(crate) mod serve;
pub(crate) mod validate_logs;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The most files or parts that are read at once: each takes a connection and a buffer.
const PARALLEL_MAX: i64 = 1024;

/// An open, self-hosted CloudTrail.
#[derive(Debug, Parser)]
#[command(
    name = "opentrail",
    version,
    about = "An open, self-hosted CloudTrail: who called what, when, from where, with which parameters",
    after_help = "\
Examples:
  opentrail serve                                     everything embedded, nothing to install
  opentrail serve --upstream http://127.0.0.1:5000    record the calls to another endpoint (MinIO, moto, …)
  opentrail record --upstream URL -- aws s3 ls        run a command and see its AWS calls
  opentrail validate-logs --trail-arn ARN --start-time 2026-01-15    is the archive as it was delivered?
  opentrail prove EVENT-ID                            a proof of one event, for somebody who trusts nobody

Every flag of `serve` has a variable (OPENTRAIL_DATA_DIR, …) and, but for --config, a key of the same name in opentrail.toml."
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// What was typed. A variable that is empty counts for nothing, as compose files leave them: clap would take it for a
    /// value.
    pub(crate) fn read() -> Cli {
        let is_empty = |name: &std::ffi::OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
        let command = Cli::command().mut_subcommands(|command| {
            command.mut_args(|arg| if arg.get_env().is_some_and(is_empty) { arg.env(None::<&str>) } else { arg })
        });
        Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Stand in front of AWS endpoints, record every call, deliver log files, answer the CloudTrail API
    Serve(Box<ServeArgs>),
    /// Run a command with its AWS calls recorded, and show them
    Record(RecordArgs),
    /// Verify that log files and digests are as they were delivered, by OpenTrail or by AWS
    ValidateLogs(Box<ValidateLogsArgs>),
    /// Prove that an event is in the transparency log of its trail, or verify such a proof
    Prove(Box<ProveArgs>),
}

/// Flags of `opentrail prove`.
#[derive(Debug, Args)]
#[command(after_help = "\
A proof is one small file (C2SP tlog-proof) with the record in it. Whoever has it and the log's public key verifies it
without asking anybody. The public key stands on the page /_opentrail/transparency; give it to others before they need it.

Ends with 0 when it is proven, 1 when it is not, 2 when that cannot be told.

Examples:
  opentrail prove 3038ebd2-c98a-4c65-9b6e-e22506292313
  opentrail prove 3038ebd2-c98a-4c65-9b6e-e22506292313 --from s3://my-logs --trail main --output proof.tlog-proof
  opentrail prove --verify proof.tlog-proof --public-key opentrail/111122223333/…+1a2b3c4d+AU…")]
pub(crate) struct ProveArgs {
    /// eventID of the event
    #[arg(value_name = "EVENT-ID", required_unless_present = "verify", conflicts_with = "verify")]
    pub(crate) event_id: Option<String>,
    /// The trail whose log is searched: name or ARN [default: all]
    #[arg(long, value_name = "TRAIL")]
    pub(crate) trail: Option<String>,
    /// Where the archive lies: s3://BUCKET[/PREFIX], or a folder as `aws s3 sync` leaves it [default: ask the OpenTrail at
    /// the endpoint]
    #[arg(long, value_name = "PLACE")]
    pub(crate) from: Option<String>,
    /// Where OpenTrail or S3 answers [default: AWS_ENDPOINT_URL, or AWS]
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
    /// Where the proof is written [default: EVENT-ID.tlog-proof]
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Verify a proof
    #[arg(long, value_name = "FILE", requires = "public_key")]
    pub(crate) verify: Option<PathBuf>,
    /// Public key of the log, NAME+ID+KEY, or a file with keys; may be given several times
    #[arg(long, value_name = "KEY")]
    pub(crate) public_key: Vec<String>,
    /// Public key of a witness that must have seen the log so; may be given several times
    #[arg(long, value_name = "KEY", requires = "verify")]
    pub(crate) witness_key: Vec<String>,
    /// How many parts of the log are read at once
    #[arg(long, value_name = "N", default_value = "32", value_parser = clap::value_parser!(u16).range(1..=PARALLEL_MAX))]
    pub(crate) parallel: u16,
}

/// Flags of `opentrail serve`; what is left out comes from the file, then from the defaults.
#[derive(Debug, Default, Args)]
pub(crate) struct ServeArgs {
    /// Configuration file [default: opentrail.toml if it exists]
    #[arg(long, value_name = "FILE", env = "OPENTRAIL_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Where everything is kept [default: ./opentrail-data]
    #[arg(long, value_name = "DIR", env = "OPENTRAIL_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Address and port of the one door [default: 127.0.0.1:4780]
    #[arg(long, value_name = "ADDR", env = "OPENTRAIL_LISTEN")]
    pub(crate) listen: Option<SocketAddr>,
    /// Account that the calls belong to, 12 digits [default: 000000000000]
    #[arg(long, value_name = "ID", env = "OPENTRAIL_ACCOUNT")]
    pub(crate) account: Option<String>,
    /// Region of the default trail and of calls that name none [default: us-east-1]
    #[arg(long, value_name = "NAME", env = "OPENTRAIL_REGION")]
    pub(crate) region: Option<String>,
    /// Where calls go that are not answered here: all services, or those before the `=`; may be given several times
    #[arg(long, value_name = "[SERVICE,…=]URL", env = "OPENTRAIL_UPSTREAM", value_delimiter = ' ')]
    pub(crate) upstream: Vec<String>,
    /// What happens when a record cannot be made durable: the call is refused (fail-closed) or goes on and the loss is
    /// counted (fail-open) [default: fail-closed]
    #[arg(long, value_name = "MODE", env = "OPENTRAIL_AUDIT")]
    pub(crate) audit: Option<String>,
    /// Whether calls to local services need a valid signature by a key kept here (verify) or any key will do (trust,
    /// only on a loopback address) [default: verify]
    #[arg(long, value_name = "MODE", env = "OPENTRAIL_AUTH")]
    pub(crate) auth: Option<String>,
    /// How long events are gathered into a log file [default: 5m]
    #[arg(long, value_name = "TIME", env = "OPENTRAIL_DELIVERY_INTERVAL")]
    pub(crate) delivery_interval: Option<String>,
    /// How much time a digest file covers [default: 1h]
    #[arg(long, value_name = "TIME", env = "OPENTRAIL_DIGEST_INTERVAL")]
    pub(crate) digest_interval: Option<String>,
    /// Whether trails with log file validation keep a transparency log of every event (on) or not (off) [default: on]
    #[arg(long, value_name = "MODE", env = "OPENTRAIL_TRANSPARENCY_LOG")]
    pub(crate) transparency_log: Option<String>,
    /// Second place for the checkpoints of transparency logs: s3://BUCKET/PREFIX, s3+https://HOST/BUCKET/PREFIX, or a
    /// witness, https://HOST/PATH#NAME+ID+KEY; may be given several times (docs/operate/prove.md)
    #[arg(long, value_name = "PLACE", env = "OPENTRAIL_WITNESS", value_delimiter = ' ')]
    pub(crate) witness: Vec<String>,
    /// How long the journal keeps events that every trail has delivered, such as 90d or 12h [default: 90d]
    #[arg(long, value_name = "TIME", env = "OPENTRAIL_RETENTION")]
    pub(crate) retention: Option<String>,
    /// Record calls that AWS would not record (unsigned, malformed) with the identity `Unknown`
    #[arg(long, env = "OPENTRAIL_RECORD_UNAUTHENTICATED", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) record_unauthenticated: Option<bool>,
    /// Address or network of a proxy whose X-Forwarded-For and PROXY protocol are believed; may be given several times
    #[arg(long, value_name = "CIDR", env = "OPENTRAIL_TRUSTED_PROXY", value_delimiter = ',')]
    pub(crate) trusted_proxy: Vec<String>,
    /// Name before which S3 buckets stand in the host, as in BUCKET.NAME; may be given several times
    #[arg(long, value_name = "NAME", env = "OPENTRAIL_S3_DOMAIN", value_delimiter = ',')]
    pub(crate) s3_domain: Vec<String>,
    /// Refuse S3 calls whose host names a bucket below AWS's names or localhost, for stores that know no names but those of
    /// --s3-domain (MinIO, Ceph, Garage, SeaweedFS)
    #[arg(long, env = "OPENTRAIL_S3_OWN_HOSTS_ONLY", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) s3_own_hosts_only: Option<bool>,
    /// Who an access key is, for keys that nobody else tells about (JSON; docs/operate/identities.md)
    #[arg(long, value_name = "FILE", env = "OPENTRAIL_IDENTITIES")]
    pub(crate) identities: Option<PathBuf>,
    /// The organization whose management account --account is: its trails take the events of all member accounts
    #[arg(long, value_name = "o-ID", env = "OPENTRAIL_ORGANIZATION")]
    pub(crate) organization: Option<String>,
    /// A member account of the organization; may be given several times [default: every account whose calls pass]
    #[arg(long, value_name = "ID", env = "OPENTRAIL_ORGANIZATION_ACCOUNT", value_delimiter = ',')]
    pub(crate) organization_account: Vec<String>,
    /// Certificate chain (PEM) to speak TLS with; needs --tls-key
    #[arg(long, value_name = "FILE", env = "OPENTRAIL_TLS_CERT")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Private key (PEM) of the certificate
    #[arg(long, value_name = "FILE", env = "OPENTRAIL_TLS_KEY")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Number of event loops [default: one per core]
    #[arg(long, value_name = "N", env = "OPENTRAIL_THREADS")]
    pub(crate) threads: Option<usize>,
    /// Log lines for people (text) or machines (json) [default: text]
    #[arg(long, value_name = "FORM", env = "OPENTRAIL_LOG_FORMAT")]
    pub(crate) log_format: Option<String>,
}

/// Flags of `opentrail record`.
#[derive(Debug, Args)]
#[command(after_help = "\
The command sees AWS_ENDPOINT_URL pointed at a private recorder on a free port. The recorder passes every call on
to --upstream or, without it, to where AWS_ENDPOINT_URL (and AWS_ENDPOINT_URL_<SERVICE>) pointed before.

Examples:
  AWS_ENDPOINT_URL=http://127.0.0.1:5000 opentrail record -- terraform apply
  opentrail record --upstream http://127.0.0.1:9000 --output calls.json -- ./deploy.sh")]
pub(crate) struct RecordArgs {
    /// Where the calls go [default: what AWS_ENDPOINT_URL says]
    #[arg(long, value_name = "[SERVICE,…=]URL")]
    pub(crate) upstream: Vec<String>,
    /// Write the records as CloudTrail JSON ({"Records":[…]})
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Who an access key is (JSON; docs/operate/identities.md)
    #[arg(long, value_name = "FILE", env = "OPENTRAIL_IDENTITIES")]
    pub(crate) identities: Option<PathBuf>,
    /// Account that the calls belong to, 12 digits
    #[arg(long, value_name = "ID", default_value = "000000000000")]
    pub(crate) account: String,
    /// Region of calls that name none
    #[arg(long, value_name = "NAME", default_value = "us-east-1")]
    pub(crate) region: String,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<std::ffi::OsString>,
}

/// Flags of `opentrail validate-logs`: those of `aws cloudtrail validate-logs`, and some more.
#[derive(Debug, Args)]
#[command(after_help = "\
Says what `aws cloudtrail validate-logs` says and what that one misses: neighbouring digests deleted, a cut tail. Where the
trail has a transparency log, that is verified too; what is wrong with it is always told.
Ends with 0 when everything is valid, 1 when something is not, 2 when that cannot be told.

Keys come from the environment or the shared credentials file, endpoints from --endpoint-url or AWS_ENDPOINT_URL.

Examples:
  opentrail validate-logs --trail-arn arn:aws:cloudtrail:us-east-1:111122223333:trail/main --start-time 2026-01-15T00:00:00Z
  opentrail validate-logs --trail-arn ARN --start-time 2026-01-01 --local ./archive --public-keys keys.json --output json")]
pub(crate) struct ValidateLogsArgs {
    /// The trail
    #[arg(long, value_name = "ARN")]
    pub(crate) trail_arn: String,
    /// Log files delivered from then on, UTC
    #[arg(long, value_name = "TIME")]
    pub(crate) start_time: String,
    /// Log files delivered until then, UTC [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) end_time: Option<String>,
    /// Bucket of the digests [default: what DescribeTrails says]
    #[arg(long, value_name = "NAME")]
    pub(crate) s3_bucket: Option<String>,
    /// Prefix of the keys in that bucket
    #[arg(long, value_name = "PREFIX")]
    pub(crate) s3_prefix: Option<String>,
    /// Account whose log files are verified, for the trail of an organization [default: the trail's]
    #[arg(long, value_name = "ID")]
    pub(crate) account_id: Option<String>,
    /// Id of the organization whose trail it is [default: what DescribeOrganization says]
    #[arg(long, value_name = "o-ID")]
    pub(crate) organization_id: Option<String>,
    /// Region whose log files are verified [default: AWS_REGION, AWS_DEFAULT_REGION, or the trail's home Region]
    #[arg(long, value_name = "NAME")]
    pub(crate) region: Option<String>,
    /// Where CloudTrail and S3 answer [default: AWS_ENDPOINT_URL, or AWS]
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
    /// Read the archive from a folder, as `aws s3 sync s3://BUCKET FOLDER` leaves it
    #[arg(long, value_name = "FOLDER")]
    pub(crate) local: Option<PathBuf>,
    /// Take public keys from a file that `aws cloudtrail list-public-keys` wrote, not from the API
    #[arg(long, value_name = "FILE")]
    pub(crate) public_keys: Option<PathBuf>,
    /// Public key of the trail's transparency log, NAME+ID+KEY, or a file with keys; may be given several times [default: what
    /// the OpenTrail at the endpoint says]
    #[arg(long, value_name = "KEY")]
    pub(crate) log_key: Vec<String>,
    /// A checkpoint of the transparency log that was seen earlier; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Vec<PathBuf>,
    /// Where a witness keeps checkpoints: s3://BUCKET/PREFIX, s3+https://HOST/BUCKET/PREFIX, a folder, or the URL of one that
    /// tells them; may be given several times
    #[arg(long, value_name = "PLACE")]
    pub(crate) witness: Vec<String>,
    /// Remember here what was verified, and go on from there the next time
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    /// How many files are read at once [default: 128, or two per core for a folder]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=PARALLEL_MAX))]
    pub(crate) parallel: Option<u16>,
    /// Say what is valid, too
    #[arg(long)]
    pub(crate) verbose: bool,
    /// Lines for people (text) or one JSON object (json)
    #[arg(long, value_name = "FORM", value_parser = ["text", "json"], default_value = "text")]
    pub(crate) output: String,
}
