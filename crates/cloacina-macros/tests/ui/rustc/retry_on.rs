use cloacina_core::task;

fn is_away(error: &str) -> bool {
    error == "away"
}

#[task(retry_attempts = 3, retry_on = is_away)]
async fn extract() {}

fn main() {}
