//! Config → App → running: the only place where rooms are wired together, in an order that can be read aloud.

use crate::config::{Auth, Config};
use crate::first_start;
use crate::identities::HouseIdentities;
use crate::network_activity::NetworkActivity;
use crate::notify::Notified;
use crate::objects::{self, Buckets, TrailBuckets, UpstreamKms};
use crate::pages::{HouseVitals, Logs, Pages};
use crate::services::{House, Services};
use anyhow::Context;
use capture::{Audit, Bound, Edge, Identities, Recorder, RecorderConfig, Running};
use event::EventTime;
use iam::Keys;
use journal::{FollowOptions, Journal, Options, RetainPolicy, Seq};
use prometheus_client::registry::Registry as MetricsRegistry;
use registry::{KeyStatus, Registry};
use s3::{S3Api, Store};
use serve::{CloudTrail, Health};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use trail::transparency::{Transparency, TransparencyOptions};
use trail::{Delivery, DeliveryOptions, Home, SigningKeys};

/// How long calls in flight may take after SIGTERM.
const EDGE_GRACE: Duration = Duration::from_secs(30);
/// How long records gather for one write and sync under `fail-open`: what a crash may lose. At 3,000 calls a second 10 ms cost 3 us a
/// call more.
const FAIL_OPEN_GATHER: Duration = Duration::from_millis(50);
/// How often the journal is relieved of what nobody needs.
const RETAIN_EVERY: Duration = Duration::from_secs(60);

/// A house with the lights on.
pub(crate) struct App {
    config: Config,
    default_bucket: Option<String>,
    address: SocketAddr,
    edge: Running,
    delivery: Arc<Delivery>,
    transparency: Option<Transparency>,
    #[cfg(feature = "lake")]
    history: crate::lake::Running,
    journal: Journal,
    started: Arc<AtomicBool>,
    chores: tokio::task::JoinHandle<()>,
}

