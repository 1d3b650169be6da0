use super::hold;

#[test]
fn choices() {
    hold(&[
        ("if(1 < 2, 'a', 'b')", "a"),
        ("iif(NULL, 'a', 'b')", "b"),
        ("if(false, 1, 2.5)", "2.5"),
        ("if(true, NULL, 2)", "NULL"),
        ("nvl2(1, 'there', 'missing')", "there"),
        ("nvl2(NULL, 'there', 'missing')", "missing"),
        ("zeroifnull(NULL)", "0"),
        ("zeroifnull(1.5)", "1.5"),
        ("nullifzero(0)", "NULL"),
        ("nullifzero(0.0)", "NULL"),
        ("nullifzero(3)", "3"),
        ("num_nulls(1, NULL, 'x', NULL)", "2"),
        ("num_nonnulls(1, NULL, 'x', NULL)", "2"),
        ("num_nulls(NULL)", "1"),
        ("xor(true, false)", "true"),
        ("xor(true, true)", "false"),
        ("xor(true, NULL)", "NULL"),
        ("ifnull(NULL, 'x')", "x"),
    ]);
}
