//! Scalar functions on their edge inputs: always a value or NULL, never an error.

mod expressions;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use proptest::prelude::*;

use model::FieldType;

use expressions::EXPRESSIONS;

use super::fixture::{cases, relation};
use crate::context::planner_type;
use crate::eval;
use crate::function::Kind;
use crate::interval::{Range, range};
use crate::plan::{AggregateFunction, ScanColumn};
use crate::scalar::{Literal, MAX_TEXT, ScalarExpr};

/// The compiled form of a row expression and the columns it reads.
pub(super) fn compile(sql: &str) -> Result<(ScalarExpr, Vec<ScanColumn>), String> {
    let query = format!("SELECT COUNT({sql}) FROM bike_trips");
    let plan = crate::plan(&query, &relation()).map_err(|e| e.to_string())?;
    match plan.parts[0].core.aggregates[0].function.clone() {
        AggregateFunction::CountValues(expr) => Ok((expr, plan.parts[0].core.tables[0].columns.clone())),
        AggregateFunction::CountRows => Err("not NULL, constant".to_owned()),
        _ => Err("another aggregate".to_owned()),
    }
}

fn show(literal: &Literal) -> String {
    match literal {
        Literal::Null(_) => "NULL".to_owned(),
        Literal::Text(text) => text.clone(),
        Literal::Integer(x) | Literal::Timestamp(x) => x.to_string(),
        Literal::Number(x) => x.get().to_string(),
        Literal::Boolean(x) => x.to_string(),
        Literal::Date(x) => x.to_string(),
    }
}

/// The value of a constant expression, by way of `expr IS NOT DISTINCT FROM …`-free folding.
pub(super) fn constant(sql: &str) -> String {
    // A CASE over a column keeps the constant from being counted as COUNT(*).
    let (expr, _) =
        compile(&format!("CASE WHEN electric THEN {sql} END")).unwrap_or_else(|e| panic!("{sql}: {e}"));
    let ScalarExpr::Case { when, .. } = &expr else {
        panic!("{sql}: {expr:?}")
    };
    match &when[0].1 {
        ScalarExpr::Literal(literal) => show(literal),
        other => panic!("{sql} did not fold: {other:?}"),
    }
}

