//! The hour behind us, as differences between what the metrics counted at one moment and at the next.

use schemars::JsonSchema;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use super::errors::is_ours;
use crate::domain::order::unix_ms;
use crate::http::layers::ACCEPT;

pub(super) const EVERY: Duration = Duration::from_secs(10);
const POINTS_MAX: usize = 360;
const HTTP: &str = "orderboard_http_seconds_bucket{";

/// What happened until `at_ms`.
#[derive(Clone, Serialize, JsonSchema)]
pub(super) struct Point {
    at_ms: i64,
    seconds: f64,
    sockets: usize,
    requests_per_s: f64,
    /// Orders taken; lost races are requests, too.
    accepts_per_s: f64,
    /// Answers that were our fault.
    errors_per_s: f64,
    /// Of all requests, then of accepts; absent where there were none.
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    accept_p50_ms: Option<f64>,
    accept_p99_ms: Option<f64>,
}

/// What one route has taken since the process began.
#[derive(Serialize, JsonSchema)]
pub(super) struct RouteTime {
    route: String,
    requests: u64,
    errors: u64,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
}

/// How many took at most so long, by the histogram's bounds, in ascending order; each counts those before it, too.
#[derive(Clone, Default)]
struct Buckets(Vec<(f64, u64)>);

/// What was counted so far, by route and status.
#[derive(Clone, Default)]
pub(super) struct Totals(BTreeMap<(String, u16), Buckets>);

#[derive(Default)]
pub(super) struct Series(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    points: VecDeque<Point>,
    last: Option<(OffsetDateTime, Totals)>,
}

impl Series {
    /// Adds what has happened since the last time.
    pub(super) fn add(&self, totals: &Totals, now: OffsetDateTime, sockets: usize) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((since, before)) = &kept.last {
            let point = totals.point(before, now - *since, now, sockets);
            if kept.points.len() == POINTS_MAX {
                kept.points.pop_front();
            }
            kept.points.push_back(point);
        }
        kept.last = Some((now, totals.clone()));
    }

    /// All points, and one of what has happened since the last.
    pub(super) fn until(&self, totals: &Totals, now: OffsetDateTime, sockets: usize) -> Vec<Point> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = kept.last.as_ref().map(|(since, before)| totals.point(before, now - *since, now, sockets));
        kept.points.iter().cloned().chain(last).collect()
    }
}

impl Totals {
    /// Out of Prometheus' text.
    pub(super) fn parse(text: &str) -> Self {
        let mut totals: BTreeMap<(String, u16), Buckets> = BTreeMap::new();
        for line in text.lines().filter_map(|line| line.strip_prefix(HTTP)) {
            let Some((labels, count)) = line.rsplit_once("} ") else { continue };
            let label = |name: &str| {
                let (_, rest) = labels.split_once(&format!("{name}=\""))?;
                rest.split_once('"').map(|(value, _)| value)
            };
            let (Some(route), Some(status), Some(bound)) = (label("route"), label("status"), label("le")) else { continue };
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap_or(f64::INFINITY) };
            let key = (route.to_owned(), status.parse().unwrap_or(0));
            totals.entry(key).or_default().0.push((bound, count.parse().unwrap_or(0)));
        }
        Self(totals)
    }

    fn point(&self, before: &Self, took: time::Duration, now: OffsetDateTime, sockets: usize) -> Point {
        let seconds = took.as_seconds_f64().max(0.001);
        let since = self.since(before);
        let per_s = |wanted: &dyn Fn(&str, u16) -> bool| since.of(wanted).count() as f64 / seconds;
        let (all, accepts) = (since.of(&|_, _| true), since.of(&|route, _| route == ACCEPT));
        Point {
            at_ms: unix_ms(now),
            seconds,
            sockets,
            requests_per_s: per_s(&|_, _| true),
            accepts_per_s: per_s(&|route, status| route == ACCEPT && status == 200),
            errors_per_s: per_s(&is_ours),
            p50_ms: all.quantile_ms(0.5),
            p99_ms: all.quantile_ms(0.99),
            accept_p50_ms: accepts.quantile_ms(0.5),
            accept_p99_ms: accepts.quantile_ms(0.99),
        }
    }

    fn since(&self, before: &Self) -> Self {
        let less = |(key, buckets): (&(String, u16), &Buckets)| {
            let earlier = before.0.get(key);
            let count = |at: usize| earlier.and_then(|earlier| earlier.0.get(at)).map_or(0, |(_, count)| *count);
            let rest = buckets.0.iter().enumerate().map(|(at, (bound, now))| (*bound, now.saturating_sub(count(at))));
            (key.clone(), Buckets(rest.collect()))
        };
        Self(self.0.iter().map(less).collect())
    }

    /// The sum of those that are wanted.
    fn of(&self, wanted: &dyn Fn(&str, u16) -> bool) -> Buckets {
        let mut sum = Buckets::default();
        for (_, buckets) in self.0.iter().filter(|((route, status), _)| wanted(route, *status)) {
            if sum.0.is_empty() {
                sum = buckets.clone();
            } else {
                sum.0.iter_mut().zip(&buckets.0).for_each(|((_, all), (_, some))| *all += some);
            }
        }
        sum
    }

    pub(super) fn routes(&self) -> Vec<RouteTime> {
        let names: std::collections::BTreeSet<&String> = self.0.keys().map(|(route, _)| route).collect();
        let route = |name: &String| {
            let all = self.of(&|route, _| route == name);
            RouteTime {
                route: name.clone(),
                requests: all.count(),
                errors: self.of(&|route, status| route == name && is_ours(route, status)).count(),
                p50_ms: all.quantile_ms(0.5),
                p99_ms: all.quantile_ms(0.99),
            }
        };
        let mut routes: Vec<RouteTime> = names.into_iter().map(route).collect();
        routes.sort_by_key(|route| std::cmp::Reverse(route.requests));
        routes
    }
}

