//! The Bot API of Telegram, as much of it as is needed: sending a message, and asking what was written to the bot. Each call is
//! a request on a connection of its own; the token is in its path, and is never logged.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

const ANSWER_BYTES_MAX: usize = 1 << 20;
const CALL_WITHIN: Duration = Duration::from_secs(10);
/// Messages to the bot that are read at once.
const UPDATES_MAX: u32 = 100;

/// A bot at a server of Telegram's, or at what stands in for one.
#[derive(Clone)]
pub struct Bot(Arc<Inner>);

struct Inner {
    host: String,
    port: u16,
    /// Nothing for plain http, which is for a stand-in on this machine.
    tls: Option<TlsConnector>,
    path: String,
}

/// Why a call came to nothing.
#[derive(Debug)]
pub enum Failure {
    /// The server has understood, and will not do it however often it is asked.
    Refused(String),
    /// Nobody is there any more: the chat is gone, or its owner wants nothing of the bot.
    Gone(String),
    /// Too much was asked; ask again after this time.
    Limited(Duration),
    Passing(String),
}

/// Something that was written to the bot.
#[derive(Debug, Deserialize)]
pub struct Update {
    pub update_id: i64,
    pub message: Option<Written>,
}

#[derive(Debug, Deserialize)]
pub struct Written {
    pub chat: Chat,
    pub from: Option<Writer>,
    pub text: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Chat {
    pub id: i64,
}

#[derive(Debug, Deserialize)]
pub struct Writer {
    pub language_code: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    ok: bool,
    #[serde(default)]
    result: Value,
    error_code: Option<u16>,
    description: Option<String>,
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
struct Parameters {
    retry_after: Option<u64>,
}

impl Bot {
    /// The bot with this token at `api`, such as `https://api.telegram.org`.
    pub fn new(api: &str, token: &str) -> Result<Self, String> {
        let unusable = || format!("ORDERBOARD_TELEGRAM_API must look like https://api.telegram.org, not {api:?}");
        let uri: Uri = api.parse().map_err(|_| unusable())?;
        let host = uri.host().ok_or_else(unusable)?.trim_matches(['[', ']']).to_owned();
        let (tls, port) = match uri.scheme_str() {
            Some("https") => (Some(connector()?), 443),
            Some("http") if ["127.0.0.1", "::1", "localhost"].contains(&&*host) => (None, 80),
            Some("http") => return Err("ORDERBOARD_TELEGRAM_API may be plain http on this machine only".to_owned()),
            _ => return Err(unusable()),
        };
        let is_token = |token: &str| !token.is_empty() && token.chars().all(|c| c.is_ascii_alphanumeric() || ":_-".contains(c));
        if !is_token(token) {
            return Err("ORDERBOARD_TELEGRAM_TOKEN must look like 123456:ABC-DEF, as @BotFather gives it".to_owned());
        }
        let path = format!("{}/bot{token}", uri.path().trim_end_matches('/'));
        Ok(Self(Arc::new(Inner { host, port: uri.port_u16().unwrap_or(port), tls, path })))
    }

    pub async fn send(&self, chat_id: i64, text: &str) -> Result<(), Failure> {
        let message = json!({"chat_id": chat_id, "text": text, "link_preview_options": {"is_disabled": true}});
        self.call("sendMessage", &message, CALL_WITHIN).await.map(drop)
    }

    /// What was written to the bot from this number on; waits for so long until something is.
    pub async fn updates(&self, offset: i64, wait: Duration) -> Result<Vec<Update>, Failure> {
        let ask = json!({"offset": offset, "limit": UPDATES_MAX, "timeout": wait.as_secs(), "allowed_updates": ["message"]});
        let result = self.call("getUpdates", &ask, wait + CALL_WITHIN).await?;
        serde_json::from_value(result).map_err(|error| Failure::Passing(format!("updates cannot be read: {error}")))
    }

    async fn call(&self, method: &str, body: &Value, within: Duration) -> Result<Value, Failure> {
        match tokio::time::timeout(within, self.ask(method, body)).await {
            Ok(Ok(answer)) => judge(answer),
            Ok(Err(error)) => Err(Failure::Passing(error)),
            Err(_) => Err(Failure::Passing(format!("no answer within {} s", within.as_secs()))),
        }
    }

    async fn ask(&self, method: &str, body: &Value) -> Result<Answer, String> {
        let Inner { host, port, tls, path } = &*self.0;
        let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(|error| error.to_string())?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{path}/{method}"))
            .header(HOST, host)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(|error| error.to_string())?;
        match tls {
            None => exchange(stream, request).await,
            Some(tls) => {
                let name = ServerName::try_from(host.clone()).map_err(|error| error.to_string())?;
                let stream = tls.connect(name, stream).await.map_err(|error| error.to_string())?;
                exchange(stream, request).await
            }
        }
    }
}

async fn exchange(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, request: Request<Full<Bytes>>) -> Result<Answer, String> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let speaking = tokio::spawn(connection);
    let told = async {
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(|error| error.to_string())?;
        serde_json::from_slice(&body.to_bytes()).map_err(|error| format!("the answer cannot be read: {error}"))
    };
    let told = told.await;
    speaking.abort();
    told
}

fn judge(answer: Answer) -> Result<Value, Failure> {
    if answer.ok {
        return Ok(answer.result);
    }
    let told = answer.description.unwrap_or_else(|| "it says no and not why".to_owned());
    let retry_after = answer.parameters.and_then(|parameters| parameters.retry_after);
    let told = format!("{}: {told}", answer.error_code.unwrap_or_default());
    Err(match answer.error_code {
        Some(429) => Failure::Limited(Duration::from_secs(retry_after.unwrap_or(5).min(3_600))),
        Some(403) => Failure::Gone(told),
        Some(400) if told.contains("chat not found") || told.contains("user is deactivated") => Failure::Gone(told),
        Some(400 | 413) => Failure::Refused(told),
        // A token that is not taken is the operator's to mend: messages wait.
        _ => Failure::Passing(told),
    })
}

fn connector() -> Result<TlsConnector, String> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bot_is_reached_by_tls_but_on_this_machine() {
        for api in ["https://api.telegram.org", "https://telegram.example:8443/bots/", "http://127.0.0.1:8081", "http://localhost"] {
            assert!(Bot::new(api, "123:ABC-def_9").is_ok(), "{api}");
        }
        for (api, token) in
            [("http://api.telegram.org", "1:A"), ("ftp://127.0.0.1", "1:A"), ("api.telegram.org", "1:A"), ("https://a.example", "1/A")]
        {
            assert!(Bot::new(api, token).is_err(), "{api} {token}");
        }
    }

    #[test]
    fn answers_say_whether_to_ask_again() {
        let failure = |text: &str| judge(serde_json::from_str(text).expect("an answer")).expect_err("a failure");
        let limited = failure(r#"{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":7}}"#);
        assert!(matches!(limited, Failure::Limited(wait) if wait == Duration::from_secs(7)));
        assert!(matches!(failure(r#"{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked"}"#), Failure::Gone(_)));
        assert!(matches!(failure(r#"{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}"#), Failure::Gone(_)));
        assert!(matches!(failure(r#"{"ok":false,"error_code":400,"description":"Bad Request: text is empty"}"#), Failure::Refused(_)));
        assert!(matches!(failure(r#"{"ok":false,"error_code":502}"#), Failure::Passing(_)));
        assert!(judge(serde_json::from_str(r#"{"ok":true,"result":[]}"#).expect("an answer")).is_ok());
    }
}
