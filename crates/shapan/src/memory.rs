//! Memory of the process.

/// Gives free memory back to the system: a portal that has read a large file must not stay as large as that was.
///
/// The C library keeps what a thread frees in that thread's arena: after seeding a tenth of the demo, some 90 MB.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "the C library has no safe door to this")]
pub(crate) fn give_back() {
    // SAFETY: it takes no pointer, touches free memory only, and may be called from any thread (glibc manual, MT-Safe).
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Other C libraries give memory back by themselves.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn give_back() {}
