//! Shows a fleet at work, with a kill in the middle.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::future::Future;
use std::io::IsTerminal as _;
use std::pin::pin;
use std::time::Duration;

use super::{Fleet, Log};

/// Shows who runs what, kills a worker, and shows where its work goes.
#[derive(Debug)]
pub struct Show {
    random: fastrand::Rng,
    /// How many lines the last picture has, if nothing stands below it.
    lines: usize,
    replace: bool,
    /// How many tasks there are in all.
    tasks: usize,
}

impl Show {
    /// Prepares the show of a work of so many tasks. If asked to, it starts a new worker for the one that it kills.
    #[must_use]
    pub fn new(tasks: usize, replace: bool, random: fastrand::Rng) -> Self {
        Self { random, lines: 0, replace, tasks }
    }

    /// Watches the workers until the work is done, and kills one in the middle of it.
    ///
    /// # Errors
    ///
    /// The work failed, or a worker did.
    pub async fn run<T>(
        &mut self,
        fleet: &mut Fleet,
        log: &mut Log,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let mut work = pin!(work);
        let mut frame = tokio::time::interval(Duration::from_millis(500));
        // Somewhere between a quarter and a half of the tasks.
        let mut kill_at = Some(self.random.usize(self.tasks / 4..=self.tasks / 2));
        loop {
            tokio::select! {
                // In this order: what the workers said before the end is heard before it.
                biased;
                news = fleet.news() => log.hear(news?),
                _ = frame.tick() => self.draw(log),
                done = &mut work => {
                    self.draw(log);
                    return done;
                }
            }
            let busy = log.busy();
            if kill_at.is_some_and(|at| log.ended() >= at) && !busy.is_empty() {
                kill_at = None;
                let victim = busy[self.random.usize(..busy.len())];
                self.kill(victim, fleet, log).await?;
            }
        }
    }

    async fn kill(
        &mut self,
        worker: usize,
        fleet: &mut Fleet,
        log: &mut Log,
    ) -> anyhow::Result<()> {
        fleet.kill(worker).await?;
        let running = log.killed(worker);
        self.lines = 0;
        println!("worker {worker} was killed while it ran: {running}\n");
        if self.replace {
            let (worker, process) = fleet.start_worker().await?;
            log.started(process);
            println!("worker {worker} was started in its place\n");
        }
        Ok(())
    }

    /// Draws who runs what, on a terminal over the picture before.
    fn draw(&mut self, log: &Log) {
        let picture = log.picture(self.tasks);
        if self.lines > 0 && std::io::stdout().is_terminal() {
            // That many lines up, and clears what is below.
            print!("\x1b[{}F\x1b[J", self.lines);
        }
        println!("{picture}");
        self.lines = picture.lines().count() + 1;
    }
}
