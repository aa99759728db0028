//! The grammar both macros share: keys with values, and lists, with commas between them.
//!
//! After a mistake, reading goes on behind the next comma, so that every mistake is found in one pass.

use proc_macro2::{Span, TokenTree};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Ident, LitStr, Path, Token};

use crate::errors::Errors;
use crate::suggest;

/// What stands between a key and its value.
#[derive(Clone, Copy)]
pub(crate) enum Separator {
    /// `=`, as in attributes.
    Equals,
    /// `:`, as in struct literals.
    Colon,
}

/// A value, with the key under which it was given.
pub(crate) struct Arg<T> {
    pub(crate) key: Ident,
    pub(crate) value: T,
}

/// Reads `key value, key value, …` to the end of the input and returns the known keys that occur.
///
/// `read` is called with each known key, once, and reads what comes after it.
pub(crate) fn keys(
    input: ParseStream<'_>,
    allowed: &[&str],
    errors: &mut Errors,
    mut read: impl FnMut(&Ident, &mut Errors) -> syn::Result<()>,
) -> Vec<Ident> {
    let mut seen: Vec<Ident> = Vec::new();
    while !input.is_empty() {
        if let Err(error) = key(input, allowed, &mut seen, errors, &mut read) {
            errors.push(error);
            skip(input, starts_key);
        }
    }
    seen
}

fn key(
    input: ParseStream<'_>,
    allowed: &[&str],
    seen: &mut Vec<Ident>,
    errors: &mut Errors,
    read: &mut impl FnMut(&Ident, &mut Errors) -> syn::Result<()>,
) -> syn::Result<()> {
    if !input.peek(Ident::peek_any) {
        let expected = suggest::list(allowed);
        return Err(input.error(format!("expected a key, one of {expected}")));
    }
    let key = Ident::parse_any(input)?;
    if !allowed.iter().any(|name| key == name) {
        let text = suggest::unknown("key", &key.to_string(), allowed);
        return Err(syn::Error::new(key.span(), text));
    }
    if seen.contains(&key) {
        return Err(syn::Error::new(key.span(), format!("key `{key}` is given twice")));
    }
    seen.push(key.clone());
    read(&key, errors)?;
    comma(input)
}

/// Reads `item, item, …` to the end of the input and returns the items that are in order.
pub(crate) fn list<T>(
    input: ParseStream<'_>,
    errors: &mut Errors,
    mut read: impl FnMut(ParseStream<'_>, &mut Errors) -> syn::Result<T>,
) -> Vec<T> {
    let mut items = Vec::new();
    while !input.is_empty() {
        let item = read(input, errors).and_then(|item| comma(input).map(|()| item));
        match item {
            Ok(item) => items.push(item),
            Err(error) => {
                errors.push(error);
                skip(input, |_| true);
            }
        }
    }
    items
}

/// Reads the sign between a key and its value. The other macro's sign is an error too, but reading goes on.
pub(crate) fn separator(
    key: &Ident,
    input: ParseStream<'_>,
    separator: Separator,
    errors: &mut Errors,
) -> syn::Result<()> {
    let wanted = match separator {
        Separator::Equals => '=',
        Separator::Colon => ':',
    };
    let found = if input.peek(Token![=]) {
        let sign: Token![=] = input.parse()?;
        ('=', sign.span)
    } else if input.peek(Token![:]) {
        let sign: Token![:] = input.parse()?;
        (':', sign.span)
    } else {
        let text = format!("key `{key}` needs a value: `{key} {wanted} …`");
        return Err(syn::Error::new(key.span(), text));
    };
    if found.0 != wanted {
        errors.at(found.1, format!("expected `{wanted}` after `{key}`"));
    }
    Ok(())
}

/// Reads a text in quotes; `what` says which.
pub(crate) fn string(key: &Ident, input: ParseStream<'_>, what: &str) -> syn::Result<LitStr> {
    if input.peek(LitStr) {
        return input.parse();
    }
    Err(syn::Error::new(value_span(key, input), format!("key `{key}` takes {what}")))
}

/// Tells why a name cannot be stored, if it cannot, in the words of `Workflow::builder`.
pub(crate) fn refusal(kind: &str, name: &str) -> Option<String> {
    let storable = (1..=255).contains(&name.len()) && !name.contains('\0');
    (!storable).then(|| {
        let name: String = name.chars().take(64).collect();
        format!("{kind} {name:?} is refused: it must have 1 to 255 bytes and no NUL character")
    })
}

/// Returns where a value is missing or wrong: its first token, or the key when nothing follows.
pub(crate) fn value_span(key: &Ident, input: ParseStream<'_>) -> Span {
    if input.is_empty() || input.peek(Token![,]) { key.span() } else { input.span() }
}

/// Returns a path as it is written, without spaces.
pub(crate) fn path_text(path: &Path) -> String {
    let names: Vec<String> = path.segments.iter().map(|part| part.ident.to_string()).collect();
    let lead = if path.leading_colon.is_some() { "::" } else { "" };
    format!("{lead}{}", names.join("::"))
}

/// Tells whether a path can begin here.
pub(crate) fn starts_path(input: ParseStream<'_>) -> bool {
    input.peek(Token![::]) || input.peek(Ident::peek_any) && !input.peek(syn::LitBool)
}

/// Reads the comma after an item, unless the item was the last.
pub(crate) fn comma(input: ParseStream<'_>) -> syn::Result<()> {
    if input.is_empty() {
        return Ok(());
    }
    if !input.peek(Token![,]) {
        return Err(input.error("expected `,`"));
    }
    input.parse::<Token![,]>().map(drop)
}

/// Skips what is left of an item, and the comma behind it. Commas after which no item starts belong to the item.
fn skip(input: ParseStream<'_>, starts_item: impl Fn(ParseStream<'_>) -> bool) {
    while !input.is_empty() {
        let is_comma = input.peek(Token![,]);
        if input.parse::<TokenTree>().is_err() || is_comma && starts_item(input) {
            return;
        }
    }
}

fn starts_key(input: ParseStream<'_>) -> bool {
    let ends = input.peek2(Token![=]) || input.peek2(Token![:]) || input.peek2(Token![,]);
    input.peek(Ident::peek_any)
        && (ends || input.cursor().token_tree().is_some_and(|(_, rest)| rest.eof()))
}
