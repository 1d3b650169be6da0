//! Quarterly tax of enterprises: one row per enterprise and quarter, quarter by quarter.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Float64Builder, Int64Builder, RecordBatch, StringBuilder};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use crate::city::{City, DISTRICTS, Defects, Scale, district_names};
use crate::enterprise::{CREDIT_GRADES, Enterprises, INDUSTRIES};
use crate::identity_number::push_bad_credit_code;
use crate::organization::TAXATION;
use crate::random::{Draw, Permutation, Stream};
use crate::spec::{ColumnRole, ColumnSpec, Level, TableSpec, UnitSpec, UnitType, text};
use crate::table::{Rows, Table};
use crate::text_buffer::TextBuffer;
use crate::visit::yuan;

/// Rows at scale 1.
pub(crate) const BASE_ROWS: u64 = 1_200_000;

/// The most rows of one enterprise that are declared: one per quarter.
pub const MAX_ROWS_PER_ENTERPRISE: u32 = 12;

/// The quarters: a domain of 12.
pub const QUARTERS: [&str; 12] = [
    "2023Q1", "2023Q2", "2023Q3", "2023Q4", "2024Q1", "2024Q2", "2024Q3", "2024Q4", "2025Q1", "2025Q2",
    "2025Q3", "2025Q4",
];

/// Revenue by quarter of the year: weak around the Spring Festival, strong at the end.
const SEASON: [f64; 4] = [0.84, 0.98, 1.0, 1.16];

/// VAT as a share of revenue by section of GB/T 4754, about the real burden.
const VAT_SHARE: [f64; 20] = [
    0.004, 0.052, 0.034, 0.041, 0.027, 0.018, 0.023, 0.021, 0.032, 0.036, 0.045, 0.029, 0.026, 0.022, 0.02,
    0.009, 0.006, 0.02, 0.003, 0.01,
];

/// Quarterly revenue up to which small taxpayers are exempt, in yuan (300,000: announcement 2023 No. 1 of the
/// Ministry of Finance and the State Taxation Administration).
const EXEMPT: f64 = 300_000.0;

/// What is declared of enterprise tax.
pub(crate) fn spec(scale: Scale) -> TableSpec {
    use ColumnRole::{QuasiIdentifier, Sensitive, UnitKey};
    use Level::{L2, L3};
    let columns = vec![
        ColumnSpec::utf8(
            "credit_code",
            text("统一社会信用代码", "Credit code"),
            text(
                "纳税人的统一社会信用代码",
                "Unified social credit code of the taxpayer",
            ),
        )
        .graded(UnitKey, L3),
        ColumnSpec::utf8(
            "quarter",
            text("所属季度", "Quarter"),
            text(
                "税款所属季度，如 2025Q1",
                "Quarter the tax is for, such as 2025Q1",
            ),
        )
        .graded(ColumnRole::Attribute, L2)
        .among(&QUARTERS),
        ColumnSpec::utf8(
            "industry",
            text("行业门类", "Industry"),
            text(
                "国民经济行业门类（GB/T 4754）",
                "Section of the national economic activities (GB/T 4754)",
            ),
        )
        .graded(QuasiIdentifier, L2)
        .among(&INDUSTRIES),
        ColumnSpec::utf8(
            "district",
            text("所在区县", "District"),
            text("注册地所在区县", "District where the enterprise is registered"),
        )
        .graded(QuasiIdentifier, L2)
        .among(&district_names())
        .unit_static(),
        ColumnSpec::number(
            "revenue_yuan",
            text("营业收入", "Revenue"),
            text("当季营业收入，元", "Revenue of the quarter, in yuan"),
        )
        .graded(Sensitive, L3)
        .within(0.0, 1e9),
        ColumnSpec::number(
            "vat_yuan",
            text("增值税", "VAT"),
            text(
                "当季应纳增值税，元",
                "Value-added tax due for the quarter, in yuan",
            ),
        )
        .graded(Sensitive, L3)
        .within(0.0, 1e8),
        ColumnSpec::integer(
            "employees",
            text("从业人数", "Employees"),
            text("季末从业人数", "Employees at the end of the quarter"),
        )
        .graded(QuasiIdentifier, L3)
        .within(0.0, 10_000.0),
        ColumnSpec::utf8(
            "credit_grade",
            text("纳税信用级别", "Credit grade"),
            text(
                "最近一次评定的纳税信用级别",
                "Taxpayer credit grade at the last assessment",
            ),
        )
        .graded(Sensitive, L3)
        .among(&CREDIT_GRADES)
        .unit_static(),
    ];
    TableSpec {
        slug: Table::EnterpriseTax.slug(),
        title: text("企业季度纳税记录", "Quarterly tax of enterprises"),
        summary: text(
            "云州市企业 2023 至 2025 年逐季纳税记录，含行业、区县、营业收入、增值税、从业人数和纳税信用级别。\
             仅可在数据沙箱中使用。",
            "Quarterly tax records of Yunzhou's enterprises, 2023 to 2025: industry, district, revenue, VAT, \
             employees and credit grade. For use in the sandbox only.",
        ),
        keywords: &[
            "税收",
            "企业",
            "营业收入",
            "增值税",
            "纳税信用",
            "tax",
            "revenue",
            "enterprises",
        ],
        theme: "finance",
        level: L3,
        special: false,
        department: TAXATION,
        update_cycle: "quarterly",
        license: "agreement",
        conditions: Some(text(
            "经申请批准后在数据沙箱内使用，不得尝试识别企业。",
            "After an approved request, inside the sandbox only; no attempt to identify enterprises.",
        )),
        columns,
        unit: Some(UnitSpec::new(
            "credit_code",
            UnitType::Enterprise,
            scale.enterprises(),
            MAX_ROWS_PER_ENTERPRISE,
        )),
    }
}

