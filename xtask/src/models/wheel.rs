//! The `botocore` package: fetched with pip, checked by hash, read in place.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A model larger than this is not one (EC2's has about 6 MB).
const MAX_MODEL: u64 = 64 << 20;

/// One service's model as botocore has it.
pub(super) struct Source {
    /// The name of its folder.
    pub(super) name: String,
    /// `service-2.json`.
    pub(super) model: Value,
    /// The one Region in which all its calls are made; empty for a service with Regions.
    pub(super) global_region: String,
}

pub(super) struct Wheel {
    bytes: Vec<u8>,
}

/// Fetches the wheel of that version into a folder.
pub(super) fn download(version: &str, folder: &Path) -> Result<PathBuf> {
    let status = Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest"])
        .arg(folder)
        .arg(format!("botocore=={version}"))
        .status()
        .context("cannot run `python3 -m pip`: install Python 3 with pip, or pass --wheel FILE")?;
    ensure!(status.success(), "pip could not download botocore {version}: pass a wheel with --wheel FILE");
    let path = folder.join(format!("botocore-{version}-py3-none-any.whl"));
    ensure!(path.exists(), "pip downloaded no {}", path.display());
    Ok(path)
}

impl Wheel {
    pub(super) fn open(path: &Path, sha256: &str) -> Result<Wheel> {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let found = aws::sigv4::sha256_hex(&bytes);
        if found != sha256 {
            bail!("{} has SHA-256 {found}, not the pinned {sha256}", path.display());
        }
        Ok(Wheel { bytes })
    }

    /// The newest model of every service, by the name of its folder.
    pub(super) fn services(&self) -> Result<Vec<Source>> {
        let endpoints = self.json("botocore/data/endpoints.json")?;
        let rules = self.newest("endpoint-rule-set-1.json")?;
        let read = |(name, file): (String, String)| {
            let model = self.json(&file)?;
            let rules = rules.get(&name).map(|file| self.json(file)).transpose()?.unwrap_or_default();
            let prefix = model["metadata"]["endpointPrefix"].as_str().unwrap_or_default();
            let global_region = global_region(&name, &endpoints["partitions"][0]["services"][prefix], &rules);
            Ok(Source { name, global_region, model })
        };
        self.newest("service-2.json")?.into_iter().map(read).collect()
    }

    /// The file of that name in the newest version of every service.
    fn newest(&self, wanted: &str) -> Result<BTreeMap<String, String>> {
        let mut newest: BTreeMap<String, (String, String)> = BTreeMap::new();
        for file in self.archive()?.file_names() {
            let Some(rest) = file.strip_prefix("botocore/data/") else { continue };
            let parts: Vec<&str> = rest.split('/').collect();
            let [name, version, found] = parts.as_slice() else { continue };
            if found.strip_suffix(".gz").unwrap_or(found) == wanted {
                let known = newest.entry((*name).to_owned()).or_default();
                *known = std::mem::take(known).max(((*version).to_owned(), file.to_owned()));
            }
        }
        Ok(newest.into_iter().map(|(name, (_, file))| (name, file)).collect())
    }

    fn json(&self, file: &str) -> Result<Value> {
        let raw = self.file(file)?;
        let json = if file.ends_with(".gz") { gunzip(&raw)? } else { raw };
        serde_json::from_slice(&json).with_context(|| format!("{file} is not JSON"))
    }

    /// A text file of the package's own description (licence, notice).
    pub(super) fn text(&self, name: &str) -> Result<String> {
        let archive = self.archive()?;
        let found = archive.file_names().find(|file| file.contains(".dist-info/") && file.ends_with(name));
        let file = found.with_context(|| format!("the package has no {name}"))?.to_owned();
        String::from_utf8(self.file(&file)?).with_context(|| format!("{file} is not text"))
    }

    fn file(&self, name: &str) -> Result<Vec<u8>> {
        let mut archive = self.archive()?;
        let entry = archive.by_name(name).with_context(|| format!("the package has no {name}"))?;
        let mut bytes = Vec::new();
        entry.take(MAX_MODEL).read_to_end(&mut bytes).with_context(|| format!("cannot read {name}"))?;
        Ok(bytes)
    }

    fn archive(&self) -> Result<zip::ZipArchive<Cursor<&[u8]>>> {
        zip::ZipArchive::new(Cursor::new(self.bytes.as_slice())).context("the package is not a zip file")
    }
}

/// Services with endpoints for all Regions at once beside those of each Region.
const REGIONAL: [&str; 3] = ["sts", "s3", "arc-region-switch"];

/// A service is global where the list of endpoints knows one endpoint for the partition, or where its endpoint rules sign for
/// the partition's own Region.
fn global_region(name: &str, endpoints: &Value, rules: &Value) -> String {
    let listed = endpoints["partitionEndpoint"].as_str().filter(|_| endpoints["isRegionalized"] != true);
    let rules = rules.to_string();
    if REGIONAL.contains(&name) || (listed.is_none() && !rules.contains("{PartitionResult#implicitGlobalRegion}")) {
        return String::new();
    }
    let scope = listed.and_then(|endpoint| endpoints["endpoints"][endpoint]["credentialScope"]["region"].as_str());
    let west = rules.contains("\"us-west-2\"");
    scope.unwrap_or(if west { "us-west-2" } else { "us-east-1" }).to_owned()
}

fn gunzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(bytes).take(MAX_MODEL).read_to_end(&mut out).context("a model is not gzip")?;
    Ok(out)
}
