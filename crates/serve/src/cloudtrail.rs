//! The CloudTrail API, JSON 1.1 (`reference/trails-and-delivery.md §1–5`): the thin part that touches the world.

mod arn;
mod configuration;
mod destination;
mod error;
mod input;
mod insights;
mod logging;
mod lookup;
mod operation;
mod organization;
mod output;
mod policy;
mod preflight;
mod public_keys;
mod reads;
mod selectors;
mod settings;
mod state;
mod tags;

pub use error::ApiError;
pub use operation::Operation;

use crate::seams::{Buckets, History, JournalTail, Kms, LogGroups, Topics};
use bytes::Bytes;
use event::EventTime;
use http::{HeaderValue, Response, StatusCode, header};
use input::Input;
use organization::Membership;
use output::TrailOutput;
use preflight::Preflight;
use registry::{
    DelegatedAdministrator, DeletedTrail, DeliveryState, DigestState, Document, Documents, Expected, LogsState,
    NotificationState, Organization, Registry, RegistryError, SigningKey, Trail, Version, Versioned,
};
use serde_json::{Value, json};
use state::State;
use std::sync::Arc;

/// How often a change is decided anew when the trails change under it, before the caller hears of a conflict.
const CHANGE_TRIES: usize = 4;

/// The doors of the CloudTrail API.
pub struct CloudTrail {
    trails: Documents<Trail>,
    deleted: Documents<DeletedTrail>,
    deliveries: Documents<DeliveryState>,
    digests: Documents<DigestState>,
    notifications: Documents<NotificationState>,
    logs: Documents<LogsState>,
    keys: Documents<SigningKey>,
    administrators: Documents<DelegatedAdministrator>,
    /// The organization, and its management account.
    organization: Option<(Organization, String)>,
    preflight: Preflight,
    journal: Arc<dyn JournalTail>,
    history: Option<Arc<dyn History>>,
    /// Held by the one change that is being decided: limits such as trails per Region span several documents, which
    /// compare-and-set alone would not protect.
    changing: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for CloudTrail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CloudTrail").field("history", &self.history.is_some()).finish_non_exhaustive()
    }
}

/// One call, its signature already verified.
#[derive(Debug, Clone)]
pub struct Call {
    /// `X-Amz-Target`, as sent; empty when there was none.
    pub target: String,
    /// The Region of the credential scope.
    pub region: String,
    /// The caller's account, 12 digits.
    pub account_id: String,
    /// The whole body.
    pub body: Bytes,
    /// The present, milliseconds since the epoch.
    pub now_ms: u64,
    /// The request id to answer with.
    pub request_id: String,
}

impl CloudTrail {
    /// The longest body that any operation reads, bytes: what is longer need not be collected to be refused.
    pub const MAX_BODY_BYTES: usize = input::MAX_BODY_BYTES;

    /// The API over a registry. Without `history`, LookupEvents answers that it is off.
    ///
    /// # Errors
    /// [`RegistryError`] when the trails cannot be read.
    pub fn new(
        registry: &Registry,
        buckets: Arc<dyn Buckets>,
        journal: Arc<dyn JournalTail>,
        history: Option<Arc<dyn History>>,
    ) -> Result<CloudTrail, RegistryError> {
        Ok(CloudTrail {
            trails: registry.documents()?,
            deleted: registry.documents()?,
            deliveries: registry.documents()?,
            digests: registry.documents()?,
            notifications: registry.documents()?,
            logs: registry.documents()?,
            keys: registry.documents()?,
            administrators: registry.documents()?,
            organization: None,
            preflight: Preflight { buckets, kms: None, topics: None, log_groups: None },
            journal,
            history,
            changing: tokio::sync::Mutex::new(()),
        })
    }

    /// The same with a KMS that is asked about the keys of trails.
    #[must_use]
    pub fn with_kms(mut self, kms: Option<Arc<dyn Kms>>) -> CloudTrail {
        self.preflight.kms = kms;
        self
    }

    /// The same with topics that trails can notify.
    #[must_use]
    pub fn with_topics(mut self, topics: Option<Arc<dyn Topics>>) -> CloudTrail {
        self.preflight.topics = topics;
        self
    }

    /// The same with log groups that trails can send their events to.
    #[must_use]
    pub fn with_log_groups(mut self, log_groups: Option<Arc<dyn LogGroups>>) -> CloudTrail {
        self.preflight.log_groups = log_groups;
        self
    }

    /// The same for the organization of a management account.
    #[must_use]
    pub fn with_organization(mut self, organization: Option<Organization>, management_account: &str) -> CloudTrail {
        self.organization = organization.map(|organization| (organization, management_account.to_owned()));
        self
    }

