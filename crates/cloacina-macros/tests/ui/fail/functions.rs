use cloacina_core::{Context, Input, State, task};

#[task]
fn plain(_context: &mut Context) {}

#[task(blocking)]
async fn both(_context: &mut Context) {}

#[task]
async fn generic<T>(_context: &mut Context) {}

#[task]
async fn any(_value: impl Sized) {}

#[task]
async fn lent<'a>(_value: State<&'a u8>) -> &'a u8 {
    &0
}

#[task]
async fn typed<T: Send>(value: Input<T>) -> T {
    value.0
}

#[task]
async fn some(_value: State<impl Send>) {}

#[task]
async fn sometimes(#[cfg(unix)] _context: &mut Context) {}

#[task]
async unsafe fn careless() {}

#[task]
async fn two(_read: &Context, _write: &mut Context) {}

fn main() {}
