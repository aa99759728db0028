//! JSON as it comes from outside: what a context makes of it, and that it leaves every store as it went in.

use cloacina_core::{Backend, Context, PipelineStatus, Task, UnifiedExecutor, Workflow};
use cloacina_postgres::{PostgresBackend, PostgresOptions};
use cloacina_sqlite::{SqliteBackend, SqliteOptions};
use cloacina_testing::{MemoryBackend, postgres};

use super::{Case, check};

/// A text, and the context that it is as JSON.
const CASES: &[Case] = &[
    ("{}", Ok("{}")),
    (" {\t\"b\" : 1 ,\r\n\"a\" : [ ] } ", Ok(r#"{"a":[],"b":1}"#)),
    // Keys: the last of equal ones counts, as in JavaScript; any text is one.
    (r#"{"a":1,"a":2}"#, Ok(r#"{"a":2}"#)),
    (r#"{"a":{"b":1,"b":[]}}"#, Ok(r#"{"a":{"b":[]}}"#)),
    (r#"{"":0,"\u0000":1," ":2}"#, Ok(r#"{"":0,"\u0000":1," ":2}"#)),
    (r#"{"\u0061":1}"#, Ok(r#"{"a":1}"#)),
    // Integers of 64 bits are exact; what is beyond becomes the nearest float, as in JavaScript.
    (r#"{"n":18446744073709551615}"#, Ok(r#"{"n":18446744073709551615}"#)),
    (r#"{"n":18446744073709551616}"#, Ok(r#"{"n":1.8446744073709552e+19}"#)),
    (r#"{"n":-9223372036854775808}"#, Ok(r#"{"n":-9223372036854775808}"#)),
    (r#"{"n":-9223372036854775809}"#, Ok(r#"{"n":-9.223372036854776e+18}"#)),
    (r#"{"n":9007199254740993}"#, Ok(r#"{"n":9007199254740993}"#)),
    // Floats are the nearest of 64 bits, and come back to the bit.
    (r#"{"n":[-0,-0.0,0.0,1E+2,1.0]}"#, Ok(r#"{"n":[-0.0,-0.0,0.0,100.0,1.0]}"#)),
    (
        r#"{"n":[0.1,5e-324,2e-324,1.7976931348623157e308,1e23]}"#,
        Ok(r#"{"n":[0.1,5e-324,0.0,1.7976931348623157e+308,1e+23]}"#),
    ),
    (r#"{"n":1e400}"#, Err("number out of range at line 1 column 10")),
    (r#"{"n":-1e400}"#, Err("number out of range at line 1 column 11")),
    (r#"{"n":NaN}"#, Err("expected value at line 1 column 6")),
    (r#"{"n":Infinity}"#, Err("expected value at line 1 column 6")),
    (r#"{"n":01}"#, Err("invalid number at line 1 column 7")),
    (r#"{"n":+1}"#, Err("expected value at line 1 column 6")),
    (r#"{"n":.5}"#, Err("expected value at line 1 column 6")),
    (r#"{"n":1.}"#, Err("invalid number at line 1 column 8")),
    (r#"{"n":0x10}"#, Err("expected `,` or `}` at line 1 column 7")),
    // Texts.
    (
        "{\"t\":\"\\u0000 \\ud83e\\udd80 \u{1f980} \\/ \u{2028}\u{7f}\"}",
        Ok("{\"t\":\"\\u0000 \u{1f980} \u{1f980} / \u{2028}\u{7f}\"}"),
    ),
    ("{\"t\":\"\u{10ffff}\u{fffe}\u{feff}\"}", Ok("{\"t\":\"\u{10ffff}\u{fffe}\u{feff}\"}")),
    (r#"{"t":"\ud800"}"#, Err("unexpected end of hex escape at line 1 column 13")),
    (r#"{"t":"\ud800x"}"#, Err("unexpected end of hex escape at line 1 column 13")),
    (r#"{"t":"\udc00"}"#, Err("lone leading surrogate in hex escape at line 1 column 12")),
    (r#"{"\ud800\ud800":1}"#, Err("lone leading surrogate in hex escape at line 1 column 14")),
    (
        "{\"t\":\"a\nb\"}",
        Err("control character (\\u0000-\\u001F) found while parsing a string at line 2 column 0"),
    ),
    (
        "{\"t\":\"\0\"}",
        Err("control character (\\u0000-\\u001F) found while parsing a string at line 1 column 7"),
    ),
    (r#"{"t":"\x41"}"#, Err("invalid escape at line 1 column 8")),
    ("{'t':1}", Err("key must be a string at line 1 column 2")),
    // What is no object.
    ("null", Err("invalid type: null, expected a map at line 1 column 4")),
    ("[]", Err("invalid type: sequence, expected a map at line 1 column 0")),
    ("\"{}\"", Err("invalid type: string \"{}\", expected a map at line 1 column 4")),
    ("1", Err("invalid type: integer `1`, expected a map at line 1 column 1")),
    ("true", Err("invalid type: boolean `true`, expected a map at line 1 column 4")),
    // What is no JSON.
    ("", Err("EOF while parsing a value at line 1 column 0")),
    ("{", Err("EOF while parsing an object at line 1 column 1")),
    ("{}{}", Err("trailing characters at line 1 column 3")),
    ("{\"a\":1,}", Err("trailing comma at line 1 column 8")),
    ("{\"a\"}", Err("expected `:` at line 1 column 5")),
    ("{1:1}", Err("key must be a string at line 1 column 2")),
    ("{} // done", Err("trailing characters at line 1 column 4")),
    ("\u{feff}{}", Err("expected value at line 1 column 1")),
];

fn read(text: &str) -> Result<Context, String> {
    serde_json::from_str::<Context>(text).map_err(|error| error.to_string())
}

#[test]
fn every_text_is_a_context_or_is_refused() {
    check(CASES, |text| Ok(serde_json::to_string(&read(text)?).unwrap()));
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    for bytes in [
        &b"{\"a\":\"\xff\"}"[..],
        b"{\"\xed\xa0\x80\":1}",
        b"\xff\xfe{\0}\0",
        b"{\"a\":\"\xc0\x80\"}",
    ] {
        let error = serde_json::from_slice::<Context>(bytes).unwrap_err().to_string();
        let expected = ["invalid unicode code point", "expected value"];
        assert!(expected.iter().any(|text| error.contains(text)), "{bytes:?}: {error}");
    }
}

/// The reader goes no deeper, so that no text can exhaust the stack.
#[test]
fn a_text_that_is_nested_too_deep_is_refused() {
    for (levels, fine) in [(126, true), (127, false), (1_000_000, false)] {
        let text = format!("{{\"k\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        match read(&text) {
            Ok(_) => assert!(fine, "{levels} levels were read"),
            Err(error) => {
                assert!(
                    !fine && error.starts_with("recursion limit exceeded"),
                    "{levels}: {error}"
                );
            }
        }
    }
}

/// Runs every context of the table through one store, and compares the texts that come out.
async fn all_come_back<B: Backend>(backend: B) {
    let task = Task::new("copy", |context, _run| {
        let all = context.clone().into_value();
        context.set("copy of all", all);
        Box::pin(async {})
    });
    let workflow = Workflow::builder("w").task(task).build().unwrap();
    let builder = UnifiedExecutor::<B>::builder().workflows([workflow]);
    let executor = builder.build_on(backend).await.unwrap();
    for (text, outcome) in CASES {
        let Ok(expected) = outcome else { continue };
        let told = executor.execute("w", read(text).unwrap()).await.unwrap();
        let read = executor.get_execution_result(told.execution_id).await.unwrap();
        for result in [told, read] {
            assert_eq!(result.status, PipelineStatus::Completed, "{text}: {result:?}");
            let mut context = result.final_context;
            let copy = context.remove("copy of all").unwrap();
            assert_eq!(copy.to_string(), *expected, "what the task left of {text}");
            assert_eq!(serde_json::to_string(&context).unwrap(), *expected, "the input {text}");
        }
    }
    executor.shutdown().await.unwrap();
}

#[tokio::test]
async fn every_context_leaves_every_store_as_it_went_in() {
    all_come_back(MemoryBackend::new()).await;
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(folder.path().join("app.db"));
    all_come_back(SqliteBackend::open(options).await.unwrap()).await;
    let options = PostgresOptions::from_url(postgres::server().url()).unwrap();
    let options = options.schema(&postgres::schema_name()).unwrap();
    all_come_back(PostgresBackend::open(options).await.unwrap()).await;
}
