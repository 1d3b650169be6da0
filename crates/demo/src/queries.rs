//! The named benchmark queries, in DataFusion's dialect. A table's name is its slug with `_` for `-`.

/// A named query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    /// Its short name, such as `q01`.
    pub name: &'static str,
    /// What it asks.
    pub title: &'static str,
    /// Its text.
    pub sql: &'static str,
}

const fn query(name: &'static str, title: &'static str, sql: &'static str) -> Query {
    Query { name, title, sql }
}

/// Over the protected tables (and public bike parking). "Plain" is the same text on unprotected tables whose unit
/// keys are canonical.
pub const PRIVATE: [Query; 24] = [
    query(
        "q01",
        "trips of at least ten minutes",
        "SELECT COUNT(*) AS trips FROM bike_share_trips WHERE duration_s >= 600",
    ),
    query(
        "q02",
        "trips by start district",
        "SELECT start_district, COUNT(*) AS trips FROM bike_share_trips GROUP BY start_district",
    ),
    query(
        "q03",
        "trips by start and end district",
        "SELECT start_district, end_district, COUNT(*) AS trips FROM bike_share_trips \
         GROUP BY start_district, end_district",
    ),
    query(
        "q04",
        "trips by hour of day",
        "SELECT date_part('hour', start_time) AS hour, COUNT(*) AS trips FROM bike_share_trips \
         GROUP BY date_part('hour', start_time)",
    ),
    query(
        "q05",
        "persons by district of residence",
        "SELECT residence_district, COUNT(DISTINCT person_id) AS persons FROM bike_share_trips \
         GROUP BY residence_district",
    ),
    query(
        "q06",
        "sum of fares by age band and sex",
        "SELECT age_band, sex, SUM(fare_cents) AS fares FROM bike_share_trips GROUP BY age_band, sex",
    ),
    query(
        "q07",
        "mean distance by start district",
        "SELECT start_district, AVG(distance_m) AS mean_distance FROM bike_share_trips GROUP BY start_district",
    ),
    query(
        "q08",
        "trips over 5 km by start district",
        "SELECT start_district, COUNT(*) AS trips FROM bike_share_trips WHERE distance_m > 5000 \
         GROUP BY start_district",
    ),
    query(
        "q09",
        "distinct persons by start district and month",
        "SELECT start_district, date_part('month', start_time) AS month, COUNT(DISTINCT person_id) AS persons \
         FROM bike_share_trips GROUP BY start_district, date_part('month', start_time)",
    ),
    query(
        "q10",
        "standard deviation of duration by age band",
        "SELECT age_band, STDDEV(duration_s) AS spread FROM bike_share_trips GROUP BY age_band",
    ),
    query(
        "q11",
        "median cost by department",
        "SELECT department, MEDIAN(cost_yuan) AS median_cost FROM outpatient_visits GROUP BY department",
    ),
    query(
        "q12",
        "visits by diagnosis code",
        "SELECT diagnosis_code, COUNT(*) AS visits FROM outpatient_visits GROUP BY diagnosis_code",
    ),
    query(
        "q13",
        "visits by hospital and month",
        "SELECT hospital, date_part('month', visit_date) AS month, COUNT(*) AS visits FROM outpatient_visits \
         GROUP BY hospital, date_part('month', visit_date)",
    ),
    query(
        "q14",
        "mean cost at 60 and over by department",
        "SELECT department, AVG(cost_yuan) AS mean_cost FROM outpatient_visits WHERE age >= 60 \
         GROUP BY department",
    ),
    query(
        "q15",
        "persons with at least 5 visits by district of residence",
        "SELECT residence_district, COUNT(DISTINCT person_id) AS persons FROM (\
         SELECT person_id, residence_district, COUNT(*) AS visits FROM outpatient_visits \
         GROUP BY person_id, residence_district) AS per_person \
         WHERE visits >= 5 GROUP BY residence_district",
    ),
    query(
        "q16",
        "visits of persons who cycled at least 20 times by age band",
        "SELECT c.age_band, COUNT(*) AS visits FROM outpatient_visits AS v JOIN (\
         SELECT person_id, age_band, COUNT(*) AS trips FROM bike_share_trips GROUP BY person_id, age_band) AS c \
         ON v.person_id = c.person_id WHERE c.trips >= 20 GROUP BY c.age_band",
    ),
    query(
        "q17",
        "trips with public parking capacity by district",
        "SELECT t.start_district, p.capacity, COUNT(*) AS trips FROM bike_share_trips AS t JOIN (\
         SELECT district, SUM(capacity) AS capacity FROM bike_parking GROUP BY district) AS p \
         ON t.start_district = p.district GROUP BY t.start_district, p.capacity",
    ),
    query(
        "q18",
        "revenue by industry",
        "SELECT industry, SUM(revenue_yuan) AS revenue FROM enterprise_tax GROUP BY industry",
    ),
    query(
        "q19",
        "revenue by industry, district and quarter",
        "SELECT industry, district, quarter, SUM(revenue_yuan) AS revenue FROM enterprise_tax \
         GROUP BY industry, district, quarter",
    ),
    query(
        "q20",
        "enterprises by credit grade and district",
        "SELECT credit_grade, district, COUNT(DISTINCT credit_code) AS enterprises FROM enterprise_tax \
         GROUP BY credit_grade, district",
    ),
    query(
        "q21",
        "VAT over revenue by industry",
        "SELECT industry, SUM(vat_yuan) / SUM(revenue_yuan) AS vat_share FROM enterprise_tax GROUP BY industry",
    ),
    query(
        "q22",
        "revenue rolled up over industry and district",
        "SELECT industry, district, SUM(revenue_yuan) AS revenue FROM enterprise_tax \
         GROUP BY ROLLUP (industry, district)",
    ),
    query(
        "q23",
        "histogram of distance in 20 bins of 1 km",
        "SELECT CAST(FLOOR(distance_m / 1000.0) AS BIGINT) AS bin, COUNT(*) AS trips FROM bike_share_trips \
         WHERE distance_m >= 0 AND distance_m < 20000 GROUP BY CAST(FLOOR(distance_m / 1000.0) AS BIGINT)",
    ),
    query(
        "q24",
        "correlation of employees and revenue",
        "SELECT CORR(employees, revenue_yuan) AS correlation FROM enterprise_tax",
    ),
];

