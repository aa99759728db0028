//! A `Result` is one under any name, and what is no `Result` is none, whatever it is called.

mod names {
    pub type AppResult<T> = Result<T, String>;
    pub type Outcome<E> = Result<u8, E>;
    pub type Done = Result<(), std::io::Error>;

    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct SearchResult(pub u32);
}

use cloacina_core::{Output, TaskDefinition, task, workflow};
use names::{AppResult, SearchResult};

#[task]
async fn aliased() -> AppResult<u32> {
    Ok(7)
}

#[task]
async fn swapped() -> names::Outcome<std::num::ParseIntError> {
    "8".parse()
}

#[task(blocking)]
fn done() -> names::Done {
    Ok(())
}

#[task]
async fn formatted() -> std::fmt::Result {
    Ok(())
}

#[task]
async fn value(
    seven: Output<aliased>,
    eight: Output<swapped>,
    _done: Output<done>,
    _formatted: Output<formatted>,
) -> SearchResult {
    SearchResult(*seven + u32::from(*eight))
}

#[task]
async fn nested(value: Output<value>) -> Option<Result<u32, ()>> {
    Some(Ok(value.0.0))
}

workflow! { name: "w", tasks: [aliased, swapped, done, formatted, value, nested] }

fn same<T>(_: T, _: T) {}

fn main() {
    same::<<aliased as TaskDefinition>::Output>(1_u32, 2_u32);
    same::<<done as TaskDefinition>::Output>((), ());
    let _: <nested as TaskDefinition>::Output = None::<Result<u32, ()>>;
    assert_eq!(cloacina_core::registered_workflows().unwrap()[0].tasks().len(), 6);
}
