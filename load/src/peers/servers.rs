//! The servers that ours is compared with, each started fresh, on the server's core, with a configuration that its own
//! documentation would give it for this work. `load/peers/setup` installs them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::getuid;

use crate::error::Error;
use crate::watch::cores::{self, Cores};
use crate::watch::inject::Way;
use crate::watch::open::Target;
use crate::watch::protocol::{Protocol, TOPIC};

const READY_WITHIN: Duration = Duration::from_secs(30);
const ENDED_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Sockets that a server is told it may have.
const SOCKETS_MAX: u64 = 19_000;
/// Where Nchan is given what it is to hand out.
const PUBLISH_PATH: &str = "/pub";

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Peer {
    Socketio,
    Ws,
    Nats,
    Nchan,
    /// What is published travels through Redis, as between several nginx
    NchanRedis,
    Mosquitto,
    Socketioxide,
}

/// A child that is ended when it is dropped.
pub(super) struct Process(Child);

impl Process {
    pub(super) fn spawn(mut command: Command, log: &Path, cores: Option<&Cores>) -> Result<Self, Error> {
        let log = std::fs::File::create(log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let spawned = match cores {
            Some(cores) => cores.on_server_core(|| command.spawn()),
            None => command.spawn(),
        };
        let program = command.get_program().to_string_lossy().into_owned();
        spawned.map(Self).map_err(|error| Error::Usage(format!("{program}: {error}; load/peers/setup installs it")))
    }

    /// The process that does the work: nginx has a master above it.
    fn worker(&self) -> u32 {
        cores::descendants(self.0.id()).first().copied().unwrap_or(self.0.id())
    }

    fn wait_until_listening(&mut self, port: u16, log: &Path) -> Result<(), Error> {
        let give_up = Instant::now() + READY_WITHIN;
        loop {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(());
            }
            if self.0.try_wait()?.is_some() || Instant::now() > give_up {
                let told = std::fs::read_to_string(log).unwrap_or_default();
                return Err(Error::Server(format!("it does not listen: {}", told.trim_end())));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        // It may have ended by itself.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let give_up = Instant::now() + ENDED_WITHIN;
        while matches!(self.0.try_wait(), Ok(None)) {
            if Instant::now() > give_up {
                let _ = self.0.kill();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Where the peers are installed, and the Redis that feeds some of them.
pub(super) struct Ground {
    installed: PathBuf,
    pub(super) dir: PathBuf,
    redis_port: u16,
    _redis: Process,
}

impl Ground {
    /// The Redis goes with the client, not with the server under test.
    pub(super) fn prepare(installed: &Path) -> Result<Self, Error> {
        let dir = std::env::temp_dir().join(format!("orderboard-load-peers-{}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        let redis_port = free_port()?;
        let mut command = Command::new("redis-server");
        command.args(["--port", &redis_port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]).arg("--dir").arg(&dir);
        let log = dir.join("redis.log");
        let mut redis = Process::spawn(command, &log, None)?;
        redis.wait_until_listening(redis_port, &log)?;
        let installed = installed.canonicalize().map_err(|error| Error::Usage(format!("{}: {error}", installed.display())))?;
        Ok(Self { installed, dir, redis_port, _redis: redis })
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.dir) {
            eprintln!("{} is left behind: {error}", self.dir.display());
        }
    }
}

fn free_port() -> Result<u16, Error> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A peer that runs.
pub(super) struct Running {
    pub(super) target: Target,
    pub(super) pid: u32,
    publish_url: String,
    peer: Peer,
    authority: String,
    _process: Process,
}

impl Running {
    /// How messages of so many bytes get into it.
    pub(super) fn way(&self, bytes: usize) -> Way {
        match self.peer {
            Peer::Socketio | Peer::Ws | Peer::Socketioxide => Way::Redis { channel: TOPIC.into(), bytes },
            Peer::Nats => Way::Nats { subject: TOPIC.into(), bytes },
            Peer::Mosquitto => Way::Mqtt { topic: TOPIC.into(), bytes },
            Peer::Nchan | Peer::NchanRedis => Way::Http { authority: self.authority.clone(), path: PUBLISH_PATH.into(), bytes },
        }
    }

    pub(super) fn publish_url(&self) -> &str {
        &self.publish_url
    }
}

impl Peer {
    /// As it is asked for.
    pub(super) fn name(self) -> String {
        clap::ValueEnum::to_possible_value(&self).map_or_else(String::new, |value| value.get_name().to_owned())
    }

    pub(super) fn start(self, ground: &Ground, cores: Option<&Cores>) -> Result<Running, Error> {
        let (port, inner) = (free_port()?, free_port()?);
        let authority = format!("127.0.0.1:{port}");
        let log = ground.dir.join("server.log");
        let mut process = Process::spawn(self.command(ground, port, inner)?, &log, cores)?;
        process.wait_until_listening(port, &log)?;
        if matches!(self, Peer::Nchan | Peer::NchanRedis) {
            wait_until_publishing(port)?;
        }
        let (protocol, path) = match self {
            Peer::Socketio | Peer::Socketioxide => (Protocol::SocketIo, "/socket.io/?EIO=4&transport=websocket"),
            Peer::Ws => (Protocol::Plain, "/"),
            Peer::Nats => (Protocol::Nats, "/"),
            Peer::Mosquitto => (Protocol::Mqtt, "/mqtt"),
            Peer::Nchan | Peer::NchanRedis => (Protocol::Plain, "/sub"),
        };
        let publish_port = match self {
            Peer::Socketio | Peer::Ws | Peer::Socketioxide => ground.redis_port,
            Peer::Nats | Peer::Mosquitto => inner,
            Peer::Nchan | Peer::NchanRedis => port,
        };
        Ok(Running {
            target: Target { authority: authority.as_str().into(), path: path.into(), protocol },
            pid: process.worker(),
            publish_url: format!("tcp://127.0.0.1:{publish_port}"),
            peer: self,
            authority,
            _process: process,
        })
    }

    fn command(self, ground: &Ground, port: u16, inner: u16) -> Result<Command, Error> {
        let feed = [port.to_string(), ground.redis_port.to_string(), TOPIC.to_owned()];
        let config = ground.dir.join("server.conf");
        let mut command;
        match self {
            Peer::Socketio | Peer::Ws => {
                let script = if self == Peer::Ws { "ws.js" } else { "socketio.js" };
                command = Command::new("node");
                command.arg(ground.installed.join("node").join(script)).args(feed);
            }
            Peer::Socketioxide => {
                command = Command::new(ground.installed.join("socketioxide/target/release/socketioxide-peer"));
                command.args(feed);
            }
            Peer::Nats => {
                std::fs::write(&config, nats(port, inner))?;
                command = Command::new("nats-server");
                command.arg("-c").arg(&config);
            }
            Peer::Mosquitto => {
                std::fs::write(&config, mosquitto(port, inner))?;
                command = Command::new("mosquitto");
                command.arg("-c").arg(&config);
            }
            Peer::Nchan | Peer::NchanRedis => {
                let redis_port = (self == Peer::NchanRedis).then_some(ground.redis_port);
                std::fs::write(&config, nginx(port, redis_port, &ground.dir))?;
                command = Command::new("nginx");
                command.arg("-p").arg(&ground.dir).arg("-c").arg(&config);
            }
        }
        // Debian keeps servers where a user's path does not look.
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{path}:/usr/sbin:/usr/local/sbin")).current_dir(&ground.dir);
        Ok(command)
    }
}

fn nats(port: u16, inner: u16) -> String {
    format!(
        "listen: \"127.0.0.1:{inner}\"\nwebsocket {{ listen: \"127.0.0.1:{port}\", no_tls: true }}\n\
         max_connections: {SOCKETS_MAX}\nping_interval: \"10m\"\n"
    )
}

fn mosquitto(port: u16, inner: u16) -> String {
    // No limit to what waits for a client: with one, messages would be dropped.
    format!(
        "{}allow_anonymous true\npersistence false\nset_tcp_nodelay true\nmax_queued_messages 0\nlog_type error\n\
         listener {inner} 127.0.0.1\nlistener {port} 127.0.0.1\nprotocol websockets\n",
        if getuid().is_root() { "user root\n" } else { "" }
    )
}

/// nginx listens before its worker is there, and its worker before it has reached Redis.
fn wait_until_publishing(port: u16) -> Result<(), Error> {
    let give_up = Instant::now() + READY_WITHIN;
    loop {
        let answer = publish_once(port).unwrap_or_else(|error| error.to_string());
        if answer.starts_with("HTTP/1.1 2") {
            return Ok(());
        }
        if Instant::now() > give_up {
            return Err(Error::Server(format!("it does not publish: {}", answer.lines().next().unwrap_or_default())));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn publish_once(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(READY_WITHIN))?;
    write!(stream, "POST {PUBLISH_PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn nginx(port: u16, redis_port: Option<u16>, dir: &Path) -> String {
    let redis = redis_port.map_or(String::new(), |port| format!("upstream redis {{ nchan_redis_server redis://127.0.0.1:{port}; }}\n"));
    let pass = redis_port.map_or("", |_| "nchan_redis_pass redis;");
    let dir = dir.display();
    let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|name| format!("{name}_temp_path {dir}/{name};\n")).concat();
    format!(
        "{}load_module /usr/lib/nginx/modules/ngx_nchan_module.so;\n\
         worker_processes 1;\ndaemon off;\npid {dir}/nginx.pid;\nerror_log {dir}/nginx.log warn;\n\
         events {{ worker_connections {SOCKETS_MAX}; }}\n\
         http {{\naccess_log off;\ntcp_nodelay on;\nkeepalive_requests 1000000000;\nkeepalive_timeout 1h;\n{places}\
         nchan_shared_memory_size 512M;\nnchan_message_buffer_length 1000;\nnchan_message_timeout 10s;\n{redis}\
         server {{\nlisten 127.0.0.1:{port} backlog=4096;\n\
         location = /sub {{ nchan_subscriber websocket; nchan_channel_id {TOPIC}; nchan_subscriber_first_message newest; {pass} }}\n\
         location = {PUBLISH_PATH} {{ nchan_publisher http; nchan_channel_id {TOPIC}; {pass} }}\n}}\n}}\n",
        if getuid().is_root() { "user root;\n" } else { "" }
    )
}
