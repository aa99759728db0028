use std::rc::Rc;

use cloacina_core::task;

#[task]
async fn count() {
    let calls = Rc::new(1);
    std::future::ready(()).await;
    drop(calls);
}

fn main() {}
