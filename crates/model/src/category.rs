//! The category of a failure. Every crate's error names one; the web edge alone turns it into an HTTP status.

/// What kind of failure an error is, from the caller's point of view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Category {
    /// The input breaks a rule; the caller can mend it.
    Invalid,
    /// The input is well-formed but a rule of the sandbox or of publishing refuses it.
    Refused,
    /// Nobody is signed in, or the credentials are wrong.
    Unauthenticated,
    /// The actor may not do this.
    Forbidden,
    /// There is no such thing, or the actor may not know of it.
    NotFound,
    /// The thing changed meanwhile, exists already, or its state does not allow the act.
    Conflict,
    /// The caller's `If-Match` does not name the current revision.
    PreconditionFailed,
    /// The input is larger than a configured limit.
    TooLarge,
    /// The caller asks too often, or a query took more than its share.
    TooMany,
    /// The format of the body is not one that is understood.
    UnsupportedFormat,
    /// A resource (disk, database, worker) is not to be had now; trying again later can help.
    Unavailable,
    /// Our fault. Details are logged, never shown.
    Internal,
}
