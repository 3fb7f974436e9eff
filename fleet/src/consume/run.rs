//! The thread of a member: renews its leases, claims others, and starts and ends what it does with each partition.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::task::JoinError;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::api::Api;
use super::chains::Chains;
use super::heads::Heads;
use super::lease::Action;
use super::lease::LEASE_TIMEOUT;
use super::lease::Leases;
use super::lease::RENEW_INTERVAL;
use super::lease_store::LeaseStore;
use super::lease_store::WriteError;
use super::lease_value::Lease;
use super::lease_value::Presence;
use super::lock;
use super::member_config::MemberConfig;
use super::member_config::StartError;
use super::member_status::MemberStatus;
use super::member_status::PartitionStatus;
use super::phase::Phase;
use super::phase::must_end;
use super::state::StateStore;
use super::tenure;
use super::tenure::Ended;
use super::tenure::Tenure;
use crate::connect;
use crate::partition::Partition;

/// How often the broker is looked at: a lease that stands still is found this much later.
const STEP_INTERVAL: Duration = Duration::from_millis(500);

/// A member at work.
pub(super) struct Run {
    lease: Lease,
    leases: Leases,
    store: LeaseStore,
    announced: Option<Instant>,
    context: Arc<tenure::Context>,
    tenures: BTreeMap<Partition, Tenure>,
    ended: JoinSet<(Partition, Ended)>,
    is_stopping: bool,
    is_refusal_told: bool,
}

/// A write of a lease that was sent.
struct Written {
    partition: Partition,
    is_claim: bool,
    sent: Instant,
    result: Result<u64, WriteError>,
}

impl Run {
    /// Connects, and opens all that is needed.
    pub(super) async fn open(
        config: MemberConfig,
        chains: Box<dyn Chains>,
        status: Arc<Mutex<MemberStatus>>,
    ) -> Result<Run, StartError> {
        let broker = connect::connect(&config.broker)
            .await
            .map_err(StartError::Connect)?;
        let partitions = config.partitions_of(&broker).await?;
        let id = Api::new(&broker, STEP_INTERVAL).unique();
        lock(&status).id.clone_from(&id);
        let context = tenure::Context {
            state: StateStore::open(&broker)
                .await
                .map_err(StartError::Broker)?,
            heads: Mutex::new(Heads::open(&broker).await.map_err(StartError::Broker)?),
            chains: Mutex::new(chains),
            fresh: config.fresh,
            status,
            broker: broker.clone(),
        };
        Ok(Run {
            lease: Lease {
                owner: id.clone(),
                name: config.name,
                since: unix_seconds(),
                released: false,
            },
            leases: Leases::new(id, config.choice, partitions),
            store: LeaseStore::open(&broker)
                .await
                .map_err(StartError::Broker)?,
            announced: None,
            context: Arc::new(context),
            tenures: BTreeMap::new(),
            ended: JoinSet::new(),
            is_stopping: false,
            is_refusal_told: false,
        })
    }

    /// Works until it is to stop. What it has not released by then is dropped.
    pub(super) async fn until_stopped(mut self, phases: watch::Receiver<Phase>) {
        tokio::select! {
            biased;
            () = must_end(phases.clone()) => {}
            () = self.work(phases) => {}
        }
    }

