//! Search results and the catalogue list.

use std::borrow::Borrow;

use askama::Template;

use super::home::DatasetCard;
use super::shell::Shell;

/// What the list is filtered by. `q`, one parameter per facet value, `sort`, `page`.
#[derive(Debug, Clone, Default)]
pub struct SearchAddress {
    /// The words searched for; empty for the whole list.
    pub query: String,
    /// Facet parameter and code of each chosen value, as in the address.
    pub filters: Vec<(String, String)>,
    /// The order chosen.
    pub sort: Sort,
}

/// The order of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// Best match first; newest first where nothing is searched for. `sort=` or nothing.
    #[default]
    Relevance,
    /// `sort=updated`: newest first.
    Updated,
    /// `sort=title`: by title.
    Title,
}

impl Sort {
    /// All orders.
    pub const ALL: [Self; 3] = [Self::Relevance, Self::Updated, Self::Title];

    /// The value of `sort`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Relevance => "relevance",
            Self::Updated => "updated",
            Self::Title => "title",
        }
    }

    /// The order of a value of `sort`; anything unknown is by relevance.
    pub fn from_code(code: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|sort| sort.code() == code)
            .unwrap_or_default()
    }

    const fn key(self) -> &'static str {
        match self {
            Self::Relevance => "list-sort-relevance",
            Self::Updated => "list-sort-updated",
            Self::Title => "list-sort-title",
        }
    }
}

impl SearchAddress {
    fn href(&self, page: u32, without: Option<(&str, &str)>) -> String {
        let mut parameters = form_urlencoded::Serializer::new(String::new());
        if !self.query.is_empty() {
            parameters.append_pair("q", &self.query);
        }
        for (name, code) in &self.filters {
            if without != Some((name, code)) {
                parameters.append_pair(name, code);
            }
        }
        if self.sort != Sort::Relevance {
            parameters.append_pair("sort", self.sort.code());
        }
        if page > 1 {
            parameters.append_pair("page", &page.to_string());
        }
        let query = parameters.finish();
        if query.is_empty() {
            "/datasets".to_owned()
        } else {
            format!("/datasets?{query}")
        }
    }
}

/// One way to narrow the list.
#[derive(Debug, Clone)]
pub struct Facet {
    /// Which facet.
    pub kind: FacetKind,
    /// Its values, most frequent first, those chosen always among them.
    pub values: Vec<FacetValue>,
}

/// The facets there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FacetKind {
    /// `theme`.
    Theme,
    /// `organization`: the department's slug.
    Organization,
    /// `level`.
    Level,
    /// `update_cycle`.
    UpdateCycle,
    /// `format`.
    Format,
}

impl FacetKind {
    /// The query parameter.
    pub const fn parameter(self) -> &'static str {
        match self {
            Self::Theme => "theme",
            Self::Organization => "organization",
            Self::Level => "level",
            Self::UpdateCycle => "update_cycle",
            Self::Format => "format",
        }
    }

    const fn key(self) -> &'static str {
        match self {
            Self::Theme => "dataset-theme",
            Self::Organization => "dataset-department",
            Self::Level => "dataset-level",
            Self::UpdateCycle => "dataset-update-cycle",
            Self::Format => "dataset-format",
        }
    }
}

/// A value of a facet.
#[derive(Debug, Clone)]
pub struct FacetValue {
    /// The value as in the address.
    pub code: String,
    /// Its name in the page's language.
    pub label: String,
    /// How many results have it.
    pub count: u64,
    /// Whether it is chosen.
    pub selected: bool,
}

#[derive(Debug, Clone)]
struct ActiveFilter {
    label: String,
    href: String,
}

/// `GET /datasets?q=&theme=&organization=&level=&update_cycle=&format=&sort=&page=`; a facet parameter may repeat.
#[derive(Debug, Clone, Template)]
#[template(path = "dataset_list.html")]
pub struct DatasetListPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// What was asked for.
    pub search: SearchAddress,
    /// How many datasets match.
    pub count: u64,
    /// Those of this page, with hits marked.
    pub results: Vec<DatasetCard>,
    /// Ways to narrow the list, with counts.
    pub facets: Vec<Facet>,
    /// This page, from 1.
    pub page: u32,
    /// How many pages there are (0 when nothing matches).
    pub pages: u32,
}

impl DatasetListPage {
    fn active(&self) -> Vec<ActiveFilter> {
        self.facets
            .iter()
            .flat_map(|facet| {
                facet
                    .values
                    .iter()
                    .map(move |value| (facet.kind.parameter(), value))
            })
            .filter(|(_, value)| value.selected)
            .map(|(name, value)| ActiveFilter {
                label: value.label.clone(),
                href: self.search.href(1, Some((name, &value.code))),
            })
            .collect()
    }

    fn page_href(&self, page: impl Borrow<u32>) -> String {
        self.search.href(*page.borrow(), None)
    }

    fn without_filters(&self) -> String {
        SearchAddress {
            filters: Vec::new(),
            ..self.search.clone()
        }
        .href(1, None)
    }

    /// Page numbers to offer: first, last and those around this one; `None` is a gap.
    fn page_numbers(&self) -> Vec<Option<u32>> {
        let mut numbers = Vec::new();
        for number in 1..=self.pages {
            let near = number.abs_diff(self.page) <= 2;
            if near || number == 1 || number == self.pages {
                numbers.push(Some(number));
            } else if numbers.last() != Some(&None) {
                numbers.push(None);
            }
        }
        numbers
    }

    fn heading(&self) -> String {
        if self.search.query.is_empty() {
            self.shell.t("list-title")
        } else {
            self.shell.t1("list-title-query", "query", &self.search.query)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_keep_what_was_chosen() {
        let search = SearchAddress {
            query: "空气 & co".to_owned(),
            filters: vec![
                ("theme".into(), "transport".into()),
                ("theme".into(), "health".into()),
            ],
            sort: Sort::Updated,
        };
        assert_eq!(
            search.href(3, Some(("theme", "health"))),
            "/datasets?q=%E7%A9%BA%E6%B0%94+%26+co&theme=transport&sort=updated&page=3"
        );
        assert_eq!(SearchAddress::default().href(1, None), "/datasets");
        assert_eq!(Sort::from_code("nonsense"), Sort::Relevance);
    }
}