impl App {
    /// Opens everything below the data folder, starts every reader, then opens the door.
    pub(crate) async fn start(config: Config) -> anyhow::Result<App> {
        let tls = config.tls.as_ref().map(|(cert, key)| crate::tls::server(cert, key)).transpose()?;
        let upstream_tls = crate::tls::upstream(&config.routes)?;

        // What is kept.
        let folder = &config.data_dir;
        private_folder(folder)?;
        check_is_whole(folder)?;
        let registry = Registry::open(&folder.join("registry"))?;
        first_start::check_account(&registry, &config)?;
        first_start::check_partitions(&registry)?;
        let administrator = iam::ensure_administrator(
            &registry,
            &config.account,
            &config.region,
            &folder.join("credentials"),
            now_ms(),
        )?;
        let delivered = trail::delivered_to(&registry)?;
        let options = Options { begin_at: delivered, ..journal_options(config.audit) };
        let journal = Journal::open(&folder.join("journal"), options)?;
        anyhow::ensure!(
            journal.end() >= delivered,
            "the journal ends at {}, but trails have come to {delivered}: its newest segments are missing. Put them back into \
             {}, or move all that lie there away: then a new journal begins where the trails stand",
            journal.end(),
            folder.join("journal").display(),
        );
        let keys = Keys::of(&registry)?;
        let now = EventTime((now_ms() / 1000) as i64);
        let identities: Arc<dyn Identities> = Arc::new(HouseIdentities::open(
            &registry,
            &config.account,
            config.identities.clone(),
            now,
            config.organization.is_none(),
        )?);

        // Where log files go.
        let s3_upstream = config.routes.upstream_of("s3").map(ToString::to_string);
        let (store, buckets) = match s3_upstream {
            Some(endpoint) => (None, Buckets::upstream(&config, endpoint, &administrator.key)?),
            None => {
                let store = Store::open(&folder.join("s3"))?;
                (Some(store.clone()), Buckets::Embedded(store, config.region.clone()))
            }
        };
        first_start::settle_in(&registry, &config, journal.end().0, now_ms())?;
        first_start::follow_organization(&registry, config.organization.as_ref())?;
        let default_bucket = first_start::wanted_bucket(&registry, &config.account)?;
        if let Some(bucket) = default_bucket.clone() {
            let (trails, account) = (registry.clone(), config.account.clone());
            let is_wanted = move || !matches!(first_start::wanted_bucket(&trails, &account), Ok(None));
            let making_bucket = first_start::ensure_bucket(buckets.clone(), bucket, is_wanted);
            if store.is_some() {
                making_bucket.await;
            } else {
                tokio::spawn(making_bucket);
            }
        }

        // The logs of what is delivered.
        let keys_of_logs = SigningKeys::open(&registry, &folder.join("digest.key"))?;
        let transparency = match config.transparency_log {
            false => None,
            true => Some(Transparency::start(
                &registry,
                TransparencyOptions {
                    folder: folder.join("transparency"),
                    keys: keys_of_logs.clone(),
                    bucket: Arc::new(buckets.clone()),
                    witnesses: config.witnesses.clone(),
                    elsewhere: objects::elsewhere(&config, &administrator.key),
                    now_ms: Arc::new(now_ms),
                },
            )?),
        };

        // Who is told, and who reads the journal.
        let notified = Notified::of(&config, &administrator.key);
        let delivery = Arc::new(Delivery::start(
            &journal,
            &registry,
            Arc::new(buckets.clone()),
            DeliveryOptions {
                home: Home { account_id: config.account.clone(), region: config.region.clone() },
                interval: config.delivery_interval,
                digest_interval: config.digest_interval,
                keys: keys_of_logs,
                transparency: transparency.clone(),
                follow: FollowOptions::default(),
                now_ms: Arc::new(now_ms),
                notify: notified.options(),
            },
        )?);
        #[cfg(feature = "lake")]
        let history = crate::lake::Running::start(&journal);

        // What answers here.
        let started = Arc::new(AtomicBool::new(false));
        let mut figures = MetricsRegistry::default();
        let metrics = capture::Metrics::default();
        metrics.register(&mut figures);
        journal.metrics().register(&mut figures);
        notified.metrics.register(&mut figures);
        if let Some(transparency) = &transparency {
            figures.register_collector(Box::new(Logs(transparency.clone())));
        }
        let vitals = HouseVitals {
            journal: journal.clone(),
            started: Arc::clone(&started),
            statuses: {
                let delivery = Arc::clone(&delivery);
                #[cfg(feature = "lake")]
                let history = history.handle();
                Box::new(move || {
                    let mut statuses = delivery.statuses();
                    statuses.push(delivery.router());
                    #[cfg(feature = "lake")]
                    statuses.push(history.status());
                    statuses
                })
            },
        };
        let health = Health::new(env!("CARGO_PKG_VERSION"), Arc::new(vitals), Arc::new(figures));
        #[cfg(feature = "lake")]
        let lookups: Option<Arc<dyn serve::History>> = Some(history.lookups());
        #[cfg(not(feature = "lake"))]
        let lookups: Option<Arc<dyn serve::History>> = None;
        let kms: Option<Arc<dyn serve::Kms>> = match config.routes.upstream_of("kms") {
            Some(endpoint) => Some(Arc::new(UpstreamKms::new(&config, endpoint.to_string(), &administrator.key)?)),
            None => None,
        };
        let house = House {
            cloudtrail: CloudTrail::new(
                &registry,
                Arc::new(TrailBuckets(buckets)),
                Arc::new(Tail(journal.clone())),
                lookups,
            )?
            .with_kms(kms)
            .with_topics(notified.topics())
            .with_log_groups(notified.log_groups())
            .with_organization(config.organization.clone(), &config.account),
            s3: store.map(|store| s3_api(store, &config, keys.clone())),
            keys,
            identities: Arc::clone(&identities),
            auth: config.auth,
            account: config.account.clone(),
            region: config.region.clone(),
            organization: config.organization.clone(),
        };

        // The door.
        let network_activity = NetworkActivity::of(&registry)?;
        let recorder = Recorder::new(
            aws::Catalog::embedded(),
            RecorderConfig {
                account_id: config.account.clone(),
                region: config.region.clone(),
                record_unauthenticated: config.record_unauthenticated,
            },
            identities,
            || uuid::Uuid::new_v4().as_u128(),
        )
        .with_s3_domains(config.s3_domains(), config.s3_own_hosts_only)
        .with_network_activity(move || network_activity.is_selected());
        let recorder = match config.organization.clone() {
            Some(organization) => recorder.with_members(move |account| organization.has(account)),
            None => recorder,
        };
        let bound = Bound::bind(config.listen)
            .with_context(|| format!("cannot listen on {}; choose another address with --listen", config.listen))?;
        let address = bound.address()?;
        if let Some(itself) = config.routes.upstreams().iter().find(|upstream| leads_to(upstream, address)) {
            anyhow::bail!("--upstream {itself} is this OpenTrail itself: each call would call itself");
        }
        let edge = bound.start(Edge {
            recorder: Arc::new(recorder),
            appender: journal.appender(),
            audit: config.audit,
            routes: config.routes.clone(),
            local: Arc::new(Services(Arc::new(house))),
            own: Arc::new(Pages { health: Arc::new(health), transparency: transparency.clone() }),
            metrics,
            tls,
            upstream_tls,
            trusted_proxies: config.trusted_proxies.clone(),
            connections_max: crate::descriptors::connections_max(),
            client_limits: capture::ClientLimits::default(),
            threads: config.threads,
        })?;
        let chores = tokio::spawn(retain(journal.clone(), Arc::clone(&delivery), config.retention));
        #[cfg(feature = "lake")]
        history.caught_up().await;
        started.store(true, Ordering::Release);
        Ok(App {
            config,
            default_bucket,
            address,
            edge,
            delivery,
            transparency,
            #[cfg(feature = "lake")]
            history,
            journal,
            started,
            chores,
        })
    }

