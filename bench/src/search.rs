//! `search/…`: searching 10,000 entries over HTTP with facets and highlights, by 16 clients, against the project's bar.

use std::process::Command;

use demo::{Entry, Table};
use model::{Level, Localized, Slug, Theme, UpdateCycle};

use crate::load::load;
use crate::summary::Summary;
use crate::world::{Catalogue, World, empty_manifest, version};
use crate::{Failure, Settings, process, say};

const ENTRIES: u64 = 10_000;
const CLIENTS: usize = 16;
const SECONDS: u64 = 15;
/// 99th percentile, in milliseconds.
const P99_MS: f64 = 25.0;

/// Words whose combinations name the entries: (Chinese, English, theme).
const SUBJECTS: [(&str, &str, Theme); 24] = [
    ("空气质量监测", "air quality monitoring", Theme::Environment),
    ("公交线路", "bus lines", Theme::Transport),
    ("地铁客流", "metro passenger flow", Theme::Transport),
    ("共享单车停放点", "bike parking places", Theme::Transport),
    ("河流断面水质", "river water quality", Theme::Environment),
    ("饮用水源地", "drinking water sources", Theme::Environment),
    ("医院门诊量", "hospital outpatient volume", Theme::Health),
    ("疫苗接种点", "vaccination sites", Theme::Health),
    ("中小学校名录", "primary and secondary schools", Theme::Education),
    ("幼儿园学位", "kindergarten places", Theme::Education),
    ("公园绿地", "parks and green spaces", Theme::Environment),
    ("道路施工", "road works", Theme::Transport),
    ("停车场空位", "parking vacancies", Theme::Transport),
    ("企业注册登记", "business registrations", Theme::Business),
    ("行政许可", "administrative licences", Theme::Government),
    ("财政预算", "budget", Theme::Government),
    ("养老服务机构", "services for elderly people", Theme::Welfare),
    ("公共图书馆", "public libraries", Theme::Culture),
    ("博物馆展览", "museum exhibitions", Theme::Culture),
    ("气象观测", "weather observations", Theme::Environment),
    ("用电负荷", "electricity load", Theme::Business),
    ("房屋租赁备案", "rental registrations", Theme::Urban),
    ("地震应急避难场所", "emergency shelters", Theme::Safety),
    ("食品安全抽检", "food safety inspections", Theme::Health),
];
/// Kinds of record: (Chinese, English).
const KINDS: [(&str, &str); 8] = [
    ("信息", "records"),
    ("统计", "statistics"),
    ("名录", "directory"),
    ("明细", "details"),
    ("月度汇总", "monthly totals"),
    ("年度报告", "annual report"),
    ("实时数据", "real-time data"),
    ("历史数据", "historical data"),
];
/// What people type.
const QUESTIONS: [&str; 20] = [
    "空气质量",
    "公交",
    "水质",
    "医院",
    "学校名录",
    "bikes",
    "parking",
    "kongqi",
    "kqzl",
    "养老服务机构",
    "公园绿地 统计",
    "business registrations",
    "地铁客流 实时",
    "hosptial",
    "数据",
    "统计",
    "预算",
    "museum",
    "房屋租赁",
    "",
];

pub(crate) async fn measure(
    world: &World,
    settings: &Settings,
    summary: &mut Summary,
) -> Result<(), Failure> {
    let count = settings.rows(ENTRIES);
    let data = world
        .folder(&format!("portal-search-{count}"), async |data| {
            let catalogue = Catalogue::create(data).await?;
            let mut entries = Vec::new();
            for number in 0..count {
                let version = version();
                entries.push((entry(number)?, version, empty_manifest(version)));
            }
            catalogue.add(entries).await?;
            drop(catalogue);
            process::run(
                Command::new(process::shapan()?)
                    .args(["search", "rebuild", "--data"])
                    .arg(data),
            )?;
            Ok(())
        })
        .await?;
    let server = process::serve(&data).await?;
    let facets = ["", "&theme=transport", "&level=L1", "&update_cycle=monthly"];
    let sorts = ["", "&sort=updated"];
    for (name, path, accept) in [
        ("api-p99", "/api/v1/datasets", "Accept: application/json"),
        ("page-p99", "/datasets", "Accept: text/html"),
    ] {
        let mut paths = Vec::new();
        for question in QUESTIONS {
            for facet in facets {
                for sort in sorts {
                    let address = reqwest::Url::parse_with_params(
                        &format!("{}{path}", server.base),
                        [("q", question)],
                    )?;
                    paths.push(format!(
                        "{path}?{}{facet}{sort}",
                        address.query().unwrap_or_default()
                    ));
                }
            }
        }
        load(&server.base, &paths, CLIENTS, 3, &[accept])?;
        let found = load(&server.base, &paths, CLIENTS, SECONDS, &[accept])?;
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let milliseconds = |micros: u64| micros as f64 / 1e3;
        say(&format!(
            "search/{name}: {} answers in {SECONDS} s, median {:.1} ms",
            found.requests,
            milliseconds(found.p50)
        ));
        summary.add(
            &format!("search/{name}"),
            milliseconds(found.p99),
            P99_MS,
            "bar",
            "ms",
        );
    }
    Ok(())
}

/// The n-th entry: a subject, a district and a kind of record, with the fields of the bike parking places.
fn entry(number: u64) -> Result<Entry, Failure> {
    let districts = demo::city::district_names();
    let mut entry = demo::entry(&Table::BikeParking.spec(demo::Scale::DEMO))?;
    let pick = |divisor: u64, length: usize| usize::try_from(number / divisor).unwrap_or(0) % length;
    let subject = SUBJECTS[pick(1, SUBJECTS.len())];
    let district = districts[pick(24, districts.len())];
    let kind = KINDS[pick(24 * 16, KINDS.len())];
    let year = 2015 + number / (24 * 16 * 8);
    entry.slug = Slug::parse(&format!("entry-{number:05}"))?;
    entry.level = Level::L1;
    let title = (
        format!("{district}{}{}（{year}年）", subject.0, kind.0),
        format!(
            "{} {} of {year}, district {}",
            subject.1,
            kind.1,
            pick(24, 16) + 1
        ),
    );
    entry.metadata.title = Localized::parse(&title.0, Some(&title.1))?;
    entry.metadata.summary = Localized::parse(
        &format!(
            "{district}辖区内{}的{}，由主管部门采集、核验并定期更新，供社会公众免费使用。",
            subject.0, kind.0
        ),
        Some(&format!(
            "{} in the district, collected and checked by the department in charge.",
            subject.1
        )),
    )?;
    entry.metadata.keywords = vec![subject.0.to_owned(), subject.1.to_owned(), district.to_owned()];
    entry.metadata.theme = subject.2;
    entry.metadata.update_cycle = UpdateCycle::ALL[pick(3, UpdateCycle::ALL.len())];
    Ok(entry)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn entries_are_as_different_as_a_catalogue() {
        let entries: Vec<Entry> = (0..3_000).map(|number| entry(number).unwrap()).collect();
        let titles: HashSet<_> = entries.iter().map(|e| e.metadata.title.zh().to_owned()).collect();
        assert!(titles.len() > 2_900, "{}", titles.len());
        let themes: HashSet<_> = entries.iter().map(|e| e.metadata.theme.code()).collect();
        assert!(themes.len() >= 6, "{themes:?}");
        for entry in entries {
            entry.metadata.check().unwrap();
        }
    }
}
