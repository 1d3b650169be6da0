//! A city's catalogue, small and written by hand, and large and made up.

use uuid::Uuid;

use crate::{Bilingual, Change, Document, Index, Options, Organization, Position};

/// A dataset of the small catalogue: slug; titles; summaries; keywords; theme; level; organisation;
/// update cycle; formats; fields.
type Row = (
    &'static str,
    [&'static str; 2],
    [&'static str; 2],
    &'static str,
    &'static str,
    u8,
    usize,
    &'static str,
    &'static str,
    &'static str,
);

const ORGANIZATIONS: [[&str; 2]; 8] = [
    ["市生态环境局", "Bureau of Ecology and Environment"],
    ["市交通运输局", "Transport Bureau"],
    ["市民政局", "Civil Affairs Bureau"],
    ["市卫生健康委员会", "Health Commission"],
    ["市教育局", "Education Bureau"],
    ["市市场监督管理局", "Administration for Market Regulation"],
    ["市水务局", "Water Authority"],
    ["市统计局", "Bureau of Statistics"],
];

#[rustfmt::skip]
const CITY: [Row; 30] = [
    ("air-quality-hourly", ["空气质量监测（小时）", "Hourly air quality"], ["各监测站点每小时的空气质量指数与六项污染物浓度。", "Air quality index and concentrations of six pollutants by station and hour."], "环境 AQI PM2.5", "environment", 1, 0, "hourly", "csv parquet", "station_id 站点编号 pm2_5 细颗粒物浓度 o3 臭氧浓度"),
    ("air-station", ["环境监测站点", "Monitoring stations"], ["空气质量与噪声监测站点的位置。", "Locations of the stations that monitor air and noise."], "环境 站点", "environment", 1, 0, "yearly", "csv json", "station_id 站点编号 longitude 经度 latitude 纬度"),
    ("water-quality-section", ["河流断面水质", "Water quality by river section"], ["主要河流监测断面的水质类别。", "Quality class of the monitored sections of the main rivers."], "环境 河流", "environment", 1, 0, "monthly", "csv", "section 断面 quality_class 水质类别"),
    ("noise-monitoring", ["城市区域噪声", "Urban noise"], ["功能区昼夜噪声等效声级。", "Equivalent sound levels by day and night."], "环境 噪音", "environment", 1, 0, "monthly", "csv", "zone 功能区 leq 等效声级"),
    ("pollutant-permit", ["排污许可证", "Discharge permits"], ["排污单位许可证信息。", "Permits of units that discharge pollutants."], "环境 许可", "environment", 2, 0, "daily", "csv json", "enterprise 单位名称 permit_no 许可证编号"),
    ("bus-line", ["公交线路", "Bus lines"], ["全市公交线路的起讫站与运营时间。", "Terminals and hours of the city's bus lines."], "交通 公共交通", "transport", 1, 1, "monthly", "csv json", "line 线路 first_bus 首班车 last_bus 末班车"),
    ("bus-stop", ["公交站点", "Bus stops"], ["公交停靠站的位置与经过线路。", "Bus stops with the lines that call there."], "交通 公共交通", "transport", 1, 1, "monthly", "csv geojson", "stop 站点 longitude 经度 latitude 纬度"),
    ("metro-ridership", ["轨道交通客流量", "Metro ridership"], ["各站日进出站人次。", "Daily entries and exits by station."], "交通 地铁", "transport", 1, 1, "daily", "csv parquet", "station 车站 entries 进站量 exits 出站量"),
    ("traffic-index", ["道路交通指数", "Traffic index by road section"], ["主要路段每五分钟的拥堵指数。", "Congestion index of the main road sections every five minutes."], "交通 拥堵", "transport", 1, 1, "realtime", "csv parquet", "section 路段 speed 速度 congestion_index 拥堵指数"),
    ("bike-parking", ["共享单车停放点", "Bike parking places"], ["互联网租赁自行车停放区位置与容量。", "Parking places of shared bikes with their capacity."], "交通 共享单车", "transport", 1, 1, "quarterly", "csv geojson", "place 停放点 capacity 容量"),
    ("bike-share-trips", ["共享单车骑行记录", "Bike-share trips"], ["骑行的起止时间与行政区，仅限沙箱使用。", "Start and end of trips by district, in the sandbox only."], "交通 共享单车 骑行", "transport", 3, 1, "daily", "parquet", "person_id 用户 start_district 起始区 distance_m 骑行距离"),
    ("taxi-gps", ["出租车运营轨迹", "Taxi trajectories"], ["出租车定位轨迹，脱敏后使用。", "Positions of taxis, desensitised."], "交通 出租车", "transport", 3, 1, "daily", "parquet", "vehicle 车辆 time 时间"),
    ("parking-lot", ["公共停车场", "Public car parks"], ["公共停车场泊位数与收费标准。", "Car parks with spaces and charges."], "交通 停车", "transport", 1, 1, "quarterly", "csv", "lot 停车场 spaces 泊位 fee 收费标准"),
    ("administrative-division", ["行政区划", "Administrative divisions"], ["区县、街道与社区的名称、代码和上级。", "Districts, streets and communities with codes."], "地名 区划代码", "civil", 1, 2, "yearly", "csv json", "code 代码 name 名称 parent 上级"),
    ("street-name", ["地名地址", "Place names and addresses"], ["标准地名与门牌地址。", "Standard place names and house numbers."], "地名 地址", "civil", 1, 2, "yearly", "csv", "address 地址"),
    ("elderly-service", ["养老服务设施", "Services for elderly people"], ["养老机构、日间照料中心的位置与床位。", "Homes and day centres for the elderly, with beds."], "养老 民生", "civil", 1, 2, "quarterly", "csv", "name 名称 beds 床位"),
    ("marriage-statistics", ["婚姻登记统计", "Marriage registrations"], ["按月统计的结婚与离婚登记对数。", "Marriages and divorces by month."], "民政 婚姻", "civil", 1, 2, "monthly", "csv", "month 月份 marriages 结婚对数"),
    ("hospital", ["医疗机构", "Hospitals"], ["医院与社区卫生服务中心名录。", "Hospitals and community health centres."], "健康 医院", "health", 1, 3, "quarterly", "csv json", "name 机构名称 grade 等级 beds 床位"),
    ("outpatient-visits", ["门诊就诊记录", "Outpatient visits"], ["门诊人次、科室与费用，仅限沙箱使用。", "Outpatient visits by department and cost, in the sandbox only."], "健康 门诊", "health", 3, 3, "daily", "parquet", "person_id 患者 department 科室 cost_yuan 费用"),
    ("vaccination-site", ["预防接种门诊", "Vaccination clinics"], ["提供疫苗接种的门诊与时间。", "Clinics that vaccinate, with their hours."], "健康 疫苗", "health", 1, 3, "monthly", "csv", "clinic 门诊 hours 时间"),
    ("school", ["中小学校名录", "Schools"], ["中小学校地址、学段与学位数。", "Primary and secondary schools with places."], "教育 学校", "education", 1, 4, "yearly", "csv json", "school 学校 places 学位数"),
    ("kindergarten", ["幼儿园名录", "Kindergartens"], ["公办与民办幼儿园。", "Public and private kindergartens."], "教育 幼儿园", "education", 1, 4, "yearly", "csv", "name 名称"),
    ("business-registration", ["企业登记月报", "Business registrations by month"], ["新设、变更与注销企业数量。", "New, changed and closed businesses."], "市场主体 企业", "economy", 1, 5, "monthly", "csv", "month 月份 new 新设"),
    ("enterprise-tax", ["企业纳税数据", "Enterprise tax"], ["企业季度营收与纳税，仅限沙箱使用。", "Quarterly revenue and tax of enterprises, in the sandbox only."], "税务 企业", "economy", 3, 5, "quarterly", "parquet", "credit_code 统一社会信用代码 vat_yuan 增值税"),
    ("food-inspection", ["食品抽检结果", "Food inspection results"], ["食品安全监督抽检合格与不合格信息。", "Results of food safety sampling."], "食品安全", "economy", 1, 5, "weekly", "csv json", "product 产品 result 结论"),
    ("reservoir-level", ["水库水位", "Reservoir levels"], ["大中型水库每日水位与蓄水量。", "Daily level and storage of reservoirs."], "水利 水库", "water", 1, 6, "daily", "csv", "reservoir 水库 level_m 水位"),
    ("rainfall", ["雨量站降雨量", "Rainfall by gauge"], ["雨量站逐小时降雨。", "Hourly rainfall by gauge."], "水利 气象", "water", 1, 6, "hourly", "csv", "gauge 雨量站 mm 降雨量"),
    ("tap-water", ["供水水质公报", "Tap water quality bulletin"], ["出厂水与管网水的检测指标。", "Tests of water leaving the works and in the network."], "供水", "water", 1, 6, "monthly", "csv", "indicator 指标 value 数值"),
    ("population", ["常住人口", "Resident population"], ["各区常住人口与年龄构成。", "Residents by district and age."], "人口 统计", "statistics", 1, 7, "yearly", "csv xlsx", "district 行政区 residents 常住人口"),
    ("gdp", ["地区生产总值", "Gross domestic product"], ["按行业核算的地区生产总值。", "GDP by industry."], "GDP 经济 统计", "statistics", 1, 7, "quarterly", "csv xlsx", "quarter 季度 industry 行业"),
];

/// Id of a dataset of either catalogue.
pub(super) fn id(number: usize) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number as u128)
}

