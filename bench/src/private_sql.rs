//! `private-sql/…`, and `private-sql-1m/…` and the like for other sizes: compute time of private queries in a worker process of the real program, against plain DataFusion
//! reading the same text over the unprotected table in its own order.
//!
//! Ours is everything between the text and the noise: planning with what is public in the query, a fresh worker process with its
//! walls, the scan of clustered parts, bounding, and the integers back over the pipe. As in the portal, the process was started
//! when the query before was answered, and waits. The peer is a warm session in this process with as many threads.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use demo::queries::PRIVATE;
use demo::{Entry, Table};
use model::{Clock as _, DatasetId, SystemClock};
use sandbox_plan::bounding::GroupKeySecret;
use sandbox_plan::source::ScanTable;
use sandbox_plan::{Part, PlanCore, PrivatePlan, PublicBody, PublicTable, Relation, Tables};
use sandbox_worker::{ChildProgram, Grant, Supervisor, WORKER, WorkRequest, WorkerLimits};
use storage::{Manifest, SandboxStore};

use crate::process::ChildMemory;
use crate::summary::{Summary, median};
use crate::world::{World, ingest_file, version};
use crate::{Failure, Settings, process, say};

/// Rows of the bike-share trips, in millions; the other tables are those of the same city.
const MILLIONS: [u64; 3] = [1, 10, 50];
/// The size whose family has the name that outsiders rely on; the others carry theirs.
const MAIN: u64 = 10;
const TABLES: [Table; 4] = [
    Table::BikeShareTrips,
    Table::OutpatientVisits,
    Table::EnterpriseTax,
    Table::BikeParking,
];
/// What the worker process of a query may take, whatever the number of units: 2 GB.
const MEMORY_BAR_MB: f64 = 2_000.0;
/// The pause before a query, ours or the peer's, in which the next worker process starts.
const SETTLE: Duration = Duration::from_millis(100);
/// As the portal's configuration has them by default.
const LIMITS: WorkerLimits = WorkerLimits {
    slots: 1,
    threads: 2,
    memory_bytes: 2 << 30,
};

/// A protected table in the sandbox.
pub(crate) struct Protected {
    entry: Entry,
    manifest: Manifest,
    data: PathBuf,
}

pub(crate) async fn measure(
    world: &World,
    settings: &Settings,
    summary: &mut Summary,
) -> Result<(), Failure> {
    for millions in MILLIONS {
        if millions <= settings.most_millions {
            size(world, settings, summary, millions).await?;
        }
    }
    Ok(())
}

