//! What is compiled: one anonymous constant that registers the workflow.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{LitStr, Path};

use super::parse::Workflow;

/// Expands a workflow in which no error was found.
pub(super) fn registration(name: &LitStr, workflow: &Workflow) -> TokenStream {
    let description = workflow.description.as_ref().map(|given| {
        let text = &given.value;
        quote!(.description(#text))
    });
    let tasks = workflow.tasks.iter().map(|path| associated(path, &quote!(task)));
    let metas = workflow.tasks.iter().map(|path| associated(path, &quote!(META)));
    // One constant a task: what is wrong with it is an error at its path.
    let reports = workflow
        .tasks
        .iter()
        .enumerate()
        .map(|(place, path)| quote_spanned!(path.span()=> const _: () = CHECK.report(#place);));
    let count = workflow.tasks.len();
    quote! {
        const _: () = {
            const TASKS: &[::cloacina_core::TaskMeta; #count] = &[#(#metas),*];
            #[allow(long_running_const_eval)]
            const CHECK: &::cloacina_core::__private::Check<
                #count,
                { ::cloacina_core::__private::count_dependencies(TASKS) }
            > = &::cloacina_core::__private::Check::new(#name, TASKS);
            #(#reports)*
            // Not one call a task: what rustc takes for a chain of calls grows with its square.
            const MAKERS: &[fn() -> ::cloacina_core::Task] = &[#(#tasks),*];
            ::cloacina_core::__private::inventory::submit! {
                ::cloacina_core::Registration::new(#name, || {
                    ::cloacina_core::Workflow::builder(#name)
                        #description
                        .tasks(::core::iter::Iterator::map(MAKERS.iter(), |make| make()))
                        .build()
                })
            }
        };
    }
}

/// Expands a workflow with errors: rustc still resolves its tasks, so that misspelt ones are reported too.
pub(super) fn stub(workflow: &Workflow) -> TokenStream {
    let metas = workflow.tasks.iter().map(|path| associated(path, &quote!(META)));
    quote! {
        const _: () = {
            #(let _ = #metas;)*
        };
    }
}

/// Returns an item of a task's `TaskDefinition`, at the path's place in the source.
fn associated(path: &Path, item: &TokenStream) -> TokenStream {
    quote_spanned!(path.span()=> <#path as ::cloacina_core::TaskDefinition>::#item)
}
