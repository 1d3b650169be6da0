//! SQL that has no answer, as its writer is told.

use super::*;

/// A query, what its writer reads in both languages, and the line, column and piece that are marked.
type Fault = (&'static str, [&'static str; 2], Option<(u32, u32, &'static str)>);

const FAULTS: [Fault; 23] = [
    (
        "SELECT 1 +",
        [
            "还缺列名、数值或表达式",
            "a column, value or expression is missing",
        ],
        Some((1, 11, "")),
    ),
    ("SELECT", ["还缺", "is missing"], None),
    (
        "SELECT 1\nFROM (VALUES (1)) AS t(a)\nGRUOP BY a",
        ["从“GRUOP”起读不懂", "“GRUOP” and what follows cannot be read"],
        Some((3, 1, "GRUOP")),
    ),
    (
        "SELECT 乙, FROM t",
        [
            "这里应为列名、数值或表达式，写的却是“FROM”",
            "a column, value or expression should stand, not “FROM”",
        ],
        Some((1, 11, "FROM")),
    ),
    (
        "SELEC 1",
        [
            "这里应为一条 SELECT 查询，写的却是“SELEC”",
            "a SELECT query should stand, not “SELEC”",
        ],
        Some((1, 1, "SELEC")),
    ),
    ("SELECT (1 + 2", ["还缺“)”", "“)” is missing"], None),
    (
        "SELECT 'abc",
        ["文本没有结束", "A text does not end"],
        Some((1, 8, "'")),
    ),
    (
        "SELECT \"abc",
        ["名称没有结束", "A name does not end"],
        Some((1, 8, "\"")),
    ),
    ("SELECT 1 /* a", ["注释没有结束", "A comment does not end"], None),
    (
        "SELECT 'a', nope(1)",
        ["没有函数“nope”", "no function “nope”"],
        Some((1, 13, "nope")),
    ),
    (
        "SELECT sqrt(1, 2)",
        ["函数“sqrt”不能用于这样的参数", "function “sqrt” does not take"],
        Some((1, 8, "sqrt")),
    ),
    (
        "SELECT a, COUNT(*) FROM (VALUES (1)) AS t(a)",
        ["列“a”既没有写进 GROUP BY", "“a” stands neither in GROUP BY"],
        Some((1, 8, "a")),
    ),
    (
        "-- b\nSELECT b FROM (VALUES (1)) AS t(a)",
        ["没有“b”这一列", "no column “b”"],
        Some((2, 8, "b")),
    ),
    (
        "SELECT * FROM\n  nowhere",
        ["没有公开的表“nowhere”", "no open table “nowhere”"],
        Some((2, 3, "nowhere")),
    ),
    (
        "SELECT a FROM (VALUES (1)) AS t(a), (VALUES (2)) AS u(a)",
        ["不止一张表有列“a”", "More than one table has a column “a”"],
        Some((1, 8, "a")),
    ),
    (
        "SELECT 1; SELECT 2",
        ["一次只能写一条查询", "One query at a time"],
        None,
    ),
    ("  ", ["没有查询语句", "There is no query"], None),
    (
        "SELECT 1 / a FROM (VALUES (0)) AS t(a)",
        ["除以零", "divides by zero"],
        None,
    ),
    (
        "SELECT a + 1 FROM (VALUES (DATE '2026-01-01'), (NULL)) AS t(a) WHERE a + true",
        ["类型不同", "of these types"],
        None,
    ),
    (
        "SELECT 1 FROM (VALUES (1)) AS t(a) WHERE sum(a) > 1",
        ["WHERE 里不能用", "WHERE takes no aggregates"],
        None,
    ),
    (
        "SELECT 1 UNION SELECT 1, 2",
        ["列数不同", "different numbers of columns"],
        None,
    ),
    (
        "SELECT 1 LIMIT x",
        ["不能用列名“x”", "No column can stand here"],
        Some((1, 16, "x")),
    ),
    (
        "SELECT CAST(a AS BIGINT) FROM (VALUES ('甲')) AS t(a)",
        ["文本“甲”不能转换为整数", "“甲” is no integer"],
        None,
    ),
];

#[tokio::test]
async fn faults_are_told_in_the_readers_language_with_their_place() {
    let portal = Portal::open().await;
    let visitor = portal.visitor();
    for (sql, words, place) in FAULTS {
        for (address, told) in [("/sql?lang=zh", words[0]), ("/sql?lang=en", words[1])] {
            let answer = visitor.post(address, &[("sql", sql)]).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{sql}");
            assert_eq!(answer.value("sql").trim(), sql.trim(), "what was typed is kept");
            let html = Html::parse_document(&answer.text);
            let one = |selector: &str| {
                let selector = Selector::parse(selector).unwrap();
                html.select(&selector)
                    .next()
                    .map(|e| e.text().collect::<String>())
            };
            let notice = one(".notice.danger").unwrap();
            assert!(notice.contains(told), "{sql}: {notice}");
            for own in ["查询引擎", "engine", "ParserError", "sql-invalid"] {
                assert!(!notice.contains(own), "{sql}: {notice}");
            }
            let Some((line, column, piece)) = place else {
                continue;
            };
            let named = if address.ends_with("zh") {
                format!("第 {line} 行，第 {column} 列")
            } else {
                format!("line {line}, column {column}")
            };
            assert!(notice.to_lowercase().contains(&named), "{sql}: {notice}");
            let marker = one(".marker").unwrap();
            let width = marker.chars().filter(|c| matches!(c, '^' | '＾')).count();
            assert_eq!(width, piece.chars().count().max(1), "{sql}: {marker:?}");
        }
    }
}
