//! One pass over the matches: counts, facets and the best entries.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::{DocAddress, DocId, Score, SegmentOrdinal, SegmentReader};
use uuid::Uuid;

use crate::request::{FacetCount, Facets, Filters, Language, Sort};
use crate::schema::Facet;
use crate::table::SegmentTable;

/// Counts by facet and value.
pub(crate) type Counts = [HashMap<String, u64>; 5];

/// An entry that may make it to the page.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    /// Larger comes first: score bits, time of update or reversed place of the title.
    primary: u64,
    updated_at: i64,
    pub(crate) id: Uuid,
    pub(crate) address: DocAddress,
    pub(crate) score: Score,
}

fn order(a: &Candidate, b: &Candidate) -> Ordering {
    (b.primary, b.updated_at)
        .cmp(&(a.primary, a.updated_at))
        .then_with(|| a.id.cmp(&b.id))
}

/// Keeps the first `limit` candidates in no particular order.
fn keep_first(candidates: &mut Vec<Candidate>, limit: usize) {
    if limit == 0 {
        candidates.clear();
    } else if candidates.len() > limit {
        candidates.select_nth_unstable_by(limit - 1, order);
        candidates.truncate(limit);
    }
}

/// What the pass found.
#[derive(Default)]
pub(crate) struct Found {
    /// Documents that match the text, whatever the filters say.
    pub(crate) matched: u64,
    /// Documents that match text and filters.
    pub(crate) count: u64,
    pub(crate) counts: Counts,
    /// The first entries, in order.
    pub(crate) candidates: Vec<Candidate>,
}

/// The pass. Filters are applied here and not in the query, because each facet is counted without its own.
pub(crate) struct CatalogCollector<'a> {
    /// Tables in the order of the searcher's segments.
    pub(crate) tables: &'a [Arc<SegmentTable>],
    /// Chosen values by facet, as the columns have them; none chosen means all pass.
    pub(crate) chosen: &'a [Vec<String>; 5],
    pub(crate) sort: Sort,
    pub(crate) language: Language,
    /// Entries to keep: up to the end of the page.
    pub(crate) limit: usize,
}

/// The values chosen by filters, as the columns have them.
pub(crate) fn chosen(filters: &Filters) -> [Vec<String>; 5] {
    [
        filters.themes.clone(),
        filters.levels.iter().map(u8::to_string).collect(),
        filters.organizations.iter().map(Uuid::to_string).collect(),
        filters.update_cycles.clone(),
        filters.formats.clone(),
    ]
}

impl Collector for CatalogCollector<'_> {
    type Fruit = Found;
    type Child = SegmentPass;

    fn for_segment(&self, segment: SegmentOrdinal, _: &SegmentReader) -> tantivy::Result<SegmentPass> {
        let table = Arc::clone(&self.tables[segment as usize]);
        let passes = Facet::ALL.map(|facet| {
            let chosen = &self.chosen[facet as usize];
            let values = &table.facets[facet as usize].values;
            (!chosen.is_empty()).then(|| values.iter().map(|value| chosen.contains(value)).collect())
        });
        let counts = Facet::ALL.map(|facet| vec![0; table.facets[facet as usize].values.len()]);
        let (sort, language, limit) = (self.sort, self.language, self.limit);
        Ok(SegmentPass {
            table,
            segment,
            passes,
            counts,
            sort,
            language,
            limit,
            matched: 0,
            count: 0,
            candidates: Vec::new(),
        })
    }

    fn requires_scoring(&self) -> bool {
        self.sort == Sort::Relevance
    }

    fn merge_fruits(&self, passes: Vec<SegmentFound>) -> tantivy::Result<Found> {
        let mut found = Found::default();
        for pass in passes {
            found.matched += pass.matched;
            found.count += pass.count;
            found.candidates.extend(pass.candidates);
            for (all, counts) in found.counts.iter_mut().zip(pass.counts) {
                for (value, count) in counts {
                    *all.entry(value).or_default() += count;
                }
            }
        }
        if self.sort == Sort::Title {
            self.place_titles(&mut found.candidates);
        }
        keep_first(&mut found.candidates, self.limit);
        found.candidates.sort_unstable_by(order);
        Ok(found)
    }
}

