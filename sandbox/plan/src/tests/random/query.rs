//! Random queries of the language, from a tape of numbers: each number is one choice, so what shrinks is the query.

use std::fmt::Write as _;

/// Numbers to choose by; where they end, the first choice is taken, which is always the plainest.
pub(crate) struct Tape<'a> {
    numbers: std::slice::Iter<'a, u16>,
}

impl<'a> Tape<'a> {
    pub(crate) fn new(numbers: &'a [u16]) -> Self {
        Self {
            numbers: numbers.iter(),
        }
    }

    /// A number below `n`.
    fn below(&mut self, n: usize) -> usize {
        self.numbers
            .next()
            .map_or(0, |number| usize::from(*number) % n.max(1))
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    fn of<'t>(&mut self, choices: &[&'t str]) -> &'t str {
        choices[self.below(choices.len())]
    }

    fn name(&mut self, names: &[String]) -> String {
        names[self.below(names.len())].clone()
    }
}

/// The columns in sight, by what they can be used for.
#[derive(Default)]
struct Scope {
    numbers: Vec<String>,
    texts: Vec<String>,
    times: Vec<String>,
    conditions: Vec<String>,
    /// Columns with few known values.
    keys: Vec<String>,
    /// Columns whose values are found.
    open: Vec<String>,
    unit: Option<String>,
}

impl Scope {
    /// The columns of trips or rides under an alias.
    fn trips(&mut self, alias: &str) {
        let own = |names: &[&str]| {
            names
                .iter()
                .map(|name| format!("{alias}.{name}"))
                .collect::<Vec<_>>()
        };
        self.numbers.extend(own(&["fare", "distance"]));
        self.texts.extend(own(&["district", "home", "note"]));
        self.times.extend(own(&["start", "day"]));
        self.conditions.extend(own(&["electric"]));
        self.keys.extend(own(&["district", "home", "electric"]));
        self.open.extend(own(&["note", "day", "start"]));
        self.unit.get_or_insert(format!("{alias}.person_id"));
    }

    fn zones(&mut self) {
        self.numbers.push("z.capacity".to_owned());
        self.texts.push("z.zone".to_owned());
        self.keys.extend(["z.zone".to_owned(), "z.capacity".to_owned()]);
    }

    fn parks(&mut self) {
        self.numbers.push("p.places".to_owned());
        self.keys.push("p.places".to_owned());
    }
}

/// A query over `bike_trips`, `rides`, `zones` and `parks`.
pub(crate) fn query(tape: &mut Tape<'_>) -> String {
    if tape.one_in(5) {
        joined(tape)
    } else {
        released(tape)
    }
}

