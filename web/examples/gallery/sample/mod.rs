//! Believable views of every page, in both languages and, for tests, with hostile texts: what the gallery writes
//! and the page tests check.

mod account;
mod catalog;
mod publish;
mod rest;
mod review;
mod sandbox;

use askama::Template;
use i18n::Message;
use model::{
    Bounds, Domain, EntryMetadata, FieldDeclaration, FieldName, FieldRole, FieldType, JobState, Language,
    Level, License, Localized, Opinion, OrganizationKind, RequestState, Role, Scope, Theme, Timestamp,
    UnitDeclaration, UnitType, UpdateCycle, VersionState,
};
use web::page::about::{AboutPage, BudgetRules, ProblemListPage};
use web::page::account::{AccountPage, SignInPage, TokenForm, TokenRow};
use web::page::chart::HistogramBar;
use web::page::dataset::{Access, ColumnProfile, DatasetPage, Download, VersionRow};
use web::page::dataset_list::{DatasetListPage, Facet, FacetKind, FacetValue, SearchAddress, Sort};
use web::page::entry_form::{EntryForm, EntryFormPage, FieldRow};
use web::page::error::ErrorPage;
use web::page::home::{DatasetCard, HomePage, LiveNumbers, ThemeCount};
use web::page::job::{
    EstimateOutcome, ExpectedError, JobPage, JobResult, JobTable, NewJobPage, Noise, ProofState, ReceiptView,
    ResultCell, ResultColumn, Unnamed,
};
use web::page::ledger::{Checkpoint, LedgerPage, LedgerRow};
use web::page::loss::{DatasetLoss, LossAmount, Losses, UnitTypeLoss};
use web::page::open_sql::{OpenSqlPage, SqlFailure, SqlLimits, SqlOutcome, SqlTable};
use web::page::publish::{
    Check, DetectedColumn, Detection, DroppedRows, MyDataset, MyDatasetsPage, ReadOptions, ReceivedFile,
    ReleaseFormPage, TaskFailure, TaskPage, TaskState, UploadPage, VersionPage,
};
use web::page::review::{
    Evidence, HistoryRow, InboxPage, InboxRow, OpinionRow, ReadOnly, RequestKind, ReviewAct, ReviewForm,
    ReviewPage,
};
use web::page::sandbox::{
    AccessFormPage, AccessStatusPage, BudgetRow, DatasetChoice, JobRow, ProjectPage, ProjectRow,
    ProtectedDataset, RequestRow, SandboxPage,
};
use web::page::table::{DataColumn, DataTable};
use web::page::{AccountMenu, FieldErrors, Notice, Section, Segment, Shell, Tone};
use web::problem::{Code, Problem, Span};

/// A page as HTML, with a name for its file.
pub(crate) struct Sample {
    /// Name of the page, unique within a language.
    pub(crate) name: &'static str,
    /// Its language.
    pub(crate) language: Language,
    /// The whole page.
    pub(crate) html: String,
}

/// Something that a page must never show as markup.
pub(crate) const HOSTILE: &str =
    "\"><script>alert('x')</script>&amp;\u{202E}gnp.<img src=x onerror=alert(1)>";

/// Every page in both languages. With `hostile`, texts from people are hostile.
///
/// # Errors
/// If a template fails.
pub(crate) fn pages(hostile: bool) -> Result<Vec<Sample>, askama::Error> {
    let mut samples = Vec::new();
    for language in [Language::Zh, Language::En] {
        let maker = Maker { language, hostile };
        maker.catalog(&mut samples)?;
        maker.account(&mut samples)?;
        maker.publish(&mut samples)?;
        maker.review(&mut samples)?;
        maker.sandbox(&mut samples)?;
        maker.rest(&mut samples)?;
    }
    Ok(samples)
}

#[derive(Clone, Copy)]
struct Maker {
    language: Language,
    hostile: bool,
}

const SQL: &str = "SELECT start_district, COUNT(*) AS trips, COUNT(DISTINCT person_id) AS persons\nFROM bike_share_trips\nWHERE duration_s >= 600\nGROUP BY start_district";

const ID: &str = "019a8c1e-7d2a-7c31-9f40-2b6a5e0c1d77";

const CHECKSUM: &str = "9f2c1f0b6c7f0c3c0f6b1a3d4e5f60718293a4b5c6d7e8f90123456789abcdef";

const LEAF: &str = "y4nE1cSxQp0oD2w1Yc0m7kQm3a9l6Zk1mB5uJx0eT9s=";

