//! What is written beside the code: no link is dead, and the guide is whole.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::house::{files, root};

/// A page without its blocks of code.
fn prose(page: &Path) -> String {
    let text = fs::read_to_string(page).unwrap();
    let mut inside = false;
    let kept = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    });
    kept.collect::<Vec<_>>().join("\n")
}

/// The targets of the links and images of a page that lead to no other host.
fn links(page: &Path) -> Vec<String> {
    let prose = prose(page);
    // What stands in `code` is no link.
    let outside: String = prose.split('`').step_by(2).collect();
    let targets = outside.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).filter(|target| !target.contains(':')).collect()
}

/// The anchors of a page's headings.
fn anchors(page: &Path) -> BTreeSet<String> {
    let prose = prose(page);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

fn guide() -> PathBuf {
    root().join("docs/guide/src")
}

#[test]
fn no_link_is_dead_and_none_leads_out_of_the_guide() {
    for page in files(&root(), ".md") {
        for link in links(&page) {
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let place = page.parent().unwrap().join(path);
            let target = if path.is_empty() { page.clone() } else { plain(&place) };
            assert!(target.exists(), "{}: {link} leads nowhere", page.display());
            let is_there = anchor.is_empty() || anchors(&target).contains(anchor);
            assert!(is_there, "{}: {link} leads to no heading", page.display());
            let stays = !page.starts_with(guide()) || target.starts_with(guide());
            assert!(stays, "{}: {link} is dead in the book", page.display());
        }
    }
}

#[test]
fn every_page_of_the_guide_is_in_its_summary_and_compiled() {
    let summary: BTreeSet<_> = links(&guide().join("SUMMARY.md")).into_iter().collect();
    let compiled = fs::read_to_string(root().join("tests/src/guide.rs")).unwrap();
    let pages: BTreeSet<_> = files(&guide(), ".md")
        .iter()
        .map(|page| page.file_name().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "SUMMARY.md")
        .collect();
    assert_eq!(summary, pages);
    for page in pages {
        assert!(compiled.contains(&format!("\"{page}\"")), "{page} is not compiled");
    }
}

#[test]
fn every_picture_of_the_guide_is_shown() {
    let shown: BTreeSet<_> = files(&guide(), ".md").iter().flat_map(|page| links(page)).collect();
    for picture in files(&guide(), ".svg") {
        let name = picture.file_name().unwrap().to_string_lossy().into_owned();
        assert!(shown.contains(&name), "no page shows {name}");
    }
}
