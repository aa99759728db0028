//! What `#[task]` expands to.

use quote::quote;

use super::super::analyse;
use super::{FUNCTION, output, read};
use crate::errors::Errors;
use crate::fingerprint::fingerprint;

#[test]
fn a_plain_task_expands_to_function_type_and_definition() {
    let code = quote!(
        async fn extract(context: &mut Context<Value>) -> io::Result<()> {
            body()
        }
    );
    let item = quote!(#[doc = " Reads."] pub(crate) #code);
    let print = fingerprint(&quote!(), &code);
    let mut errors = Errors::default();
    let output = analyse(&quote!(), item.clone(), &mut errors);
    let meta = quote!(<Self as ::cloacina_core::TaskDefinition>::META);
    let expected = quote! {
        #item
        #[doc = "Stands for the task [`extract`](fn@extract) in `dependencies` and in `workflow!`."]
        #[allow(non_camel_case_types)]
        #[derive(::core::fmt::Debug, ::core::clone::Clone, ::core::marker::Copy)]
        pub(crate) struct extract {}

        #[automatically_derived]
        #[allow(deprecated)]
        impl ::cloacina_core::TaskDefinition for extract {
            type Output = ();

            const ID: &'static ::core::primitive::str = "extract";

            const META: ::cloacina_core::TaskMeta = ::cloacina_core::TaskMeta {
                id: Self::ID,
                dependencies: &[],
                rule_tasks: &[],
                fingerprint: #print,
            };

            fn task() -> ::cloacina_core::Task {
                ::cloacina_core::__private::asynchronous(Self::ID, |context, run| {
                    ::std::boxed::Box::pin(async move {
                        ::cloacina_core::__private::result::<Self, _>(extract(<&mut Context<Value> as ::cloacina_core::__private::ContextArgument<'_, Self>>::borrow(context)).await)
                    })
                })
                .fingerprint(#meta.fingerprint)
            }
        }
    };
    assert_eq!(output.to_string(), expected.to_string());
}

#[test]
fn a_blocking_task_calls_its_function_directly() {
    let output = output("blocking", "fn f(c: &mut Context<Value>) {}");
    let context = "<&mutContext<Value>as::cloacina_core::__private::ContextArgument<'_,Self>>::borrow(context)";
    let call = &format!(
        "blocking(Self::ID,|context,run|{{::cloacina_core::__private::value::<Self>(f({context}))}})"
    );
    assert!(output.contains(call), "{output}");
}

#[test]
fn arguments_are_taken_in_their_order() {
    let output = output("", "async fn f(Input(a): Input<A>, c: &Context, mut b: b::Output<x>) {}");
    let take = |n: usize, ty: &str| {
        format!("letargument_{n}=<{ty}as::cloacina_core::TaskArgument<Self>>::take(run)?;")
    };
    let taken = format!("{}{}", take(0, "Input<A>"), take(2, "b::Output<x>"));
    assert!(output.contains(&taken), "{output}");
    let context =
        "<&Contextas::cloacina_core::__private::ContextArgument<'_,Self>>::borrow(context)";
    assert!(output.contains(&format!("f(argument_0,{context},argument_2).await")), "{output}");
    for ty in ["Input<A>", "b::Output<x>"] {
        let declared = format!("<{ty}as::cloacina_core::TaskArgument<Self>>::declare(");
        assert!(output.contains(&declared), "{output}");
        let implied = format!("<{ty}as::cloacina_core::TaskArgument<f>>::DEPENDENCY");
        assert!(output.contains(&implied), "{output}");
    }
}

#[test]
fn what_a_task_returns_is_its_output() {
    for (returned, ty, by) in [
        ("", "()", "value::<Self>("),
        ("-> Result<Vec<u8>, E>", "Vec<u8>", "result::<Self,_>("),
        ("-> ::std::io::Result<u8>", "u8", "result::<Self,_>("),
    ] {
        let output = output("", &format!("async fn f() {returned} {{}}"));
        assert!(output.contains(&format!("typeOutput={ty};")), "{output}");
        assert!(output.contains(by), "{output}");
        assert!(!output.contains("IsNoResult"), "{output}");
    }
    // What may be a `Result` under another name.
    for returned in ["Vec<u8>", "fmt::Result", "AppResult<u8>"] {
        let output = output("", &format!("async fn f() -> {returned} {{}}"));
        let is_result = format!("::cloacina_core::__private::Returned::<{returned}>::IS_RESULT}}");
        let ty = format!("typeOutput=<{returned}as::cloacina_core::__private::Returns<{{");
        assert!(output.contains(&ty), "{output}");
        assert_eq!(output.matches(&is_result).count(), 2, "{output}");
    }
}

#[test]
fn each_retry_option_becomes_its_call() {
    let retry = "::cloacina_core::RetryPolicy::new(3u32)";
    let cases = [
        ("retry_attempts = 3", format!(".retry({retry})")),
        (
            "retry_attempts = 3, retry_delay_ms = 1500",
            format!(
                ".retry({retry}.initial_delay(::core::time::Duration::new(1u64,500000000u32)))"
            ),
        ),
        (
            "retry_max_delay_ms = 2000, retry_attempts = 3",
            format!(".retry({retry}.max_delay(::core::time::Duration::new(2u64,0u32)))"),
        ),
        (
            "retry_attempts = 3, retry_max_elapsed = \"5m\"",
            format!(".retry({retry}.max_elapsed(::core::time::Duration::new(300u64,0u32)))"),
        ),
        (
            "retry_attempts = 3, retry_backoff = \"fixed\"",
            format!(".retry({retry}.backoff(::cloacina_core::Backoff::Fixed))"),
        ),
        (
            "retry_attempts = 3, retry_backoff = \"linear\"",
            format!(".retry({retry}.backoff(::cloacina_core::Backoff::Linear))"),
        ),
        (
            "retry_attempts = 3, retry_backoff = \"exponential\"",
            format!(
                ".retry({retry}.backoff(::cloacina_core::Backoff::Exponential{{factor:2f64}}))"
            ),
        ),
        (
            "retry_attempts = 3, retry_factor = 1.5",
            format!(
                ".retry({retry}.backoff(::cloacina_core::Backoff::Exponential{{factor:1.5f64}}))"
            ),
        ),
        (
            "retry_attempts = 3, retry_factor = 3",
            format!(
                ".retry({retry}.backoff(::cloacina_core::Backoff::Exponential{{factor:3f64}}))"
            ),
        ),
        (
            "retry_attempts = 3, retry_jitter = \"none\"",
            format!(".retry({retry}.jitter(::cloacina_core::Jitter::None))"),
        ),
        (
            "retry_attempts = 3, retry_jitter = \"full\"",
            format!(".retry({retry}.jitter(::cloacina_core::Jitter::Full))"),
        ),
        (
            "retry_attempts = 3, retry_jitter = \"equal\"",
            format!(".retry({retry}.jitter(::cloacina_core::Jitter::Equal))"),
        ),
        (
            "retry_attempts = 3, retry_on = retry::on::<A, B>",
            format!(".retry({retry}.retry_on(retry::on::<A,B>))"),
        ),
    ];
    for (options, expected) in cases {
        let output = output(options, FUNCTION);
        assert!(output.contains(&expected), "{options}: {output}");
    }
}

#[test]
fn timeout_and_rule_become_their_calls() {
    let cases = [
        ("durability = \"pipelined\"", ".durability(::cloacina_core::Durability::Pipelined)"),
        ("timeout = \"1m30s\"", ".timeout(::core::time::Duration::new(90u64,0u32))"),
        (
            "trigger_rules = all(all_done)",
            ".trigger_rules(::cloacina_core::TriggerRule::all([\
             ::cloacina_core::TriggerRule::AllDone]))",
        ),
    ];
    for (options, expected) in cases {
        let output = output(options, FUNCTION);
        assert!(output.contains(expected), "{options}: {output}");
    }
}

#[test]
fn what_is_not_given_is_not_called() {
    let output = output("", FUNCTION);
    for method in ["retry", "timeout", "trigger_rules", "depends_on"] {
        assert!(!output.contains(&format!(".{method}(")), "{output}");
    }
}

#[test]
fn dependencies_are_paths_or_ids() {
    let output = output("dependencies = [extract, \"an-id\", a::b, ::c::d,]", FUNCTION);
    let id = |path: &str| format!("<{path}as::cloacina_core::TaskDefinition>::ID");
    let expected =
        format!("dependencies:&[{},\"an-id\",{},{}]", id("extract"), id("a::b"), id("::c::d"));
    assert!(output.contains(&expected), "{output}");
    let call = ".depends_on(::core::iter::Iterator::copied(<Selfas::cloacina_core::TaskDefinition>::META.dependencies.iter()))";
    assert!(output.contains(call), "{output}");
}

#[test]
fn the_id_is_the_name_or_what_is_given() {
    assert!(
        output("id = \"other\"", FUNCTION)
            .contains("constID:&'static::core::primitive::str=\"other\"")
    );
    let raw = output("", "async fn r#type(context: &mut Context<Value>) {}");
    assert!(raw.contains("constID:&'static::core::primitive::str=\"type\""), "{raw}");
    assert!(raw.contains("structr#type{}"), "{raw}");
}

#[test]
fn conditional_compilation_and_hiding_reach_the_type() {
    let output = output("", &format!("#[cfg(x)] #[doc(hidden)] #[inline] {FUNCTION}"));
    assert_eq!(output.matches("#[cfg(x)]").count(), 3, "{output}");
    assert_eq!(output.matches("#[doc(hidden)]").count(), 2, "{output}");
    assert_eq!(output.matches("#[inline]").count(), 1, "{output}");
}

#[test]
fn the_fingerprint_leaves_docs_visibility_and_layout_out() {
    let print = |options: &str, item: &str| {
        let output = output(options, item);
        let (_, rest) = output.split_once("fingerprint:\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let one = print("timeout = \"1s\"", FUNCTION);
    let formatted = "/// Docs.\npub async fn f(\n  context: &mut Context<Value>,\n) {\n  // why\n}";
    assert_eq!(one, print("timeout=\"1s\",", formatted));
    assert_ne!(one, print("timeout = \"2s\"", FUNCTION));
    assert_ne!(one, print("timeout = \"1s\"", "async fn f(context: &mut Context<Value>) { g() }"));
}

#[test]
fn a_task_with_mistakes_leaves_a_stub() {
    let (output, errors) = read("timout = 1, id = \"x\", dependencies = [a]", FUNCTION);
    assert_eq!(errors.len(), 1);
    assert!(output.contains("asyncfnf(context:&mutContext<Value>){}"), "{output}");
    assert!(output.contains("structf{}"), "{output}");
    assert!(output.contains("constID:&'static::core::primitive::str=\"x\""), "{output}");
    assert!(output.contains("<aas::cloacina_core::TaskDefinition>::ID"), "{output}");
    assert!(output.contains("{::core::unreachable!()}"), "{output}");
    assert!(!output.contains("Task::new"), "{output}");
}

#[test]
fn a_missing_body_is_supplied_and_a_method_stays_alone() {
    let (output, _) = read("", "async fn f(context: &mut Context<Value>);");
    assert!(output.contains("asyncfnf(context:&mutContext<Value>){::core::unreachable!()}"));
    let (output, _) = read("", "async fn f(&self) {}");
    assert_eq!(output, "#[allow(dead_code)]asyncfnf(&self){}");
}

#[test]
fn what_is_no_function_stays_as_it_is() {
    let (output, _) = read("", "struct X;");
    assert_eq!(output, "structX;");
}
