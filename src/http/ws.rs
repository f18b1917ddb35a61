//! The websocket's door: checks who comes from where, answers the handshake and hands the connection to `live`.

use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::Api;
use super::caller::{MaybeCaller, bearer, cookie};
use super::error::{Answer, Problem, switching_protocols};
use super::origin::{Provenance, provenance};
use crate::live;

const PROTOCOL: HeaderValue = HeaderValue::from_static("orderboard.v1");

pub(super) async fn upgrade(State(api): State<Api>, MaybeCaller(session): MaybeCaller, mut request: Request) -> Answer {
    let headers = request.headers();
    let key = handshake_key(headers)?;
    // A foreign page may watch as a guest, but never with its visitor's cookie.
    let relies_on_cookie = bearer(headers).is_none() && cookie(headers, api.mode).is_some();
    match provenance(headers, &api.origins) {
        Provenance::Foreign if relies_on_cookie => return Err(Problem::forbidden("this websocket is asked for by another site's page")),
        Provenance::Unknown if relies_on_cookie => {
            return Err(Problem::forbidden("a websocket that relies on the cookie must carry Origin; or send the token as a bearer"));
        }
        _ => {}
    }
    if !api.live.has_room() {
        metrics::counter!("orderboard_sockets_refused_total").increment(1);
        return Err(Problem::unavailable("this node takes no more websockets now; try again, another node may answer"));
    }
    let offers_protocol = headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .any(|offered| offered.to_str().is_ok_and(|offered| offered.split(',').any(|name| name.trim().as_bytes() == PROTOCOL.as_bytes())));
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).map_err(|_| Problem::internal())?;
    let on_upgrade = request.extensions_mut().remove::<OnUpgrade>().ok_or_else(Problem::upgrade_required)?;
    tokio::spawn(async move {
        match on_upgrade.await {
            Ok(upgraded) => match upgraded.downcast::<TokioIo<TcpStream>>() {
                Ok(parts) => live::serve(parts.io.into_inner(), parts.read_buf, api.live.clone(), session).await,
                Err(_) => tracing::warn!("an upgraded connection is not the stream that was accepted"),
            },
            Err(error) => tracing::debug!(%error, "a client left during the websocket handshake"),
        }
    });
    Ok(switched(accept, offers_protocol))
}

fn handshake_key(headers: &HeaderMap) -> Result<HeaderValue, Problem> {
    let has = |name: HeaderName, token: &str| {
        headers
            .get_all(name)
            .iter()
            .any(|value| value.to_str().is_ok_and(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token))))
    };
    let is_websocket = has(CONNECTION, "upgrade") && has(UPGRADE, "websocket") && has(SEC_WEBSOCKET_VERSION, "13");
    headers.get(SEC_WEBSOCKET_KEY).filter(|_| is_websocket).cloned().ok_or_else(Problem::upgrade_required)
}

fn switched(accept: HeaderValue, offers_protocol: bool) -> Response {
    let mut response = switching_protocols([
        (CONNECTION, HeaderValue::from_static("upgrade")),
        (UPGRADE, HeaderValue::from_static("websocket")),
        (SEC_WEBSOCKET_ACCEPT, accept),
        (SEC_WEBSOCKET_PROTOCOL, PROTOCOL),
    ]);
    if !offers_protocol {
        response.headers_mut().remove(SEC_WEBSOCKET_PROTOCOL);
    }
    response
}
