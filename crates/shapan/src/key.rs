//! `shapan key rewrap`.

use model::{Clock as _, SystemClock};
use shapan_config::Secret;

use crate::command::RewrapArgs;
use crate::failure::Failure;
use crate::import::say;
use crate::portal::{Lock, open_database};
use crate::secrets::{self, OperatorSecret};

/// Wraps all data keys by a new operator's key, all or none. No server may run meanwhile: it has the old one in memory.
pub(crate) async fn rewrap(args: &RewrapArgs) -> Result<(), Failure> {
    let config = args.place.load()?;
    let _lock = Lock::take(&config.data.dir)?;
    let shown = args.new_key.display();
    let old = OperatorSecret::find(&config, false)?;
    let text = Secret::File(args.new_key.clone()).load()?;
    let new = OperatorSecret::parse("new operator's key (--new-key)", &text)?;
    if old.fingerprint() == new.fingerprint() {
        return Err(Failure::new(format!(
            "the key in {shown} is the one that the portal is configured with (data.key); nothing was changed"
        )));
    }
    let db = open_database(&config).await?;
    let tx = db.begin_write().await?;
    // First, so that a wrong key is told as one.
    secrets::replace_operator_key(&tx, &old, &new, SystemClock.now()).await?;
    let done = catalog_entry::rewrap(&tx, &old.wrapping(), &new.wrapping())
        .await
        .map_err(Failure::cannot(
            "wrap the data keys by the new key, and nothing was changed",
        ))?;
    tx.commit().await?;
    // SQLite then empties its log, which holds the old wrappings.
    db.close().await?;
    let in_folder = match config.data.key {
        Some(_) => String::new(),
        None => format!(
            ", or put it in the place of {}",
            secrets::operator_key_file(&config).display()
        ),
    };
    say(&format!(
        "data keys wrapped anew by the key in {shown}: {}, already: {}\nnow let data.key refer to it{in_folder}: the \
         portal does not start with the old key any more",
        done.anew, done.already
    ));
    Ok(())
}
