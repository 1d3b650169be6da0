//! Queries with tokens left out, repeated, exchanged, nested and blown up: planned or refused, without a panic, in time.
//! `make audit` looks longer, and by coverage (fuzz/).

mod front;

use std::time::{Duration, Instant};

use proptest::prelude::*;

use self::front::{relation, try_bytes};
use super::fixture::cases;
use super::random::query::{Tape, query};
use super::refusal;

/// What the front is made of, here and in the fuzz target.
mod subject {
    pub(super) use crate::{PrivatePlan, Relation, plan, public_queries};
}

/// The longest that one text may take in a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Words that mean something where they do not belong.
const WORDS: [&str; 64] = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "HAVING",
    "ORDER BY",
    "LIMIT",
    "OFFSET",
    "JOIN",
    "LEFT JOIN",
    "ON",
    "USING",
    "LATERAL",
    "WITH",
    "RECURSIVE",
    "AS",
    "UNION ALL",
    "INTERSECT",
    "DISTINCT",
    "ALL",
    "ANY",
    "EXISTS",
    "IN",
    "BETWEEN",
    "AND",
    "OR",
    "NOT",
    "IS NULL",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "CAST(",
    "ROLLUP(",
    "CUBE(",
    "GROUPING SETS (",
    "OVER (",
    "FILTER (WHERE",
    "WITHIN GROUP (ORDER BY",
    "COUNT(*)",
    "SUM(",
    "AVG(",
    "MEDIAN(",
    "QUANTILE(",
    "CORR(",
    "bike_trips",
    "person_id",
    "fare",
    "distance",
    "district",
    "start",
    "day",
    "electric",
    "note",
    "INTERVAL '1 month'",
    "DATE '2026-02-30'",
    "'%_\\'",
    "1e309",
    "-9223372036854775808",
    "$1",
    "::",
    "\u{0}",
    "全角（",
];

/// Queries to start from: those of the guide, those of the rules, and random ones.
fn seeds(tape: &[u16]) -> String {
    let guide = include_str!("../../../../docs/sql.md").split("```sql\n").skip(1);
    let mut known: Vec<&str> = guide.filter_map(|block| block.split("```").next()).collect();
    known.extend(refusal::cases().into_iter().map(|(_, sql)| sql));
    match tape.first() {
        Some(number) if number % 4 == 0 => known[usize::from(*number / 4) % known.len()].to_owned(),
        _ => query(&mut Tape::new(tape)),
    }
}

/// One change to a list of tokens.
#[derive(Debug, Clone)]
enum Mutation {
    Delete {
        at: u16,
        count: u8,
    },
    Repeat {
        at: u16,
        count: u8,
        times: u8,
    },
    Swap {
        one: u16,
        other: u16,
    },
    Insert {
        at: u16,
        word: u8,
    },
    Replace {
        at: u16,
        word: u8,
    },
    Nest {
        at: u16,
        count: u8,
        depth: u16,
        with: u8,
    },
    Blow {
        at: u16,
        size: u16,
        kind: u8,
    },
    Bytes {
        at: u16,
        bytes: Vec<u8>,
    },
}

fn any_mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<u16>;
    prop_oneof![
        (at(), 1..6u8).prop_map(|(at, count)| Mutation::Delete { at, count }),
        (at(), 1..8u8, 1..40u8).prop_map(|(at, count, times)| Mutation::Repeat { at, count, times }),
        (at(), at()).prop_map(|(one, other)| Mutation::Swap { one, other }),
        (at(), any::<u8>()).prop_map(|(at, word)| Mutation::Insert { at, word }),
        (at(), any::<u8>()).prop_map(|(at, word)| Mutation::Replace { at, word }),
        (
            at(),
            1..8u8,
            prop_oneof![4 => 1..30u16, 1 => 30..8_000u16],
            any::<u8>()
        )
            .prop_map(|(at, count, depth, with)| Mutation::Nest {
                at,
                count,
                depth,
                with
            }),
        (at(), 1..20_000u16, any::<u8>()).prop_map(|(at, size, kind)| Mutation::Blow { at, size, kind }),
        (at(), prop::collection::vec(any::<u8>(), 1..8))
            .prop_map(|(at, bytes)| Mutation::Bytes { at, bytes }),
    ]
}

/// Words, signs and blanks.
fn tokens(sql: &str) -> Vec<Vec<u8>> {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let mut tokens: Vec<Vec<u8>> = vec![];
    let mut inside = false;
    for c in sql.chars() {
        let mut bytes = [0; 4];
        let bytes = c.encode_utf8(&mut bytes).as_bytes();
        match tokens.last_mut().filter(|_| inside && word(c)) {
            Some(last) => last.extend(bytes),
            None => tokens.push(bytes.to_vec()),
        }
        inside = word(c);
    }
    tokens
}

