//! What surrounds every page: header, navigation, language switch, account menu, notices; and the words on it.

use i18n::{Argument, Translator, format};
use model::{Language, Localized, Role, Timestamp};

use crate::asset;

/// The part of the portal that a page belongs to: which entry of the navigation is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// The first page, errors, sign-in: nothing is marked.
    None,
    /// Catalogue and dataset pages.
    Datasets,
    /// SQL over open data.
    Sql,
    /// Sandbox: applications, projects, jobs.
    Sandbox,
    /// Publishing by officers.
    Publish,
    /// Requests to advise on or to decide.
    Review,
    /// The public ledger.
    Ledger,
    /// About the portal.
    About,
}

/// Who is signed in.
#[derive(Debug, Clone)]
pub struct AccountMenu {
    /// Name for people.
    pub name: String,
    /// Their organisation's name in the page's language.
    pub organization: String,
    /// What they may do.
    pub roles: Vec<Role>,
    /// How many requests wait for them; shown beside "Review".
    pub open_reviews: u32,
}

/// How a notice is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Something was done.
    Success,
    /// Something to know.
    Info,
    /// Something to be careful about.
    Warning,
}

impl Tone {
    /// The class of a notice of this tone.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Info => "info",
            Self::Warning => "warning",
        }
    }
}

/// A message above a page, after an act.
#[derive(Debug, Clone)]
pub struct Notice {
    /// How it is meant.
    pub tone: Tone,
    /// What it says, in the page's language.
    pub text: String,
}

/// A piece of a text with search hits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Plain text, never markup.
    pub text: String,
    /// Whether it matched.
    pub hit: bool,
}

impl Segment {
    /// A text without hits.
    pub fn plain(text: impl Into<String>) -> Vec<Self> {
        vec![Self {
            text: text.into(),
            hit: false,
        }]
    }
}

/// What is wrong with one field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The id of the control, which is also its name.
    pub field: String,
    /// What is wrong and what to do, in the page's language.
    pub message: String,
}

/// What is wrong with a form; empty when it is shown for the first time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldErrors(pub Vec<FieldError>);

