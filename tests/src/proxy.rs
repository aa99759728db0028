//! A connection that goes wrong at a test's command: a TCP proxy that cuts what passes through it, slows it down, closes one direction, lets it fall
//! silent, or leads elsewhere.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// Everything.
    Open,
    /// Questions pass, answers wait.
    Questions,
    /// Nothing passes; it waits.
    Nothing,
    /// Everything, each piece after a while.
    Slowly(Duration),
    /// The server is told that nothing more will be asked; its answers pass.
    NoMoreQuestions,
    /// The client is told that no more answers will come; its questions pass.
    NoMoreAnswers,
}

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToServer,
    ToClient,
}

impl Passage {
    /// Tells whether anything goes that way now.
    const fn lets_pass(self, way: Way) -> bool {
        match self {
            Self::Open | Self::Slowly(_) => true,
            Self::Questions => matches!(way, Way::ToServer),
            Self::Nothing => false,
            Self::NoMoreQuestions => matches!(way, Way::ToClient),
            Self::NoMoreAnswers => matches!(way, Way::ToServer),
        }
    }

    /// Tells whether that way is closed for good.
    const fn closes(self, way: Way) -> bool {
        match way {
            Way::ToServer => matches!(self, Self::NoMoreQuestions),
            Way::ToClient => matches!(self, Self::NoMoreAnswers),
        }
    }
}

/// A proxy in front of a server. Gone, with its connections, when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    target: Mutex<String>,
    /// What new connections belong to.
    current: Mutex<Arc<Lines>>,
    /// Answers that had to wait.
    withheld: AtomicU64,
    stop: CancellationToken,
    tracker: TaskTracker,
}

/// Connections that share their fate.
#[derive(Debug)]
struct Lines {
    passage: watch::Sender<Passage>,
    cut: CancellationToken,
}

impl Shared {
    fn new_lines(stop: &CancellationToken) -> Arc<Lines> {
        Arc::new(Lines { passage: watch::Sender::new(Passage::Open), cut: stop.child_token() })
    }

    fn lines(&self) -> Arc<Lines> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets later connections be others than those that there are.
    fn renew(&self) -> Arc<Lines> {
        let new = Self::new_lines(&self.stop);
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *current, new)
    }
}

impl Proxy {
    /// Starts a proxy before the server at `target`, a host and a port.
    ///
    /// # Errors
    ///
    /// What the network says.
    pub async fn start(target: &str) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            target: Mutex::new(target.to_owned()),
            current: Mutex::new(Shared::new_lines(&stop)),
            withheld: AtomicU64::new(0),
            stop,
            tracker: TaskTracker::new(),
        });
        let accepting = Arc::clone(&shared);
        shared.tracker.spawn(async move {
            let stop = accepting.stop.clone();
            stop.run_until_cancelled(accept(listener, accepting)).await;
        });
        Ok(Self { address, shared })
    }

    /// Returns where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends every connection. New ones may be made at once, and everything passes.
    pub fn cut(&self) {
        self.shared.renew().cut.cancel();
    }

    /// Lets every connection fall silent for good without ending it. New ones may be made at once, and everything passes.
    pub fn silence(&self) {
        self.shared.renew().passage.send_replace(Passage::Nothing);
    }

    /// Leads to another server from now on. Connections to the old one end.
    pub fn lead_to(&self, target: &str) {
        let mut place = self.shared.target.lock().unwrap_or_else(PoisonError::into_inner);
        target.clone_into(&mut place);
        drop(place);
        self.cut();
    }

    /// Closes one direction of every connection for good. New ones may be made at once, and everything passes.
    pub fn half_close(&self, passage: Passage) {
        self.shared.renew().passage.send_replace(passage);
    }

    /// Sets what passes, on every connection that was not silenced, and on new ones.
    pub fn let_pass(&self, passage: Passage) {
        self.shared.lines().passage.send_replace(passage);
    }

    /// Counts the answers that had to wait so far.
    #[must_use]
    pub fn withheld(&self) -> u64 {
        self.shared.withheld.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        // A connection that failed before it was accepted is its client's trouble.
        let Ok((client, _)) = listener.accept().await else { continue };
        let (connection, lines) = (Arc::clone(&shared), shared.lines());
        shared.tracker.spawn(async move {
            // Both sockets close, whichever side ended first and however.
            let connected = connect(client, &connection, &lines);
            let _ = lines.cut.run_until_cancelled(connected).await;
        });
    }
}

async fn connect(client: TcpStream, shared: &Shared, lines: &Lines) -> io::Result<()> {
    let target = shared.target.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let server = TcpStream::connect(&target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (questions, to_client) = client.into_split();
    let (answers, to_server) = server.into_split();
    tokio::select! {
        ended = copy(questions, to_server, lines, Way::ToServer, None) => ended,
        ended = copy(answers, to_client, lines, Way::ToClient, Some(&shared.withheld)) => ended,
    }
}

/// Hands on what comes, when it may pass.
async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    lines: &Lines,
    way: Way,
    withheld: Option<&AtomicU64>,
) -> io::Result<()> {
    let mut passage = lines.passage.subscribe();
    let mut closing = lines.passage.subscribe();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = tokio::select! {
            count = from.read(&mut buffer) => count?,
            () = closed(&mut closing, way) => {
                to.shutdown().await?;
                // The other direction says when the connection ends.
                return std::future::pending().await;
            }
        };
        if count > 0
            && let Some(withheld) = withheld
            && !passage.borrow().lets_pass(way)
        {
            withheld.fetch_add(1, Ordering::Relaxed);
        }
        let passes = |passage: &Passage| passage.lets_pass(way);
        let now = *passage.wait_for(passes).await.map_err(io::Error::other)?;
        if count == 0 {
            // A side that falls silent does not tell that it has ended either.
            return Ok(());
        }
        if let Passage::Slowly(delay) = now {
            tokio::time::sleep(delay).await;
        }
        to.write_all(&buffer[..count]).await?;
    }
}

/// Comes when that way is closed for good.
async fn closed(passage: &mut watch::Receiver<Passage>, way: Way) {
    if passage.wait_for(|passage| passage.closes(way)).await.is_err() {
        std::future::pending().await
    }
}
