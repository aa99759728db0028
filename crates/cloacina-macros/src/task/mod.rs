//! `#[task]`: parse the attribute and the function, validate both together, expand.

mod expand;
mod parse;
mod signature;
mod validate;

#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use quote::quote;

use crate::errors::Errors;
use crate::fingerprint::fingerprint;

/// Returns the function, its type and the type's `TaskDefinition`; in front of them the errors, if there are any.
pub(crate) fn expand(options: &TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let output = analyse(options, item, &mut errors);
    let errors = errors.into_compile_errors();
    quote!(#errors #output)
}

/// Returns what is to be compiled even when there are errors, so that no further error follows from them.
fn analyse(options: &TokenStream, item: TokenStream, errors: &mut Errors) -> TokenStream {
    let parsed = parse::options(options.clone(), errors);
    let function = match parse::function(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            errors.push(error);
            return item;
        }
    };
    let task = validate::task(&parsed, &function, errors);
    if errors.is_empty() {
        let fingerprint = fingerprint(options, &function.code);
        expand::definition(&function, &task, &fingerprint)
    } else {
        expand::stub(&function, &task)
    }
}