impl Buckets {
    fn count(&self) -> u64 {
        self.0.last().map_or(0, |(_, count)| *count)
    }

    /// As Prometheus estimates it: evenly within a bucket; what lies beyond the last bound is told as that bound.
    fn quantile_ms(&self, quantile: f64) -> Option<f64> {
        let rank = quantile * self.count() as f64;
        let at = self.0.iter().position(|(_, count)| *count > 0 && *count as f64 >= rank)?;
        let (low, before) = at.checked_sub(1).map_or((0.0, 0), |at| self.0[at]);
        let (high, count) = self.0[at];
        if high.is_infinite() {
            return Some(low * 1e3);
        }
        Some((low + (high - low) * (rank - before as f64) / (count - before).max(1) as f64) * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(fast: u64, slow: u64) -> String {
        let line = |status: u16, le: &str, count: u64| {
            format!("orderboard_http_seconds_bucket{{route=\"{ACCEPT}\",status=\"{status}\",le=\"{le}\"}} {count}\n")
        };
        let all = fast + slow;
        [
            line(200, "0.001", fast),
            line(200, "0.002", all),
            line(200, "+Inf", all),
            line(503, "0.001", 0),
            line(503, "0.002", 0),
            line(503, "+Inf", 1),
        ]
        .concat()
    }

    #[test]
    fn a_point_tells_what_has_happened_since_the_last_one() {
        let (series, start) = (Series::default(), OffsetDateTime::UNIX_EPOCH);
        series.add(&Totals::parse(&text(50, 50)), start, 1);
        let totals = Totals::parse(&text(149, 51));
        series.add(&totals, start + time::Duration::seconds(10), 7);
        let points = series.until(&totals, start + time::Duration::seconds(12), 7);
        let [first, last] = &points[..] else { panic!("{} points", points.len()) };
        assert_eq!((first.sockets, first.at_ms, first.accepts_per_s, first.errors_per_s), (7, 10_000, 10.0, 0.0));
        assert!(first.accept_p50_ms.is_some_and(|ms| (0.4..0.6).contains(&ms)), "{:?}", first.accept_p50_ms);
        assert_eq!((last.accepts_per_s, last.accept_p99_ms), (0.0, None));
    }

    #[test]
    fn an_hour_is_remembered_and_not_more() {
        let (series, start) = (Series::default(), OffsetDateTime::UNIX_EPOCH);
        (0..500).for_each(|n| series.add(&Totals::default(), start + EVERY * n, 0));
        assert_eq!(series.until(&Totals::default(), start + EVERY * 500, 0).len(), POINTS_MAX + 1);
    }

    #[test]
    fn routes_are_told_with_their_errors() {
        let routes = Totals::parse(&text(99, 1)).routes();
        assert_eq!((routes.len(), routes[0].requests, routes[0].errors), (1, 101, 1));
    }
}
