//! Fluent bundles of both languages.

use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use model::Language;
use unic_langid::{LanguageIdentifier, langid};

use crate::format;

macro_rules! resources {
    ($($name:literal),+ $(,)?) => {
        /// The resource files of both languages: name, Chinese text, English text.
        const RESOURCES: &[(&str, &str, &str)] = &[
            $(($name,
               include_str!(concat!("../locales/zh-CN/", $name, ".ftl")),
               include_str!(concat!("../locales/en/", $name, ".ftl")))),+
        ];
    };
}

resources![
    "shell", "term", "catalog", "account", "publish", "review", "sandbox", "about", "problem", "site", "why"
];

/// A message's argument: a text, or a number that chooses the plural form and is shown with separators.
pub type Value = FluentValue<'static>;

/// What can stand in a message.
pub trait Argument {
    /// The value as Fluent takes it.
    fn value(&self) -> Value;
}

impl Argument for str {
    fn value(&self) -> Value {
        FluentValue::from(self.to_owned())
    }
}

impl Argument for String {
    fn value(&self) -> Value {
        FluentValue::from(self.clone())
    }
}

macro_rules! number_argument {
    ($($type:ty),+) => {
        $(impl Argument for $type {
            fn value(&self) -> Value {
                FluentValue::from(*self)
            }
        })+
    };
}

number_argument!(u8, u16, u32, u64, usize, i32, i64, f64);

impl<T: Argument + ?Sized> Argument for &T {
    fn value(&self) -> Value {
        (**self).value()
    }
}

/// The messages of both languages.
pub struct Translator {
    zh: FluentBundle<FluentResource>,
    en: FluentBundle<FluentResource>,
}

static TRANSLATOR: LazyLock<Translator> = LazyLock::new(|| Translator {
    zh: bundle(langid!("zh-CN"), |(_, zh, _)| zh),
    en: bundle(langid!("en"), |(_, _, en)| en),
});

