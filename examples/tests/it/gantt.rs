//! The picture.

use cloacina_examples::wf::{bakery, pack, write_gantt};

use crate::{execute, settings};

#[test]
fn intervals_go_to_the_lowest_lane_that_is_free() {
    let lanes = pack(&[(0, 10), (2, 4), (4, 6), (3, 5), (5, 5), (10, 11)]);
    assert_eq!(lanes.of, [0, 1, 1, 2, 2, 0]);
    assert_eq!(lanes.count, 3);
    assert_eq!(pack(&[]).count, 0);
}

#[tokio::test]
async fn the_picture_names_what_it_shows_as_text() {
    let folder = tempfile::tempdir().unwrap();
    let mut instance = bakery().unwrap();
    "bread & <rolls>".clone_into(&mut instance.name);
    let ended = execute(&instance, &settings(folder.path(), false)).await;
    let path = folder.path().join("out.svg");
    write_gantt(&path, &instance, &ended).unwrap();
    let svg = std::fs::read_to_string(path).unwrap();
    assert!(svg.starts_with("<svg "), "{svg}");
    assert!(svg.contains("bread &amp; &lt;rolls&gt;: 16 tasks in "), "{svg}");
    assert!(svg.contains("bake (3)"), "{svg}");
    assert!(svg.matches("<rect ").count() >= 16, "{svg}");
}
