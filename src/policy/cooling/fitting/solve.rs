//! Least squares with a few unknowns, none of which may be a negative resistance.

/// The unknowns: the temperature without any draw, its drift, what the card still had of the time
/// before the first reading, and one resistance for each lag.
pub(super) const UNKNOWNS: usize = FIRST + super::lags::LAGS;
/// The first resistance among them.
pub(super) const FIRST: usize = 3;

pub(super) type Vector = [f64; UNKNOWNS];
pub(super) type Matrix = [Vector; UNKNOWNS];

/// The unknowns that solve the normal equations, and how well they are known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Solution {
    pub(super) values: Vector,
    /// The variance of the sum of the resistances, if each equation has a variance of 1.
    pub(super) spread: f64,
}

/// Solves `normal · x = right`. A resistance that would be negative is none, and the others are
/// found without it. `None`: the equations don't determine them.
pub(super) fn solve(normal: &Matrix, right: &Vector) -> Option<Solution> {
    let mut used = [true; UNKNOWNS];
    loop {
        let lower = cholesky(normal, used)?;
        let values = backward(&lower, forward(&lower, right, used), used);
        let resistances = (FIRST..UNKNOWNS).filter(|at| used[*at]);
        let worst = resistances.min_by(|a, b| values[*a].total_cmp(&values[*b]))?;
        if values[worst] < 0.0 {
            used[worst] = false;
            continue;
        }
        let mut sum = [0.0; UNKNOWNS];
        sum[FIRST..].fill(1.0);
        let half = forward(&lower, &sum, used);
        let spread = half.iter().map(|it| it * it).sum();
        return Some(Solution { values, spread });
    }
}

/// The lower triangle whose square is `matrix`, of the rows in use.
fn cholesky(matrix: &Matrix, used: [bool; UNKNOWNS]) -> Option<Matrix> {
    let mut lower = [[0.0; UNKNOWNS]; UNKNOWNS];
    for row in (0..UNKNOWNS).filter(|row| used[*row]) {
        for column in (0..=row).filter(|column| used[*column]) {
            let known: f64 = (0..column).map(|k| lower[row][k] * lower[column][k]).sum();
            let rest = matrix[row][column] - known;
            if row != column {
                lower[row][column] = rest / lower[column][column];
            } else if rest > matrix[row][row] * 1e-10 {
                lower[row][row] = rest.sqrt();
            } else {
                return None;
            }
        }
    }
    Some(lower)
}

fn forward(lower: &Matrix, right: &Vector, used: [bool; UNKNOWNS]) -> Vector {
    let mut half = [0.0; UNKNOWNS];
    for row in (0..UNKNOWNS).filter(|row| used[*row]) {
        let known: f64 = (0..row).map(|k| lower[row][k] * half[k]).sum();
        half[row] = (right[row] - known) / lower[row][row];
    }
    half
}

fn backward(lower: &Matrix, half: Vector, used: [bool; UNKNOWNS]) -> Vector {
    let mut values = [0.0; UNKNOWNS];
    for row in (0..UNKNOWNS).rev().filter(|row| used[*row]) {
        let known: f64 = (row + 1..UNKNOWNS).map(|k| lower[k][row] * values[k]).sum();
        values[row] = (half[row] - known) / lower[row][row];
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The normal equations of so many rows of a made-up experiment.
    fn equations(truth: &Vector, rows: u32) -> (Matrix, Vector) {
        let mut normal = [[0.0; UNKNOWNS]; UNKNOWNS];
        let mut right = [0.0; UNKNOWNS];
        for row in 0..rows {
            let x = |n: u32| f64::from((row * (7 + 2 * n) + n * row * row) % 23) / 23.0;
            let row = [1.0, x(1), x(2), x(3), x(4), x(5), x(6)];
            let y: f64 = row.iter().zip(truth).map(|(x, truth)| x * truth).sum();
            for (i, left) in row.iter().enumerate() {
                right[i] += left * y;
                for (j, other) in row.iter().enumerate() {
                    normal[i][j] += left * other;
                }
            }
        }
        (normal, right)
    }

    #[test]
    fn exact_equations_give_back_the_truth() {
        let truth = [30.0, -0.5, 3.0, 1.0, 2.0, 0.0, 4.0];
        let (normal, right) = equations(&truth, 60);
        let found = solve(&normal, &right).unwrap();
        for (found, truth) in found.values.iter().zip(truth) {
            assert!((found - truth).abs() < 1e-6, "{found} {truth}");
        }
        assert!(found.spread > 0.0);
    }

    #[test]
    fn no_resistance_is_negative() {
        let (normal, right) = equations(&[30.0, 0.0, 2.0, 3.0, -1.0, 2.0, 1.0], 60);
        let found = solve(&normal, &right).unwrap();
        assert!(
            found.values[FIRST..].iter().all(|it| *it >= 0.0),
            "{found:?}"
        );
    }

    #[test]
    fn too_few_equations_determine_nothing() {
        let (normal, right) = equations(&[30.0, 0.0, 2.0, 3.0, 1.0, 2.0, 1.0], 3);
        assert!(solve(&normal, &right).is_none());
    }
}
