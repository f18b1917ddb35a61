//! Where a request comes from. A cookie travels with every request a browser makes, also with those that a stranger's
//! page causes; so an unsafe request that relies on a cookie, and every websocket that does, must prove that a page of
//! ours made it: by Fetch Metadata, or by an Origin that is this host. A bearer token proves it by being there.

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Method};

use super::Api;
use super::caller::{bearer, cookie};
use super::error::Problem;

/// What the headers say about the page that made the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provenance {
    Ours,
    Foreign,
    /// No browser, or one that says nothing.
    Unknown,
}

pub(super) fn provenance(headers: &HeaderMap, allowed: &[String]) -> Provenance {
    let text = |value: &axum::http::HeaderValue| value.to_str().ok().map(str::to_owned);
    let origin = headers.get(ORIGIN).map(|value| text(value).unwrap_or_default());
    if let Some(origin) = origin {
        let host = headers.get(HOST).and_then(text).unwrap_or_default();
        let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        let is_ours = authority.is_some_and(|authority| authority.eq_ignore_ascii_case(&host)) || allowed.contains(&origin);
        return if is_ours { Provenance::Ours } else { Provenance::Foreign };
    }
    match headers.get("sec-fetch-site").map(|value| value.as_bytes()) {
        Some(b"same-origin") => Provenance::Ours,
        Some(_) => Provenance::Foreign,
        None => Provenance::Unknown,
    }
}

/// Refuses unsafe requests that a stranger's page may have caused.
pub(super) fn guard(api: &Api, request: &Request) -> Result<(), Problem> {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    // The payment gateway sends browsers back by a form on its own page. What it sends is signed, and no cookie is looked at.
    let is_gateway = request.uri().path().starts_with("/api/robokassa/");
    if is_safe || is_gateway || bearer(request.headers()).is_some() {
        return Ok(());
    }
    let relies_on_cookie = cookie(request.headers(), api.mode).is_some();
    match provenance(request.headers(), &api.origins) {
        Provenance::Ours => Ok(()),
        Provenance::Unknown if !relies_on_cookie => Ok(()),
        Provenance::Unknown => Err(Problem::forbidden(
            "a request that relies on the cookie must carry Origin or Sec-Fetch-Site; or send the token as a bearer",
        )),
        Provenance::Foreign => Err(Problem::forbidden("this request comes from another site's page")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(lines: &[(&'static str, &str)]) -> Provenance {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.insert(*name, value.parse().expect("a header"));
        }
        provenance(&headers, &["https://board.example".to_owned()])
    }

    #[test]
    fn only_our_own_pages_are_ours() {
        let host = ("host", "127.0.0.1:8080");
        assert_eq!(judged(&[host, ("origin", "http://127.0.0.1:8080")]), Provenance::Ours);
        assert_eq!(judged(&[host, ("origin", "https://board.example")]), Provenance::Ours);
        assert_eq!(judged(&[host, ("sec-fetch-site", "same-origin")]), Provenance::Ours);
        for (name, value) in [
            ("origin", "http://evil.example"),
            ("origin", "http://127.0.0.1:8081"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "none"),
        ] {
            assert_eq!(judged(&[host, (name, value)]), Provenance::Foreign, "{name}: {value}");
        }
        assert_eq!(judged(&[host, ("origin", "http://evil.example"), ("sec-fetch-site", "same-origin")]), Provenance::Foreign);
        assert_eq!(judged(&[host]), Provenance::Unknown);
    }
}
