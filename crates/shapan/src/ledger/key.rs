//! `shapan ledger key`.

use std::path::Path;

use ledger::SigningKey;
use shapan_config::Config;

use crate::failure::Failure;
use crate::import::say;
use crate::portal::Portal;
use crate::secrets;

/// Prints the verifier key of a portal's log.
pub(crate) async fn show(config: Config) -> Result<(), Failure> {
    let portal = Portal::open(&config).await?;
    say(&portal.secrets.ledger.verifier().to_string());
    Ok(())
}

/// Makes a signing key for a log of this name, and prints its verifier key.
pub(crate) fn make(file: &Path, origin: &str) -> Result<(), Failure> {
    if file.exists() {
        return Err(Failure::new(format!(
            "{} is there already; a signing key is never overwritten",
            file.display()
        )));
    }
    let key = SigningKey::generate(origin).map_err(Failure::cannot("make a signing key"))?;
    secrets::write_new(file, &key.to_secret_text())?;
    say(&key.verifier().to_string());
    Ok(())
}
