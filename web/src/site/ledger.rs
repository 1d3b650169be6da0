//! The public ledger as people read it.

use std::collections::HashMap;

use db::ledger::StoredLeaf;
use http::StatusCode;
use ledger::{Act, Fact, Leaf};
use model::{Language, OrganizationId, Timestamp};

use super::visit::{Page, Visit};
use crate::failure::Failure;
use crate::page::ledger::{Checkpoint, LedgerPage, LedgerRow};
use crate::page::{Section, Shell, respond};

/// Leaves on one page.
const LEAVES: usize = 50;

/// `GET /ledger`. `before` is an index of the public log, so it needs no signature.
pub(super) async fn ledger(visit: Visit) -> Page {
    let state = &visit.state;
    let before: Option<u64> = visit.query.find("before").and_then(|index| index.parse().ok());
    let mut leaves = db::ledger::list_newest_leaves(state.db.read(), before, LEAVES as u64 + 1).await?;
    let more = leaves.len() > LEAVES;
    leaves.truncate(LEAVES);
    let older = leaves.last().and_then(|leaf| leaf.index).filter(|_| more);
    let shell = visit.shell(Section::Ledger);
    let mut names = HashMap::new();
    let mut rows = Vec::with_capacity(leaves.len());
    for leaf in leaves {
        rows.push(row(&visit, &shell, &mut names, leaf).await?);
    }
    let checkpoint = db::ledger::find_checkpoint(state.db.read())
        .await?
        .map(|checkpoint| Checkpoint {
            size: checkpoint.size,
            root: checkpoint.root.to_base64(),
            moment: checkpoint.created_at,
            note: checkpoint.note,
        });
    let page = LedgerPage {
        shell,
        origin: visit.origin(),
        verifier_key: state.ledger_key.clone(),
        checkpoint,
        rows,
        older: older.map(|index| format!("/ledger?before={index}")),
    };
    Ok(respond(StatusCode::OK, visit.language(), &page))
}

async fn row(
    visit: &Visit,
    shell: &Shell,
    names: &mut HashMap<String, String>,
    stored: StoredLeaf,
) -> Result<LedgerRow, Failure> {
    let leaf = Leaf::parse(&stored.entry).map_err(|error| {
        tracing::error!(%error, index = stored.index, "a stored leaf cannot be read");
        Failure::internal()
    })?;
    let actor = match leaf.actor().organization() {
        None => shell.t("ledger-portal"),
        Some(id) => match names.get(id) {
            Some(name) => name.clone(),
            None => {
                let organization = match id.parse::<OrganizationId>() {
                    Ok(id) => db::organization::find(visit.state.db.read(), id).await?,
                    Err(_) => None,
                };
                let name = organization.map_or_else(|| id.to_owned(), |o| shell.words(&o.name).to_owned());
                names.insert(id.to_owned(), name.clone());
                name
            }
        },
    };
    Ok(LedgerRow {
        index: stored.index.unwrap_or(0),
        moment: Timestamp::from_micros(leaf.at()),
        act: shell.t(act_key(leaf.act())),
        actor,
        subject: subject(shell.language, &leaf),
        hash: stored.hash.to_base64(),
    })
}

/// What an act was about: names where the leaf has some, else the ids of its subjects.
fn subject(language: Language, leaf: &Leaf) -> String {
    let names: Vec<&str> = ["slug", "datasets", "role"]
        .iter()
        .filter_map(|key| leaf.facts().get(*key))
        .flat_map(|fact| match fact {
            Fact::Text(text) => vec![text.as_str()],
            Fact::List(texts) => texts.iter().map(String::as_str).collect(),
            Fact::Flag(_) | Fact::Integer(_) => Vec::new(),
        })
        .collect();
    if !names.is_empty() {
        return names.join(" · ");
    }
    let subjects: Vec<String> = leaf
        .subjects()
        .iter()
        .map(|(kind, id)| format!("{} {id}", subject_kind(language, kind)))
        .collect();
    subjects.join(" · ")
}

/// What a subject is; the second of its kind in a leaf has a number behind its name.
fn subject_kind(language: Language, kind: &str) -> String {
    let plain = kind
        .trim_end_matches(|c: char| c.is_ascii_digit())
        .trim_end_matches('_');
    let key = match plain {
        "job" => "ledger-subject-job",
        "project" => "ledger-subject-project",
        "dataset" => "ledger-subject-dataset",
        "version" => "ledger-subject-version",
        "request" => "ledger-subject-request",
        "check" => "ledger-subject-check",
        "tops_up" => "ledger-subject-tops-up",
        "organization" => "ledger-subject-organization",
        "token" => "ledger-subject-token",
        other => return other.to_owned(),
    };
    i18n::Translator::text(language, key, &[])
}

const fn act_key(act: Act) -> &'static str {
    match act {
        Act::AccountCreated => "act-account-created",
        Act::AccountDisabled => "act-account-disabled",
        Act::OrganizationCreated => "act-organization-created",
        Act::RoleGranted => "act-role-granted",
        Act::RoleRevoked => "act-role-revoked",
        Act::TokenCreated => "act-token-created",
        Act::TokenRevoked => "act-token-revoked",
        Act::DatasetCreated => "act-dataset-created",
        Act::DatasetRetired => "act-dataset-retired",
        Act::VersionPublished => "act-version-published",
        Act::ReleaseRequested => "act-release-requested",
        Act::OpinionGiven => "act-opinion-given",
        Act::ReleaseDecided => "act-release-decided",
        Act::AccessRequested => "act-access-requested",
        Act::AccessDecided => "act-access-decided",
        Act::RequestWithdrawn => "act-request-withdrawn",
        Act::ProjectOpened => "act-project-opened",
        Act::ProjectClosed => "act-project-closed",
        Act::JobCharged => "act-job-charged",
        Act::JobReleased => "act-job-released",
        Act::JobChecked => "act-job-checked",
        Act::JobWithheld => "act-job-withheld",
        Act::PolicyChanged => "act-policy-changed",
        Act::PromiseEnded => "act-promise-ended",
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use ledger::Actor;

    use super::*;

    #[test]
    fn every_act_has_its_own_words() {
        let keys: std::collections::BTreeSet<_> = Act::ALL.iter().map(|act| act_key(*act)).collect();
        assert_eq!(keys.len(), Act::ALL.len());
        assert!(keys.iter().all(|key| i18n::Translator::has(key)));
    }

    #[test]
    fn subjects_are_named_where_they_have_names() {
        let leaf = |fact: Option<(&str, &str)>| {
            let builder = Leaf::builder(Act::DatasetCreated, 0, Actor::system()).subject("dataset", "7");
            match fact {
                Some((key, value)) => builder.fact(key, value).build().unwrap(),
                None => builder.build().unwrap(),
            }
        };

        assert_eq!(
            subject(Language::Zh, &leaf(Some(("slug", "air-quality")))),
            "air-quality"
        );
        assert_eq!(subject(Language::Zh, &leaf(None)), "数据集 7");
    }
}
