//! Refusals: the rule a query breaks, where, and how to rewrite it. A refusal costs nothing and looks at no data.

use std::fmt;

use model::{Category, Language};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest detail of a refusal, in characters.
pub const MAX_DETAIL: usize = 300;

/// The detail of a refusal where the planner panicked: a bug of ours.
pub const PANICKED: &str = "the planner could not read it";

macro_rules! rules {
    ($($(#[$doc:meta])* $variant:ident = $id:literal, $zh:literal, $en:literal, $zh_hint:literal, $en_hint:literal;)+) => {
        /// A rule of the sandbox's SQL. Its id is stable: programs match on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Rule {
            $($(#[$doc])* $variant,)+
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable id.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id),+ }
            }

            /// What the rule says.
            pub const fn message(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Self::$variant, Language::Zh) => $zh, (Self::$variant, Language::En) => $en,)+
                }
            }

            /// How to rewrite the query.
            pub const fn hint(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Self::$variant, Language::Zh) => $zh_hint, (Self::$variant, Language::En) => $en_hint,)+
                }
            }
        }
    };
}

rules! {
    /// Over the length cap.
    TooLong = "too-long", "SQL 过长。", "The SQL is too long.",
        "请缩短到 64 KB 以内。", "Shorten it to at most 64 KB.";
    /// Parentheses nested too deeply.
    TooDeep = "too-deep", "嵌套过深。", "The SQL is nested too deeply.",
        "括号与表达式嵌套不超过 40 层。", "Nest parentheses and expressions at most 40 deep.";
    /// Too many operators or words.
    TooComplex = "too-complex", "表达式过多。", "The SQL has too many operators or words.",
        "请减少运算符；多值比较请用 IN (…)。", "Use fewer operators; compare with many values by IN (…).";
    /// Not SQL.
    Syntax = "syntax", "SQL 语法错误。", "The SQL cannot be parsed.",
        "请检查所指位置附近的语法。", "Check the syntax near the place named.";
    /// None or several statements.
    OneStatement = "one-statement", "一次只能提交一条语句。", "A job is exactly one statement.",
        "请只保留一条 SELECT。", "Keep a single SELECT.";
    /// EXPLAIN, COPY, SET, CREATE and whatever else is no query.
    SelectOnly = "select-only", "只允许 SELECT。", "Only SELECT is allowed.",
        "请改写为 SELECT … FROM … WHERE … GROUP BY …。", "Write SELECT … FROM … WHERE … GROUP BY ….";
    /// WITH.
    Cte = "cte", "不支持这种 WITH 子句。", "This kind of WITH is not allowed.",
        "WITH 不能递归，名称不能与数据集相同。", "WITH is not recursive, and names nothing as the dataset is named.";
    /// UNION, INTERSECT, EXCEPT.
    SetOperation = "set-operation", "受保护数据上不支持集合运算。", "Set operations over protected data are not allowed.",
        "请分成多个作业，或用 CASE 与 GROUP BY。", "Split it into jobs, or use CASE with GROUP BY.";
    /// VALUES and TABLE.
    Values = "values", "不支持 VALUES 或 TABLE。", "VALUES and TABLE are not allowed.",
        "请从数据集查询。", "Select from the dataset.";
    /// A query inside the query.
    Subquery = "subquery", "此处不能使用这样的子查询。", "Such a subquery cannot stand here.",
        "子查询可写在 FROM 与 WITH 中；在 SELECT 与 HAVING 中可当作一个值，但须聚合为一行；在 WHERE 中写作 x IN (SELECT … 开放数据)；排除请用 LEFT ANTI JOIN。",
        "Subqueries stand in FROM and WITH; in SELECT and HAVING for a value, if they aggregate to one row; in WHERE as x IN (SELECT … of open data); to exclude use LEFT ANTI JOIN.";
    /// An outer join.
    OuterJoin = "outer-join", "这种外连接会产生不属于任何单位的行。", "This outer join can make rows that belong to no unit.",
        "请使用保留受保护数据一侧的 LEFT JOIN。", "Use a LEFT JOIN that keeps the rows of the protected side.";
    /// Any other join.
    Join = "join", "不支持这种连接。", "This kind of join is not allowed.",
        "请先写受保护的数据集，再写 JOIN … ON …；聚合结果之间写 JOIN 或 CROSS JOIN；多个公开表请先在子查询中连接。",
        "Write the protected dataset first, then JOIN … ON …; between results write JOIN or CROSS JOIN; join public tables with each other in a subquery.";
    /// A join of released figures with rows of a protected dataset.
    JoinReleased = "join-released", "聚合结果不能再与受保护的行连接。",
        "Released figures cannot be joined with protected rows.",
        "请先把每个受保护数据集分别聚合，再连接各自的结果；按单位的中间结果请在外层聚合。",
        "Aggregate each protected dataset, then join the results; aggregate what was grouped by the unit key once more.";
    /// A join of protected datasets by something else than their unit keys.
    JoinUnit = "join-unit", "受保护数据集之间只能按单位键连接。", "Protected datasets are joined by their unit keys only.",
        "请写 ON a.单位键 = b.单位键，其他条件用 AND 连接。", "Write ON a.unit_key = b.unit_key, with other conditions behind AND.";
    /// Protected datasets about different kinds of units.
    UnitTypes = "unit-types", "两个数据集的隐私单位类型不同。", "The datasets are about different kinds of privacy units.",
        "只有单位类型相同的数据集（如同为个人）才能连接。", "Only datasets about the same kind of unit, such as persons, can be joined.";
    /// A join without an equality.
    JoinCondition = "join-condition", "连接缺少等值条件。", "The join has no equality.",
        "请写 ON 受保护列 = 公开列。", "Write ON protected_column = public_column.";
    /// Joins that multiply a unit's rows too much.
    FanOut = "fan-out", "连接使一个单位的行数过多。", "The joins give one unit too many rows.",
        "请先按连接键聚合公开表，或先按单位键聚合受保护的数据集。",
        "Aggregate the public table by the join key first, or a protected dataset by its unit key.";
    /// More tables than a plan may have.
    TooManyTables = "too-many-tables", "表过多。", "There are too many tables.",
        "最多连接 8 个表。", "Join at most 8 tables.";
    /// A public relation that is too large to be part of a plan.
    PublicTooLarge = "public-too-large", "所连接的公开数据过大。", "The public data that is joined is too large.",
        "请用子查询过滤或聚合：最多 100000 行、1 MB。", "Filter or aggregate it in a subquery: at most 100,000 rows and 1 MB.";
    /// A public relation that cannot be computed.
    PublicQuery = "public-query", "公开数据部分无法计算。", "The public part of the query cannot be computed.",
        "请单独用开放数据 SQL 运行该部分并修正。", "Run that part on its own with SQL over open data, and mend it.";
    /// A function in FROM.
    TableFunction = "table-function", "不支持表函数。", "Table functions are not allowed.",
        "请从数据集查询。", "Select from the dataset.";
    /// A table that is not the granted one.
    UnknownTable = "unknown-table", "没有这个数据集，或项目未获授权。", "There is no such dataset in this project.",
        "数据集的 SQL 名称是其代号，连字符改为下划线。", "A dataset's SQL name is its slug with - written as _.";
    /// No FROM.
    NoTable = "no-table", "查询没有数据集。", "The query names no dataset.",
        "请写 FROM 数据集。", "Write FROM and the dataset's name.";
    /// Hints, samples, locks, INTO and similar clauses.
    Clause = "clause", "不支持这个子句。", "This clause is not allowed.",
        "只用 SELECT、FROM、WHERE、GROUP BY、HAVING、ORDER BY、LIMIT。",
        "Use SELECT, FROM, WHERE, GROUP BY, HAVING, ORDER BY and LIMIT only.";
    /// SELECT DISTINCT.
    Distinct = "distinct", "不支持 DISTINCT。", "DISTINCT is not allowed here.",
        "请用 GROUP BY；单位去重计数请用 COUNT(DISTINCT 单位键)。",
        "Use GROUP BY; count units by COUNT(DISTINCT the unit key).";
    /// ORDER BY over rows.
    OrderBy = "order-by", "行不能排序。", "Rows cannot be sorted.",
        "请先聚合，再对结果排序。", "Aggregate first; results can be sorted.";
    /// LIMIT over rows, or one that is no constant.
    Limit = "limit", "LIMIT 只能用于聚合结果，且须为常数。", "LIMIT cuts released results only, by a constant.",
        "请先聚合，再写 LIMIT 10 这样的常数。", "Aggregate first, then write a constant such as LIMIT 10.";
    /// Window functions.
    Window = "window", "不支持窗口函数。", "Window functions are not allowed.",
        "请用 GROUP BY；占比可把各组结果与总数用 CROSS JOIN 连接。",
        "Use GROUP BY; for shares join the groups with their total by CROSS JOIN.";
    /// GROUP BY ALL and the like.
    GroupingSets = "grouping-sets", "不支持这种分组写法。", "This way of grouping is not allowed.",
        "请列出分组键，或用 ROLLUP、CUBE、GROUPING SETS。", "List the keys, or use ROLLUP, CUBE or GROUPING SETS.";
    /// Quantiles where cells are not known.
    QuantileCells = "quantile-cells", "中位数与分位数只能按有公开取值范围的键分组。",
        "Quantiles need keys with declared domains.",
        "请按有取值表的列分组，或不分组。",
        "Group by keys with declared domains, or by nothing.";
    /// COUNT(DISTINCT x) in cells that are found, or of too many values.
    DistinctCells = "distinct-cells", "不同值的个数只能按有公开取值范围的键分组，数量也有上限。",
        "Different values are counted in cells of declared domains, and are limited in number.",
        "请按有取值表的列分组，或减少分组。",
        "Group by keys with declared domains, or more coarsely.";
    /// GROUP BY below the release without the unit key.
    InnerAggregation = "inner-aggregation", "内层聚合须按单位键分组。", "An inner aggregation groups by the unit key.",
        "请在内层 GROUP BY 中写上单位键。聚合结果不能再聚合：合计请用 ROLLUP。",
        "Put the unit key into the inner GROUP BY. A result is not aggregated again: ROLLUP gives its totals.";
    /// An aggregate that is not computed within a unit.
    InnerFunction = "inner-function", "内层聚合不支持该函数。", "This aggregate cannot be computed within a unit.",
        "内层可用 COUNT、SUM、AVG、MIN、MAX。", "Within a unit there are COUNT, SUM, AVG, MIN and MAX.";
    /// `*`.
    Wildcard = "wildcard", "不能选取行。", "Rows cannot be selected.",
        "请用 COUNT(*)、COUNT(DISTINCT 单位键) 或 SUM；聚合结果请写出列名。", "Use COUNT(*), COUNT(DISTINCT the unit key) or SUM; of a result name the columns.";
    /// No aggregate in the query.
    Rows = "rows", "查询不含聚合，会返回行。", "The query has no aggregate and would return rows.",
        "请加上 COUNT(*) 等聚合。", "Aggregate, for example by COUNT(*).";
    /// An aggregate where none can stand.
    PostProcessing = "post-processing", "此处不能使用聚合。", "An aggregate cannot stand here.",
        "聚合写在 SELECT、HAVING 或 ORDER BY 中。", "Aggregates stand in SELECT, HAVING or ORDER BY.";
    /// A function that is not on the list.
    UnknownFunction = "unknown-function", "没有这个函数，或不在允许之列。", "This function does not exist or is not on the list of allowed ones.",
        "请查看允许的函数列表（docs/sql.md）；date_format 与 strftime 请用 to_char。",
        "See the list of allowed functions (docs/sql.md); to_char stands for date_format and strftime.";
    /// random(), now() and the like.
    VolatileFunction = "volatile-function", "不支持结果会变的函数。", "Functions whose result changes from call to call are not allowed.",
        "请写出具体的日期或数值。", "Write the date or number out.";
    /// MIN, MAX, ARRAY_AGG, percentiles, …
    UnboundedAggregate = "unbounded-aggregate", "该聚合会暴露个别值。", "This aggregate would reveal single values.",
        "请用 COUNT、SUM、AVG、STDDEV、CORR 等；PERCENTILE_CONT 请改写为 QUANTILE(x, 0.5)；MIN、MAX 只能在单位内使用。", "Use COUNT, SUM, AVG, STDDEV, CORR and the like; QUANTILE(x, 0.5) for PERCENTILE_CONT; MIN and MAX within a unit.";
    /// ORDER BY, WITHIN GROUP or NULL treatment in an aggregate; rows counted as units that are none.
    AggregateClause = "aggregate-clause", "该聚合不支持此子句。", "This aggregate does not take this clause.",
        "条件请写入 WHERE、FILTER 或 CASE。", "Put conditions into WHERE, FILTER or CASE.";
    /// COUNT(DISTINCT x) of another column.
    DistinctValues = "distinct-values", "DISTINCT 只能用于 COUNT。", "DISTINCT is for COUNT alone.",
        "COUNT(DISTINCT x) 统计不同的值；其余聚合请去掉 DISTINCT。",
        "COUNT(DISTINCT x) counts different values; leave DISTINCT out of other aggregates.";
    /// `__unit` and other names of ours.
    SystemColumn = "system-column", "系统列不可用。", "System columns cannot be named.",
        "单位去重计数请用 COUNT(DISTINCT 单位键)。", "Count units by COUNT(DISTINCT the unit key).";
    /// No such column.
    UnknownColumn = "unknown-column", "没有这一列。", "There is no such column.",
        "请查看数据集的字段；直接标识符不在沙箱内。", "See the dataset's fields; direct identifiers are not in the sandbox.";
    /// The unit key outside COUNT(DISTINCT …).
    UnitKey = "unit-key", "单位键只能用于连接、内层 GROUP BY 与 COUNT(DISTINCT 单位键)。",
        "The unit key can only join, be an inner GROUP BY, and be counted distinct.",
        "请从其余位置去掉单位键；按条件计数请写 COUNT(DISTINCT 单位键) FILTER (WHERE …)。",
        "Remove the unit key from everywhere else; count those of a condition as COUNT(DISTINCT unit_key) FILTER (WHERE …).";
    /// A grouping key that is a number with a fraction.
    UndeclaredDomain = "undeclared-domain", "小数不能作为分组键。", "A number with a fraction cannot be a grouping key.",
        "请用 width_bucket、CAST(x AS BIGINT) 或 CASE 分段。",
        "Cut it into ranges by width_bucket, CAST(x AS BIGINT) or CASE.";
    /// Too many cells.
    TooManyCells = "too-many-cells", "单元格过多。", "The grouping has too many cells.",
        "请减少分组键或取值。", "Use fewer keys or coarser ones.";
    /// A constant as a grouping key, or too many keys or aggregates.
    TooManyColumns = "too-many-columns", "分组键或聚合过多。", "There are too many keys or aggregates.",
        "每次聚合最多 8 个分组键、16 个合计；全部最多 16 次聚合、64 个合计。",
        "Use at most 8 keys and 16 totals in an aggregation, and 16 aggregations with 64 totals in all.";
    /// A sum without bounds.
    MissingBounds = "missing-bounds", "求和的表达式没有上下界。", "The summed expression has no finite bounds.",
        "请用有上下界的列，或写 LEAST(GREATEST(x, 下界), 上界)。",
        "Use a column with declared bounds, or write LEAST(GREATEST(x, low), high).";
    /// units × bound / grid ≥ 2⁶².
    TotalTooLarge = "total-too-large", "合计可能溢出。", "The total could overflow.",
        "请缩小上下界。", "Narrow the bounds.";
    /// A type the sandbox has not.
    UnsupportedType = "unsupported-type", "不支持这种类型。", "This type is not supported.",
        "可用 BIGINT、INT、DOUBLE、TEXT、BOOLEAN、DATE、TIMESTAMP。",
        "Use BIGINT, INT, DOUBLE, TEXT, BOOLEAN, DATE or TIMESTAMP.";
    /// An expression the sandbox has not.
    UnsupportedExpression = "unsupported-expression", "不支持这种表达式。", "This kind of expression is not allowed.",
        "请用比较、算术、CASE 与允许的函数改写。", "Rewrite it with comparisons, arithmetic, CASE and the allowed functions.";
    /// A pattern or part that is not a literal, or too long.
    Pattern = "pattern", "模式或日期部分必须是简短的常量。", "A pattern or date part must be a short constant.",
        "LIKE 模式最长 256 字节；日期部分为 year、month、hour 等；to_char 用 YYYY、MM、DD、HH24、MI、SS、Q、IW，其他字母放在双引号内。",
        "A LIKE pattern has at most 256 bytes; parts are year, month, hour and so on; to_char takes YYYY, MM, DD, HH24, MI, SS, Q, IW, and other letters between double quotes.";
    /// A plan node that the sandbox has not.
    UnsupportedPlan = "unsupported-plan", "不支持这种查询结构。", "This shape of query is not allowed.",
        "请写 SELECT 键, 聚合 FROM 数据集 WHERE … GROUP BY 键。",
        "Write SELECT keys, aggregates FROM dataset WHERE … GROUP BY keys.";
    /// The planner rejects it for another reason.
    InvalidQuery = "invalid-query", "查询有误。", "The query is not valid.",
        "请按说明修改。", "Mend it as the detail says.";
    /// Not an L3 dataset.
    WrongLevel = "wrong-level", "只有三级数据集在沙箱内查询。", "Only datasets of level L3 are queried in the sandbox.",
        "一级数据可直接查询或下载。", "Open datasets can be queried and downloaded directly.";
    /// No declared unit.
    NoUnit = "no-unit", "数据集没有声明隐私单位。", "The dataset declares no privacy unit.",
        "请联系提供部门补充声明。", "Ask the department to declare one.";
    /// The query's worst case would take too long.
    TooSlow = "too-slow", "最坏情况下计算时间过长。", "In the worst case the query would take too long.",
        "请减少文本函数与表达式。", "Use fewer text functions and expressions.";
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = String::deserialize(deserializer)?;
        let rule = Self::ALL.iter().find(|rule| rule.id() == id);
        rule.copied().ok_or_else(|| D::Error::custom("no such rule"))
    }
}

