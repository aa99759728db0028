//! What the function takes and returns, and whether the generated code can call it.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    Attribute, FnArg, GenericArgument, PathArguments, PathSegment, ReturnType, Safety, Type,
    TypePath,
};

use super::parse::{Function, Options};
use crate::errors::Errors;

/// What the function takes and returns.
pub(super) struct Signature<'a> {
    pub(super) arguments: Vec<Argument<'a>>,
    pub(super) returns: Returns<'a>,
}

/// One argument.
pub(super) enum Argument<'a> {
    /// A reference to the context, with its type.
    Context(&'a Type),
    /// What implements `TaskArgument`.
    Value(&'a Type),
}

impl Signature<'_> {
    /// Lists the types of what is taken by value.
    pub(super) fn values(&self) -> Vec<&Type> {
        let values = self.arguments.iter().filter_map(|argument| match argument {
            Argument::Context(_) => None,
            Argument::Value(ty) => Some(*ty),
        });
        values.collect()
    }
}

/// What the function returns.
pub(super) enum Returns<'a> {
    /// Nothing.
    Unit,
    /// A `Result` with that type, as it is called nearly always.
    Result(&'a Type),
    /// A value, or a `Result` under another name: rustc finds out.
    Other(&'a Type),
}

/// Checks that the generated code can call the function; mistakes go to `errors`.
pub(super) fn check<'a>(
    options: &Options,
    function: &'a Function,
    errors: &mut Errors,
) -> Signature<'a> {
    let sig = &function.sig;
    let name = &sig.ident;
    match (&sig.asyncness, options.key("blocking")) {
        (Some(token), Some(_)) => {
            let text = format!("task `{name}` is `blocking`, so it must be a plain `fn`");
            errors.at(token.span, text);
        }
        (None, None) => {
            let text = format!(
                "task `{name}` must be an `async fn`; a plain `fn` takes `#[task(blocking)]`"
            );
            errors.at(sig.fn_token.span, text);
        }
        _ => {}
    }
    if !sig.generics.params.is_empty() {
        errors.on(&sig.generics, format!("task `{name}` cannot have generic parameters"));
    }
    if let Some(clause) = &sig.generics.where_clause {
        errors.on(clause, format!("task `{name}` cannot have a `where` clause"));
    }
    if let Safety::Unsafe(token) = &sig.safety {
        errors.at(token.span, format!("task `{name}` cannot be `unsafe`"));
    }
    if let Some(variadic) = &sig.variadic {
        errors.on(variadic, format!("task `{name}` cannot be variadic"));
    }
    if !function.has_body {
        errors.at(name.span(), format!("task `{name}` has no body"));
    }
    let (arguments, returns) = (arguments(function, errors), returns(function, errors));
    if sig.generics.params.is_empty() {
        return Signature { arguments, returns };
    }
    // Outside of the function, nobody knows its parameters.
    Signature { arguments: Vec::new(), returns: Returns::Unit }
}

fn arguments<'a>(function: &'a Function, errors: &mut Errors) -> Vec<Argument<'a>> {
    let name = &function.sig.ident;
    let mut arguments = Vec::new();
    let mut has_context = false;
    for argument in &function.sig.inputs {
        let typed = match argument {
            FnArg::Typed(typed) => typed,
            FnArg::Receiver(receiver) => {
                let text = format!(
                    "task `{name}` cannot take `self`: a task is a function of its own, not a method"
                );
                errors.on(receiver, text);
                continue;
            }
        };
        let is_condition =
            |attr: &&Attribute| attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr");
        if let Some(attribute) = typed.attrs.iter().find(is_condition) {
            let text = format!("task `{name}` takes an argument always: put `#[cfg]` on the task");
            errors.on(attribute, text);
        } else if has(typed.ty.to_token_stream(), &|token, _| is_ident(token, "impl")) {
            errors.on(&typed.ty, format!("task `{name}` cannot have generic parameters"));
        } else if !is_reference(&typed.ty) {
            arguments.push(Argument::Value(&typed.ty));
        } else if std::mem::replace(&mut has_context, true) {
            let text = format!("task `{name}` takes its context twice; all else is taken by value");
            errors.on(&typed.ty, text);
        } else {
            arguments.push(Argument::Context(&typed.ty));
        }
    }
    arguments
}

/// Tells whether a type is a reference. What it refers to is rustc's to check: it may be an alias.
fn is_reference(ty: &Type) -> bool {
    match ty {
        Type::Reference(_) => true,
        Type::Group(group) => is_reference(&group.elem),
        Type::Paren(paren) => is_reference(&paren.elem),
        _ => false,
    }
}

fn returns<'a>(function: &'a Function, errors: &mut Errors) -> Returns<'a> {
    let name = &function.sig.ident;
    let ty = match &function.sig.output {
        ReturnType::Default => return Returns::Unit,
        ReturnType::Type(_, ty) => ungrouped(ty),
    };
    let mistake = match ty {
        Type::Never(_) => Some("has to return"),
        _ if has(ty.to_token_stream(), &|token, _| is_ident(token, "impl")) => {
            Some("has to name the type that it returns, for those who take it")
        }
        _ if has(ty.to_token_stream(), &borrows) => {
            Some("has to return what it owns, since it is stored")
        }
        _ => None,
    };
    if let Some(mistake) = mistake {
        errors.on(ty, format!("task `{name}` {mistake}"));
        return Returns::Unit;
    }
    let value = match last_segment(ty) {
        Some(segment) if segment.ident == "Result" => first_type(segment),
        _ => None,
    };
    let stored = value.unwrap_or(ty);
    if has(stored.to_token_stream(), &|token, _| is_punct(token, '&')) {
        let text = format!(
            "task `{name}` has to return what it owns, such as `String` for `&'static str`"
        );
        errors.on(stored, text);
        return Returns::Unit;
    }
    value.map_or(Returns::Other(ty), Returns::Result)
}

/// Returns a type without what a macro put around it.
fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped(&group.elem),
        Type::Paren(paren) => ungrouped(&paren.elem),
        ty => ty,
    }
}

fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(TypePath { qself: None, path, .. }) => path.segments.last(),
        _ => None,
    }
}

/// Returns the first type in angle brackets.
fn first_type(segment: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

/// Tells whether a token, given with its follower, is found at any depth.
fn has(tokens: TokenStream, wanted: &dyn Fn(&TokenTree, Option<&TokenTree>) -> bool) -> bool {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    tokens.iter().enumerate().any(|(at, token)| match token {
        TokenTree::Group(group) => has(group.stream(), wanted),
        token => wanted(token, tokens.get(at + 1)),
    })
}

/// Tells whether a token begins a borrow of the arguments: a reference or a lifetime, other than to what is `'static`.
fn borrows(token: &TokenTree, next: Option<&TokenTree>) -> bool {
    match token {
        TokenTree::Punct(punct) if punct.as_char() == '&' => {
            !matches!(next, Some(TokenTree::Punct(next)) if next.as_char() == '\'')
        }
        TokenTree::Punct(punct) if punct.as_char() == '\'' => {
            !next.is_some_and(|next| is_ident(next, "static"))
        }
        _ => false,
    }
}

fn is_punct(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

fn is_ident(token: &TokenTree, name: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == name)
}
