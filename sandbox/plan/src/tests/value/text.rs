use super::{LEAST, MOST, hold, long, refused};

#[test]
fn texts_are_those_of_postgresql() {
    hold(&[
        ("ascii('x')", "120"),
        ("ascii('')", "0"),
        ("ascii('长')", "38271"),
        ("ascii('𠮷野家')", "134071"),
        ("chr(65)", "A"),
        ("chr(38271)", "长"),
        ("chr(134071)", "𠮷"),
        ("bit_length('jose')", "32"),
        ("bit_length('空气')", "48"),
        ("initcap('hi THOMAS')", "Hi Thomas"),
        ("initcap('a1b c-d 北京e')", "A1b C-D 北京e"),
        ("lpad('hi', 5, 'xy')", "xyxhi"),
        ("lpad('hi', 5)", "   hi"),
        ("lpad('hello', 2)", "he"),
        ("lpad('7', 3, '0')", "007"),
        ("rpad('hi', 5, 'xy')", "hixyx"),
        ("rpad('空气', 4, '。')", "空气。。"),
        ("rpad('hello', 2, 'x')", "he"),
        ("lpad('hi', -1, 'x')", ""),
        ("lpad('hi', 9, '')", "hi"),
        ("repeat('Pg', 4)", "PgPgPgPg"),
        ("repeat('x', 0)", ""),
        ("repeat('x', -3)", ""),
        ("split_part('abc~@~def~@~ghi', '~@~', 2)", "def"),
        ("split_part('abc,def,ghi,jkl', ',', -2)", "ghi"),
        ("split_part('a,b', ',', 3)", ""),
        ("split_part('a,b', ',', -3)", ""),
        ("split_part('a,b', '', 1)", "a,b"),
        ("split_part('a,b', '', 2)", ""),
        ("split_part('广东省、深圳市、南山区', '、', 2)", "深圳市"),
        ("substr_index('www.beijing.gov.cn', '.', 2)", "www.beijing"),
        ("substr_index('www.beijing.gov.cn', '.', -2)", "gov.cn"),
        ("substring_index('a', '.', 2)", "a"),
        ("substr_index('a.b', '.', 0)", ""),
        ("translate('12345', '143', 'ax')", "a2x5"),
        ("translate('壹贰叁', '壹贰叁', '123')", "123"),
        ("translate('aa', 'aa', 'xy')", "xx"),
        ("overlay('Txxxxas' placing 'hom' from 2 for 4)", "Thomas"),
        ("overlay('Txxxxas' placing 'hom' from 2)", "Thomxas"),
        ("overlay('空气质量' placing '水' from 1 for 2)", "水质量"),
        ("overlay('abc' placing 'x' from 9)", "abcx"),
        ("overlay('abc' placing 'x' from 2 for 0)", "axbc"),
        ("concat_ws(',', 'abcde', 2, NULL, 22)", "abcde,2,22"),
        ("concat_ws('、', '北京', NULL, '上海')", "北京、上海"),
        ("concat_ws(NULL, 'a', 'b')", "NULL"),
        ("concat_ws(',', NULL)", ""),
        ("to_hex(2147483647)", "7fffffff"),
        ("to_hex(-1)", "ffffffffffffffff"),
        ("levenshtein('GUMBO', 'GAMBOL')", "2"),
        ("levenshtein('北京市海淀区', '北京海淀')", "2"),
        ("levenshtein('', '')", "0"),
        ("reverse('ab𠮷')", "𠮷ba"),
    ]);
}

#[test]
fn widths_and_forms() {
    hold(&[
        ("to_halfwidth('ＡＢＣ１２３，（）　ｚ')", "ABC123,() z"),
        ("to_fullwidth('ABC 123,')", "ＡＢＣ　１２３，"),
        ("to_halfwidth(to_fullwidth('a~!Z'))", "a~!Z"),
        ("to_halfwidth('空气。￥')", "空气。￥"),
        ("normalize('ＡＢ①㎏', 'NFKC')", "AB1kg"),
        ("char_length(normalize('é', 'NFD'))", "2"),
        ("char_length(normalize(normalize('é', 'nfd')))", "1"),
        ("normalize('ﬁ', 'NFKD')", "fi"),
        ("is_chinese('空气质量')", "true"),
        ("is_chinese('空气a')", "false"),
        ("is_chinese('𠮷')", "true"),
        ("is_chinese('〇々')", "true"),
        ("is_chinese('。')", "false"),
        ("is_chinese('')", "false"),
        ("is_chinese('かな')", "false"),
        ("contains_chinese('PM2.5浓度')", "true"),
        ("contains_chinese('PM2.5')", "false"),
        ("contains_chinese('')", "false"),
    ]);
    refused(
        "pattern",
        &[
            "normalize(note, 'NFX')",
            "normalize(note, note)",
            "normalize(note, NULL)",
        ],
    );
}