impl FieldErrors {
    /// What is wrong with this field, if something is.
    pub fn of(&self, field: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|error| error.field == field)
            .map(|error| error.message.as_str())
    }

    /// Whether this field is wrong.
    pub fn has(&self, field: &str) -> bool {
        self.of(field).is_some()
    }

    /// Adds an error.
    pub fn push(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(FieldError {
            field: field.into(),
            message: message.into(),
        });
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What surrounds a page. The handler fills it once per request, from the session and the request's head.
#[derive(Debug, Clone)]
pub struct Shell {
    /// The language of the page.
    pub language: Language,
    /// Path and query as requested; the language switch returns here.
    pub address: String,
    /// Which entry of the navigation is marked.
    pub section: Section,
    /// Who is signed in.
    pub account: Option<AccountMenu>,
    /// The session's (or, before signing in, the form cookie's) anti-forgery token: `csrf_token` in every form.
    pub csrf: String,
    /// The id of the request in the operator's log; error pages show it.
    pub request_id: String,
    /// Messages above the page, after an act.
    pub notices: Vec<Notice>,
}

impl Shell {
    /// The message of a key.
    pub fn t(&self, key: &str) -> String {
        Translator::text(self.language, key, &[])
    }

    /// The message of a key with one argument.
    pub fn t1<A: Argument>(&self, key: &str, name: &'static str, argument: A) -> String {
        Translator::text(self.language, key, &[(name, argument.value())])
    }

    /// The message of a key with two arguments.
    pub fn t2<A: Argument, B: Argument>(
        &self,
        key: &str,
        (first, a): &(&'static str, A),
        (second, b): &(&'static str, B),
    ) -> String {
        Translator::text(self.language, key, &[(*first, a.value()), (*second, b.value())])
    }

    /// Whether the page belongs to the section of this name.
    pub(super) fn is_in(&self, section: &str) -> bool {
        let name = match self.section {
            Section::None => return false,
            Section::Datasets => "datasets",
            Section::Sql => "sql",
            Section::Sandbox => "sandbox",
            Section::Publish => "publish",
            Section::Review => "review",
            Section::Ledger => "ledger",
            Section::About => "about",
        };
        name == section
    }

    /// The language's tag for `lang` attributes.
    pub fn lang(&self) -> &'static str {
        self.language.tag()
    }

    /// A text in the page's language, Chinese where it has none.
    pub fn words<'a>(&self, text: &'a Localized) -> &'a str {
        text.get(self.language)
    }

    /// The tag of the language that [`Self::words`] answers in, for `lang`.
    pub fn words_lang(&self, text: &Localized) -> &'static str {
        text.language_for(self.language).tag()
    }

    /// The other language.
    pub fn other(&self) -> Language {
        match self.language {
            Language::Zh => Language::En,
            Language::En => Language::Zh,
        }
    }

    /// This page in another language: its address with `lang` set.
    pub fn address_in(&self, language: &Language) -> String {
        let (path, query) = self.address.split_once('?').unwrap_or((&self.address, ""));
        let mut parameters = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if name != crate::language::NAME {
                parameters.append_pair(&name, &value);
            }
        }
        parameters.append_pair(crate::language::NAME, language.tag());
        format!("{path}?{}", parameters.finish())
    }

    /// Where signing in should lead back to.
    pub fn sign_in_address(&self) -> String {
        let next = form_urlencoded::Serializer::new(String::new())
            .append_pair("next", &self.address)
            .finish();
        format!("/sign-in?{next}")
    }

    /// The address of an asset.
    pub fn asset(&self, name: &str) -> String {
        asset::address(name)
    }

    /// Whether somebody with this role is signed in.
    pub fn is(&self, role: Role) -> bool {
        self.account
            .as_ref()
            .is_some_and(|account| account.roles.contains(&role))
    }

    /// Whether the navigation offers publishing.
    pub fn publishes(&self) -> bool {
        self.is(Role::Officer)
    }

    /// Whether the navigation offers the review inbox.
    pub fn reviews(&self) -> bool {
        self.is(Role::Reviewer) || self.is(Role::Assessor) || self.is(Role::Auditor)
    }

    /// A whole number with separators.
    pub fn count(&self, number: &u64) -> String {
        format::integer(i128::from(*number))
    }

    /// A number as it is, with separators.
    pub fn number(&self, number: &f64) -> String {
        format::number(*number)
    }

    /// A measured or noised number with as many decimals as it warrants.
    pub fn measured(&self, number: &f64) -> String {
        format::measured(*number)
    }

    /// A size.
    pub fn bytes(&self, bytes: &u64) -> String {
        format::bytes(*bytes)
    }

    /// The share of a part in a whole, as a percentage.
    pub fn share(&self, part: &u64, whole: &u64) -> String {
        // Both are counts far below 2⁵³.
        if *whole == 0 {
            "–".to_owned()
        } else {
            format::percent(*part as f64 / *whole as f64)
        }
    }

    /// A share of 0 to 1 as a percentage.
    pub fn percent(&self, share: &f64) -> String {
        format::percent(*share)
    }

    /// A date.
    pub fn date(&self, moment: &Timestamp) -> String {
        format::date(*moment)
    }

    /// Date and minute.
    pub fn minute(&self, moment: &Timestamp) -> String {
        format::minute(*moment)
    }

    /// A length of time.
    pub fn duration(&self, seconds: &u64) -> String {
        format::duration(self.language, *seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_switch_keeps_the_rest_of_the_address() {
        let shell = Shell {
            language: Language::Zh,
            address: "/datasets?q=%E7%A9%BA%E6%B0%94&lang=zh&page=2".to_owned(),
            section: Section::Datasets,
            account: None,
            csrf: "token".to_owned(),
            request_id: "r".to_owned(),
            notices: Vec::new(),
        };
        assert_eq!(
            shell.address_in(&Language::En),
            "/datasets?q=%E7%A9%BA%E6%B0%94&page=2&lang=en"
        );
        assert!(
            shell
                .sign_in_address()
                .starts_with("/sign-in?next=%2Fdatasets%3Fq")
        );
        assert_eq!(shell.share(&1, &0), "–");
    }
}
