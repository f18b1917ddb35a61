//! The command line: what may be asked of the binary, and what each word does.

use std::io::Write as _;
use std::path::Path;

use clap::{Args, Parser, Subcommand};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::{App, AppConfig, Farewell, StartError};
use crate::config::{InForce, NodeRole, Places, Serving, descriptors};
use crate::domain::money::Amount;
use crate::domain::user::Role;
use crate::embedded::{self, Embedded, EmbeddedError};
use crate::flow::{Flow, FlowError, Outbox, Registration};
use crate::http::{Bound, Mode};
use crate::store::{Store, StoreError};

mod audit;

/// A real-time order board with its own money.
#[derive(Parser)]
#[command(name = "orderboard", version, about, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    serving: Serving,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve (what happens without a subcommand, too)
    Serve(Box<Serving>),
    /// Serve with a small living market on the board
    Demo(Box<Serving>),
    /// Bring the schema up to date and end
    Migrate,
    Audit(audit::Args),
    /// Make users
    #[command(subcommand)]
    User(UserCommand),
    /// Other systems that command billing operations over HTTP
    #[command(subcommand)]
    Service(ServiceCommand),
    /// Print the configuration in force as one JSON object
    Config(Box<Serving>),
}

#[derive(Subcommand)]
enum UserCommand {
    /// Make users with tokens in bulk; prints one JSON object a line
    Token(TokenArgs),
    /// Register one user; the password is read from standard input
    Create(CreateArgs),
    /// Close a user: no signing in, sessions end, money stands still
    Close {
        #[arg(long)]
        id: u64,
    },
}

#[derive(Subcommand)]
enum ServiceCommand {
    /// Make a token and print it as JSON; it is not kept and cannot be shown again
    Token {
        #[arg(long)]
        name: String,
    },
    /// End every token of a service
    End {
        #[arg(long)]
        name: String,
    },
}

#[derive(Args)]
struct TokenArgs {
    /// How many
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,
    /// customer, executor or admin
    #[arg(long, value_parser = role)]
    role: Role,
    /// Money for each wallet, in minor units (kopecks)
    #[arg(long, value_parser = amount)]
    credit: Option<Amount>,
}

#[derive(Args)]
struct CreateArgs {
    #[arg(long)]
    email: String,
    #[arg(long)]
    name: String,
    /// May also act as admin
    #[arg(long)]
    admin: bool,
}

fn role(name: &str) -> Result<Role, String> {
    Role::parse(name).ok_or_else(|| "must be customer, executor or admin".to_owned())
}

fn amount(text: &str) -> Result<Amount, String> {
    let minor = text.parse().map_err(|_| "must be a whole number of minor units, such as 100000 for 1,000.00".to_owned())?;
    Amount::parse("credit", minor).map_err(|invalid| invalid.detail)
}

/// Why a command did not do its work; each reads as one clear line.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Refused(String),
    #[error("cannot read or write: {0}")]
    Io(#[from] std::io::Error),
    #[error("{0}; the node has stopped")]
    ChildDied(String),
    #[error("{broken} of {of} invariants do not hold")]
    Violated { broken: usize, of: usize },
    #[error("the audit could not be run: {0}")]
    NotAudited(Box<CliError>),
}

impl CliError {
    /// What the process ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            CliError::NotAudited(_) => 2,
            _ => 1,
        }
    }
}

impl From<FlowError> for CliError {
    fn from(error: FlowError) -> Self {
        match error {
            FlowError::Store(error) => CliError::Store(error),
            FlowError::Refused(refusal) => CliError::Refused(format!("refused: {refusal:?}")),
            FlowError::Internal(detail) => CliError::Refused(detail),
        }
    }
}

