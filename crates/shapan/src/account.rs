//! `shapan organization create` and `shapan user create`: how a portal gets its first people.

use std::path::Path;

use identity::{Actor, NewAccount, NewOrganization};
use model::Localized;
use zeroize::Zeroizing;

use crate::command::{OrganizationArgs, UserArgs};
use crate::failure::Failure;
use crate::import::say;
use crate::portal::Portal;
use crate::secrets;

/// What made-up passwords consist of: 32 letters and digits that are not mistaken for one another.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Characters of a made-up password: 100 bits.
const LENGTH: usize = 20;

/// Registers an organisation.
pub(crate) async fn create_organization(args: &OrganizationArgs) -> Result<(), Failure> {
    let name = Localized::parse(&args.name, args.name_en.as_deref())?;
    let portal = Portal::open(&args.place.load()?).await?;
    let new = NewOrganization {
        slug: args.slug.clone(),
        name,
        kind: args.kind,
        region: args.region.clone(),
    };
    let organization = portal.identity.create_organization(&Actor::system(), new).await?;
    say(&format!("{} is registered", organization.slug));
    Ok(())
}

/// Opens an account.
pub(crate) async fn create_user(args: &UserArgs) -> Result<(), Failure> {
    let (password, made) = match &args.password_file {
        Some(file) => (read_password(file)?, false),
        None => (make_password()?, true),
    };
    let portal = Portal::open(&args.place.load()?).await?;
    let organization = db::organization::find_by_slug(portal.db.read(), &args.organization).await?;
    let Some(organization) = organization else {
        return Err(Failure::new(format!(
            "there is no organisation {}; `shapan organization create` registers one",
            args.organization
        )));
    };
    let new = NewAccount {
        username: args.username.clone(),
        display_name: args.name.clone(),
        organization: organization.id,
        roles: args.roles.iter().copied().collect(),
    };
    let user = portal
        .identity
        .create_account(&Actor::system(), new, &password)
        .await?;
    if made {
        say(&format!(
            "the account {} is open; its password is {}",
            user.username,
            password.as_str()
        ));
    } else {
        say(&format!("the account {} is open", user.username));
    }
    Ok(())
}

fn read_password(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let shown = file.display();
    let text = std::fs::read_to_string(file)
        .map(Zeroizing::new)
        .map_err(Failure::cannot(format_args!("read the password file {shown}")))?;
    let first = text.lines().next().unwrap_or_default();
    Ok(Zeroizing::new(first.to_owned()))
}

/// A random password.
pub(crate) fn make_password() -> Result<Zeroizing<String>, Failure> {
    let bytes = secrets::random::<LENGTH>()?;
    Ok(Zeroizing::new(
        bytes
            .iter()
            .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
            .collect(),
    ))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn passwords_are_long_and_differ() {
        let password = make_password().unwrap();
        assert_eq!(password.len(), LENGTH);
        assert_ne!(*password, *make_password().unwrap());
    }

    #[test]
    fn a_password_is_the_first_line_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "correct horse battery\r\nanother\n").unwrap();
        assert_eq!(*read_password(&file).unwrap(), "correct horse battery");
        assert!(read_password(&folder.path().join("none")).is_err());
    }
}
