use super::{LEAST, MOST, hold, refused};

/// Expressions that give dates or times, shown as text.
fn hold_times(table: &[(&str, &str)]) {
    let shown: Vec<(String, &str)> = table
        .iter()
        .map(|(sql, wanted)| (format!("CAST({sql} AS TEXT)"), *wanted))
        .collect();
    hold(&shown);
}

const T: &str = "TIMESTAMP '2001-02-16 20:38:40.12'";

#[test]
fn parts_are_those_of_postgresql() {
    hold(&[
        (format!("year({T})"), "2001"),
        (format!("quarter({T})"), "1"),
        (format!("month({T})"), "2"),
        (format!("week({T})"), "7"),
        (format!("day({T})"), "16"),
        (format!("hour({T})"), "20"),
        (format!("minute({T})"), "38"),
        (format!("second({T})"), "40"),
        (format!("dayofyear({T})"), "47"),
        (format!("dayofweek({T})"), "5"),
        (format!("isodow({T})"), "5"),
        (format!("epoch({T})"), "982355920"),
        (format!("decade({T})"), "200"),
        (format!("century({T})"), "21"),
        (format!("date_part('century', {T})"), "21"),
        (
            "date_part('century', TIMESTAMP '2000-12-16 12:21:13')".into(),
            "20",
        ),
        ("century(DATE '0001-01-01')".into(), "1"),
        ("century(DATE '0000-12-31')".into(), "-1"),
        ("isodow(TIMESTAMP '2001-02-18 20:38:40')".into(), "7"),
        ("dayofweek(TIMESTAMP '2001-02-18 20:38:40')".into(), "0"),
        ("isoyear(DATE '2006-01-01')".into(), "2005"),
        ("isoyear(DATE '2006-01-02')".into(), "2006"),
        ("week(DATE '2005-01-01')".into(), "53"),
        ("week(DATE '2005-12-31')".into(), "52"),
        ("extract(isoyear from DATE '2006-01-01')".into(), "2005"),
        ("extract(epoch from DATE '1969-12-31')".into(), "-86400"),
        ("month(NULL)".into(), "NULL"),
        ("is_weekend(DATE '2026-11-22')".into(), "true"),
        ("is_weekend(DATE '2026-11-23')".into(), "false"),
        ("dayname(DATE '2026-11-23')".into(), "Monday"),
        ("dayname_zh(DATE '2026-11-22')".into(), "星期日"),
        ("monthname(DATE '2026-11-22')".into(), "November"),
        ("monthname_zh(DATE '2026-11-22')".into(), "十一月"),
        ("day_name_zh(NULL)".into(), "NULL"),
    ]);
    hold_times(&[
        ("date_trunc('decade', DATE '2026-11-22')", "2020-01-01T00:00:00"),
        ("date_trunc('century', DATE '2000-11-22')", "1901-01-01T00:00:00"),
        ("date_trunc('quarter', DATE '2026-11-22')", "2026-10-01T00:00:00"),
    ]);
}

#[test]
fn intervals_move_as_in_postgresql() {
    hold_times(&[
        ("DATE '2001-09-28' + 7", "2001-10-05"),
        ("7 + DATE '2001-09-28'", "2001-10-05"),
        ("DATE '2001-10-01' - 7", "2001-09-24"),
        ("DATE '2001-10-01' - DATE '2001-09-28'", "3"),
        (
            "TIMESTAMP '2001-09-28 01:00' + INTERVAL '23 hours'",
            "2001-09-29T00:00:00",
        ),
        (
            "INTERVAL '23 hours' + TIMESTAMP '2001-09-28 01:00'",
            "2001-09-29T00:00:00",
        ),
        (
            "TIMESTAMP '2001-09-28 23:00' - INTERVAL '23 hours'",
            "2001-09-28T00:00:00",
        ),
        (
            "TIMESTAMP '2024-01-31 08:00' + INTERVAL '1 month'",
            "2024-02-29T08:00:00",
        ),
        (
            "TIMESTAMP '2024-01-31' + INTERVAL '1 month 1 day'",
            "2024-03-01T00:00:00",
        ),
        (
            "TIMESTAMP '2024-02-29' - INTERVAL '1 year'",
            "2023-02-28T00:00:00",
        ),
        ("TIMESTAMP '2024-02-29' + INTERVAL '1' DAY", "2024-03-01T00:00:00"),
        ("DATE '2024-01-31' + INTERVAL '3 days'", "2024-02-03"),
        ("DATE '2024-03-31' - INTERVAL '1 month'", "2024-02-29"),
        ("date_add(DATE '2024-02-28', 2)", "2024-03-01"),
        ("date_sub(DATE '2024-03-01', 1)", "2024-02-29"),
        ("date_add('month', 1, DATE '2024-01-31')", "2024-02-29"),
        (
            "dateadd('hour', -1, TIMESTAMP '2024-01-01')",
            "2023-12-31T23:00:00",
        ),
        ("date_add('quarter', 2, DATE '2024-01-31')", "2024-07-31"),
        (
            "date_add('week', 1, TIMESTAMP '2024-01-31 01:02:03')",
            "2024-02-07T01:02:03",
        ),
        ("add_months(DATE '2024-02-29', 12)", "2025-02-28"),
        ("add_months(DATE '2024-02-29', -2)", "2023-12-29"),
        ("last_day(DATE '2024-02-01')", "2024-02-29"),
        ("last_day(TIMESTAMP '2023-02-01 23:59:59')", "2023-02-28"),
        (
            "date_bin(INTERVAL '15 minutes', TIMESTAMP '2020-02-11 15:44:17', TIMESTAMP '2001-01-01')",
            "2020-02-11T15:30:00",
        ),
        (
            "date_bin(INTERVAL '15 minutes', TIMESTAMP '2020-02-11 15:44:17', TIMESTAMP '2001-01-01 00:02:30')",
            "2020-02-11T15:32:30",
        ),
        (
            "time_bucket(INTERVAL '1 day', TIMESTAMP '1969-12-31 15:44:17')",
            "1969-12-31T00:00:00",
        ),
    ]);
}

