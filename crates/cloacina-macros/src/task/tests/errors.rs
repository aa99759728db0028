//! What `#[task]` refuses, and how it says so.

use super::super::expand;
use super::super::parse::KEYS;
use super::{FUNCTION, read};

fn option_fails(options: &str, expected: &str) {
    assert_eq!(read(options, FUNCTION).1, [expected], "{options}");
}

fn function_fails(options: &str, item: &str, expected: &[&str]) {
    assert_eq!(read(options, item).1, expected, "{item}");
}

fn keys() -> String {
    KEYS.map(|key| format!("`{key}`")).join(", ")
}

#[test]
fn unknown_keys_are_refused_with_a_suggestion() {
    let keys = keys();
    for (key, meant) in [
        ("retires", "; did you mean `retry_attempts`?"),
        ("timout", "; did you mean `timeout`?"),
        ("depends_on", "; did you mean `dependencies`?"),
        ("colour", ""),
    ] {
        let expected = format!("{key}: unknown key `{key}`, expected one of {keys}{meant}");
        option_fails(&format!("{key} = 3"), &expected);
        option_fails(key, &expected);
        option_fails(&format!("{key} = f::<A, B>(1, 2), id = \"x\""), &expected);
    }
    option_fails("\"x\"", &format!("\"x\": expected a key, one of {keys}"));
}

#[test]
fn every_key_is_known_and_given_once() {
    for key in KEYS {
        let texts = read(&format!("{key}, {key}"), FUNCTION).1;
        assert!(!texts.iter().any(|text| text.contains("unknown")), "{texts:?}");
        assert!(texts.contains(&format!("{key}: key `{key}` is given twice")), "{texts:?}");
    }
}

#[test]
fn values_of_the_wrong_kind_are_refused() {
    let cases = [
        ("id", "id: key `id` needs a value: `id = …`"),
        ("id =", "id: key `id` takes a text in quotes"),
        ("id = 3", "3: key `id` takes a text in quotes"),
        ("id = \"a\" + \"b\"", "+: expected `,`"),
        ("id: \"a\"", ":: expected `=` after `id`"),
        (
            "id = \"\"",
            "\"\": task id \"\" is refused: it must have 1 to 255 bytes and no NUL character",
        ),
        ("retry_attempts = \"3\"", "\"3\": key `retry_attempts` takes a whole number"),
        ("retry_attempts = -1", "-: key `retry_attempts` takes a whole number"),
        ("retry_attempts = 3u8", "3u8: key `retry_attempts` takes a whole number"),
        ("retry_attempts = 1.5", "1.5: key `retry_attempts` takes a whole number"),
        ("retry_attempts = 4294967296", "4294967296: `retry_attempts` must be at most 4294967295"),
        (
            "retry_attempts = 0",
            "0: `retry_attempts` counts the first attempt too: it must be at least 1",
        ),
        (
            "retry_attempts = 1, retry_factor = \"2\"",
            "\"2\": key `retry_factor` takes a number, like `2.0`",
        ),
        (
            "retry_attempts = 1, retry_factor = 2f32",
            "2f32: key `retry_factor` takes a number, like `2.0`",
        ),
        (
            "retry_attempts = 1, retry_on = \"f\"",
            "\"f\": key `retry_on` takes the path of a `fn(&TaskError) -> bool`",
        ),
        (
            "retry_attempts = 1, retry_on = |e| true",
            "|: key `retry_on` takes the path of a `fn(&TaskError) -> bool`",
        ),
        (
            "trigger_rules =",
            "trigger_rules: key `trigger_rules` takes a rule, like `all_done` or `all(…)`",
        ),
    ];
    for (options, expected) in cases {
        option_fails(options, expected);
    }
    function_fails(
        "blocking = true",
        "fn f(c: &mut Context<Value>) {}",
        &["=: key `blocking` takes no value"],
    );
}

