//! Why there is no answer.

use model::Category;
use sandbox_plan::execute::Incident;

/// The class of an error, as one byte on the pipe. None tells anything of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The request cannot be read, or its plan or grant do not hold together.
    Request,
    /// The grant has expired.
    Expired,
    /// A part cannot be opened or read now.
    Io,
    /// A bug of ours.
    Internal,
    /// The process could not be shut in.
    Isolation,
    /// The data breaks its promise.
    Incident(Incident),
}

impl Fault {
    const ALL: [Self; 11] = [
        Self::Request,
        Self::Expired,
        Self::Io,
        Self::Internal,
        Self::Isolation,
        Self::Incident(Incident::OutOfOrder),
        Self::Incident(Incident::UnitOutsideRange),
        Self::Incident(Incident::RangesOverlap),
        Self::Incident(Incident::PartChanged),
        Self::Incident(Incident::Schema),
        Self::Incident(Incident::Unreadable),
    ];

    /// Its byte.
    pub fn code(self) -> u8 {
        let at = Self::ALL.iter().position(|fault| *fault == self);
        at.and_then(|at| u8::try_from(at).ok()).unwrap_or(3)
    }

    /// The fault of a byte.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// Whether another try can end otherwise.
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Io | Self::Internal | Self::Isolation)
    }
}

/// Why the supervisor has no totals. After the charge none of these is shown to anyone but operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WorkerError {
    /// The deadline passed; the job shows `delayed` and is run again.
    #[error("the worker did not answer within the deadline")]
    Deadline,
    /// No slot became free within the deadline.
    #[error("no worker slot became free within the deadline")]
    NoSlot,
    /// The worker could not be started.
    #[error("the worker could not be started")]
    Spawn,
    /// The worker died or sent something that is no answer.
    #[error("the worker broke off or sent a malformed answer")]
    Broken,
    /// The worker named a fault.
    #[error("the worker failed: {0:?}")]
    Fault(Fault),
    /// The request is too large or the plan does not hold together.
    #[error("the request cannot be sent")]
    Request,
}

impl WorkerError {
    /// The category for the edge.
    pub const fn category(self) -> Category {
        match self {
            Self::Deadline | Self::NoSlot | Self::Spawn | Self::Broken => Category::Unavailable,
            Self::Fault(_) | Self::Request => Category::Internal,
        }
    }

    /// Whether another try can end otherwise.
    pub const fn is_transient(self) -> bool {
        match self {
            Self::Spawn | Self::Broken => true,
            Self::Fault(fault) => fault.is_transient(),
            Self::Deadline | Self::NoSlot | Self::Request => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_trip() {
        for fault in Fault::ALL {
            assert_eq!(Fault::from_code(fault.code()), Some(fault));
        }
        assert_eq!(Fault::from_code(200), None);
    }
}
