//! Where the server is that keeps a key: the one of the url, the primary that the sentinels name, or the node of a cluster
//! that owns the key's slot.
//!
//! Each connection of ours goes to one server and stays with it, so that messages and positions come over the same
//! connection in the server's order, whatever kind of Redis this is. When that server is no longer the right one, the
//! connection is replaced by one to the right one. fred's own clients for sentinels and clusters are not used: the first
//! believes the first sentinel that answers, the second stops while any of the primaries is away, also one that has
//! nothing of ours.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fred::clients::Client;
use fred::error::{Error, ErrorKind};
use fred::interfaces::ClientLike;
use fred::types::config::{Config, Server, ServerConfig};
use fred::types::{Builder, ClusterHash, CustomCommand, RespVersion, Value};
use futures_util::future::join_all;

use super::error::{BusError, address};

/// Each step of asking one server: connecting, greeting, a command.
const ASK_TIMEOUT: Duration = Duration::from_millis(800);
/// Servers that are asked; a cluster has as many nodes at most as make sense.
const NODES_MAX: usize = 64;
/// What a replica may take to confirm; the connection waits meanwhile.
const REPLICATED_WITHIN_MS: &str = "100";

/// What the url says, and what was learned since.
pub(super) struct Servers {
    pub(super) url: String,
    config: Config,
    kind: Kind,
    /// Whom to ask: those of the url, and the nodes of the cluster.
    nodes: Mutex<BTreeSet<Server>>,
}

enum Kind {
    Single,
    Sentinel { service: String, username: Option<String>, password: Option<String> },
    Cluster,
}

/// Somebody's word on where a key is. The newest counts: sentinels and cluster nodes number their decisions.
struct Claim {
    epoch: u64,
    primary: Server,
    others: Vec<Server>,
}

impl Servers {
    pub(super) fn parse(url: &str) -> Result<Self, BusError> {
        let config = Config::from_url(url).map_err(|error| BusError::Config(error.details().to_owned()))?;
        let kind = match &config.server {
            ServerConfig::Sentinel { service_name, username, password, .. } => {
                Kind::Sentinel { service: service_name.clone(), username: username.clone(), password: password.clone() }
            }
            ServerConfig::Clustered { .. } if config.database.is_some_and(|database| database != 0) => {
                return Err(BusError::Config("a cluster has no numbered databases".to_owned()));
            }
            ServerConfig::Clustered { .. } => Kind::Cluster,
            _ => Kind::Single,
        };
        let nodes = Mutex::new(config.server.hosts().into_iter().collect());
        Ok(Self { url: url.to_owned(), config, kind, nodes })
    }

