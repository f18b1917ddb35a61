use super::*;
use crate::replica::checksum;
use crate::watch::wire;

fn framed(payload: &str) -> Vec<u8> {
    [wire::head(wire::TEXT, payload.len(), 0), payload.as_bytes().to_vec()].concat()
}

fn find(book: &mut Book, after: u64, payload: &str) -> u64 {
    book.find(after, &framed(payload), payload.as_bytes())
}

fn snapshot(seq: u64, rows: &[(u64, u64)]) -> String {
    let sum = checksum(rows.iter().copied());
    let rows: Vec<String> = rows.iter().map(|(id, version)| format!(r#"{{"id":{id},"version":{version}}}"#)).collect();
    format!(r#"{{"type":"snapshot","board":"all","epoch":"e","seq":{seq},"checksum":{sum},"orders":[{}]}}"#, rows.join(","))
}

fn diff(prev: u64, seq: u64, rows: &[(u64, u64)]) -> String {
    let rows: Vec<String> = rows.iter().map(|(id, version)| format!(r#"{{"id":{id},"version":{version}}}"#)).collect();
    format!(r#"{{"type":"diff","board":"all","epoch":"e","prev":{prev},"seq":{seq},"up":[{}],"rm":[]}}"#, rows.join(","))
}

fn tick(seq: u64, rows: &[(u64, u64)]) -> String {
    format!(r#"{{"type":"tick","board":"all","epoch":"e","seq":{seq},"checksum":{}}}"#, checksum(rows.iter().copied()))
}

fn begun() -> Book {
    let mut book = Book::new(Reading::Board);
    find(&mut book, 0, &snapshot(5, &[(9, 1), (7, 3)]));
    assert!(book.is_proved());
    book
}

#[test]
fn the_same_bytes_are_the_same_page_whatever_came_before() {
    let mut book = begun();
    let (a, b) = (diff(5, 6, &[(9, 2)]), diff(6, 7, &[(7, 4)]));
    let first = find(&mut book, 1, &a);
    let second = find(&mut book, first, &b);
    assert_eq!((find(&mut book, 1, &a), find(&mut book, first, &b)), (first, second));
    assert_eq!(find(&mut book, second, &a), first);
    assert_ne!(first, second);
}

#[test]
fn the_copy_is_proved_by_a_tick_and_a_wrong_checksum_is_a_mismatch() {
    let mut book = begun();
    find(&mut book, 0, &diff(5, 6, &[(9, 2)]));
    assert!(!book.is_proved());
    find(&mut book, 0, &tick(6, &[(9, 2), (7, 3)]));
    assert!(book.is_proved());
    find(&mut book, 0, &diff(6, 7, &[(9, 3)]));
    find(&mut book, 0, &tick(7, &[(9, 2), (7, 3)]));
    assert_eq!(book.facts.mismatches.count, 1);
}

#[test]
fn a_merged_diff_that_lacks_a_row_is_found_whenever_it_comes() {
    for merged_comes_first in [true, false] {
        let mut book = begun();
        let (good, bad) = (diff(5, 7, &[(9, 3), (7, 4)]), diff(4, 7, &[(9, 3)]));
        let short = diff(5, 7, &[(9, 3)]);
        let ordinary = [diff(5, 6, &[(7, 4)]), diff(6, 7, &[(9, 3)])];
        if !merged_comes_first {
            for text in &ordinary {
                find(&mut book, 0, text);
            }
            find(&mut book, 0, &good);
            assert_eq!((book.facts.mismatches.count, book.facts.merged), (0, 1));
            find(&mut book, 0, &short);
            assert_eq!(book.facts.mismatches.count, 1);
            find(&mut book, 0, &bad);
            assert_eq!(book.facts.uncompared, 1);
        } else {
            find(&mut book, 0, &short);
            find(&mut book, 0, &tick(7, &[(9, 3), (7, 4)]));
            assert_eq!(book.facts.mismatches.count, 1);
        }
    }
}

#[test]
fn the_copy_goes_on_when_a_socket_was_ahead_of_it() {
    let mut book = begun();
    find(&mut book, 0, &snapshot(7, &[(9, 3), (7, 4)]));
    find(&mut book, 0, &diff(7, 8, &[(9, 4)]));
    assert_eq!(book.place().map(|place| place.seq), Some(5));
    find(&mut book, 0, &diff(5, 7, &[(9, 3), (7, 4)]));
    find(&mut book, 0, &tick(8, &[(9, 4), (7, 4)]));
    assert!(book.is_proved());
}

#[test]
fn the_copy_begins_anew_at_a_snapshot_when_nobody_got_what_lies_between() {
    let mut book = begun();
    find(&mut book, 0, &snapshot(7, &[(9, 3), (7, 4)]));
    find(&mut book, 0, &diff(7, 8, &[(9, 4)]));
    // The second of two ticks that find the copy where it was.
    for server_ms in [1, 2] {
        let sum = checksum([(9, 4), (7, 4)].into_iter());
        let tick = format!(r#"{{"type":"tick","board":"all","epoch":"e","seq":8,"checksum":{sum},"server_ms":{server_ms}}}"#);
        find(&mut book, 0, &tick);
    }
    assert_eq!(book.place().map(|place| place.seq), Some(8));
}

#[test]
fn numbered_messages_tell_their_first_and_last() {
    let mut book = Book::new(Reading::Numbered);
    let text = |numbers: &[u64]| numbers.iter().map(|&number| Marker { due_us: 1, number }.text()).collect::<String>();
    for (numbers, is_whole) in [([3, 4, 5], true), ([3, 5, 6], false)] {
        let page = find(&mut book, 0, &text(&numbers));
        let kind = book.page(page).map(|page| page.kind);
        assert_eq!(kind, Some(Kind::Numbered { first: 3, last: numbers[2], is_whole }));
    }
}
