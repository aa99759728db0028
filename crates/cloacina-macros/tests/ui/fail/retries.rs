use cloacina_core::task;

#[task(retry_attempts = 0)]
async fn never() {}

#[task(retry_delay_ms = 5, retry_jitter = "full")]
async fn alone() {}

#[task(retry_attempts = 3, retry_backoff = "exponental", retry_jitter = "some")]
async fn unknown_names() {}

#[task(retry_attempts = 3, retry_delay_ms = 500, retry_max_delay_ms = 100)]
async fn more_than_the_most() {}

#[task(retry_attempts = 3, retry_backoff = "fixed", retry_factor = 2.0)]
async fn fixed_and_growing() {}

#[task(retry_attempts = 3, retry_factor = 0.5)]
async fn shrinking() {}

fn main() {}
