//! Places where the crash tests end the process, as a power cut would: between the steps of publishing.

/// The environment variable that names the place at which a test's child process ends itself.
#[cfg(test)]
pub(crate) const VARIABLE: &str = "STORAGE_TEST_CRASH_AT";

/// Ends the process by SIGKILL if the test's child was told to end here. Nothing outside of tests.
#[cfg(test)]
pub(crate) fn point(name: &str) {
    if std::env::var(VARIABLE).is_ok_and(|at| at == name) {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
    }
}

/// Ends the process by SIGKILL if the test's child was told to end here. Nothing outside of tests.
#[cfg(not(test))]
#[inline(always)]
pub(crate) const fn point(_name: &str) {}
