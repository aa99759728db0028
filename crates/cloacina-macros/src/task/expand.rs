//! What is compiled: the function as it was, a type of its name, and the type's `TaskDefinition`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, Ident, ReturnType};

use super::parse::Function;
use super::validate::{Argument, Retry, Task};
use crate::duration;
use crate::rules::Rule;

/// Expands a task in which no error was found.
pub(super) fn definition(function: &Function, task: &Task<'_>, fingerprint: &str) -> TokenStream {
    let item = &function.item;
    let definition = implementation(function, task, fingerprint, &build(function, task));
    quote!(#item #definition)
}

/// Expands a task with errors: what others may name exists, and nothing of it is run.
pub(super) fn stub(function: &Function, task: &Task<'_>) -> TokenStream {
    let Function { attrs, vis, sig, item, .. } = function;
    let item = match function.has_body {
        true => quote!(#[allow(dead_code)] #item),
        false => quote! {
            #(#attrs)*
            #[allow(dead_code, unused_variables)]
            #vis #sig { ::core::unreachable!() }
        },
    };
    // Beside a method, neither a type nor an implementation may stand.
    if matches!(sig.inputs.first(), Some(FnArg::Receiver(_))) {
        return item;
    }
    let definition = implementation(function, task, "", &quote!(::core::unreachable!()));
    quote!(#item #definition)
}

/// Returns the type and its `TaskDefinition`, of which `body` makes the task.
fn implementation(
    function: &Function,
    task: &Task<'_>,
    fingerprint: &str,
    body: &TokenStream,
) -> TokenStream {
    let (vis, name, id) = (&function.vis, &function.sig.ident, &task.id);
    let cfgs: Vec<&Attribute> =
        function.attrs.iter().filter(|attr| attr.path().is_ident("cfg")).collect();
    let hidden = function.attrs.iter().filter(|attr| is_doc_hidden(attr));
    let doc =
        format!("Stands for the task [`{name}`](fn@{name}) in `dependencies` and in `workflow!`.");
    let dependencies = &task.dependencies;
    let rule_tasks = task.trigger_rules.map(Rule::tasks).unwrap_or_default();
    quote! {
        #(#cfgs)*
        #(#hidden)*
        #[doc = #doc]
        #[allow(non_camel_case_types)]
        #[derive(Debug, Clone, Copy)]
        #vis struct #name {}

        #(#cfgs)*
        #[automatically_derived]
        #[allow(deprecated)]
        impl ::cloacina_core::TaskDefinition for #name {
            const ID: &'static str = #id;
            const META: ::cloacina_core::TaskMeta = ::cloacina_core::TaskMeta {
                id: Self::ID,
                dependencies: &[#(#dependencies),*],
                rule_tasks: &[#(#rule_tasks),*],
                fingerprint: #fingerprint,
            };

            fn task() -> ::cloacina_core::Task {
                #body
            }
        }
    }
}

/// Returns the expression that makes the task.
fn build(function: &Function, task: &Task<'_>) -> TokenStream {
    let meta = quote!(<Self as ::cloacina_core::TaskDefinition>::META);
    let mut built = constructor(function, task, &meta);
    if !task.dependencies.is_empty() {
        built.extend(quote!(.depends_on(#meta.dependencies.iter().copied())));
    }
    if let Some(retry) = &task.retry {
        let policy = policy(retry);
        built.extend(quote!(.retry(#policy)));
    }
    if let Some(timeout) = task.timeout {
        let timeout = duration::expression(timeout);
        built.extend(quote!(.timeout(#timeout)));
    }
    if let Some(rule) = task.trigger_rules {
        built.extend(quote!(.trigger_rules(#rule)));
    }
    quote!(#built.fingerprint(#meta.fingerprint))
}

/// Returns the call of `Task::new` or `Task::blocking`. Its spans make rustc point at the function's result and at its
/// arguments when a type does not fit.
fn constructor(function: &Function, task: &Task<'_>, meta: &TokenStream) -> TokenStream {
    let name = &function.sig.ident;
    let at = |span: Span| Span::mixed_site().located_at(span);
    let result = at(match &function.sig.output {
        ReturnType::Default => name.span(),
        ReturnType::Type(_, ty) => ty.span(),
    });
    let run = Ident::new("_run", Span::mixed_site());
    let mut context = Ident::new("context", Span::mixed_site());
    let mut values = Vec::new();
    for argument in &task.arguments {
        match argument {
            Argument::Context(ty) => {
                context.set_span(at(ty.span()));
                values.push(context.clone());
            }
        }
    }
    let call = quote_spanned!(result=> #name(#(#values),*));
    if task.blocking {
        return quote_spanned! {result=>
            ::cloacina_core::Task::blocking(#meta.id, |#context, #run| #call)
        };
    }
    quote_spanned! {result=>
        ::cloacina_core::Task::new(#meta.id, |#context, #run| {
            ::std::boxed::Box::pin(async move { #call.await })
        })
    }
}

/// Returns the expression that makes the retry policy, with the calls for what was given only.
fn policy(retry: &Retry<'_>) -> TokenStream {
    let attempts = retry.attempts;
    let mut policy = quote!(::cloacina_core::RetryPolicy::new(#attempts));
    let durations = [
        ("initial_delay", retry.delay),
        ("max_delay", retry.max_delay),
        ("max_elapsed", retry.max_elapsed),
    ];
    for (method, given) in durations {
        if let Some(given) = given {
            let method = name(method);
            let given = duration::expression(given);
            policy.extend(quote!(.#method(#given)));
        }
    }
    if let Some(backoff) = &retry.backoff {
        let variant = name(backoff.variant);
        let factor = backoff.factor.map(|factor| quote!({ factor: #factor }));
        policy.extend(quote!(.backoff(::cloacina_core::Backoff::#variant #factor)));
    }
    if let Some(jitter) = retry.jitter.map(name) {
        policy.extend(quote!(.jitter(::cloacina_core::Jitter::#jitter)));
    }
    if let Some(path) = retry.retry_on {
        policy.extend(quote!(.retry_on(#path)));
    }
    policy
}

fn name(text: &str) -> Ident {
    Ident::new(text, Span::call_site())
}

fn is_doc_hidden(attr: &Attribute) -> bool {
    attr.path().is_ident("doc")
        && attr.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "hidden")
}
