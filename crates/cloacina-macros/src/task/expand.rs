//! What is compiled: the function as it was, a type of its name, and the type's `TaskDefinition`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, Ident, ReturnType, Type};

use super::parse::Function;
use super::signature::{Argument, Returns};
use super::validate::{Retry, Task};
use crate::duration;
use crate::reference::TaskRef;
use crate::rules::Rule;

/// Expands a task in which no error was found.
pub(super) fn definition(function: &Function, task: &Task<'_>, fingerprint: &str) -> TokenStream {
    let item = &function.item;
    let named = task.trigger_rules.map(Rule::tasks).unwrap_or_default();
    let definition = implementation(function, task, fingerprint, &named, &build(function, task));
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
    // What the rules name is resolved, but not checked: of what the arguments imply, some may be missing.
    let named = task.trigger_rules.map(Rule::tasks).unwrap_or_default();
    let body = quote!(#(let _ = #named;)* ::core::unreachable!());
    let definition = implementation(function, task, "", &[], &body);
    quote!(#item #definition)
}

/// Returns the type and its `TaskDefinition`, of which `body` makes the task.
fn implementation(
    function: &Function,
    task: &Task<'_>,
    fingerprint: &str,
    rule_tasks: &[&TaskRef],
    body: &TokenStream,
) -> TokenStream {
    let (vis, name, id) = (&function.vis, &function.sig.ident, &task.id);
    let cfgs: Vec<&Attribute> =
        function.attrs.iter().filter(|attr| attr.path().is_ident("cfg")).collect();
    let hidden = function.attrs.iter().filter(|attr| is_doc_hidden(attr));
    let doc =
        format!("Stands for the task [`{name}`](fn@{name}) in `dependencies` and in `workflow!`.");
    let dependencies = dependencies(name, task);
    // What is wrong with the type as a type of others, such as that it is private, is said where it stands.
    let (span, output) = match &task.signature.returns {
        Returns::Unit => (name.span(), quote!(())),
        Returns::Result(ty) => (ty.span(), quote!(#ty)),
        Returns::Other(ty) => {
            let is_result = is_result(ty);
            let returns = quote!(::cloacina_core::__private::Returns<#is_result>);
            (ty.span(), quote_spanned!(ty.span()=> <#ty as #returns>::Value))
        }
    };
    // What is wrong with the type as a type of others, such as that it is private, is said where it stands.
    let output = quote_spanned!(span=> type Output = #output;);
    quote! {
        #(#cfgs)*
        #(#hidden)*
        #[doc = #doc]
        #[allow(non_camel_case_types)]
        #[derive(::core::fmt::Debug, ::core::clone::Clone, ::core::marker::Copy)]
        #vis struct #name {}

        #(#cfgs)*
        #[automatically_derived]
        #[allow(deprecated)]
        impl ::cloacina_core::TaskDefinition for #name {
            #output

            const ID: &'static ::core::primitive::str = #id;

            const META: ::cloacina_core::TaskMeta = ::cloacina_core::TaskMeta {
                id: Self::ID,
                dependencies: #dependencies,
                rule_tasks: &[#(#rule_tasks),*],
                fingerprint: #fingerprint,
            };

            fn task() -> ::cloacina_core::Task {
                #body
            }
        }
    }
}

/// Returns the expression of the ids on which the task depends: those that were given, and those that its arguments imply.
fn dependencies(name: &Ident, task: &Task<'_>) -> TokenStream {
    let given = &task.dependencies;
    let values = task.signature.values();
    if values.is_empty() {
        return quote!(&[#(#given),*]);
    }
    let taken = values.into_iter().map(
        |ty| quote_spanned!(ty.span()=> <#ty as ::cloacina_core::TaskArgument<#name>>::DEPENDENCY),
    );
    quote!({
        const GIVEN: &[&::core::primitive::str] = &[#(#given),*];
        const TAKEN: &[::core::option::Option<&::core::primitive::str>] = &[#(#taken),*];
        &::cloacina_core::__private::joined::<
            { ::cloacina_core::__private::joined_len(GIVEN, TAKEN) }
        >(GIVEN, TAKEN)
    })
}

/// Returns the expression that makes the task.
fn build(function: &Function, task: &Task<'_>) -> TokenStream {
    let meta = quote!(<Self as ::cloacina_core::TaskDefinition>::META);
    let mut built = constructor(function, task);
    if !task.dependencies.is_empty() || !task.signature.values().is_empty() {
        built
            .extend(quote!(.depends_on(::core::iter::Iterator::copied(#meta.dependencies.iter()))));
    }
    if let Some(retry) = &task.retry {
        let policy = policy(retry);
        built.extend(quote!(.retry(#policy)));
    }
    if let Some(timeout) = task.timeout {
        let timeout = duration::expression(timeout);
        built.extend(quote!(.timeout(#timeout)));
    }
    if let Some(durability) = task.durability.map(name) {
        built.extend(quote!(.durability(::cloacina_core::Durability::#durability)));
    }
    if let Some(rule) = task.trigger_rules {
        built.extend(quote!(.trigger_rules(#rule)));
    }
    let built = quote!(#built.fingerprint(#meta.fingerprint));
    task.signature.values().into_iter().fold(built, |built, ty| {
        quote_spanned!(ty.span()=> <#ty as ::cloacina_core::TaskArgument<Self>>::declare(#built))
    })
}

/// Returns the call that makes a task of a closure, which calls the function. Its spans make rustc point at the function's
/// result and at its arguments when a type does not fit.
fn constructor(function: &Function, task: &Task<'_>) -> TokenStream {
    let name = &function.sig.ident;
    let result = match &function.sig.output {
        ReturnType::Default => at(name.span()),
        ReturnType::Type(_, ty) => at(ty.span()),
    };
    let run = Ident::new("run", Span::mixed_site());
    let context = Ident::new("context", Span::mixed_site());
    let mut takes = TokenStream::new();
    let mut values = Vec::new();
    for (place, argument) in task.signature.arguments.iter().enumerate() {
        match argument {
            Argument::Context(ty) => {
                values.push(quote_spanned! {at(ty.span())=>
                    <#ty as ::cloacina_core::__private::ContextArgument<'_, Self>>::borrow(#context)
                });
            }
            Argument::Value(ty) => {
                let value = Ident::new(&format!("argument_{place}"), at(ty.span()));
                takes.extend(quote_spanned! {at(ty.span())=>
                    let #value = <#ty as ::cloacina_core::TaskArgument<Self>>::take(#run)?;
                });
                values.push(quote!(#value));
            }
        }
    }
    let wait = (!task.blocking).then(|| quote_spanned!(result=> .await));
    let mut called = name.clone();
    called.set_span(name.span().located_at(result));
    let call = quote_spanned!(result=> #called(#(#values),*) #wait);
    let output = match &task.signature.returns {
        Returns::Unit => {
            quote_spanned!(result=> ::cloacina_core::__private::value::<Self>(#call))
        }
        Returns::Other(ty) => {
            let is_result = is_result(ty);
            quote_spanned! {result=>
                ::cloacina_core::__private::returned::<Self, _, #is_result>(#call)
            }
        }
        Returns::Result(_) => {
            quote_spanned!(result=> ::cloacina_core::__private::result::<Self, _>(#call))
        }
    };
    if task.blocking {
        return quote_spanned! {result=>
            ::cloacina_core::__private::blocking(Self::ID, |#context, #run| {
                #takes
                #output
            })
        };
    }
    quote_spanned! {result=>
        ::cloacina_core::__private::asynchronous(Self::ID, |#context, #run| {
            ::std::boxed::Box::pin(async move {
                #takes
                #output
            })
        })
    }
}

/// Returns the constant that tells whether a type is a `Result`, whatever it is called.
fn is_result(ty: &Type) -> TokenStream {
    quote_spanned! {ty.span()=> {
        #[allow(unused_imports)]
        use ::cloacina_core::__private::IsNoResult as _;
        ::cloacina_core::__private::Returned::<#ty>::IS_RESULT
    }}
}

fn at(span: Span) -> Span {
    Span::mixed_site().located_at(span)
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
