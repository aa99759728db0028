//! A server with a synchronous standby, behind proxies that always lead to whichever is the primary.

use cloacina_testing::postgres::{Server, Stop};
use fastrand::Rng;

use crate::proxy::{Passage, Proxy};

/// The first proxies are the workers', the last one the client's.
const PROXIES: usize = 3;

/// The servers and the proxies.
#[derive(Debug)]
pub(super) struct Cluster {
    primary: Option<Server>,
    standby: Option<Server>,
    pub(super) proxies: Vec<Proxy>,
}

impl Cluster {
    pub(super) async fn start() -> Self {
        let (primary, standby) = blocking(|| {
            let primary = Server::start().unwrap();
            let standby = primary.standby().unwrap();
            (primary, standby)
        })
        .await;
        let mut proxies = Vec::new();
        for _ in 0..PROXIES {
            proxies.push(Proxy::start(parts(primary.url()).1).await.unwrap());
        }
        Self { primary: Some(primary), standby: Some(standby), proxies }
    }

    /// Returns the address of the primary.
    pub(super) fn url(&self) -> String {
        self.primary.as_ref().unwrap().url().to_owned()
    }

    /// Returns the address by way of a proxy.
    pub(super) fn url_by(&self, proxy: usize) -> String {
        let url = self.url();
        let (before, _, after) = parts(&url);
        format!("{before}{}{after}", self.proxies[proxy].address())
    }

    /// Chooses a proxy of workers.
    pub(super) fn for_worker(&self, random: &mut Rng) -> usize {
        random.usize(..self.for_client())
    }

    /// Returns the proxy of the client.
    pub(super) const fn for_client(&self) -> usize {
        self.proxies.len() - 1
    }

    /// Crashes the primary and starts it again.
    pub(super) async fn restart(&mut self) {
        let primary = self.primary.take().unwrap();
        let restart = move || {
            primary.restart(Stop::Immediate).unwrap();
            primary
        };
        self.primary = Some(blocking(restart).await);
    }

    /// Lets the standby take the place of the primary, which is gone for good, and gives it a standby of its own.
    pub(super) async fn promote(&mut self) {
        let (primary, standby) = (self.primary.take().unwrap(), self.standby.take().unwrap());
        let promote = move || {
            drop(primary);
            standby.promote().unwrap();
            standby
        };
        let primary = blocking(promote).await;
        for proxy in &self.proxies {
            proxy.lead_to(parts(primary.url()).1);
        }
        let (primary, standby) = blocking(move || {
            let standby = primary.standby().unwrap();
            (primary, standby)
        })
        .await;
        (self.primary, self.standby) = (Some(primary), Some(standby));
    }

    /// Lets everything pass.
    pub(super) fn open(&self) {
        for proxy in &self.proxies {
            proxy.let_pass(Passage::Open);
        }
    }
}

async fn blocking<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// Splits an address into what comes before host and port, these, and what comes after.
fn parts(url: &str) -> (&str, &str, &str) {
    let start = url.rfind('@').map_or(0, |at| at + 1);
    let length = url[start..].find('/').unwrap_or(url.len() - start);
    (&url[..start], &url[start..start + length], &url[start + length..])
}
