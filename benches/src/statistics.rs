//! Medians and quartiles. A failed verification is treated as infinitely slow.

/// The summary of repeated measurements.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Summary {
    pub median: f64,
    pub lower_quartile: f64,
    pub upper_quartile: f64,
    pub count: usize,
}

impl Summary {
    /// `None` without any value.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |share: f64| quantile(&values, share);
        Some(Self { median: at(0.5)?, lower_quartile: at(0.25)?, upper_quartile: at(0.75)?, count: values.len() })
    }

    /// The expected deviation of the median from that of another run. Like the notch of a box plot
    /// (McGill, Tukey and Larsen, 1978), but with 2 instead of 1.57, because a run has a dozen
    /// comparisons: the noise of two medians together is about three standard errors of their
    /// difference.
    pub fn noise(self) -> f64 {
        let spread = self.upper_quartile - self.lower_quartile;
        if spread.is_nan() { f64::INFINITY } else { 2.0 * spread / (self.count as f64).sqrt() }
    }

    /// Whether fewer than a quarter failed; otherwise there is nothing to compare.
    pub fn is_finite(self) -> bool {
        [self.lower_quartile, self.median, self.upper_quartile].into_iter().all(f64::is_finite)
    }
}

/// With linear interpolation between the neighbouring sorted values.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let position = share * (sorted.len().checked_sub(1)? as f64);
    let (below, above) = (sorted[position.floor() as usize], sorted[position.ceil() as usize]);
    // Two infinite values have no difference.
    Some(if below.total_cmp(&above).is_eq() { below } else { below + (above - below) * position.fract() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_are_interpolated() {
        let summary = Summary::of([4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((summary.lower_quartile, summary.median, summary.upper_quartile), (1.75, 2.5, 3.25));
        assert_eq!(Summary::of([]), None);
    }

    #[test]
    fn failures_are_the_slowest() {
        let summary = Summary::of([1.0, f64::INFINITY, f64::INFINITY]).unwrap();
        assert_eq!((summary.median, summary.upper_quartile), (f64::INFINITY, f64::INFINITY));
        assert!(summary.noise().is_infinite());
        assert!(!summary.is_finite());
    }

    #[test]
    fn summary_with_a_quarter_of_failures_is_not_finite() {
        let of = |failures: usize| {
            let values = (0..20).map(|nth| if nth < failures { f64::INFINITY } else { 100.0 });
            Summary::of(values).unwrap().is_finite()
        };
        assert!(of(4));
        assert!(!of(5));
    }
}