#[test]
fn chinese_characters_are_those_of_the_script() {
    let han = regex_automata::dfa::regex::Regex::new(r"\A\p{Han}\z").unwrap();
    for c in '\0'..=char::MAX {
        let ours = crate::eval::is_chinese(c);
        let script = han.is_match(c.encode_utf8(&mut [0; 4]).as_bytes());
        assert!(ours || !script, "{c:?} is of the script");
        // Ours also has what the blocks leave open for later.
        let open = matches!(c, '\u{2e9a}' | '\u{2ef4}'..='\u{2eff}' | '\u{fa6e}'..='\u{faff}')
            || matches!(c, '\u{16fe4}'..='\u{16fff}' | '\u{20000}'..='\u{3ffff}');
        assert!(script || !ours || open, "{c:?} is not of the script");
    }
}

#[test]
fn hostile_texts_are_null() {
    let (whole, over) = (long(1_365), long(1_366));
    hold(&[
        (format!("char_length(reverse({whole}))"), "1365"),
        (format!("reverse({over})"), "NULL"),
        (format!("upper({over})"), "NULL"),
        (format!("initcap({over})"), "NULL"),
        (format!("to_halfwidth({over})"), "NULL"),
        ("to_fullwidth(rpad('a', 2000, 'a'))".into(), "NULL"),
        (format!("normalize({over}, 'NFKC')"), "NULL"),
        ("normalize(rpad('ﷺ', 1300, 'ﷺ'), 'NFKC')".into(), "NULL"),
        (format!("is_chinese({over})"), "true"),
        (format!("lpad('x', {MOST}, 'y')"), "NULL"),
        (format!("lpad('x', {LEAST}, 'y')"), ""),
        ("char_length(lpad('x', 4096, 'y'))".into(), "4096"),
        ("lpad('x', 4097, 'y')".into(), "NULL"),
        ("rpad('x', 2000, '长')".into(), "NULL"),
        (format!("lpad({over}, 2, 'y')"), "NULL"),
        (format!("repeat('x', {MOST})"), "NULL"),
        (format!("repeat('', {MOST})"), ""),
        ("char_length(repeat('x', 4096))".into(), "4096"),
        ("repeat('x', 4097)".into(), "NULL"),
        ("split_part('a', ',', 0)".into(), "NULL"),
        (format!("split_part('a', ',', {LEAST})"), ""),
        (format!("split_part('a', ',', {MOST})"), ""),
        (format!("substr_index('a,b', ',', {LEAST})"), "a,b"),
        (format!("translate('a', {}, 'b')", long(100)), "NULL"),
        (format!("overlay('a' placing 'b' from {MOST} for {MOST})"), "NULL"),
        ("overlay('a' placing 'b' from 0)".into(), "NULL"),
        (format!("overlay('abc' placing 'x' from 2 for {LEAST})"), "axabc"),
        ("overlay(NULL placing 'b' from 1)".into(), "NULL"),
        (format!("concat_ws('-', {whole}, 'x')"), "NULL"),
        ("chr(0)".into(), "NULL"),
        ("chr(-1)".into(), "NULL"),
        ("chr(55296)".into(), "NULL"),
        ("chr(1114112)".into(), "NULL"),
        (format!("chr({MOST})"), "NULL"),
        (format!("to_hex({LEAST})"), "8000000000000000"),
        (format!("levenshtein({}, 'x')", long(65)), "NULL"),
        (format!("levenshtein({}, 'x')", long(64)), "64"),
        ("levenshtein('x', NULL)".into(), "NULL"),
        ("initcap(NULL)".into(), "NULL"),
        ("is_chinese(NULL)".into(), "NULL"),
    ]);
}