/// Id of an organisation.
pub(super) fn organization_id(number: usize) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_9000_0000_0000_0000 + number as u128)
}

/// The small catalogue; later rows were updated later.
pub(super) fn city() -> Vec<Document> {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect();
    let document = |(number, row): (usize, Row)| {
        let (slug, title, summary, keywords, theme, level, organization, update_cycle, formats, fields) = row;
        let name = ORGANIZATIONS[organization];
        Document {
            id: id(number),
            slug: slug.to_owned(),
            title: Bilingual::new(title[0], title[1]),
            summary: Bilingual::new(summary[0], summary[1]),
            keywords: words(keywords),
            theme: theme.to_owned(),
            level,
            organization: Organization {
                id: organization_id(organization),
                name: Bilingual::new(name[0], name[1]),
            },
            update_cycle: update_cycle.to_owned(),
            formats: words(formats),
            fields: words(fields),
            region: Some("330100".to_owned()),
            updated_at: 1_700_000_000_000_000 + number as i64,
            revision: 1,
        }
    };
    CITY.into_iter().enumerate().map(document).collect()
}

/// A dataset of the small catalogue.
pub(super) fn dataset(slug: &str) -> Document {
    city().into_iter().find(|document| document.slug == slug).unwrap()
}

/// Slug of a dataset of the small catalogue.
pub(super) fn slug(id: Uuid) -> String {
    city()
        .into_iter()
        .find(|document| document.id == id)
        .map_or_else(|| id.to_string(), |found| found.slug)
}

