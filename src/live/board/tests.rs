use std::sync::Arc;
use std::time::Instant;

use super::*;

fn row(id: u64, version: u64) -> Arc<Row> {
    Arc::new(Row { id, version, json: format!(r#"{{"id":{id},"version":{version}}}"#).into() })
}

/// A watched board that the bus has brought to number 1.
fn board() -> Board {
    let board = Board::new("all");
    board.joined();
    board.reloaded(Position { epoch: "e".into(), seq: 0 }, Vec::new(), false);
    board.apply(Some(1), |replica| replica.put(row(1, 1)));
    board.flush();
    board
}

fn resumes(board: &Board, seq: u64) -> bool {
    matches!(board.join(Some(("e", seq))).0, Joined::Resumed(_))
}

#[test]
fn a_reader_without_a_row_that_came_directly_is_never_taken_for_up_to_date() {
    let board = board();
    assert!(resumes(&board, 1));
    // Redis is away: the number stands still, and a reader that was cut off at it lacks this row.
    board.apply(None, |replica| replica.put(row(2, 1)));
    board.flush();
    assert!(!resumes(&board, 1), "the row's news may still come");
    board.lock().ahead_until = Some(Instant::now());
    assert!(!resumes(&board, 1), "who stands at the number may have the row or not");
    board.apply(Some(2), |replica| replica.put(row(3, 1)));
    board.flush();
    assert!(resumes(&board, 2));
    assert!(!resumes(&board, 1));
}

#[test]
fn a_board_that_was_loaded_at_rest_tells_what_came_since() {
    let board = board();
    board.reloaded(Position { epoch: "f".into(), seq: 7 }, Vec::new(), false);
    assert!(matches!(board.join(Some(("f", 7))).0, Joined::Resumed(_)));
    assert!(!resumes(&board, 1), "another epoch");
    board.reloaded(Position { epoch: "f".into(), seq: 7 }, Vec::new(), true);
    assert!(matches!(board.join(Some(("f", 7))).0, Joined::Anew(_)));
}
