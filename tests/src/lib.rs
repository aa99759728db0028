#![doc = include_str!("../../README.md")]
//!
//! What the tests share. The README above and the pages of the guide are compiled and run as doc tests.

pub mod effects;
#[cfg(unix)]
pub mod faults;
#[cfg(unix)]
pub mod fleet;
pub mod guide;
pub mod layered;
pub mod montage;
pub mod proxy;
pub mod settings;
pub mod shapes;
pub mod tenancy;
#[cfg(unix)]
pub mod torture;
pub mod upgrade;
pub mod weather;