#[test]
fn differences() {
    hold(&[
        // DuckDB's: starts of the period that lie between.
        ("date_diff('month', DATE '1992-09-30', DATE '1992-10-01')", "1"),
        ("date_diff('year', DATE '1992-12-31', DATE '1993-01-01')", "1"),
        (
            "date_diff('day', TIMESTAMP '1992-09-30 23:59:59', TIMESTAMP '1992-10-01 00:00:00')",
            "1",
        ),
        (
            "date_diff('hour', TIMESTAMP '1992-09-30 23:59:59', TIMESTAMP '1992-10-01 01:58:00')",
            "2",
        ),
        (
            "date_diff('minute', TIMESTAMP '1992-09-30 23:59:59', TIMESTAMP '1992-09-30 23:58:00')",
            "-1",
        ),
        ("date_diff('week', DATE '2026-11-22', DATE '2026-11-23')", "1"),
        ("date_diff('quarter', DATE '2025-12-31', DATE '2026-04-01')", "2"),
        ("datediff('century', DATE '2000-12-31', DATE '2001-01-01')", "1"),
        ("months_between(DATE '2024-03-30', DATE '2024-01-31')", "1"),
        ("months_between(DATE '2024-01-31', DATE '2024-03-30')", "-1"),
        ("months_between(DATE '2024-03-31', DATE '2024-01-31')", "2"),
        // age() in whole years; who was born on 29 February comes of age on 1 March.
        ("age_in_years(DATE '2000-02-29', DATE '2018-02-28')", "17"),
        ("age_in_years(DATE '2000-02-29', DATE '2018-03-01')", "18"),
        ("age_in_years(DATE '2000-06-01', DATE '1999-01-01')", "-1"),
        ("age_in_years(NULL, DATE '1999-01-01')", "NULL"),
    ]);
}

