//! What goes wrong, and how often.

use fastrand::Rng;

/// The store under torture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// One file.
    Sqlite,
    /// A server with a synchronous standby, behind proxies.
    Postgres,
}

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// `kill -9` of a worker, and another process in its place.
    Kill,
    /// The same of several at once.
    KillSeveral,
    /// `SIGSTOP` of a worker until others have declared it dead, then `SIGCONT`.
    Stop,
    /// `SIGTERM`: a clean shutdown, and another process in its place.
    Leave,
    /// `kill -9` of the process that submits.
    KillClient,
    /// A few sessions of the workers are terminated by the server.
    Terminate,
    /// The server stops as by a crash, and starts again.
    Restart,
    /// The server is gone for good, and its standby takes its place.
    Promote,
    /// Connections are cut.
    Cut,
    /// Answers are withheld, and then the connections are cut: perhaps a commit that nobody hears of.
    Withhold,
    /// Everything takes longer for a while.
    Delay,
    /// One direction of the connections is closed.
    HalfClose,
    /// Connections fall silent for good.
    Silence,
    /// Nothing passes for a while, on old connections and new ones.
    Blackout,
    /// Another process is in the middle of a write for a while, and perhaps dies of it.
    HoldLock,
    /// The disk is full for a while.
    FullDisk,
    /// The power fails: all processes are gone, and so is what was not synced.
    PowerLoss,
}

impl Fault {
    /// Every fault with how often it comes, of each store.
    const SHARED: [(Self, usize); 5] = [
        (Self::Kill, 12),
        (Self::KillSeveral, 5),
        (Self::Stop, 8),
        (Self::Leave, 8),
        (Self::KillClient, 8),
    ];
    const SQLITE: [(Self, usize); 3] =
        [(Self::HoldLock, 5), (Self::FullDisk, 5), (Self::PowerLoss, 5)];
    const POSTGRES: [(Self, usize); 9] = [
        (Self::Terminate, 8),
        (Self::Restart, 5),
        (Self::Promote, 2),
        (Self::Cut, 6),
        (Self::Withhold, 6),
        (Self::Delay, 4),
        (Self::HalfClose, 6),
        (Self::Silence, 3),
        (Self::Blackout, 4),
    ];

    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::KillSeveral => "kill_several",
            Self::Stop => "stop",
            Self::Leave => "leave",
            Self::KillClient => "kill_client",
            Self::Terminate => "terminate",
            Self::Restart => "restart",
            Self::Promote => "promote",
            Self::Cut => "cut",
            Self::Withhold => "withhold",
            Self::Delay => "delay",
            Self::HalfClose => "half_close",
            Self::Silence => "silence",
            Self::Blackout => "blackout",
            Self::HoldLock => "hold_lock",
            Self::FullDisk => "full_disk",
            Self::PowerLoss => "power_loss",
        }
    }
}

/// Makes a schedule of so many faults: each that is possible as often as its weight wants it, in an order of the seed's choosing.
#[must_use]
pub fn schedule(
    kind: Kind,
    faults: usize,
    is_possible: impl Fn(Fault) -> bool,
    random: &mut Rng,
) -> Vec<Fault> {
    let mut weights = Fault::SHARED.to_vec();
    match kind {
        Kind::Sqlite => weights.extend(Fault::SQLITE),
        Kind::Postgres => weights.extend(Fault::POSTGRES),
    }
    weights.retain(|(fault, _)| is_possible(*fault));
    let all: usize = weights.iter().map(|(_, weight)| weight).sum();
    let mut drawn: Vec<Fault> = Vec::new();
    for (fault, weight) in &weights {
        drawn.extend(std::iter::repeat_n(*fault, faults * weight / all));
    }
    // What is left goes to kinds that have none yet, and then to any.
    let mut rest: Vec<Fault> = weights.iter().map(|(fault, _)| *fault).collect();
    random.shuffle(&mut rest);
    rest.sort_by_key(|fault| drawn.contains(fault));
    drawn.extend(rest.into_iter().cycle().take(faults - drawn.len()));
    random.shuffle(&mut drawn);
    drawn
}
