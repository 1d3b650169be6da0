use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array, ArrayRef, StringArray};

use super::super::function::compile;
use super::{hold, long, refused};
use crate::eval;

#[test]
fn regular_expressions_are_those_of_postgresql() {
    hold(&[
        ("regexp_like('Hello World', 'world$')", "false"),
        ("regexp_like('Hello World', 'world$', 'i')", "true"),
        ("regexp_like('Hello World', 'world$', 'ic')", "false"),
        ("'Hello' ~ '^h'", "false"),
        ("'Hello' ~* '^h'", "true"),
        ("'Hello' !~ '^h'", "true"),
        ("'Hello' !~* '^h'", "false"),
        ("regexp_count('ABCABCAXYaxy', 'A.')", "3"),
        ("regexp_count('ABCABCAXYaxy', 'A.', 'i')", "4"),
        ("regexp_count('aaa', '')", "4"),
        ("regexp_count('长长', '')", "3"),
        ("regexp_instr('ABCDEF', 'C.')", "3"),
        ("regexp_instr('空气质量', '质')", "3"),
        ("regexp_instr('ABC', 'x')", "0"),
        ("regexp_substr('ABCDEF', 'C.')", "CD"),
        (
            "regexp_extract('电话13812345678转2', '1[3-9][0-9]{9}')",
            "13812345678",
        ),
        ("regexp_substr('ABC', 'x')", "NULL"),
        ("regexp_replace('foobarbaz', 'b..', 'X')", "fooXbaz"),
        ("regexp_replace('foobarbaz', 'b..', 'X', 'g')", "fooXX"),
        ("regexp_replace('Thomas', '.[mN]a.', 'M')", "ThM"),
        (
            "regexp_replace('2025年3月4日', '[年月日]', '-', 'g')",
            "2025-3-4-",
        ),
        ("regexp_replace('aXbx', 'x', '', 'gi')", "ab"),
        ("regexp_replace('abc', '', '-', 'g')", "-a-b-c-"),
        ("regexp_replace('price', 'price', '$1')", "$1"),
        (r"regexp_like('空气', '^\p{Han}+$')", "true"),
        ("regexp_like(E'a\nb', 'a.b')", "true"),
        ("regexp_like('', '^$')", "true"),
        ("regexp_like(NULL, 'a')", "NULL"),
        ("regexp_like('a', NULL)", "NULL"),
        ("regexp_replace('a', 'a', NULL)", "NULL"),
        ("regexp_like('a', 'a', NULL)", "NULL"),
    ]);
}

#[test]
fn hostile_texts_are_null() {
    hold(&[
        (format!("regexp_like({}, '长')", long(1_366)), "NULL"),
        (format!("regexp_like({}, '长')", long(1_365)), "true"),
        ("regexp_count(repeat('a', 256), 'a')".to_owned(), "256"),
        ("regexp_count(repeat('a', 257), 'a')".to_owned(), "NULL"),
        (
            "regexp_replace(repeat('a', 257), 'a', 'b', 'g')".to_owned(),
            "NULL",
        ),
        (
            "char_length(regexp_replace(repeat('a', 256), 'a', 'bb', 'g'))".to_owned(),
            "512",
        ),
        (format!("regexp_replace('aa', 'a', {}, 'g')", long(1_000)), "NULL"),
    ]);
}

#[test]
fn expressions_that_are_no_short_linear_constants_are_refused() {
    refused(
        "pattern",
        &[
            "regexp_like(note, district)",
            "regexp_like(note, '(')",
            r"regexp_like(note, '(a)\1')",
            "regexp_like(note, '(?=a)b')",
            r"regexp_like(note, '\bfoo')",
            r"regexp_like(note, '\w{1000}')",
            "regexp_like(note, '(((a{99}){99}){99}){99}')",
            "regexp_like(note, '(a|b)*a(a|b){30}')",
            "regexp_like(note, 'a', 'x')",
            "regexp_like(note, 'a', 'g')",
            "regexp_like(note, 'a', district)",
            r"regexp_replace(note, '(a)', '\1')",
            "regexp_replace(note, 'a', district)",
            "note ~ district",
        ],
    );
    let long = format!("regexp_like(note, '{}')", "a".repeat(257));
    refused("pattern", &[long.as_str()]);
    let deep = format!("regexp_like(note, '{}a{}')", "(".repeat(100), ")".repeat(100));
    refused("pattern", &[deep.as_str()]);
    let many: Vec<String> = (0..9).map(|n| format!("regexp_like(note, '{n}')")).collect();
    refused("pattern", &[many.join(" OR ").as_str()]);
    // The same expression again is no other.
    let same: Vec<String> = (0..9).map(|n| format!("regexp_count(note, 'a') = {n}")).collect();
    assert!(compile(&same.join(" OR ")).is_ok());
}

#[test]
fn an_expression_cannot_take_long() {
    // Both are quadratic or exponential for engines that backtrack.
    for (pattern, text) in [("(a*)*b", "a".repeat(4_096)), ("a.*b|a", "a".repeat(4_096))] {
        let (expr, _) = compile(&format!("regexp_count(note, '{pattern}')")).unwrap();
        let column: ArrayRef = Arc::new(StringArray::from(vec![text.as_str(); 20]));
        let started = Instant::now();
        let result = eval::evaluate(&expr, &[column], 20).unwrap();
        assert_eq!(result.array.len(), 20);
        assert!(started.elapsed().as_secs() < 20, "{pattern}");
    }
}
