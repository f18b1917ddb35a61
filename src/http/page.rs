//! The page, embedded in the binary. Assets carry a hash in their names and never change; every other path that is not
//! the API's is a route of the page, which gets the first page with the visitor's language and theme written into it.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::LazyLock;

use axum::extract::{Request, State};
use axum::http::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, VARY};
use axum::http::{HeaderMap, HeaderValue, Method};
use bytes::Bytes;
use rust_embed::RustEmbed;

use super::caching::takes_gzip;
use super::caller::named_cookie;
use super::error::{Answer, Problem, method_not_allowed, typed_ok};
use super::{Api, Mode};

#[derive(RustEmbed)]
#[folder = "web/dist"]
#[allow_missing = true]
struct Files;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
     connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types svelte-trusted-html hub";
const NOT_BUILT: &str = "<!doctype html><title>orderboard</title><p>The page is not built into this binary. Run <code>make build</code>.";

struct Asset {
    plain: Bytes,
    /// Smaller, or not there.
    gzip: Option<Bytes>,
    content_type: &'static str,
}

static ASSETS: LazyLock<HashMap<String, Asset>> = LazyLock::new(|| {
    let load = |path: std::borrow::Cow<'static, str>| {
        let plain = Bytes::from(Files::get(&path)?.data.into_owned());
        let gzip = compress(&plain).filter(|gzip| gzip.len() < plain.len());
        let content_type = content_type(&path);
        Some((format!("/{path}"), Asset { plain, gzip, content_type }))
    };
    Files::iter().filter_map(load).collect()
});

pub(super) async fn page(State(api): State<Api>, request: Request) -> Answer {
    let path = request.uri().path();
    if path.starts_with("/api/") || path == "/api" {
        return Err(Problem::no_route());
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(method_not_allowed().await);
    }
    let headers = request.headers();
    let mut response = match ASSETS.get(path).filter(|_| path != "/index.html") {
        Some(asset) => {
            let is_hashed = path.starts_with("/assets/");
            let caching = if is_hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
            let mut response = body(asset.plain.clone(), asset.gzip.clone(), asset.content_type, headers);
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(caching));
            response
        }
        // A file that is not there is missing; anything else may be a route of the page.
        None if path.starts_with("/assets/") || path.rsplit('/').next().is_some_and(|name| name.contains('.')) => {
            return Err(Problem::no_route());
        }
        None => {
            let html = Bytes::from(first_page(headers, api.mode));
            let gzip = compress(&html);
            let mut response = body(html, gzip, "text/html; charset=utf-8", headers);
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            response
        }
    };
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Ok(response)
}

fn first_page(headers: &HeaderMap, mode: Mode) -> String {
    let Some(index) = ASSETS.get("/index.html") else { return NOT_BUILT.to_owned() };
    let html = String::from_utf8_lossy(&index.plain);
    let theme = named_cookie(headers, "theme").filter(|theme| matches!(*theme, "light" | "dark")).unwrap_or("");
    let about = serde_json::json!({"mode": mode, "version": env!("CARGO_PKG_VERSION")}).to_string().replace('"', "&quot;");
    html.replace(r#"<html lang="en" data-theme="">"#, &format!(r#"<html lang="{}" data-theme="{theme}">"#, language(headers)))
        .replace(r#"<meta name="orderboard" content="">"#, &format!(r#"<meta name="orderboard" content="{about}">"#))
}

/// The chosen language, or the better of ours by the browser's order of preference.
pub(super) fn language(headers: &HeaderMap) -> &'static str {
    match named_cookie(headers, "lang") {
        Some("ru") => return "ru",
        Some("en") => return "en",
        _ => {}
    }
    let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    for tag in accepted.split(',').map(str::trim) {
        match tag.get(..2) {
            Some("ru") => return "ru",
            Some("en") => return "en",
            _ => {}
        }
    }
    "en"
}

fn body(plain: Bytes, gzip: Option<Bytes>, content_type: &'static str, headers: &HeaderMap) -> axum::response::Response {
    let mut response = match gzip.filter(|_| takes_gzip(headers)) {
        Some(gzip) => {
            let mut response = typed_ok(content_type, gzip);
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            response
        }
        None => typed_ok(content_type, plain),
    };
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding, cookie, accept-language"));
    response
}

fn compress(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("json" | "webmanifest") => "application/json",
        _ => "application/octet-stream",
    }
}
