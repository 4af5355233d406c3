//! From entries to files: what is gathered, and what a cut makes of it.

use crate::name::{ChainName, Kind, chain_key, file_suffix, is_region, log_file_key};
use crate::transparency::layout::push_entry;
use crate::transparency::leaf::{EventLeaves, Leaf};
use crate::{Finished, LogFile};
use bytes::Bytes;
use journal::Entry;
use registry::{DeliveredCut, DeliveredFile, Trail};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;

/// The most that a cut holds, bytes before compression: CloudTrail's limit of one file. Here all files of a cut share
/// it, so that memory stays flat however many Regions there are, and no file ever needs parts.
const CUT_BYTES_MAX: usize = 50_000_000;

/// The most files that are open at once, one per account and Region: each holds a compressor of about 300 KiB, and a caller who
/// makes up Regions must not be able to make up memory.
const OPEN_FILES_MAX: usize = 64;

/// Wanted entries, gathered into one file per account, Region and kind.
#[derive(Debug, Default)]
pub(crate) struct Collection {
    /// By [`chain_key`].
    files: BTreeMap<String, OpenFile>,
    /// Those of network activity, by the same.
    network_activity: BTreeMap<String, OpenFile>,
    size: usize,
    newest_ms: u64,
    /// Whether what is gathered goes to a transparency log, too.
    is_logged: bool,
    /// Compressed bytes that a file is likely to have.
    room: usize,
}

#[derive(Debug)]
struct OpenFile {
    file: LogFile,
    first: u64,
    last: u64,
}

/// Files to be delivered: all that a trail wants of one range of the journal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// One past the last entry of the range.
    pub(crate) to: u64,
    /// Delivery time, milliseconds since the epoch.
    pub(crate) delivery_ms: u64,
    /// When the newest record was appended, milliseconds since the epoch.
    pub(crate) newest_ms: u64,
    /// The files, by kind, account and Region.
    pub(crate) files: Vec<CutFile>,
}

/// One file of a cut.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CutFile {
    /// Whose events, and where ([`chain_key`]).
    chain: String,
    kind: Kind,
    suffix: String,
    /// The compressed file.
    pub(crate) body: Bytes,
    /// How many records it holds.
    pub(crate) records: usize,
    /// What a digest says of it; only where the trail's files are digested.
    summary: Option<Summary>,
}

/// What a digest says of a file: SHA-256 of the uncompressed bytes in hex, and the newest and oldest event.
#[derive(Debug, PartialEq, Eq)]
struct Summary {
    hash: String,
    /// Of the events, where they go to a transparency log.
    leaves: Option<Vec<Bytes>>,
    newest: i64,
    oldest: i64,
}

impl Collection {
    /// Nothing gathered yet. Files are expected to become as large as those of the last cut.
    pub(crate) fn new(is_logged: bool, last: Option<&Cut>) -> Collection {
        let size = |cut: &Cut| cut.files.iter().map(|file| file.body.len()).sum::<usize>() / cut.files.len().max(1);
        // A little more: what outgrows its room by a byte is copied into twice as much.
        let room = last.map_or(0, |cut| size(cut) * 9 / 8);
        Collection { is_logged, room, ..Collection::default() }
    }

