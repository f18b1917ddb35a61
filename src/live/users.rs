//! Private channels: one for each user who has a socket here, shared by all of that user's sockets. A channel keeps the
//! latest message about each thing (an account, an order), so what a slow socket has missed is merged by itself.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use dashmap::DashMap;

use super::frame::Frame;
use super::line::Line;
use super::protocol::ServerMessage;
use crate::bus;
use crate::domain::news::Subject;
use crate::domain::notice::{Inbox, InboxNews};

/// Things a channel remembers; a socket that has missed more is told to read anew.
const REMEMBERED_MAX: usize = 256;

pub(super) struct Users {
    channels: DashMap<u64, Arc<Channel>>,
    /// The bus brings what concerns one user only for those it was told of.
    bus: bus::Users,
}

pub(super) struct Channel {
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    /// The user's sockets, woken whenever there is something for them.
    lines: Vec<Arc<Line>>,
    last: u64,
    /// Oldest first; one message about each subject.
    messages: VecDeque<Message>,
    /// What was sent up to here is no longer remembered in full.
    forgotten: u64,
    /// The inbox as it was last told, or read for a socket that began; of its notices those beyond are new.
    inbox: Option<Inbox>,
}

/// What a message is about: the newest one about a thing replaces the others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Topic {
    Row(Subject),
    /// By its number; it never changes.
    Notice(u64),
}

struct Message {
    number: u64,
    topic: Topic,
    version: u64,
    frame: Frame,
}

/// What a socket gets from its user's channel.
pub(super) struct Private {
    pub(super) frames: Vec<Bytes>,
    pub(super) cursor: u64,
    /// The session that was looked for has ended.
    pub(super) is_over: bool,
    /// Too much was missed: read the accounts anew.
    pub(super) has_gap: bool,
}

/// A socket's hold on a channel: the channel is forgotten with its last socket.
pub(super) struct Subscription {
    pub(super) channel: Arc<Channel>,
    pub(super) cursor: u64,
    user_id: u64,
}

impl Subscription {
    pub(super) fn user_id(&self) -> u64 {
        self.user_id
    }

    pub(super) fn has_news(&self) -> bool {
        self.channel.lock().last != self.cursor
    }
}

impl Users {
    pub(super) fn new(bus: bus::Users) -> Self {
        Self { channels: DashMap::new(), bus }
    }

    pub(super) fn subscribe(&self, user_id: u64, line: Arc<Line>) -> Subscription {
        // The map's lock is held while the socket is put on the list, and while `leave` looks whether the list is empty: a
        // channel in the map is never one that is about to be forgotten.
        let entry = self.channels.entry(user_id).or_insert_with(|| {
            self.bus.join(user_id);
            Arc::new(Channel { log: Mutex::default() })
        });
        let cursor = {
            let mut log = entry.lock();
            log.lines.push(line);
            log.last
        };
        Subscription { channel: entry.clone(), cursor, user_id }
    }

    pub(super) fn leave(&self, subscription: &Subscription, line: &Arc<Line>) {
        self.channels.remove_if(&subscription.user_id, |_, channel| {
            let mut log = channel.lock();
            log.lines.retain(|other| !Arc::ptr_eq(other, line));
            if log.lines.is_empty() {
                self.bus.leave(subscription.user_id);
            }
            log.lines.is_empty()
        });
    }

    pub(super) fn is_here(&self, user_id: u64) -> bool {
        self.channels.contains_key(&user_id)
    }

    pub(super) fn ids(&self) -> Vec<u64> {
        self.channels.iter().map(|entry| *entry.key()).collect()
    }

    /// Hands a message to the user's sockets; an older version of the same thing never follows a newer one.
    pub(super) fn send(&self, user_id: u64, subject: Subject, version: u64, frame: impl FnOnce() -> Frame) {
        let Some(channel) = self.channels.get(&user_id).map(|entry| entry.clone()) else { return };
        let mut log = channel.lock();
        if log.put(Topic::Row(subject), version, frame) {
            log.wake();
        }
    }

    /// Hands on what is new in the user's inbox: the notices that came since it was last told, and how many are unread.
    pub(super) fn send_inbox(&self, news: &InboxNews) {
        let inbox = &news.inbox;
        let Some(channel) = self.channels.get(&inbox.user_id).map(|entry| entry.clone()) else { return };
        let mut log = channel.lock();
        // Nobody knows yet what the first socket here is told first: that it will count these is enough.
        let told = log.inbox.as_ref().map_or(inbox.newest, |known| known.newest);
        if !log.knows(inbox) {
            return;
        }
        for notice in news.latest.iter().filter(|notice| notice.id > told) {
            let message = ServerMessage::Notice {
                id: notice.id,
                event: notice.event,
                facts: &notice.facts,
                created_ms: notice.created_ms,
                unread: inbox.unread,
            };
            log.put(Topic::Notice(notice.id), 1, || Frame::json(&message));
        }
        let count = ServerMessage::NoticeCount { unread: inbox.unread, read_up_to: inbox.read_up_to };
        log.put(Topic::Row(Subject::inbox(inbox.user_id)), inbox.version, || Frame::json(&count));
        log.wake();
    }
}

impl Log {
    fn wake(&self) {
        self.lines.iter().for_each(|line| line.wake());
    }

    /// Remembers this state of the inbox; false when it is not newer than what is known.
    fn knows(&mut self, inbox: &Inbox) -> bool {
        let is_new = self.inbox.as_ref().is_none_or(|known| known.version < inbox.version);
        if is_new {
            self.inbox = Some(inbox.clone());
        }
        is_new
    }

    fn put(&mut self, topic: Topic, version: u64, frame: impl FnOnce() -> Frame) -> bool {
        if let Some(place) = self.messages.iter().position(|message| message.topic == topic) {
            if self.messages[place].version >= version {
                return false;
            }
            self.messages.remove(place);
        }
        self.last += 1;
        self.messages.push_back(Message { number: self.last, topic, version, frame: frame() });
        if self.messages.len() > REMEMBERED_MAX
            && let Some(oldest) = self.messages.pop_front()
        {
            self.forgotten = oldest.number;
        }
        true
    }
}

impl Channel {
    /// A socket that begins has read the inbox; older states of it are told to nobody any more. A newer one is left to come as
    /// news, so that the sockets that were here before are told of its notices.
    pub(super) fn has_read(&self, inbox: &Inbox) {
        self.lock().inbox.get_or_insert_with(|| inbox.clone());
    }

    /// What came after `cursor`, and whether `session_id` has ended.
    pub(super) fn since(&self, cursor: u64, session_id: u64) -> Private {
        let log = self.lock();
        let ended = Topic::Row(Subject::session(session_id));
        let new = || log.messages.iter().filter(|message| message.number > cursor);
        Private {
            is_over: log.messages.iter().any(|message| message.topic == ended),
            frames: new().filter(|message| message.frame.len() > EMPTY_LEN).map(|message| message.frame.wire()).collect(),
            cursor: log.last,
            has_gap: cursor < log.forgotten,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The length of a frame that says nothing: the end of a session is acted upon, not sent.
const EMPTY_LEN: usize = 2;