    pub(super) fn is_single(&self) -> bool {
        matches!(self.kind, Kind::Single)
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.kind, Kind::Cluster)
    }

    /// How to connect to what [`Servers::locate`] found.
    pub(super) fn config(&self, at: Option<&Server>) -> Config {
        let mut config = self.config.clone();
        if let Some(server) = at {
            config.server = ServerConfig::Centralized { server: server.clone() };
        }
        config
    }

    /// The server that keeps `key` now; nothing where the url names the only one there is.
    pub(super) async fn locate(&self, key: &str) -> Result<Option<Server>, BusError> {
        if self.is_single() {
            return Ok(None);
        }
        let asked: Vec<Server> = self.nodes.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        let answers = join_all(asked.iter().map(|server| self.ask(server, key))).await;
        let mut refused = None;
        let mut claims = Vec::new();
        for answer in answers {
            match answer {
                Ok(claim) => claims.extend(claim),
                Err(error) if *error.kind() == ErrorKind::Auth => return Err(BusError::Refused { at: address(&self.url) }),
                Err(error) => refused = Some(error),
            }
        }
        let Some(newest) = claims.into_iter().max_by_key(|claim| claim.epoch) else {
            let reason = match (&self.kind, refused) {
                (_, Some(error)) => error.details().to_owned(),
                (Kind::Sentinel { service, .. }, None) => format!("no sentinel knows a primary called {service}"),
                (_, None) => "no node of the cluster says where our keys belong".to_owned(),
            };
            return Err(BusError::Unreachable { at: address(&self.url), reason });
        };
        if self.is_cluster() {
            let known = self.config.server.hosts().into_iter().chain(newest.others).take(NODES_MAX).collect();
            *self.nodes.lock().unwrap_or_else(PoisonError::into_inner) = known;
        }
        Ok(Some(newest.primary))
    }

    async fn ask(&self, server: &Server, key: &str) -> Result<Option<Claim>, Error> {
        let mut config = Config { server: ServerConfig::Centralized { server: server.clone() }, ..self.config.clone() };
        config.version = RespVersion::RESP2;
        config.database = None;
        if let Kind::Sentinel { username, password, .. } = &self.kind {
            (config.username, config.password) = (username.clone(), password.clone());
        }
        let client = Builder::from_config(config)
            .with_connection_config(|connection| {
                connection.connection_timeout = ASK_TIMEOUT;
                connection.internal_command_timeout = ASK_TIMEOUT;
                connection.max_command_attempts = 1;
            })
            .with_performance_config(|performance| performance.default_command_timeout = ASK_TIMEOUT)
            .build()?;
        let driver = client.init().await?;
        let claim = match &self.kind {
            Kind::Sentinel { service, .. } => ask_sentinel(&client, service).await,
            _ => ask_node(&client, server, key).await,
        };
        driver.abort();
        claim
    }

    /// Whether the connected server still is the one for `key`.
    pub(super) async fn prove(&self, client: &Client, key: &str) -> Result<(), Error> {
        match self.kind {
            Kind::Single => Ok(()),
            Kind::Sentinel { .. } => match role(client).await?.into_iter().next().and_then(|role| role.into_string()).as_deref() {
                Some("master") => Ok(()),
                _ => Err(Error::new(ErrorKind::Sentinel, "the server is not a primary any more")),
            },
            // Answered with MOVED by every node but the owner.
            Kind::Cluster => client.custom::<Value, _>(command("EXISTS"), vec![key.to_owned()]).await.map(drop),
        }
    }
}

/// The parts of an answer to ROLE: what the server is, its offset, and for a primary its replicas.
async fn role(client: &Client) -> Result<Vec<Value>, Error> {
    Ok(client.custom::<Value, _>(command("ROLE"), Vec::<String>::new()).await?.into_array())
}

/// Whether a replica has what this client wrote, or there is no replica that could.
pub(super) async fn replicated(client: &Client) -> Result<bool, Error> {
    let confirmed: u64 = client.custom(command("WAIT"), vec!["1".to_owned(), REPLICATED_WITHIN_MS.to_owned()]).await?;
    if confirmed > 0 {
        return Ok(true);
    }
    Ok(role(client).await?.into_iter().nth(2).is_none_or(|replicas| replicas.into_array().is_empty()))
}

fn command(name: &'static str) -> CustomCommand {
    CustomCommand::new_static(name, ClusterHash::FirstKey, false)
}

/// A sentinel that has just promoted a server names it together with the number of that failover, before it calls the
/// server its own; the others learn both from it.
async fn ask_sentinel(client: &Client, service: &str) -> Result<Option<Claim>, Error> {
    let sentinel = |word: &str| vec![word.to_owned(), service.to_owned()];
    let named: Value = client.custom(command("SENTINEL"), sentinel("GET-MASTER-ADDR-BY-NAME")).await?;
    let mut named = named.into_array().into_iter().filter_map(|part| part.into_string());
    let (Some(host), Some(port)) = (named.next(), named.next().and_then(|port| port.parse().ok())) else { return Ok(None) };
    let told: Value = client.custom(command("SENTINEL"), sentinel("MASTER")).await?;
    let mut told = told.into_array().into_iter();
    let mut epoch = 0;
    while let (Some(name), Some(value)) = (told.next(), told.next()) {
        if name.as_str().as_deref() == Some("config-epoch") {
            epoch = value.as_u64().unwrap_or(0);
        }
    }
    Ok(Some(Claim { epoch, primary: Server::new(host, port), others: Vec::new() }))
}

