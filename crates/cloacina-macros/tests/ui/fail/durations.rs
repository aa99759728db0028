use cloacina_core::task;

#[task(timeout = "30")]
async fn without_unit() {}

#[task(timeout = "1 day")]
async fn of_an_unknown_unit() {}

#[task(timeout = "1s2m")]
async fn in_the_wrong_order() {}

#[task(timeout = "0s")]
async fn zero() {}

fn main() {}
