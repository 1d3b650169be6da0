//! The organisations of the city that take part in the portal.

use crate::spec::Text;

/// What an organisation is to the portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrganizationKind {
    /// Holds and publishes data (数据提供部门).
    Department,
    /// Decides requests and runs the portal (大数据局).
    Bureau,
    /// Uses conditional data.
    Enterprise,
    /// Gives independent opinions (第三方评估).
    Assessor,
}

/// An organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Organization {
    /// Short name for addresses.
    pub slug: &'static str,
    /// Full name.
    pub name: Text,
    /// What it is to the portal.
    pub kind: OrganizationKind,
    /// GB/T 2260-like code of its seat.
    pub region: &'static str,
}

const fn organization(
    slug: &'static str,
    kind: OrganizationKind,
    region: &'static str,
    zh: &'static str,
    en: &'static str,
) -> Organization {
    Organization {
        slug,
        name: Text { zh, en },
        kind,
        region,
    }
}

use OrganizationKind::{Assessor, Bureau, Department, Enterprise};

/// 交通运输局.
pub const TRANSPORT: Organization = organization(
    "transport-bureau",
    Department,
    "990100",
    "云州市交通运输局",
    "Yunzhou Transport Bureau",
);
/// 卫生健康委.
pub const HEALTH: Organization = organization(
    "health-commission",
    Department,
    "990100",
    "云州市卫生健康委员会",
    "Yunzhou Health Commission",
);
/// 税务局.
pub const TAXATION: Organization = organization(
    "tax-bureau",
    Department,
    "990100",
    "云州市税务局",
    "Yunzhou Taxation Bureau",
);
/// 生态环境局.
pub const ECOLOGY: Organization = organization(
    "ecology-bureau",
    Department,
    "990100",
    "云州市生态环境局",
    "Yunzhou Ecology and Environment Bureau",
);
/// 民政局.
pub const CIVIL_AFFAIRS: Organization = organization(
    "civil-affairs-bureau",
    Department,
    "990100",
    "云州市民政局",
    "Yunzhou Civil Affairs Bureau",
);
/// 大数据局.
pub const DATA_BUREAU: Organization = organization(
    "data-bureau",
    Bureau,
    "990100",
    "云州市大数据局",
    "Yunzhou Big Data Bureau",
);
/// The first enterprise.
pub const MOBILITY: Organization = organization(
    "yunxing-mobility",
    Enterprise,
    "990102",
    "云州云行出行科技有限公司",
    "Yunxing Mobility Technology Co., Ltd.",
);
/// The second enterprise.
pub const INSIGHT: Organization = organization(
    "hengjing-insight",
    Enterprise,
    "990104",
    "云州衡镜数据服务有限公司",
    "Hengjing Data Services Co., Ltd.",
);
/// The assessor.
pub const ASSESSOR: Organization = organization(
    "data-security-institute",
    Assessor,
    "990103",
    "云州数据安全评估研究院",
    "Yunzhou Institute for Data Security Assessment",
);

/// All of them.
pub const ORGANIZATIONS: [Organization; 9] = [
    TRANSPORT,
    HEALTH,
    TAXATION,
    ECOLOGY,
    CIVIL_AFFAIRS,
    DATA_BUREAU,
    MOBILITY,
    INSIGHT,
    ASSESSOR,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_played() {
        let count = |kind| ORGANIZATIONS.iter().filter(|o| o.kind == kind).count();
        assert_eq!(
            [
                count(Department),
                count(Bureau),
                count(Enterprise),
                count(Assessor)
            ],
            [5, 1, 2, 1]
        );
        let slugs: std::collections::HashSet<_> = ORGANIZATIONS.iter().map(|o| o.slug).collect();
        assert_eq!(slugs.len(), ORGANIZATIONS.len());
        for organization in ORGANIZATIONS {
            assert!(
                (6..=20).contains(&organization.name.zh.chars().count()),
                "{}",
                organization.name.zh
            );
        }
    }
}
