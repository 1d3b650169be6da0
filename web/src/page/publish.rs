//! Pages of the department's data officer: datasets, upload, progress, versions, release requests.

use std::collections::BTreeMap;

use askama::Template;
use model::{FieldDeclaration, FieldType, Level, RequestState, Timestamp, VersionState};

use super::chart::Histogram;
use super::dataset::ColumnProfile;
use super::loss::Losses;
use super::shell::{FieldErrors, Shell};
use super::table::DataTable;
use crate::problem::Code;

/// A dataset of the department.
#[derive(Debug, Clone)]
pub struct MyDataset {
    /// Its slug.
    pub slug: String,
    /// Its title in the page's language.
    pub title: String,
    /// Its level; none = quarantine.
    pub level: Option<Level>,
    /// Number and state of the newest version.
    pub version: Option<(u32, VersionState)>,
    /// State and id of the newest release request.
    pub request: Option<(RequestState, String)>,
    /// Whether it is public.
    pub public: bool,
    /// When something last changed.
    pub updated: Timestamp,
}

/// `GET /publish`.
#[derive(Debug, Clone, Template)]
#[template(path = "my_datasets.html")]
pub struct MyDatasetsPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The department's name in the page's language.
    pub department: String,
    /// Its datasets, last changed first.
    pub datasets: Vec<MyDataset>,
    /// The address of the next page of the list.
    pub older: Option<String>,
}

/// How a CSV file is read. Each text is the value of a form control; `auto` lets the portal detect it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOptions {
    /// `encoding`: `auto`, `utf-8`, `gb18030`, `utf-16-le`, `utf-16-be`.
    pub encoding: String,
    /// `delimiter`: `auto`, `comma`, `tab`, `semicolon`, `pipe`.
    pub delimiter: String,
    /// `header`: `auto`, `yes`, `no`.
    pub header: String,
    /// `quote`: `auto`, `double`, `none`.
    pub quote: String,
    /// `trim`: `auto`, `yes`, `no`.
    pub trim: String,
    /// `null_marks`: marks of missing values, separated by spaces; empty = detect.
    pub null_marks: String,
    /// `column.<n>` and `type.<n>`: names of columns with the types they are to have.
    pub types: BTreeMap<String, FieldType>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        let auto = || "auto".to_owned();
        Self {
            encoding: auto(),
            delimiter: auto(),
            header: auto(),
            quote: auto(),
            trim: auto(),
            null_marks: String::new(),
            types: BTreeMap::new(),
        }
    }
}

/// The controls of [`ReadOptions`] that offer choices: values with the keys of their words.
pub(crate) const CHOICES: [(&str, &[(&str, &str)]); 5] = [
    (
        "encoding",
        &[
            ("utf-8", "upload-utf-8"),
            ("gb18030", "upload-gb18030"),
            ("utf-16-le", "upload-utf-16-le"),
            ("utf-16-be", "upload-utf-16-be"),
        ],
    ),
    (
        "delimiter",
        &[
            ("comma", "upload-comma"),
            ("tab", "upload-tab"),
            ("semicolon", "upload-semicolon"),
            ("pipe", "upload-pipe"),
        ],
    ),
    (
        "header",
        &[("yes", "upload-header-yes"), ("no", "upload-header-no")],
    ),
    (
        "quote",
        &[("double", "upload-quote-double"), ("none", "upload-quote-none")],
    ),
    ("trim", &[("yes", "upload-trim-yes"), ("no", "upload-trim-no")]),
];

struct Choice {
    value: &'static str,
    label: String,
}

/// A column as the reading found it.
#[derive(Debug, Clone)]
pub struct DetectedColumn {
    /// Its name; of data that are not open only if it is declared.
    pub name: Option<String>,
    /// The type of the values that were looked at.
    pub detected: FieldType,
    /// The type declared in the entry, if the entry knows the column.
    pub declared: Option<FieldType>,
    /// The type that was chosen instead, where nothing is declared.
    pub chosen: Option<FieldType>,
    /// What stands for a missing value.
    pub missing: Vec<String>,
}

impl DetectedColumn {
    fn is_chosen(&self, kind: &FieldType) -> bool {
        self.chosen == Some(*kind)
    }
}

/// What was found in a file that is kept but not yet a version.
#[derive(Debug, Clone)]
pub struct Detection {
    /// What each control of [`ReadOptions`] has found, as a value of it; nothing in a file that says it itself.
    pub found: Vec<(&'static str, &'static str)>,
    /// Columns.
    pub columns: Vec<DetectedColumn>,
    /// Declared columns that the file has not.
    pub absent: Vec<String>,
    /// Whether columns have to be declared ones.
    pub must_be_declared: bool,
    /// Rows that were looked at.
    pub rows: u64,
    /// Whether these are all rows.
    pub whole: bool,
    /// The first rows, for open data only: forms never show protected data (privacy.md "Declared metadata").
    pub preview: Option<DataTable>,
}

