//! A measurement that was repeated.

use std::fmt;

/// Mean and standard deviation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) mean: f32,
    /// That of the sample (n − 1); unknown for a single value.
    pub(crate) deviation: Option<f32>,
}

impl Spread {
    /// The spread of at least one value.
    pub(crate) fn of(values: impl Iterator<Item = f32> + Clone) -> Self {
        let count = values.clone().count() as f32;
        let mean = values.clone().sum::<f32>() / count;
        let squares: f32 = values.map(|value| (value - mean).powi(2)).sum();
        let deviation = (count > 1.0).then(|| (squares / (count - 1.0)).sqrt());
        Self { mean, deviation }
    }
}

/// With the formatter's precision: `81.2 ± 0.7`, or `81.2` for a single value.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.mean, f)?;
        self.deviation.map_or(Ok(()), |deviation| {
            f.write_str(" ± ")?;
            fmt::Display::fmt(&deviation, f)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_values_have_a_mean_and_a_deviation() {
        let spread = Spread::of([80.0, 82.0, 84.0].into_iter());
        assert_eq!(
            spread,
            Spread {
                mean: 82.0,
                deviation: Some(2.0)
            }
        );
        assert_eq!(format!("{spread:.1}"), "82.0 ± 2.0");
    }

    #[test]
    fn one_value_has_no_deviation() {
        assert_eq!(format!("{:.2}", Spread::of([0.5].into_iter())), "0.50");
    }
}