type Resource = (&'static str, &'static str, &'static str);

fn bundle(tag: LanguageIdentifier, pick: fn(Resource) -> &'static str) -> FluentBundle<FluentResource> {
    let mut bundle = FluentBundle::new_concurrent(vec![tag]);
    // Pages isolate foreign text with <bdi>; isolating marks would end up in attributes and copied text.
    bundle.set_use_isolating(false);
    bundle.set_formatter(Some(grouped));
    for resource in RESOURCES {
        // A tested build has no broken resource; what can be read of one is used all the same.
        let resource = match FluentResource::try_new(pick(*resource).to_owned()) {
            Ok(resource) | Err((resource, _)) => resource,
        };
        bundle.add_resource_overriding(resource);
    }
    bundle
}

fn grouped<M>(value: &FluentValue<'_>, _: &M) -> Option<String> {
    match value {
        FluentValue::Number(number) => Some(format::number(number.value)),
        _ => None,
    }
}

/// Marks a message that does not exist or lacks an argument; tests look for it in every page.
const UNTRANSLATED: char = '⟦';

/// Whether a text (a message or a whole page) shows a message that could not be made.
pub fn is_untranslated(text: &str) -> bool {
    text.contains(UNTRANSLATED)
}

impl Translator {
    /// The message of a key in a language. Numbers among `arguments` choose plural forms.
    ///
    /// A key that does not exist, or a message whose arguments are missing, gives `⟦key⟧` (see
    /// [`is_untranslated`]): a page with one ugly word is better than no page.
    pub fn text(language: Language, key: &str, arguments: &[(&str, Value)]) -> String {
        let bundle = match language {
            Language::Zh => &TRANSLATOR.zh,
            Language::En => &TRANSLATOR.en,
        };
        let Some(pattern) = bundle.get_message(key).and_then(|message| message.value()) else {
            return format!("{UNTRANSLATED}{key}⟧");
        };
        let mut named = FluentArgs::with_capacity(arguments.len());
        for (name, value) in arguments {
            named.set(*name, value.clone());
        }
        let mut errors = Vec::new();
        let text = bundle.format_pattern(pattern, Some(&named), &mut errors);
        if errors.is_empty() {
            text.into_owned()
        } else {
            format!("{UNTRANSLATED}{key}⟧")
        }
    }

    /// Whether there is a message of this key (in both languages, as the parity test sees to).
    pub fn has(key: &str) -> bool {
        TRANSLATOR.zh.has_message(key)
    }

    /// Every key, in the order of the resource files.
    pub fn keys() -> Vec<String> {
        RESOURCES
            .iter()
            .flat_map(|(_, zh, _)| zh.lines())
            .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
            .filter_map(|line| line.split_once('=').map(|(key, _)| key.trim().to_owned()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use std::collections::{BTreeMap, BTreeSet};

    use fluent_syntax::ast;
    use fluent_syntax::parser;

    use super::*;

    /// The arguments of every message, by key.
    fn messages(text: &str, name: &str) -> BTreeMap<String, BTreeSet<String>> {
        let resource = parser::parse(text).unwrap_or_else(|(_, errors)| panic!("{name}: {errors:?}"));
        let mut found = BTreeMap::new();
        for entry in &resource.body {
            if let ast::Entry::Message(message) = entry {
                let mut arguments = BTreeSet::new();
                if let Some(pattern) = &message.value {
                    in_pattern(pattern, &mut arguments);
                }
                let key = message.id.name.to_owned();
                assert!(
                    found.insert(key.clone(), arguments).is_none(),
                    "{name}: {key} stands twice"
                );
            }
        }
        found
    }

    fn in_pattern(pattern: &ast::Pattern<&str>, found: &mut BTreeSet<String>) {
        for element in &pattern.elements {
            if let ast::PatternElement::Placeable { expression } = element {
                in_expression(expression, found);
            }
        }
    }

    fn in_expression(expression: &ast::Expression<&str>, found: &mut BTreeSet<String>) {
        match expression {
            ast::Expression::Inline(inline) => in_inline(inline, found),
            ast::Expression::Select { selector, variants } => {
                in_inline(selector, found);
                for variant in variants {
                    in_pattern(&variant.value, found);
                }
            }
        }
    }

    fn in_inline(inline: &ast::InlineExpression<&str>, found: &mut BTreeSet<String>) {
        match inline {
            ast::InlineExpression::VariableReference { id } => {
                found.insert(id.name.to_owned());
            }
            ast::InlineExpression::Placeable { expression } => in_expression(expression, found),
            _ => {}
        }
    }

    #[test]
    fn both_languages_have_the_same_keys_and_arguments() {
        let mut all = BTreeSet::new();
        for (name, zh, en) in RESOURCES {
            let (zh, en) = (messages(zh, name), messages(en, name));
            for (key, arguments) in &zh {
                let english = en
                    .get(key)
                    .unwrap_or_else(|| panic!("{name}: {key} has no English"));
                assert_eq!(arguments, english, "{name}: arguments of {key}");
                assert!(all.insert(key.clone()), "{name}: {key} stands in two files");
            }
            for key in en.keys() {
                assert!(zh.contains_key(key), "{name}: {key} has no Chinese");
            }
        }
        assert!(all.len() > 300, "{}", all.len());
        assert_eq!(Translator::keys().into_iter().collect::<BTreeSet<_>>(), all);
    }

    #[test]
    fn every_file_in_the_locales_is_compiled_in() {
        for tag in ["zh-CN", "en"] {
            let folder = format!("{}/locales/{tag}", env!("CARGO_MANIFEST_DIR"));
            let files: BTreeSet<String> = std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            let known: BTreeSet<String> = RESOURCES.iter().map(|(name, ..)| format!("{name}.ftl")).collect();
            assert_eq!(files, known, "{tag}");
        }
    }

    #[test]
    fn numbers_choose_the_plural_and_get_separators() {
        let text =
            |language, count: u64| Translator::text(language, "list-count", &[("count", count.value())]);
        assert_eq!(text(Language::En, 1), "1 dataset");
        assert_eq!(text(Language::En, 12_345), "12,345 datasets");
        assert!(text(Language::Zh, 12_345).contains("12,345"));
    }

    #[test]
    fn what_is_missing_is_marked_and_never_panics() {
        assert!(is_untranslated(&Translator::text(
            Language::Zh,
            "no-such-key",
            &[]
        )));
        assert!(is_untranslated(&Translator::text(
            Language::En,
            "list-count",
            &[]
        )));
        assert!(!is_untranslated(&Translator::text(
            Language::En,
            "nav-datasets",
            &[]
        )));
        assert!(Translator::has("nav-datasets") && !Translator::has("no-such-key"));
    }

    #[test]
    fn foreign_text_is_taken_as_it_is() {
        let hostile = "{ $x } <script> \u{202E}evil";
        let text = Translator::text(Language::En, "list-title-query", &[("query", hostile.value())]);
        assert!(text.contains(hostile), "{text}");
    }
}
