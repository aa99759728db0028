//! What is written: the keys of `workflow!` with values of the right kind.

use proc_macro2::{Span, TokenStream};
use syn::parse::{ParseStream, Parser};
use syn::{Ident, LitStr, Path, token};

use crate::errors::Errors;
use crate::keyed::{self, Arg, Separator};

/// The keys of `workflow!`, in the order in which they are documented.
pub(super) const KEYS: [&str; 3] = ["name", "description", "tasks"];

/// The macro's input: what is in order, and which keys occur.
#[derive(Default)]
pub(super) struct Workflow {
    /// Every known key that occurs, also when its value is not in order.
    pub(super) seen: Vec<Ident>,
    pub(super) name: Option<Arg<LitStr>>,
    pub(super) description: Option<Arg<LitStr>>,
    /// The brackets around the tasks.
    pub(super) list: Option<Span>,
    pub(super) tasks: Vec<Path>,
    /// Whether something was written between the brackets.
    pub(super) lists_any: bool,
}

/// Reads the macro's input; mistakes go to `errors`.
pub(super) fn workflow(tokens: TokenStream, errors: &mut Errors) -> Workflow {
    let parser = |input: ParseStream<'_>| {
        let mut workflow = Workflow::default();
        let read = |key: &Ident, errors: &mut Errors| value(key, input, &mut workflow, errors);
        workflow.seen = keyed::keys(input, &KEYS, errors, read);
        Ok(workflow)
    };
    match parser.parse2(tokens) {
        Ok(workflow) => workflow,
        Err(error) => {
            errors.push(error);
            Workflow::default()
        }
    }
}

/// Reads what comes after one key.
fn value(
    key: &Ident,
    input: ParseStream<'_>,
    workflow: &mut Workflow,
    errors: &mut Errors,
) -> syn::Result<()> {
    keyed::separator(key, input, Separator::Colon, errors)?;
    match key.to_string().as_str() {
        "name" => {
            let value = keyed::string(key, input, "a text in quotes")?;
            workflow.name = Some(Arg { key: key.clone(), value });
        }
        "description" => {
            let value = keyed::string(key, input, "a text in quotes")?;
            workflow.description = Some(Arg { key: key.clone(), value });
        }
        "tasks" => tasks(key, input, workflow, errors)?,
        _ => {}
    }
    Ok(())
}

fn tasks(
    key: &Ident,
    input: ParseStream<'_>,
    workflow: &mut Workflow,
    errors: &mut Errors,
) -> syn::Result<()> {
    if !input.peek(token::Bracket) {
        let text = "key `tasks` takes a list: `[extract, other::load]`";
        return Err(syn::Error::new(keyed::value_span(key, input), text));
    }
    let content;
    let brackets = syn::bracketed!(content in input);
    workflow.list = Some(brackets.span.join());
    workflow.lists_any = !content.is_empty();
    workflow.tasks = keyed::list(&content, errors, |input, _| {
        if !keyed::starts_path(input) {
            return Err(input.error("expected the path of a task"));
        }
        Path::parse_mod_style(input)
    });
    Ok(())
}
