//! Figures, as they are printed.

use std::time::Duration;

/// Durations that were measured one by one.
#[derive(Debug, Default, Clone)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    pub(crate) fn add(&mut self, sample: Duration) {
        self.0.push(sample);
    }

    /// The sample below which so many of a hundred lie (nearest rank); zero if there are none.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied().unwrap_or_default()
    }

    pub(crate) fn p50(&self) -> Duration {
        self.percentile(50)
    }

    pub(crate) fn p99(&self) -> Duration {
        self.percentile(99)
    }
}

/// In milliseconds, as they stand in JSON.
pub(crate) fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e5).round() / 100.0
}

/// Rounds to two decimals.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples_of_their_rank() {
        let mut samples = Samples::default();
        assert_eq!(samples.p50(), Duration::ZERO);
        for second in (1..=200).rev() {
            samples.add(Duration::from_secs(second));
        }
        let percentiles = [samples.p50(), samples.p99(), samples.percentile(100)];
        assert_eq!(percentiles, [100, 198, 200].map(Duration::from_secs));
    }
}
