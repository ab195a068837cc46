//! Sums of squares and products over all samples, each window's mean taken out. From them, any choice
//! of columns is solved without another look at the samples.

/// Columns of powers, and the temperature as the last one.
#[derive(Clone, Debug)]
pub(super) struct Gram {
    columns: usize,
    /// Upper triangle, row by row in a full square; means taken out.
    sums: Vec<f64>,
    count: usize,
    window: Window,
}

#[derive(Clone, Debug)]
struct Window {
    number: Option<usize>,
    count: f64,
    /// The first row, so that large numbers don't eat small differences.
    first: Vec<f64>,
    means: Vec<f64>,
    sums: Vec<f64>,
}

impl Gram {
    pub(super) fn new(columns: usize) -> Self {
        Self {
            columns,
            sums: vec![0.0; columns * columns],
            count: 0,
            window: Window {
                number: None,
                count: 0.0,
                first: vec![0.0; columns],
                means: vec![0.0; columns],
                sums: vec![0.0; columns * columns],
            },
        }
    }

    /// Samples that count.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    pub(super) fn add(&mut self, window: usize, row: &mut [f64]) {
        if self.window.number != Some(window) {
            self.close();
            self.window.number = Some(window);
            self.window.first.copy_from_slice(row);
        }
        for (value, first) in row.iter_mut().zip(&self.window.first) {
            *value -= first;
        }
        self.window.count += 1.0;
        let columns = self.columns;
        for (i, &value) in row.iter().enumerate() {
            self.window.means[i] += value;
            let sums = &mut self.window.sums[i * columns + i..(i + 1) * columns];
            for (sum, other) in sums.iter_mut().zip(&row[i..]) {
                *sum += value * other;
            }
        }
    }

    /// Ends the last window.
    pub(super) fn close(&mut self) {
        let window = &mut self.window;
        if window.count >= 2.0 {
            let columns = self.columns;
            for i in 0..columns {
                for j in i..columns {
                    let mean = window.means[i] * window.means[j] / window.count;
                    self.sums[i * columns + j] += window.sums[i * columns + j] - mean;
                }
            }
            self.count += whole(window.count);
        }
        window.count = 0.0;
        window.number = None;
        window.means.fill(0.0);
        window.sums.fill(0.0);
    }

    pub(super) fn sum(&self, i: usize, j: usize) -> f64 {
        self.sums[i.min(j) * self.columns + i.max(j)]
    }

    /// The sum of squares that is left when these columns explain the last one by these factors.
    pub(super) fn left(&self, chosen: &[usize], factors: &[f64]) -> f64 {
        let target = self.columns - 1;
        let mut left = self.sum(target, target);
        for (i, factor) in chosen.iter().zip(factors) {
            left -= 2.0 * factor * self.sum(*i, target);
            for (j, other) in chosen.iter().zip(factors) {
                left += factor * other * self.sum(*i, *j);
            }
        }
        left.max(0.0)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of samples"
)]
fn whole(count: f64) -> usize {
    count as usize
}
