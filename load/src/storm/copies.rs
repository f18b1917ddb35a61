//! Copies of the board for ten thousand watchers, each exact and proved, at the price of one: sockets whose copies were
//! equal and that read the same bytes have equal copies again. So each frame is parsed once for all sockets that received
//! these very bytes (compared, not only hashed), each step from a copy by a frame is made once, and a socket holds a pointer.
//! What `replica` does to one copy is done here, and nothing else.

use std::collections::{HashMap, VecDeque};
use std::io::Read;
use std::sync::{Arc, Mutex, OnceLock, Weak};

use flate2::read::GzDecoder;

use crate::error::Error;
use crate::races::locked;
use crate::replica::{Applied, Frame, Replica, Sight};

/// Frames that are kept for the sockets that have not read them yet.
const FRAMES_BYTES_MAX: usize = 32 << 20;
const FRAMES_MAX: usize = 4_096;
/// Copies that are kept for sockets that have not come so far.
const COPIES_MAX: usize = 256;
const SNAPSHOT_BYTES_MAX: u64 = 64 << 20;

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Kind {
    Snapshot,
    Diff,
    Tick,
    Drain,
    Error,
    Other,
}

/// A frame, read.
pub(crate) struct News {
    pub(crate) kind: Kind,
    text: Box<str>,
    /// Of a diff: orders that came onto the board.
    pub(crate) shown: Vec<Shown>,
    /// Of an error.
    pub(crate) words: String,
    copy: OnceLock<Arc<Copy>>,
}

#[derive(Clone, Copy)]
pub(crate) struct Shown {
    pub(crate) id: u64,
    /// Of this run, and seen on the board for the first time: the number in its title.
    pub(crate) number: Option<u64>,
    pub(crate) is_ours: bool,
}

/// One state of the board.
#[derive(Default)]
pub(crate) struct Copy {
    pub(crate) replica: Replica,
    checksum: OnceLock<u32>,
    /// What frames have made of it.
    next: Mutex<Vec<(Weak<News>, Weak<Copy>)>>,
}

impl Copy {
    fn of(replica: Replica) -> Arc<Self> {
        Arc::new(Self { replica, ..Self::default() })
    }

    pub(crate) fn checksum(&self) -> u32 {
        *self.checksum.get_or_init(|| self.replica.checksum())
    }
}

/// All that is shared between sockets.
pub(crate) struct Copies {
    /// Begins the titles of this run's orders.
    tag: String,
    frames: Mutex<Frames>,
    recent: Mutex<VecDeque<Arc<Copy>>>,
}

#[derive(Default)]
struct Frames {
    by_sum: HashMap<(usize, u32), Vec<Arc<Kept>>>,
    order: VecDeque<(usize, u32)>,
    bytes: usize,
}

struct Kept {
    raw: Box<[u8]>,
    news: Arc<News>,
}

impl Copies {
    pub(crate) fn new(tag: String) -> Self {
        Self { tag, frames: Mutex::default(), recent: Mutex::default() }
    }

    pub(crate) fn tag(&self) -> &str {
        &self.tag
    }

    /// What a frame says.
    pub(crate) fn read(&self, raw: &[u8], is_binary: bool) -> Result<Arc<News>, Error> {
        // Anything else is for one socket alone.
        let for_all = is_binary
            || [r#"{"type":"diff""#, r#"{"type":"tick""#, r#"{"type":"snapshot""#].iter().any(|head| raw.starts_with(head.as_bytes()));
        if !for_all {
            return self.parse(raw, is_binary);
        }
        let sum = (raw.len(), crc32fast::hash(raw));
        // Parsed under the lock: whoever else reads the same bytes meanwhile would only parse them, too.
        let mut frames = locked(&self.frames);
        if let Some(kept) = frames.by_sum.get(&sum).and_then(|kept| kept.iter().find(|kept| *kept.raw == *raw)) {
            return Ok(kept.news.clone());
        }
        let news = self.parse(raw, is_binary)?;
        frames.keep(sum, Kept { raw: raw.into(), news: news.clone() });
        Ok(news)
    }

    fn parse(&self, raw: &[u8], is_binary: bool) -> Result<Arc<News>, Error> {
        let mut text = String::new();
        if is_binary {
            GzDecoder::new(raw).take(SNAPSHOT_BYTES_MAX).read_to_string(&mut text)?;
        } else {
            text.push_str(std::str::from_utf8(raw).map_err(|error| Error::Server(format!("a frame that is not UTF-8: {error}")))?);
        }
        let frame: Frame<'_> = serde_json::from_str(&text)?;
        let kind = match frame.kind {
            "snapshot" => Kind::Snapshot,
            "diff" => Kind::Diff,
            "tick" => Kind::Tick,
            "drain" => Kind::Drain,
            "error" => Kind::Error,
            _ => Kind::Other,
        };
        let shown = |row: &crate::replica::Row<'_>| {
            let rest = row.title.strip_prefix(&self.tag);
            let number = rest.and_then(|rest| rest.trim_start().split(':').next()?.parse().ok());
            Shown { id: row.id, number: number.filter(|_| row.version == 1), is_ours: rest.is_some() }
        };
        let shown = frame.up.iter().map(shown).collect();
        let words = frame.detail.map_or("", |detail| detail.get()).to_owned();
        Ok(Arc::new(News { kind, text: text.into(), shown, words, copy: OnceLock::new() }))
    }

