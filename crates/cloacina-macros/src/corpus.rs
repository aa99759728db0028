//! What must hold of the parsers whatever the input. The fuzz targets in `fuzz/` call these functions too; the tests feed them
//! the inputs that are kept in `fuzz/corpus`.

use std::time::Duration;

use cloacina_core::{TriggerRule, ValueOperator};
use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{ParseStream, Parser as _};

use crate::duration;
use crate::errors::Errors;
use crate::reference::TaskRef;
use crate::rules::{self, Literal, Rule};

/// A duration is taken if and only if it is written as the rules say, and then as the sum of its parts.
pub(crate) fn check_duration(text: &str) {
    let read = duration::parse(text);
    assert_eq!(read.as_ref().ok(), sum(text).as_ref(), "{text:?}");
    match read {
        Ok(read) => {
            let millis = u64::try_from(read.as_millis()).unwrap_or(u64::MAX);
            let parts =
                [millis / 3_600_000, millis / 60_000 % 60, millis / 1_000 % 60, millis % 1_000];
            let again = format!("{}h{}m{}s{}ms", parts[0], parts[1], parts[2], parts[3]);
            assert_eq!(duration::parse(&again), Ok(read), "{text:?} as {again}");
        }
        Err(error) => assert!(error.starts_with(&format!("malformed duration `{text}`: "))),
    }
}

/// Adds up a duration the plain way.
fn sum(text: &str) -> Option<Duration> {
    let (mut rest, mut total) = (text, 0_u128);
    for (unit, millis) in [("h", 3_600_000_u128), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let after = after.strip_prefix(unit).filter(|_| digits > 0);
        // The `m` of `ms` is no minute.
        let Some(after) = after.filter(|after| unit != "m" || !after.starts_with('s')) else {
            continue;
        };
        total = total.checked_add(number.parse::<u64>().ok().map(u128::from)? * millis)?;
        rest = after;
    }
    let total = u64::try_from(total).ok().filter(|total| *total > 0 && rest.is_empty());
    total.map(Duration::from_millis)
}

/// A rule that is taken expands to an expression, and the rule that this makes shows itself as what the macro takes again.
pub(crate) fn check_rule(text: &str) {
    let Ok((tokens, rule)) = read(text) else { return };
    assert!(syn::parse2::<syn::Expr>(tokens.clone()).is_ok(), "{text:?} expands to {tokens}");
    let Some(made) = make(&rule) else { return };
    let shown = made.to_string();
    match read(&shown) {
        Ok((_, again)) => assert_eq!(make(&again), Some(made), "{text:?} as {shown}"),
        Err(errors) => panic!("{text:?} shows itself as {shown}, which is refused: {errors:?}"),
    }
}

/// Reads a rule; refused is what has at least one error.
fn read(text: &str) -> Result<(TokenStream, Rule), Vec<String>> {
    let mut errors = Errors::default();
    let parser = |input: ParseStream<'_>| rules::parse(input, &mut errors);
    match parser.parse_str(text) {
        Ok(rule) if errors.is_empty() => Ok((quote!(#rule), rule)),
        Ok(_) => Err(vec![errors.into_compile_errors().to_string()]),
        Err(error) => Err(vec![error.to_string()]),
    }
}

/// Makes what the expansion makes; nothing if it names a task by its path.
fn make(rule: &Rule) -> Option<TriggerRule> {
    Some(match rule {
        Rule::Dependencies(name) => match *name {
            "AllSuccess" => TriggerRule::AllSuccess,
            "AllFailed" => TriggerRule::AllFailed,
            "AllDone" => TriggerRule::AllDone,
            "OneSuccess" => TriggerRule::OneSuccess,
            "OneFailed" => TriggerRule::OneFailed,
            "OneDone" => TriggerRule::OneDone,
            "NoneFailed" => TriggerRule::NoneFailed,
            "NoneFailedMinOneSuccess" => TriggerRule::NoneFailedMinOneSuccess,
            "NoneSkipped" => TriggerRule::NoneSkipped,
            "AllSkipped" => TriggerRule::AllSkipped,
            "AllDoneMinOneSuccess" => TriggerRule::AllDoneMinOneSuccess,
            "Always" => TriggerRule::Always,
            other => panic!("the rule {other} is new: add it here"),
        },
        Rule::Task(_, TaskRef::Path(_)) => return None,
        Rule::Task("task_success", TaskRef::Id(id)) => TriggerRule::task_success(id.value()),
        Rule::Task("task_failed", TaskRef::Id(id)) => TriggerRule::task_failed(id.value()),
        Rule::Task(_, TaskRef::Id(id)) => TriggerRule::task_skipped(id.value()),
        Rule::Value(key, operator, literal) => TriggerRule::context_value(
            key.value(),
            self::operator(operator),
            literal.as_ref().map(value),
        ),
        Rule::Group(name, rules) => {
            let parts = rules.iter().map(make).collect::<Option<Vec<_>>>()?;
            match *name {
                "all" => TriggerRule::all(parts),
                "any" => TriggerRule::any(parts),
                _ => TriggerRule::none(parts),
            }
        }
    })
}

fn operator(name: &str) -> ValueOperator {
    match name {
        "Equals" => ValueOperator::Equals,
        "NotEquals" => ValueOperator::NotEquals,
        "GreaterThan" => ValueOperator::GreaterThan,
        "LessThan" => ValueOperator::LessThan,
        "Contains" => ValueOperator::Contains,
        "NotContains" => ValueOperator::NotContains,
        "Exists" => ValueOperator::Exists,
        "NotExists" => ValueOperator::NotExists,
        other => panic!("the operator {other} is new: add it here"),
    }
}

fn value(literal: &Literal) -> serde_json::Value {
    match literal {
        Literal::Text(text) => text.value().into(),
        Literal::Bool(value) => value.value.into(),
        Literal::Signed(value) => (*value).into(),
        Literal::Unsigned(value) => (*value).into(),
        Literal::Float(value) => (*value).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn what_fuzzing_found_of_durations_still_holds() {
        every("durations", super::check_duration);
    }

    #[test]
    fn what_fuzzing_found_of_rules_still_holds() {
        every("rules", super::check_rule);
    }

    fn every(target: &str, check: fn(&str)) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
        let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let texts = files.filter_map(|file| String::from_utf8(std::fs::read(file).unwrap()).ok());
        let checked = texts.map(|text| check(&text)).count();
        assert!(checked > 0, "{} holds nothing", folder.display());
    }
}
