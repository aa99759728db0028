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
    assert_eq!(known, "007dca8e2f2fdcfe307c9fd2331e2d30");
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
fn what_formatters_add_and_remove_does_not_matter() {
    let same = [
        ("g(x)", "g(\nx,\n)"),
        ("g::<A>(x)", "g::<A>(\nx,\n)"),
        ("g::<Vec<A>>(x)", "g::<\nVec<A>,\n>(\nx,\n)"),
        ("fn g<A: B<C>>(x: A) {}", "fn g<\nA: B<C>,\n>(\nx: A,\n) {}"),
        ("(a, b)", "(\na,\nb,\n)"),
        ("vec![x]", "vec![\nx,\n]"),
        ("let [a, b] = [c, d]", "let [\na,\nb,\n] = [\nc,\nd,\n]"),
        ("let a: HashMap<B, C> = d", "let a: HashMap<\nB,\nC,\n> = d"),
        ("match x { A => {2} B => {3} }", "match x { A => {2}, B => {3}, }"),
        ("match x { A => 2, B => 3 }", "match x { A => 2, B => 3, }"),
        ("return 3", "return 3;"),
        ("if a { return } b", "if a { return; } b"),
        ("loop { if a { b } break }", "loop { if a { b } break; }"),
        ("a; return S { b }", "a; return S { b };"),
        ("if a { 'b: loop { continue 'b } }", "if a { 'b: loop { continue 'b; } }"),
    ];
    for (one, other) in same {
        assert_eq!(body(one), body(other), "{one}");
    }
}

#[test]
fn what_looks_like_layout_and_is_none_matters() {
    let different = [
        ("(x)", "(x,)"),
        ("return (x)", "return (x,)"),
        ("match a { b => (x), }", "match a { b => (x,), }"),
        ("a > (x)", "a > (x,)"),
        ("a >= (x)", "a >= (x,)"),
        ("!(x)", "!(x,)"),
        ("return !(x)", "return !(x,)"),
        ("let a: (HashMap<B, C>) = d", "let a: (HashMap<B, C>,) = d"),
        ("let a = (|b, c| d)", "let a = (|b, c| d,)"),
        ("fn g<A>() -> (A) {}", "fn g<A>() -> (A,) {}"),
        ("m!(a)", "m!(a,)"),
        ("m![a]", "m![a,]"),
        ("m! { a }", "m! { a, }"),
        ("m!(g(a))", "m!(g(a,))"),
        ("m!({ return 3 })", "m!({ return 3; })"),
        ("m!(a += b)", "m!(a + = b)"),
        ("macro_rules! m { (a) => {b} }", "macro_rules! m { (a,) => {b} }"),
        ("stringify!(#[doc = \"a\"] x)", "stringify!(x)"),
        ("#[m(a)] g()", "#[m(a,)] g()"),
        ("a", "a;"),
        ("return a; b", "return a; b;"),
        ("let a = || return 3", "let a = || return 3;"),
    ];
    for (one, other) in different {
        assert_ne!(body(one), body(other), "{one}");
    }
    let function = |returns| of("", &format!("async fn f() -> {returns} {{ g() }}"));
    assert_ne!(function("(u32,)"), function("(u32)"));
    assert_ne!(function("Result<(u32,), E>"), function("Result<(u32), E>"));
}
