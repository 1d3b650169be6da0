//! Computing: exact integers from the worker, noise once, stored until the job is due.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use db::job::Job;
use hmac::{Hmac, KeyInit, Mac};
use model::{JobId, VersionId};
use privacy::{NoiseError, NoiseSource, Rho, Scale};
use sandbox_plan::bounding::GroupKeySecret;
use sandbox_plan::source::ScanTable;
use sandbox_plan::{Part, PlanCore, PrivatePlan, Totals};
use sandbox_worker::{Fault, Grant, WorkRequest, WorkerError};
use seal::KeyPurpose;
use sha2::Sha256;
use storage::Manifest;

use crate::answer::{self, NoisedTotals};
use crate::{JobCost, JobError, Sandbox};

/// The one source of noise, held for a draw at a time: a job with many cells keeps no other waiting.
#[derive(Debug)]
struct SharedNoise<'a>(&'a Mutex<Box<dyn NoiseSource>>);

impl SharedNoise<'_> {
    fn source(&self) -> MutexGuard<'_, Box<dyn NoiseSource>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NoiseSource for SharedNoise<'_> {
    fn gaussian(&mut self, scale: Scale) -> Result<i128, NoiseError> {
        self.source().gaussian(scale)
    }

    fn laplace(&mut self, scale: Scale) -> Result<i128, NoiseError> {
        self.source().laplace(scale)
    }

    fn choose(&mut self, scores: &[i64], scale: Scale) -> Result<usize, NoiseError> {
        self.source().choose(scores, scale)
    }
}

/// The kind of these tasks; their payload is `{"job": id}`.
pub const TASK_KIND: &str = "private-job";

impl Sandbox {
    /// Computes a charged job and stores its noised answer. Run again after any fault: the worker's integers are the
    /// same each time, and noise is stored by the first that gets so far.
    ///
    /// # Errors
    /// For what another attempt may mend. The message holds no value of the data.
    pub async fn compute(&self, id: JobId) -> Result<(), JobError> {
        let db = &self.parts.db;
        let job = db::job::load(db.read(), id).await?;
        if job.result.is_some() {
            return Ok(());
        }
        let plan: PrivatePlan =
            serde_json::from_value(job.plan.clone()).map_err(|_| JobError::Internal("stored plan"))?;
        let cost: JobCost =
            serde_json::from_value(job.cost.clone()).map_err(|_| JobError::Internal("stored cost"))?;
        if let Some(base) = job.tops_up {
            // What is made better has to be there; it was due before.
            self.noised(base).await?;
        }
        let mut totals = Vec::with_capacity(plan.parts.len());
        for part in &plan.parts {
            totals.push(self.compute_part(&job, &part.core).await?);
        }
        self.settle(&job, plan, cost, totals).await
    }

    /// The exact totals of one part, by a worker of its own.
    async fn compute_part(&self, job: &Job, core: &PlanCore) -> Result<Totals, JobError> {
        let id = job.id;
        let request = self.request(core).await?;
        // A late attempt gets as long as an early one: the deadline is for what is released, not for giving up.
        let left = job.answer_due_at.micros_since(self.parts.clock.now()).max(0);
        let left = Duration::from_micros(u64::try_from(left).unwrap_or(0));
        let patience = left.max(core.due_in(self.parts.cores));
        let reply = self
            .parts
            .supervisor
            .run(request, patience)
            .await
            .map_err(|error| {
                // The class of the fault only: engine messages quote values.
                let version: Vec<_> = core.tables.iter().map(|table| table.version).collect();
                if matches!(error, WorkerError::Fault(Fault::Incident(_))) {
                    tracing::error!(
                        job = %id, ?version, class = ?error,
                        "ALARM: parts of a protected version are not what was published; its jobs are delayed until \
                         they are restored (a part's name is its SHA-256)"
                    );
                } else {
                    tracing::error!(job = %id, ?version, class = ?error, "a worker did not finish");
                }
                JobError::Internal("worker")
            })?;
        Ok(reply.totals)
    }

