//! `start/…`: what a person waits for and a machine gives, against the project's bars: seeding the demo, being ready
//! when it is seeded, memory and processor at rest.

use std::process::Command;
use std::time::Duration;

use demo::Table;
use serde_json::{Value, json};

use crate::process::{Server, free_port, shapan};
use crate::summary::Summary;
use crate::world::World;
use crate::{Failure, Settings, say};

const SEED_SECONDS: f64 = 60.0;
const READY_SECONDS: f64 = 1.0;
const IDLE_MB: f64 = 150.0;
const DUE_SECONDS: f64 = 3.0;
/// How long the server rests before it is looked at, and while its processor time is.
const REST: Duration = Duration::from_secs(20);

pub(crate) async fn measure(
    world: &World,
    settings: &Settings,
    summary: &mut Summary,
) -> Result<(), Failure> {
    let folder = world.scratch()?;
    let data = folder.path().join("demo");
    let start = async || {
        let port = free_port()?;
        let mut command = Command::new(shapan()?);
        command
            .arg("demo")
            .arg("--data")
            .arg(&data)
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .args(["--scale", &settings.scale.min(1.0).to_string()]);
        Server::start(&mut command, port, "/health/ready").await
    };
    let seeded = start().await?;
    summary.add("start/seed-demo", seeded.ready_after, SEED_SECONDS, "bar", "s");
    due(&seeded, &data, summary).await?;
    drop(seeded);
    let server = start().await?;
    summary.add("start/ready", server.ready_after, READY_SECONDS, "bar", "s");
    tokio::time::sleep(REST).await;
    let before = server.processor_seconds()?;
    tokio::time::sleep(REST).await;
    let used = server.processor_seconds()? - before;
    summary.add("start/idle-memory", server.resident_mb()?, IDLE_MB, "bar", "MB");
    say(&format!(
        "start: at rest it uses {:.2} % of a core",
        100.0 * used / REST.as_secs_f64()
    ));
    Ok(())
}

/// When a private job on the demo's trips would be due.
async fn due(server: &Server, data: &std::path::Path, summary: &mut Summary) -> Result<(), Failure> {
    let accounts: Value = serde_json::from_slice(&std::fs::read(data.join("demo-accounts.json"))?)?;
    let token = accounts
        .as_array()
        .into_iter()
        .flatten()
        .find(|account| account["role"] == "enterprise")
        .and_then(|account| account["token"].as_str())
        .ok_or("the demo has no enterprise account")?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let projects: Value = client
        .get(format!("{}/api/v1/projects", server.base))
        .bearer_auth(token)
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?;
    let project = projects["results"][0]["id"]
        .as_str()
        .ok_or("the demo has no project")?;
    let mut longest: f64 = 0.0;
    for query in demo::queries::PRIVATE {
        if !query.sql.contains(Table::BikeShareTrips.sql_name()) {
            continue;
        }
        let estimate: Value = client
            .post(format!("{}/api/v1/projects/{project}/estimates", server.base))
            .bearer_auth(token)
            .json(&json!({"kind": "sql", "sql": query.sql, "epsilon": 0.1}))
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        if let Some(seconds) = estimate["due_in_s"].as_f64() {
            longest = longest.max(seconds);
        }
    }
    summary.add("start/longest-due", longest, DUE_SECONDS, "bar", "s");
    Ok(())
}