#[test]
fn constants_have_the_values_of_sql() {
    let big = "9223372036854775807";
    let least = "(-9223372036854775807 - 1)";
    let long = format!("'{}'", "长".repeat(1_200));
    let cases: Vec<(String, &str)> = vec![
        (format!("{big} + 1"), "NULL"),
        (format!("{least} - 1"), "NULL"),
        (format!("{big} * 2"), "NULL"),
        (format!("{least} / -1"), "NULL"),
        (format!("{least} % -1"), "NULL"),
        (format!("abs({least})"), "NULL"),
        (format!("-{least}"), "NULL"),
        ("1 / 0".into(), "NULL"),
        ("1 % 0".into(), "NULL"),
        ("1.0 / 0".into(), "NULL"),
        ("0.0 / 0.0".into(), "NULL"),
        ("1e308 * 10".into(), "NULL"),
        ("1e999".into(), "NULL"),
        ("7 / -2".into(), "-3"),
        ("-7 % 3".into(), "-1"),
        ("7 / 2.0".into(), "3.5"),
        ("CAST('nan' AS DOUBLE)".into(), "NULL"),
        ("CAST('inf' AS DOUBLE)".into(), "NULL"),
        ("CAST('12x' AS BIGINT)".into(), "NULL"),
        ("CAST(' 12 ' AS BIGINT)".into(), "12"),
        ("CAST(300 AS TINYINT)".into(), "NULL"),
        ("CAST(1e19 AS BIGINT)".into(), "NULL"),
        ("CAST(-1.9 AS INT)".into(), "-1"),
        ("TRY_CAST('2024-02-30' AS DATE)".into(), "NULL"),
        ("CAST('2024-02-29' AS DATE)".into(), "19782"),
        ("DATE '2024-02-29'".into(), "19782"),
        ("CAST('1970-01-01 00:00:01.5' AS TIMESTAMP)".into(), "1500000"),
        (
            "CAST(TIMESTAMP '1970-01-02T03:04:05' AS TEXT)".into(),
            "1970-01-02T03:04:05",
        ),
        ("CAST('yes' AS BOOLEAN)".into(), "true"),
        ("CAST('maybe' AS BOOLEAN)".into(), "NULL"),
        ("CAST(1.5 AS TEXT)".into(), "1.5"),
        ("CAST(true AS INT)".into(), "1"),
        ("round(2.5)".into(), "3"),
        ("round(-2.567, 2)".into(), "-2.57"),
        ("round(1234, -2)".into(), "1200"),
        (format!("round({big}, -19)"), "NULL"),
        (format!("round(1, {least})"), "0"),
        ("round(1.5, 9999999999)".into(), "1.5"),
        ("floor(-1.5)".into(), "-2"),
        ("ceil(-1.5)".into(), "-1"),
        ("trunc(-1.5)".into(), "-1"),
        ("sign(-3)".into(), "-1"),
        ("sign(0.0)".into(), "0"),
        ("sqrt(-1)".into(), "NULL"),
        ("sqrt(9)".into(), "3"),
        ("ln(0)".into(), "NULL"),
        ("log10(1000)".into(), "3"),
        ("exp(1000)".into(), "NULL"),
        ("power(0, -1)".into(), "NULL"),
        ("power(2, 10)".into(), "1024"),
        ("length('空气')".into(), "2"),
        ("octet_length('空气')".into(), "6"),
        ("char_length('')".into(), "0"),
        ("upper('straße')".into(), "STRASSE"),
        ("lower('ÀB')".into(), "àb"),
        ("reverse('ab空')".into(), "空ba"),
        ("trim('  a ')".into(), "a"),
        ("trim(both 'x' from 'xaxx')".into(), "a"),
        ("ltrim('xxa', 'x')".into(), "a"),
        ("rtrim('axx', 'x')".into(), "a"),
        (format!("trim('a', {long})"), "NULL"),
        ("substr('空气质量', 2, 2)".into(), "气质"),
        ("substring('abc' from 2)".into(), "bc"),
        ("substr('abc', -1, 3)".into(), "a"),
        (format!("substr('abc', {big}, {big})"), ""),
        (format!("substr('abc', {least}, {big})"), ""),
        ("substr('abc', 1, -1)".into(), "NULL"),
        ("left('空气', 1)".into(), "空"),
        ("left('abc', -1)".into(), "ab"),
        (format!("right('abc', {least})"), ""),
        (format!("right('abc', {big})"), "abc"),
        ("starts_with('abc', '')".into(), "true"),
        ("ends_with('abc', 'bc')".into(), "true"),
        ("contains('abc', 'x')".into(), "false"),
        ("strpos('空气', '气')".into(), "2"),
        ("position('z' in 'abc')".into(), "0"),
        ("replace('aaa', 'a', 'bb')".into(), "bbbbbb"),
        ("replace('a', '', 'x')".into(), "a"),
        (format!("replace({long}, '长', 'xxxx')"), "NULL"),
        (format!("concat({long}, {long})"), "NULL"),
        (format!("{long} || {long}"), "NULL"),
        ("'a' || NULL".into(), "NULL"),
        ("concat('a', NULL, 'b')".into(), "ab"),
        (
            "date_part('year', TIMESTAMP '2024-05-06T07:08:09')".into(),
            "2024",
        ),
        ("extract(dow from DATE '2026-11-22')".into(), "0"),
        ("extract(week from DATE '2027-01-01')".into(), "53"),
        (
            "date_trunc('month', TIMESTAMP '1970-02-03T00:00:00')".into(),
            "2678400000000",
        ),
        ("date_trunc('week', DATE '1970-01-08')".into(), "345600000000"),
        ("nullif(1, 1)".into(), "NULL"),
        ("nullif('a', 'b')".into(), "a"),
        ("coalesce(NULL, 2, 3)".into(), "2"),
        ("least(3, NULL, 1.5)".into(), "1.5"),
        ("greatest(NULL, NULL, 2)".into(), "2"),
        ("1 IN (2, NULL)".into(), "NULL"),
        ("1 IN (1, NULL)".into(), "true"),
        ("NULL BETWEEN 1 AND 2".into(), "NULL"),
        ("NOT NULL".into(), "NULL"),
        ("NULL OR true".into(), "true"),
        ("NULL AND false".into(), "false"),
        ("NULL IS NOT DISTINCT FROM NULL".into(), "true"),
        ("'a%b' LIKE 'a\\%b'".into(), "true"),
        ("'axb' LIKE 'a\\%b'".into(), "false"),
        ("'空气' LIKE '_气'".into(), "true"),
        ("'' LIKE '%'".into(), "true"),
        ("'abc' LIKE ''".into(), "false"),
        ("'ABC' ILIKE 'a%C'".into(), "true"),
        ("'a' NOT LIKE 'a'".into(), "false"),
        ("CASE 3 WHEN 3 THEN 'x' ELSE 'y' END".into(), "x"),
        ("0.0 = -0.0".into(), "true"),
    ];
    let mut wrong = vec![];
    for (sql, want) in cases {
        let got = constant(&sql);
        if got != want {
            wrong.push(format!(
                "{}: wanted {want}, got {got}",
                sql.chars().take(80).collect::<String>()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_pattern_cannot_take_long() {
    let text = "a".repeat(100_000);
    let pattern = format!("{}b", "%a".repeat(100));
    let (expr, _) = compile(&format!("note LIKE '{pattern}'")).unwrap();
    let column: ArrayRef = Arc::new(StringArray::from(vec![text.as_str(); 3]));
    let started = std::time::Instant::now();
    let result = eval::evaluate(&expr, &[column], 3).unwrap();
    assert!(
        !result
            .array
            .as_any()
            .downcast_ref::<BooleanArray>()
            .unwrap()
            .value(0)
    );
    assert!(started.elapsed().as_secs() < 10);
}

type Values = (
    Vec<Option<String>>,
    Vec<Option<f64>>,
    Vec<Option<i64>>,
    Vec<Option<i32>>,
);

fn values() -> impl Strategy<Value = Values> {
    let text = prop_oneof![
        Just(None),
        Just(Some(String::new())),
        Just(Some("长".repeat(MAX_TEXT))),
        Just(Some("9223372036854775808".to_owned())),
        Just(Some("2024-01-01".to_owned())),
        Just(Some("-9999-13-45T99:99:99".to_owned())),
        "[ -~]{0,12}".prop_map(Some),
        "\\PC{0,6}".prop_map(Some),
    ];
    let number = prop_oneof![
        Just(None),
        Just(Some(0.0)),
        Just(Some(f64::MAX)),
        Just(Some(f64::MIN)),
        Just(Some(f64::MIN_POSITIVE)),
        Just(Some(9_223_372_036_854_775_808.0)),
        (-1e6..1e6f64).prop_map(Some),
    ];
    let integer = prop_oneof![
        Just(None),
        Just(Some(i64::MIN)),
        Just(Some(i64::MAX)),
        Just(Some(0)),
        Just(Some(3)),
        any::<i64>().prop_map(Some),
        (-30..30i64).prop_map(Some),
    ];
    let day = prop_oneof![
        Just(None),
        Just(Some(i32::MIN)),
        Just(Some(i32::MAX)),
        any::<i32>().prop_map(Some)
    ];
    let n = 1..24usize;
    (
        prop::collection::vec(text, n.clone()),
        prop::collection::vec(number, n.clone()),
        prop::collection::vec(integer, n.clone()),
        prop::collection::vec(day, n),
    )
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn every_function_is_total_and_within_its_interval((texts, numbers, integers, days) in values()) {
        let rows = texts.len().max(numbers.len()).max(integers.len()).max(days.len());
        for (sql, (expr, columns)) in compiled() {
            let arrays: Vec<ArrayRef> = columns.iter().map(|column| -> ArrayRef {
                let at = |n: usize, len: usize| n % len;
                match column.name.as_str() {
                    "note" => Arc::new((0..rows).map(|n| texts[at(n, texts.len())].clone()).collect::<StringArray>()),
                    "district" | "home" => {
                        let plain: ArrayRef = Arc::new(
                            (0..rows).map(|n| texts[at(n + 1, texts.len())].clone()).collect::<StringArray>());
                        let coded = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
                        cast(&plain, &coded).unwrap()
                    }
                    "distance" => Arc::new((0..rows).map(|n| numbers[at(n, numbers.len())].map(|x| x.clamp(0.0, 20_000.0))).collect::<Float64Array>()),
                    "free" => Arc::new((0..rows).map(|n| numbers[at(n + 3, numbers.len())]).collect::<Float64Array>()),
                    "fare" => Arc::new((0..rows).map(|n| integers[at(n, integers.len())].map(|x| x.clamp(0, 2_000))).collect::<Int64Array>()),
                    "start" => Arc::new((0..rows).map(|n| integers[at(n + 1, integers.len())]).collect::<TimestampMicrosecondArray>()),
                    "day" => Arc::new((0..rows).map(|n| days[at(n, days.len())]).collect::<Date32Array>()),
                    "electric" => Arc::new((0..rows).map(|n| integers[at(n, integers.len())].map(|x| x % 2 == 0)).collect::<BooleanArray>()),
                    other => panic!("{other}"),
                }
            }).collect();
            let result = eval::evaluate(expr, &arrays, rows);
            prop_assert!(result.is_ok(), "{}", sql);
            let array = result.unwrap().into_array(rows).unwrap();
            prop_assert_eq!(array.len(), rows, "{}", sql);
            match range(expr, &columns[..]) {
                Some(Range::Integer(lo, hi)) => {
                    let values = array.as_any().downcast_ref::<Int64Array>().unwrap();
                    for value in values.iter().flatten() {
                        prop_assert!((lo..=hi).contains(&value), "{}: {} not in {}..{}", sql, value, lo, hi);
                    }
                }
                Some(Range::Number(lo, hi)) => {
                    let values = array.as_any().downcast_ref::<Float64Array>().unwrap();
                    for value in values.iter().flatten() {
                        prop_assert!(value.is_finite() && value >= lo && value <= hi, "{}: {} not in {}..{}", sql, value, lo, hi);
                    }
                }
                None => {}
            }
        }
    }
}

fn compiled() -> impl Iterator<Item = (&'static str, &'static (ScalarExpr, Vec<ScanColumn>))> {
    use std::sync::OnceLock;
    static ALL: OnceLock<Vec<(ScalarExpr, Vec<ScanColumn>)>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        EXPRESSIONS
            .iter()
            .map(|sql| compile(sql).unwrap_or_else(|e| panic!("{sql}: {e}")))
            .collect()
    });
    EXPRESSIONS.iter().copied().zip(all)
}

#[test]
fn every_allowed_function_is_tried() {
    let tried = EXPRESSIONS.join(" ");
    for function in crate::function::ALLOWED {
        let names = std::iter::once(&function.name).chain(function.aliases);
        assert!(
            names.into_iter().any(|name| tried.contains(&format!("{name}("))),
            "{}",
            function.name
        );
    }
    assert!(crate::function::ALLOWED.len() >= 85);
}

/// The planner decides on the types that the table of functions names, the evaluator gives those of the language.
#[test]
fn the_table_and_the_language_agree_on_types() {
    use DataType::{Boolean, Date32, Float64, Int64, Utf8};
    let moment = planner_type(FieldType::Timestamp);
    let field_types = [
        FieldType::Text,
        FieldType::Integer,
        FieldType::Number,
        FieldType::Boolean,
        FieldType::Date,
        FieldType::Timestamp,
    ];
    let field_type = |t: &DataType| field_types.into_iter().find(|f| planner_type(*f) == *t).unwrap();
    for allowed in crate::function::ALLOWED {
        let Some(function) = allowed.function else {
            continue;
        };
        let mut calls = 0;
        for kinds in (1..=6).filter_map(|count| allowed.shape.kinds(count)) {
            for other in [false, true] {
                let given: Vec<DataType> = kinds
                    .iter()
                    .map(|kind| match kind {
                        Kind::Text | Kind::Any => Utf8,
                        Kind::Integer | Kind::Shown => Int64,
                        Kind::Double => Float64,
                        Kind::Numeric | Kind::Common | Kind::Same if other => Float64,
                        Kind::Numeric | Kind::Common | Kind::Same => Int64,
                        Kind::Boolean => Boolean,
                        Kind::Time | Kind::Moment if other => moment.clone(),
                        Kind::Time | Kind::Moment => Date32,
                        Kind::Interval | Kind::More => panic!("{}: {kind:?}", allowed.name),
                    })
                    .collect();
                let coerced = allowed.shape.coerce(&given).unwrap();
                let columns: Vec<FieldType> = coerced.iter().map(field_type).collect();
                let args = (0..columns.len()).map(ScalarExpr::Column).collect();
                let ours = ScalarExpr::Call(function, args).field_type(&columns).unwrap();
                assert_eq!(
                    planner_type(ours),
                    allowed.shape.result(&coerced),
                    "{}",
                    allowed.name
                );
                calls += 1;
            }
        }
        assert!(calls > 0, "{}", allowed.name);
    }
}
