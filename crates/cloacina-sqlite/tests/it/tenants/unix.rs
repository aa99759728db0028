//! Permissions and links.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn only_the_owner_can_read_anything() {
    let place = Place::new();
    let (acme, backend) = place.busy("acme").await;
    worker(&backend, LONG).await;
    assert_eq!(mode(place.tenants.path()), 0o700);
    let names = place.names();
    assert_eq!(names.len(), 4, "the database, its log and index, a lock: {names:?}");
    for name in names.iter().map(String::as_str).chain([".lock"]) {
        assert_eq!(mode(&place.path(name)), 0o600, "{name}");
    }
    let copy = place.root.path().join("copy.db");
    place.tenants.backup(&acme, &copy).await.unwrap();
    assert_eq!(mode(&copy), 0o600);
}

#[test]
fn a_folder_that_others_may_write_to_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("tenants");
    std::fs::create_dir(&folder).unwrap();
    for (bits, taken) in [(0o770, false), (0o702, false), (0o1777, false), (0o755, true)] {
        std::fs::set_permissions(&folder, Permissions::from_mode(bits)).unwrap();
        match SqliteTenants::new(&folder) {
            Ok(_) => assert!(taken, "{bits:o}"),
            Err(error) => {
                assert!(!taken, "{bits:o}: {error}");
                let said = error.to_string();
                assert!(said.contains("chmod go-w") && said.contains("tenants"), "{said}");
                assert!(!folder.join(".lock").exists());
            }
        }
        assert_eq!(mode(&folder), bits, "it was changed silently");
    }
}

#[tokio::test]
async fn links_are_not_followed() {
    let place = Place::new();
    let (_, backend) = place.busy("acme").await;
    backend.close().await;
    let outside = place.root.path().join("outside.db");
    std::fs::copy(place.path("acme.db"), &outside).unwrap();
    symlink(&outside, place.path("link.db")).unwrap();
    symlink(place.root.path().join("nothing.db"), place.path("dangling.db")).unwrap();
    symlink(place.path("acme.db"), place.path("inside.db")).unwrap();
    for name in ["link", "dangling", "inside"] {
        refuses(&place, &tenant(name), "symbolic link").await;
    }
    assert_eq!(place.list().await, ["acme"]);
    assert!(outside.exists() && !place.root.path().join("nothing.db").exists());
    for ending in ["-wal", "-shm", "-journal"] {
        let beside = place.path(&format!("acme.db{ending}"));
        symlink(place.root.path().join("log"), &beside).unwrap();
        refuses(&place, &tenant("acme"), "symbolic link").await;
        std::fs::remove_file(beside).unwrap();
    }
    assert!(!place.root.path().join("log").exists());
    assert!(place.tenants.exists(&tenant("acme")).await.unwrap());
}
