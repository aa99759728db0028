//! How one task names another: by the path of its function, or by its id.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote_spanned};
use syn::parse::ParseStream;
use syn::spanned::Spanned;
use syn::{LitStr, Path};

use crate::keyed;

/// The name of a task. Its tokens are the expression of the task's id.
#[derive(Clone)]
pub(crate) enum TaskRef {
    /// The task function's path; rustc resolves it.
    Path(Path),
    /// The task's id.
    Id(LitStr),
}

impl TaskRef {
    /// Reads a path or a text in quotes.
    pub(crate) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(LitStr) {
            return input.parse().map(Self::Id);
        }
        if !keyed::starts_path(input) {
            return Err(input.error("expected the path of a task, or its id in quotes"));
        }
        Path::parse_mod_style(input).map(Self::Path)
    }
}

impl ToTokens for TaskRef {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            // Not `META.id`: the constants of two tasks that depend on each other must not.
            Self::Path(path) => tokens.extend(
                quote_spanned!(path.span()=> <#path as ::cloacina_core::TaskDefinition>::ID),
            ),
            Self::Id(id) => id.to_tokens(tokens),
        }
    }
}
