use cloacina_core::task;

#[task]
struct Job;

#[task]
const JOB: u8 = 5;

fn main() {
    let _ = (Job, JOB);
}
