//! Projects as their analysts see them: datasets, budget spent and left.

use db::allocation::Allocation;
use db::dataset::Dataset;
use db::project::Project;
use identity::{Action, Actor, Resource};
use model::{ProjectId, Timestamp};
use privacy::{Delta, Rho};

use crate::{JobError, Obstacle, Sandbox};

/// A dataset of a project, with what may still be spent on it.
#[derive(Debug, Clone)]
pub struct Budget {
    /// The dataset.
    pub dataset: Dataset,
    /// What was approved and what is left; none for data that is not charged for (L2).
    pub allocation: Option<Allocation>,
}

/// A project as its members see it.
#[derive(Debug, Clone)]
pub struct ProjectView {
    /// The project.
    pub project: Project,
    /// Its datasets.
    pub budgets: Vec<Budget>,
}

impl Budget {
    /// The budget after a charge of so much ρ, in nano; none if it does not suffice.
    pub fn after(&self, rho_nano: i64) -> Option<Self> {
        let mut after = self.clone();
        let allocation = after.allocation.as_mut()?;
        if allocation.remaining.rho_nano < rho_nano {
            return None;
        }
        allocation.remaining.rho_nano -= rho_nano;
        Some(after)
    }

    /// How many more questions of this price the budget pays for.
    pub fn questions(&self, rho_nano: i64) -> i64 {
        let left = self.allocation.as_ref().map_or(0, |a| a.remaining.rho_nano);
        if rho_nano > 0 { left / rho_nano } else { 0 }
    }

    /// How many more jobs of this ε, at the lineage's δ, the budget pays for.
    pub fn jobs(&self, epsilon: f64) -> i64 {
        let unit = self
            .dataset
            .declared
            .as_ref()
            .and_then(model::DeclaredMetadata::unit);
        let (Some(unit), Some(epsilon)) = (unit, privacy::Epsilon::new(epsilon)) else {
            return 0;
        };
        let rho = privacy::conversion::cap(epsilon, Delta::promise(unit.max_units)).rho;
        i64::try_from(rho.nano()).map_or(0, |nano| self.questions(nano))
    }

    /// ε that was spent in the window, for display, and the share of the approved ρ that it is.
    pub fn spent(&self) -> Option<(f64, f64)> {
        let mut spent = self.clone();
        let allocation = spent.allocation.as_mut()?;
        let (cap, nano) = (
            allocation.cap.rho_nano,
            allocation.cap.rho_nano - allocation.remaining.rho_nano,
        );
        allocation.remaining.rho_nano = nano;
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let share = if cap > 0 { nano as f64 / cap as f64 } else { 0.0 };
        Some((spent.epsilons()?.1, share))
    }

    /// ε that was approved and that is left, at the lineage's δ: for display; ε does not add up, ρ does.
    pub fn epsilons(&self) -> Option<(f64, f64)> {
        let allocation = self.allocation.as_ref()?;
        let unit = self.dataset.declared.as_ref()?.unit()?;
        // The inverse of `cap`: half of the promised δ serves the conversion.
        let delta = Delta::from_units(Delta::promise(unit.max_units).units() / 2);
        let epsilon = |nano: i64| {
            let rho = Rho::from_nano(u64::try_from(nano).unwrap_or(0));
            privacy::conversion::epsilon(rho, delta).map_or(0.0, |e| e.value())
        };
        Some((
            epsilon(allocation.cap.rho_nano),
            epsilon(allocation.remaining.rho_nano),
        ))
    }
}

impl Sandbox {
    /// A project with its datasets and budgets.
    ///
    /// # Errors
    /// [`JobError::NotFound`] if there is none or the actor may not know of it: the two look alike.
    pub async fn project(&self, actor: &Actor, id: ProjectId) -> Result<ProjectView, JobError> {
        let db = &self.parts.db;
        let none = || JobError::NotFound("project");
        let project = db::project::find(db.read(), id).await?.ok_or_else(none)?;
        self.parts
            .authority
            .decide(
                actor,
                Action::ViewProject,
                &of_project(&project, self.parts.clock.now()),
            )
            .map_err(|_| none())?;
        let now = self.parts.clock.now();
        let allocations = db::allocation::list_of_project(db.read(), id, now).await?;
        let datasets = db::project::list_datasets(db.read(), id).await?;
        let mut budgets = Vec::with_capacity(datasets.len());
        for (dataset, allocation) in datasets {
            let dataset = db::dataset::load(db.read(), dataset).await?;
            let allocation = allocations
                .iter()
                .find(|a| Some(a.id.as_uuid()) == allocation)
                .cloned();
            budgets.push(Budget { dataset, allocation });
        }
        Ok(ProjectView { project, budgets })
    }

    /// The projects of the actor's own enterprise, newest first.
    ///
    /// # Errors
    /// If the actor is nobody's analyst.
    pub async fn list_projects(
        &self,
        actor: &Actor,
        before: Option<ProjectId>,
        limit: u64,
    ) -> Result<Vec<Project>, JobError> {
        let (_, organization) = actor.person()?;
        let own = Resource::organization(organization);
        self.parts.authority.decide(actor, Action::ListProjects, &own)?;
        Ok(db::project::list(self.parts.db.read(), organization, before, limit).await?)
    }
}

/// What is said to whoever would use a project past its end.
pub(crate) fn ended() -> JobError {
    Obstacle::Ended.into()
}

/// What the authority is told of a project.
pub(crate) fn of_project(project: &Project, now: Timestamp) -> Resource {
    Resource::project(
        project.organization_id,
        project.active && project.expires_at > now,
    )
}
