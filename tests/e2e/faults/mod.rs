//! The process is killed at any moment; what is left is old or new, never a mixture.

mod damage;
mod invariant;
mod kill;
mod restart;
