//! A standby: a server that follows another one, which waits for it at every commit, and that can take its place.

use super::supervised::{Folder, Supervised, free_port, io};
use super::{Flush, Own, Server, ServerError, WHAT, options, supervisor};

/// What a standby is called where it follows.
const NAME: &str = "cloacina_standby";

/// Copies the files of a server.
const COPY: &str = r#"
PGPASSWORD=$(cat "$dir/password") "$bin/pg_basebackup" -h 127.0.0.1 -p "$4" -U postgres -D "$dir/data" \
    -R -X stream -c fast --no-sync >"$dir/basebackup.log" 2>&1 || fail
"#;

impl Server {
    /// Starts a standby of this server. From then on no commit is acknowledged here before the standby has written it down, and as long as
    /// there is no standby none is.
    ///
    /// # Errors
    ///
    /// A [`ServerError`] if it does not start, or this server was not started here.
    pub fn standby(&self) -> Result<Self, ServerError> {
        let own = self.own()?;
        let own_port = free_port(WHAT)?;
        let folder = Folder::new(WHAT)?;
        folder.write("password", self.password())?;
        // The copy will wait for a standby, too, once it has taken this server's place.
        Self::wait_for_standby(own)?;
        let options = format!(
            "{} -c cluster_name={NAME} -c wal_retrieve_retry_interval=100ms",
            options(own_port, Flush::Never)
        );
        let (before, place) = self.url.rsplit_once('@').unwrap_or_default();
        let port = place.split([':', '/']).nth(1).unwrap_or_default();
        // Some machines have links to the server's own binaries in `PATH`, and no more than these.
        let postgres = own.binaries.join("postgres");
        let postgres = postgres.canonicalize().map_err(|source| io(WHAT, source))?;
        let arguments = [
            postgres.parent().unwrap_or(&own.binaries).as_os_str(),
            folder.path().as_os_str(),
            options.as_ref(),
            port.as_ref(),
        ];
        let supervised = Supervised::start(WHAT, &supervisor(COPY), &arguments)?;
        self.pg_ctl(&["reload"])?;
        let url = format!("{before}@127.0.0.1:{own_port}/postgres");
        let folder = folder.path().to_owned();
        let binaries = own.binaries.clone();
        Ok(Self { url, own: Some(Own { _supervised: supervised, binaries, folder }) })
    }

    /// Lets a standby take the place of the server that it follows. That one has to be gone: two servers would go different ways.
    ///
    /// # Errors
    ///
    /// A [`ServerError`] if it is no standby.
    pub fn promote(&self) -> Result<(), ServerError> {
        if self.pg_ctl(&["-w", "promote"])?.success() {
            return Ok(());
        }
        Err(ServerError::NotStarted { what: WHAT, log: self.log()? })
    }

    /// Sets that commits wait for the standby, from the next reload or start.
    fn wait_for_standby(own: &Own) -> Result<(), ServerError> {
        let path = own.folder.join("data/postgresql.conf");
        let setting = format!("\nsynchronous_standby_names = '{NAME}'\n");
        let settings = std::fs::read_to_string(&path).map_err(|source| io(WHAT, source))?;
        if settings.contains(&setting) {
            return Ok(());
        }
        let written = std::fs::OpenOptions::new().append(true).open(&path);
        let written =
            written.and_then(|mut file| std::io::Write::write_all(&mut file, setting.as_bytes()));
        written.map_err(|source| io(WHAT, source))
    }
}