const DISTRICTS: [(&str, f64); 8] = [
    ("湖滨区", 48_213.0),
    ("文昌区", 39_870.0),
    ("高新区", 35_102.0),
    ("临江区", 21_455.0),
    ("云岭区", 12_009.0),
    ("北港区", 6_120.0),
    ("南屏县", 811.0),
    ("东岛区", -37.0),
];

impl Maker {
    fn say(self, zh: &str, en: &str) -> String {
        let text = if self.language == Language::Zh { zh } else { en };
        if self.hostile {
            format!("{text}{HOSTILE}")
        } else {
            text.to_owned()
        }
    }

    fn message(self, zh: &str, en: &str) -> Message {
        Message::new("why-said").with("text", self.say(zh, en))
    }

    fn localized(self, zh: &str, en: &str) -> Localized {
        let tail = if self.hostile { HOSTILE } else { "" };
        Localized::parse(&format!("{zh}{tail}"), Some(&format!("{en}{tail}")))
            .unwrap_or_else(|_| unreachable!())
    }

    fn moment(self, days: i64) -> Timestamp {
        Timestamp::from_micros(1_763_870_400_000_000).plus_days(days)
    }

    fn shell(self, section: Section, address: &str, roles: &[Role]) -> Shell {
        let account = (!roles.is_empty()).then(|| AccountMenu {
            name: self.say("沈知夏", "Shen Zhixia"),
            organization: match roles[0] {
                Role::Officer => self.say("市交通运输局", "Transport Bureau"),
                Role::Reviewer => self.say("市大数据局", "Data Bureau"),
                Role::Assessor => self.say("明衡测评中心", "Mingheng Assessment Centre"),
                _ => self.say("轻舟出行科技有限公司", "Qingzhou Mobility Ltd"),
            },
            roles: roles.to_vec(),
            open_reviews: 3,
        });
        Shell {
            language: self.language,
            address: address.to_owned(),
            section,
            account,
            csrf: "3f1c0d6e5b7a".to_owned(),
            request_id: "0a51f0d2".to_owned(),
            notices: Vec::new(),
        }
    }

    fn put<T: Template>(
        self,
        samples: &mut Vec<Sample>,
        name: &'static str,
        page: &T,
    ) -> Result<(), askama::Error> {
        samples.push(Sample {
            name,
            language: self.language,
            html: page.render()?,
        });
        Ok(())
    }

    fn hit(self, zh: [&str; 3], en: [&str; 3]) -> Vec<Segment> {
        let parts = if self.language == Language::Zh { zh } else { en };
        let mut segments: Vec<Segment> = parts
            .iter()
            .enumerate()
            .map(|(position, text)| Segment {
                text: (*text).to_owned(),
                hit: position == 1,
            })
            .collect();
        if self.hostile {
            segments.push(Segment {
                text: HOSTILE.to_owned(),
                hit: true,
            });
        }
        segments
    }

    fn cards(self) -> Vec<DatasetCard> {
        let card = |slug: &str,
                    title,
                    summary,
                    level,
                    department: (&str, &str),
                    theme,
                    cycle,
                    days,
                    formats: &[&str]| DatasetCard {
            slug: slug.to_owned(),
            title,
            summary,
            text_language: self.language,
            level,
            department: self.say(department.0, department.1),
            theme,
            update_cycle: cycle,
            updated: Some(self.moment(days)),
            formats: formats.iter().map(|f| (*f).to_owned()).collect(),
        };
        let open = ["csv", "json", "parquet", "arrow"];
        vec![
            card(
                "air-quality-hourly",
                self.hit(["", "空气", "质量监测站逐小时数据"], ["Hourly ", "air", " quality by station"]),
                self.hit(
                    ["全市 42 个国控、省控站点的 PM2.5、PM10、臭氧、二氧化氮逐小时浓度，每天更新，缺测以空值表示。含", "空气", "质量指数。"],
                    ["PM2.5, PM10, ozone and NO₂ of 42 stations, every hour, with the ", "air", " quality index; missing readings are NULL."],
                ),
                Level::L1,
                ("市生态环境局", "Environment Bureau"),
                Theme::Environment,
                UpdateCycle::Daily,
                -1,
                &open,
            ),
            card(
                "traffic-index",
                Segment::plain(self.say("道路交通运行指数", "Traffic index by road section")),
                Segment::plain(self.say("主要道路每 5 分钟的拥堵指数和平均车速。", "Congestion index and mean speed of main roads every five minutes.")),
                Level::L1,
                ("市交通运输局", "Transport Bureau"),
                Theme::Transport,
                UpdateCycle::Realtime,
                -3,
                &open,
            ),
            card(
                "bike-share-trips",
                Segment::plain(self.say("共享单车骑行记录", "Bike-share trips")),
                Segment::plain(self.say("每次骑行的起止时间、起止区、距离和费用。", "Start, end, districts, distance and fare of each trip.")),
                Level::L3,
                ("市交通运输局", "Transport Bureau"),
                Theme::Transport,
                UpdateCycle::Monthly,
                -9,
                &[],
            ),
            card(
                "enterprise-tax-cube",
                Segment::plain(self.say("企业税收统计立方", "Enterprise tax cube")),
                Segment::plain(self.say("按行业、区县、季度汇总的户数、营业收入和增值税。", "Enterprises, revenue and VAT by industry, district and quarter.")),
                Level::L2,
                ("市税务局", "Tax Bureau"),
                Theme::Finance,
                UpdateCycle::Quarterly,
                -20,
                &[],
            ),
        ]
    }

