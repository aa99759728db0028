//! The OpenAPI document, as what every answer is held against.

use std::collections::BTreeSet;

use hyper::Method;
use serde_json::Value;

use crate::client::Answer;

/// The document of a service.
#[derive(Default)]
pub(crate) struct Document {
    root: Value,
}

impl Document {
    pub(crate) fn new(root: Value) -> Self {
        Self { root }
    }

    /// All operations, as a method and the template of a path.
    pub(crate) fn operations(&self) -> BTreeSet<(String, String)> {
        let paths = self.root["paths"].as_object().unwrap();
        let operations = paths.iter().flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(|method| (method.to_uppercase(), path.clone()))
        });
        operations.collect()
    }

    fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let paths = self.root["paths"].as_object().unwrap();
        let (_, item) = paths.iter().find(|(template, _)| fits(template, path))?;
        item.get(method.as_str().to_lowercase())
    }

    /// Checks that an answer is one that the document has. What is no operation must be answered by a problem.
    #[track_caller]
    pub(crate) fn check(&self, method: &Method, path: &str, answer: &Answer) {
        let Some(operation) = self.operation(method, path) else {
            assert!(matches!(answer.status, 404 | 405), "{method} {path}: {}", answer.text());
            return self.check_value(
                &serde_json::json!({"$ref": "#/components/schemas/Problem"}),
                &answer.json(),
            );
        };
        let response = &operation["responses"][answer.status.to_string()];
        let status = answer.status;
        assert!(response.is_object(), "{method} {path} has no {status}: {}", answer.text());
        let Some(content) = response["content"].as_object() else {
            return assert!(answer.body.is_empty(), "{method} {path}: {}", answer.text());
        };
        let media = answer.header("content-type").unwrap();
        let content = content.get(media).unwrap_or_else(|| panic!("{method} {path}: {media}"));
        self.check_value(&content["schema"], &answer.json());
        for name in response["headers"].as_object().into_iter().flat_map(|it| it.keys()) {
            assert!(answer.header(name).is_some(), "{method} {path} has no {name}");
        }
    }

    #[track_caller]
    fn check_value(&self, schema: &Value, value: &Value) {
        let mut errors = Vec::new();
        self.compare(schema, value, "$", &mut errors);
        assert!(errors.is_empty(), "{errors:?}: {value}");
    }

    /// Compares a value with a schema, as far as our schemas go.
    fn compare(&self, schema: &Value, value: &Value, at: &str, errors: &mut Vec<String>) {
        if let Some(to) = schema["$ref"].as_str() {
            let schema = self.root.pointer(to.strip_prefix('#').unwrap());
            return self.compare(schema.unwrap(), value, at, errors);
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            let fits = |choice: &&Value| {
                let mut errors = Vec::new();
                self.compare(choice, value, at, &mut errors);
                errors.is_empty()
            };
            if choices.iter().filter(fits).count() != 1 {
                errors.push(format!("{at} is not one of {choices:?}"));
            }
            return;
        }
        let types = match &schema["type"] {
            Value::Array(types) => types.clone(),
            Value::Null => Vec::new(),
            one => vec![one.clone()],
        };
        if !types.is_empty() && !types.iter().any(|one| is_of(one.as_str().unwrap(), value)) {
            errors.push(format!("{at} is not of type {types:?}"));
        }
        if let Some(allowed) = schema["enum"].as_array()
            && !allowed.contains(value)
        {
            errors.push(format!("{at} is none of {allowed:?}"));
        }
        if schema["format"] == "uuid" && value.as_str().is_some_and(|text| text.len() != 36) {
            errors.push(format!("{at} is no UUID"));
        }
        for (item, number) in value.as_array().into_iter().flatten().zip(0..) {
            self.compare(&schema["items"], item, &format!("{at}[{number}]"), errors);
        }
        let Some(properties) = schema["properties"].as_object() else { return };
        for name in schema["required"].as_array().into_iter().flatten() {
            if value.get(name.as_str().unwrap()).is_none() {
                errors.push(format!("{at} has no {name}"));
            }
        }
        for (name, value) in value.as_object().into_iter().flatten() {
            match properties.get(name) {
                Some(schema) => self.compare(schema, value, &format!("{at}.{name}"), errors),
                None => errors.push(format!("{at} has {name}, which is not described")),
            }
        }
    }
}

fn is_of(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("unknown type {other}"),
    }
}

/// Tells whether a path is one of a template.
fn fits(template: &str, path: &str) -> bool {
    let (mut of, mut is) = (template.split('/'), path.split('/'));
    loop {
        match (of.next(), is.next()) {
            (None, None) => return true,
            (Some(of), Some(is)) if of.starts_with('{') && !is.is_empty() || of == is => {}
            _ => return false,
        }
    }
}
