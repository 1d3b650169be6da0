//! The enterprises of the city: what they are follows from their number alone.

use crate::city::{City, district_weights};
use crate::distribution::{Curve, Weighted};
use crate::identity_number::CreditCode;
use crate::random::{Draw, Permutation, Stream};

/// The 20 sections of GB/T 4754-2017 (national economic activities), A to T.
pub const INDUSTRIES: [&str; 20] = [
    "农、林、牧、渔业",
    "采矿业",
    "制造业",
    "电力、热力、燃气及水生产和供应业",
    "建筑业",
    "批发和零售业",
    "交通运输、仓储和邮政业",
    "住宿和餐饮业",
    "信息传输、软件和信息技术服务业",
    "金融业",
    "房地产业",
    "租赁和商务服务业",
    "科学研究和技术服务业",
    "水利、环境和公共设施管理业",
    "居民服务、修理和其他服务业",
    "教育",
    "卫生和社会工作",
    "文化、体育和娱乐业",
    "公共管理、社会保障和社会组织",
    "国际组织",
];

/// How many enterprises are in each section, relative to the others.
const INDUSTRY_WEIGHTS: [f64; 20] = [
    30.0, 3.0, 140.0, 5.0, 75.0, 320.0, 35.0, 60.0, 65.0, 10.0, 30.0, 105.0, 60.0, 8.0, 38.0, 14.0, 9.0,
    24.0, 2.0, 0.3,
];

/// Taxpayer credit grades (纳税信用级别), best first: a domain of 5.
pub const CREDIT_GRADES: [&str; 5] = ["A", "B", "M", "C", "D"];

/// Yearly revenue in yuan.
const REVENUE: Curve = Curve(&[
    (0.0, 0.0),
    (0.08, 20_000.0),
    (0.3, 280_000.0),
    (0.5, 1.2e6),
    (0.7, 5.5e6),
    (0.85, 2.4e7),
    (0.95, 1.5e8),
    (0.99, 8.0e8),
    (0.999, 2.2e9),
    (1.0, 3.0e9),
]);

/// Employees.
const EMPLOYEES: Curve = Curve(&[
    (0.0, 1.0),
    (0.3, 3.0),
    (0.5, 7.0),
    (0.7, 18.0),
    (0.85, 60.0),
    (0.95, 260.0),
    (0.99, 1_300.0),
    (0.999, 5_200.0),
    (1.0, 9_000.0),
]);

/// An enterprise.
#[derive(Debug, Clone, Copy)]
pub struct Enterprise {
    /// The unified social credit code, valid and unique.
    pub credit_code: CreditCode,
    /// Index into [`INDUSTRIES`].
    pub industry: usize,
    /// Index into [`DISTRICTS`](crate::city::DISTRICTS).
    pub district: usize,
    /// Index into [`CREDIT_GRADES`].
    pub credit_grade: usize,
    /// Revenue of an ordinary year, in yuan.
    pub yearly_revenue: f64,
    /// Employees in an ordinary quarter.
    pub employees: f64,
}

/// All enterprises of a city.
#[derive(Debug, Clone)]
pub struct Enterprises {
    seed: u64,
    count: u64,
    numbers: Permutation,
    industries: Weighted,
    districts: Weighted,
    grades: Weighted,
}

impl Enterprises {
    /// The enterprises of a city.
    pub fn new(city: &City) -> Self {
        Self {
            seed: city.seed,
            count: city.scale.enterprises(),
            numbers: Permutation::new(city.seed, Stream::EnterpriseNumber, 0, CreditCode::NUMBERS),
            industries: Weighted::new(&INDUSTRY_WEIGHTS),
            districts: Weighted::new(&district_weights()),
            grades: Weighted::new(&[12.0, 55.0, 24.0, 6.0, 3.0]),
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Enterprise `number` (below [`Self::count`]).
    pub fn get(&self, number: u64) -> Enterprise {
        let mut draw = Draw::new(self.seed, Stream::Enterprise, number);
        let district = self.districts.sample(&mut draw);
        let size = draw.unit();
        let staff = (0.8 * size + 0.2 * draw.unit()).min(1.0);
        Enterprise {
            credit_code: CreditCode::new(990_102 + district as u32, self.numbers.apply(number)),
            industry: self.industries.sample(&mut draw),
            district,
            credit_grade: self.grades.sample(&mut draw),
            yearly_revenue: REVENUE.quantile(size),
            employees: EMPLOYEES.quantile(staff),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::Scale;
    use crate::identity_number::tests::is_credit_code;

    #[test]
    fn credit_codes_are_valid_and_unique() {
        let enterprises = Enterprises::new(&City::new(3, Scale::DEMO));
        let mut seen = HashSet::new();
        for number in 0..20_000 {
            let enterprise = enterprises.get(number);
            assert!(is_credit_code(enterprise.credit_code.as_str()));
            assert!(seen.insert(enterprise.credit_code));
            assert!(enterprise.yearly_revenue >= 0.0 && enterprise.employees >= 1.0);
        }
    }

    #[test]
    fn a_few_enterprises_hold_most_of_the_revenue() {
        let enterprises = Enterprises::new(&City::new(3, Scale::TEST));
        let mut revenue: Vec<f64> = (0..enterprises.count())
            .map(|n| enterprises.get(n).yearly_revenue)
            .collect();
        revenue.sort_by(|a, b| b.total_cmp(a));
        let (top, all) = (
            revenue[..revenue.len() / 20].iter().sum::<f64>(),
            revenue.iter().sum::<f64>(),
        );
        assert!(top / all > 0.6, "the top 5 % have {:.2}", top / all);
    }
}
