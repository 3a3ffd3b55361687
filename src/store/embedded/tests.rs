use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::store::Query;

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

#[test]
fn who_opens_a_file_that_another_process_is_making_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clearline.db");
    let maker = rusqlite::Connection::open(&path).unwrap();
    maker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let opened = std::thread::spawn(move || try_open(&path).map(drop));
    std::thread::sleep(Duration::from_millis(200));
    maker.execute_batch("COMMIT").unwrap();
    opened.join().unwrap().unwrap();
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

#[test]
fn a_database_that_a_newer_version_has_migrated_is_refused_and_left_alone() {
    let newer = database(
        "PRAGMA application_id = 0x436c726c; PRAGMA user_version = 1; CREATE TABLE migrations (id, body); \
         INSERT INTO migrations VALUES ('0099:0001', '{\"migration\":99,\"direction\":\"up\",\"state\":\"begun\"}');",
    );
    let error = refused_untouched(&newer);
    assert!(error.contains("migration 99 by a newer Clearline") && error.contains("migrate --to"), "{error}");
}

#[test]
fn two_documents_of_an_older_system_with_one_name_are_named_and_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clearline.db");
    let twins = database(
        "PRAGMA application_id = 0x436c726c; CREATE TABLE users (id TEXT PRIMARY KEY, version INTEGER NOT NULL, \
         created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, body TEXT NOT NULL) STRICT; \
         INSERT INTO users VALUES ('u1', 1, 0, 0, '{\"name\":\"mira\"}'), ('u2', 1, 0, 0, '{\"name\":\"mira\"}'), \
         ('u3', 1, 0, 0, '{}'), ('u4', 1, 0, 0, '{}');",
    );
    fs::write(&path, twins).unwrap();
    let error = try_open(&path).err().unwrap();
    assert!(matches!(error, OpenError::NotUnique { .. }), "{error}");
    assert!(error.to_string().starts_with("u1 and u2 of users have the same name"), "{error}");
    let connection = rusqlite::Connection::open(&path).unwrap();
    let count = connection.query_row("SELECT count(*) FROM users", [], |row| row.get::<_, i64>(0));
    assert_eq!(count, Ok(4));
}

#[test]
fn a_row_that_is_no_json_is_named_with_its_collection_and_id() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clearline.db");
    let broken = database(
        "PRAGMA application_id = 0x436c726c; CREATE TABLE leads (id TEXT PRIMARY KEY, version INTEGER NOT NULL, \
         created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, body TEXT NOT NULL) STRICT; \
         INSERT INTO leads VALUES ('l1', 1, 0, 0, '{}'), ('l2', 1, 0, 0, '{\"fields\":');",
    );
    fs::write(&path, broken).unwrap();
    let error = try_open(&path).err().unwrap().to_string();
    assert!(error.starts_with("leads l2 in the store "), "{error}");
    assert!(error.contains("is no JSON") && error.contains("sqlite3"), "{error}");
}

#[tokio::test]
async fn a_row_that_is_no_json_is_named_by_a_look_that_meets_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clearline.db");
    let store = try_open(&path).unwrap();
    let by_hand = rusqlite::Connection::open(&path).unwrap();
    let row = "INSERT INTO constants (id, version, created_at, updated_at, body) VALUES ('c1', 1, 0, 0, '{')";
    by_hand.execute(row, []).unwrap();
    let look = Query::all(10).leaving_out(&["text"]);
    let error = store.find(&super::super::CONSTANTS, look).await.unwrap_err().to_string();
    assert!(error.starts_with("constants c1 does not have the expected form (it is no JSON)"), "{error}");
}

/// A database of a hundred documents with its log, as a dying process leaves them.
fn left_by_a_crash(folder: &Path) -> PathBuf {
    let path = folder.join("clearline.db");
    let made = tempfile::tempdir().unwrap();
    let store = try_open(&made.path().join("clearline.db")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        for number in 0..100 {
            let body = serde_json::json!({ "text": "x".repeat(200) });
            store.insert(&super::super::CONSTANTS, &format!("c{number:03}"), body).await.unwrap();
        }
    });
    for name in ["clearline.db", "clearline.db-wal"] {
        fs::copy(made.path().join(name), folder.join(name)).unwrap();
    }
    path
}

fn documents_in(path: &Path) -> usize {
    let store = try_open(path).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let all = store.find(&super::super::CONSTANTS, super::super::Query::all(500));
    runtime.block_on(all).unwrap().documents.len()
}

#[test]
fn a_log_that_was_cut_off_loses_what_was_never_answered_and_nothing_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = left_by_a_crash(folder.path());
    let wal = path.with_extension("db-wal");
    let whole = fs::read(&wal).unwrap();
    fs::write(&wal, &whole[..whole.len() - 100]).unwrap();
    assert_eq!(documents_in(&path), 99, "the last commit was torn, those before it are whole");
}

#[test]
fn a_page_of_zeros_is_told_and_the_file_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = left_by_a_crash(folder.path());
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'constants'";
    let root = connection.query_row(root, [], |row| row.get::<_, u32>(0)).unwrap() as usize;
    drop(connection);
    let mut content = fs::read(&path).unwrap();
    content[(root - 1) * 4_096..root * 4_096].fill(0);
    assert!(refused_untouched(&content).contains("damaged"));
}