#[test]
fn values_out_of_range_are_refused() {
    let cases = [
        (
            "retry_delay_ms = 18446744073709551616",
            "18446744073709551616: `retry_delay_ms` must be at most 18446744073709551615 milliseconds",
        ),
        ("retry_max_delay_ms = 0", "0: `retry_max_delay_ms` must be at least 1"),
        (
            "retry_delay_ms = 200, retry_max_delay_ms = 100",
            "100: `retry_max_delay_ms` is less than `retry_delay_ms`",
        ),
        ("retry_factor = 0.5", "0.5: `retry_factor` must be a finite number from 1.0 up"),
        ("retry_factor = -2", "-2: `retry_factor` must be a finite number from 1.0 up"),
        ("retry_factor = 0x0", "0x0: `retry_factor` must be a finite number from 1.0 up"),
        ("retry_factor = 1e999", "1e999: `retry_factor` must be a finite number from 1.0 up"),
        (
            "retry_factor = 2.0, retry_backoff = \"fixed\"",
            "retry_factor: `retry_factor` needs `retry_backoff = \"exponential\"`, which is the default",
        ),
        (
            "retry_backoff = \"linaer\"",
            "\"linaer\": unknown `retry_backoff` `linaer`, expected one of `fixed`, `linear`, `exponential`; did you mean `linear`?",
        ),
        (
            "retry_jitter = \"off\"",
            "\"off\": unknown `retry_jitter` `off`, expected one of `none`, `full`, `equal`; did you mean `none`?",
        ),
        (
            "durability = \"piplined\"",
            "\"piplined\": unknown `durability` `piplined`, expected one of `strict`, `pipelined`; did you mean `pipelined`?",
        ),
        (
            "retry_max_elapsed = \"0s\"",
            "\"0s\": malformed duration `0s`: it must be longer than zero; write it like `250ms`, `30s`, `1m30s` or `2h`",
        ),
    ];
    for (options, expected) in cases {
        option_fails(&format!("retry_attempts = 3, {options}"), expected);
    }
    option_fails(
        "timeout = \"30\"",
        "\"30\": malformed duration `30`: `30` has no unit, expected one of `ms`, `s`, `m`, `h`; \
         write it like `250ms`, `30s`, `1m30s` or `2h`",
    );
}

#[test]
fn other_retry_keys_need_retry_attempts() {
    for (key, value) in [
        ("retry_delay_ms", "5"),
        ("retry_max_delay_ms", "5"),
        ("retry_backoff", "\"fixed\""),
        ("retry_factor", "2.0"),
        ("retry_jitter", "\"full\""),
        ("retry_max_elapsed", "\"5m\""),
        ("retry_on", "path"),
    ] {
        option_fails(
            &format!("{key} = {value}"),
            &format!("{key}: `{key}` needs `retry_attempts`"),
        );
    }
    // The key is there, only its value is not in order: that is one mistake, not two.
    option_fails(
        "retry_attempts = x, retry_delay_ms = 5",
        "x: key `retry_attempts` takes a whole number",
    );
}

#[test]
fn dependencies_that_make_no_sense_are_refused() {
    let list = "key `dependencies` takes a list: `[extract, other::load, \"an id\"]`";
    let cases = [
        ("dependencies = extract", format!("extract: {list}")),
        ("dependencies =", format!("dependencies: {list}")),
        ("dependencies = [3]", "3: expected the path of a task, or its id in quotes".to_owned()),
        ("dependencies = [a b]", "b: expected `,`".to_owned()),
        (
            "dependencies = [\"\"]",
            "\"\": expected the path of a task, or its id in quotes".to_owned(),
        ),
        ("dependencies = [f]", "f: task `f` depends on itself".to_owned()),
        ("dependencies = [\"f\"]", "\"f\": task `f` depends on itself".to_owned()),
        ("id = \"g\", dependencies = [\"g\"]", "\"g\": task `g` depends on itself".to_owned()),
        ("dependencies = [a::b, c, a::b]", "a::b: dependency `a::b` is given twice".to_owned()),
        ("dependencies = [\"a\", \"a\"]", "\"a\": dependency `\"a\"` is given twice".to_owned()),
    ];
    for (options, expected) in cases {
        option_fails(options, &expected);
    }
}