    /// What it runs with.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The default trail's bucket, if a trail delivered to it at the start.
    pub(crate) fn default_bucket(&self) -> Option<&str> {
        self.default_bucket.as_deref()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the door, lets the calls in flight finish, delivers what is gathered, and closes the journal.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.started.store(false, Ordering::Release);
        self.chores.abort();
        let edge = self.edge;
        tokio::task::spawn_blocking(move || edge.drain(EDGE_GRACE)).await?;
        self.delivery.drain().await;
        if let Some(transparency) = self.transparency {
            transparency.drain().await;
        }
        #[cfg(feature = "lake")]
        self.history.stop().await;
        let journal = self.journal;
        tokio::task::spawn_blocking(move || journal.close()).await??;
        tracing::info!("stopped");
        Ok(())
    }
}

/// Refuses a data folder that has lost the databases that say what the rest of it is: taken for a first start, it would make
/// a new house over the old one's records, and nobody would notice.
fn check_is_whole(folder: &Path) -> anyhow::Result<()> {
    let has_files = |folder: &Path| std::fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some());
    let is_gone = |file: &Path| std::fs::metadata(file).map_or(true, |file| file.len() == 0);
    let has_segments = std::fs::read_dir(folder.join("journal")).is_ok_and(|files| {
        files.flatten().any(|file| file.path().extension().is_some_and(|extension| extension == "seg"))
    });
    for (database, rest, is_there) in
        [("registry", "journal", has_segments), ("s3/index.sqlite", "s3/blobs", has_files(&folder.join("s3/blobs")))]
    {
        let database = folder.join(database);
        anyhow::ensure!(
            !is_there || !is_gone(&database),
            "{} is missing or empty, but {} is there: put it back (docs/operate/data-folder.md), or start in a new folder with \
             --data-dir",
            database.display(),
            folder.join(rest).display(),
        );
    }
    Ok(())
}

/// Whether an upstream is, as far as its name tells, who listens at that address.
fn leads_to(upstream: &capture::Upstream, address: SocketAddr) -> bool {
    let host = upstream.host.parse::<std::net::IpAddr>();
    let is_here = match host {
        Ok(host) => host == address.ip() || (host.is_loopback() && address.ip().is_unspecified()),
        Err(_) => upstream.host == "localhost" && (address.ip().is_loopback() || address.ip().is_unspecified()),
    };
    is_here && upstream.port == address.port()
}

/// The end of the journal, for StartLogging and StopLogging.
struct Tail(Journal);

impl serve::JournalTail for Tail {
    fn end(&self) -> Seq {
        self.0.end()
    }
}

/// Nobody waits for the disk under `fail-open`, so its syncs can be few.
fn journal_options(audit: Audit) -> Options {
    match audit {
        Audit::FailClosed => Options::default(),
        Audit::FailOpen => Options { gather: FAIL_OPEN_GATHER, patient: true, ..Options::default() },
    }
}

/// Forgets what is old and delivered.
async fn retain(journal: Journal, delivery: Arc<Delivery>, retention: Duration) {
    let mut ticks = tokio::time::interval(RETAIN_EVERY);
    loop {
        ticks.tick().await;
        let older_than_ms = now_ms().checked_sub(u64::try_from(retention.as_millis()).unwrap_or(u64::MAX));
        let Some(older_than_ms) = older_than_ms else { continue };
        let before = Some(delivery.keep_from().unwrap_or(journal.end()));
        let policy = RetainPolicy { before, older_than_ms: Some(older_than_ms), max_bytes: None };
        let journal = journal.clone();
        match tokio::task::spawn_blocking(move || journal.retain(&policy)).await {
            Ok(Ok(retained)) if retained.segments > 0 => {
                tracing::info!(segments = retained.segments, bytes = retained.bytes, "old journal segments removed");
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "old journal segments could not be removed"),
            Err(error) => tracing::error!(%error, "retention failed"),
        }
    }
}

/// The data folder, readable by its owner alone.
fn private_folder(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot make the data folder {}; choose another with --data-dir", folder.display()))
}

fn s3_api(store: Store, config: &Config, keys: Keys) -> S3Api {
    let auth = match config.auth {
        Auth::Trust => s3::Auth::Trust,
        Auth::Verify => {
            let secret_of = move |id: &str| {
                let key = keys.find(id).filter(|key| key.status == KeyStatus::Active)?;
                Some(key.secret.expose().to_owned().into())
            };
            s3::Auth::Verify(Arc::new(secret_of), Arc::new(crate::services::check_s3_head))
        }
    };
    let mut domains = config.s3_domains();
    domains.extend(S3_HOSTS.iter().map(|host| (*host).to_owned()));
    domains.push(format!("s3.{}.amazonaws.com", config.region));
    S3Api::new(store, s3::Settings { account: config.account.clone(), region: config.region.clone(), domains }, auth)
}

/// S3's own names where its endpoint has been pointed here; the recorder knows them, too.
const S3_HOSTS: [&str; 4] = ["localhost", "s3.localhost", "s3.localhost.localstack.cloud", "s3.amazonaws.com"];

/// The wall clock, in milliseconds since the Unix epoch.
fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
