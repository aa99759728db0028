//! What is written: the attribute's keys with values of the right kind, and the function's signature.

use proc_macro2::TokenStream;
use syn::parse::{ParseStream, Parser};
use syn::{
    Attribute, ExprPath, Ident, Lit, LitFloat, LitInt, LitStr, Signature, Token, Visibility, token,
};

use crate::errors::Errors;
use crate::keyed::{self, Arg, Separator};
use crate::reference::TaskRef;
use crate::rules::{self, Rule};

/// The keys of `#[task]`, in the order in which they are documented.
pub(super) const KEYS: [&str; 14] = [
    "id",
    "dependencies",
    "retry_attempts",
    "retry_delay_ms",
    "retry_max_delay_ms",
    "retry_backoff",
    "retry_factor",
    "retry_jitter",
    "retry_max_elapsed",
    "retry_on",
    "timeout",
    "durability",
    "trigger_rules",
    "blocking",
];

/// What stands in quotes after some of the keys.
const BACKOFF: &str = "a name in quotes, like `\"linear\"`";
const JITTER: &str = "a name in quotes, like `\"full\"`";
const DURABILITY: &str = "`\"strict\"` or `\"pipelined\"`";
const DURATION: &str = "a duration in quotes, like `\"30s\"`";

/// The attribute: what is in order, and which keys occur.
#[derive(Default)]
pub(super) struct Options {
    /// Every known key that occurs, also when its value is not in order.
    pub(super) seen: Vec<Ident>,
    pub(super) id: Option<Arg<LitStr>>,
    pub(super) dependencies: Vec<TaskRef>,
    pub(super) retry_attempts: Option<Arg<LitInt>>,
    pub(super) retry_delay_ms: Option<Arg<LitInt>>,
    pub(super) retry_max_delay_ms: Option<Arg<LitInt>>,
    pub(super) retry_backoff: Option<Arg<LitStr>>,
    pub(super) retry_factor: Option<Arg<Lit>>,
    pub(super) retry_jitter: Option<Arg<LitStr>>,
    pub(super) retry_max_elapsed: Option<Arg<LitStr>>,
    pub(super) retry_on: Option<ExprPath>,
    pub(super) timeout: Option<Arg<LitStr>>,
    pub(super) durability: Option<Arg<LitStr>>,
    pub(super) trigger_rules: Option<Rule>,
}

impl Options {
    /// Returns the key, if it occurs.
    pub(super) fn key(&self, name: &str) -> Option<&Ident> {
        self.seen.iter().find(|key| *key == name)
    }
}

/// The item below the attribute.
pub(super) struct Function {
    pub(super) attrs: Vec<Attribute>,
    pub(super) vis: Visibility,
    pub(super) sig: Signature,
    pub(super) has_body: bool,
    /// The signature and the body as they are written.
    pub(super) code: TokenStream,
    /// The whole item as it is written.
    pub(super) item: TokenStream,
}

/// Reads the attribute's arguments; mistakes go to `errors`.
pub(super) fn options(tokens: TokenStream, errors: &mut Errors) -> Options {
    let parser = |input: ParseStream<'_>| {
        let mut options = Options::default();
        let read = |key: &Ident, errors: &mut Errors| value(key, input, &mut options, errors);
        options.seen = keyed::keys(input, &KEYS, errors, read);
        Ok(options)
    };
    match parser.parse2(tokens) {
        Ok(options) => options,
        Err(error) => {
            errors.push(error);
            Options::default()
        }
    }
}

