//! `workflow!`: parse, validate, expand.

mod expand;
mod parse;
mod validate;

#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use quote::quote;

use crate::errors::Errors;

/// Returns the registration; in its place the errors, if there are any.
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let output = analyse(input, &mut errors);
    let errors = errors.into_compile_errors();
    quote!(#errors #output)
}

/// Returns what is to be compiled even when there are errors.
fn analyse(input: TokenStream, errors: &mut Errors) -> TokenStream {
    let parsed = parse::workflow(input, errors);
    validate::workflow(&parsed, errors);
    match (&parsed.name, errors.is_empty()) {
        (Some(name), true) => expand::registration(&name.value, &parsed),
        _ => expand::stub(&parsed),
    }
}
