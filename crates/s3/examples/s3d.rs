//! Serves an object store on a port, to drive it with real S3 clients apart from the rest of OpenTrail.
//!
//!     s3d DIR [LISTEN [REGION [ACCESS_KEY SECRET]]]
//!
//! Without a key anyone may call. Prints the address once it listens; `BUCKET.s3.localhost` is virtual-host style.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentrail_s3::{Auth, S3Api, Settings, Store};
use tokio::net::TcpListener;
use zeroize::Zeroizing;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| "warn,s3s=off".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let mut args = std::env::args().skip(1);
    let dir = PathBuf::from(args.next().context("give the folder of the store")?);
    let listen = args.next().unwrap_or_else(|| "127.0.0.1:0".into());
    let region = args.next().unwrap_or_else(|| "us-east-1".into());
    let auth = match (args.next(), args.next()) {
        (Some(key), Some(secret)) => Auth::Verify(
            Arc::new(move |asked: &str| (asked == key).then(|| Zeroizing::new(secret.clone()))),
            Arc::new(|_| Ok(())),
        ),
        _ => Auth::Trust,
    };
    let settings = Settings { account: "123456789012".into(), region, domains: vec!["s3.localhost".into()] };
    let api = S3Api::new(Store::open(&dir)?, settings, auth);
    let listener = TcpListener::bind(&listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    println!("http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let api = api.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let api = api.clone();
                async move { Ok::<_, std::convert::Infallible>(api.call(request).await) }
            });
            let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            if let Err(error) = server.serve_connection(TokioIo::new(stream), answer).await {
                tracing::debug!(error, "a connection broke");
            }
        });
    }
}
