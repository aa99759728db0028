//! The list of cases holds every case: one that is left out would never run, and nobody would notice.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

macro_rules! names {
    ($($case:ident,)*) => { [$(stringify!($case)),*] };
}

#[test]
fn every_case_is_in_the_list() {
    let listed = cloacina_testing::for_each_case!([names!]);
    assert_complete(&listed, "src/conformance", "fx: &Fixture)");
}

#[test]
fn every_executor_case_is_in_the_list() {
    let listed = cloacina_testing::for_each_executor_case!([names!]);
    assert_complete(&listed, "src/executor_cases", "fx: &ExecutorFixture)");
}

#[test]
fn every_tenant_case_is_in_the_list() {
    let listed = cloacina_testing::for_each_tenant_case!([names!]);
    assert_complete(&listed, "src/tenant_conformance", "fx: &TenantFixture<H>)");
}

fn assert_complete(listed: &[&str], folder: &str, argument: &str) {
    let listed: BTreeSet<String> = listed.iter().copied().map(str::to_owned).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut written = BTreeSet::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let source = fs::read_to_string(entry.unwrap().path()).unwrap();
        for function in source.split("\npub async fn ").skip(1) {
            let name = function.split_once('(');
            if let Some((name, rest)) = name
                && rest.trim_start().starts_with(argument.trim_end_matches(')'))
            {
                let name = name.split('<').next().unwrap_or(name);
                assert!(written.insert(name.to_owned()), "two cases are called `{name}`");
            }
        }
    }
    assert_eq!(listed, written, "left: the list, right: the cases in {}", folder.display());
}