    fn field(
        self,
        name: &str,
        label: (&str, &str),
        field_type: FieldType,
        role: FieldRole,
        level: Level,
    ) -> FieldDeclaration {
        FieldDeclaration {
            name: FieldName::parse(name).unwrap_or_else(|_| unreachable!()),
            label: Some(self.localized(label.0, label.1)),
            description: None,
            field_type,
            role,
            level,
            bounds: None,
            domain: None,
            unit_static: false,
            measure: None,
        }
    }

    fn trip_fields(self) -> Vec<FieldDeclaration> {
        let domain = |values: &[&str]| Domain::new(values.iter().map(|v| (*v).to_owned()).collect()).ok();
        let districts: Vec<&str> = DISTRICTS
            .iter()
            .map(|(name, _)| *name)
            .chain(["西溪区"])
            .collect();
        let mut start = self.field(
            "start_district",
            ("起点区", "Start district"),
            FieldType::Text,
            FieldRole::QuasiIdentifier,
            Level::L2,
        );
        start.domain = domain(&districts);
        let mut distance = self.field(
            "distance_m",
            ("骑行距离", "Distance"),
            FieldType::Number,
            FieldRole::Attribute,
            Level::L2,
        );
        distance.bounds = Bounds::new(0.0, 20_000.0).ok();
        distance.measure = Some("m".to_owned());
        let mut age = self.field(
            "age_band",
            ("年龄段", "Age band"),
            FieldType::Text,
            FieldRole::QuasiIdentifier,
            Level::L3,
        );
        age.domain = domain(&["0–17", "18–24", "25–34", "35–44", "45–54", "55–64", "65+"]);
        age.unit_static = true;
        vec![
            self.field(
                "person_id",
                ("身份证号", "ID number"),
                FieldType::Text,
                FieldRole::UnitKey,
                Level::L3,
            ),
            self.field(
                "start_time",
                ("开始时间", "Start time"),
                FieldType::Timestamp,
                FieldRole::QuasiIdentifier,
                Level::L3,
            ),
            start,
            distance,
            age,
        ]
    }

    fn air_fields(self) -> Vec<FieldDeclaration> {
        let mut pm = self.field(
            "pm25",
            ("细颗粒物浓度", "PM2.5"),
            FieldType::Number,
            FieldRole::Attribute,
            Level::L1,
        );
        pm.bounds = Bounds::new(0.0, 1_000.0).ok();
        pm.measure = Some("µg/m³".to_owned());
        vec![
            self.field(
                "station",
                ("站点名称", "Station"),
                FieldType::Text,
                FieldRole::Attribute,
                Level::L1,
            ),
            self.field(
                "measured_at",
                ("监测时间", "Measured at"),
                FieldType::Timestamp,
                FieldRole::Attribute,
                Level::L1,
            ),
            pm,
            self.field(
                "aqi",
                ("空气质量指数", "AQI"),
                FieldType::Integer,
                FieldRole::Attribute,
                Level::L1,
            ),
        ]
    }

    const fn unit() -> UnitDeclaration {
        UnitDeclaration {
            unit_type: UnitType::Person,
            max_units: 200_000,
            max_rows: 2_000_000,
            max_rows_per_unit: 100,
        }
    }

