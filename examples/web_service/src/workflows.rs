//! The workflows that this service runs: one that works on a text, and one that takes its time.

use std::time::Duration;

use cloacina_core::{Context, Input, Output, TaskContext, TaskError, task, workflow};
use serde::Deserialize;
use serde_json::json;

/// The input of `word_count`.
#[derive(Debug, Deserialize)]
struct Document {
    text: String,
}

#[task]
async fn words(document: Input<Document>) -> Result<Vec<String>, TaskError> {
    let words: Vec<_> = document.text.split_whitespace().map(str::to_lowercase).collect();
    if words.is_empty() { Err(TaskError::permanent("the text has no words")) } else { Ok(words) }
}

#[task]
async fn count(words: Output<words>) -> usize {
    words.len()
}

#[task]
async fn longest(words: Output<words>) -> String {
    words.iter().max_by_key(|word| word.chars().count()).cloned().unwrap_or_default()
}

#[task]
async fn report(
    count: Output<count>,
    longest: Output<longest>,
    context: &mut Context,
) -> Result<(), TaskError> {
    context.set("count", json!(*count));
    context.set("longest", json!(*longest));
    Ok(())
}

workflow! {
    name: "word_count",
    description: "Counts the words of a text, and finds the longest",
    tasks: [words, count, longest, report],
}

/// The input of `countdown`.
#[derive(Debug, Deserialize)]
struct Countdown {
    seconds: u32,
}

#[task]
async fn fuel(countdown: Input<Countdown>) -> u64 {
    u64::from(countdown.seconds) * 10
}

#[task]
async fn tick(ticks: Output<fuel>, run: TaskContext) -> Result<(), TaskError> {
    tracing::info!(ticks = *ticks, "counting down");
    for left in (1..=*ticks).rev() {
        run.report_progress(format!("{left} left"));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

#[task(dependencies = [tick])]
async fn lift_off(context: &mut Context) {
    context.set("lifted_off", json!(true));
}

workflow! {
    name: "countdown",
    description: "Counts down the seconds, in tenths",
    tasks: [fuel, tick, lift_off],
}
