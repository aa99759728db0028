//! Tests of `workflow!`.

use quote::quote;

use super::analyse;
use crate::errors::Errors;

fn read(text: &str) -> (String, Vec<String>) {
    let mut errors = Errors::default();
    let output = analyse(text.parse().unwrap(), &mut errors);
    (output.to_string(), errors.into_texts())
}

fn fails_with(text: &str, expected: &[&str]) {
    assert_eq!(read(text).1, expected, "{text}");
}

#[test]
fn a_workflow_registers_itself() {
    let expected = quote! {
        const _: () = {
            const TASKS: &[::cloacina_core::TaskMeta; 2usize] = &[
                <extract as ::cloacina_core::TaskDefinition>::META,
                <a::b as ::cloacina_core::TaskDefinition>::META
            ];
            #[allow(long_running_const_eval)]
            const CHECK: &::cloacina_core::__private::Check<
                2usize,
                { ::cloacina_core::__private::count_dependencies(TASKS) }
            > = &::cloacina_core::__private::Check::new("etl", TASKS);
            const _: () = CHECK.report(0usize);
            const _: () = CHECK.report(1usize);
            const MAKERS: &[fn() -> ::cloacina_core::Task] = &[
                <extract as ::cloacina_core::TaskDefinition>::task,
                <a::b as ::cloacina_core::TaskDefinition>::task
            ];
            ::cloacina_core::__private::inventory::submit! {
                ::cloacina_core::Registration::new("etl", || {
                    ::cloacina_core::Workflow::builder("etl")
                        .description("nightly load")
                        .tasks(::core::iter::Iterator::map(MAKERS.iter(), |make| make()))
                        .build()
                })
            }
        };
    };
    for text in [
        "name: \"etl\", description: \"nightly load\", tasks: [extract, a::b]",
        "tasks: [extract, a::b,], name: \"etl\", description: \"nightly load\",",
    ] {
        assert_eq!(read(text), (expected.to_string(), Vec::new()));
    }
}

#[test]
fn the_description_may_be_left_out() {
    let (output, errors) = read("name: \"etl\", tasks: [self::extract]");
    assert_eq!(errors, Vec::<String>::new());
    assert!(!output.contains("description"), "{output}");
}

#[test]
fn every_mistake_is_reported_at_its_token() {
    let cases = [
        (
            "nam: \"x\", tasks: [a]",
            "nam: unknown key `nam`, expected one of `name`, `description`, `tasks`; did you mean `name`?",
        ),
        ("name: \"x\", tasks: [a], name: \"y\"", "name: key `name` is given twice"),
        (
            "name: \"\", tasks: [a]",
            "\"\": workflow name \"\" is refused: it must have 1 to 255 bytes and no NUL character",
        ),
        ("name: x, tasks: [a]", "x: key `name` takes a text in quotes"),
        ("name, tasks: [a]", "name: key `name` needs a value: `name : …`"),
        ("name = \"x\", tasks: [a]", "=: expected `:` after `name`"),
        ("name: \"x\" tasks: [a]", "tasks: expected `,`"),
        ("name: \"x\", tasks: []", "[]: workflow `x` has no tasks"),
        ("name: \"x\", tasks: a", "a: key `tasks` takes a list: `[extract, other::load]`"),
        ("name: \"x\", tasks:", "tasks: key `tasks` takes a list: `[extract, other::load]`"),
        ("name: \"x\", tasks: [\"a\"]", "\"a\": expected the path of a task"),
        ("name: \"x\", tasks: [a b]", "b: expected `,`"),
        ("name: \"x\", tasks: [a, b::c, b::c]", "b::c: task `b::c` is in workflow `x` twice"),
        ("name: \"x\", description: 3, tasks: [a]", "3: key `description` takes a text in quotes"),
        (
            "\"x\", name: \"x\", tasks: [a]",
            "\"x\": expected a key, one of `name`, `description`, `tasks`",
        ),
    ];
    for (text, expected) in cases {
        let errors = read(text).1;
        assert_eq!(errors.first().map(String::as_str), Some(expected), "{text}");
        assert_eq!(errors.len(), 1, "{text}: {errors:?}");
    }
}

#[test]
fn missing_keys_are_reported() {
    let missing = read("").1;
    assert!(missing[0].ends_with("key `name` is missing"), "{missing:?}");
    assert!(missing[1].ends_with("key `tasks` is missing"), "{missing:?}");
}

#[test]
fn all_mistakes_are_reported_at_once_and_tasks_are_still_resolved() {
    fails_with(
        "name: 1, kind: x, tasks: [a, 2, a, c]",
        &[
            "1: key `name` takes a text in quotes",
            "kind: unknown key `kind`, expected one of `name`, `description`, `tasks`",
            "2: expected the path of a task",
            "a: task `a` is in workflow twice",
        ],
    );
    let (output, _) = read("name: 1, tasks: [c]");
    let meta = quote!(let _ = <c as ::cloacina_core::TaskDefinition>::META;).to_string();
    assert!(output.contains(&meta), "{output}");
    assert!(!output.contains("submit"), "{output}");
}