impl Detection {
    /// Whether the reading may begin as things stand.
    fn can_confirm(&self) -> bool {
        let declared = |column: &DetectedColumn| column.declared.is_some() || !self.must_be_declared;
        self.absent.is_empty() && self.columns.iter().all(declared)
    }

    fn is_csv(&self) -> bool {
        !self.found.is_empty()
    }

    /// Whether the types of columns can be chosen here, since no declaration says them.
    fn has_free_types(&self) -> bool {
        !self.must_be_declared && self.columns.iter().all(|column| column.name.is_some())
    }
}

/// A file that was received and not confirmed yet.
#[derive(Debug, Clone)]
pub struct ReceivedFile {
    /// Names it in the form: `upload`.
    pub token: String,
    /// Its name as the browser gave it.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// What was found in it; nothing if its beginning cannot be read as it is to be read.
    pub detection: Option<Detection>,
}

impl ReceivedFile {
    /// Whether there is something to choose about how it is read.
    fn offers_options(&self) -> bool {
        self.detection.as_ref().is_none_or(Detection::is_csv)
    }
}

/// `GET /publish/{slug}/upload`; `POST` as `multipart/form-data` with `csrf_token` and, last so that it can be streamed,
/// `file`. With `received` the form sends `upload`, the fields of [`ReadOptions`] and `action`: `check` looks again,
/// `confirm` begins to read.
#[derive(Debug, Clone, Template)]
#[template(path = "upload.html")]
pub struct UploadPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The dataset's slug.
    pub slug: String,
    /// Its title in the page's language.
    pub title: String,
    /// The most bytes that are taken, as configured.
    pub max_bytes: u64,
    /// How to read the file, as chosen.
    pub options: ReadOptions,
    /// The file, once it is here.
    pub received: Option<ReceivedFile>,
    /// What is wrong: `file` and the fields of [`ReadOptions`].
    pub errors: FieldErrors,
}

impl UploadPage {
    /// The choices of a control; the automatic one says what it has found.
    fn choices(&self, of: &str) -> Vec<Choice> {
        let known = CHOICES.iter().find(|(control, _)| *control == of);
        let known = known.map_or(&[][..], |(_, choices)| choices);
        let found = self.received.as_ref().and_then(|file| {
            let found = &file.detection.as_ref()?.found;
            let (_, value) = found.iter().find(|(control, _)| *control == of)?;
            known.iter().find(|(known, _)| known == value)
        });
        let auto = match found {
            Some((_, key)) => self.shell.t1("upload-auto-found", "found", self.shell.t(key)),
            None => self.shell.t("upload-auto"),
        };
        let known = known.iter().map(|(value, key)| Choice {
            value,
            label: self.shell.t(key),
        });
        std::iter::once(Choice {
            value: "auto",
            label: auto,
        })
        .chain(known)
        .collect()
    }

    fn types(&self) -> [FieldType; 6] {
        FieldType::ALL
    }
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    /// Waits for a worker.
    Queued,
    /// At work.
    Running,
    /// Done.
    Done,
    /// Failed; see the problem.
    Failed,
}

impl TaskState {
    /// The stable word, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    const fn key(self) -> &'static str {
        match self {
            Self::Queued => "task-queued",
            Self::Running => "task-running",
            Self::Done => "task-done",
            Self::Failed => "task-failed",
        }
    }
}

/// Why a task failed.
#[derive(Debug, Clone)]
pub struct TaskFailure {
    /// The stable code.
    pub code: String,
    /// What and where, in the page's language.
    pub message: String,
    /// What to do, in the page's language.
    pub hint: String,
}

/// `GET /tasks/{id}`: reloads itself every two seconds while the task is open (without JavaScript by
/// `<meta http-equiv="refresh">`, with it by polling `/api/v1/tasks/{id}` for `state` and `progress`).
#[derive(Debug, Clone, Template)]
#[template(path = "task.html")]
pub struct TaskPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The task's id.
    pub id: String,
    /// What it works on, in the page's language: the dataset's title.
    pub title: String,
    /// Where it stands.
    pub state: TaskState,
    /// What it is doing, in the page's language.
    pub phase: String,
    /// Bytes done.
    pub done: u64,
    /// Bytes in all, if known.
    pub total: Option<u64>,
    /// Where to go when it is done.
    pub next: String,
    /// Where to go when it failed (the upload page).
    pub back: String,
    /// Where what is declared can be changed.
    pub edit: String,
    /// Why it failed.
    pub failure: Option<TaskFailure>,
}