/// Reads what comes after one key.
fn value(
    key: &Ident,
    input: ParseStream<'_>,
    options: &mut Options,
    errors: &mut Errors,
) -> syn::Result<()> {
    if key == "blocking" {
        return match input.is_empty() || input.peek(Token![,]) {
            true => Ok(()),
            false => Err(input.error("key `blocking` takes no value")),
        };
    }
    keyed::separator(key, input, Separator::Equals, errors)?;
    match key.to_string().as_str() {
        "id" => options.id = Some(string(key, input, "a text in quotes")?),
        "dependencies" => options.dependencies = dependencies(key, input, errors)?,
        "retry_attempts" => options.retry_attempts = Some(integer(key, input)?),
        "retry_delay_ms" => options.retry_delay_ms = Some(integer(key, input)?),
        "retry_max_delay_ms" => options.retry_max_delay_ms = Some(integer(key, input)?),
        "retry_backoff" => options.retry_backoff = Some(string(key, input, BACKOFF)?),
        "retry_factor" => options.retry_factor = Some(number(key, input)?),
        "retry_jitter" => options.retry_jitter = Some(string(key, input, JITTER)?),
        "retry_max_elapsed" => options.retry_max_elapsed = Some(string(key, input, DURATION)?),
        "retry_on" => options.retry_on = Some(predicate(key, input)?),
        "durability" => options.durability = Some(string(key, input, DURABILITY)?),
        "timeout" => options.timeout = Some(string(key, input, DURATION)?),
        "trigger_rules" => {
            if input.is_empty() {
                let text = "key `trigger_rules` takes a rule, like `all_done` or `all(…)`";
                return Err(syn::Error::new(key.span(), text));
            }
            if input.peek(LitStr) {
                let text = "key `trigger_rules` takes a rule without quotes, like `all_done`";
                return Err(input.error(text));
            }
            options.trigger_rules = Some(rules::parse(input, errors)?);
        }
        _ => {}
    }
    Ok(())
}

fn string(key: &Ident, input: ParseStream<'_>, what: &str) -> syn::Result<Arg<LitStr>> {
    Ok(Arg { key: key.clone(), value: keyed::string(key, input, what)? })
}

fn integer(key: &Ident, input: ParseStream<'_>) -> syn::Result<Arg<LitInt>> {
    let text = format!("key `{key}` takes a whole number");
    if !input.peek(LitInt) || input.peek(Token![-]) {
        return Err(syn::Error::new(keyed::value_span(key, input), text));
    }
    let value: LitInt = input.parse()?;
    if !value.suffix().is_empty() {
        return Err(syn::Error::new(value.span(), text));
    }
    Ok(Arg { key: key.clone(), value })
}

/// Reads a number with or without a fraction.
fn number(key: &Ident, input: ParseStream<'_>) -> syn::Result<Arg<Lit>> {
    let text = format!("key `{key}` takes a number, like `2.0`");
    if !input.peek(LitInt) && !input.peek(LitFloat) {
        return Err(syn::Error::new(keyed::value_span(key, input), text));
    }
    let value: Lit = input.parse()?;
    if !value.suffix().is_empty() {
        return Err(syn::Error::new(value.span(), text));
    }
    Ok(Arg { key: key.clone(), value })
}

/// Reads the path of a function.
fn predicate(key: &Ident, input: ParseStream<'_>) -> syn::Result<ExprPath> {
    let span = keyed::value_span(key, input);
    if !keyed::starts_path(input) && !input.peek(Token![<]) {
        let text = "key `retry_on` takes the path of a `fn(&TaskError) -> bool`";
        return Err(syn::Error::new(span, text));
    }
    input.parse()
}

fn dependencies(
    key: &Ident,
    input: ParseStream<'_>,
    errors: &mut Errors,
) -> syn::Result<Vec<TaskRef>> {
    if !input.peek(token::Bracket) {
        let text = "key `dependencies` takes a list: `[extract, other::load, \"an id\"]`";
        return Err(syn::Error::new(keyed::value_span(key, input), text));
    }
    let content;
    syn::bracketed!(content in input);
    Ok(keyed::list(&content, errors, |input, _| TaskRef::parse(input)))
}

/// Reads the item; its body is left to rustc.
pub(super) fn function(item: TokenStream) -> syn::Result<Function> {
    let whole = item.clone();
    let parser = move |input: ParseStream<'_>| {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis: Visibility = input.parse()?;
        let code: TokenStream = input.fork().parse()?;
        let start = input.span();
        let Ok(sig) = input.parse::<Signature>() else {
            return Err(syn::Error::new(start, "`#[task]` goes on an `async fn` or a `fn`"));
        };
        let has_body = input.peek(token::Brace);
        input.parse::<TokenStream>()?;
        Ok(Function { attrs, vis, sig, has_body, code, item: whole })
    };
    parser.parse2(item)
}
