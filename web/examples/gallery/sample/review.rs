//! Review.

use super::*;

impl Maker {
    pub(super) fn history(self) -> Vec<HistoryRow> {
        vec![
            HistoryRow {
                moment: self.moment(-3),
                actor: self.say("市交通运输局 · 部门数据专员", "Transport Bureau · data officer"),
                act: self.say("提交申请", "sent the request"),
                text: None,
            },
            HistoryRow {
                moment: self.moment(-2),
                actor: self.say("明衡测评中心 · 第三方评估员", "Mingheng Centre · assessor"),
                act: self.say("给出意见：可以安全发布", "opinion: safe to release"),
                text: Some(self.say("声明与规则一致。", "Declaration and recipe agree.")),
            },
        ]
    }

    pub(super) fn review(self, samples: &mut Vec<Sample>) -> Result<(), askama::Error> {
        let shell = |role: Role| self.shell(Section::Review, "/review", &[role]);
        let row = |kind, subject: String, level, state, due, overdue, mine| InboxRow {
            id: ID.to_owned(),
            kind,
            subject,
            level,
            organization: self.say("市交通运输局", "Transport Bureau"),
            state,
            submitted: self.moment(-3),
            due: self.moment(due),
            overdue,
            mine,
        };
        let mut inbox = InboxPage {
            shell: shell(Role::Reviewer),
            closed: false,
            open_count: 3,
            checks: Some(1),
            rows: vec![
                row(
                    RequestKind::Release,
                    self.say("企业税收明细", "Enterprise tax"),
                    Level::L3,
                    RequestState::AwaitingDecision,
                    -1,
                    true,
                    true,
                ),
                row(
                    RequestKind::Access,
                    self.say(
                        "共享单车骑行记录、企业税收明细",
                        "Bike-share trips, enterprise tax",
                    ),
                    Level::L3,
                    RequestState::AwaitingDecision,
                    2,
                    false,
                    true,
                ),
                row(
                    RequestKind::Release,
                    self.say("公园名录", "Parks"),
                    Level::L1,
                    RequestState::AwaitingOpinion,
                    4,
                    false,
                    false,
                ),
            ],
            next: None,
        };
        self.put(samples, "review-inbox", &inbox)?;
        inbox.rows.clear();
        inbox.closed = true;
        inbox.next = Some("/review?state=closed&cursor=x".to_owned());
        self.put(samples, "review-inbox-empty", &inbox)?;

        let mut page = ReviewPage {
            shell: shell(Role::Reviewer),
            id: ID.to_owned(),
            kind: RequestKind::Release,
            subject: self.say("共享单车骑行记录", "Bike-share trips"),
            level: Level::L3,
            organization: self.say("市交通运输局", "Transport Bureau"),
            state: RequestState::AwaitingDecision,
            submitted: self.moment(-3),
            due: self.moment(2),
            overdue: false,
            evidence: Evidence::Release {
                slug: "bike-share-trips".to_owned(),
                number: Some(3),
                entry: Box::new(self.entry(
                    "共享单车骑行记录",
                    "Bike-share trips",
                    License::Agreement,
                    false,
                )),
                fields: self.trip_fields(),
                unit: Some(Self::unit()),
                rows: Some(1_998_870),
                profiles: self.profiles(),
                note: self.say("新增年龄段一列。", "The age band is new."),
            },
            opinions: vec![OpinionRow {
                organization: self.say("明衡测评中心", "Mingheng Assessment Centre"),
                opinion: Opinion::Safe,
                text: self.say("声明与脱敏规则一致。", "Declaration and recipe agree."),
                moment: self.moment(-2),
            }],
            history: self.history(),
            act: ReviewAct::Decide,
            max_epsilon: 2.0,
            form: ReviewForm {
                revision: "2".to_owned(),
                ..ReviewForm::default()
            },
            errors: FieldErrors::default(),
        };
        self.put(samples, "review-decide", &page)?;
        page.level = Level::L4;
        if let Evidence::Release { number, .. } = &mut page.evidence {
            *number = None;
        }
        self.put(samples, "review-closed", &page)?;
        page.level = Level::L3;
        page.shell = shell(Role::Assessor);
        page.state = RequestState::AwaitingOpinion;
        page.act = ReviewAct::Advise;
        page.opinions.clear();
        if let Evidence::Release { rows, profiles, .. } = &mut page.evidence {
            *rows = None;
            profiles.clear();
        }
        page.errors
            .push("opinion", self.say("请选择结论。", "Choose a finding."));
        page.errors
            .push("text", self.say("请写明理由。", "Give your reasons."));
        self.put(samples, "review-advise", &page)?;
        page.act = ReviewAct::Read(ReadOnly::OwnOrganization);
        page.errors = FieldErrors::default();
        self.put(samples, "review-read", &page)?;
        page.shell = shell(Role::Reviewer);
        page.kind = RequestKind::Access;
        page.subject = self.say("轻舟出行：共享单车骑行记录", "Qingzhou: bike-share trips");
        page.evidence = Evidence::Access {
            datasets: vec![(
                "bike-share-trips".to_owned(),
                self.say("共享单车骑行记录", "Bike-share trips"),
                Level::L3,
            )],
            purpose: self.say(
                "测算各区早高峰停车位缺口。",
                "To size the shortage of bike parking at rush hour.",
            ),
            safeguards: self.say(
                "账号一人一号；结果存内网。",
                "One account a person; results stay on the internal network.",
            ),
            available: vec![(self.say("共享单车骑行记录", "Bike-share trips"), 6.5)],
            losses: self.losses(),
        };
        page.opinions = vec![OpinionRow {
            organization: self.say("明衡测评中心", "Mingheng Assessment Centre"),
            opinion: Opinion::Unsafe,
            text: self.say("安全措施不足。", "The safeguards are too weak."),
            moment: self.moment(-2),
        }];
        page.act = ReviewAct::Decide;
        page.overdue = true;
        page.form.epsilon = "9".to_owned();
        page.errors.push("epsilon", self.say("最多 2。", "At most 2."));
        self.put(samples, "review-access", &page)
    }
}
