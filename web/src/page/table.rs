//! Tables of values: previews, query results.

/// A table of values as text.
#[derive(Debug, Clone, Default)]
pub struct DataTable {
    /// What the table shows, for its caption; in the page's language.
    pub caption: String,
    /// Its columns.
    pub columns: Vec<DataColumn>,
    /// Its rows; `None` is NULL. Each row has as many values as there are columns.
    pub rows: Vec<Vec<Option<String>>>,
}

/// A column of a [`DataTable`].
#[derive(Debug, Clone)]
pub struct DataColumn {
    /// Its name, as programs use it.
    pub name: String,
    /// Its name for people, or empty.
    pub label: String,
    /// Whether values are numbers: aligned to the right.
    pub numeric: bool,
}

impl DataTable {
    /// Whether values of the column at this position are numbers.
    pub fn is_numeric(&self, position: &usize) -> bool {
        self.columns.get(*position).is_some_and(|column| column.numeric)
    }
}
