use super::{LEAST, MOST, hold, refused};

#[test]
fn numbers_are_those_of_postgresql() {
    hold(&[
        ("cbrt(64.0)", "4"),
        ("cbrt(-27)", "-3"),
        ("div(9, 4)", "2"),
        ("div(-9, 4)", "-2"),
        ("div(9.5, 4)", "2"),
        ("div(-9.5, 4)", "-2"),
        ("mod(9, 4)", "1"),
        ("mod(-9, 4)", "-1"),
        ("mod(9.5, 4)", "1.5"),
        ("exp(1.0)", "2.718281828459045"),
        ("factorial(5)", "120"),
        ("factorial(0)", "1"),
        ("factorial(20)", "2432902008176640000"),
        ("gcd(1071, 462)", "21"),
        ("gcd(-1071, 462)", "21"),
        ("gcd(0, 0)", "0"),
        ("lcm(1071, 462)", "23562"),
        ("lcm(-4, 6)", "12"),
        ("lcm(0, 6)", "0"),
        ("ln(2.0)", "0.6931471805599453"),
        ("log(100)", "2"),
        ("log10(1000)", "3"),
        ("log(2.0, 64.0)", "6"),
        ("log(10, 1000)", "3"),
        ("log2(8)", "3"),
        ("power(9, 3)", "729"),
        ("round(42.4382, 2)", "42.44"),
        ("round(1234.56, -1)", "1230"),
        ("trunc(42.8)", "42"),
        ("trunc(-42.8)", "-42"),
        ("trunc(42.4382, 2)", "42.43"),
        ("trunc(-42.4382, 2)", "-42.43"),
        ("trunc(0.29, 2)", "0.29"),
        ("trunc(1299, -2)", "1200"),
        ("trunc(-1299, -2)", "-1200"),
        ("width_bucket(5.35, 0.024, 10.06, 5)", "3"),
        ("width_bucket(9, 10, 0, 10)", "2"),
        ("width_bucket(-1, 0, 10, 10)", "0"),
        ("width_bucket(0, 0, 10, 10)", "1"),
        ("width_bucket(10, 0, 10, 10)", "11"),
        ("width_bucket(10, 10, 0, 10)", "1"),
        ("width_bucket(0, 10, 0, 10)", "11"),
        ("width_bucket(11, 10, 0, 10)", "0"),
        ("clamp(5, 1, 3)", "3"),
        ("clamp(-5, 1, 3)", "1"),
        ("clamp(2, 1, 3.5)", "2"),
    ]);
}

#[test]
fn angles_are_those_of_postgresql() {
    hold(&[
        ("pi()", "3.141592653589793"),
        ("degrees(0.5)", "28.64788975654116"),
        ("radians(45.0)", "0.7853981633974483"),
        ("round(sin(1), 12)", "0.841470984808"),
        ("cos(0)", "1"),
        ("round(tan(1), 12)", "1.557407724655"),
        ("round(cot(0.5), 12)", "1.830487721712"),
        ("round(asin(1), 12)", "1.570796326795"),
        ("acos(1)", "0"),
        ("round(atan(1), 12)", "0.785398163397"),
        ("round(atan2(1, 0), 12)", "1.570796326795"),
        ("round(atan2(-1, -1), 12)", "-2.356194490192"),
        ("round(sinh(1), 12)", "1.175201193644"),
        ("cosh(0)", "1"),
        ("round(tanh(1), 12)", "0.761594155956"),
        ("round(asinh(1), 12)", "0.88137358702"),
        ("acosh(1)", "0"),
        ("round(atanh(0.5), 12)", "0.549306144334"),
    ]);
}

#[test]
fn what_has_no_value_is_null() {
    let table: Vec<(String, &str)> = [
        "div(1, 0)",
        "mod(1, 0)",
        "mod(1.0, 0)",
        "factorial(-1)",
        "factorial(21)",
        "log(0)",
        "log(1, 8)",
        "log(0, 8)",
        "log(-2, 8)",
        "log(2, 0)",
        "log2(0)",
        "cot(0)",
        "asin(1.5)",
        "acos(-1.5)",
        "acosh(0.5)",
        "atanh(1)",
        "cosh(1000)",
        "sinh(-1000)",
        "degrees(1e308)",
        "width_bucket(1, 0, 0, 5)",
        "width_bucket(1, 0, 10, 0)",
        "width_bucket(1, 0, 10, -1)",
        "width_bucket(1, 0, 10, 2147483648)",
        "width_bucket(NULL, 0, 10, 5)",
        "clamp(2, 3, 1)",
        "clamp(2, NULL, 3)",
        "clamp(NULL, 1, 3)",
        "sin(NULL)",
        "gcd(NULL, 3)",
        "log(NULL, 3)",
    ]
    .map(|sql| (sql.to_owned(), "NULL"))
    .to_vec();
    hold(&table);
    hold(&[
        (format!("gcd({LEAST}, 0)"), "NULL"),
        (format!("gcd({LEAST}, {LEAST})"), "NULL"),
        (format!("gcd({LEAST}, 6)"), "2"),
        (format!("lcm({MOST}, 2)"), "NULL"),
        (format!("lcm({LEAST}, 1)"), "NULL"),
        (format!("div({LEAST}, -1)"), "NULL"),
        (format!("mod({LEAST}, -1)"), "NULL"),
        (format!("factorial({MOST})"), "NULL"),
        (format!("trunc({MOST}, {LEAST})"), "0"),
        (format!("trunc({MOST}, -19)"), "0"),
        (format!("trunc({LEAST}, -18)"), "-9000000000000000000"),
        (format!("trunc(1.5, {MOST})"), "1.5"),
        (format!("trunc(1.5, {LEAST})"), "0"),
        ("width_bucket(0, -1e308, 1.5e308, 3)".into(), "2"),
    ]);
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    refused(
        "unsupported-expression",
        &[
            "sin(note)",
            "sin(fare, fare)",
            "gcd(fare, distance)",
            "pi(1)",
            "clamp(fare, 1)",
        ],
    );
}