    /// What the news make of the copy, and whether they continue or prove it.
    pub(crate) fn apply(&self, copy: &Arc<Copy>, news: &Arc<News>) -> Result<(Applied, Arc<Copy>), Error> {
        match news.kind {
            Kind::Snapshot => self.snapshot(news),
            Kind::Diff => self.step(copy, news),
            Kind::Tick => {
                let frame: Frame<'_> = serde_json::from_str(&news.text)?;
                let applied = match copy.replica.stands_at(&frame) {
                    false => Applied::Gap,
                    true if copy.checksum() == frame.checksum => Applied::Proved,
                    true => Applied::Differs,
                };
                Ok((applied, copy.clone()))
            }
            _ => Ok((Applied::Done, copy.clone())),
        }
    }

    fn snapshot(&self, news: &Arc<News>) -> Result<(Applied, Arc<Copy>), Error> {
        let frame: Option<Frame<'_>> = match news.copy.get() {
            Some(_) => None,
            None => Some(serde_json::from_str(&news.text)?),
        };
        let Some(frame) = frame else { return Ok((Applied::Proved, news.copy.get().cloned().unwrap_or_default())) };
        let mut replica = Replica::default();
        let applied = replica.snapshot(&frame, |_: Sight<'_>| ());
        let made = Copy::of(replica);
        // Only one that has proved itself is for everybody.
        if applied == Applied::Proved {
            let made = news.copy.get_or_init(|| made).clone();
            self.keep(made.clone());
            return Ok((applied, made));
        }
        Ok((applied, made))
    }

    fn step(&self, copy: &Arc<Copy>, news: &Arc<News>) -> Result<(Applied, Arc<Copy>), Error> {
        let mut next = locked(&copy.next);
        let known = next.iter().find(|(by, _)| by.upgrade().is_some_and(|by| Arc::ptr_eq(&by, news)));
        if let Some(made) = known.and_then(|(_, made)| made.upgrade()) {
            return Ok((Applied::Done, made));
        }
        let frame: Frame<'_> = serde_json::from_str(&news.text)?;
        let mut replica = copy.replica.clone();
        let applied = replica.diff(&frame, |_| ());
        if applied != Applied::Done {
            return Ok((applied, copy.clone()));
        }
        let made = Copy::of(replica);
        next.retain(|(by, made)| by.strong_count() > 0 && made.strong_count() > 0);
        next.push((Arc::downgrade(news), Arc::downgrade(&made)));
        self.keep(made.clone());
        Ok((applied, made))
    }

    fn keep(&self, copy: Arc<Copy>) {
        let mut recent = locked(&self.recent);
        recent.push_back(copy);
        if recent.len() > COPIES_MAX {
            recent.pop_front();
        }
    }
}

impl Frames {
    fn keep(&mut self, sum: (usize, u32), kept: Kept) {
        self.bytes += sum.0;
        self.order.push_back(sum);
        self.by_sum.entry(sum).or_default().push(Arc::new(kept));
        while self.bytes > FRAMES_BYTES_MAX || self.order.len() > FRAMES_MAX {
            let Some(oldest) = self.order.pop_front() else { break };
            self.bytes -= oldest.0;
            if let Some(same_sum) = self.by_sum.get_mut(&oldest) {
                same_sum.remove(0);
                if same_sum.is_empty() {
                    self.by_sum.remove(&oldest);
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "copies_tests.rs"]
mod tests;
