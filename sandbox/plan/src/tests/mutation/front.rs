//! What any text does to the SQL front: it is planned or refused, and a plan is the same after a journey as JSON. The
//! fuzz target and the test of mutated queries call the same function.

use super::subject::{PrivatePlan, Relation, plan, public_queries};

/// The text that a refusal carries where the planner panicked: the sandbox refuses then, and here it is a fault.
const PANICKED: &str = "the planner could not read it";

/// The most that a plan may take as JSON, in bytes; ordinary ones take some thousand.
const MAX_PLAN: usize = 16 << 20;

/// A declaration with a column of each type.
pub(crate) fn relation() -> Relation {
    let metadata = serde_json::json!({
        "unit": {"type": "person", "max_units": 200_000, "max_rows": 2_000_000, "max_rows_per_unit": 10},
        "fields": [
            {"name": "person_id", "type": "text", "level": "L3", "role": "unit_key"},
            {"name": "district", "type": "text", "level": "L3", "domain": ["东城", "西城", "南城"]},
            {"name": "home", "type": "text", "level": "L3", "domain": ["东城", "西城"], "unit_static": true},
            {"name": "distance", "type": "number", "level": "L3", "bounds": {"lo": 0.0, "hi": 20_000.0}},
            {"name": "fare", "type": "integer", "level": "L3", "bounds": {"lo": 0.0, "hi": 2_000.0}},
            {"name": "note", "type": "text", "level": "L3"},
            {"name": "start", "type": "timestamp", "level": "L3"},
            {"name": "day", "type": "date", "level": "L3"},
            {"name": "electric", "type": "boolean", "level": "L3"},
            {"name": "free", "type": "number", "level": "L3"},
        ],
    });
    Relation {
        slug: model::Slug::parse("bike-trips").unwrap(),
        dataset: model::DatasetId::from_uuid(uuid::Uuid::from_u128(1)),
        version: model::VersionId::from_uuid(uuid::Uuid::from_u128(2)),
        level: model::Level::L3,
        metadata: serde_json::from_value(metadata).unwrap(),
    }
}

/// Plans any bytes; whether they were accepted. Panics where the front breaks its promise.
pub(crate) fn try_bytes(bytes: &[u8], relation: &Relation) -> bool {
    let sql = String::from_utf8_lossy(bytes);
    if let Err(refusal) = public_queries(&sql, std::slice::from_ref(relation)) {
        assert!(
            refusal.detail.as_deref() != Some(PANICKED),
            "a panic about what is public: {sql}"
        );
    }
    let plan = match plan(&sql, relation) {
        Ok(plan) => plan,
        Err(refusal) => {
            assert!(refusal.detail.as_deref() != Some(PANICKED), "a panic: {sql}");
            return false;
        }
    };
    let text = serde_json::to_string(&plan).unwrap();
    assert!(text.len() <= MAX_PLAN, "{} bytes of plan: {sql}", text.len());
    let back: PrivatePlan = serde_json::from_str(&text).unwrap();
    assert!(
        back == plan && back.hash() == plan.hash(),
        "another plan comes back: {sql}"
    );
    assert!(
        back.parts[0].core.check().is_ok(),
        "a plan that the worker does not take: {sql}"
    );
    true
}