    /// Answers a call. Every failure is a response too: modeled errors with 400, our own with 500.
    pub async fn call(&self, call: Call) -> Response<Bytes> {
        let answer = match Operation::from_target(&call.target) {
            Some(operation) => self.answer(operation, &call).await,
            None => Err(ApiError::new("UnknownOperationException", "The operation is not one of CloudTrail's.")),
        };
        match answer {
            Ok(body) => respond(StatusCode::OK, &call.request_id, body),
            Err(error) => {
                let body = json!({"__type": error.code, "message": error.message});
                let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                respond(status, &call.request_id, body.to_string())
            }
        }
    }

    async fn answer(&self, operation: Operation, call: &Call) -> Result<String, ApiError> {
        let input = Input::parse(&call.body)?;
        let body = match operation {
            Operation::GetTrail => self.read(call, |state| reads::get_trail(state, &input))?,
            Operation::DescribeTrails => self.read(call, |state| reads::describe_trails(state, &input))?,
            Operation::ListTrails => self.read(call, |state| reads::list_trails(state, &input))?,
            Operation::ListTags => self.read(call, |state| tags::list(state, &input))?,
            Operation::GetEventSelectors => self.read(call, |state| selectors::get(state, &input))?,
            Operation::GetInsightSelectors => self.read(call, |state| insights::get(state, &input))?,
            Operation::GetEventConfiguration => self.read(call, |state| configuration::get(state, &input))?,
            Operation::PutResourcePolicy => self.read(call, |state| policy::put(state, &input))?,
            Operation::GetResourcePolicy | Operation::DeleteResourcePolicy => {
                self.read(call, |state| policy::get(state, &input))?
            }
            Operation::RegisterOrganizationDelegatedAdmin => {
                let _one_at_a_time = self.changing.lock().await;
                let trails = self.trails.list();
                let administrator = organization::register(&self.state(call, &trails), &input, call.now_ms)?;
                self.delegate(move |all| {
                    // One of an earlier organization means nothing.
                    let expected =
                        all.get(&administrator.account_id).map_or(Expected::Absent, |old| old.version.into());
                    all.put(administrator, expected).map(drop)
                })
                .await?
            }
            Operation::DeregisterOrganizationDelegatedAdmin => {
                let _one_at_a_time = self.changing.lock().await;
                let trails = self.trails.list();
                let account = organization::deregister(&self.state(call, &trails), &input)?;
                self.delegate(move |all| all.get(&account).map_or(Ok(()), |old| all.delete(&account, old.version)))
                    .await?
            }
            Operation::GetTrailStatus => {
                self.read(call, |state| reads::get_trail_status(state, &input, |trail| self.states(trail)))?
            }
            Operation::ListPublicKeys => public_keys::list(&self.keys.list(), &input, &call.region, call.now_ms)?,
            Operation::LookupEvents => return self.lookup_events(call, &input).await,
            Operation::CreateTrail => {
                let decide = |state: &State<'_>| {
                    let journal_end = self.journal.end().0;
                    let created = settings::create(state, &input, journal_end, call.now_ms);
                    created.map(|trail| Change::put(trail, Expected::Absent))
                };
                let asked = input.boolean("RecursiveLogging")?;
                self.changed(call, decide, |trail| settings_answer(trail, asked)).await?
            }
            Operation::UpdateTrail => {
                let decide = |state: &State<'_>| {
                    let updated = settings::update(state, &input, self.journal.end().0, |trail| self.delivered(trail));
                    updated.map(|(trail, version)| Change::put(trail, version.into()))
                };
                let asked = input.boolean("RecursiveLogging")?;
                self.changed(call, decide, |trail| settings_answer(trail, asked)).await?
            }
            Operation::PutEventSelectors => {
                let decide = |state: &State<'_>| {
                    let put = selectors::put(state, &input, self.journal.end().0, |trail| self.delivered(trail));
                    put.map(Some).map(Change::keep_or_put)
                };
                self.changed(call, decide, selectors::changed).await?
            }
            Operation::PutInsightSelectors => {
                let decide = |state: &State<'_>| insights::put(state, &input).map(Some).map(Change::keep_or_put);
                self.changed(call, decide, insights::changed).await?
            }
            Operation::PutEventConfiguration => {
                let decide = |state: &State<'_>| configuration::put(state, &input).map(Some).map(Change::keep_or_put);
                self.changed(call, decide, configuration::show).await?
            }
            Operation::DeleteTrail => {
                let decide = |state: &State<'_>| {
                    let found = state.to_change(input.text("Name")?.unwrap_or_default())?;
                    let gone = DeletedTrail { trail: Trail::clone(found), deleted_ms: call.now_ms };
                    Ok(Change::Delete(Box::new(gone), found.version))
                };
                self.change(call, decide).await?;
                json!({})
            }
            Operation::StartLogging => {
                let decide = |state: &State<'_>| {
                    let delivered = |trail: &Trail| self.delivered(trail);
                    logging::start(state, &input, self.journal.end().0, delivered, call.now_ms).map(Change::keep_or_put)
                };
                self.change(call, decide).await?;
                json!({})
            }
            Operation::StopLogging => {
                let decide = |state: &State<'_>| logging::stop(state, &input, call.now_ms).map(Change::keep_or_put);
                self.change(call, decide).await?;
                json!({})
            }
            Operation::AddTags => {
                self.change(call, |state| tags::add(state, &input).map(Some).map(Change::keep_or_put)).await?;
                json!({})
            }
            Operation::RemoveTags => {
                self.change(call, |state| tags::remove(state, &input).map(Some).map(Change::keep_or_put)).await?;
                json!({})
            }
            unbuilt => {
                let message = format!("The operation {} is not built in this version of OpenTrail.", unbuilt.name());
                return Err(ApiError::unsupported(message));
            }
        };
        Ok(body.to_string())
    }

    fn read(&self, call: &Call, answer: impl FnOnce(&State<'_>) -> Result<Value, ApiError>) -> Result<Value, ApiError> {
        let trails = self.trails.list();
        answer(&self.state(call, &trails))
    }

    /// What the caller sees.
    fn state<'a>(&'a self, call: &'a Call, trails: &'a [Versioned<Trail>]) -> State<'a> {
        let membership = self.organization.as_ref().map(|(organization, management)| {
            let is_of_this = |found: &Versioned<DelegatedAdministrator>| found.organization_id == organization.id;
            let administrators = self.administrators.list().into_iter().filter(is_of_this);
            let administrators = administrators.map(|found| found.account_id.clone()).collect();
            Membership { organization, management, administrators }
        });
        let organization = membership.filter(|membership| membership.includes(&call.account_id));
        State { trails, region: &call.region, account_id: &call.account_id, organization }
    }

    /// Changes who administers the organization, on a thread that may wait for the disk.
    async fn delegate(
        &self,
        change: impl FnOnce(&Documents<DelegatedAdministrator>) -> Result<(), RegistryError> + Send + 'static,
    ) -> Result<Value, ApiError> {
        let administrators = self.administrators.clone();
        match tokio::task::spawn_blocking(move || change(&administrators)).await {
            Ok(Ok(())) => Ok(json!({})),
            Ok(Err(error)) => Err(ApiError::internal(&error)),
            Err(error) => Err(ApiError::internal(&error)),
        }
    }

    /// The place up to which the delivery of a trail has come, to its bucket and to its log group.
    fn delivered(&self, trail: &Trail) -> u64 {
        let states = self.states(trail);
        let files = states.delivery.map_or(0, |state| state.next);
        let begun = trail.cloud_watch_logs_log_group_arn.as_ref().map(|_| trail.cloud_watch_logs_from.unwrap_or(0));
        let sent = begun.map_or(u64::MAX, |begun| states.logs.map_or(0, |state| state.next).max(begun));
        files.min(sent)
    }

    /// How a trail fares.
    fn states(&self, trail: &Trail) -> States {
        let arn = trail.arn();
        let is_own = |created_ms: u64| created_ms == trail.created_ms;
        States {
            delivery: self.deliveries.get(&arn).filter(|state| is_own(state.trail_created_ms)),
            digests: self.digests.get(&arn).filter(|state| is_own(state.trail_created_ms)),
            notifications: self.notifications.get(&arn).filter(|state| is_own(state.trail_created_ms)),
            logs: self.logs.get(&arn).filter(|state| is_own(state.trail_created_ms)),
        }
    }

    /// Carries a change out and shows the trail as it is then.
    async fn changed(
        &self,
        call: &Call,
        decide: impl Fn(&State<'_>) -> Result<Change, ApiError>,
        show: impl FnOnce(&Trail) -> Result<Value, ApiError>,
    ) -> Result<Value, ApiError> {
        match self.change(call, decide).await? {
            Some(trail) => show(&trail),
            None => Ok(json!({})),
        }
    }

    /// Decides a change on a snapshot, tries the destinations where the settings are new, and writes. Decides again when the
    /// snapshot was overtaken; a refused or failed change leaves the trails as they were. While destinations are tried,
    /// others can change theirs: a slow bucket delays nobody else.
    async fn change(
        &self,
        call: &Call,
        decide: impl Fn(&State<'_>) -> Result<Change, ApiError>,
    ) -> Result<Option<Trail>, ApiError> {
        let decide_now = || {
            let trails = self.trails.list();
            decide(&self.state(call, &trails))
        };
        for _ in 0..CHANGE_TRIES {
            let tried = match decide_now()? {
                Change::Put { trail, settings: true, .. } => Some(self.preflight.try_out(&trail).await?),
                _ => None,
            };
            let _one_at_a_time = self.changing.lock().await;
            let mut change = decide_now()?;
            if let Change::Put { trail, settings: true, .. } = &mut change
                && !tried.is_some_and(|tried| tried.settle(trail))
            {
                continue;
            }
            match self.write(&change).await {
                Ok(()) => return Ok(change.into_trail()),
                Err(RegistryError::Conflict { .. }) => {}
                Err(RegistryError::TooLarge { .. }) => {
                    let message = "The trail's selectors were changed so often that what was logged under earlier ones has to be \
                                   delivered first; try again in a few minutes.";
                    return Err(ApiError::new("ThrottlingException", message));
                }
                Err(error) => return Err(ApiError::internal(&error)),
            }
        }
        let message = "The trail is being changed by another call; try again.";
        Err(ApiError::new("ConflictException", message))
    }

    /// A change waits for the disk, so it is written on a thread that may.
    async fn write(&self, change: &Change) -> Result<(), RegistryError> {
        let (trails, deleted) = (self.trails.clone(), self.deleted.clone());
        let change = change.clone();
        let written = tokio::task::spawn_blocking(move || match change {
            Change::Keep => Ok(()),
            Change::Put { trail, expected, .. } => trails.put(*trail, expected).map(drop),
            Change::Delete(gone, version) => {
                let arn = gone.trail.arn();
                // First, so that nothing is forgotten between the two; delivery passes over one whose trail is there still.
                // One that is there already was left by a process that ended between the two, and the trail lived on.
                if !gone.trail.logging.periods.is_empty() {
                    let left = deleted.get(&gone.key());
                    let expected = left.map_or(Expected::Absent, |left| Expected::At(left.version));
                    deleted.put(*gone, expected)?;
                }
                trails.delete(&arn, version)
            }
        });
        // The task is neither aborted nor does it panic; were it to, nothing was written.
        written.await.unwrap_or_else(|error| {
            let reason = error.to_string();
            Err(RegistryError::Unreadable { kind: "trail", key: String::new(), reason })
        })
    }

    async fn lookup_events(&self, call: &Call, input: &Input) -> Result<String, ApiError> {
        let Some(history) = &self.history else {
            let message = "Event history is off: this OpenTrail was built without the lake feature.";
            return Err(ApiError::unsupported(message));
        };
        let now = EventTime((call.now_ms / 1000) as i64);
        let written = match lookup::query(input, &call.region, &call.account_id, now)? {
            lookup::Lookup::Insights => serde_json::to_string(&lookup::LookupOutput::default()),
            lookup::Lookup::Management(query) => {
                let page = history.lookup(query).await.map_err(|error| lookup::error(&error))?;
                serde_json::to_string(&lookup::LookupOutput::of(&page))
            }
        };
        written.map_err(|error| ApiError::internal(&error))
    }
}

/// What is kept of how one trail fares, without what an earlier trail of its name left.
pub(crate) struct States {
    delivery: Option<Versioned<DeliveryState>>,
    digests: Option<Versioned<DigestState>>,
    notifications: Option<Versioned<NotificationState>>,
    logs: Option<Versioned<LogsState>>,
}

/// What an operation wants done to the trails.
#[derive(Debug, Clone)]
enum Change {
    Keep,
    Put { trail: Box<Trail>, expected: Expected, settings: bool },
    Delete(Box<DeletedTrail>, Version),
}

impl Change {
    /// New settings, which the bucket is tried for.
    fn put(trail: Trail, expected: Expected) -> Change {
        Change::Put { trail: Box::new(trail), expected, settings: true }
    }

    /// A change that leaves the destination alone, if there is one.
    fn keep_or_put(change: Option<(Trail, Version)>) -> Change {
        match change {
            None => Change::Keep,
            Some((trail, version)) => Change::Put { trail: Box::new(trail), expected: version.into(), settings: false },
        }
    }

    fn into_trail(self) -> Option<Trail> {
        match self {
            Change::Put { trail, .. } => Some(*trail),
            Change::Keep | Change::Delete(..) => None,
        }
    }
}

fn settings_answer(trail: &Trail, recursive_logging: Option<bool>) -> Result<Value, ApiError> {
    reads::value(&TrailOutput::changed(trail, recursive_logging))
}

fn respond(status: StatusCode, request_id: &str, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
    if let Ok(request_id) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", request_id);
    }
    response
}

#[cfg(test)]
mod tests;
