//! What a client already has and how it wants the rest: conditional requests and content codings (RFC 9110).

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT_ENCODING, AsHeaderName, IF_NONE_MATCH};

/// Whether gzip is at least as welcome as the plain bytes. Who says nothing gets them plain, and so does who refuses
/// everything: an answer is more use than a refusal.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut identity, mut others) = (None, None, None);
    for item in values(headers, ACCEPT_ENCODING).flat_map(|value| value.split(',')) {
        let mut parts = item.split(';').map(str::trim);
        let coding = parts.next().unwrap_or_default();
        let Some(weight) = weight(parts) else { continue };
        let place = match coding.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => &mut gzip,
            "identity" => &mut identity,
            "*" => &mut others,
            _ => continue,
        };
        *place = Some(weight);
    }
    let gzip = gzip.or(others).unwrap_or(0);
    // Plain bytes that are not named are acceptable, and wanted least.
    gzip > 0 && gzip >= identity.unwrap_or(0)
}

/// The `q` of an item in thousandths; nothing for one that is not written as it should be.
fn weight<'a>(mut parameters: impl Iterator<Item = &'a str>) -> Option<u16> {
    let Some(parameter) = parameters.next() else { return Some(1_000) };
    let (name, value) = parameter.split_once('=')?;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let is_weight = name.eq_ignore_ascii_case("q")
        && parameters.next().is_none()
        && matches!(whole, "0" | "1")
        && fraction.len() <= 3
        && fraction.bytes().all(|digit| digit.is_ascii_digit());
    let thousandths = whole.parse::<u16>().ok()? * 1_000 + format!("{fraction:0<3}").parse::<u16>().ok()?;
    (is_weight && thousandths <= 1_000).then_some(thousandths)
}

/// Whether the client has the representation of this tag: `If-None-Match` is a list, compared weakly, or `*`.
pub(super) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    values(headers, IF_NONE_MATCH).any(|value| value.trim() == "*" || tags(value).any(|tag| tag == etag))
}

/// The quoted tags of a list, without their `W/`. A comma may stand within a tag, so the quotes decide.
fn tags(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let begin = rest.find('"')?;
        let end = begin + 2 + rest[begin + 1..].find('"')?;
        let tag = &rest[begin..end];
        rest = &rest[end..];
        Some(tag)
    })
}

fn values(headers: &HeaderMap, name: impl AsHeaderName) -> impl Iterator<Item = &str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use axum::http::header::{ACCEPT_ENCODING, HeaderName, IF_NONE_MATCH};
    use axum::http::{HeaderMap, HeaderValue};

    use super::{is_known, takes_gzip};

    fn headers(name: &HeaderName, lines: &[&'static str]) -> HeaderMap {
        lines.iter().map(|line| (name.clone(), HeaderValue::from_static(line))).collect()
    }

    #[test]
    fn gzip_is_given_to_who_wants_it() {
        let wanted: [&[&str]; 10] = [
            &["gzip"],
            &["deflate, gzip;q=1.0, *;q=0.5"],
            &["br;q=1.0,GZIP;q=0.001"],
            &["x-gzip"],
            &["*"],
            &["identity;q=0.5, *;q=0.8"],
            &["gzip ; Q=0.3 , identity;q=0.3"],
            &["br", "gzip"],
            &["identity;q=0, gzip;q=0.1"],
            &["gzip;q=1."],
        ];
        for lines in wanted {
            assert!(takes_gzip(&headers(&ACCEPT_ENCODING, lines)), "{lines:?}");
        }
        let unwanted: [&[&str]; 15] = [
            &[],
            &[""],
            &["br, deflate"],
            &["gzip;q=0"],
            &["gzip;q=0.000"],
            &["*;q=0"],
            &["*, gzip;q=0"],
            &["identity"],
            &["gzip;q=0.5, identity"],
            &["gzip;q=0.5, identity;q=0.6"],
            &["gzipped"],
            &["gzip;q=2"],
            &["gzip;q=1.001"],
            &["gzip;q=-1"],
            &["gzip;q=0.1234, gzip;level=3, gzip;q=, gzip;q"],
        ];
        for lines in unwanted {
            assert!(!takes_gzip(&headers(&ACCEPT_ENCODING, lines)), "{lines:?}");
        }
    }

    #[test]
    fn a_known_tag_is_found_in_any_list() {
        let known: [&[&str]; 6] =
            [&["\"a-1\""], &["W/\"a-1\""], &["\"x\", W/\"y\",\"a-1\""], &["*"], &["\"x\"", "\"a-1\""], &["\"x,y\" , \"a-1\" "]];
        for lines in known {
            assert!(is_known(&headers(&IF_NONE_MATCH, lines), "\"a-1\""), "{lines:?}");
        }
        let unknown: [&[&str]; 7] = [&[], &[""], &["a-1"], &["\"a-1"], &["\"a-1-gz\""], &["\"x,\"a-1\",y\""], &["\"x\", \"y\""]];
        for lines in unknown {
            assert!(!is_known(&headers(&IF_NONE_MATCH, lines), "\"a-1\""), "{lines:?}");
        }
    }
}