    fn entry(self, zh: &str, en: &str, license: License, special: bool) -> EntryMetadata {
        EntryMetadata {
            title: self.localized(zh, en),
            summary: self.localized(
                "由车辆智能锁上报的骑行记录，每次骑行一行。起止位置已归并到区，身份证号不进入沙箱。",
                "Trips as reported by the bikes' locks, one row each. Places are coarsened to districts; ID numbers never enter the sandbox.",
            ),
            keywords: vec![self.say("单车", "bicycle"), self.say("出行", "mobility")],
            theme: Theme::Transport,
            update_cycle: UpdateCycle::Monthly,
            license,
            region: Some("990100".to_owned()),
            resource_code: Some("307010000123".to_owned()),
            contact: Some(self.say("0990-8812345", "0990-8812345")),
            conditions: Some(self.localized("限用于交通规划、公共服务研究。", "For transport planning and research on public services.")),
            recipe: Some(self.localized(
                "经纬度归并到区；时间保留到分钟；身份证号改为密钥散列；每人最多保留 100 次。",
                "Coordinates coarsened to districts, times to minutes; ID numbers become keyed hashes; 100 trips a person at most.",
            )),
            special,
        }
    }

    fn bars(self) -> Vec<HistogramBar> {
        [3, 18, 55, 91, 120, 96, 71, 44, 30, 17, 9, 6, 3, 2, 1, 1]
            .iter()
            .enumerate()
            .map(|(position, count)| HistogramBar {
                label: (position * 15).to_string(),
                count: count * 1_000,
            })
            .collect()
    }

    fn losses(self) -> Losses {
        let amount = |rho, epsilon, delta| LossAmount { rho, epsilon, delta };
        Losses {
            datasets: vec![DatasetLoss {
                title: self.say("共享单车骑行记录", "Bike-share trips"),
                window_days: 365,
                spent: amount(0.119_1, 3.0166, 5.2e-10),
                left_in_window: amount(0.944_5, 9.3472, 9.8e-10),
                left_for_life: amount(4.963_1, 24.6694, 9.8e-10),
            }],
            unit_types: vec![UnitTypeLoss {
                unit_type: UnitType::Person,
                datasets: 3,
                spent: amount(0.204_8, 4.0169, 5.6e-10),
                left: amount(15.041_8, 48.2171, 1.9e-9),
                worst: amount(15.246_6, 48.6115, 2e-9),
            }],
        }
    }

    fn profiles(self) -> Vec<ColumnProfile> {
        let profile = |name: &str, nulls, distinct, error, least: &str, greatest: &str, bars| ColumnProfile {
            name: name.to_owned(),
            nulls,
            distinct,
            distinct_error: error,
            least: Some(least.to_owned()),
            greatest: Some(greatest.to_owned()),
            bars,
        };
        let stations = ["文昌路", "湖滨公园", "高新一路", "临江码头", "云岭"];
        let named = stations
            .iter()
            .map(|name| HistogramBar {
                label: self.say(name, name),
                count: 8_760,
            })
            .collect();
        vec![
            profile("station", 0, 42, None, "临江码头", "文昌路", named),
            profile(
                "measured_at",
                0,
                8_760,
                Some(0.008),
                "2024-11-23 00:00",
                "2025-11-22 23:00",
                Vec::new(),
            ),
            profile("pm25", 1_204, 611, None, "2", "238", self.bars()),
            profile("aqi", 1_204, 287, None, "11", "288", self.bars()),
        ]
    }

    fn preview(self) -> DataTable {
        let column = |name: &str, label: &str, numeric| DataColumn {
            name: name.to_owned(),
            label: label.to_owned(),
            numeric,
        };
        let row = |station: &str, pm: Option<&str>| {
            vec![
                Some(self.say(station, station)),
                Some("2025-11-22 08:00".to_owned()),
                pm.map(str::to_owned),
                Some("63".to_owned()),
            ]
        };
        DataTable {
            caption: self.say("前 4 行", "The first 4 rows"),
            columns: vec![
                column("station", &self.say("站点名称", "Station"), false),
                column("measured_at", "", false),
                column("pm25", "", true),
                column("aqi", "", true),
            ],
            rows: vec![
                row("文昌路", Some("44.5")),
                row("湖滨公园", Some("31.0")),
                row("高新一路", None),
                row("临江码头", Some("52.5")),
            ],
        }
    }

    fn versions(self, open: bool) -> Vec<VersionRow> {
        (1..=3)
            .rev()
            .map(|number| VersionRow {
                number,
                state: if number == 1 {
                    VersionState::Retired
                } else {
                    VersionState::Released
                },
                moment: Some(self.moment(-i64::from(40 - number * 10))),
                rows: open.then_some(360_000 + u64::from(number) * 1_007),
                checksum: open.then(|| CHECKSUM.to_owned()),
            })
            .collect()
    }
}
