//! Ids of executions, which come back from users as texts.

use cloacina_core::ExecutionId;

use super::{Case, check};

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

const CASES: &[Case] = &[
    (ID, Ok(ID)),
    // Other ways to write the same one.
    ("01890A5D-AC96-774B-BCCE-B302099A8057", Ok(ID)),
    ("01890a5dac96774bbcceb302099a8057", Ok(ID)),
    ("{01890a5d-ac96-774b-bcce-b302099a8057}", Ok(ID)),
    ("urn:uuid:01890a5d-ac96-774b-bcce-b302099a8057", Ok(ID)),
    // Any UUID is an id: it need not be one of ours.
    ("00000000-0000-0000-0000-000000000000", Ok("00000000-0000-0000-0000-000000000000")),
    ("", Err("`` is not an execution id, expected a UUID")),
    ("42", Err("`42` is not an execution id, expected a UUID")),
    (
        " 01890a5d-ac96-774b-bcce-b302099a8057",
        Err("` 01890a5d-ac96-774b-bcce-b302099a8057` is not an execution id, expected a UUID"),
    ),
    (
        "01890a5d-ac96-774b-bcce-b302099a805",
        Err("`01890a5d-ac96-774b-bcce-b302099a805` is not an execution id, expected a UUID"),
    ),
    (
        "0189\u{e9}a5d-ac96-774b-bcce-b302099a8057",
        Err("`0189\u{e9}a5d-ac96-774b-bcce-b302099a8057` is not an execution id, expected a UUID"),
    ),
    ("'; --", Err("`'; --` is not an execution id, expected a UUID")),
];

#[test]
fn every_text_is_an_id_or_is_refused() {
    check(CASES, |text| {
        let id = text.parse::<ExecutionId>().map_err(|error| error.to_string())?;
        let json = serde_json::to_string(&id).map_err(|error| error.to_string())?;
        assert_eq!(serde_json::from_str::<ExecutionId>(&json).unwrap(), id, "{json}");
        Ok(id.to_string())
    });
}

#[test]
fn an_error_shows_no_more_than_the_beginning_of_a_long_text() {
    let error = "x".repeat(1_000_000).parse::<ExecutionId>().unwrap_err().to_string();
    assert_eq!(error, format!("`{}` is not an execution id, expected a UUID", "x".repeat(64)));
}
