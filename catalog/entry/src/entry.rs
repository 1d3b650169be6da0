//! Making and changing entries.

use db::allocation::{Cost, Lineage};
use db::dataset::{Dataset, SLUG_KEY};
use identity::{Action, Actor};
use ledger::{Act, Leaf};
use model::metadata::MAX_DECLARED;
use model::{
    BudgetPolicy, DatasetId, DatasetState, DeclaredMetadata, EntryMetadata, Level, LineageId, Slug, Timestamp,
};
use privacy::{Delta, Epsilon};

use crate::{Catalog, EntryError, Obstacle, Rule};

/// A new entry as its officer proposes it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEntry {
    /// Its name in addresses; never changes.
    pub slug: Slug,
    /// Its level; none keeps its files in quarantine.
    pub level: Option<Level>,
    /// What the catalogue says of it.
    pub metadata: EntryMetadata,
    /// What is declared of its data.
    pub declared: Option<DeclaredMetadata>,
}

/// What replaces level, description and declaration of an entry.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryChange {
    /// Its level.
    pub level: Option<Level>,
    /// What the catalogue says of it.
    pub metadata: EntryMetadata,
    /// What is declared of its data.
    pub declared: Option<DeclaredMetadata>,
}

impl Catalog {
    /// Makes an entry for the actor's department.
    ///
    /// # Errors
    /// If the actor is no officer, the slug is taken, or level and declaration do not fit together.
    pub async fn create(&self, actor: &Actor, new: NewEntry) -> Result<Dataset, EntryError> {
        let parts = &self.parts;
        let (user, organization) = actor.person()?;
        parts.authority.decide(
            actor,
            Action::CreateDataset,
            &crate::read::of_organization(organization),
        )?;
        check(new.level, &new.metadata, new.declared.as_ref())?;
        let policy = self.budget_policy().await?;
        let now = parts.clock.now();
        let dataset = Dataset {
            id: DatasetId::at(now),
            slug: new.slug,
            origin: None,
            organization_id: organization,
            created_by: user,
            lineage_id: LineageId::at(now),
            level: new.level,
            state: DatasetState::Draft,
            metadata: new.metadata,
            declared: new.declared,
            current_version_id: None,
            revision: 1,
            created_at: now,
            updated_at: now,
        };
        let tx = parts.db.begin_write().await?;
        db::allocation::insert_lineage(&tx, &lineage(&dataset, &policy, now)?).await?;
        db::dataset::insert(&tx, &dataset).await.map_err(|error| {
            if error.violates(SLUG_KEY) {
                EntryError::SlugTaken(dataset.slug.to_string())
            } else {
                error.into()
            }
        })?;
        let leaf = Leaf::builder(Act::DatasetCreated, now.as_micros(), actor.ledger_actor())
            .subject("dataset", dataset.id.to_string())
            .fact("slug", dataset.slug.as_str())
            .fact(
                "level",
                dataset
                    .level
                    .map_or_else(|| "none".to_owned(), |level| level.to_string()),
            )
            .build()
            .map_err(|_| EntryError::Internal("ledger leaf"))?;
        db::ledger::append(&tx, &leaf, now).await?;
        tx.commit().await?;
        Ok(dataset)
    }

    /// Replaces level, description and declaration of the entry that is still at `revision`.
    ///
    /// Once released, level and declaration stay: what was decided on must not change under those who rely on it.
    ///
    /// # Errors
    /// If the actor is no officer of its department, the revision is another, or the change does not fit.
    pub async fn update(
        &self,
        actor: &Actor,
        slug: &Slug,
        revision: i64,
        change: EntryChange,
    ) -> Result<Dataset, EntryError> {
        let parts = &self.parts;
        let mut dataset = self.load_for(actor, slug, Action::UploadVersion).await?;
        check(change.level, &change.metadata, change.declared.as_ref())?;
        let same_terms = dataset.level == change.level
            && dataset.declared == change.declared
            && dataset.metadata.special == change.metadata.special;
        if !same_terms && dataset.state != DatasetState::Draft {
            return Err(Obstacle::Released.into());
        }
        if !same_terms
            && db::request::find_open_release(parts.db.read(), dataset.id)
                .await?
                .is_some()
        {
            return Err(Obstacle::ReleaseRequested.into());
        }
        let now = parts.clock.now();
        dataset.revision = revision;
        dataset.level = change.level;
        dataset.metadata = change.metadata;
        dataset.declared = change.declared;
        dataset.updated_at = now;
        let policy = self.budget_policy().await?;
        let tx = parts.db.begin_write().await?;
        dataset.revision = db::dataset::update(&tx, &dataset).await?;
        if !same_terms {
            db::allocation::set_lineage_terms(&tx, &lineage(&dataset, &policy, now)?).await?;
            self.requeue_quarantined(&tx, &dataset, now).await?;
        }
        if dataset.state == DatasetState::Released {
            crate::index::announce(&tx, dataset.id, now).await?;
        }
        tx.commit().await?;
        Ok(dataset)
    }
}

/// The rules that level, description and declaration keep together.
pub(crate) fn check(
    level: Option<Level>,
    metadata: &EntryMetadata,
    declared: Option<&DeclaredMetadata>,
) -> Result<(), EntryError> {
    metadata.check().map_err(Rule::from)?;
    if let (Some(level), Some(declared)) = (level, declared) {
        let least = declared.least_level();
        if level < least {
            return Err(Rule::LevelBelowField { level, least }.into());
        }
        if level.is_open() && declared.unit().is_some() {
            return Err(Rule::UnitOfOpenData.into());
        }
    }
    Ok(())
}

/// The account of everything that outsiders learn of this dataset, with the caps of the policy in force.
fn lineage(dataset: &Dataset, policy: &BudgetPolicy, now: Timestamp) -> Result<Lineage, EntryError> {
    let unit = dataset.declared.as_ref().and_then(DeclaredMetadata::unit);
    let delta = Delta::promise(unit.map_or(MAX_DECLARED, |unit| unit.max_units));
    // The promised δ pays for the conversion and for the charges' own δ: `cap` splits it.
    let cap = |epsilon: f64| {
        let epsilon = Epsilon::new(epsilon).ok_or(EntryError::Internal("epsilon of the budget policy"))?;
        let cap = privacy::conversion::cap(epsilon, delta);
        let rho_nano = i64::try_from(cap.rho.nano()).map_err(|_| EntryError::Internal("rho"))?;
        Ok::<_, EntryError>(Cost {
            rho_nano,
            delta_atto: atto_down(cap.delta),
        })
    };
    let protected = unit.is_some();
    let window = if protected {
        cap(policy.lineage_epsilon)?.rho_nano
    } else {
        0
    };
    let lifetime = if protected {
        cap(policy.lifetime_epsilon)?
    } else {
        Cost::default()
    };
    Ok(Lineage {
        id: dataset.lineage_id,
        unit_type: unit.map(|unit| unit.unit_type),
        lifetime_cap: lifetime,
        lifetime_spent: Cost::default(),
        rho_window_cap_nano: window,
        rho_remaining_nano: window,
        rho_reserved_nano: 0,
        window_days: i64::from(policy.lineage_days),
        created_at: now,
    })
}

/// The database counts δ in 10⁻¹⁸; caps are rounded down.
fn atto_down(delta: Delta) -> i64 {
    i64::try_from(delta.units() / 1_000).unwrap_or(i64::MAX)
}
