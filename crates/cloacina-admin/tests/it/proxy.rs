//! A connection that breaks at a chosen moment.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Passes on what client and server say, until it swallows an answer and hangs up.
pub(crate) struct Proxy {
    port: u16,
    /// What the client says before that answer.
    wanted: Arc<Mutex<Option<Vec<u8>>>>,
    swallowed: mpsc::UnboundedReceiver<()>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    /// Listens on a port of its own for the server of that address.
    pub(crate) async fn start(url: &str) -> Self {
        let place = url.rsplit('@').next().unwrap();
        let server = place.split('/').next().unwrap().to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let wanted = Arc::new(Mutex::new(None));
        let (swallow, swallowed) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&wanted);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                connections.spawn(pass_on(client, server, Arc::clone(&shared), swallow.clone()));
            }
        });
        Self { port, wanted, swallowed, _tasks: tasks }
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn swallow_the_next_answer_to(&self, said: &[u8]) {
        *self.wanted.lock().unwrap() = Some(said.to_vec());
    }

    pub(crate) async fn has_swallowed(&mut self) {
        self.swallowed.recv().await.unwrap();
    }
}

async fn pass_on(
    mut client: TcpStream,
    mut server: TcpStream,
    wanted: Arc<Mutex<Option<Vec<u8>>>>,
    swallow: mpsc::UnboundedSender<()>,
) {
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            length = client.read(&mut asked) => {
                let Ok(length @ 1..) = length else { return };
                let said = &asked[..length];
                let is_wanted = {
                    let mut wanted = wanted.lock().unwrap();
                    let found = wanted.as_ref().is_some_and(|wanted| {
                        said.windows(wanted.len()).any(|part| part == wanted)
                    });
                    if found {
                        *wanted = None;
                    }
                    found
                };
                if server.write_all(said).await.is_err() {
                    return;
                }
                if is_wanted {
                    // The server has done it once it answers.
                    let _ = server.read(&mut answered).await;
                    let _ = swallow.send(());
                    return;
                }
            }
            length = server.read(&mut answered) => {
                let Ok(length @ 1..) = length else { return };
                if client.write_all(&answered[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}
