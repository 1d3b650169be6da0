//! The portal's own secrets: made on its first start, or referred to by its configuration.
//!
//! There are three. The *sandbox key* is 32 random bytes from which the keys of privacy units, of the choice of groups
//! and of cursors derive, each by HMAC-SHA256 of its label, so that none tells of another. The *operator's key* wraps
//! the data keys of versions. The *ledger key* signs checkpoints. Without the first one, new versions no longer join
//! with old ones; without the second, no protected data can be read; without the third, nobody can tell the log's
//! continuation from a forgery. So the database remembers fingerprints of all, and a portal whose secrets are lost or
//! swapped refuses to start instead of making new ones.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use db::{Database, Tx};
use hmac::{Hmac, KeyInit, Mac};
use ledger::SigningKey;
use model::{Clock, Timestamp};
use seal::OperatorKey;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use shapan_config::Config;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// The folder of secrets within the data folder, mode 0700.
const FOLDER: &str = "secrets";
/// The file of the sandbox key: 64 hexadecimal digits.
const SANDBOX: &str = "sandbox.key";
/// The file of the operator's key: 64 hexadecimal digits.
const DATA: &str = "data.key";
/// The file of the ledger key, as other note tools read it.
const LEDGER: &str = "ledger.key";
/// Under what the database keeps the fingerprints.
const SETTING: &str = "secrets";

/// The secrets of a portal.
pub(crate) struct Secrets {
    sandbox: Zeroizing<[u8; 32]>,
    data: OperatorSecret,
    /// Signs checkpoints; its name is the log's origin.
    pub(crate) ledger: SigningKey,
}

/// What the database knows of the secrets: enough to recognise them, nothing to guess them by.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Fingerprints {
    sandbox: String,
    /// Not there in a folder from before the zones were encrypted.
    #[serde(default)]
    data: Option<String>,
    ledger: String,
}

impl Secrets {
    /// Reads the secrets; on the very first start, makes those that the configuration does not refer to.
    pub(crate) async fn load(config: &Config, db: &Database, clock: &dyn Clock) -> Result<Self, Failure> {
        let known = db::setting::find(db.read(), SETTING).await?;
        let folder = config.data.dir.join(FOLDER);
        let may_make = known.is_none();
        if known.is_some_and(|known| known.get("data").is_none_or(serde_json::Value::is_null)) {
            return Err(Failure::new(format!(
                "the data folder {} is from before its zones were encrypted, and this version cannot read it; begin \
                 with an empty one, and import the files again",
                config.data.dir.display()
            )));
        }
        let sandbox = match &config.sandbox.key {
            Some(secret) => Zeroizing::new(secret.load()?),
            None => kept(&folder.join(SANDBOX), may_make, new_key)?,
        };
        let data = OperatorSecret::find(config, may_make)?;
        let ledger = match &config.ledger.key {
            Some(secret) => Zeroizing::new(secret.load()?),
            None => kept(&folder.join(LEDGER), may_make, || {
                let key = SigningKey::generate(&config.ledger.origin)?;
                Ok(Zeroizing::new(key.to_secret_text()))
            })?,
        };
        let secrets = Self {
            sandbox: parse_key("sandbox key (sandbox.key)", &sandbox)?,
            data,
            ledger: SigningKey::parse(&ledger).map_err(Failure::cannot("read the ledger's signing key"))?,
        };
        secrets.check_origin(config)?;
        secrets.recognise(db, clock.now()).await?;
        Ok(secrets)
    }

    /// A configured origin is the key's name; what is not configured goes by the key.
    fn check_origin(&self, config: &Config) -> Result<(), Failure> {
        let (wanted, found) = (&config.ledger.origin, self.ledger.verifier().name());
        if wanted == found || *wanted == shapan_config::Ledger::default().origin {
            return Ok(());
        }
        Err(Failure::new(format!(
            "ledger.origin is {wanted:?}, but the ledger's signing key is named {found:?}: a log keeps its name and key \
             for ever; set ledger.origin back, or begin with an empty data folder"
        )))
    }

    /// Compares with what the database remembers, or lets it remember.
    async fn recognise(&self, db: &Database, now: Timestamp) -> Result<(), Failure> {
        let ours = Fingerprints {
            sandbox: hex::encode(&derive(&self.sandbox, b"fingerprint")[..16]),
            data: Some(self.data.fingerprint()),
            ledger: self.ledger.verifier().to_string(),
        };
        let tx = db.begin_write().await?;
        let known = db::setting::put_if_absent(&tx, SETTING, serde_json::to_value(&ours)?, now).await?;
        tx.commit().await?;
        let known: Fingerprints = serde_json::from_value(known)
            .map_err(Failure::cannot("read what the database remembers of the secrets"))?;
        for (name, ours, known, otherwise) in [
            ("sandbox key", Some(&ours.sandbox), Some(&known.sandbox), ""),
            (
                "operator's key",
                ours.data.as_ref(),
                known.data.as_ref(),
                ", or after `shapan key rewrap` the new one",
            ),
            ("ledger signing key", Some(&ours.ledger), Some(&known.ledger), ""),
        ] {
            if ours != known {
                return Err(Failure::new(format!(
                    "the {name} is not the one that this portal's data was made with; put back the one from your \
                     backup{otherwise}"
                )));
            }
        }
        Ok(())
    }