/// A place in the SQL: lines and columns count from 1, in characters; the end is included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// First line.
    pub line: u64,
    /// First column.
    pub column: u64,
    /// Last line.
    pub end_line: u64,
    /// Last column.
    pub end_column: u64,
}

impl Span {
    /// A single character.
    pub const fn at(line: u64, column: u64) -> Self {
        Self {
            line,
            column,
            end_line: line,
            end_column: column,
        }
    }
}

/// Why a query is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{rule}: {}{}", rule.message(Language::En), detail.as_deref().map(|d| format!(" {d}")).unwrap_or_default())]
pub struct Refusal {
    /// The rule that is broken.
    pub rule: Rule,
    /// Where, if it can be told.
    pub span: Option<Span>,
    /// Which name, number or construct, in words taken from the query or the declaration.
    pub detail: Option<String>,
}

impl Refusal {
    /// A refusal by a rule, nowhere in particular.
    pub const fn new(rule: Rule) -> Self {
        Self {
            rule,
            span: None,
            detail: None,
        }
    }

    pub(crate) fn at(rule: Rule, span: Option<Span>) -> Self {
        Self {
            rule,
            span,
            detail: None,
        }
    }

    pub(crate) fn about(rule: Rule, detail: impl Into<String>) -> Self {
        let detail: String = detail.into();
        Self {
            rule,
            span: None,
            detail: Some(detail.chars().take(MAX_DETAIL).collect()),
        }
    }

