//! Signing in and accounts.

use super::*;

impl Maker {
    pub(super) fn account(self, samples: &mut Vec<Sample>) -> Result<(), askama::Error> {
        let mut sign_in = SignInPage {
            shell: self.shell(Section::None, "/sign-in?next=%2Fsandbox", &[]),
            username: String::new(),
            next: "/sandbox".to_owned(),
            failed: false,
            errors: FieldErrors::default(),
        };
        self.put(samples, "sign-in", &sign_in)?;
        sign_in.failed = true;
        sign_in.username = self.say("shen", "shen");
        self.put(samples, "sign-in-failed", &sign_in)?;
        sign_in.failed = false;
        sign_in
            .errors
            .push("password", self.say("请填写“密码”。", "Fill in “Password”."));
        self.put(samples, "sign-in-empty", &sign_in)?;
        let token = |name: String, days: i64, dead: bool| TokenRow {
            id: ID.to_owned(),
            name,
            scopes: vec![Scope::CatalogRead, Scope::SandboxUse],
            created: self.moment(days),
            expires: self.moment(days + 90),
            used: (!dead).then(|| self.moment(-1)),
            dead,
        };
        let mut errors = FieldErrors::default();
        errors.push("name", self.say("请填写名称。", "Give it a name."));
        errors.push("scopes", self.say("请至少选择一项。", "Choose at least one."));
        let mut shell = self.shell(Section::None, "/account", &[Role::Analyst]);
        shell.notices.push(Notice {
            tone: Tone::Success,
            text: self.say("令牌已吊销。", "The token was revoked."),
        });
        let mut page = AccountPage {
            shell,
            username: "shen.zhixia".to_owned(),
            name: self.say("沈知夏", "Shen Zhixia"),
            organization: self.say("轻舟出行科技有限公司", "Qingzhou Mobility Ltd"),
            organization_kind: OrganizationKind::Enterprise,
            roles: vec![Role::Analyst, Role::Developer],
            tokens: vec![
                token(self.say("报表服务器", "report server"), -12, false),
                token(self.say("旧脚本", "old script"), -200, true),
            ],
            new_token: Some("shapan_7hQ2mX0vK9rT4bN6sY1cL8wP3dF5gJ".to_owned()),
            allowed: vec![Scope::CatalogRead, Scope::SandboxUse],
            form: TokenForm {
                name: String::new(),
                scopes: vec![Scope::CatalogRead],
                days: "90".to_owned(),
            },
            errors: FieldErrors::default(),
        };
        self.put(samples, "account", &page)?;
        page.errors = errors;
        page.new_token = None;
        page.tokens.clear();
        self.put(samples, "account-errors", &page)
    }
}
