use std::io::Write;

use super::*;
use crate::replica::checksum;

fn snapshot(seq: u64, rows: &[(u64, u64)]) -> String {
    let sum = checksum(rows.iter().copied());
    let orders: Vec<String> = rows.iter().map(|(id, version)| format!(r#"{{"id":{id},"version":{version},"title":"x"}}"#)).collect();
    format!(r#"{{"type":"snapshot","board":"all","epoch":"e","seq":{seq},"checksum":{sum},"orders":[{}]}}"#, orders.join(","))
}

fn tick(seq: u64, rows: &[(u64, u64)]) -> String {
    format!(r#"{{"type":"tick","board":"all","epoch":"e","seq":{seq},"checksum":{}}}"#, checksum(rows.iter().copied()))
}

const DIFF: &str = r#"{"type":"diff","board":"all","epoch":"e","prev":5,"seq":7,"up":[{"id":10,"version":1,"title":"Load 7 soak 12: x"}],"rm":[[9,"taken"]]}"#;

fn applied(copies: &Copies, copy: &Arc<Copy>, text: &str) -> (Applied, Arc<Copy>) {
    let news = copies.read(text.as_bytes(), false).expect("news");
    copies.apply(copy, &news).expect("a step")
}

#[test]
fn sockets_that_read_the_same_bytes_share_one_copy() {
    let copies = Copies::new("Load 7 soak".into());
    let text = snapshot(5, &[(9, 1), (7, 3)]);
    let (proved, first) = applied(&copies, &Arc::default(), &text);
    let (_, second) = applied(&copies, &Arc::default(), &text);
    assert_eq!(proved, Applied::Proved);
    assert!(Arc::ptr_eq(&first, &second));
    let ((done, first), (_, second)) = (applied(&copies, &first, DIFF), applied(&copies, &second, DIFF));
    assert_eq!(done, Applied::Done);
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(applied(&copies, &first, &tick(7, &[(10, 1), (7, 3)])).0, Applied::Proved);
    assert_eq!(applied(&copies, &first, &tick(7, &[(10, 2), (7, 3)])).0, Applied::Differs);
    assert_eq!(applied(&copies, &first, &tick(8, &[])).0, Applied::Gap);
}

#[test]
fn the_same_frame_on_another_copy_makes_another_copy() {
    let copies = Copies::new(String::new());
    let (_, one) = applied(&copies, &Arc::default(), &snapshot(5, &[(9, 1)]));
    let (_, other) = applied(&copies, &Arc::default(), &snapshot(5, &[(9, 1), (4, 1)]));
    let ((_, one), (_, other)) = (applied(&copies, &one, DIFF), applied(&copies, &other, DIFF));
    assert_eq!((one.checksum(), other.checksum()), (checksum([(10, 1)].into_iter()), checksum([(10, 1), (4, 1)].into_iter())));
}

#[test]
fn a_frame_that_does_not_follow_is_a_gap_each_time() {
    let copies = Copies::new(String::new());
    let (_, copy) = applied(&copies, &Arc::default(), &snapshot(6, &[(9, 1)]));
    for _ in 0..2 {
        let (gap, same) = applied(&copies, &copy, DIFF);
        assert_eq!(gap, Applied::Gap);
        assert!(Arc::ptr_eq(&same, &copy));
    }
}

#[test]
fn a_snapshot_that_contradicts_itself_differs_each_time() {
    let copies = Copies::new(String::new());
    let text = snapshot(5, &[(9, 1)]).replace(r#""version":1"#, r#""version":2"#);
    assert_eq!(applied(&copies, &Arc::default(), &text).0, Applied::Differs);
    assert_eq!(applied(&copies, &Arc::default(), &text).0, Applied::Differs);
}

#[test]
fn a_compressed_snapshot_is_the_snapshot() {
    let copies = Copies::new(String::new());
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(snapshot(5, &[(9, 1)]).as_bytes()).expect("in memory");
    let news = copies.read(&packed.finish().expect("in memory"), true).expect("news");
    let (proved, copy) = copies.apply(&Arc::default(), &news).expect("a copy");
    assert_eq!((proved, copy.replica.seq), (Applied::Proved, 5));
}

#[test]
fn an_order_of_this_run_is_known_by_its_title() {
    let copies = Copies::new("Load 7 soak".into());
    let news = copies.read(DIFF.as_bytes(), false).expect("news");
    assert_eq!((news.shown[0].number, news.shown[0].is_ours), (Some(12), true));
    let other = Copies::new("Load 8 soak".into()).read(DIFF.as_bytes(), false).expect("news");
    assert_eq!((other.shown[0].number, other.shown[0].is_ours), (None, false));
}

#[test]
fn what_is_kept_is_bounded() {
    let copies = Copies::new(String::new());
    for seq in 0..2 * FRAMES_MAX as u64 {
        copies.read(tick(seq, &[]).as_bytes(), false).expect("news");
    }
    let frames = locked(&copies.frames);
    assert_eq!(frames.order.len(), FRAMES_MAX);
    assert_eq!(frames.by_sum.values().map(Vec::len).sum::<usize>(), FRAMES_MAX);
}