/// Carries out what the command line asks for.
pub async fn run(cli: Cli) -> Result<(), CliError> {
    let Cli { places, serving, command } = cli;
    match command {
        None => serve(&places, serving).await,
        Some(Command::Serve(serving)) => serve(&places, *serving).await,
        Some(Command::Demo(serving)) => serve(&places, Serving { demo: true, ..*serving }).await,
        Some(Command::Migrate) => with_store(&places, async |store| Ok(store.migrate().await?)).await,
        Some(Command::Audit(args)) => {
            let audited = with_flow(&places, async |flow| audit::run(&flow, &args).await).await;
            audited.map_err(audit::not_audited)
        }
        Some(Command::User(UserCommand::Token(args))) => with_flow(&places, async |flow| tokens(&flow, &args).await).await,
        Some(Command::User(UserCommand::Create(args))) => with_flow(&places, async |flow| create_user(&flow, &args).await).await,
        Some(Command::User(UserCommand::Close { id })) => with_flow(&places, async |flow| Ok(flow.close_user(id).await.map(drop)?)).await,
        Some(Command::Service(command)) => with_flow(&places, async |flow| service(&flow, &command).await).await,
        Some(Command::Config(serving)) => {
            let in_force = InForce::new(&places, *serving);
            println!("{}", serde_json::to_string(&in_force).map_err(std::io::Error::from)?);
            Ok(())
        }
    }
}

async fn serve(places: &Places, serving: Serving) -> Result<(), CliError> {
    descriptors::raise();
    descriptors::check(&serving.limits).map_err(StartError::Descriptors)?;
    // Whether the port is free is asked before the databases are started, and answered for good when the node binds it.
    if serving.roles.contains(&NodeRole::Web) {
        let probe = Bound::new(serving.listen, serving.port()).map_err(|error| StartError::Listen(serving.listen, error))?;
        drop(probe);
    }
    let is_embedded = places.database_url.is_none();
    // Said before anything is started; the node asks again.
    serving.gateway.topups(serving.mode(is_embedded)).map_err(StartError::Gateway)?;
    serving.mail.postbox(serving.mode(is_embedded), serving.listen).map_err(StartError::Mail)?;
    serving.telegram.bot(None).map_err(StartError::Telegram)?;
    let mut embedded = embedded_if_needed(places).await?;
    let urls = |configured: &Option<String>, own: fn(&Embedded) -> String| {
        configured.clone().or_else(|| embedded.as_ref().map(own)).unwrap_or_default()
    };
    let mode = serving.mode(is_embedded);
    let farewell = Farewell { notice: serving.notice(mode), spread: serving.drain() };
    let config = AppConfig {
        listen: serving.listen,
        port: serving.port(),
        metrics_listen: serving.metrics_listen,
        mode,
        database_url: urls(&places.database_url, |own| own.database_url.clone()),
        redis_url: urls(&places.redis_url, |own| own.redis_url.clone()),
        redis_prefix: places.redis_prefix.clone(),
        billing_streams: places.billing_streams.clone(),
        origins: serving.origins,
        is_web: serving.roles.contains(&NodeRole::Web),
        is_worker: serving.roles.contains(&NodeRole::Worker),
        is_demo: serving.demo,
        limits: serving.limits,
        callers: serving.callers,
        payouts: serving.payouts,
        gateway: serving.gateway,
        mail: serving.mail,
        telegram: serving.telegram,
    };
    let started = App::start(config).await;
    let ended = match started {
        Ok(app) => {
            // Listened to from here on: a second signal must not get lost while the first one is being obeyed.
            let mut signals = Signals::listen();
            announce(&app, mode);
            let ended = until_told(embedded.as_mut(), &mut signals).await;
            tracing::info!("stopping: clients are told to go, work in hand is finished");
            tokio::select! {
                () = app.stop(farewell) => {}
                () = signals.next() => tracing::warn!("told twice: stopping now"),
            }
            ended
        }
        Err(error) => Err(error.into()),
    };
    if let Some(embedded) = embedded {
        embedded.stop().await;
    }
    ended
}

async fn embedded_if_needed(places: &Places) -> Result<Option<Embedded>, CliError> {
    if places.database_url.is_some() && places.redis_url.is_some() {
        return Ok(None);
    }
    tracing::info!(data = %places.data.display(), "starting the private MariaDB and Redis");
    Ok(Some(Embedded::start(&places.data).await?))
}

fn announce(app: &App, mode: Mode) {
    match app.address() {
        Some(address) => {
            tracing::info!(?mode, "ready on http://{address}");
            if mode == Mode::Development && !address.ip().is_loopback() {
                tracing::warn!("development mode on an address others can reach: anybody may top up for free");
            }
        }
        None => tracing::info!(?mode, "ready, without the web"),
    }
}

/// Waits for a signal, or for the death of a private database, which ends the node, too.
async fn until_told(embedded: Option<&mut Embedded>, signals: &mut Signals) -> Result<(), CliError> {
    let Some(embedded) = embedded else {
        signals.next().await;
        return Ok(());
    };
    tokio::select! {
        () = signals.next() => Ok(()),
        died = embedded.child_died() => Err(CliError::ChildDied(died)),
    }
}

