//! How values of the context compare.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::{ContextCondition, ValueOperator};

impl ContextCondition {
    pub(super) fn holds(&self, value: Option<&Value>) -> bool {
        let literal = self.literal.as_ref().unwrap_or(&Value::Null);
        match self.operator {
            ValueOperator::Exists => value.is_some(),
            ValueOperator::NotExists => value.is_none(),
            ValueOperator::Equals => value.is_some_and(|value| equal(value, literal)),
            ValueOperator::NotEquals => !value.is_some_and(|value| equal(value, literal)),
            ValueOperator::GreaterThan => {
                value.and_then(|value| compare(value, literal)) == Some(Ordering::Greater)
            }
            ValueOperator::LessThan => {
                value.and_then(|value| compare(value, literal)) == Some(Ordering::Less)
            }
            ValueOperator::Contains => value.is_some_and(|value| contains(value, literal)),
            ValueOperator::NotContains => !value.is_some_and(|value| contains(value, literal)),
        }
    }
}

/// Compares by value, within arrays and objects too: a store may write `5.0` for what was `5`.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            compare_numbers(left, right) == Some(Ordering::Equal)
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, left)| right.get(key).is_some_and(|right| equal(left, right)))
        }
        _ => left == right,
    }
}

fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => compare_numbers(left, right),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

/// Compares exactly: an integer of more than 53 bits is not rounded to a float first.
fn compare_numbers(left: &Number, right: &Number) -> Option<Ordering> {
    match (integer(left), integer(right)) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        (Some(left), None) => compare_with_float(left, right.as_f64()?),
        (None, Some(right)) => compare_with_float(right, left.as_f64()?).map(Ordering::reverse),
        (None, None) => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

fn compare_with_float(integer: i128, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the cast saturates far beyond any JSON integer"
    )]
    let whole = float.trunc() as i128;
    let fraction = float.trunc().partial_cmp(&float)?;
    Some(integer.cmp(&whole).then(fraction))
}

fn integer(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

fn contains(value: &Value, part: &Value) -> bool {
    match (value, part) {
        (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
        (Value::Array(items), part) => items.iter().any(|item| equal(item, part)),
        (Value::Object(map), Value::String(key)) => map.contains_key(key),
        _ => false,
    }
}
