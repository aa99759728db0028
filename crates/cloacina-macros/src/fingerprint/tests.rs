//! Tests of fingerprints.

use proc_macro2::TokenStream;

use super::fingerprint;

fn of(options: &str, function: &str) -> String {
    let options: TokenStream = options.parse().unwrap();
    let function: TokenStream = function.parse().unwrap();
    fingerprint(&options, &function)
}

fn body(code: &str) -> String {
    of("", &format!("async fn f(c: &mut Context<Value>) {{ {code} }}"))
}

#[test]
fn a_known_task_keeps_its_fingerprint() {
    // A change here changes the version of every workflow that is already deployed.
    let known = of("timeout = \"30s\"", "async fn f(c: &mut Context<Value>) { c.clear(); }");
    assert_eq!(known, "72136103478cffe9370cca9a4bd51ded");
}

#[test]
fn layout_and_comments_do_not_matter() {
    let one = of(
        "id = \"a\", dependencies = [a, b]",
        "async fn f(c: &mut Context<Value>) -> Result<(), E> { let x = -1; g(x, 2); Ok(()) }",
    );
    let other = of(
        "id=\"a\",\n dependencies=[\n a,\n b,\n ],\n",
        "async fn f(\n c: &mut Context<Value>,\n) -> Result<(), E> {\n // why\n #![doc = \"x\"]\n \
         let x=-1;\n /* what */ /// doc\n #[doc(hidden)] g(\n x,\n 2,\n );\n Ok(())\n}",
    );
    assert_eq!(one, other);
}

#[test]
fn white_space_around_operators_does_not_matter() {
    assert_eq!(
        body("a && &b; x<-1; v: Vec<Vec<u8>>=y; c=!d"),
        body("a&& & b; x < - 1; v : Vec < Vec < u8 > > = y; c = ! d",)
    );
}

#[test]
fn code_matters() {
    let different = [
        body("g()"),
        body("h()"),
        body("g(1)"),
        body("g(\"1\")"),
        body("g[]"),
        body("g { }"),
        body("a && b"),
        body("a & &b"),
        body("a || b"),
        body("a | |b"),
        body("return (x)"),
        body("return (x,)"),
        body("{ a } b"),
        body("{ a b }"),
        body("r#\"a\"#"),
        body("'a'"),
        body("'a: loop {}"),
        body("#[cfg(a)] g()"),
        of("", "async fn f(c: &mut Context<Value>) -> X { g() }"),
        of("", "fn f(c: &mut Context<Value>) { g() }"),
    ];
    for (index, one) in different.iter().enumerate() {
        for other in &different[index + 1..] {
            assert_ne!(one, other, "{index}");
        }
    }
}

#[test]
fn options_matter() {
    let code = "async fn f(c: &mut Context<Value>) {}";
    let different = [
        of("", code),
        of("dependencies = [a]", code),
        of("dependencies = [b]", code),
        of("dependencies = [a::b]", code),
        of("trigger_rules = all_done", code),
        of("trigger_rules = all(all_done)", code),
        of("timeout = \"1s\"", code),
    ];
    for (index, one) in different.iter().enumerate() {
        assert_eq!(one.len(), 32);
        assert!(one.chars().all(|c| c.is_ascii_hexdigit()));
        for other in &different[index + 1..] {
            assert_ne!(one, other, "{index}");
        }
    }
}

#[test]
fn options_and_code_do_not_run_together() {
    assert_ne!(of("a", "b"), of("a b", ""));
    assert_ne!(of("", "ab"), of("", "a b"));
}

#[test]
fn a_comma_behind_the_only_argument_of_a_call_does_not_matter() {
    assert_eq!(body("g(x)"), body("g(\nx,\n)"));
    assert_eq!(body("g::<A>(x)"), body("g::<A>(\nx,\n)"));
    assert_eq!(body("vec![x]"), body("vec![\nx,\n]"));
    assert_eq!(body("assert!(x)"), body("assert!(\nx,\n)"));
}
