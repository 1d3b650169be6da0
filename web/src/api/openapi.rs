//! `GET /api/v1/openapi.json`: the API's description, written by hand in `docs/openapi.json` and held to the code by
//! the tests below (docs/adr/0002).

use axum::response::{IntoResponse, Response};
use http::header;

/// OpenAPI 3.1 of the native API.
const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

/// `GET /api/v1/openapi.json`. It changes with the program only.
pub async fn document() -> Response {
    let head = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (head, DOCUMENT).into_response()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use std::collections::BTreeSet;
    use std::path::Path;

    use serde::de::DeserializeOwned;
    use serde_json::Value;

    use super::DOCUMENT;
    use crate::api::{access, check, dataset, job, review, row, token};
    use crate::problem::Code;

    const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

    fn document() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    /// What a `$ref` leads to; anything else is itself.
    fn resolve<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
        let Some(reference) = value["$ref"].as_str() else {
            return value;
        };
        let pointer = reference
            .strip_prefix('#')
            .unwrap_or_else(|| panic!("{reference} leads elsewhere"));
        document
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{reference} leads nowhere"))
    }

    /// Every operation: method, path, description.
    fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
        document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, item)| {
                METHODS
                    .iter()
                    .filter_map(move |method| Some((*method, path.as_str(), item.get(*method)?)))
            })
    }

    /// `get /datasets` for each route and method between the two markers of the router's source.
    fn routes(source: &str) -> BTreeSet<String> {
        let begin = source.find("let api = Router::new()").unwrap();
        let end = source.find(".nest(\"/api/v1\"").unwrap();
        let mut found = BTreeSet::new();
        for route in source[begin..end].split(".route(").skip(1) {
            let path = route.split('"').nth(1).unwrap();
            let mut depth = 1;
            let arguments: String = route
                .chars()
                .take_while(|c| {
                    depth += i32::from(*c == '(') - i32::from(*c == ')');
                    depth > 0
                })
                .collect();
            let methods = METHODS.iter().filter(|method| {
                let call = format!("{method}(");
                arguments.match_indices(&call).any(|(at, _)| {
                    !arguments[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':'))
                })
            });
            let before = found.len();
            found.extend(methods.map(|method| format!("{method} {path}")));
            assert!(
                found.len() > before,
                "no method is understood in .route({arguments}"
            );
        }
        found
    }

    #[test]
    fn every_route_is_described_and_every_description_routed() {
        let document = document();
        let described = operations(&document)
            .map(|(method, path, _)| format!("{method} {path}"))
            .collect();
        assert_eq!(routes(include_str!("../router.rs")), described);
    }

    #[test]
    fn routes_are_read_from_source() {
        let source = r#"let api = Router::new().route("/a", get(x::list).post(x::post)).route(
            "/b/{id}", axum::routing::delete(widget(y)).layer(z()),
        ); Router::new().nest("/api/v1", api).route("/c", get(c))"#;
        let text = source.replace("axum::routing::", "");
        assert_eq!(
            routes(&text).into_iter().collect::<Vec<_>>(),
            ["delete /b/{id}", "get /a", "post /a"]
        );
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_component_is_used() {
        fn references<'d>(value: &'d Value, found: &mut BTreeSet<&'d str>) {
            match value {
                Value::Object(members) => {
                    found.extend(members.get("$ref").and_then(Value::as_str));
                    members.values().for_each(|member| references(member, found));
                }
                Value::Array(items) => items.iter().for_each(|item| references(item, found)),
                _ => {}
            }
        }
        let document = document();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        for reference in &found {
            assert!(
                document.pointer(reference.strip_prefix('#').unwrap()).is_some(),
                "{reference}"
            );
        }
        for kind in ["schemas", "parameters", "headers", "responses"] {
            for name in document["components"][kind].as_object().unwrap().keys() {
                let reference = format!("#/components/{kind}/{name}");
                assert!(found.contains(reference.as_str()), "nothing uses {reference}");
            }
        }
    }

    #[test]
    fn path_parameters_are_those_of_the_path() {
        let document = document();
        for (method, path, operation) in operations(&document) {
            let named: BTreeSet<_> = path
                .split('/')
                .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
                .collect();
            let parameters = operation["parameters"].as_array().unwrap();
            let described: BTreeSet<_> = parameters
                .iter()
                .map(|parameter| resolve(&document, parameter))
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            assert_eq!(named, described, "{method} {path}");
        }
    }

    fn words(document: &Value, schema: &str) -> BTreeSet<String> {
        let words = document["components"]["schemas"][schema]["enum"]
            .as_array()
            .unwrap();
        words
            .iter()
            .map(|word| word.as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn problem_codes_are_those_of_the_registry_with_their_status() {
        let document = document();
        let registry: BTreeSet<String> = Code::ALL.iter().map(|code| code.as_str().to_owned()).collect();
        assert_eq!(words(&document, "ProblemCode"), registry);
        for (method, path, operation) in operations(&document) {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let schema = &resolve(&document, response)["content"]["application/problem+json"]["schema"];
                let codes = schema
                    .pointer("/allOf/1/properties/code/enum")
                    .and_then(Value::as_array);
                for code in codes.into_iter().flatten() {
                    let code = Code::ALL.iter().find(|known| known.as_str() == *code).unwrap();
                    assert_eq!(code.status().as_str(), status, "{method} {path}: {code:?}");
                }
                assert_eq!(
                    codes.is_some(),
                    status.as_str() >= "400",
                    "{method} {path} {status}"
                );
            }
        }
    }

    #[test]
    fn vocabularies_are_those_of_the_model() {
        fn check<T: serde::Serialize>(document: &Value, schema: &str, all: &[T]) {
            let all = all
                .iter()
                .map(|word| serde_json::to_value(word).unwrap().as_str().unwrap().to_owned());
            assert_eq!(words(document, schema), all.collect::<BTreeSet<_>>(), "{schema}");
        }
        let document = document();
        check(&document, "Level", &model::Level::ALL);
        check(&document, "Theme", model::Theme::ALL);
        check(&document, "UpdateCycle", model::UpdateCycle::ALL);
        check(&document, "License", model::License::ALL);
        check(&document, "FieldType", &model::FieldType::ALL);
        check(&document, "FieldRole", &model::FieldRole::ALL);
        check(&document, "UnitType", &model::UnitType::ALL);
        check(&document, "Role", &model::Role::ALL);
        check(&document, "Scope", &model::Scope::ALL);
        check(&document, "DatasetState", model::DatasetState::ALL);
        check(&document, "VersionState", model::VersionState::ALL);
        check(&document, "RequestKind", model::RequestKind::ALL);
        check(&document, "RequestState", model::RequestState::ALL);
        check(&document, "Decision", model::Decision::ALL);
        check(&document, "Opinion", model::Opinion::ALL);
        check(&document, "Verdict", model::Verdict::ALL);
        check(&document, "JobKind", model::JobKind::ALL);
        check(&document, "JobState", model::JobState::ALL);
        check(&document, "DownloadFormat", &storage::DistributionFormat::ALL);
        check(
            &document,
            "TaskState",
            &db::task::TaskState::ALL.map(db::task::TaskState::as_str),
        );
    }

    /// Every example of a request body is one that the handler's own type reads.
    #[test]
    fn examples_of_requests_are_read_by_the_handlers() {
        fn read<T: DeserializeOwned>(example: &Value) -> Result<(), String> {
            serde_json::from_value::<T>(example.clone())
                .map(drop)
                .map_err(|error| error.to_string())
        }
        let document = document();
        let mut count = 0;
        for (method, path, operation) in operations(&document) {
            let Some(examples) = operation.pointer("/requestBody/content/application~1json/examples") else {
                continue;
            };
            let read = match (method, path) {
                ("post", "/datasets") => read::<dataset::CreateRequest>,
                ("put", "/datasets/{slug}") => read::<dataset::ReplaceRequest>,
                ("post", "/datasets/{slug}/release-requests") => read::<review::ReleaseRequest>,
                ("post", "/reviews/{id}/opinions") => read::<review::OpinionRequest>,
                ("post", "/checks/{id}/votes") => read::<check::VoteRequest>,
                ("post", "/reviews/{id}/decision") => read::<review::DecisionRequest>,
                ("post", "/access-requests") => read::<access::AccessRequest>,
                ("post", "/projects/{id}/estimates") => read::<job::EstimateRequest>,
                ("post", "/projects/{id}/jobs") => read::<job::JobRequest>,
                ("post", "/tokens") => read::<token::TokenRequest>,
                ("post", "/sql") => read::<row::SqlRequest>,
                _ => panic!("{method} {path} has examples that no type reads: name its type here"),
            };
            for (name, example) in examples.as_object().unwrap() {
                read(&example["value"]).unwrap_or_else(|error| panic!("{method} {path}, {name}: {error}"));
                count += 1;
            }
        }
        assert!(count >= 10, "{count}");
    }

    /// The fields of a schema below `prefix`, and with `! ` before it each that must be there.
    fn fields(document: &Value, schema: &Value, prefix: &str, found: &mut BTreeSet<String>) {
        let schema = resolve(document, schema);
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            let at = format!("{prefix}.{name}");
            fields(document, member, &at, found);
            if schema["required"]
                .as_array()
                .is_some_and(|required| required.iter().any(|r| r == name))
            {
                found.insert(format!("! {at}"));
            }
            found.insert(at);
        }
        for name in ["oneOf", "anyOf", "allOf"] {
            for part in schema[name].as_array().into_iter().flatten() {
                fields(document, part, prefix, found);
            }
        }
        for (name, suffix) in [("items", "[]"), ("additionalProperties", "{}")] {
            if let Some(inner) = schema.get(name) {
                fields(document, inner, &format!("{prefix}{suffix}"), found);
            }
        }
    }

    /// The document as a flat list of what clients rely on: lines that begin with `must` are what they have to send.
    fn promises(document: &Value) -> BTreeSet<String> {
        let mut lines = BTreeSet::new();
        for (method, path, operation) in operations(document) {
            let name = format!("{method} {path}");
            lines.insert(name.clone());
            for parameter in operation["parameters"].as_array().unwrap() {
                let parameter = resolve(document, parameter);
                let word = if parameter["required"] == true {
                    "must"
                } else {
                    "may"
                };
                let (place, label) = (
                    parameter["in"].as_str().unwrap(),
                    parameter["name"].as_str().unwrap(),
                );
                lines.insert(format!("{word} {name} {place} {label}"));
            }
            for (kind, content) in operation["requestBody"]["content"]
                .as_object()
                .into_iter()
                .flatten()
            {
                let mut body = BTreeSet::new();
                fields(document, &content["schema"], "", &mut body);
                lines.insert(format!("may {name} {kind}"));
                lines.extend(body.iter().map(|field| match field.strip_prefix("! ") {
                    Some(field) => format!("must {name} {kind} {field}"),
                    None => format!("may {name} {kind} {field}"),
                }));
            }
            for (status, response) in operation["responses"].as_object().unwrap() {
                let response = resolve(document, response);
                for header in response["headers"]
                    .as_object()
                    .into_iter()
                    .flat_map(|headers| headers.keys())
                {
                    lines.insert(format!("{name} {status} header {header}"));
                }
                for (kind, content) in response["content"].as_object().into_iter().flatten() {
                    lines.insert(format!("{name} {status} {kind}"));
                    if status.starts_with('2') {
                        let mut body = BTreeSet::new();
                        fields(document, &content["schema"], "", &mut body);
                        lines.extend(body.iter().map(|field| format!("{name} {status} {kind} {field}")));
                    }
                }
            }
        }
        for (schema, content) in document["components"]["schemas"].as_object().unwrap() {
            let words = content["enum"].as_array().into_iter().flatten();
            lines.extend(words.map(|word| format!("word {schema} {}", word.as_str().unwrap())));
        }
        let mut problem = BTreeSet::new();
        fields(
            document,
            &document["components"]["schemas"]["Problem"],
            "",
            &mut problem,
        );
        lines.extend(problem.iter().map(|field| format!("problem {field}")));
        lines
    }

    /// What was promised and is not kept: lines that are gone, and new things that old clients would have to send.
    fn broken(locked: &BTreeSet<String>, now: &BTreeSet<String>) -> Vec<String> {
        let gone = locked
            .difference(now)
            .filter(|line| !line.starts_with("must "))
            .map(|l| format!("gone: {l}"));
        let asked = now.difference(locked).filter(|line| {
            let operation = line
                .strip_prefix("must ")
                .map(|rest| rest.splitn(3, ' ').take(2).collect::<Vec<_>>());
            operation.is_some_and(|operation| locked.contains(&operation.join(" ")))
        });
        gone.chain(asked.map(|line| format!("newly required: {line}")))
            .collect()
    }

    #[test]
    fn version_1_changes_only_by_addition() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi-v1.lock");
        let locked: BTreeSet<String> = std::fs::read_to_string(&file)
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect();
        let now = promises(&document());
        let broken = broken(&locked, &now);
        assert!(
            broken.is_empty(),
            "docs/openapi.json breaks what v1 promised (docs/openapi-v1.lock); add beside it instead:\n{}",
            broken.join("\n")
        );
        if std::env::var_os("SHAPAN_LOCK_API").is_some() {
            let lines: Vec<&str> = now.iter().map(String::as_str).collect();
            std::fs::write(&file, lines.join("\n") + "\n").unwrap();
            return;
        }
        let new: Vec<&str> = now.difference(&locked).map(String::as_str).collect();
        assert!(
            new.is_empty(),
            "the document promises more than docs/openapi-v1.lock protects; if it is meant to stay, run\n  \
             SHAPAN_LOCK_API=1 cargo nextest run -p web version_1\nand commit the file. New:\n{}",
            new.join("\n")
        );
    }

    #[test]
    fn a_broken_promise_is_noticed() {
        let document = document();
        let locked = promises(&document);
        let change = |pointer: &str, change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
            let mut changed = document.clone();
            change(changed.pointer_mut(pointer).unwrap().as_object_mut().unwrap());
            broken(&locked, &promises(&changed))
        };
        let fine = change("/components/schemas/Job/properties", &|job| {
            job.insert("queue".into(), serde_json::json!({"type": "string"}));
        });
        assert_eq!(fine, Vec::<String>::new(), "an addition");
        let gone = change("/components/schemas/Job/properties", &|job| {
            drop(job.shift_remove("due_at"))
        });
        assert!(
            gone.iter()
                .any(|line| line.ends_with("get /jobs/{id} 200 application/json .due_at")),
            "{gone:?}"
        );
        let gone = change("/paths", &|paths| drop(paths.shift_remove("/me")));
        assert!(gone.contains(&"gone: get /me".to_owned()), "{gone:?}");
        let asked = change("/components/schemas/TokenInput", &|token| {
            token["properties"]["why"] = serde_json::json!({"type": "string"});
            token["required"].as_array_mut().unwrap().push("why".into());
        });
        assert_eq!(asked, ["newly required: must post /tokens application/json .why"]);
    }
}
