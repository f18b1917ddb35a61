//! The servers are real ones, each test over a directory of its own.

use std::{
    env, fs,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::{Instant, sleep},
};

use super::*;

/// Removed when the test is over, whether it passed or not.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("orderboard-test-{}-{name}", process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a temp directory");
        Self(path)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Processes whose command line names `dir`.
fn processes_on(dir: &Path) -> Vec<i32> {
    let dir = dir.to_str().expect("an ASCII path");
    let numbers = fs::read_dir("/proc").expect("/proc").flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
    numbers.filter(|pid| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|l| String::from_utf8_lossy(&l).contains(dir))).collect()
}

async fn nobody_is_left_on(dir: &Path) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !processes_on(dir).is_empty() {
        assert!(Instant::now() < deadline, "still running: {:?}", processes_on(dir));
        sleep(Duration::from_millis(20)).await;
    }
}

async fn redis(url: &str, command: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(url.trim_start_matches("redis+unix://")).await?;
    stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn a_second_start_is_refused_then_finds_the_data_and_stop_leaves_nobody() {
    let dir = Dir::new("start");
    let first = Embedded::start(&dir.0).await.expect("first start");
    let urls = Urls { database_url: first.database_url.clone(), redis_url: first.redis_url.clone() };
    assert_eq!(running(&dir.0), Some(urls.clone()));
    redis(&urls.redis_url, "SET kept yes").await.expect("redis answers");

    let refused = Embedded::start(&dir.0).await.expect_err("the directory has an owner").to_string();
    assert!(refused.contains(&format!("pid {}", process::id())), "{refused}");

    first.stop().await;
    assert_eq!(processes_on(&dir.0), Vec::<i32>::new());
    assert_eq!(running(&dir.0), None);

    let again = Embedded::start(&dir.0).await.expect("second start");
    assert_eq!((&again.database_url, &again.redis_url), (&urls.database_url, &urls.redis_url));
    assert!(redis(&urls.redis_url, "GET kept").await.expect("redis answers").contains("yes"));
    drop(again);
    nobody_is_left_on(&dir.0).await;
}

#[tokio::test]
async fn redis_comes_back_on_the_same_url_after_a_crash() {
    let dir = Dir::new("crash");
    let first = Redis::start(&dir.0).await.expect("first start");
    let url = first.url().to_owned();
    first.kill().await;
    redis(&url, "PING").await.expect_err("nobody there");
    let mut again = Redis::start(&dir.0).await.expect("start after a crash");
    assert_eq!(again.url(), url);

    let _ = redis(&url, "SHUTDOWN NOSAVE").await;
    let sentence = again.died().await;
    assert!(sentence.starts_with("Redis ended by itself"), "{sentence}");
}

#[tokio::test]
async fn a_deep_directory_with_a_space_gets_its_sockets_elsewhere() {
    let dir = Dir::new("deep");
    let deep = dir.0.join("a space").join("x".repeat(120));
    let embedded = Embedded::start(&deep).await.expect("start");
    assert!(embedded.redis_url.len() < 108 && !embedded.redis_url.contains(' '), "{}", embedded.redis_url);
    assert!(running(&deep).is_some());
    let socket = PathBuf::from(embedded.redis_url.trim_start_matches("redis+unix://"));
    embedded.stop().await;
    assert!(!socket.parent().expect("a directory").exists(), "the socket directory is taken away again");
}

#[tokio::test]
async fn the_directory_not_being_one_is_one_clear_sentence() {
    let dir = Dir::new("file");
    let file = dir.0.join("data");
    fs::write(&file, "").expect("a file");
    let error = Embedded::start(&file).await.expect_err("not a directory").to_string();
    assert!(error.starts_with("cannot use ") && !error.contains('\n'), "{error}");
}

/// Not a test by itself: the process that the next test kills.
#[tokio::test]
#[ignore = "started by killing_the_process_takes_its_servers_along"]
async fn a_process_with_servers() {
    let Some(data) = env::var_os("ORDERBOARD_TEST_EMBEDDED") else { return };
    let _embedded = Embedded::start(Path::new(&data)).await.expect("start");
    println!("\nready");
    sleep(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn killing_the_process_takes_its_servers_along() {
    let dir = Dir::new("kill");
    let (_crate, module) = module_path!().split_once("::").expect("a module of a crate");
    let mut owner = Command::new(env::current_exe().expect("this test"))
        .args(["--ignored", "--exact", "--nocapture", &format!("{module}::a_process_with_servers")])
        .env("ORDERBOARD_TEST_EMBEDDED", &dir.0)
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test again");
    let lines = BufReader::new(owner.stdout.take().expect("piped")).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "ready"), "the servers did not start");
    assert_eq!(processes_on(&dir.0).len(), 2);
    let pid = Pid::from_raw(i32::try_from(owner.id()).expect("a pid")).expect("a pid");
    rustix::process::kill_process(pid, Signal::KILL).expect("kill");
    owner.wait().expect("it ends");

    let again = Embedded::start(&dir.0).await.expect("start after a kill -9, whatever is left");
    assert_eq!(processes_on(&dir.0).len(), 2);
    again.stop().await;
    assert_eq!(processes_on(&dir.0), Vec::<i32>::new());
}