async fn ask_node(client: &Client, asked: &Server, key: &str) -> Result<Option<Claim>, Error> {
    let nodes: String = client.custom(command("CLUSTER"), vec!["NODES".to_owned()]).await?;
    let slot = fred::util::redis_keyslot(key.as_bytes());
    let mut nodes: Vec<Node> = nodes.lines().filter_map(|line| Node::parse(line, asked)).collect();
    let owner = nodes.iter().position(|node| node.owns(slot)).map(|place| nodes.swap_remove(place));
    Ok(owner.map(|owner| {
        let others = nodes.into_iter().map(|node| node.server).chain([owner.server.clone()]).collect();
        Claim { epoch: owner.epoch, primary: owner.server, others }
    }))
}

/// A line of `CLUSTER NODES`: `id host:port@bus[,name] flags primary ping pong epoch link slots…`.
struct Node {
    server: Server,
    epoch: u64,
    slots: Vec<(u16, u16)>,
}

impl Node {
    fn parse(line: &str, asked: &Server) -> Option<Self> {
        let mut words = line.split(' ');
        let place = words.nth(1)?.split('@').next()?;
        let flags = words.next()?;
        let epoch = words.nth(3)?.parse().ok()?;
        // The link's state, then the slots. What is on its way in or out stands in brackets.
        let slots = words.skip(1).filter_map(|slots| {
            let (first, last) = slots.split_once('-').unwrap_or((slots, slots));
            Some((first.parse().ok()?, last.parse().ok()?))
        });
        let (host, port) = place.rsplit_once(':')?;
        // A node that was never told its own address.
        let host = if host.is_empty() { asked.host.to_string() } else { host.to_owned() };
        if flags.split(',').any(|flag| matches!(flag, "fail" | "noaddr" | "handshake")) {
            return None;
        }
        Some(Self { server: Server::new(host, port.parse().ok()?), epoch, slots: slots.collect() })
    }

    fn owns(&self, slot: u16) -> bool {
        self.slots.iter().any(|(first, last)| (*first..=*last).contains(&slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_of_a_cluster_are_read() {
        let asked = Server::new("10.0.0.9", 7);
        let node = |line: &str| Node::parse(line, &asked);
        let owner = node("07c3 127.0.0.1:30004@31004,host-a myself,master - 0 1426238317239 4 connected 0-5460 9000 [77->-292f]");
        let owner = owner.expect("a node");
        assert_eq!((owner.server.clone(), owner.epoch), (Server::new("127.0.0.1", 30004), 4));
        assert!(owner.owns(0) && owner.owns(5460) && owner.owns(9000) && !owner.owns(5461) && !owner.owns(77 + 9000));
        let nameless = node("07c3 :30004@31004 myself,slave 67ed 0 0 4 connected").expect("a node");
        assert!(nameless.server.host == "10.0.0.9" && !nameless.owns(1));
        for gone in ["07c3 127.0.0.1:1@2 master,fail - 0 0 4 disconnected 0-100", "07c3 :0@0 master,noaddr - 0 0 4 disconnected", "", "x y"]
        {
            assert!(node(gone).is_none(), "{gone}");
        }
    }

    #[test]
    fn urls_are_checked() {
        let kind = |url: &str| Servers::parse(url).map(|servers| (servers.is_single(), servers.is_cluster()));
        assert!(matches!(kind("redis://127.0.0.1:6379/2"), Ok((true, false))));
        assert!(matches!(kind("redis-sentinel://a:26379?sentinelServiceName=board&node=b:26379"), Ok((false, false))));
        assert!(matches!(kind("redis-cluster://a:7000?node=b:7001"), Ok((false, true))));
        assert!(matches!(kind("redis-sentinel://a:26379"), Err(BusError::Config(_))), "the name of the primary is missing");
        assert!(matches!(kind("nonsense"), Err(BusError::Config(_))));
    }
}
