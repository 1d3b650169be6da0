//! Ledger, about, problems, errors.

use super::*;

impl Maker {
    pub(super) fn rest(self, samples: &mut Vec<Sample>) -> Result<(), askama::Error> {
        let mut ledger = LedgerPage {
            shell: self.shell(Section::Ledger, "/ledger", &[]),
            origin: "https://data.example.gov.cn".to_owned(),
            verifier_key: "data.example.gov.cn/ledger+8a3f11c2+AZ0mXq1vT7cJm4bYdR9sKpWf2uLhNgEo5iQxVtBz6yA="
                .to_owned(),
            checkpoint: Some(Checkpoint {
                size: 5_904,
                root: LEAF.to_owned(),
                moment: self.moment(0),
                note: format!(
                    "data.example.gov.cn/ledger\n5904\n{LEAF}\n\n— data.example.gov.cn/ledger ij8Rwk…\n"
                ),
            }),
            rows: (5_900..5_904)
                .rev()
                .map(|index| LedgerRow {
                    index,
                    moment: self.moment(0),
                    act: self.say("扣除隐私预算", "privacy budget charged"),
                    actor: self.say("轻舟出行科技有限公司", "Qingzhou Mobility Ltd"),
                    subject: "bike-share-trips · ρ 0.0040".to_owned(),
                    hash: LEAF.to_owned(),
                })
                .collect(),
            older: Some("/ledger?before=5900".to_owned()),
        };
        self.put(samples, "ledger", &ledger)?;
        ledger.checkpoint = None;
        ledger.rows.clear();
        ledger.older = None;
        self.put(samples, "ledger-empty", &ledger)?;
        let budget = BudgetRules {
            job: 0.5,
            project: 2.0,
            project_days: 90,
            lineage: 10.0,
            lineage_days: 365,
            lifetime: 25.0,
        };
        self.put(
            samples,
            "about",
            &AboutPage {
                shell: self.shell(Section::About, "/about", &[]),
                budget,
            },
        )?;
        self.put(
            samples,
            "problems",
            &ProblemListPage {
                shell: self.shell(Section::About, "/problems", &[]),
            },
        )?;

        let shell = || self.shell(Section::None, "/datasets/nothing", &[]);
        let hostile = if self.hostile { HOSTILE } else { "" };
        for (name, problem) in [
            ("error-403", Problem::new(Code::Forbidden)),
            (
                "error-404",
                Problem::new(Code::NotFound).detail(self.message(
                    "没有名为 nothing 的数据集。",
                    "There is no dataset called nothing.",
                )),
            ),
            (
                "error-422",
                Problem::new(Code::SandboxRefused)
                    .detail(self.message("MAX 会透露某一个人的数值", "MAX would tell one person's value"))
                    .rule(
                        "aggregate-not-allowed",
                        self.message("改用 SUM。", "Ask for SUM."),
                    )
                    .span(Span {
                        line: 1,
                        column: 24,
                        end_line: 1,
                        end_column: 39,
                    })
                    .field(
                        format!("sql{hostile}"),
                        self.message("不允许 MAX", "MAX is not allowed"),
                    ),
            ),
            ("error-500", Problem::new(Code::Internal)),
        ] {
            self.put(samples, name, &ErrorPage::new(shell(), &problem))?;
        }
        Ok(())
    }
}
