//! HTTP load by `wrk`: a client that others wrote, and that costs less than the servers it measures.

use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::{Failure, process};

/// Takes requests from the file in the environment, and tells figures as one line of JSON.
const SCRIPT: &str = r#"
local paths, at = {}, 0
for line in io.lines(os.getenv("BENCH_PATHS")) do paths[#paths + 1] = line end
local threads = 0
function setup(thread) thread:set("first", threads); threads = threads + 1 end
function init() at = first * 7 end
function request()
  at = at + 1
  return wrk.format("GET", paths[at % #paths + 1])
end
function done(summary, latency, requests)
  local e = summary.errors
  print(string.format('BENCH {"requests": %d, "bytes": %d, "micros": %d, "p50": %d, "p99": %d, "errors": %d}',
    summary.requests, summary.bytes, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"#;

/// What a load found. Times in microseconds.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Load {
    /// Answers.
    pub(crate) requests: u64,
    /// Bytes received, heads included.
    pub(crate) bytes: u64,
    /// How long it took.
    pub(crate) micros: u64,
    /// Median time of an answer.
    pub(crate) p50: u64,
    /// 99th percentile of an answer's time.
    pub(crate) p99: u64,
    /// Connections broken and answers that are no success.
    pub(crate) errors: u64,
}

impl Load {
    /// Megabytes (10⁶ bytes) per second.
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    pub(crate) fn megabytes_per_second(&self) -> f64 {
        self.bytes as f64 / self.micros as f64
    }
}

/// Calls `paths` of a server one after another, over and over, from this many connections, for some seconds.
pub(crate) fn load(
    base: &str,
    paths: &[String],
    clients: usize,
    seconds: u64,
    headers: &[&str],
) -> Result<Load, Failure> {
    let folder = tempfile::tempdir()?;
    let (script, list) = (folder.path().join("load.lua"), folder.path().join("paths"));
    std::fs::write(&script, SCRIPT)?;
    std::fs::write(&list, paths.join("\n"))?;
    let mut command = Command::new(process::find_tool(&["wrk"])?);
    command
        .arg("--threads=1")
        .arg(format!("--connections={clients}"))
        .arg(format!("--duration={seconds}s"))
        .arg("--timeout=60s")
        .arg("--script")
        .arg(&script);
    for header in headers {
        command.arg("--header").arg(header);
    }
    let output = command
        .arg(base)
        .env("BENCH_PATHS", &list)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("BENCH "));
    let line = line.ok_or_else(|| format!("wrk said nothing: {text}"))?;
    let load: Load = serde_json::from_str(line)?;
    if load.errors > 0 {
        return Err(format!("{} of {} requests to {base} failed", load.errors, load.requests).into());
    }
    Ok(load)
}

/// The largest answer of a path in bytes, asked once.
pub(crate) async fn content_length(base: &str, path: &str) -> Result<u64, Failure> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let answer = client
        .head(format!("{base}{path}"))
        .send()
        .await?
        .error_for_status()?;
    let length = answer.headers().get(reqwest::header::CONTENT_LENGTH);
    Ok(length.ok_or("no Content-Length")?.to_str()?.parse()?)
}

/// Where nginx keeps what it must.
pub(crate) fn nginx_configuration(folder: &Path, files: &Path, port: u16) -> String {
    let folder = folder.display();
    let files = files.display();
    format!(
        "worker_processes 2; daemon off; pid {folder}/pid; error_log {folder}/error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n\
           access_log off; sendfile off; types {{ }} default_type application/vnd.apache.parquet;\n\
           client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;\n\
           uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;\n\
           server {{ listen 127.0.0.1:{port}; root {files}; }}\n\
         }}\n"
    )
}
