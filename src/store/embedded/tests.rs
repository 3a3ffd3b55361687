use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

fn try_open(path: &Path) -> Result<Store, OpenError> {
    open(path, super::super::COLLECTIONS, || Timestamp::from_millis(0))
}

#[test]
fn the_file_and_its_folder_belong_to_their_user_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/clearline.db");
    let _store = try_open(&path).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(path.parent().unwrap()), mode(&path)), (0o700, 0o600));
    assert_eq!(mode(&path.with_extension("db-wal")), 0o600);
}

fn refused_untouched(content: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clearline.db");
    fs::write(&path, content).unwrap();
    let before = fs::metadata(&path).unwrap().permissions();
    let error = try_open(&path).err().unwrap().to_string();
    assert_eq!(fs::read(&path).unwrap(), content, "the file was changed");
    assert_eq!(fs::metadata(&path).unwrap().permissions(), before);
    assert!(error.contains(&path.display().to_string()), "{error}");
    error
}

/// A closed database in one piece, changed by `sql`.
fn database(sql: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch(sql).unwrap();
    drop(connection);
    fs::read(&path).unwrap()
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    assert!(refused_untouched(&[b'x'; 4_096]).contains("damaged"));
}

#[test]
fn a_half_written_database_is_refused_and_left_alone() {
    let rows = "PRAGMA application_id = 0x436c726c; CREATE TABLE users (body); \
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) \
                INSERT INTO users SELECT hex(zeroblob(200)) FROM n;";
    let whole = database(rows);
    assert!(refused_untouched(&whole[..whole.len() / 2]).contains("Restore a backup"));
}

#[test]
fn a_database_of_a_newer_version_is_refused_and_left_alone() {
    let newer = database("PRAGMA application_id = 0x436c726c; PRAGMA user_version = 99; CREATE TABLE t (x);");
    assert!(refused_untouched(&newer).contains("newer Clearline (schema 99"));
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    assert!(refused_untouched(&database("CREATE TABLE t (x);")).contains("another program"));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("data"), "").unwrap();
    let error = try_open(&folder.path().join("data/clearline.db")).err().unwrap().to_string();
    assert!(error.contains("data/clearline.db") && error.contains("store.path"), "{error}");
}

#[tokio::test]
async fn what_was_replaced_or_removed_is_gone_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clearline.db");
    let store = try_open(&path).unwrap();
    let users = &super::super::USERS;
    for (id, secret) in [("u1", "plain-key-of-ada"), ("u2", "plain-key-of-ben")] {
        store.insert(users, id, serde_json::json!({ "name": id, "key": secret })).await.unwrap();
    }
    let sealed = serde_json::json!({ "name": "u1", "key": "sealed" });
    store.compare_and_set(users, "u1", 1, sealed).await.unwrap();
    store.delete(users, "u2", 1).await.unwrap();
    // The next process finds the -wal as one that was killed has left it.
    let _next = try_open(&path).unwrap();
    let files = [path.clone(), path.with_extension("db-wal")].map(|path| fs::read(path).unwrap()).concat();
    let left = String::from_utf8_lossy(&files);
    assert!(left.contains("sealed") && !left.contains("plain-key"));
}