/// The change that brings a document.
pub(super) fn upsert(document: Document) -> Change {
    Change::Upsert(Box::new(document))
}

/// An index in memory with the small catalogue.
pub(super) fn city_index() -> Index {
    let index = Index::in_memory(Options::default()).unwrap();
    let changes: Vec<_> = city().into_iter().map(upsert).collect();
    index.apply(&changes, Position(30)).unwrap();
    index
}

/// A made-up catalogue of any size: every title differs, words and facets are spread as in real ones.
pub(super) fn synthetic_corpus(n: usize) -> Vec<Document> {
    let places = [
        "上城", "下沙", "西湖", "滨江", "萧山", "余杭", "临平", "钱塘", "富阳", "临安",
    ];
    let city = city();
    (0..n)
        .map(|number| {
            let base = &city[(number * 7 + number / 30) % city.len()];
            let other = &city[(number * 11 + number / 13) % city.len()];
            let place = places[number % places.len()];
            let mut document = base.clone();
            document.id = id(1_000_000 + number);
            document.slug = format!("{}-{number}", base.slug);
            document.title.zh = format!("{place}区{}第{number}期", base.title.zh);
            document.title.en = base
                .title
                .en
                .as_ref()
                .map(|title| format!("{title}, part {number}"));
            document.summary.zh = format!("{}{}", base.summary.zh, other.summary.zh).repeat(1 + number % 3);
            document.keywords.extend(other.keywords.iter().cloned());
            document.organization = city[(number / 3) % city.len()].organization.clone();
            document.updated_at += number as i64;
            document
        })
        .collect()
}
