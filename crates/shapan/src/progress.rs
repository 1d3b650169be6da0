//! Progress bars, and the steps of an ingest as they show in a task.

use std::time::Duration;

use catalog_ingest::{Phase, Progress};
use db::Database;
use db::task::TaskState;
use indicatif::{ProgressBar, ProgressStyle};
use model::TaskId;
use serde_json::{Value, json};

use crate::failure::Failure;

/// How often a task is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How far an ingest is, as its task tells it.
pub(crate) fn to_json(progress: Progress) -> Value {
    json!({
        "phase": phase_name(progress.phase),
        "bytes_done": progress.bytes_done,
        "bytes_total": progress.bytes_total,
        "rows": progress.rows,
    })
}

const fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Detect => "detect",
        Phase::Convert => "convert",
        Phase::Cluster => "cluster",
        Phase::Distribute => "distribute",
        Phase::Publish => "publish",
    }
}

/// A bar in bytes; it does not show where there is no terminal.
pub(crate) fn bytes_bar(total: u64) -> Result<ProgressBar, Failure> {
    let style =
        ProgressStyle::with_template("{msg:>10} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
            .map_err(Failure::cannot("make a progress bar"))?;
    Ok(ProgressBar::new(total).with_style(style))
}

/// A line that says what is being done.
pub(crate) fn spinner() -> Result<ProgressBar, Failure> {
    let style = ProgressStyle::with_template("{spinner} {elapsed:>4} {msg}")
        .map_err(Failure::cannot("make a progress bar"))?;
    let bar = ProgressBar::new_spinner().with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    Ok(bar)
}

/// Waits for a task and shows how far it is; gives what came of it.
pub(crate) async fn follow(db: &Database, id: TaskId, bar: Option<&ProgressBar>) -> Result<Value, Failure> {
    let mut phase = String::new();
    loop {
        let task = db::task::find(db.read(), id).await?;
        let task = task.ok_or_else(|| Failure::new(format!("the task {id} is gone")))?;
        if let (Some(bar), Some(progress)) = (bar, &task.progress) {
            let number = |name: &str| progress[name].as_u64().unwrap_or(0);
            let now = progress["phase"].as_str().unwrap_or_default();
            if now != phase {
                now.clone_into(&mut phase);
                bar.reset();
                bar.set_message(phase.clone());
            }
            bar.set_length(number("bytes_total"));
            bar.set_position(number("bytes_done"));
        }
        match task.state {
            TaskState::Done => return Ok(task.result.unwrap_or(Value::Null)),
            TaskState::Failed => {
                let error = task.error.unwrap_or(Value::Null);
                let told = error["message"]
                    .as_str()
                    .or(error["code"].as_str())
                    .unwrap_or("no reason was kept");
                return Err(Failure::new(told));
            }
            TaskState::Queued | TaskState::Running => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}