impl CatalogCollector<'_> {
    /// Titles were placed within their segments; places them among the candidates of all.
    fn place_titles(&self, candidates: &mut [Candidate]) {
        let keys: Vec<_> = candidates
            .iter()
            .map(|candidate| {
                let ordinal = u32::MAX - candidate.primary as u32;
                self.tables[candidate.address.segment_ord as usize]
                    .titles(self.language)
                    .key(ordinal)
            })
            .collect();
        let mut sorted: Vec<_> = keys.iter().collect();
        sorted.sort_unstable();
        for (candidate, key) in candidates.iter_mut().zip(&keys) {
            let place = sorted.partition_point(|other| *other < key);
            candidate.primary = u64::MAX - place as u64;
        }
    }
}

/// The pass over one segment.
pub(crate) struct SegmentPass {
    table: Arc<SegmentTable>,
    segment: SegmentOrdinal,
    /// By facet: whether each of the segment's values is chosen; none if the facet has no filter.
    passes: [Option<Vec<bool>>; 5],
    counts: [Vec<u64>; 5],
    sort: Sort,
    language: Language,
    limit: usize,
    matched: u64,
    count: u64,
    candidates: Vec<Candidate>,
}

/// What the pass over one segment found.
pub(crate) struct SegmentFound {
    matched: u64,
    count: u64,
    counts: [Vec<(String, u64)>; 5],
    candidates: Vec<Candidate>,
}

impl SegmentPass {
    fn count_values(&mut self, facet: usize, document: DocId) {
        for &ordinal in self.table.facets[facet].ordinals(document) {
            self.counts[facet][ordinal as usize] += 1;
        }
    }
}

impl SegmentCollector for SegmentPass {
    type Fruit = SegmentFound;

    fn collect(&mut self, document: DocId, score: Score) {
        self.matched += 1;
        let mut failed = None;
        for (facet, passes) in self.passes.iter().enumerate() {
            let Some(passes) = passes else { continue };
            let ordinals = self.table.facets[facet].ordinals(document);
            if !ordinals.iter().any(|&ordinal| passes[ordinal as usize]) {
                if failed.is_some() {
                    return;
                }
                failed = Some(facet);
            }
        }
        if let Some(facet) = failed {
            self.count_values(facet, document);
            return;
        }
        self.count += 1;
        for facet in 0..self.counts.len() {
            self.count_values(facet, document);
        }
        let updated_at = self.table.updated_at[document as usize];
        let primary = match self.sort {
            // The bits of floats that are not negative sort as the floats do.
            Sort::Relevance => u64::from(score.max(0.0).to_bits()),
            Sort::Updated => 0,
            Sort::Title => u64::from(u32::MAX - self.table.titles(self.language).ordinal(document)),
        };
        self.candidates.push(Candidate {
            primary,
            updated_at,
            id: self.table.ids[document as usize],
            address: DocAddress::new(self.segment, document),
            score,
        });
        if self.candidates.len() >= 2 * self.limit.max(64) {
            keep_first(&mut self.candidates, self.limit);
        }
    }

    fn harvest(mut self) -> SegmentFound {
        keep_first(&mut self.candidates, self.limit);
        let table = self.table;
        let counts = Facet::ALL.map(|facet| {
            let values = &table.facets[facet as usize].values;
            let counts = &self.counts[facet as usize];
            values
                .iter()
                .cloned()
                .zip(counts.iter().copied())
                .filter(|(_, count)| *count > 0)
                .collect()
        });
        SegmentFound {
            matched: self.matched,
            count: self.count,
            counts,
            candidates: self.candidates,
        }
    }
}

/// Facets for the reader: parsed, sorted, with the chosen values always there.
pub(crate) fn facets(counts: Counts, chosen: &[Vec<String>; 5]) -> Facets {
    fn list<T: Ord>(
        mut counts: HashMap<String, u64>,
        chosen: &[String],
        parse: impl Fn(String) -> Option<T>,
    ) -> Vec<FacetCount<T>> {
        for value in chosen {
            counts.entry(value.clone()).or_default();
        }
        let mut list: Vec<_> = counts
            .into_iter()
            .filter_map(|(value, count)| {
                Some(FacetCount {
                    value: parse(value)?,
                    count,
                })
            })
            .collect();
        list.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
        list
    }
    let [themes, levels, organizations, update_cycles, formats] = counts;
    Facets {
        themes: list(themes, &chosen[Facet::Theme as usize], Some),
        levels: list(levels, &chosen[Facet::Level as usize], |level| level.parse().ok()),
        organizations: list(organizations, &chosen[Facet::Organization as usize], |id| {
            Uuid::parse_str(&id).ok()
        }),
        update_cycles: list(update_cycles, &chosen[Facet::UpdateCycle as usize], Some),
        formats: list(formats, &chosen[Facet::Format as usize], Some),
    }
}
