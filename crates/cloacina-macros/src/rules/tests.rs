//! Tests of the syntax of trigger rules.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{ParseStream, Parser};

use super::{COMBINATORS, CONTEXT_VALUE, OPERATORS, RULES, TASK_CONDITIONS, parse};
use crate::errors::Errors;

fn read(text: &str) -> (TokenStream, Vec<String>) {
    let mut errors = Errors::default();
    let parser = |input: ParseStream<'_>| parse(input, &mut errors);
    let tokens = match parser.parse_str(text) {
        Ok(rule) => quote!(#rule),
        Err(error) => {
            errors.push(error);
            TokenStream::new()
        }
    };
    (tokens, errors.into_texts())
}

fn expands_to(text: &str, expected: &TokenStream) {
    let (tokens, errors) = read(text);
    assert_eq!(errors, Vec::<String>::new(), "{text}");
    assert_eq!(tokens.to_string(), expected.to_string(), "{text}");
}

fn fails_with(text: &str, expected: &[&str]) {
    assert_eq!(read(text).1, expected, "{text}");
}

#[test]
fn every_rule_has_its_variant() {
    for (name, variant) in RULES {
        let variant: TokenStream = variant.parse().unwrap();
        expands_to(name, &quote!(::cloacina_core::TriggerRule::#variant));
    }
}

#[test]
fn every_task_condition_takes_an_id_or_a_path() {
    for name in TASK_CONDITIONS {
        let constructor: TokenStream = name.parse().unwrap();
        let expected = quote!(::cloacina_core::TriggerRule::#constructor("t"));
        expands_to(&format!("{name}(\"t\")"), &expected);
        expands_to(&format!("{name}(\"t\",)"), &expected);
        let expected = quote!(::cloacina_core::TriggerRule::#constructor(
            <stages::t as ::cloacina_core::TaskDefinition>::ID
        ));
        expands_to(&format!("{name}(stages::t)"), &expected);
    }
}

#[test]
fn every_operator_has_its_variant() {
    for (name, variant) in OPERATORS {
        let operator: TokenStream = variant.parse().unwrap();
        let alone = name.ends_with("exists");
        let literal = if alone { "" } else { ", 5" };
        let value = match alone {
            true => quote!(::core::option::Option::None),
            false => {
                quote!(::core::option::Option::Some(::core::convert::From::from(5i64)))
            }
        };
        expands_to(
            &format!("context_value(\"k\", {name}{literal})"),
            &quote!(::cloacina_core::TriggerRule::context_value(
                "k", ::cloacina_core::ValueOperator::#operator, #value
            )),
        );
    }
}

#[test]
fn every_kind_of_literal_is_read() {
    let cases = [
        ("\"text\"", "\"text\""),
        ("true", "true"),
        ("-5", "-5i64"),
        ("1_000", "1000i64"),
        ("0x10", "16i64"),
        ("-9223372036854775808", "-9223372036854775808i64"),
        ("18446744073709551615", "18446744073709551615u64"),
        ("2.5", "2.5f64"),
        ("-0.5", "-0.5f64"),
    ];
    for (literal, expected) in cases {
        let (tokens, errors) = read(&format!("context_value(\"k\", equals, {literal})"));
        assert_eq!(errors, Vec::<String>::new(), "{literal}");
        let text = tokens.to_string().replace(' ', "");
        assert!(text.contains(&format!("from({expected})")), "{text}");
    }
}

#[test]
fn rules_nest_to_any_depth() {
    for name in COMBINATORS {
        let joined: TokenStream = name.parse().unwrap();
        expands_to(
            &format!("{name}(all_done, any(none(task_failed(\"t\"),), always))"),
            &quote!(::cloacina_core::TriggerRule::#joined([
                ::cloacina_core::TriggerRule::AllDone,
                ::cloacina_core::TriggerRule::any([
                    ::cloacina_core::TriggerRule::none([
                        ::cloacina_core::TriggerRule::task_failed("t")
                    ]),
                    ::cloacina_core::TriggerRule::Always
                ])
            ])),
        );
    }
}

#[test]
fn unknown_names_are_refused_at_their_token() {
    let rules = RULES.map(|(name, _)| name);
    let allowed = [&rules[..], &TASK_CONDITIONS, &[CONTEXT_VALUE], &COMBINATORS].concat();
    let allowed: Vec<String> = allowed.iter().map(|name| format!("`{name}`")).collect();
    let allowed = allowed.join(", ");
    for (text, meant) in [
        ("all_sucess", "; did you mean `all_success`?"),
        ("not(always)", "; did you mean `none`?"),
        ("or(always)", "; did you mean `any`?"),
        ("weather", ""),
    ] {
        let name = text.split('(').next().unwrap();
        let (_, errors) = read(text);
        let expected =
            format!("{name}: unknown trigger rule `{name}`, expected one of {allowed}{meant}");
        assert_eq!(errors.first(), Some(&expected));
    }
    let operators = "`equals`, `not_equals`, `greater_than`, `less_than`, `contains`, \
                     `not_contains`, `exists`, `not_exists`";
    fails_with(
        "context_value(\"k\", equal, 5)",
        &[&format!(
            "equal: unknown operator `equal`, expected one of {operators}; did you mean `equals`?"
        )],
    );
    fails_with(
        "context_value(\"k\", == 5)",
        &[&format!("=: expected an operator, one of {operators}")],
    );
    fails_with(
        "context_value(\"k\")",
        &[&format!("context_value: expected an operator, one of {operators}")],
    );
}

#[test]
fn wrong_arguments_are_refused_at_their_token() {
    let takes = "takes a key in quotes, an operator and mostly a literal";
    let cases = [
        ("5", "5: expected a trigger rule, like `all_success` or `all(…)`"),
        ("all_done()", "(: rule `all_done` takes no arguments"),
        ("all", "all: `all` needs arguments in parentheses: `all(…)`"),
        ("any()", "any: `any` needs at least one rule"),
        (
            "task_failed",
            "task_failed: `task_failed` needs arguments in parentheses: `task_failed(…)`",
        ),
        (
            "task_failed()",
            "task_failed: `task_failed` takes the path of a task, or its id in quotes",
        ),
        ("task_failed(5)", "5: `task_failed` takes the path of a task, or its id in quotes"),
        ("task_failed(\"\")", "\"\": `task_failed` takes the path of a task, or its id in quotes"),
        ("task_failed(\"a\", \"b\")", "\"b\": unexpected argument of `task_failed`"),
        ("task_failed(\"a\" \"b\")", "\"b\": expected `,`"),
        ("context_value()", &format!("context_value: `context_value` {takes}")),
        ("context_value(\"\", exists)", "\"\": the key of `context_value` is empty"),
        (
            "context_value(\"k\", greater_than, true)",
            "true: `greater_than` compares with a number or a text in quotes",
        ),
        ("context_value(k, exists)", &format!("k: `context_value` {takes}")),
        ("context_value(\"k\", exists, 5)", "5: `exists` takes no literal"),
        (
            "context_value(\"k\", equals)",
            "equals: `equals` needs a literal: `context_value(\"k\", equals, 5)`",
        ),
        (
            "context_value(\"k\", equals, five)",
            "five: expected a literal: a text in quotes, a number, `true` or `false`",
        ),
        ("context_value(\"k\", equals, -true)", "true: expected a number after `-`"),
        ("context_value(\"k\", equals, --5)", "-: expected a number after `-`"),
        ("context_value(\"k\", equals, 5u8)", "5u8: expected a number without `u8`"),
        ("context_value(\"k\", equals, 5, 6)", "6: unexpected argument of `context_value`"),
        (
            "context_value(\"k\", equals, 18446744073709551616)",
            "18446744073709551616: integer `18446744073709551616` does not fit into 64 bits",
        ),
        ("context_value(\"k\", equals, 1e999)", "1e999: number `1e999` does not fit into 64 bits"),
    ];
    for (text, expected) in cases {
        fails_with(text, &[expected]);
    }
}

#[test]
fn all_mistakes_of_a_combinator_are_reported() {
    fails_with(
        "all(task_failed(7), all_done, any(), context_value(\"k\", exists, 1))",
        &[
            "7: `task_failed` takes the path of a task, or its id in quotes",
            "any: `any` needs at least one rule",
            "1: `exists` takes no literal",
        ],
    );
}