    /// From which the secrets of unit types derive.
    pub(crate) fn unit_key(&self) -> [u8; 32] {
        derive(&self.sandbox, b"unit")
    }

    /// From which the secrets for choosing groups derive.
    pub(crate) fn group_key(&self) -> [u8; 32] {
        derive(&self.sandbox, b"group")
    }

    /// Signs cursors.
    pub(crate) fn cursor_key(&self) -> [u8; 32] {
        derive(&self.sandbox, b"cursor")
    }

    /// Wraps the data keys of versions.
    pub(crate) fn operator_key(&self) -> OperatorKey {
        self.data.wrapping()
    }
}

/// The operator's key as its owner keeps it.
pub(crate) struct OperatorSecret(Zeroizing<[u8; 32]>);

impl OperatorSecret {
    /// What the configuration refers to, or what the data folder holds; made there if it may be.
    pub(crate) fn find(config: &Config, may_make: bool) -> Result<Self, Failure> {
        let text = match &config.data.key {
            Some(secret) => Zeroizing::new(secret.load()?),
            None => kept(&operator_key_file(config), may_make, new_key)?,
        };
        Self::parse("operator's key (data.key)", &text)
    }

    /// 64 hexadecimal digits; `name` is how a message calls them.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self, Failure> {
        parse_key(name, text).map(Self)
    }

    /// Enough to recognise it, nothing to guess it by.
    pub(crate) fn fingerprint(&self) -> String {
        hex::encode(&derive(&self.0, b"fingerprint")[..16])
    }

    /// Wraps the data keys of versions.
    pub(crate) fn wrapping(&self) -> OperatorKey {
        OperatorKey::new(Zeroizing::new(derive(&self.0, b"wrap")))
    }
}

/// Where the operator's key lies that the portal has made itself.
pub(crate) fn operator_key_file(config: &Config) -> PathBuf {
    config.data.dir.join(FOLDER).join(DATA)
}

/// Lets the database remember another operator's key. It must remember one of the two: the old one, or the new one if
/// this was done before.
pub(crate) async fn replace_operator_key(
    tx: &Tx,
    old: &OperatorSecret,
    new: &OperatorSecret,
    now: Timestamp,
) -> Result<(), Failure> {
    let known = db::setting::find(tx, SETTING).await?.ok_or_else(|| {
        Failure::new("this portal was never started: it has no data keys yet, so just let data.key refer to the new key")
    })?;
    let mut known: Fingerprints = serde_json::from_value(known)
        .map_err(Failure::cannot("read what the database remembers of the secrets"))?;
    let new = Some(new.fingerprint());
    if known.data != Some(old.fingerprint()) && known.data != new {
        return Err(Failure::new(
            "neither the key that the portal is configured with (data.key) nor the new one is the operator's key that \
             this portal's data was made with; nothing was changed",
        ));
    }
    known.data = new;
    Ok(db::setting::put(tx, SETTING, serde_json::to_value(&known)?, now).await?)
}

fn derive(key: &[u8; 32], label: &[u8]) -> [u8; 32] {
    // HMAC pads a key to its block with zeros (RFC 2104 section 2): a block never has the wrong length.
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key);
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&(*block).into());
    mac.update(b"shapan/");
    mac.update(label);
    mac.finalize().into_bytes().into()
}

/// The name of the ledger key that a data folder holds already.
pub(crate) fn find_origin(data: &Path) -> Option<String> {
    let text = Zeroizing::new(fs::read_to_string(data.join(FOLDER).join(LEDGER)).ok()?);
    let key = SigningKey::parse(text.trim_end()).ok()?;
    Some(key.verifier().name().to_owned())
}

/// Random bytes of the operating system.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, Failure> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice()).map_err(Failure::cannot("get random bytes from the system"))?;
    Ok(bytes)
}

fn new_key() -> Result<Zeroizing<String>, Failure> {
    Ok(Zeroizing::new(hex::encode(*random::<32>()?)))
}

fn parse_key(name: &str, text: &str) -> Result<Zeroizing<[u8; 32]>, Failure> {
    let mut key = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim(), key.as_mut_slice())
        .map_err(|_| Failure::new(format!("the {name} must be 32 bytes as 64 hexadecimal digits")))?;
    Ok(key)
}

