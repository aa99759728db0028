//! Durations as they are written in attributes: `"30s"`, `"1m30s"`, `"250ms"`.

#[cfg(test)]
mod tests;

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;

/// The units, from large to small, with their length in milliseconds.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads whole numbers with units, from the largest unit to the smallest, each at most once.
///
/// # Errors
///
/// Returns what is wrong with the text, for use after `` malformed duration `…`: ``.
fn read(text: &str) -> Result<Duration, String> {
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    let mut rest = text;
    let mut allowed: &[(&str, u64)] = &UNITS;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit());
        if number.is_empty() {
            return Err(format!("expected a whole number at `{rest}`"));
        }
        let (unit, after) = split(after, |c| !c.is_ascii_digit());
        let millis = unit_millis(unit, &mut allowed, number)?;
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(millis));
        total = part
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| "it is too long for a duration".to_owned())?;
        rest = after;
    }
    match total {
        0 => Err("it must be longer than zero".to_owned()),
        millis => Ok(Duration::from_millis(millis)),
    }
}

/// Returns the duration that a text stands for.
///
/// # Errors
///
/// Returns the whole error message.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    read(text).map_err(|reason| {
        format!(
            "malformed duration `{text}`: {reason}; write it like `250ms`, `30s`, `1m30s` or `2h`"
        )
    })
}

/// Returns the expression that makes a duration in the generated code.
pub(crate) fn expression(duration: Duration) -> TokenStream {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    quote!(::core::time::Duration::new(#seconds, #nanos))
}

/// Finds a unit's length and leaves only the smaller units in `allowed`.
fn unit_millis(unit: &str, allowed: &mut &[(&str, u64)], number: &str) -> Result<u64, String> {
    if unit.is_empty() {
        return Err(format!("`{number}` has no unit, expected one of `ms`, `s`, `m`, `h`"));
    }
    if !UNITS.iter().any(|(name, _)| *name == unit) {
        return Err(format!("unknown unit `{unit}`, expected one of `ms`, `s`, `m`, `h`"));
    }
    let Some(at) = allowed.iter().position(|(name, _)| *name == unit) else {
        return Err(format!(
            "`{number}{unit}` is out of order: units go from large to small, each once"
        ));
    };
    let (_, millis) = allowed[at];
    *allowed = &allowed[at + 1..];
    Ok(millis)
}

/// Splits off the longest prefix whose characters all belong.
fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}
