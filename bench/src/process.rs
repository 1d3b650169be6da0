//! Programs that are measured: whole runs, and servers that are started and stopped.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use wait4::Wait4;

use crate::Failure;

/// How long a server may take to come up or go down.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a whole run took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    /// Wall-clock seconds.
    pub(crate) seconds: f64,
    /// Largest resident set, in megabytes (10⁶ bytes).
    pub(crate) peak_mb: f64,
}

/// Runs a program to its end; its standard output is dropped, what it says of errors is shown.
pub(crate) fn run(command: &mut Command) -> Result<Run, Failure> {
    let started = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let ended = child.wait4()?;
    if !ended.status.success() {
        return Err(format!("{command:?} ended with {}", ended.status).into());
    }
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let peak_mb = ended.rusage.maxrss as f64 / 1e6;
    Ok(Run {
        seconds: started.elapsed().as_secs_f64(),
        peak_mb,
    })
}

/// Watches the largest resident set that any child with a certain argument has, until it is asked for.
#[derive(Debug)]
pub(crate) struct ChildMemory {
    done: Arc<AtomicBool>,
    watcher: JoinHandle<f64>,
}

impl ChildMemory {
    /// How often it looks. The kernel keeps the largest value, so that only the last moments of a child can be missed.
    const PAUSE: Duration = Duration::from_millis(10);

    /// Watches children that were started with this argument. Between fork and exec a child has the arguments of this process,
    /// and its memory, which is nothing of the child's.
    pub(crate) fn watch(argument: &'static str) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&done);
        let watcher = std::thread::spawn(move || {
            let mut most = 0.0;
            while !ended.load(Ordering::Relaxed) {
                let meant = children().filter(|child| has_argument(*child, argument));
                let now = meant.filter_map(|child| memory_mb(child, "VmHWM:"));
                most = now.fold(most, f64::max);
                std::thread::sleep(Self::PAUSE);
            }
            most
        });
        Self { done, watcher }
    }

    /// The largest so far, in megabytes (10⁶ bytes); the watch ends.
    pub(crate) fn peak_mb(self) -> Result<f64, Failure> {
        self.done.store(true, Ordering::Relaxed);
        let peak = self.watcher.join().map_err(|_| "the watch over memory ended")?;
        if peak > 0.0 {
            Ok(peak)
        } else {
            Err("no child was seen".into())
        }
    }
}

/// The children of this process, whichever thread started them (proc(5), `children`).
fn children() -> impl Iterator<Item = u32> {
    let threads = std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    threads.flat_map(|thread| {
        let listed = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        let listed: Vec<u32> = listed
            .split_whitespace()
            .filter_map(|child| child.parse().ok())
            .collect();
        listed
    })
}

/// Whether a process was started with an argument.
fn has_argument(process: u32, argument: &str) -> bool {
    let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0)
        .any(|own| own == argument.as_bytes())
}

/// A figure of a process's status, in megabytes (10⁶ bytes); `None` if there is no such process any more.
fn memory_mb(process: u32, name: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let mut figures = status.lines().filter_map(|line| line.strip_prefix(name));
    let kilobytes: f64 = figures.next()?.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024.0 / 1e6)
}

/// The program `shapan` of the same build as this one.
pub(crate) fn shapan() -> Result<PathBuf, Failure> {
    let path = std::env::current_exe()?.with_file_name("shapan");
    if path.exists() {
        return Ok(path);
    }
    Err(format!(
        "there is no {}: build it with the same profile first (`make bench` does)",
        path.display()
    )
    .into())
}

/// A server; stopped when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Where it is, such as `http://127.0.0.1:18080`.
    pub(crate) base: String,
    /// From its start until it said that it is ready, in seconds.
    pub(crate) ready_after: f64,
}

impl Server {
    /// Starts a server and waits until `path` is answered with success.
    pub(crate) async fn start(command: &mut Command, port: u16, path: &str) -> Result<Self, Failure> {
        let base = format!("http://127.0.0.1:{port}");
        let started = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let mut server = Self {
            child,
            base,
            ready_after: 0.0,
        };
        let client = reqwest::Client::builder().no_proxy().build()?;
        let address = format!("{}{path}", server.base);
        loop {
            if let Ok(answer) = client.get(&address).send().await
                && answer.status().is_success()
            {
                break;
            }
            if let Some(status) = server.child.try_wait()? {
                return Err(format!("{command:?} ended with {status} before it was ready").into());
            }
            if started.elapsed() > PATIENCE {
                return Err(format!("{command:?} was not ready within {} s", PATIENCE.as_secs()).into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.ready_after = started.elapsed().as_secs_f64();
        Ok(server)
    }

    /// Its resident set now, in megabytes (10⁶ bytes).
    pub(crate) fn resident_mb(&self) -> Result<f64, Failure> {
        Ok(memory_mb(self.child.id(), "VmRSS:").ok_or("no VmRSS")?)
    }

    /// Processor seconds that it has used so far.
    pub(crate) fn processor_seconds(&self) -> Result<f64, Failure> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name in parentheses may hold blanks; utime and stime are the 12th and 13th fields after it (proc(5)).
        let (_, rest) = stat.rsplit_once(") ").ok_or("no stat")?;
        let ticks: f64 = rest
            .split(' ')
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<f64>().ok())
            .sum();
        let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)?.unwrap_or(100);
        #[expect(clippy::cast_precision_loss, reason = "a clock's ticks per second")]
        let per_second = per_second as f64;
        Ok(ticks / per_second)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let id = i32::try_from(self.child.id()).unwrap_or(0);
        if id > 0 {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGTERM);
        }
        let stopped = Instant::now();
        while stopped.elapsed() < Duration::from_secs(20) {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port on loopback that nobody listens on now.
pub(crate) fn free_port() -> Result<u16, Failure> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// `shapan serve` on a data folder.
pub(crate) async fn serve(data: &Path) -> Result<Server, Failure> {
    let port = free_port()?;
    let config = data.join("bench.toml");
    std::fs::write(
        &config,
        format!(
            "[server]\nlisten = \"127.0.0.1:{port}\"\nsecure_cookies = false\n[data]\ndir = {data:?}\n\
             [log]\nformat = \"text\"\nfilter = \"warn\"\n"
        ),
    )?;
    Server::start(
        Command::new(shapan()?).arg("serve").arg("--config").arg(&config),
        port,
        "/health/ready",
    )
    .await
}

/// A program of the system that is a peer, or a message that says how to get it.
pub(crate) fn find_tool(names: &[&str]) -> Result<PathBuf, Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    for folder in std::env::split_paths(&path).chain(system) {
        for name in names {
            let file = folder.join(name);
            if file.is_file() {
                return Ok(file);
            }
        }
    }
    Err(format!("{} is missing: `make bench` installs it", names.join(" or ")).into())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_memory_of_children_is_that_of_those_that_are_meant() {
        let watch = ChildMemory::watch("0.321");
        let none = ChildMemory::watch("0.322");
        let mut child = Command::new("sleep").arg("0.321").spawn().unwrap();
        child.wait().unwrap();
        let peak = watch.peak_mb().unwrap();
        assert!((0.1..100.0).contains(&peak), "{peak} MB");
        assert!(none.peak_mb().is_err());
    }
}