#[test]
fn a_clock_that_was_set_back_takes_no_document_back_in_time() {
    static CLOCK: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(9_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clearline.db");
    let clock = || Timestamp::from_millis(CLOCK.load(Ordering::Relaxed));
    let store = open(&path, super::super::COLLECTIONS, clock).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let constants = &super::super::CONSTANTS;
        store.insert(constants, "c1", serde_json::json!({})).await.unwrap();
        CLOCK.store(5_000, Ordering::Relaxed);
        let changed =
            store.compare_and_set(constants, "c1", 1, serde_json::json!({ "value": 1 })).await.unwrap();
        let nine = Timestamp::from_millis(9_000);
        assert_eq!((changed.version, changed.created_at, changed.updated_at), (2, nine, nine));
    });
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

fn indexes(path: &Path) -> Vec<String> {
    let connection = rusqlite::Connection::open(path).unwrap();
    let made = "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL";
    let mut statement = connection.prepare(made).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn indexes_of_an_older_version_make_room_for_ours() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clearline.db");
    let older = "PRAGMA application_id = 0x436c726c; PRAGMA user_version = 1; \
                 CREATE TABLE calls (id TEXT PRIMARY KEY, version INTEGER NOT NULL, created_at INTEGER NOT NULL, \
                 updated_at INTEGER NOT NULL, body TEXT NOT NULL) STRICT; \
                 ALTER TABLE calls ADD COLUMN by_owner_id ANY GENERATED ALWAYS AS (json_extract(body, '$.owner_id')) VIRTUAL; \
                 CREATE INDEX calls_by_owner_id ON calls (by_owner_id, id);";
    fs::write(&path, database(older)).unwrap();
    drop(try_open(&path).unwrap());
    let found = indexes(&path);
    assert!(!found.contains(&"calls_by_owner_id".to_owned()), "{found:?}");
    assert!(found.iter().any(|name| name.starts_with("calls_over_owner_id_with")), "{found:?}");
    assert!(found.iter().any(|name| name.starts_with("calls_over_owner_id_then_outcome")), "{found:?}");
}

/// An older version knows the body alone; it may be run again for a while, and then this one.
#[tokio::test]
async fn what_an_older_version_writes_in_between_is_found_by_its_fields() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clearline.db");
    let leads = &super::super::LEADS;
    let store = try_open(&path).unwrap();
    for id in ["l1", "l2"] {
        store.insert(leads, id, serde_json::json!({ "owner_id": "ada" })).await.unwrap();
    }
    drop(store);
    let older = rusqlite::Connection::open(&path).unwrap();
    older
        .execute_batch(
            "DROP INDEX leads_lagging; \
             UPDATE leads SET body = '{\"owner_id\":\"ben\"}', version = version + 1 WHERE id = 'l1'; \
             INSERT INTO leads (id, version, created_at, updated_at, body) VALUES ('l3', 1, 0, 0, '{\"owner_id\":\"ben\"}');",
        )
        .unwrap();
    drop(older);
    let store = try_open(&path).unwrap();
    let found = async |owner: &str| {
        let page = store.find(leads, super::super::Query::equals("owner_id", owner, 9)).await.unwrap();
        page.documents.into_iter().map(|document| document.id).collect::<Vec<_>>()
    };
    assert_eq!(
        (found("ada").await, found("ben").await),
        (vec!["l2".to_owned()], vec!["l1".into(), "l3".into()])
    );
    store.compare_and_set(leads, "l1", 2, serde_json::json!({ "owner_id": "ada" })).await.unwrap();
    assert_eq!(found("ada").await, ["l1", "l2"]);
}

/// Calls with a long transcript, of which hardly any is wanted.
fn with_many_calls(path: &Path) -> rusqlite::Connection {
    drop(try_open(path).unwrap());
    let connection = rusqlite::Connection::open(path).unwrap();
    let calls = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) \
                 INSERT INTO calls (id, version, created_at, updated_at, body) \
                 SELECT printf('%05d', i), 1, 0, 0, json_object('from_number', '+4930', 'tenant_id', 'acme', \
                 'direction', iif(i = 7, 'inbound', 'outbound'), 'said', hex(zeroblob(500))) FROM n";
    connection.execute_batch(calls).unwrap();
    drop(try_open(path).unwrap());
    connection
}

fn inbound_of_one_number() -> super::super::Query {
    let by_number = super::super::Query::equals("from_number", "+4930", 50).and("tenant_id", "acme");
    by_number.and("direction", "inbound").newest_first()
}

#[test]
fn filters_that_nobody_foresaw_together_are_answered_from_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = with_many_calls(&folder.path().join("clearline.db"));
    let query = inbound_of_one_number();
    let looked_at = read::find_within(Duration::from_secs(60), &mut connection, &super::super::CALLS, &query);
    assert_eq!(looked_at.unwrap().documents.len(), 1);
    let index = super::super::CALLS.index_for(&query).unwrap();
    assert!(index_of("calls", index).starts_with("calls_over_from_number_with"), "{index:?}");
}

#[test]
fn a_list_that_takes_too_long_is_given_up_and_the_next_one_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = with_many_calls(&folder.path().join("clearline.db"));
    let query = inbound_of_one_number();
    let calls = &super::super::CALLS;
    let given_up = read::find_within(Duration::ZERO, &mut connection, calls, &query);
    assert_eq!(given_up, Err(StoreError::TooBroad { collection: "calls" }));
    assert!(given_up.unwrap_err().may_pass());
    let answered = read::find_within(Duration::from_secs(60), &mut connection, calls, &query);
    assert_eq!(answered.unwrap().documents.len(), 1);
}