/// The secret in a file; made if it is not there and may be made.
fn kept(
    path: &Path,
    may_make: bool,
    make: impl FnOnce() -> Result<Zeroizing<String>, Failure>,
) -> Result<Zeroizing<String>, Failure> {
    let shown = path.display();
    match fs::metadata(path) {
        Ok(metadata) => {
            let mode = metadata.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(Failure::new(format!(
                    "the secret {shown} can be read by others (mode {mode:04o}); chmod 600 it, and consider it known"
                )));
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound && may_make => write_new(path, &make()?)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Failure::new(format!(
                "the secret {shown} is missing, and this portal's data was made with it; put it back from your backup"
            )));
        }
        Err(error) => return Err(Failure::cannot(format_args!("look at the secret {shown}"))(error)),
    }
    let text = fs::read_to_string(path).map_err(Failure::cannot(format_args!("read the secret {shown}")))?;
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Writes a secret, whole or not at all, mode 0600; one that another process wrote meanwhile stays.
pub(crate) fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let cannot =
        |error: std::io::Error| Failure::cannot(format_args!("write the secret {}", path.display()))(error);
    let folder = path.parent().map_or_else(|| PathBuf::from("."), Path::to_owned);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(cannot)?;
    // Made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(&folder).map_err(cannot)?;
    file.write_all(text.as_bytes()).map_err(cannot)?;
    file.write_all(b"\n").map_err(cannot)?;
    file.as_file().sync_all().map_err(cannot)?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != ErrorKind::AlreadyExists => return Err(cannot(error.error)),
        _ => {}
    }
    fs::File::open(&folder)
        .and_then(|folder| folder.sync_all())
        .map_err(cannot)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use db::DatabaseConfig;
    use model::{SystemClock, VersionId};
    use seal::{DataKey, KeyPurpose};

    use super::*;

    async fn database() -> Database {
        let db = Database::connect(&DatabaseConfig::Memory).await.unwrap();
        db.migrate().await.unwrap();
        db
    }

    fn config(data: &Path) -> Config {
        let mut config = Config::default();
        config.data.dir = data.to_owned();
        config
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn secrets_are_made_once_and_closed_to_others() {
        let data = tempfile::tempdir().unwrap();
        let db = database().await;
        let config = config(data.path());
        let first = Secrets::load(&config, &db, &SystemClock).await.unwrap();
        let folder = data.path().join(FOLDER);
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join(SANDBOX)), 0o600);
        assert_eq!(mode(&folder.join(DATA)), 0o600);
        assert_eq!(mode(&folder.join(LEDGER)), 0o600);
        let again = Secrets::load(&config, &db, &SystemClock).await.unwrap();
        assert_eq!(first.unit_key(), again.unit_key());
        assert_ne!(first.unit_key(), first.cursor_key());
        let key = DataKey::generate().unwrap();
        let version = VersionId::at(SystemClock.now());
        let wrapped = first
            .operator_key()
            .wrap(&key, version, KeyPurpose::Copy)
            .unwrap();
        let opened = again.operator_key().unwrap(&wrapped, version, KeyPurpose::Copy);
        assert_eq!(opened, Ok(key));
        assert_eq!(first.ledger.verifier(), again.ledger.verifier());
        assert_eq!(find_origin(data.path()).unwrap(), config.ledger.origin);
    }

    #[tokio::test]
    async fn lost_swapped_and_exposed_secrets_stop_the_start() {
        let data = tempfile::tempdir().unwrap();
        let db = database().await;
        let config = config(data.path());
        Secrets::load(&config, &db, &SystemClock).await.unwrap();
        for name in [SANDBOX, DATA] {
            lost_or_swapped(&config, &db, &data.path().join(FOLDER).join(name)).await;
        }
    }

    async fn lost_or_swapped(config: &Config, db: &Database, path: &Path) {
        let original = fs::read_to_string(path).unwrap();
        let fails = async |want: &str| {
            let error = Secrets::load(config, db, &SystemClock)
                .await
                .err()
                .unwrap()
                .to_string();
            assert!(error.contains(want), "wanted {want:?} in {error:?}");
            assert!(!error.contains(original.trim()), "a message repeats the secret");
        };
        fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap();
        fails("mode 0640").await;
        fs::remove_file(path).unwrap();
        fails("is missing").await;
        write_new(path, &"ab".repeat(32)).unwrap();
        fails("not the one that this portal's data was made with").await;
        fs::write(path, "0123").unwrap();
        fails("64 hexadecimal digits").await;
        fs::write(path, &original).unwrap();
        Secrets::load(config, db, &SystemClock).await.unwrap();
    }

    #[tokio::test]
    async fn a_folder_from_before_encryption_is_told() {
        let data = tempfile::tempdir().unwrap();
        let db = database().await;
        let tx = db.begin_write().await.unwrap();
        let old = serde_json::json!({"sandbox": "00", "ledger": "x"});
        db::setting::put_if_absent(&tx, SETTING, old, SystemClock.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let error = Secrets::load(&config(data.path()), &db, &SystemClock)
            .await
            .err()
            .unwrap();
        assert!(
            error.to_string().contains("before its zones were encrypted"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn another_origin_than_the_key_s_is_refused() {
        let data = tempfile::tempdir().unwrap();
        let db = database().await;
        let mut config = config(data.path());
        Secrets::load(&config, &db, &SystemClock).await.unwrap();
        config.ledger.origin = "data.city.example/ledger".to_owned();
        let error = Secrets::load(&config, &db, &SystemClock).await.err().unwrap();
        assert!(error.to_string().contains("ledger.origin"), "{error}");
    }
}
