//! Who people are to the portal: kinds of organisations, roles in them, scopes of tokens.

use serde::{Deserialize, Serialize};

/// What an organisation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrganizationKind {
    /// 数据提供部门: holds and publishes data.
    Department,
    /// 大数据局: decides requests and runs the portal.
    Bureau,
    /// Uses conditional data.
    Enterprise,
    /// 第三方评估: gives independent opinions.
    Assessor,
    /// Members of the public who registered.
    Public,
}

/// What a user does, within their organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Uses open data, with an account.
    Developer,
    /// Applies for conditional data and runs jobs.
    Analyst,
    /// Publishes their department's data.
    Officer,
    /// Decides requests at the bureau.
    Reviewer,
    /// Gives security opinions.
    Assessor,
    /// Reads every decision, changes nothing.
    Auditor,
    /// Manages organisations and accounts; sees no data and decides no request.
    Admin,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 7] = [
        Self::Developer,
        Self::Analyst,
        Self::Officer,
        Self::Reviewer,
        Self::Assessor,
        Self::Auditor,
        Self::Admin,
    ];

    /// The stable name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Developer => "developer",
            Self::Analyst => "analyst",
            Self::Officer => "officer",
            Self::Reviewer => "reviewer",
            Self::Assessor => "assessor",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }

    /// The role of a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// Whether this role can be held in this kind of organisation
    /// (GB/T 39477-2020: management, audit and operation are separate).
    pub const fn fits(self, kind: OrganizationKind) -> bool {
        match self {
            Self::Developer => true,
            Self::Analyst => matches!(kind, OrganizationKind::Enterprise),
            Self::Officer => matches!(kind, OrganizationKind::Department),
            Self::Reviewer | Self::Auditor | Self::Admin => matches!(kind, OrganizationKind::Bureau),
            Self::Assessor => matches!(kind, OrganizationKind::Assessor),
        }
    }
}

impl OrganizationKind {
    /// The stable name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Department => "department",
            Self::Bureau => "bureau",
            Self::Enterprise => "enterprise",
            Self::Assessor => "assessor",
            Self::Public => "public",
        }
    }

    /// The kind of a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Department,
            Self::Bureau,
            Self::Enterprise,
            Self::Assessor,
            Self::Public,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == name)
    }
}

/// What an API token may be used for; never more than its owner may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// Read the catalogue and open data, at the token's own rate.
    #[serde(rename = "catalog:read")]
    CatalogRead,
    /// Create entries, upload versions, submit release requests.
    #[serde(rename = "dataset:write")]
    DatasetWrite,
    /// Read, advise on and decide requests.
    #[serde(rename = "review:write")]
    ReviewWrite,
    /// Apply for access, estimate, run jobs, read results.
    #[serde(rename = "sandbox:use")]
    SandboxUse,
    /// Manage organisations and accounts.
    #[serde(rename = "admin:write")]
    AdminWrite,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 5] = [
        Self::CatalogRead,
        Self::DatasetWrite,
        Self::ReviewWrite,
        Self::SandboxUse,
        Self::AdminWrite,
    ];

    /// The stable name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CatalogRead => "catalog:read",
            Self::DatasetWrite => "dataset:write",
            Self::ReviewWrite => "review:write",
            Self::SandboxUse => "sandbox:use",
            Self::AdminWrite => "admin:write",
        }
    }

    /// The scope of a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for role in Role::ALL {
            assert_eq!(Role::from_name(role.as_str()), Some(role));
        }
        for scope in Scope::ALL {
            assert_eq!(Scope::from_name(scope.as_str()), Some(scope));
            assert_eq!(serde_json::json!(scope), scope.as_str());
        }
        assert_eq!(Role::from_name("root"), None);
    }

    #[test]
    fn nobody_decides_from_the_wrong_house() {
        assert!(!Role::Reviewer.fits(OrganizationKind::Department));
        assert!(!Role::Officer.fits(OrganizationKind::Bureau));
        assert!(!Role::Assessor.fits(OrganizationKind::Enterprise));
    }
}
