//! The walls around a child: limits, no inherited files, files confined to what is granted, no network and no new programs.
//!
//! rlimits and the rest of [`enter`] must succeed. Landlock and seccomp depend on the kernel; the answer says whether
//! they hold, so that an operator sees it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus,
    path_beneath_rules,
};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

/// Open files of a child: a part per thread, and a few.
const MAX_FILES: u64 = 256;

/// What stands before the request is read: dies with its parent, dumps no core, inherits no files.
pub(crate) fn enter() -> nix::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    prctl::set_no_new_privs()?;
    prctl::set_dumpable(false)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    setrlimit(Resource::RLIMIT_NOFILE, MAX_FILES, MAX_FILES)?;
    setrlimit(Resource::RLIMIT_FSIZE, 0, 0)?;
    close_inherited();
    Ok(())
}

/// Closes every file but the three standard ones.
fn close_inherited() {
    let Ok(folder) = std::fs::read_dir("/proc/self/fd") else {
        return;
    };
    let open: Vec<i32> = folder
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2)
        .collect();
    for fd in open {
        // The listing's own file is among them and closed by now.
        let _ = nix::unistd::close(fd);
    }
}

/// Limits of the one request. Who uses up the processor time is told so by a signal, a second before it is killed.
pub(crate) fn limit(memory_bytes: u64, cpu_seconds: u64) -> nix::Result<()> {
    setrlimit(Resource::RLIMIT_AS, memory_bytes, memory_bytes)?;
    setrlimit(Resource::RLIMIT_CPU, cpu_seconds, cpu_seconds.saturating_add(1))
}

/// Allows reading the granted files and folders, and nothing else of the file system.
pub(crate) fn confine_files(granted: &[PathBuf]) -> bool {
    let read = AccessFs::from_read(ABI::V5);
    let confined = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI::V5))
        .and_then(Ruleset::create)
        .and_then(|rules| rules.add_rules(path_beneath_rules(granted, read)))
        .and_then(landlock::RulesetCreated::restrict_self);
    matches!(confined, Ok(status) if status.ruleset != RulesetStatus::NotEnforced)
}

/// Refuses whatever would open another file, on kernels without landlock, too.
pub(crate) fn open_no_files() -> nix::Result<()> {
    setrlimit(Resource::RLIMIT_NOFILE, 0, 0)
}

/// Kills the process at a system call for the network, for starting programs or processes, or for reaching into others.
pub(crate) fn filter_calls() -> bool {
    let filters = [no_new_clone(), forbidden()];
    filters
        .into_iter()
        .all(|filter| filter.is_some_and(|filter| seccompiler::apply_filter_all_threads(&filter).is_ok()))
}

/// The newer call for starting threads hides what it starts behind a pointer: it is said not to exist, and the C library takes the
/// older one.
fn no_new_clone() -> Option<BpfProgram> {
    let missing = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());
    compiled([(libc::SYS_clone3, vec![])].into(), missing)
}

fn forbidden() -> Option<BpfProgram> {
    let calls = [
        libc::SYS_socket,
        libc::SYS_socketpair,
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_listen,
        libc::SYS_accept,
        libc::SYS_accept4,
        libc::SYS_sendto,
        libc::SYS_sendmsg,
        libc::SYS_sendmmsg,
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_pidfd_getfd,
        libc::SYS_pidfd_send_signal,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_bpf,
        libc::SYS_keyctl,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_io_uring_setup,
        libc::SYS_open_by_handle_at,
        libc::SYS_kill,
        libc::SYS_tkill,
        libc::SYS_rt_sigqueueinfo,
        libc::SYS_rt_tgsigqueueinfo,
        libc::SYS_setsid,
        libc::SYS_setpgid,
    ];
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = calls.into_iter().map(|call| (call, vec![])).collect();
    #[cfg(target_arch = "x86_64")]
    rules.extend([libc::SYS_fork, libc::SYS_vfork].map(|call| (call, vec![])));
    let own = u64::from(std::process::id());
    let threads = u64::try_from(libc::CLONE_THREAD).ok()?;
    // What aborts sends itself a signal; limits are one's own by the number 0; a thread is not a process.
    let others = [
        (libc::SYS_tgkill, SeccompCmpOp::Ne, own),
        (libc::SYS_prlimit64, SeccompCmpOp::Ne, 0),
        (libc::SYS_clone, SeccompCmpOp::MaskedEq(threads), 0),
    ];
    for (call, op, value) in others {
        let condition = SeccompCondition::new(0, SeccompCmpArgLen::Qword, op, value).ok()?;
        rules.insert(call, vec![SeccompRule::new(vec![condition]).ok()?]);
    }
    compiled(rules, SeccompAction::KillProcess)
}

fn compiled(rules: BTreeMap<i64, Vec<SeccompRule>>, action: SeccompAction) -> Option<BpfProgram> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).ok()?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, arch).ok()?;
    filter.try_into().ok()
}
