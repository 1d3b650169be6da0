//! The worker as a program of its own, and hostile ones beside it: what the tests of the supervisor start.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use sandbox_worker::{frame, run_worker};

fn main() -> std::io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mode = args.first().map(String::as_str).unwrap_or_default();
    let path = args.get(1).map(PathBuf::from).unwrap_or_default();
    let (mut stdin, mut stdout) = (std::io::stdin(), std::io::stdout());
    match mode {
        "sandbox-worker" => run_worker(stdin, stdout, &model::SystemClock),
        // Dies the first time, works the second.
        "crash-once" if !path.exists() => {
            std::fs::write(path, b"")?;
            std::process::abort()
        }
        "crash-once" => run_worker(stdin, stdout, &model::SystemClock),
        "crash" => {
            let mut count = std::fs::File::options().create(true).append(true).open(path)?;
            count.write_all(b".")?;
            std::process::abort()
        }
        "hang" => {
            // A child of the child must not survive either.
            let child = Command::new("/bin/sleep").arg("600").spawn()?;
            std::fs::write(path, format!("{} {}", std::process::id(), child.id()))?;
            std::thread::sleep(Duration::from_secs(600));
            Ok(())
        }
        "answer" => {
            // Answers with the bytes of a file, whatever they are.
            let mut request = vec![];
            stdin.read_to_end(&mut request)?;
            stdout.write_all(&std::fs::read(path)?)?;
            stdout.flush()
        }
        "flood" => loop {
            let _ = frame::write(&mut stdout, &[0u8; 4_096], 4_096);
        },
        "environment" => {
            let names: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
            std::fs::write(path, names.join("\n"))?;
            run_worker(stdin, stdout, &model::SystemClock)
        }
        // After an honest answer the walls still stand.
        "escape-network" => {
            run_worker(stdin, stdout, &model::SystemClock)?;
            std::net::UdpSocket::bind("127.0.0.1:0").map(drop)
        }
        "escape-program" => {
            run_worker(stdin, stdout, &model::SystemClock)?;
            let ran = Command::new("/bin/true")
                .status()
                .is_ok_and(|status| status.success());
            std::process::exit(if ran { 3 } else { 4 })
        }
        "escape-files" => {
            run_worker(stdin, stdout, &model::SystemClock)?;
            std::process::exit(if std::fs::read("/etc/passwd").is_ok() {
                3
            } else {
                4
            })
        }
        "escape-write" => {
            run_worker(stdin, stdout, &model::SystemClock)?;
            // Beyond the file size limit of zero the kernel sends SIGXFSZ; Rust's runtime leaves that signal deadly.
            std::fs::write(path, b"rows")
        }
        _ => Err(std::io::Error::other("which worker?")),
    }
}