/// Rows at a scale.
pub(crate) fn rows(scale: Scale) -> u64 {
    scale.enterprises() * u64::from(MAX_ROWS_PER_ENTERPRISE)
}

pub(crate) struct TaxRows {
    schema: SchemaRef,
    seed: u64,
    defects: Defects,
    enterprises: Enterprises,
    orders: [Permutation; 12],
    overactive: u64,
}

impl TaxRows {
    pub(crate) fn new(city: &City) -> Self {
        let enterprises = Enterprises::new(city);
        let order =
            |quarter| Permutation::new(city.seed, Stream::TaxOrder, quarter as u64, enterprises.count());
        Self {
            schema: Table::EnterpriseTax.schema(),
            seed: city.seed,
            defects: city.defects,
            orders: std::array::from_fn(order),
            overactive: city.overactive(enterprises.count()),
            enterprises,
        }
    }
}

impl Rows for TaxRows {
    fn row_count(&self) -> u64 {
        self.enterprises.count() * u64::from(MAX_ROWS_PER_ENTERPRISE)
    }

    fn batch(&self, rows: Range<u64>) -> Result<RecordBatch, ArrowError> {
        let n = (rows.end - rows.start) as usize;
        let text = |width: usize| StringBuilder::with_capacity(n, n * width);
        let (mut credit_code, mut quarter, mut industry, mut district) =
            (text(18), text(6), text(27), text(10));
        let numbers = || Float64Builder::with_capacity(n);
        let (mut revenue_yuan, mut vat_yuan) = (numbers(), numbers());
        let mut employees = Int64Builder::with_capacity(n);
        let mut credit_grade = text(1);
        let misses = self.defects.missing_values;
        let count = self.enterprises.count();
        for row in rows {
            let mut draw = Draw::new(self.seed, Stream::Tax, row);
            let at = (row / count) as usize;
            let mut number = self.orders[at].apply(row % count);
            // The last enterprises' rows are filed by the first ones, which so file twice.
            if number >= count - self.overactive {
                number -= count - self.overactive;
            }
            let enterprise = self.enterprises.get(number);

            if draw.one_of_million(self.defects.bad_keys) {
                let mut bad = TextBuffer::new();
                push_bad_credit_code(&mut bad, &enterprise.credit_code, &mut draw);
                credit_code.append_option((draw.below(2) == 0).then_some(bad.as_str()));
            } else {
                credit_code.append_value(enterprise.credit_code.as_str());
            }
            quarter.append_value(QUARTERS[at]);
            // Some enterprises report another line of business now and then, so this is not static.
            let line = if draw.below(200) == 0 {
                11
            } else {
                enterprise.industry
            };
            industry.append_option((!draw.one_of_million(misses / 2)).then_some(INDUSTRIES[line]));
            district.append_value(DISTRICTS[enterprise.district].zh);

            let growth = 0.94 + 0.03 * (at / 4) as f64;
            let noise = 0.7 + 0.3 * (draw.unit() + draw.unit());
            let mut revenue =
                yuan((enterprise.yearly_revenue / 4.0 * SEASON[at % 4] * growth * noise).min(1e9));
            let burden = VAT_SHARE[line] * (0.4 + 1.2 * draw.unit());
            let exempt = revenue <= EXEMPT || draw.below(100) < 9;
            let mut vat = if exempt {
                0.0
            } else {
                yuan((revenue * burden).min(1e8))
            };
            let mut staff = (enterprise.employees * (0.9 + 0.2 * draw.unit())) as i64;
            if draw.one_of_million(self.defects.absurd_rows) {
                match draw.below(4) {
                    0 => revenue = revenue * 10_000.0 + 2e12,
                    1 => revenue = -revenue - 1.0,
                    2 => vat = -vat - 88_888.88,
                    _ => staff = 99_999_999,
                }
            }
            revenue_yuan.append_option((!draw.one_of_million(misses)).then_some(revenue));
            vat_yuan.append_option((!draw.one_of_million(misses)).then_some(vat));
            employees.append_option((!draw.one_of_million(5 * misses)).then_some(staff));
            credit_grade.append_value(CREDIT_GRADES[enterprise.credit_grade]);
        }
        RecordBatch::try_new(
            Arc::clone(&self.schema),
            vec![
                Arc::new(credit_code.finish()),
                Arc::new(quarter.finish()),
                Arc::new(industry.finish()),
                Arc::new(district.finish()),
                Arc::new(revenue_yuan.finish()),
                Arc::new(vat_yuan.finish()),
                Arc::new(employees.finish()),
                Arc::new(credit_grade.finish()),
            ],
        )
    }
}
