//! Least squares with factors that can't be negative: more power never cools a card. There are at most
//! three columns, so all subsets are tried.

use super::gram::Gram;

/// The factors of the chosen columns, and the sum of squares that is left.
pub(super) fn not_negative(gram: &Gram, target: usize, chosen: &[usize]) -> (Vec<f64>, f64) {
    let mut best = (vec![0.0; chosen.len()], gram.left(&[], &[]));
    for subset in 1_usize..1 << chosen.len() {
        let places: Vec<usize> = (0..chosen.len()).filter(|n| subset >> n & 1 == 1).collect();
        let columns: Vec<usize> = places.iter().map(|n| chosen[*n]).collect();
        let Some(factors) = solved(gram, target, &columns) else {
            continue;
        };
        if factors.iter().any(|factor| *factor < 0.0) {
            continue;
        }
        let left = gram.left(&columns, &factors);
        if left < best.1 {
            let mut all = vec![0.0; chosen.len()];
            for (place, factor) in places.iter().zip(factors) {
                all[*place] = factor;
            }
            best = (all, left);
        }
    }
    best
}

/// Gauss with pivots. `None`: the columns are too much alike.
fn solved(gram: &Gram, target: usize, columns: &[usize]) -> Option<Vec<f64>> {
    const ALIKE: f64 = 1e-9;
    let n = columns.len();
    let mut rows: Vec<Vec<f64>> = columns
        .iter()
        .map(|i| {
            let row = columns.iter().map(|j| gram.sum(*i, *j));
            row.chain([gram.sum(*i, target)]).collect()
        })
        .collect();
    let scale = (0..n).map(|i| rows[i][i]).fold(0.0, f64::max);
    for i in 0..n {
        let pivot = (i..n).max_by(|a, b| rows[*a][i].abs().total_cmp(&rows[*b][i].abs()))?;
        rows.swap(i, pivot);
        if rows[i][i].abs() <= scale * ALIKE {
            return None;
        }
        let (above, below) = rows.split_at_mut(i + 1);
        let pivot = &above[i];
        for row in below {
            let factor = row[i] / pivot[i];
            for (value, over) in row.iter_mut().zip(pivot).skip(i) {
                *value -= factor * over;
            }
        }
    }
    let mut factors = vec![0.0; n];
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|j| rows[i][j] * factors[j]).sum();
        factors[i] = (rows[i][n] - known) / rows[i][i];
    }
    Some(factors)
}
