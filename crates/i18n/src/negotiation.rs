//! Which language an answer is in.

use model::Language;

/// Chooses: an explicit `?lang=`, else the cookie, else `Accept-Language`, else Chinese.
///
/// `Accept-Language` is read as RFC 9110 §12.5.4 says: the language with the highest weight of those the portal
/// speaks, the earlier one on a tie, weight 0 meaning "not this". Anything that cannot be read is passed over.
pub fn negotiate(query: Option<&str>, cookie: Option<&str>, accept_language: Option<&str>) -> Language {
    query
        .and_then(Language::from_tag)
        .or_else(|| cookie.and_then(Language::from_tag))
        .or_else(|| accept_language.and_then(preferred))
        .unwrap_or_default()
}

/// Ranges beyond this many are not read: no browser sends more, and the header is the client's.
const MAX_RANGES: usize = 32;

fn preferred(header: &str) -> Option<Language> {
    let mut best: Option<(f32, Language)> = None;
    for range in header.split(',').take(MAX_RANGES) {
        let mut parts = range.split(';');
        let tag = parts.next().unwrap_or_default().trim();
        let Some(language) = Language::from_tag(tag) else {
            continue;
        };
        let weight = parts
            .find_map(|part| part.trim().strip_prefix("q="))
            .map_or(Some(1.0), |q| q.trim().parse::<f32>().ok())
            .filter(|q| (0.0..=1.0).contains(q));
        if let Some(weight) = weight.filter(|q| *q > 0.0)
            && best.is_none_or(|(most, _)| weight > most)
        {
            best = Some((weight, language));
        }
    }
    best.map(|(_, language)| language)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{En, Zh};

    #[test]
    fn the_explicit_choice_wins() {
        assert_eq!(negotiate(Some("en"), Some("zh"), Some("zh-CN")), En);
        assert_eq!(
            negotiate(Some("xx"), Some("en"), None),
            En,
            "an unknown choice is none"
        );
        assert_eq!(negotiate(None, Some("en"), Some("zh-CN")), En);
        assert_eq!(negotiate(None, None, None), Zh);
    }

    #[test]
    fn accept_language_is_weighed() {
        let cases = [
            ("en-GB,en;q=0.9,zh;q=0.8", En),
            ("fr,zh-TW;q=0.7,en;q=0.3", Zh),
            ("en;q=0.2, zh;q=0.9", Zh),
            ("en;q=0, zh;q=0.1", Zh),
            ("en;q=0", Zh),
            ("fr, de", Zh),
            ("*", Zh),
            ("en;q=abc, zh;q=NaN", Zh),
            ("en;q=7", Zh),
            (";;;,,,=;q", Zh),
        ];
        for (header, want) in cases {
            assert_eq!(negotiate(None, None, Some(header)), want, "{header}");
        }
        let long = "xx,".repeat(100_000) + "en";
        assert_eq!(negotiate(None, None, Some(&long)), Zh);
    }
}