    /// Whether nothing is gathered.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.network_activity.is_empty()
    }

    fn of_kind(&mut self, kind: Kind) -> &mut BTreeMap<String, OpenFile> {
        match kind {
            Kind::Events => &mut self.files,
            Kind::NetworkActivity => &mut self.network_activity,
        }
    }

    /// Whether there is room for this entry too. There always is in an empty collection.
    pub(crate) fn has_room_for(&self, trail: &Trail, entry: &Entry) -> bool {
        let fits = self.size + LogFile::growth(&entry.event) <= CUT_BYTES_MAX;
        // Whose file it goes to is asked last: it is asked for each entry, and seldom matters.
        let opens_no_more = || {
            let open = match Kind::of(&entry.event) {
                Kind::Events => &self.files,
                Kind::NetworkActivity => &self.network_activity,
            };
            self.files.len() + self.network_activity.len() < OPEN_FILES_MAX
                || open.contains_key(&*chain_of(trail, entry))
        };
        self.is_empty() || (fits && opens_no_more())
    }

    /// Gathers one entry.
    ///
    /// # Errors
    /// None in practice: compression happens in memory.
    pub(crate) fn add(&mut self, trail: &Trail, entry: &Entry) -> io::Result<()> {
        let (chain, kind) = (chain_of(trail, entry), Kind::of(&entry.event));
        if let Some(open) = self.of_kind(kind).get_mut(&*chain) {
            open.file.push(&entry.event)?;
            open.last = entry.seq.0;
        } else {
            let mut file = match (trail.log_file_validation_enabled, self.is_logged) {
                (true, true) => LogFile::logged(),
                (true, false) => LogFile::hashed(),
                (false, _) => LogFile::new(),
            };
            self.size += file.size();
            file = file.with_room(self.room);
            file.push(&entry.event)?;
            let opened = OpenFile { file, first: entry.seq.0, last: entry.seq.0 };
            self.of_kind(kind).insert(chain.into_owned(), opened);
        }
        self.size += LogFile::growth(&entry.event);
        self.newest_ms = self.newest_ms.max(entry.appended_ms);
        Ok(())
    }

    /// Closes the files.
    ///
    /// # Errors
    /// None in practice: compression happens in memory.
    pub(crate) fn cut(self, trail: &Trail, to: u64, delivery_ms: u64) -> io::Result<Cut> {
        let arn = trail.arn();
        let mut files = Vec::with_capacity(self.files.len() + self.network_activity.len());
        let all = [(Kind::Events, self.files), (Kind::NetworkActivity, self.network_activity)];
        for (kind, (chain, open)) in
            all.into_iter().flat_map(|(kind, open)| open.into_iter().map(move |one| (kind, one)))
        {
            let name = ChainName::of(trail, &chain);
            let suffix = file_suffix(&arn, name.account, name.region, open.first, open.last);
            let records = open.file.records();
            let Finished { body, sha256, times, leaves } = open.file.finish()?;
            let summary = sha256.zip(times).map(|(hash, (oldest, newest))| Summary {
                hash: hex::encode(hash),
                leaves: leaves.map(EventLeaves::into_bundle),
                newest: newest.0,
                oldest: oldest.0,
            });
            files.push(CutFile { chain, kind, suffix, body, records, summary });
        }
        Ok(Cut { to, delivery_ms, newest_ms: self.newest_ms, files })
    }
}

impl Cut {
    /// The key of one of its files in the trail's bucket.
    pub(crate) fn key(&self, trail: &Trail, file: &CutFile) -> String {
        log_file_key(&ChainName::of(trail, &file.chain), file.kind, self.delivery_ms, &file.suffix)
    }

    /// What the trail's next digests have to list, once the cut that begins at `from` is delivered. `None` where files
    /// are not digested.
    pub(crate) fn delivered(&self, trail: &Trail, from: u64) -> Option<DeliveredCut> {
        let listed = |file: &CutFile| {
            let summary = file.summary.as_ref()?;
            let ChainName { account, region, .. } = ChainName::of(trail, &file.chain);
            Some(DeliveredFile {
                account: (account != trail.account_id).then(|| account.to_owned()),
                region: region.to_owned(),
                object: self.key(trail, file),
                hash: summary.hash.clone(),
                newest: summary.newest,
                oldest: summary.oldest,
            })
        };
        let files: Vec<DeliveredFile> = self.files.iter().filter_map(listed).collect();
        (!files.is_empty()).then(|| DeliveredCut {
            trail_arn: trail.arn(),
            trail_created_ms: trail.created_ms,
            from,
            bucket: trail.s3_bucket_name.clone(),
            files,
        })
    }
}

