//! Worker and planner as programs of their own, and hostile ones beside them: what the tests of their parents start.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use nix::sys::resource::{Resource, setrlimit};
use sandbox_worker::{PLANNER, WORKER, frame, run_planner, run_worker};

/// `child MODE [PATH [ROLE]]`; the role is a worker's if it is not said.
fn main() -> std::io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mode = args.first().map(String::as_str).unwrap_or_default();
    let path = args.get(1).map(PathBuf::from).unwrap_or_default();
    let plans = args.get(2).is_some_and(|role| role == PLANNER);
    let (mut stdin, mut stdout) = (std::io::stdin(), std::io::stdout());
    let serve = || {
        if plans {
            run_planner(std::io::stdin(), std::io::stdout())
        } else {
            run_worker(std::io::stdin(), std::io::stdout(), &model::SystemClock)
        }
    };
    match mode {
        WORKER => run_worker(stdin, stdout, &model::SystemClock),
        PLANNER => run_planner(stdin, stdout),
        // Dies the first time, works the second.
        "crash-once" if !path.exists() => {
            std::fs::write(path, b"")?;
            std::process::exit(7)
        }
        "crash-once" => serve(),
        "crash" => {
            let mut count = std::fs::File::options().create(true).append(true).open(path)?;
            count.write_all(b".")?;
            std::process::exit(7)
        }
        "hang" => {
            // A child of the child must not survive either.
            let child = Command::new("/bin/sleep").arg("600").spawn()?;
            std::fs::write(path, format!("{} {}", std::process::id(), child.id()))?;
            std::thread::sleep(Duration::from_secs(600));
            Ok(())
        }
        // Says that it is there before it is asked.
        "register" => {
            let mut ids = std::fs::File::options().create(true).append(true).open(path)?;
            ids.write_all(format!("{} ", std::process::id()).as_bytes())?;
            drop(ids);
            serve()
        }
        // Stops the first time, works the second.
        "stop-once" if !path.exists() => {
            std::fs::write(path, b"")?;
            nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP)?;
            Ok(())
        }
        "stop-once" => serve(),
        // Answers, but takes as many milliseconds as the path says.
        "slow" => {
            let millis = args.get(1).and_then(|millis| millis.parse().ok()).unwrap_or(0);
            std::thread::sleep(Duration::from_millis(millis));
            serve()
        }
        // Uses up what it is limited to.
        "spin" => {
            setrlimit(Resource::RLIMIT_CPU, 1, 2)?;
            spin()
        }
        "eat" => {
            setrlimit(Resource::RLIMIT_AS, 256 << 20, 256 << 20)?;
            eat()
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
            serve()
        }
        // After an honest answer the walls still stand.
        "escape-network" => {
            serve()?;
            std::net::UdpSocket::bind("127.0.0.1:0").map(drop)
        }
        "escape-program" => {
            serve()?;
            let ran = Command::new("/bin/true")
                .status()
                .is_ok_and(|status| status.success());
            std::process::exit(if ran { 3 } else { 4 })
        }
        "escape-files" => {
            serve()?;
            let opened = [
                "/etc/passwd",
                "/usr/share/zoneinfo/UTC",
                "/dev/null",
                "/proc/self/maps",
            ];
            // Workers may read the rules of time zones.
            let mut opened = opened.iter().filter(|file| plans || !file.contains("zoneinfo"));
            let opened = opened.any(|file| std::fs::File::open(file).is_ok());
            std::process::exit(if opened { 3 } else { 4 })
        }
        "escape-write" => {
            serve()?;
            // Beyond the file size limit of zero the kernel sends SIGXFSZ; Rust's runtime leaves that signal deadly.
            std::fs::write(path, b"rows")
        }
        "escape-time" => {
            serve()?;
            spin()
        }
        "escape-memory" => {
            serve()?;
            eat()
        }
        _ => Err(std::io::Error::other("which child?")),
    }
}

fn spin() -> ! {
    let mut turns = 0u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1));
    }
}

fn eat() -> ! {
    let mut eaten = Vec::new();
    loop {
        eaten.push(vec![1u8; 1 << 20]);
        std::hint::black_box(&eaten);
    }
}
