//! What is meant: values in range, names that exist, and keys that go together.

use std::collections::HashSet;
use std::time::Duration;

use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{ExprPath, Lit, LitInt, LitStr};

use super::parse::{Function, Options};
use super::signature::{self, Signature};
use crate::errors::Errors;
use crate::keyed::{self, Arg};
use crate::reference::TaskRef;
use crate::rules::Rule;
use crate::{duration, suggest};

/// How delays grow, with the variant of `Backoff` that each name stands for.
const BACKOFFS: [(&str, &str); 3] =
    [("fixed", "Fixed"), ("linear", "Linear"), (EXPONENTIAL, "Exponential")];

const EXPONENTIAL: &str = "exponential";

/// The factor of `exponential` when none is given.
const DEFAULT_FACTOR: f64 = 2.0;

/// How delays are spread, with the variant of `Jitter` that each name stands for.
const JITTERS: [(&str, &str); 3] = [("none", "None"), ("full", "Full"), ("equal", "Equal")];

/// When dependents may start, with the variant of `Durability` that each name stands for.
const DURABILITIES: [(&str, &str); 2] = [("strict", "Strict"), ("pipelined", "Pipelined")];

/// A task, ready to be expanded if no error was found.
pub(super) struct Task<'a> {
    pub(super) id: String,
    pub(super) dependencies: Vec<&'a TaskRef>,
    pub(super) retry: Option<Retry<'a>>,
    pub(super) timeout: Option<Duration>,
    pub(super) durability: Option<&'static str>,
    pub(super) trigger_rules: Option<&'a Rule>,
    pub(super) signature: Signature<'a>,
    pub(super) blocking: bool,
}

/// The retry policy: what was given of it.
pub(super) struct Retry<'a> {
    pub(super) attempts: u32,
    pub(super) delay: Option<Duration>,
    pub(super) max_delay: Option<Duration>,
    pub(super) backoff: Option<Backoff>,
    pub(super) jitter: Option<&'static str>,
    pub(super) max_elapsed: Option<Duration>,
    pub(super) retry_on: Option<&'a ExprPath>,
}

/// The name of the variant of `Backoff`, and the factor where it has one.
pub(super) struct Backoff {
    pub(super) variant: &'static str,
    pub(super) factor: Option<f64>,
}

/// Checks the attribute and the function; mistakes go to `errors`, and what is in order is returned.
pub(super) fn task<'a>(
    options: &'a Options,
    function: &'a Function,
    errors: &mut Errors,
) -> Task<'a> {
    let id = id(options, function, errors);
    let signature = signature::check(options, function, errors);
    Task {
        dependencies: dependencies(&id, options, function, errors),
        retry: retry(options, errors),
        timeout: period(options.timeout.as_ref(), errors),
        durability: options
            .durability
            .as_ref()
            .and_then(|given| choice(given, &DURABILITIES, errors)),
        trigger_rules: options.trigger_rules.as_ref(),
        blocking: options.key("blocking").is_some(),
        signature,
        id,
    }
}

fn id(options: &Options, function: &Function, errors: &mut Errors) -> String {
    let (span, id) = match &options.id {
        Some(id) => (id.value.span(), id.value.value()),
        None => (function.sig.ident.span(), function.sig.ident.unraw().to_string()),
    };
    if let Some(refusal) = keyed::refusal("task id", &id) {
        errors.at(span, refusal);
    }
    id
}

/// Returns the dependencies without those that are given twice, empty, or the task itself.
fn dependencies<'a>(
    id: &str,
    options: &'a Options,
    function: &Function,
    errors: &mut Errors,
) -> Vec<&'a TaskRef> {
    let mut seen = HashSet::new();
    let mut valid = Vec::new();
    for dependency in &options.dependencies {
        let (name, itself, tokens) = match dependency {
            TaskRef::Path(path) => {
                (keyed::path_text(path), path.is_ident(&function.sig.ident), path.to_token_stream())
            }
            TaskRef::Id(text) => {
                let name = text.value();
                let itself = name == id;
                (format!("{name:?}"), itself, text.to_token_stream())
            }
        };
        if name == "\"\"" {
            errors.on(tokens, "expected the path of a task, or its id in quotes");
        } else if itself {
            errors.on(tokens, format!("task `{id}` depends on itself"));
        } else if !seen.insert(name.clone()) {
            errors.on(tokens, format!("dependency `{name}` is given twice"));
        } else {
            valid.push(dependency);
        }
    }
    valid
}

