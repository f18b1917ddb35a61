//! The billing queue: a stream of requests read by a consumer group, a stream of answers, and one of messages that were set
//! aside. Delivery is at least once, in both directions: a message is acknowledged after its answer was appended, which is
//! after its operation was committed. What comes twice is told apart by the operation's id, in MySQL.
//!
//! With the name `billing`:
//!
//! | key | what |
//! |---|---|
//! | `billing:requests` | one field `op`, the command as JSON; group `billing` |
//! | `billing:responses` | one field `op`, the answer as JSON |
//! | `billing:poison` | what could not be carried out: `op`, `reason`, `id` it had; the newest [`POISON_MAX`] |
//!
//! Each key is used alone in its commands, so that in a cluster they may live in different slots, each reached over a
//! connection of its own. With a name in braces, as `{billing}`, they share one.

use std::sync::Arc;
use std::time::Duration;

use fred::clients::{Client, WithOptions};
use fred::error::{Error, ErrorKind};
use fred::interfaces::StreamsInterface;
use fred::types::Value;
use fred::types::scripts::Script;

use super::BusError;
use super::client::{BLOCK_FOR, Link};
use super::entries::{FIELD, Group, Message, Place, is_no_group, messages};
use super::servers::{self, Servers};
use super::timed::timed;

const GROUP: &str = "billing";
/// Messages set aside that are kept; enough for a person to see what goes wrong.
const POISON_MAX: u64 = 10_000;
/// Answers that are kept at least; with groups that read them, what they have not finished is kept as well.
const RESPONSES_KEPT: u64 = 100_000;
/// Answers beyond this go even where a group has stopped reading them: MySQL holds them, too.
const RESPONSES_MAX: u64 = 2_000_000;
/// The part of a message that is told to people.
const SHOWN_BYTES: usize = 4_096;

/// Messages taken over from consumers that did not finish them.
#[derive(Clone, Debug, Default)]
pub struct Claimed {
    pub messages: Vec<Message>,
    /// Where to go on; `0-0` when all were looked at.
    pub cursor: String,
}

/// How much is waiting.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backlog {
    /// Delivered and not acknowledged.
    pub pending: u64,
    /// Not delivered yet, where the server knows.
    pub undelivered: Option<u64>,
    /// Age of the oldest of both.
    pub oldest: Duration,
}

/// The queue, for everything but waiting. Cheap to clone.
#[derive(Clone)]
pub struct Queue {
    shared: Arc<Shared>,
}

struct Shared {
    servers: Arc<Servers>,
    requests: Stream,
    responses: Stream,
    poison: Stream,
    answers: Script,
}

/// One of the streams, and the connection to where it is.
struct Stream {
    link: Arc<Link>,
    key: String,
}

/// One reader of the queue, with a connection of its own.
pub struct Consumer {
    link: Link,
    queue: Queue,
    name: String,
}

impl Stream {
    /// Another stream, over a connection of its own where it may be on another server.
    async fn beside(&self, servers: &Arc<Servers>, key: String) -> Result<Self, BusError> {
        let link = match servers.is_cluster() {
            true => Arc::new(Link::for_commands(servers, &key).await?),
            false => Arc::clone(&self.link),
        };
        Ok(Self { link, key })
    }

    fn commands(&self) -> WithOptions<Client> {
        self.link.commands()
    }
}

impl Queue {
    /// Connects; the group is made when it is first missed.
    pub async fn connect(url: &str, name: &str) -> Result<Self, BusError> {
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(BusError::Config(format!("{name:?} cannot be the name of billing streams")));
        }
        let servers = Arc::new(Servers::parse(url)?);
        let key = format!("{name}:requests");
        let requests = Stream { link: Arc::new(Link::for_commands(&servers, &key).await?), key };
        let responses = requests.beside(&servers, format!("{name}:responses")).await?;
        let poison = requests.beside(&servers, format!("{name}:poison")).await?;
        let shared = Shared { servers, requests, responses, poison, answers: Script::from_lua(include_str!("answers.lua")) };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// A new reader; `name` tells it from others of the group.
    pub async fn consumer(&self, name: String) -> Result<Consumer, BusError> {
        Ok(Consumer { link: Link::for_blocking(&self.shared.servers, &self.shared.requests.key).await?, queue: self.clone(), name })
    }

