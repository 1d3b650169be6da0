//! `shapan job try`: a query over dummy rows, through the planner, the per-unit execution and the noise of real jobs.
//!
//! It needs what everyone may know: declarations, from a portal or from files. No account, no budget, no data.

use std::io::Read as _;
use std::path::Path;

use model::BudgetPolicy;
use privacy::OpenDpNoise;
use sandbox_job::{JobError, NoOpenData, OpenData, Rehearsal};
use sandbox_plan::bounding::GroupKeySecret;

use super::declaration::{self, Portal};
use super::rows;
use super::shown;
use crate::command::TryArgs;
use crate::failure::Failure;
use crate::import::say;

/// Chooses the groups of dummy units; nobody has to be kept from guessing which.
const SECRET: GroupKeySecret = GroupKeySecret([0; 16]);

/// Tries a query.
pub(crate) async fn run(args: TryArgs) -> Result<(), Failure> {
    let sql = read_sql(&args)?;
    let refused = |error| shown::refused(error, &sql, args.language);
    let names = sandbox_plan::table_names(&sql).map_err(|refusal| refused(refusal.into()))?;
    let portal = args.portal.as_deref().map(Portal::parse).transpose()?;
    let relations = match &portal {
        Some(portal) => portal.relations(&names).await?,
        None => declaration::read_files(&args.declared)?,
    };
    let open: &dyn OpenData = match &portal {
        Some(portal) => portal,
        None => &NoOpenData,
    };
    let policy = BudgetPolicy::default();
    let planned = Rehearsal::plan(open, relations.clone(), &sql, args.epsilon, &policy).await;
    let rehearsal = planned.map_err(|error| match (&error, &portal) {
        (JobError::Refused(refusal), None) if refusal.rule == sandbox_plan::Rule::UnknownTable => {
            let told = refused(error);
            Failure::new(format!(
                "{told}\nOnly datasets given with --declared are known; open data is fetched with --portal URL"
            ))
        }
        _ => refused(error),
    })?;
    let folder = tempfile::tempdir().map_err(Failure::cannot("make a folder for dummy rows"))?;
    let size = rows::Size {
        rows: args.rows,
        seed: args.seed,
    };
    let mut totals = Vec::new();
    for part in &rehearsal.private_plan().parts {
        let core = part.core.clone();
        let granted = rows::write(&core, &relations, size, folder.path())?;
        let execute = move || sandbox_plan::execute(&core, &granted, &SECRET, 1);
        let of_part = tokio::task::spawn_blocking(execute)
            .await?
            .map_err(Failure::cannot("run the query over dummy rows"))?;
        totals.push(of_part);
    }
    let answer = rehearsal.answer(&totals, &mut OpenDpNoise)?;
    say(&shown::verdict(&rehearsal, size));
    say(&shown::table(&answer));
    say(shown::MARK);
    Ok(())
}

/// The query: from the command line, a file, or standard input.
fn read_sql(args: &TryArgs) -> Result<String, Failure> {
    match (&args.sql, &args.file) {
        (Some(sql), _) if sql != "-" => Ok(sql.clone()),
        (_, Some(file)) => read_file(file),
        _ => {
            let mut sql = String::new();
            std::io::stdin()
                .take(sandbox_plan::MAX_SQL as u64 + 1)
                .read_to_string(&mut sql)
                .map_err(Failure::cannot("read the query from standard input"))?;
            Ok(sql)
        }
    }
}

fn read_file(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(Failure::cannot(format_args!("read {}", file.display())))
}
