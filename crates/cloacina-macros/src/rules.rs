//! Trigger rules: `all_success`, `all(one_failed, context_value("rows", greater_than, 5))`, to any depth.

#[cfg(test)]
mod tests;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Ident, LitBool, LitFloat, LitInt, LitStr, Token, token};

use crate::errors::Errors;
use crate::reference::TaskRef;
use crate::{keyed, suggest};

/// Rules over the states of all dependencies, with the variant of `TriggerRule` that each stands for.
const RULES: [(&str, &str); 12] = [
    ("all_success", "AllSuccess"),
    ("all_failed", "AllFailed"),
    ("all_done", "AllDone"),
    ("one_success", "OneSuccess"),
    ("one_failed", "OneFailed"),
    ("one_done", "OneDone"),
    ("none_failed", "NoneFailed"),
    ("none_failed_min_one_success", "NoneFailedMinOneSuccess"),
    ("none_skipped", "NoneSkipped"),
    ("all_skipped", "AllSkipped"),
    ("all_done_min_one_success", "AllDoneMinOneSuccess"),
    ("always", "Always"),
];

/// Conditions on one dependency. The constructor has the same name.
const TASK_CONDITIONS: [&str; 3] = ["task_success", "task_failed", "task_skipped"];

/// The condition on the context.
const CONTEXT_VALUE: &str = "context_value";

/// What joins rules. The constructor has the same name.
const COMBINATORS: [&str; 3] = ["all", "any", "none"];

/// How a context value is compared, with the variant of `ValueOperator` that each name stands for.
const OPERATORS: [(&str, &str); 8] = [
    ("equals", "Equals"),
    ("not_equals", "NotEquals"),
    ("greater_than", "GreaterThan"),
    ("less_than", "LessThan"),
    ("contains", "Contains"),
    ("not_contains", "NotContains"),
    ("exists", "Exists"),
    ("not_exists", "NotExists"),
];