impl TaskPage {
    fn is_open(&self) -> bool {
        matches!(self.state, TaskState::Queued | TaskState::Running)
    }

    fn percent(&self) -> Option<u64> {
        let total = self.total.filter(|total| *total > 0)?;
        Some((u128::from(self.done.min(total)) * 100 / u128::from(total)) as u64)
    }

    /// Whether the entry, not the file, may be what is wrong.
    fn may_be_declared_wrongly(&self) -> bool {
        let code = self.failure.as_ref().map(|failure| failure.code.as_str());
        code.is_some_and(|code| {
            [Code::UploadDeclaration, Code::UploadHeader]
                .iter()
                .any(|wrong| wrong.as_str() == code)
        })
    }
}

/// Rows left out, with the reason.
#[derive(Debug, Clone)]
pub struct DroppedRows {
    /// Why, in the page's language.
    pub reason: String,
    /// How many.
    pub count: u64,
}

/// `GET /publish/{slug}/versions/{number}`: for the dataset's own officers and the bureau's reviewers deciding on it.
#[derive(Debug, Clone, Template)]
#[template(path = "version.html")]
pub struct VersionPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The dataset's slug.
    pub slug: String,
    /// Its title in the page's language.
    pub title: String,
    /// The version's number.
    pub number: u32,
    /// Where it stands.
    pub state: VersionState,
    /// The dataset's level.
    pub level: Option<Level>,
    /// When it was made.
    pub made: Timestamp,
    /// Rows in the file.
    pub rows_read: u64,
    /// Rows in the version.
    pub rows: u64,
    /// Privacy units in the version.
    pub units: Option<u64>,
    /// Bytes of the file uploaded, as long as it is kept.
    pub source_bytes: Option<u64>,
    /// Bytes of the version's parts.
    pub bytes: u64,
    /// SHA-256 of the manifest that names the objects of the version, hexadecimal.
    pub checksum: String,
    /// How the file was read, as pairs of words in the page's language.
    pub reading: Vec<(String, String)>,
    /// Rows that did not enter.
    pub dropped: Vec<DroppedRows>,
    /// Profiles of its columns.
    pub profiles: Vec<ColumnProfile>,
    /// The dataset's privacy loss.
    pub losses: Losses,
    /// Why it failed, if it did.
    pub failure: Option<TaskFailure>,
    /// Whether the reader may submit it for release now.
    pub may_submit: bool,
}

impl VersionPage {
    /// Whether the figures come from data that are not open.
    fn is_protected(&self) -> bool {
        !self.level.is_some_and(Level::is_open)
    }

    fn histogram(&self, profile: &ColumnProfile) -> Histogram {
        Histogram::new(
            self.shell.t1("profile-histogram", "column", &profile.name),
            &profile.bars,
        )
    }
}

/// Something that is looked at before a release request can be sent.
#[derive(Debug, Clone)]
pub struct Check {
    /// Whether it holds.
    pub passed: bool,
    /// What it is, in the page's language.
    pub text: String,
}

/// `GET /publish/{slug}/release`, `POST` with `note` and `confirm=yes`.
#[derive(Debug, Clone, Template)]
#[template(path = "release_form.html")]
pub struct ReleaseFormPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The dataset's slug.
    pub slug: String,
    /// Its title in the page's language.
    pub title: String,
    /// Its level.
    pub level: Level,
    /// The version to release; an entry of level L4 has none.
    pub number: Option<u32>,
    /// What was looked at; all must hold.
    pub checks: Vec<Check>,
    /// Whether a third-party assessor's opinion is needed (L2, L3).
    pub needs_opinion: bool,
    /// Working days within which the bureau decides, as configured.
    pub days: u32,
    /// What reviewers and assessors will see: declared fields, or the columns of the version where none are declared.
    pub fields: Vec<FieldDeclaration>,
    /// `note`, as typed.
    pub note: String,
    /// Whether `confirm` is ticked.
    pub confirmed: bool,
    /// What is wrong: `note`, `confirm`.
    pub errors: FieldErrors,
}

impl ReleaseFormPage {
    /// What is confirmed: there is no recipe for what is open, and none for what stays closed.
    const fn confirm_key(&self) -> &'static str {
        if self.level.is_open() {
            "release-confirm-open"
        } else if self.level.is_conditional() {
            "release-confirm"
        } else {
            "release-confirm-closed"
        }
    }

    /// What is said where there are no fields to show.
    const fn no_fields_key(&self) -> &'static str {
        if self.level.is_open() && self.number.is_none() {
            "release-fields-no-version"
        } else {
            "release-fields-undeclared"
        }
    }

    fn can_send(&self) -> bool {
        self.checks.iter().all(|check| check.passed)
    }
}