/// SIGTERM and Ctrl-C. What cannot be listened to never comes.
struct Signals([Option<Signal>; 2]);

impl Signals {
    fn listen() -> Self {
        Self([SignalKind::terminate(), SignalKind::interrupt()].map(|kind| signal(kind).ok()))
    }

    async fn next(&mut self) {
        async fn one(signal: &mut Option<Signal>) {
            match signal {
                Some(signal) => drop(signal.recv().await),
                None => std::future::pending().await,
            }
        }
        let [terminate, interrupt] = &mut self.0;
        tokio::select! {
            () = one(terminate) => {}
            () = one(interrupt) => {}
        }
    }
}

/// Runs `work` on the configured database, on the one that a running node has started, or on one started for it.
async fn with_store(places: &Places, work: impl AsyncFnOnce(Store) -> Result<(), CliError>) -> Result<(), CliError> {
    let (url, started) = match (&places.database_url, embedded::running(&places.data)) {
        (Some(url), _) => (url.clone(), None),
        (None, Some(running)) => (running.database_url, None),
        (None, None) => {
            let started = Embedded::start(Path::new(&places.data)).await?;
            (started.database_url.clone(), Some(started))
        }
    };
    let worked = async {
        let store = Store::connect(&url, 8).await?;
        let worked = work(store.clone()).await;
        store.close().await;
        worked
    }
    .await;
    if let Some(started) = started {
        started.stop().await;
    }
    worked
}

async fn with_flow(places: &Places, work: impl AsyncFnOnce(Flow) -> Result<(), CliError>) -> Result<(), CliError> {
    with_store(places, async |store| {
        store.migrate().await?;
        // Nobody publishes here: a running node's sweep carries what changes.
        let (outbox, _unsent) = Outbox::new();
        let config = crate::flow::FlowConfig {
            take_lane: crate::flow::LaneSize { connections: 0, batch: 1 },
            auto_confirm_after: std::time::Duration::from_secs(259_200),
            session_lifetime: std::time::Duration::from_secs(2_592_000),
            counter_limits: crate::flow::CounterLimits::default(),
            limits: crate::flow::Limits::default(),
            topups: crate::flow::TopupConfig::default(),
            public_url: None,
            telegram: None,
        };
        work(Flow::start(store, outbox, None, config).await?).await
    })
    .await
}

/// Users made at the same time; more would only queue for the pool.
const GRANTS_AT_ONCE: usize = 8;

async fn tokens(flow: &Flow, args: &TokenArgs) -> Result<(), CliError> {
    use futures_util::stream::{self, StreamExt as _};
    let grants = stream::iter(0..args.count).map(|_| {
        let flow = flow.clone();
        let (role, credit) = (args.role, args.credit);
        tokio::spawn(async move { flow.grant_user(role, None, credit).await })
    });
    let mut grants = grants.buffered(GRANTS_AT_ONCE);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    while let Some(granted) = grants.next().await {
        let granted = granted.map_err(|error| CliError::Refused(error.to_string()))??;
        writeln!(out, "{}", serde_json::to_string(&granted).map_err(std::io::Error::from)?)?;
    }
    Ok(out.flush()?)
}

async fn service(flow: &Flow, command: &ServiceCommand) -> Result<(), CliError> {
    match command {
        ServiceCommand::Token { name } => {
            let token = flow.make_service_token(name).await?;
            println!("{}", serde_json::json!({"service": name, "token": token}));
        }
        ServiceCommand::End { name } => {
            let ended = flow.end_service_tokens(name).await?;
            println!("{}", serde_json::json!({"service": name, "ended": ended}));
        }
    }
    Ok(())
}

async fn create_user(flow: &Flow, args: &CreateArgs) -> Result<(), CliError> {
    let mut password = String::new();
    std::io::stdin().read_line(&mut password)?;
    let registration = Registration::parse(&args.email, &args.name, password.trim_end_matches(['\r', '\n'])).map_err(FlowError::Refused)?;
    let registration = if args.admin { registration.into_admin() } else { registration };
    let (user, email) = flow.register(registration).await?;
    println!("{}", serde_json::json!({"user_id": user.id, "name": user.name, "email": email}));
    Ok(())
}
