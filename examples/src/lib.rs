//! What the examples share. Start with the examples themselves, in `examples/examples/`.

pub mod wf;
