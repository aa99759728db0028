use cloacina_core::task;

#[task(id = 5, dependencies = extract, retry_attempts = "3", timeout = 30, retry_on = 7)]
async fn wrong() {}

#[task(id = "", dependencies = [5, ""], blocking = true)]
async fn empty() {}

#[task(timeout, trigger_rules)]
async fn missing() {}

#[task(trigger_rules = "all_done", retry_attempts = 3, retry_backoff = linear)]
async fn quoted() {}

#[task(timeout: "1s")]
async fn separated() {}

fn main() {}
