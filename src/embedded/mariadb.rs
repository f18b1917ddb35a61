//! MariaDB over `data/mariadb`. For `embedded`, and for tests that want a database server of their own.
//!
//! Reachable through its socket alone, as root without a password: the socket's directory is this user's only.
//! Never here: tables of ours (`migrations/` makes them), a setting that trades durability for speed.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use tokio::{io::AsyncReadExt, net::UnixStream};
use tracing::info;

use super::{
    child::{self, Child, Launch},
    claim::{self, Claim},
    error::EmbeddedError,
    place::{Place, directory, private_dir},
};

pub(super) const NAME: &str = "MariaDB";
const PROGRAMS: &[&str] = &["mariadbd"];

/// Runs at each start, before the first connection is let in.
const INIT: &str = "create database if not exists orderboard character set utf8mb4 collate utf8mb4_unicode_ci;\n";

/// `transaction-isolation` and the durable log are what the money code is written for; the thread pool is worth
/// a factor of two to five under many takers; the rest are sizes. MariaDB's own defaults hold for what is absent.
const SETTINGS: &[&str] = &[
    "--skip-networking",
    "--skip-ssl",
    "--skip-log-bin",
    "--innodb-flush-log-at-trx-commit=1",
    "--innodb-buffer-pool-size=512M",
    "--transaction-isolation=READ-COMMITTED",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_unicode_ci",
    "--default-time-zone=+00:00",
    "--max-connections=300",
    "--max-allowed-packet=64M",
    "--thread-handling=pool-of-threads",
    "--performance-schema=OFF",
    // Without a line for each client that goes away, our own probes among them.
    "--log-warnings=1",
];
/// Also told to the bootstrap, or the first start would make the log anew.
const LOG_SIZE: &str = "--innodb-log-file-size=512M";

/// A running server. [`stop`](Self::stop) ends it in good order, [`kill`](Self::kill) as a crash would.
#[derive(Debug)]
pub struct MariaDb {
    url: String,
    child: Child,
    sockets: PathBuf,
    // After `child`: fields are dropped in this order, and the directory is ours until the server was told to end.
    _claim: Claim,
}

impl MariaDb {
    /// Starts a server over `data/mariadb`, made on the first start, with an empty database `orderboard`.
    ///
    /// # Errors
    /// [`EmbeddedError`]; nothing is left running then but what is already ending.
    pub async fn start(data: &Path) -> Result<Self, EmbeddedError> {
        let place = Place::open(data)?;
        let claim = Claim::take(&place, NAME).await?;
        Self::start_claimed(&place, claim).await
    }

    pub(super) async fn start_claimed(place: &Place, mut claim: Claim) -> Result<Self, EmbeddedError> {
        let program = child::find(PROGRAMS).ok_or(EmbeddedError::Missing {
            program: "mariadbd",
            package: "mariadb-server-core",
            variable: "DATABASE_URL",
        })?;
        let tables = place.data.join("mariadb");
        let unfinished = place.data.join("mariadb.new");
        for dir in [&tables, &unfinished] {
            claim::stop_leftovers(place, NAME, PROGRAMS, &datadir(dir)).await?;
        }
        if !tables.exists() {
            initialise(place, &program, &unfinished).await?;
            fs::rename(&unfinished, &tables).map_err(|source| directory(&tables, source))?;
        }

        let socket = place.sockets.join("mariadb.sock");
        let init = place.run.join("mariadb-init.sql");
        fs::write(&init, INIT).map_err(|source| directory(&init, source))?;
        let mut arguments = common_arguments(place, &tables)?;
        arguments.extend(SETTINGS.iter().map(OsString::from));
        arguments.extend([option("--socket=", &socket), option("--init-file=", &init)]);
        let log = child::log_path(place, NAME);
        let mut child = Child::spawn(Launch { name: NAME, program, arguments, stdin: None, log }).await?;
        child.ready(async || greets(&socket).await.unwrap_or(false)).await?;

        let url = format!("mysql://root@localhost/orderboard?socket={}", socket.display());
        claim.announce(&url)?;
        Ok(Self { url, child, sockets: place.sockets.clone(), _claim: claim })
    }

    /// For sqlx; the same after each start over the same directory.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends it and returns when the process is gone: at most 25 s.
    pub async fn stop(mut self) {
        self.child.stop().await;
        Place::forget_sockets(&self.sockets);
    }

    /// SIGKILL, as if the machine had failed under it; returns when the process is gone. It can be started again.
    pub async fn kill(mut self) {
        self.child.kill().await;
    }

