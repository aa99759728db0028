use cloacina_core::{Context, TaskError, task};

#[task]
async fn endless() -> ! {
    loop {}
}

#[task]
async fn unnamed() -> impl serde::Serialize {
    5
}

#[task]
async fn borrowed(context: &mut Context) -> Result<&str, TaskError> {
    Ok(context.get("name").and_then(|name| name.as_str()).unwrap_or_default())
}

#[task]
async fn constant() -> &'static str {
    "x"
}

#[task]
async fn constants() -> Result<Vec<&'static str>, &'static str> {
    Err("x")
}

fn main() {}