async fn size(
    world: &World,
    settings: &Settings,
    summary: &mut Summary,
    millions: u64,
) -> Result<(), Failure> {
    let rows = settings.rows(millions * 1_000_000);
    let family = if millions == MAIN {
        "private-sql".to_owned()
    } else {
        format!("private-sql-{millions}m")
    };
    let mut protected = Vec::new();
    let config = SessionConfig::new().with_target_partitions(LIMITS.threads as usize);
    let plain = SessionContext::new_with_config(config);
    for table in TABLES {
        let file = world.parquet(table, Table::BikeShareTrips, rows)?;
        let path = file.to_str().ok_or("a path that is no text")?;
        plain
            .register_parquet(table.sql_name(), path, ParquetReadOptions::default())
            .await?;
        if table.is_protected() {
            protected.push(protect(world, table, rows, &file).await?);
        }
    }
    let program = ChildProgram::new(process::shapan()?, [WORKER.into()]);
    let supervisor = Supervisor::new(program, LIMITS);
    let relations = protected
        .iter()
        .map(Protected::relation)
        .collect::<Result<Vec<_>, _>>()?;
    let (mut refused, mut most_memory) = (Vec::new(), 0.0);
    let asked = |name| settings.queries.is_empty() || settings.queries.contains(&name);
    for query in PRIVATE.into_iter().filter(|query| asked(query.name)) {
        let due = match planned(&plain, query.sql, &relations).await? {
            Ok(plan) => plan.due_in(LIMITS.threads),
            Err(rule) => {
                refused.push(format!("{} ({rule})", query.name));
                continue;
            }
        };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..=settings.repeats {
            tokio::time::sleep(SETTLE).await;
            let started = Instant::now();
            let plan = planned(&plain, query.sql, &relations).await?;
            let plan = plan.map_err(|rule| format!("{} is refused now: {rule}", query.name))?;
            // The first round is for caches, and for memory: watching costs time.
            let watch = (round == 0).then(|| ChildMemory::watch(WORKER));
            for part in plan.parts {
                let request = request(&protected, part.core)?;
                supervisor.run(request, Duration::from_secs(600)).await?;
            }
            let computed = started.elapsed().as_secs_f64();
            if let Some(watch) = watch {
                most_memory = f64::max(most_memory, watch.peak_mb()?);
            }
            tokio::time::sleep(SETTLE).await;
            let started = Instant::now();
            plain.sql(query.sql).await?.collect().await?;
            let answered = started.elapsed().as_secs_f64();
            if round > 0 {
                ours.push(computed);
                theirs.push(answered);
            }
        }
        let longest = ours.iter().copied().fold(0.0, f64::max);
        if longest > due.as_secs_f64() {
            say(&format!(
                "{family}/{}: {longest:.2} s is beyond its deadline of {:.2} s",
                query.name,
                due.as_secs_f64()
            ));
        }
        summary.add(
            &format!("{family}/{}", query.name),
            median(ours),
            median(theirs),
            "DataFusion, plain",
            "s",
        );
    }
    if settings.queries.is_empty() {
        summary.add_geomean(&family);
    }
    let name = format!("private-sql-memory/{millions}m");
    summary.add(&name, most_memory, MEMORY_BAR_MB, "the bar", "MB");
    if !refused.is_empty() {
        say(&format!("{family}: refused so far: {}", refused.join(", ")));
    }
    Ok(())
}

/// The plan of a query, what is public in it computed by the plain session; or the rule that refuses it.
async fn planned(
    plain: &SessionContext,
    sql: &str,
    relations: &[Relation],
) -> Result<Result<PrivatePlan, &'static str>, Failure> {
    let needed = match sandbox_plan::public_queries(sql, relations) {
        Ok(needed) => needed,
        Err(refusal) => return Ok(Err(refusal.rule.id())),
    };
    let mut public = Vec::new();
    for query in needed {
        let text = match query.body {
            PublicBody::Query(text) => text,
            PublicBody::Dataset { .. } => format!("SELECT * FROM {}", query.name),
        };
        let frame = plain.sql(&text).await?;
        let schema = frame.schema().as_arrow().clone();
        public.push(PublicTable::freeze(
            &query.name,
            &schema,
            &frame.collect().await?,
        )?);
    }
    let tables = Tables {
        protected: relations,
        public: &public,
    };
    let plan = sandbox_plan::plan(sql, tables);
    Ok(plan.map_err(|refusal| refusal.rule.id()))
}

/// What a worker is asked.
fn request(protected: &[Protected], plan: PlanCore) -> Result<WorkRequest, Failure> {
    let mut grants = Vec::new();
    for table in &plan.tables {
        let of = protected
            .iter()
            .find(|known| known.manifest.version == table.version);
        grants.push(of.ok_or("a table of another city")?.grant(table)?);
    }
    Ok(WorkRequest {
        plan,
        grants,
        secret: GroupKeySecret([5; 16]),
        threads: 1,
        memory_bytes: 0,
        cpu_seconds: 0,
    })
}

/// The table's sandbox copy, made once.
async fn protect(
    world: &World,
    table: Table,
    rows: u64,
    file: &std::path::Path,
) -> Result<Protected, Failure> {
    let entry = demo::entry(&table.spec(World::city(Table::BikeShareTrips, rows)?.scale))?;
    Protected::make(world, &format!("sandbox-{}-{rows}", table.slug()), entry, file).await
}