impl Cut {
    /// What the cut adds to the trail's transparency log: for each file an entry of its own and those of its events, in pieces of
    /// whole entries. `None` where it adds nothing.
    pub(crate) fn log_entries(&self, trail: &Trail) -> Option<Vec<Bytes>> {
        let mut bundle = Vec::new();
        for file in &self.files {
            let Some((summary, leaves)) = file.summary.as_ref().and_then(|one| Some((one, one.leaves.as_ref()?)))
            else {
                continue;
            };
            let mut hash = [0; 32];
            hex::decode_to_slice(&summary.hash, &mut hash).ok()?;
            let (bucket, key) = (trail.s3_bucket_name.clone(), self.key(trail, file));
            let records = u32::try_from(file.records).unwrap_or(u32::MAX);
            let mut entry = Vec::new();
            push_entry(&mut entry, &Leaf::File { records, hash, bucket, key }.to_bytes());
            bundle.push(Bytes::from(entry));
            bundle.extend_from_slice(leaves);
        }
        (!bundle.is_empty()).then_some(bundle)
    }
}

/// The chain under which an entry is filed: that of its account and Region. A Region that cannot stand in a key is filed at
/// home.
fn chain_of<'a>(trail: &'a Trail, entry: &'a Entry) -> Cow<'a, str> {
    let region = entry.event.region();
    // Without an organization no other account's events are taken: it is not looked for.
    let account = if trail.organization.is_some() { entry.event.account() } else { "" };
    chain_key(trail, account, if is_region(region) { region } else { &trail.home_region })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use event::Event;
    use flate2::read::GzDecoder;
    use journal::Seq;
    use proptest::prelude::*;
    use registry::{Logging, Period};
    use std::collections::HashSet;
    use std::io::Read;

    /// A multi-Region trail that logs from the first entry on.
    pub(crate) fn trail() -> Trail {
        Trail {
            is_multi_region_trail: true,
            logging: Logging {
                started_ms: Some(1),
                stopped_ms: None,
                periods: vec![Period { from: 0, stopped_ms: None }],
            },
            ..Trail::new("eu-west-1", "111122223333", "main", "audit", 1)
        }
    }

    pub(crate) fn entry_of(seq: u64, appended_ms: u64, source: &str, name: &str, region: &str) -> Entry {
        let json = format!(
            r#"{{"eventTime":"2026-01-15T10:02:03Z","eventSource":"{source}","eventName":"{name}","awsRegion":"{region}","eventID":"{seq}","recipientAccountId":"111122223333","eventCategory":"Management"}}"#
        );
        Entry { seq: Seq(seq), appended_ms, event: Event::from_json(json.into()).unwrap() }
    }

    /// A call of the CloudTrail API that names a trail.
    pub(crate) fn call_on(trail: &str, seq: u64, appended_ms: u64, name: &str) -> Entry {
        let json = format!(
            r#"{{"eventTime":"2026-01-15T10:02:03Z","eventSource":"cloudtrail.amazonaws.com","eventName":"{name}","awsRegion":"eu-west-1","requestParameters":{{"name":"{trail}"}},"eventID":"{seq}","recipientAccountId":"111122223333","eventCategory":"Management"}}"#
        );
        Entry { seq: Seq(seq), appended_ms, event: Event::from_json(json.into()).unwrap() }
    }

    pub(crate) fn entry(seq: u64, appended_ms: u64) -> Entry {
        entry_of(seq, appended_ms, "sqs.amazonaws.com", "CreateQueue", "eu-west-1")
    }

    /// The `eventID`s in a compressed log file.
    pub(crate) fn gunzip(body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        GzDecoder::new(body).read_to_end(&mut bytes).unwrap();
        bytes
    }

    /// The ids of the records of a log file.
    pub(crate) fn ids_in(body: &[u8]) -> Vec<String> {
        let file: serde_json::Value = serde_json::from_slice(&gunzip(body)).unwrap();
        let records = file["Records"].as_array().unwrap();
        records.iter().map(|record| record["eventID"].as_str().unwrap().to_owned()).collect()
    }

    fn cut_all(entries: &[Entry]) -> Vec<Cut> {
        let trail = trail();
        let mut cuts = Vec::new();
        let mut collection = Collection::default();
        for entry in entries {
            if !collection.has_room_for(&trail, entry) {
                cuts.push(std::mem::take(&mut collection).cut(&trail, entry.seq.0, 0).unwrap());
            }
            collection.add(&trail, entry).unwrap();
        }
        cuts.push(collection.cut(&trail, entries.len() as u64, 0).unwrap());
        cuts
    }

    #[test]
    fn a_file_is_one_line_with_the_records_as_they_are() {
        let entries = [entry(0, 1), entry(1, 2)];
        let cuts = cut_all(&entries);
        let text = gunzip(&cuts[0].files[0].body);
        let expected = format!("{{\"Records\":[{},{}]}}", entries[0].event.text(), entries[1].event.text());
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn network_activity_has_files_of_its_own() {
        let entries: Vec<Entry> = (0..4)
            .map(|seq| {
                let Entry { event, .. } = entry(seq, 0);
                let category = if seq % 2 == 0 { "Management" } else { "NetworkActivity" };
                let json = event.text().replace("Management", category);
                Entry { seq: Seq(seq), appended_ms: 0, event: Event::from_json(json.into()).unwrap() }
            })
            .collect();
        let cuts = cut_all(&entries);
        let files: Vec<(String, Vec<String>)> =
            cuts[0].files.iter().map(|file| (cuts[0].key(&trail(), file), ids_in(&file.body))).collect();
        let [events, network] = files.as_slice() else { panic!("{files:?}") };
        assert_eq!((&events.1[..], &network.1[..]), (&["0".into(), "2".into()][..], &["1".into(), "3".into()][..]));
        assert!(events.0.contains("/CloudTrail/eu-west-1/"), "{}", events.0);
        let (folder, name) =
            ("/CloudTrail-NetworkActivity/eu-west-1/", "/111122223333_CloudTrail-NetworkActivity_eu-west-1_");
        assert!(network.0.contains(folder) && network.0.contains(name), "{}", network.0);
    }

    #[test]
    fn no_cut_exceeds_fifty_megabytes() {
        let filler = "x".repeat(900_000);
        let entries: Vec<Entry> = (0..120)
            .map(|seq| {
                let json = format!(
                    r#"{{"eventTime":"2026-01-15T10:02:03Z","eventSource":"s","eventName":"{filler}","eventID":"{seq}"}}"#
                );
                Entry { seq: Seq(seq), appended_ms: 0, event: Event::from_json(json.into()).unwrap() }
            })
            .collect();
        let cuts = cut_all(&entries);
        let sizes: Vec<usize> = cuts.iter().flat_map(|cut| &cut.files).map(|file| gunzip(&file.body).len()).collect();
        assert_eq!(cuts.iter().map(|cut| cut.to).collect::<Vec<_>>(), [55, 110, 120]);
        assert!(sizes.iter().all(|size| *size <= CUT_BYTES_MAX), "{sizes:?}");
    }

    #[test]
    fn made_up_regions_do_not_make_memory() {
        let entries: Vec<Entry> = (0..200).map(|seq| entry_of(seq, 0, "s", "N", &format!("made-up-{seq}"))).collect();
        let cuts = cut_all(&entries);
        assert!(cuts.iter().all(|cut| cut.files.len() <= OPEN_FILES_MAX));
        assert_eq!(cuts.len(), 200usize.div_ceil(OPEN_FILES_MAX));
    }

    proptest! {
        #[test]
        fn cuts_hold_every_entry_once_under_keys_of_their_own(regions in proptest::collection::vec("[a-d]|[.]{2}/", 1..300)) {
            let entries: Vec<Entry> =
                regions.iter().zip(0..).map(|(region, seq)| entry_of(seq, seq, "s", "N", region)).collect();
            let (cuts, again) = (cut_all(&entries), cut_all(&entries));
            prop_assert_eq!(&cuts, &again, "the same entries give the same files");
            let mut keys = HashSet::new();
            let mut ids = Vec::new();
            for (cut, file) in cuts.iter().flat_map(|cut| cut.files.iter().map(move |file| (cut, file))) {
                let key = cut.key(&trail(), file);
                prop_assert!(!key.contains(".."));
                prop_assert!(keys.insert(key));
                let found = ids_in(&file.body);
                prop_assert_eq!(found.len(), file.records);
                ids.extend(found.into_iter().map(|id| id.parse::<u64>().unwrap()));
            }
            ids.sort_unstable();
            prop_assert_eq!(ids, (0..entries.len() as u64).collect::<Vec<_>>());
        }
    }
}
