use cloacina_core::task;

#[task(retires = 3)]
async fn misspelt() {}

#[task(depends_on = [misspelt], colour = "red", retry_delay = 5)]
async fn of_other_engines() {}

#[task(timeout = "1s", timeout = "2s")]
async fn twice() {}

fn main() {}
