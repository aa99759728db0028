use cloacina_core::{Context, task};

struct Job;

impl Job {
    #[task]
    async fn run(&self, _context: &mut Context) {}
}

fn main() {}