impl Protected {
    /// A file's sandbox copy, made once under this name.
    pub(crate) async fn make(
        world: &World,
        name: &str,
        entry: Entry,
        file: &std::path::Path,
    ) -> Result<Self, Failure> {
        let making = entry.clone();
        let data = world
            .folder(name, async |data| {
                let outcome = ingest_file(file, &making, version(), data, &[])?;
                std::fs::write(data.join("manifest.json"), serde_json::to_vec(&outcome.manifest)?)?;
                Ok(())
            })
            .await?;
        let manifest = serde_json::from_slice(&std::fs::read(data.join("manifest.json"))?)?;
        Ok(Self {
            entry,
            manifest,
            data,
        })
    }

    /// As the planner sees it.
    pub(crate) fn relation(&self) -> Result<Relation, Failure> {
        Ok(Relation {
            slug: self.entry.slug.clone(),
            dataset: DatasetId::at(SystemClock.now()),
            version: self.manifest.version,
            level: self.entry.level,
            // People who look at an answer take no part of the compute time.
            metadata: self.entry.declared.clone(),
        })
    }

    /// Its parts, for a worker.
    pub(crate) fn grant(&self, table: &ScanTable) -> Result<Grant, Failure> {
        let store = SandboxStore::open(&self.data, 0)?;
        let mut parts = Vec::new();
        for (place, part) in (0..).zip(&self.manifest.parts) {
            parts.push(Part {
                path: store.local_path(self.manifest.version, &part.name)?,
                sha256: part.sha256.clone(),
                bytes: part.bytes,
                rows: part.rows,
                place,
                unit_range: part.unit_range.ok_or("a part without its units")?,
            });
        }
        Ok(Grant {
            version: self.manifest.version,
            parts,
            key: crate::world::data_key(),
            columns: table
                .columns
                .iter()
                .map(|column| column.name.to_string())
                .collect(),
            expires_at: SystemClock.now().plus_seconds(3_600),
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use arrow::datatypes::Schema;
    use arrow::record_batch::RecordBatch;

    use super::*;

    /// The bar of three seconds: deadlines come from declarations, so they can be checked without a run.
    #[test]
    fn jobs_on_the_demos_trips_are_due_within_three_seconds() {
        let entry = demo::entry(&Table::BikeShareTrips.spec(demo::Scale::DEMO)).unwrap();
        let now = SystemClock.now();
        let relation = Relation {
            slug: entry.slug,
            dataset: DatasetId::at(now),
            version: version(),
            level: entry.level,
            metadata: entry.declared,
        };
        // What q17 joins with: capacities by district.
        let districts = demo::city::district_names();
        let capacities = (0i64..).map(|at| 1_000 + 37 * at).take(districts.len());
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("district", Arc::new(StringArray::from_iter_values(&districts))),
            ("capacity", Arc::new(Int64Array::from_iter_values(capacities))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let schema: Arc<Schema> = batch.schema();
        let mut planned = 0;
        for query in PRIVATE {
            if !query.sql.contains(Table::BikeShareTrips.sql_name()) {
                continue;
            }
            let protected = [relation.clone()];
            let needed = sandbox_plan::public_queries(query.sql, &protected).unwrap();
            if needed
                .iter()
                .any(|query| query.name == Table::OutpatientVisits.sql_name())
            {
                continue;
            }
            let public: Vec<PublicTable> = needed
                .iter()
                .map(|query| PublicTable::freeze(&query.name, &schema, std::slice::from_ref(&batch)).unwrap())
                .collect();
            let tables = Tables {
                protected: &protected,
                public: &public,
            };
            let plan = sandbox_plan::plan(query.sql, tables);
            let plan = plan.unwrap_or_else(|refusal| panic!("{}: {refusal}", query.name));
            let due = plan.due_in(LIMITS.threads).as_secs_f64();
            assert!(due <= 3.0, "{}: {due:.2} s", query.name);
            planned += 1;
        }
        assert!(planned >= 12, "{planned}");
    }
}
