//! What is in scope where a task is written does not matter.

#![no_implicit_prelude]
#![allow(non_camel_case_types, dead_code)]

use ::cloacina_core::{Context, Input, Output, State, TaskContext, task, workflow};

struct str;
struct u32;
struct usize;
struct bool;
struct Debug;
struct Option;
struct Some;
struct Result;
struct Vec;
struct Box;
mod core {}
mod std {}

#[task(timeout = "1s", retry_attempts = 2, retry_factor = 2.0, retry_jitter = "full")]
async fn extract(context: &mut Context, _input: Input<()>) -> ::std::string::String {
    let _ = context;
    ::std::string::String::new()
}

#[task(blocking)]
fn load(_rows: Output<extract>, _state: State<::core::primitive::u8>, _run: TaskContext) {}

#[task(dependencies = [load], trigger_rules = all(task_success(load), context_value("k", equals, 1)))]
async fn report() -> ::core::result::Result<(), ::std::string::String> {
    ::core::result::Result::Ok(())
}

workflow! { name: "w", description: "d", tasks: [extract, load, report] }

fn main() {}
