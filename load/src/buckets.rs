//! A histogram as /metrics tells it: how many values were at most each bound. What lies between two readings is what was
//! recorded meanwhile.

use crate::error::Error;
use crate::http::Client;

/// (bound in seconds, values at most that), the last bound being infinite.
#[derive(Default, Debug, Clone)]
pub(crate) struct Buckets(Vec<(f64, f64)>);

impl Buckets {
    /// Of nothing when the server does not know the histogram.
    pub(crate) async fn read(client: &mut Client, name: &str) -> Result<Self, Error> {
        let answer = client.get("/metrics").await?;
        if answer.status != 200 {
            return Err(Error::Server(format!("/metrics answers {}", answer.status)));
        }
        Ok(Self::parse(name, &String::from_utf8_lossy(answer.body)))
    }

    /// Summed over all other labels.
    fn parse(name: &str, metrics: &str) -> Self {
        let mut buckets: Vec<(f64, f64)> = Vec::new();
        let lines = metrics.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix("_bucket{"));
        for (bound, count) in lines.filter_map(bucket) {
            match buckets.iter_mut().find(|(known, _)| *known == bound) {
                Some(known) => known.1 += count,
                None => buckets.push((bound, count)),
            }
        }
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self(buckets)
    }

    /// What was recorded after `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let before = |bound: f64| earlier.0.iter().find(|(known, _)| *known == bound).map_or(0.0, |(_, count)| *count);
        Self(self.0.iter().map(|&(bound, count)| (bound, count - before(bound))).collect())
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.last().map_or(0, |(_, count)| *count as u64)
    }

    /// The share of values up to a bound; nothing of no values, or when it is none of the bounds.
    pub(crate) fn share_within(&self, seconds: f64) -> Option<f64> {
        let (_, within) = self.0.iter().find(|(bound, _)| *bound == seconds)?;
        (self.count() > 0).then(|| within / self.count() as f64)
    }

    /// In seconds, as if the values of a bucket lay evenly in it; infinite beyond the last bound.
    pub(crate) fn quantile(&self, quantile: f64) -> Option<f64> {
        let rank = self.0.last().map(|(_, count)| count * quantile).filter(|rank| *rank > 0.0)?;
        let (mut from, mut below) = (0.0, 0.0);
        for &(bound, count) in &self.0 {
            if count >= rank {
                return Some(if bound.is_finite() { from + (bound - from) * (rank - below) / (count - below) } else { bound });
            }
            (from, below) = (bound, count);
        }
        None
    }
}

/// What follows the brace: `a="b",le="0.01"} 7`.
fn bucket(line: &str) -> Option<(f64, f64)> {
    let (labels, count) = line.rsplit_once("} ")?;
    let bound = labels.split(',').find_map(|label| label.strip_prefix("le=\"")?.strip_suffix('"'))?;
    Some((bound.parse().ok()?, count.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::Buckets;

    const TEXT: &str = "# TYPE t_seconds histogram\n\
        t_seconds_bucket{le=\"0.01\"} 90\nt_seconds_bucket{le=\"0.02\"} 100\nt_seconds_bucket{le=\"+Inf\"} 100\n\
        t_seconds_sum 1\nt_seconds_count 100\nother_t_seconds_bucket{le=\"0.01\"} 5\n";

    #[test]
    fn a_quantile_lies_within_its_bucket_where_its_rank_does() {
        let buckets = Buckets::parse("t_seconds", TEXT);
        assert_eq!((buckets.count(), buckets.share_within(0.01), buckets.share_within(0.015)), (100, Some(0.9), None));
        let near = |quantile, seconds: f64| buckets.quantile(quantile).is_some_and(|found| (found - seconds).abs() < 1e-9);
        assert!(near(0.45, 0.005) && near(0.9, 0.01) && near(0.99, 0.019), "{buckets:?}");
    }

    #[test]
    fn what_was_recorded_before_does_not_count() {
        let before = Buckets::parse("t_seconds", TEXT);
        let more = TEXT.replace("90\n", "94\n").replace(" 100\n", " 110\n");
        let since = Buckets::parse("t_seconds", &more).since(&before);
        assert_eq!((since.count(), since.share_within(0.01)), (10, Some(0.4)));
        assert_eq!(before.since(&before).quantile(0.99), None);
        assert_eq!(before.since(&before).share_within(0.01), None);
    }

    #[test]
    fn other_labels_are_summed_and_what_lies_beyond_the_bounds_is_infinite() {
        let text = "t_bucket{a=\"x\",le=\"1\"} 1\nt_bucket{a=\"x\",le=\"+Inf\"} 2\nt_bucket{le=\"1\"} 1\nt_bucket{le=\"+Inf\"} 2\n";
        let buckets = Buckets::parse("t", text);
        assert_eq!((buckets.count(), buckets.quantile(0.5)), (4, Some(1.0)));
        assert!(buckets.quantile(0.99).is_some_and(f64::is_infinite));
        assert_eq!(Buckets::parse("absent", text).quantile(0.99), None);
    }
}
