//! The sandbox: a payment gateway of our own for development, which does what the real one does. It checks the link's
//! signature, shows the sum on a page of its own (web/src/pages/TestBank.svelte), tells ResultURL by a real HTTP request
//! to this very node until it reads `OK` and the number, and sends the browser on to SuccessURL or FailURL. Whoever pays
//! need not be signed in. These routes exist only where the sandbox is the gateway, which production refuses.

use schemars::JsonSchema;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use http_body_util::{BodyExt as _, Limited};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};

use super::Api;
use super::error::{Answer, Problem, ok};
use super::extract::Json;
use crate::domain::refusal::{Invalid, Reason, Refusal};
use crate::domain::robokassa::{Fields, Link, Merchant, parse_sum};
use crate::flow::{Flow, Stage};

/// How long to wait before each telling; there is no further one.
const TELL_AFTER: [Duration; 5] =
    [Duration::ZERO, Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(15)];
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: usize = 4_096;
/// The payer is sent on after this time at the latest, told or not; as the real gateway does it.
const SENT_ON_WITHIN: Duration = Duration::from_secs(2);
/// Payments of which ResultURL is being told.
const TELLINGS_MAX: usize = 256;

/// The gateway's memory: where to tell of payments.
pub struct Sandbox {
    shop: SocketAddr,
    tellings: Arc<Semaphore>,
}

impl Sandbox {
    /// The sandbox beside a node that serves at `address`, if it is the gateway of these use cases.
    pub fn new(flow: &Flow, address: Option<SocketAddr>) -> Option<Self> {
        let shop = reachable(address?);
        flow.gateway().filter(|gateway| gateway.stage == Stage::Sandbox)?;
        Some(Self { shop, tellings: Arc::new(Semaphore::new(TELLINGS_MAX)) })
    }

    /// Tells ResultURL in the background; the answer is there when it has been heard.
    fn tell(&self, form: String, inv_id: &str) -> Result<oneshot::Receiver<()>, Refusal> {
        let full = |_| Refusal::Limit { what: "payments at once", retry_after_s: 1 };
        let permit = self.tellings.clone().try_acquire_owned().map_err(full)?;
        let (heard, hears) = oneshot::channel();
        let (shop, due) = (self.shop, format!("OK{inv_id}"));
        tokio::spawn(async move {
            let _permit = permit;
            for pause in TELL_AFTER {
                tokio::time::sleep(pause).await;
                match tokio::time::timeout(ANSWER_WITHIN, post(shop, &form)).await {
                    Ok(Ok(answer)) if answer == due => {
                        // Nobody may be waiting any more.
                        let _ = heard.send(());
                        return;
                    }
                    Ok(Ok(answer)) => tracing::warn!(?answer, "the sandbox told of a payment and was not believed"),
                    Ok(Err(error)) => tracing::warn!(error, "the sandbox could not tell of a payment"),
                    Err(_) => tracing::warn!("the sandbox told of a payment and got no answer in time"),
                }
            }
            metrics::counter!("orderboard_sandbox_untold_total").increment(1);
        });
        Ok(hears)
    }
}

/// A node that listens on every address is reached by this machine's own.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::from((Ipv6Addr::LOCALHOST, address.port())),
        _ => address,
    }
}

/// Posts the form to ResultURL and reads the answer's text.
async fn post(shop: SocketAddr, form: &str) -> Result<String, String> {
    let stream = TcpStream::connect(shop).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let connection = tokio::spawn(connection);
    let request = hyper::Request::post("/api/robokassa/result")
        .header(HOST, shop.to_string())
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form.to_owned()))
        .map_err(|error| error.to_string())?;
    let answered = async {
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
    }
    .await;
    connection.abort();
    answered
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Followed {
    /// The query of the link that the payer has followed.
    link: String,
}

/// The query of a payment link: these, and the shop's own `Shp_…`. What is missing is said in the answer.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "read by name, out of the query; this is for the description")]
pub(super) struct LinkQuery {
    #[schemars(rename = "MerchantLogin")]
    merchant_login: Option<String>,
    #[schemars(rename = "OutSum")]
    out_sum: Option<String>,
    #[schemars(rename = "InvId")]
    inv_id: Option<String>,
    #[schemars(rename = "Description")]
    description: Option<String>,
    #[schemars(rename = "SignatureValue")]
    signature_value: Option<String>,
    #[schemars(rename = "ExpirationDate")]
    expiration_date: Option<String>,
}

/// What a payment link asks for.
#[derive(Serialize, JsonSchema)]
pub(super) struct Bill {
    merchant: String,
    inv_id: String,
    amount: Option<i64>,
    currency: String,
    description: String,
    expired: bool,
}