#[test]
fn dates_are_read_and_written() {
    hold_times(&[
        ("make_date(2013, 7, 15)", "2013-07-15"),
        (
            "make_timestamp(2013, 7, 15, 8, 15, 23.5)",
            "2013-07-15T08:15:23.500000",
        ),
        ("to_date('2025-03-04')", "2025-03-04"),
        ("to_date('2025/3/4')", "2025-03-04"),
        ("to_date('2025.03.04')", "2025-03-04"),
        ("to_date('20250304')", "2025-03-04"),
        ("to_date('2025年3月4日')", "2025-03-04"),
        ("to_date(' 2025年12月31号 ')", "2025-12-31"),
        ("to_date('２０２５年３月４日')", "2025-03-04"),
        ("to_date('2025-03-04 23:59:59')", "2025-03-04"),
        ("to_date('2024-02-29')", "2024-02-29"),
        ("to_date('2025年2月29日')", "NULL"),
        ("to_date('2025-3/4')", "NULL"),
        ("to_date('2025年3月')", "NULL"),
        ("to_date('25年3月4日')", "NULL"),
        ("to_date('0000/1/1')", "NULL"),
        ("to_date('')", "NULL"),
        ("to_date('星期一')", "NULL"),
        ("to_timestamp('2025年3月4日8时5分')", "2025-03-04T08:05:00"),
        ("to_timestamp('2025年3月4日 20点')", "2025-03-04T20:00:00"),
        ("to_timestamp('2025年3月4日 20点5分9秒')", "2025-03-04T20:05:09"),
        ("to_timestamp('2025/3/4 8:05')", "2025-03-04T08:05:00"),
        (
            "to_timestamp('2025/3/4 8:05:09.25')",
            "2025-03-04T08:05:09.250000",
        ),
        ("to_timestamp('2025-03-04T08:05:09')", "2025-03-04T08:05:09"),
        ("to_timestamp('2025/3/4 24:00')", "NULL"),
        ("to_timestamp('2025/3/4 8')", "NULL"),
        ("to_timestamp('2025/3/4 8:05x')", "NULL"),
    ]);
    hold(&[
        (
            "to_char(TIMESTAMP '2002-04-20 17:31:12.66', 'HH12:MI:SS')",
            "05:31:12",
        ),
        (
            "to_char(TIMESTAMP '2002-04-20 17:31:12.66', 'YYYY-MM-DD HH24:MI:SS.MS')",
            "2002-04-20 17:31:12.660",
        ),
        ("to_char(DATE '2002-04-20', 'YYYY年MM月DD日')", "2002年04月20日"),
        ("to_char(DATE '2002-04-20', 'yyyymm')", "200204"),
        (
            "to_char(DATE '2002-04-20', 'IYYY-\"W\"IW-ID, Q, DDD, D')",
            "2002-W16-6, 2, 110, 7",
        ),
        (
            "to_char(TIMESTAMP '2002-04-20 00:01:02', 'HH12 AM YY US')",
            "12 AM 02 000000",
        ),
        ("to_char(TIMESTAMP '2002-04-20 12:01:02', 'HH PM')", "12 PM"),
        ("to_char(DATE '2002-04-20', '')", ""),
        ("to_char(NULL, 'YYYY')", "NULL"),
        ("to_char(DATE '2002-04-20', NULL)", "NULL"),
    ]);
    refused(
        "pattern",
        &[
            "to_char(start, note)",
            "to_char(start, 'Month')",
            "to_char(start, '\"open')",
            "to_char(start, 'YYYY-MM-DDTHH24')",
        ],
    );
}

#[test]
fn hostile_times_are_null() {
    let far = "TIMESTAMP '9999-12-31 23:59:59'";
    let early = "TIMESTAMP '-009999-01-01 00:00:00'";
    hold(&[
        (
            format!("CAST({far} + INTERVAL '1 second' AS TEXT)"),
            "10000-01-01T00:00:00",
        ),
        (format!("year({early})"), "-9999"),
        (format!("year(add_months({early}, -12))"), "-10000"),
        (format!("add_months({far}, {MOST})"), "NULL"),
        (format!("add_months({far}, {LEAST})"), "NULL"),
        (format!("date_add({far}, {MOST})"), "NULL"),
        (format!("date_sub({far}, {LEAST})"), "NULL"),
        (format!("date_add(DATE '2024-01-01', {MOST})"), "NULL"),
        ("date_add(DATE '2024-01-01', 2147483647)".into(), "NULL"),
        (format!("date_add('century', {MOST}, {far})"), "NULL"),
        (format!("date_add('year', 300000, {far})"), "NULL"),
        (format!("date_add('second', {MOST}, {far})"), "NULL"),
        (format!("months_between({far}, {early})"), "239987"),
        (format!("date_diff('second', {early}, {far}) > 0"), "true"),
        ("make_date(2023, 2, 29)".into(), "NULL"),
        ("make_date(0, 1, 1)".into(), "NULL"),
        ("make_date(10000, 1, 1)".into(), "NULL"),
        (format!("make_date({MOST}, {LEAST}, 1)"), "NULL"),
        ("make_timestamp(2023, 1, 1, 24, 0, 0)".into(), "NULL"),
        ("make_timestamp(2023, 1, 1, 0, 0, 60)".into(), "NULL"),
        ("make_timestamp(2023, 1, 1, 0, 0, -0.5)".into(), "NULL"),
        ("make_date(2023, NULL, 1)".into(), "NULL"),
        ("to_date(rpad('2', 4096, '2'))".into(), "NULL"),
        ("last_day(NULL)".into(), "NULL"),
    ]);
}

#[test]
fn moves_that_have_no_meaning_are_refused() {
    refused(
        "unsupported-type",
        &[
            "day + INTERVAL '1 hour'",
            "date_add('hour', 1, day)",
            "start - start",
        ],
    );
    refused(
        "pattern",
        &[
            "date_add('dow', 1, start)",
            "date_diff('epoch', start, start)",
            "date_trunc('isoyear', start)",
            "date_diff(note, start, start)",
            "date_bin(INTERVAL '1 month', start)",
            "date_bin(INTERVAL '-1 day', start)",
            "date_bin(INTERVAL '0 days', start)",
        ],
    );
}