    pub(crate) fn with_span(mut self, span: Option<Span>) -> Self {
        self.span = self.span.or(span);
        self
    }

    /// The same; its place is the whole text where nothing more exact is known.
    pub(crate) fn within(self, sql: &str) -> Self {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let last = sql.lines().last().unwrap_or_default();
        let whole = Span {
            line: 1,
            column: 1,
            end_line: number(sql.lines().count().max(1)),
            end_column: number(last.chars().count() + 1),
        };
        self.with_span((!sql.trim().is_empty()).then_some(whole))
    }

    /// The category for the edge.
    pub const fn category(&self) -> Category {
        match self.rule {
            Rule::TooLong => Category::TooLarge,
            _ => Category::Refused,
        }
    }
}

/// Shorthand of the planner.
pub(crate) type Planned<T> = Result<T, Refusal>;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn ids_are_unique_and_every_text_is_there() {
        let mut ids: Vec<_> = Rule::ALL.iter().map(|rule| rule.id()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), Rule::ALL.len());
        for rule in Rule::ALL {
            for language in [Language::Zh, Language::En] {
                assert!(!rule.message(language).is_empty() && !rule.hint(language).is_empty());
            }
            let text = serde_json::to_string(rule).unwrap();
            assert_eq!(serde_json::from_str::<Rule>(&text).unwrap(), *rule);
        }
        assert!(serde_json::from_str::<Rule>("\"no-such-rule\"").is_err());
    }
}