/// Where the browser goes on to.
#[derive(Serialize, JsonSchema)]
pub(super) struct SentOn {
    url: String,
}

/// What the payer is asked for, if the link is the shop's.
pub(super) async fn show(State(api): State<Api>, RawQuery(query): RawQuery) -> Answer {
    let link = checked(gateway(&api)?, &query.unwrap_or_default())?;
    ok(&Bill {
        amount: parse_sum(&link.out_sum),
        expired: is_expired(&link),
        merchant: link.login,
        inv_id: link.inv_id,
        currency: link.currency.unwrap_or_else(|| "RUB".to_owned()),
        description: link.description,
    })
}

/// Pays: ResultURL is told, and the browser gets to know its SuccessURL.
pub(super) async fn pay(State(api): State<Api>, Json(followed): Json<Followed>) -> Answer {
    let gateway = gateway(&api)?;
    let link = checked(gateway, &followed.link)?;
    if is_expired(&link) {
        return Err(Invalid::new("ExpirationDate", Reason::Malformed, "the time to make this payment is over; ask for a new one").into());
    }
    // The real gateway writes six decimals here, and two in the link.
    let told = gateway.notification(&format!("{}0000", link.out_sum), &link.inv_id, &link.shp);
    let sandbox = api.sandbox.as_ref().ok_or_else(Problem::no_route)?;
    let heard = sandbox.tell(told, &link.inv_id)?;
    // A shop that does not hear is told again, and the payer does not wait for that.
    let _ = tokio::time::timeout(SENT_ON_WITHIN, heard).await;
    ok(&SentOn { url: format!("/api/robokassa/success?{}", gateway.success(&link.out_sum, &link.inv_id, &link.shp)) })
}

/// Does not pay: the browser gets to know its FailURL. The shop's server is told nothing.
pub(super) async fn decline(State(api): State<Api>, Json(followed): Json<Followed>) -> Answer {
    let gateway = gateway(&api)?;
    let link = checked(gateway, &followed.link)?;
    ok(&SentOn { url: format!("/api/robokassa/fail?{}", gateway.fail(&link.out_sum, &link.inv_id, &link.shp)) })
}

fn gateway(api: &Api) -> Result<&Merchant, Problem> {
    api.flow.gateway().filter(|gateway| gateway.stage == Stage::Sandbox).ok_or_else(Problem::no_route)
}

fn checked(gateway: &Merchant, query: &str) -> Result<Link, Invalid> {
    let read = Fields::parse(query.trim_start_matches('?').as_bytes()).and_then(|fields| Link::read(&fields));
    let link = read.map_err(|fault| Invalid::new("link", Reason::Malformed, format!("the payment link is damaged: {fault}")))?;
    if parse_sum(&link.out_sum).is_none_or(|sum| sum == 0) {
        return Err(Invalid::new("OutSum", Reason::Malformed, "`OutSum` must be a sum such as 100.00"));
    }
    if !gateway.is_link(&link) {
        return Err(Invalid::new("SignatureValue", Reason::Malformed, "the payment link is damaged: its signature is not the shop's"));
    }
    Ok(link)
}

fn is_expired(link: &Link) -> bool {
    link.expires_at.is_some_and(|expires_at| expires_at < OffsetDateTime::now_utc())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// A shop that answers one request with this text, and tells what it was sent.
    async fn answer_once(listener: &TcpListener, text: &str) -> String {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut sent = Vec::new();
        while !sent.ends_with(b"OutSum=1.000000&InvId=5") {
            assert!(stream.read_buf(&mut sent).await.unwrap() > 0, "{}", String::from_utf8_lossy(&sent));
        }
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(sent).unwrap()
    }

    #[tokio::test]
    async fn a_shop_is_told_until_it_says_that_it_has_heard() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sandbox = Sandbox { shop: listener.local_addr().unwrap(), tellings: Arc::new(Semaphore::new(1)) };
        let heard = sandbox.tell("OutSum=1.000000&InvId=5".into(), "5").unwrap();
        assert!(sandbox.tell("OutSum=1.000000&InvId=6".into(), "6").is_err(), "so many at once and no more");
        for text in ["bad sign", "OK55"] {
            let sent = answer_once(&listener, text).await;
            assert!(sent.starts_with("POST /api/robokassa/result HTTP/1.1\r\n"), "{sent}");
        }
        answer_once(&listener, "OK5").await;
        heard.await.unwrap();
    }

    #[test]
    fn a_node_that_listens_everywhere_is_reached_at_home() {
        for (listens, reached) in [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("10.1.2.3:80", "10.1.2.3:80")] {
            assert_eq!(reachable(listens.parse().unwrap()), reached.parse().unwrap());
        }
    }
}
