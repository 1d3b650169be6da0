//! First page, catalogue, datasets, SQL.

use super::*;

impl Maker {
    pub(super) fn catalog(self, samples: &mut Vec<Sample>) -> Result<(), askama::Error> {
        let mut home = HomePage {
            shell: self.shell(Section::None, "/", &[]),
            numbers: LiveNumbers {
                datasets: 128,
                open: 96,
                departments: 23,
                downloads: 48_210,
                jobs: 1_377,
                ledger: 5_904,
            },
            themes: Theme::ALL
                .iter()
                .zip([31, 18, 9, 12, 7, 8, 11, 4, 3, 14, 6, 2, 9, 5, 2, 1])
                .map(|(theme, count)| ThemeCount { theme: *theme, count })
                .collect(),
            latest: self.cards(),
        };
        self.put(samples, "home", &home)?;
        home.latest.clear();
        home.themes.clear();
        self.put(samples, "home-empty", &home)?;

        let value = |code: &str, label: String, count, selected| FacetValue {
            code: code.to_owned(),
            label,
            count,
            selected,
        };
        let theme_name = |theme: Theme| theme.name(self.language).to_owned();
        let mut list = DatasetListPage {
            shell: self.shell(
                Section::Datasets,
                "/datasets?q=%E7%A9%BA%E6%B0%94&theme=environment",
                &[Role::Developer],
            ),
            search: SearchAddress {
                query: self.say("空气", "air"),
                filters: vec![("theme".to_owned(), "environment".to_owned())],
                sort: Sort::Relevance,
            },
            count: 128,
            results: self.cards(),
            facets: vec![
                Facet {
                    kind: FacetKind::Theme,
                    values: vec![
                        value("environment", theme_name(Theme::Environment), 18, true),
                        value("transport", theme_name(Theme::Transport), 31, false),
                        value("health", theme_name(Theme::Health), 9, false),
                    ],
                },
                Facet {
                    kind: FacetKind::Organization,
                    values: vec![
                        value(
                            "environment-bureau",
                            self.say("市生态环境局", "Environment Bureau"),
                            14,
                            false,
                        ),
                        value(
                            "transport-bureau",
                            self.say("市交通运输局", "Transport Bureau"),
                            22,
                            false,
                        ),
                    ],
                },
                Facet {
                    kind: FacetKind::Level,
                    values: vec![
                        value("L1", "L1".to_owned(), 96, false),
                        value("L3", "L3".to_owned(), 12, false),
                    ],
                },
                Facet {
                    kind: FacetKind::UpdateCycle,
                    values: vec![value(
                        "daily",
                        UpdateCycle::Daily.name(self.language).to_owned(),
                        17,
                        false,
                    )],
                },
                Facet {
                    kind: FacetKind::Format,
                    values: Vec::new(),
                },
            ],
            page: 6,
            pages: 13,
        };
        self.put(samples, "datasets", &list)?;
        list.results.clear();
        list.count = 0;
        list.pages = 0;
        self.put(samples, "datasets-empty", &list)?;

        let mut entry = self.entry(
            "空气质量监测站逐小时数据",
            "Hourly air quality by station",
            License::CcBy4,
            false,
        );
        entry.theme = Theme::Environment;
        entry.summary = self.localized(
            "全市 42 个国控、省控站点的 PM2.5、PM10、臭氧、二氧化氮逐小时浓度和空气质量指数，缺测以空值表示。",
            "PM2.5, PM10, ozone and NO₂ of 42 stations, every hour, with the air quality index; missing readings are NULL.",
        );
        let mut page = DatasetPage {
            shell: self.shell(Section::Datasets, "/datasets/air-quality-hourly", &[]),
            slug: "air-quality-hourly".to_owned(),
            origin: "https://data.example.gov.cn".to_owned(),
            entry,
            level: Level::L1,
            department: self.say("市生态环境局", "Environment Bureau"),
            region: Some(self.say("示范市", "Demo City")),
            fields: self.air_fields(),
            unit: None,
            access: Access::Open,
            preview: Some(self.preview()),
            profiles: self.profiles(),
            rows: Some(367_920),
            versions: self.versions(true),
            downloads: [
                ("csv", 18_400_120),
                ("json", 61_230_001),
                ("ndjson", 58_110_870),
                ("parquet", 2_911_004),
                ("arrow", 9_120_333),
            ]
            .iter()
            .map(|(format, bytes)| Download {
                format: (*format).to_owned(),
                bytes: *bytes,
            })
            .collect(),
            retired: None,
            json_ld: Some(
                serde_json::json!({"@context": "https://schema.org", "@type": "Dataset", "name": self.say("空气", "Air")}),
            ),
            manages: false,
        };
        self.put(samples, "dataset-open", &page)?;
        page.retired = Some(self.say("已由新的数据集替代。", "Replaced by a newer dataset."));
        page.manages = true;
        self.put(samples, "dataset-retired", &page)?;
        let protected = DatasetPage {
            shell: self.shell(Section::Datasets, "/datasets/bike-share-trips", &[Role::Analyst]),
            slug: "bike-share-trips".to_owned(),
            entry: self.entry("共享单车骑行记录", "Bike-share trips", License::Agreement, true),
            level: Level::L3,
            department: self.say("市交通运输局", "Transport Bureau"),
            fields: self.trip_fields(),
            unit: Some(Self::unit()),
            access: Access::Conditional { may_apply: true },
            preview: None,
            profiles: Vec::new(),
            rows: None,
            versions: self.versions(false),
            downloads: Vec::new(),
            retired: None,
            json_ld: None,
            manages: false,
            ..page
        };
        self.put(samples, "dataset-protected", &protected)?;
        let closed = DatasetPage {
            level: Level::L4,
            access: Access::Closed {
                reason: self.say("涉及正在侦办的案件。", "It concerns open investigations."),
            },
            versions: Vec::new(),
            unit: None,
            ..protected
        };
        self.put(samples, "dataset-closed", &closed)?;
        self.put(
            samples,
            "dataset-announced",
            &DatasetPage {
                access: Access::Announced,
                level: Level::L2,
                ..closed
            },
        )?;

        let mut sql = OpenSqlPage {
            shell: self.shell(Section::Sql, "/sql", &[]),
            sql: "SELECT station, avg(pm25) AS mean\nFROM air_quality_hourly\nGROUP BY station\nORDER BY mean DESC".to_owned(),
            outcome: SqlOutcome::Rows { table: self.preview(), milliseconds: 41, truncated: true },
            tables: vec![
                SqlTable {
                    name: "air_quality_hourly".to_owned(),
                    slug: "air-quality-hourly".to_owned(),
                    title: self.say("空气质量监测站逐小时数据", "Hourly air quality by station"),
                    columns: vec!["station text".to_owned(), "measured_at timestamp".to_owned(), "pm25 number".to_owned()],
                },
                SqlTable {
                    name: "traffic_index".to_owned(),
                    slug: "traffic-index".to_owned(),
                    title: self.say("道路交通运行指数", "Traffic index"),
                    columns: vec!["road text".to_owned(), "speed number".to_owned()],
                },
            ],
            limits: SqlLimits { seconds: 10, rows: 10_000, memory_bytes: 268_435_456 },
        };
        self.put(samples, "sql-result", &sql)?;
        sql.sql = format!(
            "SELECT station, avg(pm25)\nFROM air_qualty{}",
            if self.hostile { HOSTILE } else { "" }
        );
        sql.outcome = SqlOutcome::Failed(SqlFailure {
            message: self.say("找不到表 air_qualty", "there is no table air_qualty"),
            span: Some(Span {
                line: 2,
                column: 6,
                end_line: 2,
                end_column: 16,
            }),
            hint: self.say(
                "您是否想写 air_quality_hourly？",
                "did you mean air_quality_hourly?",
            ),
            rule: None,
        });
        self.put(samples, "sql-error", &sql)?;
        sql.outcome = SqlOutcome::None;
        sql.tables.clear();
        self.put(samples, "sql-empty", &sql)
    }
}
