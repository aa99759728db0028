//! The engine over the reference back end, through the public interface.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod intercept;
mod macros;
mod metrics;
mod smoke;
