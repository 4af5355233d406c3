//! `opentrail serve`.

use crate::app::App;
use crate::cli::ServeArgs;
use crate::config::{Auth, Config};
use crate::telemetry;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::ExitCode;

/// Runs the server until it is told to stop.
pub(crate) fn run(args: Box<ServeArgs>) -> anyhow::Result<ExitCode> {
    let config = Config::load(*args)?;
    telemetry::start(config.log_format);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("house").enable_all().build()?;
    runtime.block_on(async {
        let stop = stop_signal()?;
        let app = App::start(config).await?;
        // Whoever does not listen is served all the same.
        let _ = writeln!(std::io::stdout(), "{}", greeting(&app));
        stop.await;
        app.stop().await
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Resolves at SIGTERM or SIGINT. The handlers stand before anything starts, so that no signal is missed.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: calls in flight finish, open log files are delivered");
    })
}

/// Where to go next.
fn greeting(app: &App) -> String {
    let config = app.config();
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    // Nobody can call the address that stands for all.
    let mut address = app.address();
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    let endpoint = format!("{scheme}://{address}");
    let given = if config.routes.upstreams().is_empty() { "none".to_owned() } else { config.routes.to_string() };
    let embedded = if config.routes.upstream_of("s3").is_none() { "; S3 is embedded" } else { "" };
    let credentials = config.data_dir.join("credentials");
    let delivery = match app.default_bucket() {
        Some(bucket) => format!(
            "log files go to s3://{bucket}/AWSLogs/{}/CloudTrail/ every {:?}",
            config.account, config.delivery_interval
        ),
        None => "the default bucket is not in use: log files go where `aws cloudtrail describe-trails` says".to_owned(),
    };
    let trust = if config.auth == Auth::Trust { "  # or any other: all are accepted" } else { "" };
    format!(
        "OpenTrail {} records at {endpoint}\n\
         \n\
         account {}, Region {}, upstream {given}{embedded}\n\
         {delivery}\n\
         \n\
         In another terminal:\n\
         \n    export AWS_ENDPOINT_URL={endpoint}\
         \n    export AWS_SHARED_CREDENTIALS_FILE={}{trust}\
         \n    aws s3 mb s3://my-bucket\
         \n    aws cloudtrail lookup-events --max-results 5\
         \n\n    {endpoint}/_opentrail/  health, ready, metrics, transparency",
        env!("CARGO_PKG_VERSION"),
        config.account,
        config.region,
        credentials.display(),
    )
}
