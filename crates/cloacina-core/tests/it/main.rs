//! The engine over the reference back end, through the public interface.

mod macros;
mod smoke;