    /// Appends a request.
    pub async fn request(&self, op: &str) -> Result<(), BusError> {
        let shared = &*self.shared;
        let commands = shared.requests.commands();
        let _: Value = timed("XADD requests", commands.xadd(&shared.requests.key, false, None::<()>, "*", (FIELD, op))).await?;
        Ok(())
    }

    /// Appends answers; where a failover may come, a replica has them on return. After an error some of them may have been
    /// appended; appending them again is harmless.
    pub async fn answer(&self, answers: Vec<String>) -> Result<(), BusError> {
        if answers.is_empty() {
            return Ok(());
        }
        let shared = &*self.shared;
        let client = shared.responses.link.scripts()?;
        let _: Value = shared.answers.evalsha_with_reload(&client, vec![shared.responses.key.as_str()], answers).await?;
        if shared.servers.is_single() || servers::replicated(&client).await? {
            return Ok(());
        }
        Err(BusError::Command(Error::new(ErrorKind::Timeout, "no replica has confirmed the answers")))
    }

    /// Messages that are done with.
    pub async fn acknowledge(&self, ids: Vec<String>) -> Result<(), BusError> {
        if ids.is_empty() {
            return Ok(());
        }
        let shared = &*self.shared;
        let _: Value = shared.requests.commands().xack(&shared.requests.key, GROUP, ids).await?;
        Ok(())
    }

    /// Keeps a message that cannot be carried out, for a person to look at.
    pub async fn set_aside(&self, message: &Message, reason: &str) -> Result<(), BusError> {
        let shared = &*self.shared;
        let op = message.op.as_deref().unwrap_or_default();
        let shown = op.char_indices().take_while(|(at, _)| *at < SHOWN_BYTES).map(|(_, c)| c).collect::<String>();
        let fields = vec![(FIELD, shown), ("reason", reason.to_owned()), ("id", message.id.clone())];
        let cap = ("MAXLEN", "~", i64::try_from(POISON_MAX).unwrap_or(i64::MAX));
        let _: Value = shared.poison.commands().xadd(&shared.poison.key, false, cap, "*", fields).await?;
        metrics::counter!("orderboard_billing_poison_total").increment(1);
        Ok(())
    }

