//! Publishing.

use super::*;

impl Maker {
    fn failure(self) -> TaskFailure {
        TaskFailure {
            code: "upload-shape".to_owned(),
            message: self.say(
                "第 18,204 行有 11 个值，表头有 12 列。",
                "Line 18,204 has 11 values, the header has 12 columns.",
            ),
            hint: self.say(
                "请检查该行是否缺少引号。",
                "Look for a missing quote in that line.",
            ),
        }
    }

    pub(super) fn publish(self, samples: &mut Vec<Sample>) -> Result<(), askama::Error> {
        let shell = |address: &str| self.shell(Section::Publish, address, &[Role::Officer]);
        let title = self.say("共享单车骑行记录", "Bike-share trips");
        let dataset = |slug: &str, title: String, level, version, request, public| MyDataset {
            slug: slug.to_owned(),
            title,
            level,
            version,
            request,
            public,
            updated: self.moment(-2),
        };
        let mut mine = MyDatasetsPage {
            shell: shell("/publish"),
            department: self.say("市交通运输局", "Transport Bureau"),
            datasets: vec![
                dataset(
                    "bike-share-trips",
                    title.clone(),
                    Some(Level::L3),
                    Some((3, VersionState::Ready)),
                    Some((RequestState::AwaitingOpinion, ID.to_owned())),
                    true,
                ),
                dataset(
                    "traffic-index",
                    self.say("道路交通运行指数", "Traffic index"),
                    Some(Level::L1),
                    Some((8, VersionState::Released)),
                    Some((RequestState::Approved, ID.to_owned())),
                    true,
                ),
                dataset(
                    "taxi-orders",
                    self.say("出租车订单", "Taxi orders"),
                    None,
                    Some((1, VersionState::Ingesting)),
                    None,
                    false,
                ),
            ],
            older: Some("/publish?cursor=x".to_owned()),
        };
        self.put(samples, "publish", &mine)?;
        mine.datasets.clear();
        self.put(samples, "publish-empty", &mine)?;

        let mut form = EntryForm::empty();
        self.put(
            samples,
            "entry-new",
            &EntryFormPage {
                shell: shell("/publish/new"),
                form: form.clone(),
                exists: false,
                errors: FieldErrors::default(),
            },
        )?;
        form.slug = "bike-share-trips".to_owned();
        form.title_zh = self.say("共享单车骑行记录", "共享单车骑行记录");
        form.theme = "transport".to_owned();
        form.level = "L3".to_owned();
        form.unit_type = "person".to_owned();
        form.max_units = "120000".to_owned();
        form.fields = vec![
            FieldRow {
                name: "person_id".to_owned(),
                role: "unit_key".to_owned(),
                field_type: "text".to_owned(),
                level: "L3".to_owned(),
                ..FieldRow::default()
            },
            FieldRow {
                name: self.say("distance_m", "distance_m"),
                lo: "0".to_owned(),
                hi: "-1".to_owned(),
                ..FieldRow::default()
            },
        ];
        let errors = match form.parse(&shell("/publish/new")) {
            Err(errors) => errors,
            Ok(_) => FieldErrors::default(),
        };
        self.put(
            samples,
            "entry-errors",
            &EntryFormPage {
                shell: shell("/publish/bike-share-trips/edit"),
                form,
                exists: true,
                errors,
            },
        )?;

        let mut upload = UploadPage {
            shell: shell("/publish/bike-share-trips/upload"),
            slug: "bike-share-trips".to_owned(),
            title: title.clone(),
            max_bytes: 2_147_483_648,
            options: ReadOptions::default(),
            received: None,
            errors: FieldErrors::default(),
        };
        upload
            .errors
            .push("file", self.say("请选择文件。", "Choose a file."));
        self.put(samples, "upload", &upload)?;
        upload.errors = FieldErrors::default();
        let column = |name: Option<String>, detected, declared, missing: &[&str]| DetectedColumn {
            name,
            detected,
            declared,
            chosen: None,
            missing: missing.iter().map(|mark| (*mark).to_owned()).collect(),
        };
        let found = vec![
            ("encoding", "gb18030"),
            ("delimiter", "comma"),
            ("header", "yes"),
            ("quote", "double"),
            ("trim", "no"),
        ];
        let file = ReceivedFile {
            token: "token".to_owned(),
            name: self.say("空气质量_2025.csv", "air_quality_2025.csv"),
            bytes: 18_400_120,
            detection: Some(Detection {
                found: found.clone(),
                columns: vec![
                    column(
                        Some("station".to_owned()),
                        FieldType::Text,
                        Some(FieldType::Text),
                        &[],
                    ),
                    column(
                        Some("aqi".to_owned()),
                        FieldType::Number,
                        Some(FieldType::Integer),
                        &["NA", "-"],
                    ),
                    column(Some(self.say("备注", "remark")), FieldType::Text, None, &[]),
                ],
                absent: vec!["pm25".to_owned()],
                must_be_declared: true,
                rows: 31_204,
                whole: false,
                preview: Some(self.preview()),
            }),
        };
        upload.received = Some(file.clone());
        self.put(samples, "upload-misfit", &upload)?;
        let free = Detection {
            found,
            columns: vec![
                column(Some(self.say("站点", "station")), FieldType::Text, None, &[]),
                DetectedColumn {
                    chosen: Some(FieldType::Text),
                    ..column(Some("code".to_owned()), FieldType::Integer, None, &[])
                },
            ],
            absent: Vec::new(),
            must_be_declared: false,
            rows: 1,
            whole: true,
            preview: Some(self.preview()),
        };
        upload.received = Some(ReceivedFile {
            detection: Some(free.clone()),
            ..file.clone()
        });
        self.put(samples, "upload-check", &upload)?;
        upload.received = Some(ReceivedFile {
            detection: Some(Detection {
                found: Vec::new(),
                columns: vec![column(None, FieldType::Integer, None, &[])],
                preview: None,
                ..free
            }),
            ..file.clone()
        });
        self.put(samples, "upload-quarantine", &upload)?;
        upload.received = Some(ReceivedFile {
            detection: None,
            ..file
        });
        upload.errors.push("file", self.failure().message);
        self.put(samples, "upload-unreadable", &upload)?;

        let mut task = TaskPage {
            shell: shell("/tasks/x"),
            id: ID.to_owned(),
            title: title.clone(),
            state: TaskState::Running,
            phase: self.say("第二遍：写入 Parquet", "Second pass: writing Parquet"),
            done: 812_000_000,
            total: Some(1_470_000_000),
            next: "/publish/bike-share-trips/versions/3".to_owned(),
            back: "/publish/bike-share-trips/upload".to_owned(),
            edit: "/publish/bike-share-trips/edit".to_owned(),
            failure: None,
        };
        self.put(samples, "task-running", &task)?;
        task.state = TaskState::Queued;
        task.total = None;
        self.put(samples, "task-queued", &task)?;
        task.state = TaskState::Failed;
        task.failure = Some(self.failure());
        self.put(samples, "task-failed", &task)?;
        task.state = TaskState::Done;
        task.failure = None;
        self.put(samples, "task-done", &task)?;

        let mut version = VersionPage {
            shell: shell("/publish/bike-share-trips/versions/3"),
            slug: "bike-share-trips".to_owned(),
            title: title.clone(),
            number: 3,
            state: VersionState::Ready,
            level: Some(Level::L3),
            made: self.moment(-1),
            rows_read: 2_003_114,
            rows: 1_998_870,
            units: Some(119_204),
            source_bytes: Some(271_004_118),
            bytes: 61_220_431,
            checksum: CHECKSUM.to_owned(),
            reading: vec![
                (self.say("编码", "Encoding"), "GB18030".to_owned()),
                (self.say("分隔符", "Delimiter"), self.say("逗号", "comma")),
            ],
            dropped: vec![
                DroppedRows {
                    reason: self.say("没有有效的身份证号", "no valid ID number"),
                    count: 3_991,
                },
                DroppedRows {
                    reason: self.say("超出每人 100 行", "beyond 100 rows of a person"),
                    count: 253,
                },
            ],
            profiles: self.profiles(),
            losses: self.losses(),
            failure: None,
            may_submit: true,
        };
        self.put(samples, "version", &version)?;
        version.level = None;
        version.state = VersionState::Failed;
        version.failure = Some(self.failure());
        version.dropped.clear();
        version.profiles.clear();
        self.put(samples, "version-failed", &version)?;

        let check = |passed, zh, en| Check {
            passed,
            text: self.say(zh, en),
        };
        let mut release = ReleaseFormPage {
            shell: shell("/publish/bike-share-trips/release"),
            slug: "bike-share-trips".to_owned(),
            title,
            level: Level::L3,
            number: Some(3),
            checks: vec![
                check(
                    true,
                    "级别不低于各信息项的级别",
                    "the level is at least that of every field",
                ),
                check(
                    true,
                    "隐私单元数不超过声明的上限",
                    "units are within the declared maximum",
                ),
                check(true, "脱敏规则已填写", "the de-identification recipe is given"),
            ],
            needs_opinion: true,
            days: 5,
            fields: self.trip_fields(),
            note: String::new(),
            confirmed: false,
            errors: FieldErrors::default(),
        };
        self.put(samples, "release", &release)?;
        release
            .checks
            .push(check(false, "英文名称缺失", "an English title is missing"));
        release
            .errors
            .push("confirm", self.say("请确认。", "Please confirm."));
        release.level = Level::L1;
        release.needs_opinion = false;
        self.put(samples, "release-blocked", &release)?;
        release.level = Level::L4;
        release.number = None;
        self.put(samples, "release-closed", &release)?;
        release.level = Level::L1;
        release.fields = Vec::new();
        self.put(samples, "release-no-fields", &release)
    }
}
