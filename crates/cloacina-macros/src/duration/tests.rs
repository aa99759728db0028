//! Tests of durations.

use std::time::Duration;

use super::{parse, read};

#[test]
fn units_are_added_up() {
    let cases = [
        ("250ms", 250),
        ("30s", 30_000),
        ("1m30s", 90_000),
        ("5m", 300_000),
        ("2h", 7_200_000),
        ("1h1m1s1ms", 3_661_001),
        ("0h1s", 1_000),
        ("007s", 7_000),
    ];
    for (text, millis) in cases {
        assert_eq!(read(text), Ok(Duration::from_millis(millis)), "{text}");
    }
}

#[test]
fn malformed_durations_are_refused() {
    let cases = [
        ("", "it is empty"),
        ("30", "`30` has no unit, expected one of `ms`, `s`, `m`, `h`"),
        ("1m30", "`30` has no unit, expected one of `ms`, `s`, `m`, `h`"),
        ("s", "expected a whole number at `s`"),
        ("-1s", "expected a whole number at `-1s`"),
        (" 1s", "expected a whole number at ` 1s`"),
        ("1.5s", "unknown unit `.`, expected one of `ms`, `s`, `m`, `h`"),
        ("1sec", "unknown unit `sec`, expected one of `ms`, `s`, `m`, `h`"),
        ("1S", "unknown unit `S`, expected one of `ms`, `s`, `m`, `h`"),
        ("1s ", "unknown unit `s `, expected one of `ms`, `s`, `m`, `h`"),
        ("5ä", "unknown unit `ä`, expected one of `ms`, `s`, `m`, `h`"),
        ("30s1m", "`1m` is out of order: units go from large to small, each once"),
        ("1s1s", "`1s` is out of order: units go from large to small, each once"),
        ("0s", "it must be longer than zero"),
        ("0h0ms", "it must be longer than zero"),
        ("18446744073709551616ms", "it is too long for a duration"),
        ("18446744073709551615s", "it is too long for a duration"),
    ];
    for (text, reason) in cases {
        assert_eq!(read(text), Err(reason.to_owned()), "{text}");
    }
}

#[test]
fn the_error_names_the_text_and_the_form() {
    assert_eq!(
        parse("soon").unwrap_err(),
        "malformed duration `soon`: expected a whole number at `soon`; \
         write it like `250ms`, `30s`, `1m30s` or `2h`"
    );
}