fn mutate(tokens: &mut Vec<Vec<u8>>, mutation: &Mutation) {
    let place = |at: u16, tokens: &Vec<Vec<u8>>| usize::from(at) % tokens.len().max(1);
    let span = |at: u16, count: u8, tokens: &Vec<Vec<u8>>| {
        let start = place(at, tokens);
        start..(start + usize::from(count)).min(tokens.len())
    };
    let word = |word: u8| format!(" {} ", WORDS[usize::from(word) % WORDS.len()]).into_bytes();
    if tokens.is_empty() {
        tokens.push(b"SELECT".to_vec());
    }
    match mutation {
        Mutation::Delete { at, count } => {
            let span = span(*at, *count, tokens);
            tokens.drain(span);
        }
        Mutation::Repeat { at, count, times } => {
            let span = span(*at, *count, tokens);
            let (end, copied) = (span.end, tokens[span].concat().repeat(usize::from(*times)));
            tokens.insert(end, copied);
        }
        Mutation::Swap { one, other } => {
            let (one, other) = (place(*one, tokens), place(*other, tokens));
            tokens.swap(one, other);
        }
        Mutation::Insert { at, word: which } => {
            let at = place(*at, tokens);
            tokens.insert(at, word(*which));
        }
        Mutation::Replace { at, word: which } => {
            let at = place(*at, tokens);
            tokens[at] = word(*which);
        }
        Mutation::Nest {
            at,
            count,
            depth,
            with,
        } => {
            let (before, after) = [
                ("(", ")"),
                ("abs(", ")"),
                ("NOT (", ")"),
                ("CASE WHEN true THEN ", " END"),
                ("(SELECT ", ")"),
                ("-", ""),
                ("coalesce(1, ", ")"),
                ("CAST(", " AS BIGINT)"),
                ("[", "]"),
                ("/* ", "*/"),
            ][usize::from(*with) % 10];
            let span = span(*at, *count, tokens);
            let depth = usize::from(*depth);
            tokens.insert(span.end, after.repeat(depth).into_bytes());
            tokens.insert(span.start, before.repeat(depth).into_bytes());
        }
        Mutation::Blow { at, size, kind } => {
            let size = usize::from(*size);
            let text = match kind % 8 {
                0 => "9".repeat(size),
                1 => format!("'{}'", "字".repeat(size)),
                2 => format!("\"{}\"", "x".repeat(size)),
                3 => format!("0.{}1", "0".repeat(size)),
                4 => format!("IN ({})", vec!["1"; size].join(",")),
                5 => vec!["fare"; size].join(" + "),
                6 => format!("'{}'", "(a|b)*".repeat(size % 200)),
                _ => " ".repeat(size),
            };
            let at = place(*at, tokens);
            tokens[at] = text.into_bytes();
        }
        Mutation::Bytes { at, bytes } => {
            let at = place(*at, tokens);
            tokens.insert(at, bytes.clone());
        }
    }
}

proptest! {
    #![proptest_config(cases(700))]

    #[test]
    fn any_text_is_planned_or_refused_in_time(
        tape in prop::collection::vec(any::<u16>(), 60),
        mutations in prop::collection::vec(any_mutation(), 0..5),
    ) {
        let relation = relation();
        let mut tokens = tokens(&seeds(&tape));
        for mutation in &mutations {
            mutate(&mut tokens, mutation);
        }
        let text = tokens.concat();
        let begun = Instant::now();
        try_bytes(&text, &relation);
        prop_assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    }
}

#[test]
fn what_is_not_mutated_is_accepted() {
    // Were everything refused, nothing beyond the parser would be tried.
    let relation = relation();
    let texts = [
        "SELECT COUNT(*) FROM bike_trips",
        "SELECT district, note, COUNT(*), SUM(fare) FROM bike_trips WHERE start < '2026-01-01' GROUP BY 1, 2",
        "SELECT home, MEDIAN(distance) FROM bike_trips GROUP BY home ORDER BY 2",
        "SELECT COUNT(*) FROM (SELECT person_id, SUM(fare) AS s FROM bike_trips GROUP BY person_id) x WHERE s > 5",
    ];
    for sql in texts {
        assert!(try_bytes(sql.as_bytes(), &relation), "{sql}");
    }
    assert!(!try_bytes(b"SELECT \xff\xfe FROM bike_trips", &relation));
    assert!(!try_bytes(b"", &relation));
}
