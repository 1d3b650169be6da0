//! The city's organisations and people, with the passwords that their visitors get.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use demo::ORGANIZATIONS;
use demo::organization::{
    ASSESSOR, CIVIL_AFFAIRS, DATA_BUREAU, ECOLOGY, HEALTH, INSIGHT, MOBILITY, TAXATION, TRANSPORT,
};
use identity::{Actor, NewAccount, NewOrganization};
use model::{Localized, OrganizationId, OrganizationKind, Role, Scope, Slug};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::account::make_password;
use crate::failure::Failure;
use crate::import::say;
use crate::portal::Portal;

/// The file of the accounts within the demo's folder, mode 0600.
pub(super) const FILE: &str = "demo-accounts.json";
/// The organisation of those who belong to none.
const PUBLIC: &str = "public";
/// Days that a demo's tokens live: the most there are.
const TOKEN_DAYS: i64 = identity::MAX_TOKEN_DAYS;

/// Somebody in the city. Listed ones are for visitors; the others only do their department's part of the story.
struct Part {
    /// The name to sign in with, and the role by which visitors know it.
    name: &'static str,
    /// What the person is called.
    title: &'static str,
    organization: &'static str,
    role: Role,
    listed: bool,
}

const fn part(
    name: &'static str,
    title: &'static str,
    organization: &'static str,
    role: Role,
    listed: bool,
) -> Part {
    Part {
        name,
        title,
        organization,
        role,
        listed,
    }
}

const PARTS: [Part; 13] = [
    part("admin", "系统管理员", DATA_BUREAU.slug, Role::Admin, true),
    part(
        "reviewer",
        "数据开放审核员（一）",
        DATA_BUREAU.slug,
        Role::Reviewer,
        true,
    ),
    part(
        "second-reviewer",
        "数据开放审核员（二）",
        DATA_BUREAU.slug,
        Role::Reviewer,
        true,
    ),
    part("auditor", "审计员", DATA_BUREAU.slug, Role::Auditor, true),
    part("assessor", "安全评估员", ASSESSOR.slug, Role::Assessor, true),
    part("officer", "交通数据专员", TRANSPORT.slug, Role::Officer, true),
    part(
        "health-officer",
        "卫生健康数据专员",
        HEALTH.slug,
        Role::Officer,
        false,
    ),
    part("tax-officer", "税务数据专员", TAXATION.slug, Role::Officer, false),
    part(
        "ecology-officer",
        "生态环境数据专员",
        ECOLOGY.slug,
        Role::Officer,
        false,
    ),
    part(
        "civil-affairs-officer",
        "民政数据专员",
        CIVIL_AFFAIRS.slug,
        Role::Officer,
        false,
    ),
    part("enterprise", "出行数据分析师", MOBILITY.slug, Role::Analyst, true),
    part(
        "second-enterprise",
        "企业数据分析师",
        INSIGHT.slug,
        Role::Analyst,
        true,
    ),
    part("developer", "开发者", PUBLIC, Role::Developer, true),
];

/// An account as a visitor gets it.
#[derive(Debug, Serialize, Deserialize)]
struct Listed {
    role: String,
    username: String,
    password: String,
    token: String,
}

