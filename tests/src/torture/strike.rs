//! How each fault is done.

use std::time::Duration;

use super::WORKERS;
use super::fault::Fault;
use super::storm::Storm;
use crate::fleet::until;
use crate::proxy::Passage;

/// What a piece of a slow connection takes.
const SLOW: Duration = Duration::from_millis(15);

/// For how many executions a disturbance lasts.
const LASTS: usize = 12;

impl Storm {
    /// Lets something go wrong.
    pub(super) async fn strike(&mut self, fault: Fault) {
        let mut done = fault;
        match fault {
            Fault::Kill => self.kill_one().await,
            Fault::KillSeveral => {
                // Perhaps all of them: then it is the next ones that take over.
                let most = self.workers.len();
                for _ in 0..self.random.usize(2.min(most)..=most) {
                    self.kill_one().await;
                }
            }
            Fault::Stop if self.workers.len() > 2 => self.stop_one(),
            Fault::Stop => {
                done = Fault::Kill;
                self.kill_one().await;
            }
            Fault::Leave => {
                let victim = self.random.usize(..self.workers.len());
                let member = self.workers.swap_remove(victim);
                member.worker.signal("-TERM");
                self.leaving.push(member);
            }
            Fault::KillClient => {
                let url = self.client_url();
                self.submitter.kill(&self.fleet, &url);
            }
            Fault::Terminate => self.terminate().await,
            Fault::Restart | Fault::Promote => self.crash_server(fault).await,
            Fault::HoldLock => self.hold_lock().await,
            Fault::FullDisk => self.fill_disk().await,
            Fault::PowerLoss => self.fail_power().await,
            Fault::Cut
            | Fault::Withhold
            | Fault::Delay
            | Fault::HalfClose
            | Fault::Silence
            | Fault::Blackout => self.disturb(fault).await,
        }
        self.count(done);
        while self.workers.len() + self.stopped.len() < WORKERS {
            self.recruit();
        }
    }

    fn stop_one(&mut self) {
        let victim = self.random.usize(..self.workers.len());
        let member = self.workers.swap_remove(victim);
        self.struck.insert(member.worker.pid());
        member.worker.stop();
        self.stopped.push(member);
    }

    async fn terminate(&mut self) {
        let mut sessions = self.fleet.database.sessions().await;
        self.random.shuffle(&mut sessions);
        for session in sessions.iter().take(self.random.usize(1..=6)) {
            self.struck.insert(session.pid);
            self.fleet.database.terminate(session).await;
        }
    }

    async fn crash_server(&mut self, fault: Fault) {
        self.strike_all();
        let database = &self.fleet.database;
        if fault == Fault::Promote {
            // Who takes the place of a server that is still being copied from has not got everything: nobody would do that.
            let standby = "pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'";
            until("the standby follows", async || database.count(standby).await == 1).await;
        }
        let Some(cluster) = &mut self.cluster else { return };
        if fault == Fault::Promote {
            cluster.promote().await;
        } else {
            cluster.restart().await;
        }
        let url = cluster.url();
        self.fleet.move_to(&url).await;
    }

    /// Lets something happen to the connections of one proxy.
    async fn disturb(&mut self, fault: Fault) {
        let Some(cluster) = &self.cluster else { return };
        let one = match fault {
            // Workers always have something to ask; the client may have nothing.
            Fault::Withhold => self.workers[self.random.usize(..self.workers.len())].proxy,
            _ => self.random.usize(..cluster.proxies.len()),
        };
        let proxy = &cluster.proxies[one];
        let all = self.workers.iter().chain(&self.stopped).chain(&self.leaving);
        let of_proxy = all.filter(|member| member.proxy == one);
        self.struck.extend(of_proxy.map(|member| member.worker.pid()));
        let until_then = self.ended + LASTS;
        match fault {
            Fault::Withhold => {
                let withheld = proxy.withheld();
                proxy.let_pass(Passage::Questions);
                until("an answer was withheld", async || proxy.withheld() > withheld).await;
                proxy.cut();
            }
            Fault::Delay => {
                proxy.let_pass(Passage::Slowly(SLOW));
                self.disturbed.push((one, until_then));
            }
            Fault::HalfClose if self.random.bool() => proxy.half_close(Passage::NoMoreQuestions),
            Fault::HalfClose => proxy.half_close(Passage::NoMoreAnswers),
            Fault::Silence => proxy.silence(),
            Fault::Blackout => {
                proxy.let_pass(Passage::Nothing);
                self.disturbed.push((one, until_then));
            }
            _ => proxy.cut(),
        }
    }
}