fn retry<'a>(options: &'a Options, errors: &mut Errors) -> Option<Retry<'a>> {
    if options.key("retry_attempts").is_none() {
        for key in options.seen.iter().filter(|key| key.to_string().starts_with("retry_")) {
            errors.at(key.span(), format!("`{key}` needs `retry_attempts`"));
        }
    }
    let retry = Retry {
        attempts: options.retry_attempts.as_ref().map_or(0, |given| attempts(given, errors)),
        delay: millis(options.retry_delay_ms.as_ref(), errors),
        max_delay: millis(options.retry_max_delay_ms.as_ref(), errors),
        backoff: backoff(options, errors),
        jitter: options.retry_jitter.as_ref().and_then(|given| choice(given, &JITTERS, errors)),
        max_elapsed: period(options.retry_max_elapsed.as_ref(), errors),
        retry_on: options.retry_on.as_ref(),
    };
    let max = options.retry_max_delay_ms.as_ref();
    if let (Some(max), Some(longest)) = (max, retry.max_delay) {
        let first = retry.delay.unwrap_or_default();
        if longest.is_zero() {
            errors.at(max.value.span(), "`retry_max_delay_ms` must be at least 1");
        } else if longest < first {
            let text = "`retry_max_delay_ms` is less than `retry_delay_ms`";
            errors.at(max.value.span(), text);
        }
    }
    options.key("retry_attempts").map(|_| retry)
}

fn attempts(given: &Arg<LitInt>, errors: &mut Errors) -> u32 {
    match given.value.base10_parse() {
        Ok(0) => {
            let text = "`retry_attempts` counts the first attempt too: it must be at least 1";
            errors.at(given.value.span(), text);
            0
        }
        Ok(attempts) => attempts,
        Err(_) => {
            let text = format!("`retry_attempts` must be at most {}", u32::MAX);
            errors.at(given.value.span(), text);
            0
        }
    }
}

fn millis(given: Option<&Arg<LitInt>>, errors: &mut Errors) -> Option<Duration> {
    let given = given?;
    match given.value.base10_parse() {
        Ok(millis) => Some(Duration::from_millis(millis)),
        Err(_) => {
            let text = format!("`{}` must be at most {} milliseconds", given.key, u64::MAX);
            errors.at(given.value.span(), text);
            None
        }
    }
}

fn period(given: Option<&Arg<LitStr>>, errors: &mut Errors) -> Option<Duration> {
    let given = given?;
    match duration::parse(&given.value.value()) {
        Ok(duration) => Some(duration),
        Err(text) => {
            errors.at(given.value.span(), text);
            None
        }
    }
}

fn backoff(options: &Options, errors: &mut Errors) -> Option<Backoff> {
    let name = match &options.retry_backoff {
        Some(given) => Some(choice(given, &BACKOFFS, errors)?),
        None => None,
    };
    let factor = options.retry_factor.as_ref();
    let variant = name.unwrap_or("Exponential");
    if variant != "Exponential" {
        if let Some(factor) = factor {
            let text = format!(
                "`retry_factor` needs `retry_backoff = \"{EXPONENTIAL}\"`, which is the default"
            );
            errors.at(factor.key.span(), text);
        }
        return Some(Backoff { variant, factor: None });
    }
    if name.is_none() && factor.is_none() {
        return None;
    }
    let factor = factor.map_or(DEFAULT_FACTOR, |given| growth(given, errors));
    Some(Backoff { variant, factor: Some(factor) })
}

fn growth(given: &Arg<Lit>, errors: &mut Errors) -> f64 {
    let factor = match &given.value {
        Lit::Float(value) => value.base10_parse::<f64>().ok(),
        Lit::Int(value) => value.base10_parse::<f64>().ok(),
        _ => None,
    };
    match factor {
        Some(factor) if factor.is_finite() && factor >= 1.0 => factor,
        _ => {
            errors.at(given.value.span(), "`retry_factor` must be a finite number from 1.0 up");
            DEFAULT_FACTOR
        }
    }
}

/// Returns the variant that a name stands for.
fn choice(
    given: &Arg<LitStr>,
    names: &[(&'static str, &'static str)],
    errors: &mut Errors,
) -> Option<&'static str> {
    let text = given.value.value();
    let known = names.iter().find(|(name, _)| *name == text);
    if known.is_none() {
        let allowed: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        let what = format!("`{}`", given.key);
        errors.at(given.value.span(), suggest::unknown(&what, &text, &allowed));
    }
    known.map(|(_, variant)| *variant)
}