    /// Draws noise once for a job's exact totals, joins what it tops up, and stores the answer.
    ///
    /// # Errors
    /// For totals of another plan, or if noise cannot be drawn or stored.
    pub(crate) async fn settle(
        &self,
        job: &Job,
        plan: PrivatePlan,
        cost: JobCost,
        totals: Vec<Totals>,
    ) -> Result<(), JobError> {
        let base = match job.tops_up {
            Some(base) => Some(self.noised(base).await?),
            None => None,
        };
        let parts = Arc::clone(&self.parts);
        // Draws take a processor for seconds; nobody else's request waits for them.
        let draw = move || -> Result<serde_json::Value, JobError> {
            let drawn = answer::noised(&plan, &totals, &cost, &mut SharedNoise(&parts.noise))?;
            let noised = match &base {
                Some((base, paid)) => answer::combined((base, *paid), (&drawn, cost.drawn_rho()))?,
                None => drawn,
            };
            serde_json::to_value(noised).map_err(|_| JobError::Internal("noised totals"))
        };
        let value = tokio::task::spawn_blocking(draw)
            .await
            .map_err(|_| JobError::Internal("noise"))??;
        let tx = self.parts.db.begin_write().await?;
        match db::job::set_result(&tx, job.id, value, self.parts.clock.now()).await {
            // Another attempt drew noise first: its answer stands.
            Err(db::Error::Stale(_)) => Ok(()),
            other => {
                other?;
                Ok(tx.commit().await?)
            }
        }
    }

    /// The stored answer of a job, with the ρ that it is worth.
    async fn noised(&self, id: JobId) -> Result<(NoisedTotals, Rho), JobError> {
        let job = db::job::load(self.parts.db.read(), id).await?;
        let stored = job
            .result
            .ok_or(JobError::Internal("the answer to top up is not there yet"))?;
        let noised = serde_json::from_value(stored).map_err(|_| JobError::Internal("noised totals"))?;
        let cost: JobCost =
            serde_json::from_value(job.cost).map_err(|_| JobError::Internal("stored cost"))?;
        Ok((noised, cost.answer_rho()))
    }

    /// What a worker is asked: the columns of the plan in the parts of its versions, for an hour.
    async fn request(&self, core: &PlanCore) -> Result<WorkRequest, JobError> {
        let mut grants = Vec::with_capacity(core.tables.len());
        for table in &core.tables {
            grants.push(self.grant(table).await?);
        }
        let first = core.tables.first();
        let first = first.ok_or(JobError::Internal("stored plan"))?;
        Ok(WorkRequest {
            plan: core.clone(),
            grants,
            secret: self.group_secret(first.version),
            // The supervisor puts its own limits here.
            threads: 1,
            memory_bytes: 0,
            cpu_seconds: 0,
        })
    }

    async fn grant(&self, table: &ScanTable) -> Result<Grant, JobError> {
        let version = db::version::load(self.parts.db.read(), table.version).await?;
        let manifest = version
            .manifest
            .ok_or(JobError::Internal("a version without parts"))?;
        let manifest: Manifest =
            serde_json::from_value(manifest).map_err(|_| JobError::Internal("manifest"))?;
        let purpose = KeyPurpose::Copy;
        let wrapped = db::version_key::find(self.parts.db.read(), version.id, purpose.as_str())
            .await?
            .ok_or(JobError::Internal("the version is erased"))?;
        let key = self
            .parts
            .keys
            .unwrap(&wrapped, version.id, purpose)
            .map_err(|_| JobError::Internal("a data key that the operator's key does not open"))?;
        let mut parts = Vec::with_capacity(manifest.parts.len());
        for (place, part) in (0..).zip(&manifest.parts) {
            let path = self
                .parts
                .store
                .local_path(version.id, &part.name)
                .map_err(|_| JobError::Internal("part path"))?;
            let unit_range = part
                .unit_range
                .ok_or(JobError::Internal("a part without its units"))?;
            parts.push(Part {
                path,
                sha256: part.sha256.clone(),
                bytes: part.bytes,
                rows: part.rows,
                place,
                unit_range,
            });
        }
        Ok(Grant {
            version: version.id,
            parts,
            key,
            columns: table
                .columns
                .iter()
                .map(|column| column.name.to_string())
                .collect(),
            expires_at: self.parts.clock.now().plus_seconds(3_600),
        })
    }

    /// The version's secret for choosing groups: HMAC-SHA256 of its id under the portal's key, cut to 128 bits.
    fn group_secret(&self, version: VersionId) -> GroupKeySecret {
        // HMAC pads a key to its block with zeros (RFC 2104 section 2): a block never has the wrong length.
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.parts.group_key);
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
        mac.update(version.as_uuid().as_bytes());
        let tag: [u8; 32] = mac.finalize().into_bytes().into();
        let mut secret = [0; 16];
        secret.copy_from_slice(&tag[..16]);
        GroupKeySecret(secret)
    }
}