    async fn work(&mut self, mut phases: watch::Receiver<Phase>) {
        let mut steps = tokio::time::interval(STEP_INTERVAL);
        steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // Steps may take longer than the time between them: they come last.
                biased;
                Ok(_) = phases.wait_for(Phase::is_stop), if !self.is_stopping => self.release_all(),
                Some(ended) = self.ended.join_next() => self.finish(ended).await,
                _ = steps.tick() => self.step().await,
            }
            if self.is_stopping && self.tenures.is_empty() {
                let result = self
                    .store
                    .announce(&self.lease.owner, &self.presence(true))
                    .await;
                if let Err(cause) = result {
                    tracing::debug!("cannot say that this consumer has left: {cause}");
                }
                return;
            }
        }
    }

    fn release_all(&mut self) {
        self.is_stopping = true;
        for (partition, tenure) in &self.tenures {
            tenure.release();
            self.note(*partition, |status| status.is_releasing = true);
        }
    }

    async fn observe(&mut self) -> Result<(), String> {
        if !self.is_connected() {
            let Some(refusal) = self.context.broker.refusal() else {
                return Err("there is no connection to the broker".to_owned());
            };
            if !std::mem::replace(&mut self.is_refusal_told, true) {
                tracing::warn!("{refusal}");
            }
            return Err(refusal.to_string());
        }
        self.is_refusal_told = false;
        let (leases, consumers) = tokio::join!(self.store.leases(), self.store.consumers());
        self.leases.observe(Instant::now(), leases?, consumers?);
        Ok(())
    }

    fn is_connected(&self) -> bool {
        self.context.broker.is_connected()
    }

    /// Looks at the broker, and does what is to be done.
    async fn step(&mut self) {
        let problem = self.observe().await.err();
        self.note_step(problem);
        let writes = FuturesUnordered::new();
        for action in self.leases.decide(Instant::now()) {
            match action {
                Action::Lost { partition, reason } => self.lose(partition, reason),
                Action::Release { partition } => {
                    if let Some(tenure) = self.tenures.get(&partition) {
                        tenure.release();
                    }
                    self.note(partition, |status| status.is_releasing = true);
                }
                // The client would keep it, and send it when it is too late.
                Action::Renew { .. } | Action::Claim { .. } if !self.is_connected() => {}
                Action::Renew {
                    partition,
                    revision,
                } => writes.push(self.write(partition, revision, false)),
                // What it did with this partition before has not ended yet.
                Action::Claim { partition, .. } if self.tenures.contains_key(&partition) => {}
                Action::Claim { .. } if self.is_stopping => {}
                Action::Claim {
                    partition,
                    revision,
                } => writes.push(self.write(partition, revision, true)),
            }
        }
        // Together, as each one may take its whole time.
        let (announced, written) = tokio::join!(self.announce(), writes.collect::<Vec<Written>>());
        for written in written {
            self.take(written);
        }
        match announced {
            Ok(Some(when)) => self.announced = Some(when),
            Ok(None) => {}
            Err(cause) => {
                self.note_error(format!("cannot say that this consumer is there: {cause}"))
            }
        }
    }

    /// Writes a lease. Nothing is sent before the future is asked for the first time.
    fn write(
        &self,
        partition: Partition,
        revision: u64,
        is_claim: bool,
    ) -> BoxFuture<'static, Written> {
        let since = match self.tenures.get(&partition) {
            Some(tenure) if !is_claim => tenure.since,
            _ => unix_seconds(),
        };
        let lease = Lease {
            since,
            ..self.lease.clone()
        };
        let store = self.store.clone();
        Box::pin(async move {
            let sent = Instant::now();
            Written {
                partition,
                is_claim,
                sent,
                result: store.write(partition, &lease, revision).await,
            }
        })
    }

    fn take(&mut self, written: Written) {
        let partition = written.partition;
        match written.result {
            Ok(revision) if written.is_claim => {
                self.leases.claimed(partition, revision, written.sent);
                self.begin(partition, written.sent + LEASE_TIMEOUT);
            }
            Ok(revision) => {
                self.leases.renewed(partition, revision, written.sent);
                if let Some(tenure) = self.tenures.get(&partition) {
                    tenure.extend(written.sent + LEASE_TIMEOUT);
                }
            }
            // The next look at the broker tells who has it.
            Err(WriteError::Refused) => {}
            Err(error @ WriteError::Unknown(_)) => {
                self.note_error(format!(
                    "cannot write the lease of partition {partition}: {error}"
                ));
            }
        }
    }

    fn begin(&mut self, partition: Partition, valid_until: Instant) {
        let since = unix_seconds();
        let status = PartitionStatus {
            since,
            ..PartitionStatus::default()
        };
        lock(&self.context.status)
            .partitions
            .insert(partition, status);
        tracing::info!("partition {partition} is taken");
        let context = Arc::clone(&self.context);
        let tenure = Tenure::begin(&mut self.ended, context, partition, valid_until, since);
        self.tenures.insert(partition, tenure);
    }

    fn lose(&mut self, partition: Partition, reason: String) {
        if let Some(tenure) = self.tenures.get(&partition) {
            tenure.lose(reason);
        }
    }

    async fn finish(&mut self, ended: Result<(Partition, Ended), JoinError>) {
        let (partition, ended) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                let found = self
                    .tenures
                    .iter()
                    .find(|(_, tenure)| tenure.task == error.id());
                let Some((partition, _)) = found else {
                    return;
                };
                (*partition, Ended::Failed(error.to_string()))
            }
        };
        self.tenures.remove(&partition);
        lock(&self.context.status).partitions.remove(&partition);
        match &ended {
            Ended::Released => tracing::info!("partition {partition} is released"),
            Ended::Lost(reason) => {
                lock(&self.context.status).lost += 1;
                self.note_error(format!("partition {partition} is lost: {reason}"));
            }
            Ended::Failed(reason) => {
                self.leases.avoid(partition, Instant::now());
                self.note_error(format!("partition {partition} is given up: {reason}"));
            }
        }
        let revision = self.leases.revision(partition);
        self.leases.released(partition);
        let (Some(revision), Ended::Released | Ended::Failed(_)) = (revision, &ended) else {
            return;
        };
        let lease = Lease {
            since: unix_seconds(),
            released: true,
            ..self.lease.clone()
        };
        if let Err(error) = self.store.write(partition, &lease, revision).await {
            self.note_error(format!(
                "cannot release the lease of partition {partition}: {error}"
            ));
        }
    }

    /// Says that this consumer is there, if it is time. Returns when that was sent.
    async fn announce(&self) -> Result<Option<Instant>, String> {
        let now = Instant::now();
        let is_recent = self
            .announced
            .is_some_and(|last| now < last + RENEW_INTERVAL);
        if is_recent || !self.is_connected() {
            return Ok(None);
        }
        let presence = self.presence(false);
        self.store.announce(&self.lease.owner, &presence).await?;
        Ok(Some(now))
    }

    fn presence(&self, left: bool) -> Presence {
        Presence {
            name: self.lease.name.clone(),
            since: self.lease.since,
            left,
            chosen: self.leases.chosen(),
        }
    }

    fn note(&self, partition: Partition, change: impl FnOnce(&mut PartitionStatus)) {
        self.context.note(partition, change);
    }

    fn note_step(&self, problem: Option<String>) {
        let now = Instant::now();
        let mut status = lock(&self.context.status);
        status.consumers = self.leases.present(now);
        status.share = self.leases.share(now);
        if problem.is_some() {
            status.last_error.clone_from(&problem);
        }
        status.problem = problem;
    }

    fn note_error(&self, error: String) {
        tracing::warn!("{error}");
        lock(&self.context.status).last_error = Some(error);
    }
}

fn unix_seconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}