    /// Resolves with a sentence when the server ends that nobody asked to end.
    pub async fn died(&mut self) -> String {
        self.child.obituary().await
    }
}

/// Makes the system tables in a directory that gets its real name only when it is complete.
///
/// MariaDB's own `mariadb-install-db` feeds the same files to the same bootstrap, but as root it also changes
/// the owner of a file of the machine's installation, breaks on a path with a space, and is a shell that would
/// leave its server behind when killed.
async fn initialise(place: &Place, program: &Path, unfinished: &Path) -> Result<(), EmbeddedError> {
    info!(directory = %unfinished.display(), "first start: making MariaDB's system tables");
    match fs::remove_dir_all(unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(directory(unfinished, error)),
        _ => {}
    }
    private_dir(unfinished)?;
    let script = place.run.join("mariadb-bootstrap.sql");
    write_bootstrap(program, &script)?;
    let stdin = File::open(&script).map_err(|source| directory(&script, source))?;
    let mut arguments = common_arguments(place, unfinished)?;
    arguments.extend(["--bootstrap", "--skip-networking", "--log-warnings=0"].map(OsString::from));
    // The system tables name their engines themselves.
    arguments.push("--enforce-storage-engine=".into());
    let log = child::log_path(place, NAME);
    let bootstrap = Launch { name: NAME, program: program.to_owned(), arguments, stdin: Some(stdin), log };
    Child::spawn(bootstrap).await?.finished().await?;
    let _ = fs::remove_file(&script);
    Ok(())
}

/// The statements of `mariadb-install-db --auth-root-authentication-method=normal --skip-test-db`, less the help
/// texts and the sys schema, which nobody asks for here and which take most of the time.
fn write_bootstrap(program: &Path, script: &Path) -> Result<(), EmbeddedError> {
    let failed = |source| directory(script, source);
    let mut out = File::create(script).map_err(failed)?;
    out.write_all(b"create database if not exists mysql;\nuse mysql;\nset @auth_root_socket=null;\n").map_err(failed)?;
    for name in ["system_tables", "performance_tables", "system_tables_data"] {
        let source = system_script(program, name).ok_or(EmbeddedError::Missing {
            program: "MariaDB's mysql_system_tables.sql",
            package: "mariadb-server-core",
            variable: "DATABASE_URL",
        })?;
        let text = fs::read(&source).map_err(|error| directory(&source, error))?;
        out.write_all(&text).and_then(|()| out.write_all(b"\n")).map_err(failed)?;
    }
    Ok(())
}

/// Under the same prefix as the program; MariaDB 11 renamed directory and files from mysql to mariadb.
fn system_script(program: &Path, name: &str) -> Option<PathBuf> {
    let program = program.canonicalize().ok()?;
    let prefixes = program.ancestors().skip(2).take(2).map(Path::to_owned).chain(["/usr".into(), "/usr/local".into()]);
    prefixes
        .flat_map(|prefix| {
            let share = prefix.join("share");
            ["mysql", "mariadb"].into_iter().flat_map(move |dir| {
                let dir = share.join(dir);
                ["mysql", "mariadb"].map(|brand| dir.join(format!("{brand}_{name}.sql")))
            })
        })
        .find(|file| file.is_file())
}

fn common_arguments(place: &Place, tables: &Path) -> Result<Vec<OsString>, EmbeddedError> {
    // At its start the server deletes every temporary table in its temp directory, another server's among them.
    let temp = private_dir(&place.data.join("tmp"))?;
    // `--no-defaults` counts only as the first one.
    let mut arguments = vec!["--no-defaults".into(), datadir(tables), option("--tmpdir=", &temp), LOG_SIZE.into()];
    if rustix::process::geteuid().is_root() {
        // It refuses to run as root unless told so; the files are root's then.
        arguments.push("--user=root".into());
    }
    Ok(arguments)
}

fn datadir(dir: &Path) -> OsString {
    option("--datadir=", dir)
}

fn option(name: &str, value: &Path) -> OsString {
    let mut option = OsString::from(name);
    option.push(OsStr::new(value));
    option
}

/// The server speaks first: a packet header of four bytes (the last one the sequence number 0), then protocol
/// version 10. An error packet in its place begins with 0xff.
async fn greets(socket: &Path) -> io::Result<bool> {
    let mut stream = UnixStream::connect(socket).await?;
    let mut greeting = [0; 5];
    stream.read_exact(&mut greeting).await?;
    Ok(greeting[3] == 0 && greeting[4] == 10)
}
