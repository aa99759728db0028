use cloacina_core::task;

type Fallible = Result<u32, String>;

#[task]
async fn extract() -> Fallible {
    Err("no route".to_owned())
}

fn main() {}