#[test]
fn functions_that_cannot_be_called_are_refused() {
    let cases = [
        (
            "",
            "fn f(c: &mut C) {}",
            "fn: task `f` must be an `async fn`; a plain `fn` takes `#[task(blocking)]`".to_owned(),
        ),
        (
            "blocking",
            "async fn f(c: &mut C) {}",
            "async: task `f` is `blocking`, so it must be a plain `fn`".to_owned(),
        ),
        (
            "",
            "async fn f<T>(c: &mut C) {}",
            "<T>: task `f` cannot have generic parameters".to_owned(),
        ),
        (
            "",
            "async fn f<'a>(c: &'a mut C) {}",
            "<'a>: task `f` cannot have generic parameters".to_owned(),
        ),
        (
            "",
            "async fn f(c: &mut C) where A: B {}",
            "where A: B: task `f` cannot have a `where` clause".to_owned(),
        ),
        ("", "async unsafe fn f(c: &mut C) {}", "unsafe: task `f` cannot be `unsafe`".to_owned()),
        ("", "async fn f(c: &mut C);", "f: task `f` has no body".to_owned()),
        (
            "",
            "async fn f(c: &mut C, n: N, d: &D) {}",
            "&D: task `f` takes its context twice; all else is taken by value".to_owned(),
        ),
        (
            "",
            "async fn f(c: impl C) {}",
            "impl C: task `f` cannot have generic parameters".to_owned(),
        ),
        (
            "",
            "async fn f(&self) {}",
            "&self: task `f` cannot take `self`: a task is a function of its own, not a method"
                .to_owned(),
        ),
        ("", "struct X;", "struct: `#[task]` goes on an `async fn` or a `fn`".to_owned()),
        ("", "pub mod m {}", "mod: `#[task]` goes on an `async fn` or a `fn`".to_owned()),
    ];
    for (options, item, expected) in cases {
        function_fails(options, item, &[&expected]);
    }
}

#[test]
fn results_that_cannot_be_stored_are_refused() {
    for (returned, mistake) in [
        ("!", "has to return"),
        ("impl Serialize", "has to name the type that it returns, for those who take it"),
        ("Result<Vec<impl S>, E>", "has to name the type that it returns, for those who take it"),
        ("&str", "has to return what it owns, since it is stored"),
        ("Result<Cow<'_, str>, E>", "has to return what it owns, since it is stored"),
        ("(u8, &'static str, &[u8])", "has to return what it owns, since it is stored"),
        ("Vec<&'static str>", "has to return what it owns, such as `String` for `&'static str`"),
    ] {
        let item = format!("async fn f() -> {returned} {{}}");
        function_fails("", &item, &[&format!("{returned}: task `f` {mistake}")]);
    }
    function_fails(
        "",
        "async fn f() -> Result<&'static str, E> {}",
        &["&'static str: task `f` has to return what it owns, such as `String` for `&'static str`"],
    );
    for returned in ["(u8, Cow<'static, str>)", "Result<u8, &'static str>"] {
        assert_eq!(read("", &format!("async fn f() -> {returned} {{}}")).1, [""; 0]);
    }
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let keys = keys();
    let unknown =
        format!("timout: unknown key `timout`, expected one of {keys}; did you mean `timeout`?");
    let options = "timout = \"1s\", id = 3, dependencies = [4, f], retry_delay_ms = 5, \
                   trigger_rules = any(all_done(), task_failed(6)), timeout = \"1\"";
    let item = "fn f<T>(c: &C, d: &D) -> &str {}";
    let mut expected = vec![
        unknown.as_str(),
        "3: key `id` takes a text in quotes",
        "4: expected the path of a task, or its id in quotes",
        "(: rule `all_done` takes no arguments",
        "6: `task_failed` takes the path of a task, or its id in quotes",
        "fn: task `f` must be an `async fn`; a plain `fn` takes `#[task(blocking)]`",
        "<T>: task `f` cannot have generic parameters",
        "&D: task `f` takes its context twice; all else is taken by value",
        "&str: task `f` has to return what it owns, since it is stored",
        "f: task `f` depends on itself",
        "retry_delay_ms: `retry_delay_ms` needs `retry_attempts`",
        "\"1\": malformed duration `1`: `1` has no unit, expected one of `ms`, `s`, `m`, `h`; \
         write it like `250ms`, `30s`, `1m30s` or `2h`",
    ];
    expected.sort_unstable();
    let mut texts = read(options, item).1;
    texts.sort_unstable();
    assert_eq!(texts, expected);
    let output = expand(&options.parse().unwrap(), item.parse().unwrap()).to_string();
    assert_eq!(output.matches("compile_error").count(), expected.len());
}
