//! What the portal is, what the levels mean, what problems there are.

use askama::Template;
use model::Level;

use super::shell::Shell;
use crate::problem::Code;

/// The limits in force, as the policy row of the day says (privacy.md "Accounting").
#[derive(Debug, Clone, Copy)]
pub struct BudgetRules {
    /// The most ε of one job.
    pub job: f64,
    /// The most ε of a project on a lineage in the project window.
    pub project: f64,
    /// The project window in days.
    pub project_days: u32,
    /// The most ε of a lineage over everyone in the lineage window.
    pub lineage: f64,
    /// The lineage window in days.
    pub lineage_days: u32,
    /// The most ε of a lineage in its lifetime.
    pub lifetime: f64,
}

/// `GET /about`.
#[derive(Debug, Clone, Template)]
#[template(path = "about.html")]
pub struct AboutPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The limits in force.
    pub budget: BudgetRules,
}

impl AboutPage {
    fn levels(&self) -> [Level; 4] {
        Level::ALL
    }
}

/// `GET /problems`: every code with its meaning; the `type` of a problem points here.
#[derive(Debug, Clone, Template)]
#[template(path = "problems.html")]
pub struct ProblemListPage {
    /// What surrounds the page.
    pub shell: Shell,
}

impl ProblemListPage {
    fn codes(&self) -> &'static [Code] {
        Code::ALL
    }
}