/// The people of the story, signed in.
pub(super) struct People {
    officers: Vec<(&'static str, Actor)>,
    pub(super) reviewer: Actor,
    pub(super) second_reviewer: Actor,
    pub(super) assessor: Actor,
    pub(super) enterprise: Actor,
    pub(super) second_enterprise: Actor,
}

impl People {
    /// The officer of a department.
    pub(super) fn officer(&self, department: &str) -> Result<&Actor, Failure> {
        let found = self.officers.iter().find(|(slug, _)| *slug == department);
        found
            .map(|(_, actor)| actor)
            .ok_or_else(|| Failure::new(format!("the demo's {department} has no officer")))
    }
}

/// Registers the organisations, opens the accounts, and writes those for visitors into the folder.
pub(super) async fn create(portal: &Portal, data: &Path) -> Result<People, Failure> {
    let system = Actor::system();
    // The portal itself opens the first account; from then on its admin does.
    let bureau = organization(portal, &system, DATA_BUREAU.slug).await?;
    let (admin_part, others) = PARTS
        .split_first()
        .ok_or_else(|| Failure::new("the demo has no people"))?;
    let mut listed = Vec::new();
    let admin = open(portal, &system, admin_part, bureau, &mut listed).await?;
    let mut actors = Vec::new();
    let mut organizations = vec![(DATA_BUREAU.slug, bureau)];
    for part in others {
        let known = organizations.iter().find(|(slug, _)| *slug == part.organization);
        let id = match known {
            Some((_, id)) => *id,
            None => {
                let id = organization(portal, &admin, part.organization).await?;
                organizations.push((part.organization, id));
                id
            }
        };
        let actor = open(portal, &admin, part, id, &mut listed).await?;
        actors.push((part, actor));
    }
    write(data, &listed)?;
    let find = |name: &str| {
        let found = actors.iter().find(|(part, _)| part.name == name);
        found
            .map(|(_, actor)| actor.clone())
            .ok_or_else(|| Failure::new(format!("the demo has no {name}")))
    };
    Ok(People {
        reviewer: find("reviewer")?,
        second_reviewer: find("second-reviewer")?,
        assessor: find("assessor")?,
        enterprise: find("enterprise")?,
        second_enterprise: find("second-enterprise")?,
        officers: actors
            .iter()
            .filter(|(part, _)| part.role == Role::Officer)
            .map(|(part, actor)| (part.organization, actor.clone()))
            .collect(),
    })
}

async fn organization(portal: &Portal, actor: &Actor, slug: &str) -> Result<OrganizationId, Failure> {
    let new = if slug == PUBLIC {
        NewOrganization {
            slug: Slug::parse(PUBLIC)?,
            name: Localized::parse("社会公众", Some("The public"))?,
            kind: OrganizationKind::Public,
            region: None,
        }
    } else {
        let known = ORGANIZATIONS
            .iter()
            .find(|organization| organization.slug == slug);
        let known = known.ok_or_else(|| Failure::new(format!("the demo has no organisation {slug}")))?;
        NewOrganization {
            slug: Slug::parse(slug)?,
            name: Localized::parse(known.name.zh, Some(known.name.en))?,
            kind: match known.kind {
                demo::OrganizationKind::Department => OrganizationKind::Department,
                demo::OrganizationKind::Bureau => OrganizationKind::Bureau,
                demo::OrganizationKind::Enterprise => OrganizationKind::Enterprise,
                demo::OrganizationKind::Assessor => OrganizationKind::Assessor,
            },
            region: Some(known.region.to_owned()),
        }
    };
    Ok(portal.identity.create_organization(actor, new).await?.id)
}

async fn open(
    portal: &Portal,
    by: &Actor,
    part: &Part,
    organization: OrganizationId,
    listed: &mut Vec<Listed>,
) -> Result<Actor, Failure> {
    let password: Zeroizing<String> = make_password()?;
    let new = NewAccount {
        username: part.name.to_owned(),
        display_name: part.title.to_owned(),
        organization,
        roles: BTreeSet::from([part.role]),
    };
    let user = portal.identity.create_account(by, new, &password).await?;
    let actor = portal.identity.load_actor(user.id).await?;
    if part.listed {
        let (_, token) = portal
            .identity
            .create_token(&actor, "demo", scopes(part.role), TOKEN_DAYS)
            .await?;
        listed.push(Listed {
            role: part.name.to_owned(),
            username: user.username,
            password: password.to_string(),
            token: token.expose().to_owned(),
        });
    }
    Ok(actor)
}

/// All scopes that are of any use to a role.
fn scopes(role: Role) -> BTreeSet<Scope> {
    let own = match role {
        Role::Developer => None,
        Role::Analyst => Some(Scope::SandboxUse),
        Role::Officer => Some(Scope::DatasetWrite),
        Role::Reviewer | Role::Assessor | Role::Auditor => Some(Scope::ReviewWrite),
        Role::Admin => Some(Scope::AdminWrite),
    };
    own.into_iter().chain([Scope::CatalogRead]).collect()
}

fn write(data: &Path, listed: &[Listed]) -> Result<(), Failure> {
    let path = data.join(FILE);
    let cannot = |error: std::io::Error| Failure::cannot(format_args!("write {}", path.display()))(error);
    // Made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(data).map_err(cannot)?;
    serde_json::to_writer_pretty(&mut file, listed)?;
    file.write_all(b"\n").map_err(cannot)?;
    file.as_file().sync_all().map_err(cannot)?;
    file.persist(&path).map_err(|error| cannot(error.error))?;
    Ok(())
}

/// Prints the address and the accounts; tokens are in the file only.
pub(super) fn show(data: &Path, address: SocketAddr) -> Result<(), Failure> {
    let path = data.join(FILE);
    let shown = path.display();
    let text = std::fs::read_to_string(&path)
        .map(Zeroizing::new)
        .map_err(Failure::cannot(format_args!("read the accounts in {shown}")))?;
    let listed: Vec<Listed> =
        serde_json::from_str(&text).map_err(Failure::cannot(format_args!("read the accounts in {shown}")))?;
    say(&format!("\n沙盘 Shapan: http://{address}\n"));
    say(&format!("  {:<18} {:<18} {}", "role", "username", "password"));
    for account in &listed {
        say(&format!(
            "  {:<18} {:<18} {}",
            account.role, account.username, account.password
        ));
    }
    say(&format!("\nAPI tokens are in {shown}. Ctrl-C stops.\n"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_that_visitors_are_promised_is_played_once() {
        let promised = [
            "developer",
            "enterprise",
            "second-enterprise",
            "officer",
            "reviewer",
            "second-reviewer",
            "assessor",
            "auditor",
            "admin",
        ];
        let listed: BTreeSet<_> = PARTS
            .iter()
            .filter(|part| part.listed)
            .map(|part| part.name)
            .collect();
        assert_eq!(listed, BTreeSet::from(promised));
    }

    #[test]
    fn every_department_has_its_officer() {
        for organization in ORGANIZATIONS {
            let department = organization.kind == demo::OrganizationKind::Department;
            let officers = PARTS
                .iter()
                .filter(|part| part.organization == organization.slug && part.role == Role::Officer)
                .count();
            assert_eq!(officers, usize::from(department), "{}", organization.slug);
        }
    }
}
