//! Tokens: who may ask for what.
//!
//! A tenant's token is its name, a dot, and 256 random bits. The service keeps a SHA-256 of those bits and nothing else. A slow hash
//! such as Argon2 protects passwords, of which there are so few that they can be guessed; nobody guesses 256 bits, and a slow
//! hash with each request would be the cheapest way to overload the service.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use cloacina_core::TenantId;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The fewest characters that an operator's token may have.
const SHORTEST: usize = 32;

/// A token in the clear. It shows itself nowhere but in what is asked for.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// Takes the operator's token.
    ///
    /// # Errors
    ///
    /// It is too short to be random.
    pub fn operator(text: impl Into<String>) -> Result<Self, TokensError> {
        let text = text.into();
        if text.len() < SHORTEST || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokensError::WeakOperator { length: text.len() });
        }
        Ok(Self(text))
    }

    /// Makes a token of 256 random bits.
    ///
    /// # Errors
    ///
    /// The operating system has no random numbers.
    pub fn random() -> Result<Self, TokensError> {
        Ok(Self(random::<32>()?))
    }

    /// Returns the text, which is a secret.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// That many random bytes, as text.
pub(crate) fn random<const BYTES: usize>() -> Result<String, TokensError> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(TokensError::NoRandomness)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// What is kept of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Fingerprint(String);

impl Fingerprint {
    fn of(secret: &str) -> Self {
        Self(BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(secret)))
    }

    /// Compares in a time that does not tell where they differ.
    fn is_of(&self, secret: &str) -> bool {
        self.0.as_bytes().ct_eq(Self::of(secret).0.as_bytes()).into()
    }
}

/// Who sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Who creates and removes tenants.
    Operator,
    /// Who works for this tenant.
    Tenant(TenantId),
}

/// Why a token is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// The tenant has none.
    First,
    /// The one that it has is good for nothing any more.
    Renewal,
}

/// What went wrong with tokens.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokensError {
    /// The operator's token can be guessed.
    #[error(
        "the operator's token has {length} characters, it must have at least {SHORTEST}, printable ones"
    )]
    WeakOperator {
        /// How many it has.
        length: usize,
    },
    /// There are no random numbers.
    #[error("the operating system gives no random numbers")]
    NoRandomness(#[source] getrandom::Error),
    /// Another process has them.
    #[error("the tokens in `{}` are in use by another process", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read or written.
    #[error("the tokens in `{}` cannot be read or written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not one of ours.
    #[error("the tokens in `{}` are not what was written", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

type Fingerprints = BTreeMap<TenantId, Fingerprint>;

/// The tokens of all tenants, in a file, and the operator's. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tokens {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    operator: Fingerprint,
    known: RwLock<Fingerprints>,
    /// Held while the file is replaced: one writer at a time.
    writing: tokio::sync::Mutex<()>,
    /// What a token is compared with that names nobody, so that this takes as long.
    nobody: Fingerprint,
    /// Locked while this process lives.
    _lock: File,
}

impl Tokens {
    /// Opens the file `tokens.json` of a folder, which both are made if they are missing. One process at a time may.
    ///
    /// # Errors
    ///
    /// A [`TokensError`] that names the file.
    pub fn open(folder: &Path, operator: &Token) -> Result<Self, TokensError> {
        let path = folder.join("tokens.json");
        let io = |source| TokensError::Io { path: path.clone(), source };
        std::fs::create_dir_all(folder).map_err(io)?;
        let lock = private().open(folder.join("tokens.lock")).map_err(io)?;
        lock.try_lock().map_err(|_| TokensError::InUse { path: path.clone() })?;
        let known = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|source| TokensError::Corrupt { path: path.clone(), source })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Fingerprints::new(),
            Err(error) => return Err(io(error)),
        };
        let inner = Inner {
            path,
            operator: Fingerprint::of(operator.reveal()),
            known: RwLock::new(known),
            writing: tokio::sync::Mutex::default(),
            nobody: Fingerprint::of(&random::<32>()?),
            _lock: lock,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Finds out whose token this is.
    pub(crate) fn caller(&self, token: &str) -> Option<Caller> {
        if self.inner.operator.is_of(token) {
            return Some(Caller::Operator);
        }
        let (name, secret) = token.split_once('.')?;
        let known = self.inner.known.read().unwrap_or_else(PoisonError::into_inner);
        let (tenant, fingerprint) = TenantId::new(name)
            .ok()
            .and_then(|tenant| known.get_key_value(&tenant))
            .map_or((None, &self.inner.nobody), |(tenant, found)| (Some(tenant), found));
        if fingerprint.is_of(secret) { tenant.cloned().map(Caller::Tenant) } else { None }
    }

    /// Makes a token for a tenant; none if the occasion is not given.
    pub(crate) async fn issue(
        &self,
        tenant: &TenantId,
        occasion: Occasion,
    ) -> Result<Option<Token>, TokensError> {
        let secret = random::<32>()?;
        let (tenant, fingerprint) = (tenant.clone(), Fingerprint::of(&secret));
        let token = Token(format!("{tenant}.{secret}"));
        let issue = move |known: &mut Fingerprints| {
            let is_given = known.contains_key(&tenant) == (occasion == Occasion::Renewal);
            if is_given {
                known.insert(tenant, fingerprint);
            }
            is_given
        };
        Ok(self.change(issue).await?.then_some(token))
    }

    /// Takes a tenant's token back. That it has none is no error.
    pub(crate) async fn revoke(&self, tenant: &TenantId) -> Result<(), TokensError> {
        let tenant = tenant.clone();
        self.change(move |known| known.remove(&tenant)).await.map(|_| ())
    }

    /// Replaces the file, and then what is known. If this future is dropped, either both happen or neither.
    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Fingerprints) -> T + Send + 'static,
    ) -> Result<T, TokensError> {
        let tokens = self.clone();
        let write = move || {
            let inner = &*tokens.inner;
            let _writing = inner.writing.blocking_lock();
            let mut known = inner.known.read().unwrap_or_else(PoisonError::into_inner).clone();
            let changed = change(&mut known);
            replace(&inner.path, &known)?;
            *inner.known.write().unwrap_or_else(PoisonError::into_inner) = known;
            Ok(changed)
        };
        let written = tokio::task::spawn_blocking(write).await;
        written.unwrap_or_else(|error| {
            let (path, source) = (self.inner.path.clone(), io::Error::other(error));
            Err(TokensError::Io { path, source })
        })
    }
}

/// Writes a file beside the old one and puts it in its place, so that a crash leaves one of the two.
fn replace(path: &Path, known: &Fingerprints) -> Result<(), TokensError> {
    let io = |source| TokensError::Io { path: path.to_owned(), source };
    let text = serde_json::to_vec_pretty(known)
        .map_err(|source| TokensError::Corrupt { path: path.to_owned(), source })?;
    let new = path.with_extension("new");
    let mut file = private().truncate(true).open(&new).map_err(io)?;
    file.write_all(&text).and_then(|()| file.sync_all()).map_err(io)?;
    std::fs::rename(&new, path).map_err(io)?;
    sync_folder_of(path).map_err(io)
}

/// Opens files that nobody else may read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes a rename last.
#[cfg(unix)]
fn sync_folder_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(not(unix))]
fn sync_folder_of(_path: &Path) -> io::Result<()> {
    Ok(())
}
