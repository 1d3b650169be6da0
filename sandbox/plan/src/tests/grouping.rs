//! Functions whose values are few are grouping keys: their cells are known without looking.

use model::FieldType;

use super::fixture::relation;
use crate::plan::KeyCells;

/// The cells of the only key of a query that groups by an expression.
fn cells(expr: &str) -> KeyCells {
    let sql = format!("SELECT {expr}, COUNT(*) FROM bike_trips GROUP BY 1");
    let plan = crate::plan(&sql, &relation()).unwrap_or_else(|refusal| panic!("{sql}: {refusal}"));
    assert_eq!(plan.parts[0].core.keys.len(), 1, "{sql}");
    plan.parts[0].core.keys[0].cells.clone()
}

#[test]
fn integers_have_the_cells_of_their_interval() {
    let cases = [
        ("month(start)", 1, 12),
        ("quarter(day)", 1, 4),
        ("hour(start)", 0, 23),
        ("dayofweek(day)", 0, 6),
        ("isodow(day)", 1, 7),
        ("week(day)", 1, 53),
        ("dayofyear(day)", 1, 366),
        ("width_bucket(distance, 0, 20000, 20)", 0, 21),
        ("width_bucket(free, 0, 100, 4)", 0, 5),
        ("clamp(year(start), 2020, 2026)", 2020, 2026),
        ("clamp(age_in_years(day, start), 0, 120)", 0, 120),
        ("clamp(date_diff('month', start, day), -12, 12)", -12, 12),
        ("clamp(char_length(note), 0, 50)", 0, 50),
        ("clamp(regexp_count(note, 'a'), 0, 9)", 0, 9),
        ("century(start) - 19", -3_019, 2_981),
        ("mod(fare, 7)", 0, 6),
        ("div(fare, 100)", 0, 20),
        ("num_nulls(note, fare, day)", 0, 3),
        ("levenshtein(district, '东城')", 0, 64),
        ("if(electric, 1, 2)", 1, 2),
        ("nvl2(note, 1, 0)", 0, 1),
        ("zeroifnull(nullif(month(start), 3))", 0, 12),
    ];
    for (expr, lo, hi) in cases {
        assert_eq!(cells(expr), KeyCells::Integer { lo, hi }, "{expr}");
    }
}

#[test]
fn truth_values_have_two_cells() {
    for expr in [
        "is_weekend(start)",
        "is_chinese(note)",
        "contains_chinese(district)",
        "note ~ '^1[3-9]'",
        "regexp_like(note, '医院')",
        "xor(electric, is_weekend(day))",
    ] {
        assert_eq!(cells(expr), KeyCells::Boolean, "{expr}");
    }
}

#[test]
fn names_have_a_cell_each_in_the_order_of_the_calendar() {
    let week = [
        "星期一",
        "星期二",
        "星期三",
        "星期四",
        "星期五",
        "星期六",
        "星期日",
    ];
    let named = |expr: &str| match cells(expr) {
        KeyCells::Text { values, other: false } => values,
        other => panic!("{expr}: {other:?}"),
    };
    assert_eq!(named("dayname_zh(start)"), week);
    assert_eq!(named("monthname(day)").len(), 12);
    assert_eq!(named("monthname_zh(day)")[10], "十一月");
    assert_eq!(named("if(is_weekend(day), '周末', '工作日')"), ["周末", "工作日"]);
    assert_eq!(named("coalesce(dayname_zh(start), '不详')").len(), 8);
}

#[test]
fn others_are_found_and_fractions_refused() {
    for (expr, found) in [
        ("year(start)", Some(FieldType::Integer)),
        ("to_char(start, 'MM')", Some(FieldType::Text)),
        ("upper(note)", Some(FieldType::Text)),
        ("last_day(start)", Some(FieldType::Date)),
        ("date_trunc('minute', start)", Some(FieldType::Timestamp)),
        ("ascii(note)", Some(FieldType::Integer)),
        ("free", None),
        ("sqrt(fare)", None),
    ] {
        let sql = format!("SELECT {expr}, COUNT(*) FROM bike_trips GROUP BY 1");
        match (crate::plan(&sql, &relation()), found) {
            (Ok(plan), Some(found)) => {
                assert_eq!(plan.parts[0].core.keys[0].cells, KeyCells::Open(found), "{expr}")
            }
            (Err(refusal), None) => assert_eq!(refusal.rule.id(), "undeclared-domain", "{expr}"),
            (other, _) => panic!("{expr}: {other:?}"),
        }
    }
}

#[test]
fn sums_of_bounded_functions_have_bounds() {
    for expr in [
        "sin(free)",
        "atan2(free, distance)",
        "power(distance, 2)",
        "cbrt(distance)",
        "ln(distance)",
        "clamp(free, 0, 1000)",
        "char_length(upper(note))",
        "clamp(date_diff('day', start, day), -31, 31)",
        "factorial(clamp(fare, 0, 5))",
    ] {
        let sql = format!("SELECT SUM({expr}) FROM bike_trips");
        let plan = crate::plan(&sql, &relation());
        assert!(plan.is_ok(), "{sql}: {}", plan.unwrap_err());
    }
    for expr in [
        "tan(free)",
        "exp(free)",
        "power(free, 2)",
        "log(fare, free)",
        "date_diff('day', start, day)",
        "months_between(start, day)",
        "epoch(start)",
        "lcm(fare, 3) * year(start) * epoch(start)",
    ] {
        for function in ["SUM", "AVG", "STDDEV"] {
            let sql = format!("SELECT {function}({expr}) FROM bike_trips");
            assert_eq!(
                crate::plan(&sql, &relation()).unwrap_err().rule.id(),
                "missing-bounds",
                "{sql}"
            );
        }
    }
}

#[test]
fn deadlines_count_what_is_dear() {
    let due = |expr: &str| {
        let sql = format!("SELECT COUNT({expr}) FROM bike_trips");
        crate::plan(&sql, &relation()).unwrap().parts[0].core.due_in(2)
    };
    assert!(due("upper(note)") > due("char_length(note)"));
    assert!(due("levenshtein(note, 'x')") > due("upper(note)") * 2);
    let compiling = due("regexp_like(note, 'a')")
        .checked_sub(due("upper(note)"))
        .unwrap();
    assert!(compiling.as_millis() >= 300);
}