/// Over open tables; valid in DataFusion and DuckDB as they stand. Every answer has a defined order.
pub const OPEN: [Query; 10] = [
    query(
        "o01",
        "filter: clear summer hours with much ozone",
        "SELECT COUNT(*) AS hours, AVG(o3) AS mean_o3, MAX(aqi) AS worst FROM air_quality \
         WHERE observed_at >= TIMESTAMP '2025-05-01 00:00:00' AND observed_at < TIMESTAMP '2025-09-01 00:00:00' \
         AND o3 > 160 AND pm25 < 35",
    ),
    query(
        "o02",
        "top-k: the hours with most PM2.5",
        "SELECT station_id, observed_at, pm25, pm10 FROM air_quality WHERE pm25 < 9999 \
         ORDER BY pm25 DESC, station_id, observed_at LIMIT 20",
    ),
    query(
        "o03",
        "group by with many groups, then few: the worst hour of each section and day by district",
        "SELECT district_code, COUNT(*) AS section_hours, AVG(mean_index) AS mean_index, MAX(mean_index) AS worst \
         FROM (SELECT district_code, section_id, date_trunc('hour', observed_at) AS hour, \
         AVG(traffic_index) AS mean_index FROM traffic_index \
         GROUP BY district_code, section_id, date_trunc('hour', observed_at)) AS hourly \
         GROUP BY district_code ORDER BY district_code",
    ),
    query(
        "o04",
        "distinct: stations, hours and values",
        "SELECT COUNT(DISTINCT station_id) AS stations, COUNT(DISTINCT observed_at) AS hours, \
         COUNT(DISTINCT pm25) AS particle_values, COUNT(DISTINCT dominant_pollutant) AS pollutants FROM air_quality",
    ),
    query(
        "o05",
        "window: the worst means of 24 hours",
        "SELECT station_id, observed_at, mean_24h FROM (\
         SELECT station_id, observed_at, AVG(pm25) OVER (PARTITION BY station_id ORDER BY observed_at \
         ROWS BETWEEN 23 PRECEDING AND CURRENT ROW) AS mean_24h FROM air_quality WHERE pm25 < 9999) AS moving \
         ORDER BY mean_24h DESC, station_id, observed_at LIMIT 50",
    ),
    query(
        "o06",
        "join with divisions: traffic by district, with its population",
        "SELECT d.name, d.name_en, d.population, AVG(t.traffic_index) AS mean_index, COUNT(*) AS observations \
         FROM traffic_index AS t JOIN administrative_divisions AS d ON t.district_code = d.code \
         GROUP BY d.name, d.name_en, d.population ORDER BY mean_index DESC, d.name",
    ),
    query(
        "o07",
        "percentile: PM2.5 that 95 % of the hours stay below, by district",
        "SELECT district_code, percentile_cont(0.95) WITHIN GROUP (ORDER BY CAST(pm25 AS DOUBLE)) AS p95 \
         FROM air_quality WHERE pm25 IS NOT NULL GROUP BY district_code ORDER BY district_code",
    ),
    query(
        "o08",
        "LIKE on Chinese text: avenues named after a river",
        "SELECT section_name, COUNT(*) AS observations, AVG(mean_speed_kmh) AS mean_speed FROM traffic_index \
         WHERE section_name LIKE '%江大道%' AND status LIKE '%拥堵' \
         GROUP BY section_name ORDER BY section_name",
    ),
    query(
        "o09",
        "time buckets: jams by hour",
        "SELECT date_trunc('hour', observed_at) AS hour, AVG(mean_speed_kmh) AS mean_speed, \
         SUM(CASE WHEN status = '严重拥堵' THEN 1 ELSE 0 END) AS jams FROM traffic_index \
         GROUP BY date_trunc('hour', observed_at) ORDER BY hour",
    ),
    query(
        "o10",
        "wide projection of few rows: a day at a station",
        "SELECT * FROM air_quality WHERE station_id = '0007A' \
         AND observed_at >= TIMESTAMP '2025-01-02 00:00:00' AND observed_at < TIMESTAMP '2025-01-03 00:00:00' \
         ORDER BY observed_at",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Table;

    #[test]
    fn names_run_through_and_every_table_read_exists() {
        for (prefix, queries) in [("q", &PRIVATE[..]), ("o", &OPEN[..])] {
            for (query, number) in queries.iter().zip(1..) {
                assert_eq!(query.name, format!("{prefix}{number:02}"));
                let tables: Vec<_> = Table::ALL
                    .into_iter()
                    .filter(|t| query.sql.contains(t.sql_name()))
                    .collect();
                assert!(!tables.is_empty(), "{}", query.name);
                assert_eq!(
                    tables.iter().any(|t| t.is_protected()),
                    prefix == "q",
                    "{}",
                    query.name
                );
                let words = query.sql.split([' ', '(', ')']).collect::<Vec<_>>();
                for pair in words
                    .windows(2)
                    .filter(|pair| matches!(pair[0], "FROM" | "JOIN") && !pair[1].is_empty())
                {
                    assert!(
                        Table::ALL.iter().any(|t| t.sql_name() == pair[1]),
                        "{}: {}",
                        query.name,
                        pair[1]
                    );
                }
            }
        }
    }
}
