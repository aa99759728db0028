//! The worker processes, seen from their parent.

use std::process::Stdio;

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Assignment, Log, Report};

/// Worker processes on one schema, each this program again. All are killed when it is dropped.
#[derive(Debug)]
pub struct Fleet {
    /// What the next worker is told.
    next: Assignment,
    argument: &'static str,
    members: Vec<Member>,
    listeners: JoinSet<()>,
    sender: mpsc::UnboundedSender<News>,
    inbox: mpsc::UnboundedReceiver<News>,
}

/// A worker process.
#[derive(Debug)]
struct Member {
    process: Child,
    /// Lets go of it to stop the worker.
    input: Option<ChildStdin>,
    state: State,
    /// Whether it has closed its standard output.
    is_silent: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Wanted,
    Dismissed,
    Killed,
}

/// Something that a worker said.
#[derive(Debug)]
pub struct News {
    /// The worker.
    pub worker: usize,
    /// What it said; `None` when it is gone.
    pub report: Option<Report>,
}

impl Fleet {
    /// Begins without workers. Each gets `argument` on its command line, and there nothing else: others can read that.
    #[must_use]
    pub fn new(argument: &'static str, url: &str, schema: &str, slots: usize) -> Self {
        let (sender, inbox) = mpsc::unbounded_channel();
        let next = Assignment { worker: 1, url: url.to_owned(), schema: schema.to_owned(), slots };
        Self { next, argument, members: Vec::new(), listeners: JoinSet::new(), sender, inbox }
    }

    /// Starts one more worker and returns its number and its process id.
    ///
    /// # Errors
    ///
    /// The process cannot be started.
    pub async fn start_worker(&mut self) -> anyhow::Result<(usize, u32)> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut process = Command::new(program)
            .arg(self.argument)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start a worker")?;
        let id = process.id().context("a worker has no process id")?;
        let mut input = process.stdin.take().context("a worker has no standard input")?;
        let output = process.stdout.take().context("a worker has no standard output")?;
        let mut assignment = serde_json::to_vec(&self.next)?;
        assignment.push(b'\n');
        input.write_all(&assignment).await.context("a worker does not listen")?;
        let worker = self.next.worker;
        self.next.worker += 1;
        let (input, state) = (Some(input), State::Wanted);
        self.members.push(Member { process, input, state, is_silent: false });
        self.listeners.spawn(listen(worker, BufReader::new(output).lines(), self.sender.clone()));
        Ok((worker, id))
    }

    /// Waits for what the workers say. Cancel safe.
    ///
    /// # Errors
    ///
    /// A worker has ended, and nobody told it to.
    pub async fn news(&mut self) -> anyhow::Result<News> {
        let news = self.inbox.recv().await.context("nobody can say anything any more")?;
        let member = self.member(news.worker)?;
        member.is_silent = news.report.is_none();
        if member.is_silent && member.state == State::Wanted {
            let status = member.process.wait().await.context("a worker is gone")?;
            bail!("worker {} ended by itself, with {status}", news.worker);
        }
        Ok(news)
    }

    /// Kills a worker, as the kernel does when memory runs out: it has no time for anything.
    ///
    /// # Errors
    ///
    /// There is no such worker, or it cannot be killed.
    pub async fn kill(&mut self, worker: usize) -> anyhow::Result<()> {
        let member = self.member(worker)?;
        member.state = State::Killed;
        // SIGKILL, and then waits until it is gone.
        member.process.kill().await.with_context(|| format!("cannot kill worker {worker}"))
    }

    /// Stops all workers in order, hears what they have to say at last, and waits for their ends.
    ///
    /// # Errors
    ///
    /// One that was not killed failed.
    pub async fn stop(mut self, log: &mut Log) -> anyhow::Result<()> {
        for member in &mut self.members {
            if member.state == State::Wanted {
                member.state = State::Dismissed;
            }
            // Its standard input ends.
            member.input = None;
        }
        while self.members.iter().any(|member| !member.is_silent) {
            log.hear(self.news().await?);
        }
        for (member, worker) in self.members.iter_mut().zip(1..) {
            let status = member.process.wait().await.context("waiting for a worker failed")?;
            let is_expected = status.success() || member.state == State::Killed;
            ensure!(is_expected, "worker {worker} ended with {status}");
        }
        Ok(())
    }

    fn member(&mut self, worker: usize) -> anyhow::Result<&mut Member> {
        let member = worker.checked_sub(1).and_then(|index| self.members.get_mut(index));
        member.with_context(|| format!("there is no worker {worker}"))
    }
}

/// Passes on what a worker says, until it is gone.
async fn listen(
    worker: usize,
    mut lines: Lines<BufReader<ChildStdout>>,
    sender: mpsc::UnboundedSender<News>,
) {
    // A line that is no report ends it too: then the worker counts as gone.
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(report) = serde_json::from_str(&line) else { break };
        if sender.send(News { worker, report: Some(report) }).is_err() {
            return;
        }
    }
    let _ = sender.send(News { worker, report: None });
}
