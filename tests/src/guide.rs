//! The pages of the guide, whose snippets are compiled and run as doc tests.

macro_rules! pages {
    ($($name:ident: $file:literal,)*) => {
        $(
            #[doc = include_str!(concat!("../../docs/guide/src/", $file))]
            pub mod $name {}
        )*
    };
}

pages! {
    configuration: "configuration.md",
    first_workflow: "first-workflow.md",
    introduction: "introduction.md",
    metrics_and_tracing: "metrics-and-tracing.md",
    operating: "operating.md",
    original_guide: "original-guide.md",
    production: "production.md",
    retries_and_timeouts: "retries-and-timeouts.md",
    rules_and_failures: "rules-and-failures.md",
    tasks_and_data: "tasks-and-data.md",
    tenants_postgres: "tenants-postgres.md",
    tenants_sqlite: "tenants-sqlite.md",
    testing: "testing.md",
    web_service: "web-service.md",
}