    /// Makes the group, reading from the stream's beginning, unless it exists.
    async fn make_group(&self) -> Result<(), BusError> {
        let shared = &*self.shared;
        let made: Result<Value, Error> = shared.requests.commands().xgroup_create(&shared.requests.key, GROUP, "0", true).await;
        match made {
            Err(error) if !error.details().starts_with("BUSYGROUP") => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Takes over up to `count` messages that nobody has finished within `idle`, looking on from `cursor`.
    pub async fn claim(&self, consumer: &str, idle: Duration, cursor: &str, count: u16) -> Result<Claimed, BusError> {
        let shared = &*self.shared;
        let idle_ms = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
        let commands = shared.requests.commands();
        let answer: Result<Value, Error> =
            commands.xautoclaim(&shared.requests.key, GROUP, consumer, idle_ms, cursor, Some(u64::from(count)), false).await;
        let parts = match answer {
            Ok(answer) => answer.into_array(),
            Err(error) if is_no_group(&error) => {
                self.make_group().await?;
                return Ok(Claimed { messages: Vec::new(), cursor: START.to_owned() });
            }
            Err(error) => return Err(error.into()),
        };
        let mut parts = parts.into_iter();
        let cursor = parts.next().and_then(|cursor| cursor.into_string()).unwrap_or_else(|| START.to_owned());
        let messages = parts.next().map(messages).unwrap_or_default();
        Ok(Claimed { messages, cursor })
    }

    /// Cuts off what every group is done with, and never what one of them has pending or yet to get.
    pub async fn trim(&self) -> Result<(), BusError> {
        let shared = &*self.shared;
        self.trim_stream(&shared.requests, 0).await?;
        self.trim_stream(&shared.responses, RESPONSES_KEPT).await
    }

    async fn trim_stream(&self, stream: &Stream, keep: u64) -> Result<(), BusError> {
        let (commands, key) = (stream.commands(), stream.key.as_str());
        let length: u64 = commands.xlen(key).await?;
        if length <= keep {
            return Ok(());
        }
        let groups = self.groups(stream).await?;
        let mut needed: Option<Place> = None;
        for group in &groups {
            let pending: Value = commands.xpending(key, group.name.as_str(), ()).await?;
            let oldest = pending.into_array().into_iter().nth(1).and_then(|id| id.into_string()).and_then(|id| Place::parse(&id));
            let place = oldest.unwrap_or_else(|| group.delivered.next());
            needed = Some(needed.map_or(place, |needed| needed.min(place)));
        }
        match needed {
            Some(place) => {
                let _: Value = commands.xtrim(key, ("MINID", "=", place.text())).await?;
            }
            None if keep > 0 => self.cut(stream, keep).await?,
            None => {}
        }
        if keep > 0 && length > RESPONSES_MAX {
            metrics::counter!("orderboard_billing_responses_dropped_total").increment(length - RESPONSES_MAX);
            self.cut(stream, RESPONSES_MAX).await?;
        }
        Ok(())
    }

    async fn cut(&self, stream: &Stream, length: u64) -> Result<(), BusError> {
        let cap = ("MAXLEN", "~", i64::try_from(length).unwrap_or(i64::MAX));
        let _: Value = stream.commands().xtrim(&stream.key, cap).await?;
        Ok(())
    }

    async fn groups(&self, stream: &Stream) -> Result<Vec<Group>, BusError> {
        let told: Value = stream.commands().xinfo_groups(&stream.key).await?;
        Ok(told.into_array().into_iter().filter_map(Group::read).collect())
    }

    /// How much is waiting, and for how long; `now_ms` by the clock that Redis numbers messages with.
    pub async fn backlog(&self, now_ms: u64) -> Result<Backlog, BusError> {
        let shared = &*self.shared;
        let commands = shared.requests.commands();
        let groups = match self.groups(&shared.requests).await {
            Ok(groups) => groups,
            Err(BusError::Command(error)) if error.details().contains("no such key") => return Ok(Backlog::default()),
            Err(error) => return Err(error),
        };
        let Some(group) = groups.into_iter().find(|group| group.name == GROUP) else { return Ok(Backlog::default()) };
        let summary: Value = commands.xpending(&shared.requests.key, GROUP, ()).await?;
        let mut summary = summary.into_array().into_iter();
        let pending = summary.next().and_then(|count| count.as_u64()).unwrap_or(0);
        let pending_since = summary.next().and_then(|id| id.into_string()).and_then(|id| Place::parse(&id));
        let next: Value = commands.xrange(&shared.requests.key, group.delivered.next().text(), "+", Some(1)).await?;
        let waiting_since = messages(next).first().and_then(|message| Place::parse(&message.id));
        let since = [pending_since, waiting_since].into_iter().flatten().min();
        let oldest = since.map_or(0, |place| now_ms.saturating_sub(place.ms));
        Ok(Backlog { pending, undelivered: group.lag, oldest: Duration::from_millis(oldest) })
    }

    /// Connects again where the connection's task has given up, and to another server where the streams are there now.
    pub async fn revive(&self) -> Result<(), BusError> {
        let shared = &*self.shared;
        shared.requests.link.revive().await?;
        if shared.servers.is_cluster() {
            shared.responses.link.revive().await?;
            shared.poison.link.revive().await?;
        }
        Ok(())
    }
}

/// Before the first message of a stream.
pub(super) const START: &str = "0-0";

impl Consumer {
    /// Waits up to a second for messages that nobody has got yet; at most `count` of them.
    pub async fn next(&self, count: u16) -> Result<Vec<Message>, BusError> {
        let block_ms = u64::try_from(BLOCK_FOR.as_millis()).unwrap_or(1_000);
        let requests = &self.queue.shared.requests.key;
        let read: Result<Value, Error> = self
            .link
            .reader()
            .xreadgroup(GROUP, self.name.as_str(), Some(u64::from(count)), Some(block_ms), false, requests.as_str(), ">")
            .await;
        match read {
            Ok(streams) => {
                let stream = streams.into_array().into_iter().next().map(Value::into_array).unwrap_or_default();
                Ok(stream.into_iter().nth(1).map(messages).unwrap_or_default())
            }
            Err(error) if is_no_group(&error) => {
                self.queue.make_group().await?;
                Ok(Vec::new())
            }
            Err(error) => Err(error.into()),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same as [`Queue::revive`], for this reader's connection.
    pub async fn revive(&self) -> Result<(), BusError> {
        self.link.revive().await
    }
}
