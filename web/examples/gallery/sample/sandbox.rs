//! Access, projects, jobs.

use super::*;

impl Maker {
    fn budgets(self) -> Vec<BudgetRow> {
        vec![BudgetRow {
            slug: "bike-share-trips".to_owned(),
            title: self.say("共享单车骑行记录", "Bike-share trips"),
            sql_name: "bike_share_trips".to_owned(),
            granted: 2.0,
            spent: 1.1,
            left: 1.62,
            spent_share: 0.34,
            window_days: 90,
            jobs_left: 9,
            job_epsilon: 0.5,
        }]
    }

    pub(super) fn sandbox(self, samples: &mut Vec<Sample>) -> Result<(), askama::Error> {
        let shell = |address: &str| self.shell(Section::Sandbox, address, &[Role::Analyst]);
        let trips = self.say("共享单车骑行记录", "Bike-share trips");
        let purpose = self.say(
            "测算各区早高峰停车位缺口",
            "Sizing the shortage of bike parking at rush hour",
        );
        let protected = |slug: &str, title: &str, en: &str, special| ProtectedDataset {
            slug: slug.to_owned(),
            title: self.say(title, en),
            level: Level::L3,
            department: self.say("市交通运输局", "Transport Bureau"),
            special,
        };
        let datasets = vec![
            protected("bike-share-trips", "共享单车骑行记录", "Bike-share trips", false),
            protected("outpatient-visits", "门诊就诊记录", "Outpatient visits", true),
        ];
        let mut page = SandboxPage {
            shell: self.shell(Section::Sandbox, "/sandbox", &[]),
            datasets: datasets.clone(),
            all_datasets: None,
            projects: Vec::new(),
            more_projects: None,
            requests: Vec::new(),
            more_requests: None,
            analyst: false,
        };
        self.put(samples, "sandbox", &page)?;
        page.shell = shell("/sandbox");
        page.analyst = true;
        self.put(samples, "sandbox-analyst-empty", &page)?;
        page.projects = vec![ProjectRow {
            id: ID.to_owned(),
            purpose: purpose.clone(),
            datasets: vec![trips.clone()],
            expires: self.moment(80),
        }];
        page.requests = vec![RequestRow {
            id: ID.to_owned(),
            datasets: vec![trips.clone()],
            state: RequestState::Returned,
            submitted: self.moment(-5),
        }];
        page.all_datasets = Some(317);
        page.more_projects = Some("/sandbox?projects=x#projects".to_owned());
        page.more_requests = Some("/sandbox?requests=x#requests".to_owned());
        self.put(samples, "sandbox-analyst", &page)?;

        let mut apply = AccessFormPage {
            shell: shell("/sandbox/apply"),
            datasets: datasets
                .into_iter()
                .enumerate()
                .map(|(n, dataset)| DatasetChoice {
                    dataset,
                    chosen: n == 0,
                })
                .collect(),
            all_datasets: Some(317),
            purpose: String::new(),
            safeguards: String::new(),
            promised: true,
            days: 5,
            errors: FieldErrors::default(),
        };
        self.put(samples, "access-form", &apply)?;
        apply.purpose = purpose.clone();
        for field in ["datasets", "safeguards", "promise"] {
            apply
                .errors
                .push(field, self.say("此项必填。", "This is needed."));
        }
        self.put(samples, "access-form-errors", &apply)?;

        let mut status = AccessStatusPage {
            shell: shell("/sandbox/requests/x"),
            id: ID.to_owned(),
            datasets: vec![("bike-share-trips".to_owned(), trips.clone())],
            purpose: purpose.clone(),
            safeguards: self.say(
                "账号一人一号；结果存内网。",
                "One account a person; results stay on the internal network.",
            ),
            state: RequestState::AwaitingDecision,
            submitted: self.moment(-2),
            due: self.moment(3),
            reason: None,
            project: None,
            history: self.history(),
            may_withdraw: true,
        };
        self.put(samples, "access-open", &status)?;
        status.state = RequestState::Approved;
        status.project = Some(ID.to_owned());
        status.reason = Some(self.say("用途明确，同意。", "The purpose is clear: approved."));
        status.may_withdraw = false;
        self.put(samples, "access-approved", &status)?;

        let job = |sql: &str, state, days| JobRow {
            id: ID.to_owned(),
            sql: format!("{sql}{}", if self.hostile { HOSTILE } else { "" }),
            state,
            epsilon: 0.5,
            submitted: self.moment(days),
            due: self.moment(days).plus_seconds(3),
        };
        let mut project = ProjectPage {
            shell: shell("/sandbox/projects/x"),
            id: ID.to_owned(),
            organization: self.say("轻舟出行科技有限公司", "Qingzhou Mobility Ltd"),
            purpose: purpose.clone(),
            expires: self.moment(80),
            ended: false,
            budgets: self.budgets(),
            jobs: vec![
                job(
                    "SELECT start_district, COUNT(*) FROM bike_share_trips …",
                    JobState::Released,
                    -1,
                ),
                job(
                    "SELECT age_band, SUM(fare_cents) FROM bike_share_trips …",
                    JobState::Queued,
                    0,
                ),
            ],
            may_run: true,
            older: None,
        };
        self.put(samples, "project", &project)?;
        project.jobs.clear();
        project.ended = true;
        self.put(samples, "project-empty", &project)?;

        let mut new_job = NewJobPage {
            shell: shell("/sandbox/projects/x/jobs/new"),
            project: ID.to_owned(),
            purpose: purpose.clone(),
            tables: vec![JobTable {
                name: "bike_share_trips".to_owned(),
                title: trips,
                fields: self.trip_fields(),
            }],
            budgets: self.budgets(),
            sql: SQL.to_owned(),
            epsilon: "0.5".to_owned(),
            column: "trips".to_owned(),
            half_width: "2500".to_owned(),
            max_epsilon: 0.5,
            idempotency_key: ID.to_owned(),
            estimate: EstimateOutcome::Accepted {
                epsilon: 0.5,
                rho: 0.0040,
                after: vec![(self.say("共享单车骑行记录", "Bike-share trips"), 1.51)],
                jobs_left: 8,
                parts: 1,
                about: vec![],
                counted: self.say(
                    "每人最多 100 行，最多计入 5 个分组。",
                    "Of one person at most 100 rows, in at most 5 groups.",
                ),
                errors: vec![
                    ExpectedError {
                        column: "trips".to_owned(),
                        scale: 1_118.0,
                        half_width: 2_191.0,
                        cells: Some(18),
                    },
                    ExpectedError {
                        column: "persons".to_owned(),
                        scale: 25.0,
                        half_width: 49.0,
                        cells: Some(18),
                    },
                ],
                due_in_s: 3,
                checked_until: None,
                paid_before: 0.0012,
                repeat: true,
                by_rows: false,
                shown_from: None,
            },
            errors: FieldErrors::default(),
        };
        self.put(samples, "job-estimate", &new_job)?;
        new_job.sql =
            "SELECT start_district, MAX(distance_m)\nFROM bike_share_trips\nGROUP BY start_district"
                .to_owned();
        new_job.estimate = EstimateOutcome::Refused(SqlFailure {
            message: self.say("MAX 会透露某一个人的数值", "MAX would tell one person's value"),
            span: Some(Span {
                line: 1,
                column: 24,
                end_line: 1,
                end_column: 39,
            }),
            hint: self.say(
                "改用 SUM(distance_m) 和 COUNT(*)。",
                "Ask for SUM(distance_m) and COUNT(*).",
            ),
            rule: Some("aggregate-not-allowed".to_owned()),
        });
        self.put(samples, "job-refused", &new_job)?;
        new_job.estimate = EstimateOutcome::Exhausted {
            message: self.say(
                "需要 ρ = 0.0040，剩余 0.0011。",
                "This needs ρ = 0.0040; 0.0011 is left.",
            ),
        };
        new_job
            .errors
            .push("epsilon", self.say("最多 0.5。", "At most 0.5."));
        self.put(samples, "job-exhausted", &new_job)?;

        let mut job = JobPage {
            shell: shell("/sandbox/jobs/x"),
            id: ID.to_owned(),
            project: ID.to_owned(),
            state: JobState::Queued,
            submitted: self.moment(0),
            due: self.moment(0).plus_seconds(3),
            due_in_s: 3,
            checked: false,
            withheld: None,
            sql: format!("{SQL}{}", if self.hostile { HOSTILE } else { "" }),
            epsilon: 0.5,
            rho: 0.0040,
            tops_up: Some((ID.to_owned(), 0.0012)),
            repeat: false,
            result: None,
            receipt: None,
        };
        self.put(samples, "job-queued", &job)?;
        job.state = JobState::Withheld;
        job.checked = true;
        job.withheld = Some(vec![
            self.say("诊断编码过细。", "The diagnosis codes are too fine."),
        ]);
        self.put(samples, "job-withheld", &job)?;
        job.state = JobState::Released;
        (job.checked, job.withheld) = (false, None);
        job.due_in_s = 0;
        let noised = |value: f64, half: f64| ResultCell::Noised {
            value,
            low: value - half,
            high: value + half,
        };
        let noise = |scale| {
            Some(Noise {
                mechanism: "discrete_gaussian".to_owned(),
                scale,
            })
        };
        job.result = Some(JobResult {
            left_out: None,
            columns: vec![
                ResultColumn {
                    name: "start_district".to_owned(),
                    interval: false,
                    noise: None,
                },
                ResultColumn {
                    name: "trips".to_owned(),
                    interval: true,
                    noise: noise(1_118.0),
                },
                ResultColumn {
                    name: "mean_km".to_owned(),
                    interval: true,
                    noise: noise(0.021),
                },
            ],
            rows: DISTRICTS
                .iter()
                .map(|(name, value)| {
                    vec![
                        ResultCell::Key(self.say(name, name)),
                        noised(*value, 2_191.0),
                        if *value > 1_000.0 {
                            noised(2.314, 0.041)
                        } else {
                            ResultCell::Undefined
                        },
                    ]
                })
                .chain([Unnamed::Other, Unnamed::Missing].map(|unnamed| {
                    vec![
                        ResultCell::Unnamed(unnamed),
                        noised(412.0, 2_191.0),
                        ResultCell::Undefined,
                    ]
                }))
                .collect(),
        });
        job.receipt = Some(ReceiptView {
            leaf: LEAF.to_owned(),
            proof: ProofState::Proven {
                index: 5_881,
                size: 5_904,
            },
        });
        self.put(samples, "job-released", &job)?;
        job.receipt = Some(ReceiptView {
            leaf: LEAF.to_owned(),
            proof: ProofState::Pending,
        });
        job.repeat = true;
        job.result = Some(JobResult {
            left_out: None,
            columns: vec![ResultColumn {
                name: "trips".to_owned(),
                interval: true,
                noise: noise(1_118.0),
            }],
            rows: vec![vec![noised(163_543.0, 2_191.0)]],
        });
        self.put(samples, "job-single", &job)
    }
}
