//! The real MariaDB behind the real driver, and the proxy between them.

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{ConnectOptions, Connection};

use super::*;
use crate::money::services::{Services, socket_of};

const NEVER: Malice = Malice { at_commit: 0, at_autocommit: 0, elsewhere: 0 };

fn packet(sequence: u8, command: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len() + 1).unwrap().to_le_bytes();
    [&length[..3], &[sequence, command], payload].concat()
}

#[test]
fn a_commit_is_known_by_its_packet_and_a_packet_in_parts_is_waited_for() {
    let mut state = State::default();
    assert_eq!(state.client(&packet(0, COM_QUERY, b"BEGIN")), Packet::Other);
    assert_eq!(state.client(&packet(0, COM_QUERY, b"update t set a = 1")), Packet::Other);
    let commit = packet(0, COM_QUERY, b"COMMIT");
    assert_eq!(state.client(&commit), Packet::Commit);
    assert_eq!(state.client(&packet(1, COM_QUERY, b"COMMIT")), Packet::Other, "not a command");
    assert_eq!(state.client(&packet(0, COM_QUERY, b"update t set a = 1; commit;")), Packet::Commit);
    assert_eq!(state.client(&packet(0, COM_QUERY, b"update t set a = 1")), Packet::AutocommitWrite);
    assert_eq!(packet_length(&commit).unwrap(), Some(commit.len()));
    assert_eq!(packet_length(&commit[..commit.len() - 1]).unwrap(), None);
}

#[test]
fn a_prepared_statement_is_known_again_when_it_is_executed() {
    let mut state = State::default();
    state.client(&packet(0, COM_STMT_PREPARE, b"delete from outgoing where operation_id = ?"));
    state.server(&[12, 0, 0, 1, 0, 7]);
    state.server(&[0, 0, 0, 9, 9]);
    assert_eq!(state.client(&packet(0, COM_STMT_EXECUTE, &[7, 0, 0, 0, 0])), Packet::AutocommitWrite);
    assert_eq!(state.client(&packet(0, COM_STMT_EXECUTE, &[8, 0, 0, 0, 0])), Packet::Other);
    state.client(&packet(0, COM_QUERY, b"BEGIN"));
    assert_eq!(state.client(&packet(0, COM_STMT_EXECUTE, &[7, 0, 0, 0, 0])), Packet::Other);
    state.client(&packet(0, COM_QUERY, b"COMMIT"));
    assert_eq!(state.client(&packet(0, COM_STMT_EXECUTE, &[7, 0, 0, 0, 0])), Packet::AutocommitWrite);
    state.client(&packet(0, COM_QUERY, b"set session autocommit = 0"));
    assert_eq!(state.client(&packet(0, COM_STMT_EXECUTE, &[7, 0, 0, 0, 0])), Packet::Other);
    assert_eq!(state.client(&packet(0, COM_QUERY, b"commit")), Packet::Commit);
}

async fn through(proxy: &Proxy) -> MySqlConnection {
    let url = format!("mysql://root@127.0.0.1:{}/orderboard?ssl-mode=disabled", proxy.port);
    url.parse::<MySqlConnectOptions>().unwrap().connect().await.unwrap()
}

/// Inserts a row in a transaction; whether the client was told that it is there.
async fn insert(proxy: &Proxy, n: i64) -> bool {
    let mut connection = through(proxy).await;
    let mut transaction = connection.begin().await.unwrap();
    sqlx::query("insert into t values (?)").bind(n).execute(&mut *transaction).await.unwrap();
    transaction.commit().await.is_ok()
}

#[tokio::test]
async fn a_cut_at_commit_leaves_the_client_without_knowledge_and_the_row_where_the_server_put_it() {
    let services = Services::start().await.unwrap();
    let mut direct = MySqlConnection::connect(&services.database_url).await.unwrap();
    sqlx::query("create table t (n bigint primary key)").execute(&mut direct).await.unwrap();
    let socket = socket_of(&services.database_url).unwrap();

    let honest = Proxy::start(socket.clone(), NEVER, 1).await.unwrap();
    honest.cut(true);
    assert!(insert(&honest, 0).await);

    let cutting = Proxy::start(socket, Malice { at_commit: 1000, ..NEVER }, 1).await.unwrap();
    assert!(insert(&cutting, 1).await, "not told to cut yet");
    cutting.cut(true);
    for n in 2..42 {
        assert!(!insert(&cutting, n).await);
    }
    let counts = cutting.counts();
    let [sent, answered, before] = [&counts.cut_after_commit_sent, &counts.cut_after_commit_answered, &counts.cut_before_commit]
        .map(|count| i64::try_from(count.load(Ordering::Relaxed)).unwrap());
    assert_eq!(sent + answered + before, 40);
    assert!(sent > 0 && answered > 0 && before > 0);
    // What was answered is there, what was never sent is not; between them only the server knows.
    let rows: i64 = sqlx::query_scalar("select count(*) from t where n >= 2").fetch_one(&mut direct).await.unwrap();
    assert!((answered..=answered + sent).contains(&rows), "{rows} rows, {answered} answered, {sent} sent");
    direct.close().await.unwrap();
    services.stop().await;
}