/// When a task runs. Its tokens are the expression that makes the core's `TriggerRule`.
pub(crate) enum Rule {
    /// A rule over all dependencies: the variant's name.
    Dependencies(&'static str),
    /// A condition on one dependency: the constructor's name and the task.
    Task(&'static str, TaskRef),
    /// A condition on a value of the context: its key, the operator's variant, and what it is compared with.
    Value(LitStr, &'static str, Option<Literal>),
    /// Several rules: the constructor's name and the rules.
    Group(&'static str, Vec<Rule>),
}

/// A constant that context values are compared with.
pub(crate) enum Literal {
    Text(LitStr),
    Bool(LitBool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
}

/// Reads one rule.
///
/// # Errors
///
/// Returns the first mistake; mistakes inside the parentheses of a combinator go to `errors`, all of them.
pub(crate) fn parse(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Rule> {
    if !input.peek(Ident::peek_any) {
        return Err(input.error("expected a trigger rule, like `all_success` or `all(…)`"));
    }
    let name = Ident::parse_any(input)?;
    if let Some((_, variant)) = RULES.iter().find(|(rule, _)| name == rule) {
        if input.peek(token::Paren) {
            return Err(input.error(format!("rule `{name}` takes no arguments")));
        }
        return Ok(Rule::Dependencies(variant));
    }
    if let Some(condition) = TASK_CONDITIONS.iter().find(|condition| name == condition) {
        return arguments(&name, input, errors, |input, _| {
            Ok(Rule::Task(condition, task_argument(&name, input)?))
        });
    }
    if name == CONTEXT_VALUE {
        return arguments(&name, input, errors, |input, _| context_value(&name, input));
    }
    if let Some(combinator) = COMBINATORS.iter().find(|combinator| name == combinator) {
        return arguments(&name, input, errors, |input, errors| {
            if input.is_empty() {
                let text = format!("`{name}` needs at least one rule");
                return Err(syn::Error::new(name.span(), text));
            }
            Ok(Rule::Group(combinator, keyed::list(input, errors, parse)))
        });
    }
    let allowed: Vec<&str> = RULES.iter().map(|(rule, _)| *rule).collect();
    let allowed = [&allowed, &TASK_CONDITIONS[..], &[CONTEXT_VALUE], &COMBINATORS].concat();
    let text = suggest::unknown("trigger rule", &name.to_string(), &allowed);
    Err(syn::Error::new(name.span(), text))
}

/// Reads what stands in parentheses behind a name, to its end.
fn arguments(
    name: &Ident,
    input: ParseStream<'_>,
    errors: &mut Errors,
    read: impl FnOnce(ParseStream<'_>, &mut Errors) -> syn::Result<Rule>,
) -> syn::Result<Rule> {
    if !input.peek(token::Paren) {
        let text = format!("`{name}` needs arguments in parentheses: `{name}(…)`");
        return Err(syn::Error::new(name.span(), text));
    }
    let content;
    syn::parenthesized!(content in input);
    let rule = read(&content, errors).and_then(|rule| match content.is_empty() {
        true => Ok(rule),
        false => Err(content.error(format!("unexpected argument of `{name}`"))),
    });
    // What is left was reported above; without this, syn would report it again.
    content.parse::<TokenStream>()?;
    rule
}

/// Reads the name of a task and the comma behind it.
fn task_argument(name: &Ident, input: ParseStream<'_>) -> syn::Result<TaskRef> {
    let text = format!("`{name}` takes the path of a task, or its id in quotes");
    let span = keyed::value_span(name, input);
    match TaskRef::parse(input) {
        Ok(TaskRef::Id(id)) if id.value().is_empty() => Err(syn::Error::new(id.span(), text)),
        Ok(task) => keyed::comma(input).map(|()| task),
        Err(_) => Err(syn::Error::new(span, text)),
    }
}

/// Reads a key of the context and the comma behind it.
fn key_argument(name: &Ident, input: ParseStream<'_>) -> syn::Result<LitStr> {
    if !input.peek(LitStr) {
        let text = format!("`{name}` takes a key in quotes, an operator and mostly a literal");
        return Err(syn::Error::new(keyed::value_span(name, input), text));
    }
    let key: LitStr = input.parse()?;
    if key.value().is_empty() {
        return Err(syn::Error::new(key.span(), format!("the key of `{name}` is empty")));
    }
    keyed::comma(input)?;
    Ok(key)
}

/// Reads `"key", operator` and, where the operator compares, `, literal`.
fn context_value(name: &Ident, input: ParseStream<'_>) -> syn::Result<Rule> {
    let key = key_argument(name, input)?;
    let operators = OPERATORS.map(|(operator, _)| operator);
    if !input.peek(Ident::peek_any) {
        let span = keyed::value_span(name, input);
        let text = format!("expected an operator, one of {}", suggest::list(&operators));
        return Err(syn::Error::new(span, text));
    }
    let operator = Ident::parse_any(input)?;
    let Some((_, variant)) = OPERATORS.iter().find(|(known, _)| operator == known) else {
        let text = suggest::unknown("operator", &operator.to_string(), &operators);
        return Err(syn::Error::new(operator.span(), text));
    };
    keyed::comma(input)?;
    let alone = matches!(*variant, "Exists" | "NotExists");
    match (alone, input.is_empty()) {
        (true, true) => Ok(Rule::Value(key, variant, None)),
        (true, false) => Err(input.error(format!("`{operator}` takes no literal"))),
        (false, true) => {
            let text = format!(
                "`{operator}` needs a literal: `{name}({}, {operator}, 5)`",
                key.to_token_stream()
            );
            Err(syn::Error::new(operator.span(), text))
        }
        (false, false) => {
            let span = input.span();
            let literal = literal(input)?;
            let is_order = matches!(*variant, "GreaterThan" | "LessThan");
            if is_order && matches!(literal, Literal::Bool(_)) {
                let text = format!("`{operator}` compares with a number or a text in quotes");
                return Err(syn::Error::new(span, text));
            }
            keyed::comma(input)?;
            Ok(Rule::Value(key, variant, Some(literal)))
        }
    }
}

fn literal(input: ParseStream<'_>) -> syn::Result<Literal> {
    let minus: Option<Token![-]> = input.parse()?;
    let sign = if minus.is_some() { "-" } else { "" };
    // To syn, a sign is part of a number: without this, `--5` would be one.
    if minus.is_some() && input.peek(Token![-]) {
        return Err(input.error("expected a number after `-`"));
    }
    if input.peek(LitInt) {
        return integer(sign, &input.parse()?);
    }
    if input.peek(LitFloat) {
        return float(sign, &input.parse()?);
    }
    if minus.is_some() {
        return Err(input.error("expected a number after `-`"));
    }
    if input.peek(LitStr) {
        return input.parse().map(Literal::Text);
    }
    if input.peek(LitBool) {
        return input.parse().map(Literal::Bool);
    }
    Err(input.error("expected a literal: a text in quotes, a number, `true` or `false`"))
}

fn integer(sign: &str, literal: &LitInt) -> syn::Result<Literal> {
    plain(literal.suffix(), literal.span())?;
    let digits = format!("{sign}{}", literal.base10_digits());
    let signed = digits.parse().map(Literal::Signed);
    signed.or_else(|_| digits.parse().map(Literal::Unsigned)).map_err(|_| {
        let text = format!("integer `{digits}` does not fit into 64 bits");
        syn::Error::new(literal.span(), text)
    })
}

fn float(sign: &str, literal: &LitFloat) -> syn::Result<Literal> {
    plain(literal.suffix(), literal.span())?;
    let digits = format!("{sign}{}", literal.base10_digits());
    match digits.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(Literal::Float(value)),
        _ => {
            let text = format!("number `{digits}` does not fit into 64 bits");
            Err(syn::Error::new(literal.span(), text))
        }
    }
}

/// Refuses the suffix of a number.
fn plain(suffix: &str, span: Span) -> syn::Result<()> {
    match suffix {
        "" => Ok(()),
        suffix => Err(syn::Error::new(span, format!("expected a number without `{suffix}`"))),
    }
}

impl Rule {
    /// Lists the tasks that it names.
    pub(crate) fn tasks(&self) -> Vec<&TaskRef> {
        match self {
            Self::Task(_, task) => vec![task],
            Self::Group(_, rules) => rules.iter().flat_map(Self::tasks).collect(),
            Self::Dependencies(_) | Self::Value(..) => Vec::new(),
        }
    }
}

impl ToTokens for Rule {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(match self {
            Self::Dependencies(variant) => {
                let variant = name(variant);
                quote!(::cloacina_core::TriggerRule::#variant)
            }
            Self::Task(condition, id) => {
                let condition = name(condition);
                quote!(::cloacina_core::TriggerRule::#condition(#id))
            }
            Self::Value(key, operator, literal) => {
                let operator = name(operator);
                let literal = match literal {
                    Some(literal) => quote! {
                        ::core::option::Option::Some(::core::convert::From::from(#literal))
                    },
                    None => quote!(::core::option::Option::None),
                };
                quote! {
                    ::cloacina_core::TriggerRule::context_value(
                        #key,
                        ::cloacina_core::ValueOperator::#operator,
                        #literal
                    )
                }
            }
            Self::Group(combinator, rules) => {
                let combinator = name(combinator);
                quote!(::cloacina_core::TriggerRule::#combinator([#(#rules),*]))
            }
        });
    }
}

impl ToTokens for Literal {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Text(value) => value.to_tokens(tokens),
            Self::Bool(value) => value.to_tokens(tokens),
            Self::Signed(value) => value.to_tokens(tokens),
            Self::Unsigned(value) => value.to_tokens(tokens),
            Self::Float(value) => value.to_tokens(tokens),
        }
    }
}

fn name(text: &str) -> Ident {
    Ident::new(text, Span::call_site())
}