/// Results joined with each other, or with a public table.
fn joined(tape: &mut Tape<'_>) -> String {
    let kind = tape.of(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
    let on = tape.of(&["a.c0 = b.c0", "a.c0 < b.c0", "a.c0 = b.c0 AND a.c1 > b.c0"]);
    let shown = tape.of(&["a.c0, b.c0 AS d0", "a.c0, COALESCE(b.c0, a.c0) AS d0"]);
    let last = tape.of(&["", " WHERE a.c0 IS NOT NULL", " ORDER BY 2 LIMIT 7"]);
    let first = released(tape);
    let (right, on) = match tape.below(4) {
        0 => (format!("({}) b", released(tape)), on.to_owned()),
        // The same once more.
        1 => (format!("({first}) b"), on.to_owned()),
        2 => (
            "(SELECT COUNT(*) AS c0 FROM rides) b".to_owned(),
            "a.c0 IS NOT NULL".to_owned(),
        ),
        _ => {
            return format!(
                "SELECT a.c0, z.zone, z.capacity FROM ({first}) a {kind} zones z ON a.c0 = z.name{last}"
            );
        }
    };
    format!("SELECT {shown} FROM ({first}) a {kind} {right} ON {on}{last}")
}

/// One aggregation, and what stands above it.
fn released(tape: &mut Tape<'_>) -> String {
    let mut scope = Scope::default();
    let from = from(tape, &mut scope);
    let mut sql = String::new();
    let open = tape.below(5) == 4;
    let keys = keys(tape, &scope, open);
    let aggregates = aggregates(tape, &scope, open);
    let mut shown: Vec<String> = keys.iter().chain(&aggregates).cloned().collect();
    if tape.one_in(8) {
        shown.push("(SELECT COUNT(*) FROM rides)".to_owned());
    }
    let columns: Vec<String> = shown
        .iter()
        .enumerate()
        .map(|(n, x)| format!("{x} AS c{n}"))
        .collect();
    write!(sql, "SELECT {} FROM {from}", columns.join(", ")).unwrap();
    if tape.one_in(2) {
        write!(sql, " WHERE {}", condition(tape, &scope, 2)).unwrap();
    }
    if !keys.is_empty() {
        let list = keys.join(", ");
        let sets = tape.below(8);
        match sets {
            5 => write!(sql, " GROUP BY ROLLUP ({list})"),
            6 if keys.len() < 4 => write!(sql, " GROUP BY CUBE ({list})"),
            7 => write!(sql, " GROUP BY GROUPING SETS (({list}), ({}), ())", keys[0]),
            _ => write!(sql, " GROUP BY {list}"),
        }
        .unwrap();
    }
    if tape.one_in(5) {
        write!(
            sql,
            " HAVING {} > {}",
            aggregates[0],
            tape.of(&["0", "-5", "10.5"])
        )
        .unwrap();
    }
    if tape.one_in(5) {
        write!(sql, " ORDER BY {} DESC", shown.len()).unwrap();
    }
    if tape.one_in(8) {
        sql.push_str(" LIMIT 3");
    }
    sql
}

/// What stands behind FROM.
fn from(tape: &mut Tape<'_>, scope: &mut Scope) -> String {
    match tape.below(10) {
        0 | 1 => {
            scope.trips("t");
            "bike_trips t".to_owned()
        }
        2 => {
            scope.trips("t");
            let kind = tape.of(&["JOIN", "LEFT JOIN"]);
            let more = if tape.one_in(3) {
                format!(" AND {}", condition(tape, scope, 1))
            } else {
                String::new()
            };
            scope.zones();
            format!("bike_trips t {kind} zones z ON t.district = z.name{more}")
        }
        3 => {
            scope.trips("t");
            let kind = tape.of(&["JOIN", "LEFT JOIN", "LEFT SEMI JOIN", "LEFT ANTI JOIN"]);
            if !kind.contains("MI JOIN") && !kind.contains("ANTI") {
                scope.parks();
            }
            format!("bike_trips t {kind} parks p ON t.district = p.district")
        }
        4 => {
            scope.trips("t");
            scope.trips("r");
            let kind = tape.of(&["JOIN", "LEFT JOIN"]);
            let more = tape.of(&["", " AND r.fare > t.fare", " AND r.district = t.district"]);
            format!("bike_trips t {kind} rides r ON t.person_id = r.person_id{more}")
        }
        5 => {
            scope.trips("t");
            scope.trips("r");
            "bike_trips t JOIN bike_trips r ON t.person_id = r.person_id AND t.fare < r.fare".to_owned()
        }
        6 => {
            scope.trips("t");
            scope.trips("r");
            scope.zones();
            "rides r JOIN bike_trips t ON t.person_id = r.person_id JOIN zones z ON r.district = z.name"
                .to_owned()
        }
        7 => {
            let inner = inner(tape, scope, "x");
            let joined = tape.one_in(3);
            if joined {
                scope.trips("r");
                return format!("rides r JOIN {inner} ON r.person_id = x.person_id");
            }
            inner
        }
        8 => {
            let inner = inner(tape, scope, "x");
            scope.zones();
            // A key of the inner query decides which zone its row meets.
            if scope.texts.iter().any(|text| text == "x.district") {
                format!("{inner} LEFT JOIN zones z ON x.district = z.name")
            } else {
                format!("{inner} JOIN zones z ON x.n = z.capacity - 6998")
            }
        }
        _ => inner(tape, scope, "x"),
    }
}

/// A query that groups by the unit and perhaps more.
fn inner(tape: &mut Tape<'_>, scope: &mut Scope, alias: &str) -> String {
    let mut own = Scope::default();
    own.trips("i");
    let key = tape.of(&["", "home", "district", "electric"]);
    let mut columns = vec!["i.person_id".to_owned()];
    let mut by = vec!["i.person_id".to_owned()];
    if !key.is_empty() {
        columns.push(format!("i.{key}"));
        by.push(format!("i.{key}"));
        let place = format!("{alias}.{key}");
        if key == "electric" {
            scope.conditions.push(place.clone());
        } else {
            scope.texts.push(place.clone());
        }
        scope.keys.push(place);
    }
    columns.push("COUNT(*) AS n".to_owned());
    scope.numbers.push(format!("{alias}.n"));
    for at in 0..=tape.below(3) {
        let x = number(tape, &own, 1);
        let function = match tape.below(6) {
            0 => format!("SUM({x})"),
            1 => format!("AVG({x})"),
            2 => format!("MIN({x})"),
            3 => format!("MAX({x})"),
            4 => format!("COUNT({x})"),
            _ => format!("COUNT(DISTINCT {})", tape.name(&own.texts)),
        };
        columns.push(format!("{function} AS f{at}"));
        scope.numbers.push(format!("{alias}.f{at}"));
    }
    scope.unit = Some(format!("{alias}.person_id"));
    let filter = if tape.one_in(3) {
        format!(" WHERE {}", condition(tape, &own, 1))
    } else {
        String::new()
    };
    let having = if tape.one_in(4) {
        " HAVING COUNT(*) > 1"
    } else {
        ""
    };
    let (columns, by) = (columns.join(", "), by.join(", "));
    let table = tape.of(&["bike_trips", "rides"]);
    format!("(SELECT {columns} FROM {table} i{filter} GROUP BY {by}{having}) {alias}")
}

fn keys(tape: &mut Tape<'_>, scope: &Scope, open: bool) -> Vec<String> {
    let mut keys: Vec<String> = vec![];
    for _ in 0..tape.below(4) {
        keys.push(match tape.below(6) {
            4 => format!("CAST({} AS BIGINT) % 4", number(tape, scope, 1)),
            5 if !scope.times.is_empty() => {
                format!(
                    "date_part('{}', {})",
                    tape.of(&["hour", "isodow"]),
                    tape.name(&scope.times[..1])
                )
            }
            3 => format!(
                "CASE WHEN {} THEN 'a' WHEN {} THEN 'b' END",
                condition(tape, scope, 1),
                condition(tape, scope, 1)
            ),
            _ if !scope.keys.is_empty() => tape.name(&scope.keys),
            _ => format!("CASE WHEN {} THEN 1 ELSE 0 END", condition(tape, scope, 1)),
        });
    }
    if open {
        if scope.open.is_empty() {
            keys.push(format!("CAST({} AS BIGINT)", number(tape, scope, 0)));
        } else {
            keys.push(tape.name(&scope.open));
        }
    }
    keys.dedup();
    keys
}

/// The names of the aggregates that come up, for the test that all of the language do.
pub(crate) const AGGREGATES: [&str; 13] = [
    "COUNT",
    "SUM",
    "AVG",
    "VAR_SAMP",
    "VAR_POP",
    "STDDEV_SAMP",
    "STDDEV_POP",
    "CORR",
    "COVAR_SAMP",
    "COVAR_POP",
    "MEDIAN",
    "QUANTILE",
    "FILTER",
];

fn aggregates(tape: &mut Tape<'_>, scope: &Scope, open: bool) -> Vec<String> {
    let mut all = vec![];
    for _ in 0..=tape.below(4) {
        let x = |tape: &mut Tape<'_>| bounded(tape, scope);
        let mut aggregate = match tape.below(12) {
            0 => "COUNT(*)".to_owned(),
            1 => format!("COUNT({})", number(tape, scope, 1)),
            2 => match &scope.unit {
                Some(unit) if tape.one_in(3) => {
                    let condition = condition(tape, scope, 1);
                    format!("COUNT(DISTINCT CASE WHEN {condition} THEN {unit} END)")
                }
                Some(unit) => format!("COUNT(DISTINCT {unit})"),
                None => "COUNT(*)".to_owned(),
            },
            3 if !open && tape.one_in(2) => format!("COUNT(DISTINCT {})", number(tape, scope, 1)),
            3 | 4 => format!("SUM({})", x(tape)),
            5 => format!("AVG({})", x(tape)),
            6 => format!(
                "{}({})",
                tape.of(&["VAR_SAMP", "VAR_POP", "STDDEV_SAMP", "STDDEV_POP"]),
                x(tape)
            ),
            7 => format!(
                "{}({}, {})",
                tape.of(&["CORR", "COVAR_SAMP", "COVAR_POP"]),
                x(tape),
                x(tape)
            ),
            8 if !open => {
                let rank = tape.of(&["0.5", "0.9", "0", "1"]);
                let inner = x(tape);
                all.push(
                    tape.of(&["MEDIAN(x)", "QUANTILE(x, r)"])
                        .replace('r', rank)
                        .replace('x', &inner),
                );
                continue;
            }
            _ => format!("SUM({})", x(tape)),
        };
        if tape.one_in(6) {
            write!(aggregate, " FILTER (WHERE {})", condition(tape, scope, 1)).unwrap();
        }
        all.push(aggregate);
    }
    all.dedup();
    all
}

/// A number with finite bounds, most of the time.
fn bounded(tape: &mut Tape<'_>, scope: &Scope) -> String {
    let x = number(tape, scope, 2);
    match tape.below(4) {
        0 => x,
        1 => format!("LEAST(GREATEST({x}, -50), 400)"),
        2 => format!("CLAMP({x}, 0, 1000.5)"),
        _ => format!("LEAST(GREATEST(CAST({x} AS BIGINT), -3), 90)"),
    }
}

fn number(tape: &mut Tape<'_>, scope: &Scope, depth: usize) -> String {
    if depth == 0 || tape.one_in(3) {
        return if tape.one_in(5) {
            tape.of(&["0", "1", "-7", "2.5", "1e18", "9223372036854775807"])
                .to_owned()
        } else {
            tape.name(&scope.numbers)
        };
    }
    let x = |tape: &mut Tape<'_>| number(tape, scope, depth - 1);
    match tape.below(16) {
        0..=3 => {
            let (a, b) = (x(tape), x(tape));
            format!("({a} {} {b})", tape.of(&["+", "-", "*", "/", "%"]))
        }
        4 => format!(
            "CASE WHEN {} THEN {} ELSE {} END",
            condition(tape, scope, depth - 1),
            x(tape),
            x(tape)
        ),
        5 => format!("COALESCE({}, {})", x(tape), x(tape)),
        6 => format!("NULLIF({}, {})", x(tape), x(tape)),
        7 => format!("{}({})", tape.of(&["abs", "sign", "floor", "ceil", "-"]), x(tape)),
        8 => format!("round({}, {})", x(tape), tape.of(&["0", "1", "-2"])),
        9 => format!(
            "{}({})",
            tape.of(&["sqrt", "ln", "exp", "sin", "tanh", "cbrt"]),
            x(tape)
        ),
        10 => format!(
            "CAST({} AS {})",
            x(tape),
            tape.of(&["BIGINT", "DOUBLE", "INT", "SMALLINT", "REAL"])
        ),
        11 => format!("CAST(CAST({} AS TEXT) AS DOUBLE)", x(tape)),
        12 if !scope.texts.is_empty() => {
            let text = tape.name(&scope.texts);
            let function = tape.of(&[
                "char_length(x)",
                "octet_length(x)",
                "strpos(x, '城')",
                "ascii(x)",
                "regexp_count(x, '[a-c]+')",
            ]);
            function.replace("(x", &format!("({text}"))
        }
        13 if !scope.times.is_empty() => {
            let time = tape.name(&scope.times);
            format!("date_part('{}', {time})", tape.of(&["year", "doy", "week"]))
        }
        14 => format!("width_bucket({}, 0, 2000, 5)", x(tape)),
        _ => format!(
            "{}({}, {})",
            tape.of(&["power", "mod", "LEAST", "GREATEST", "atan2", "div"]),
            x(tape),
            x(tape)
        ),
    }
}

fn condition(tape: &mut Tape<'_>, scope: &Scope, depth: usize) -> String {
    let compare = |tape: &mut Tape<'_>| {
        let (a, b) = (number(tape, scope, depth.min(1)), number(tape, scope, 0));
        format!(
            "{a} {} {b}",
            tape.of(&[">", "<", "<=", "=", "<>", "IS DISTINCT FROM"])
        )
    };
    if depth == 0 {
        return compare(tape);
    }
    match tape.below(10) {
        5 if !scope.texts.is_empty() => {
            let text = tape.name(&scope.texts);
            format!(
                "{text} {}",
                tape.of(&[
                    "IN ('东城', '火星')",
                    "LIKE '%城'",
                    "IS NULL",
                    "~ '^[东西]'",
                    "NOT IN ('a')",
                    "> 'b'"
                ])
            )
        }
        6 if !scope.conditions.is_empty() => tape.name(&scope.conditions),
        7 => format!("NOT ({})", condition(tape, scope, depth - 1)),
        8 => {
            let (a, b) = (
                condition(tape, scope, depth - 1),
                condition(tape, scope, depth - 1),
            );
            format!("({a} {} {b})", tape.of(&["AND", "OR"]))
        }
        9 => format!(
            "{} BETWEEN {} AND {}",
            number(tape, scope, 1),
            number(tape, scope, 0),
            number(tape, scope, 0)
        ),
        4 if !scope.times.is_empty() => {
            format!(
                "{} {} '2023-11-14'",
                tape.name(&scope.times),
                tape.of(&["<", ">="])
            )
        }
        _ => compare(tape),
    }
}
