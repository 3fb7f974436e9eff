//! How certain a change is: a circular block bootstrap.
//!
//! Retransmits come in bursts, so that neighbouring seconds are alike, and no formula for independent events holds.
//! Here whole blocks of 10 s are drawn again and again, in runs of several neighbouring ones (Politis and Romano,
//! 1992). How much the results differ tells how certain a rate is.

use fastrand::Rng;
use statrs::distribution::ContinuousCDF as _;
use statrs::distribution::StudentsT;

/// With fewer blocks on either side, nothing is said.
pub const MIN_BLOCKS: usize = 30;

/// Number of times that blocks are drawn.
const DRAWS: usize = 1_000;

/// The seed: the same input gives the same result.
const SEED: u64 = 0x0072_6574_7261_6e73;

/// What was counted in a block, and what it is compared with: segments that were sent again and minutes, or segments
/// that were sent.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Block {
    /// What was counted.
    pub count: f64,
    /// What it is a share of, or the time in which it was counted.
    pub base: f64,
}

/// The sum of what was counted, by the sum of what it is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The ratio.
    pub value: f64,
    /// Its variance.
    variance: f64,
    /// The sum of what it is compared with.
    base: f64,
    /// Number of runs of blocks that are about independent.
    runs: f64,
}

/// A difference of two ratios.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The difference.
    pub value: f64,
    /// The interval in which the true one is to be expected.
    pub interval: (f64, f64),
}

impl Difference {
    /// Whether there is a difference.
    pub fn is_certain(&self) -> bool {
        let (low, high) = self.interval;
        low > 0.0 || high < 0.0
    }
}

/// The ratio of all blocks; `None` if there is nothing to compare with.
pub fn ratio(blocks: &[Block]) -> Option<f64> {
    let (count, base) = sums(blocks);
    (base > 0.0).then(|| count / base)
}

fn sums(blocks: &[Block]) -> (f64, f64) {
    let add = |(count, base), block: &Block| (count + block.count, base + block.base);
    blocks.iter().fold((0.0, 0.0), add)
}

/// The ratio of all blocks, and how certain it is. `None` with fewer than [`MIN_BLOCKS`].
pub fn estimate(blocks: &[Block]) -> Option<Estimate> {
    let value = ratio(blocks)?;
    if blocks.len() < MIN_BLOCKS {
        return None;
    }
    let number = blocks.len();
    let length = run_length(number);
    let runs = number.div_ceil(length);
    // Sums of the blocks before each, twice around, so that a run may go on at the start.
    let mut before = vec![(0.0, 0.0)];
    let (mut count, mut base) = (0.0, 0.0);
    for block in blocks.iter().chain(&blocks[..length]) {
        count += block.count;
        base += block.base;
        before.push((count, base));
    }
    let mut random = Rng::with_seed(SEED);
    let mut squares = 0.0;
    let mut draws = 0;
    for _ in 0..DRAWS {
        let (mut count, mut base) = (0.0, 0.0);
        for _ in 0..runs {
            let first = random.usize(..number);
            let (from, to) = (before[first], before[first + length]);
            count += to.0 - from.0;
            base += to.1 - from.1;
        }
        if base > 0.0 {
            squares += (count / base - value).powi(2);
            draws += 1;
        }
    }
    // A run that is drawn from so few is too much like the others.
    let correction = number as f64 / (number - length) as f64;
    Some(Estimate {
        value,
        variance: squares / f64::from(draws.max(1)) * correction,
        base: sums(blocks).1,
        runs: number as f64 / length as f64,
    })
}

/// Number of neighbouring blocks that are drawn together: it grows as the cube root of their number.
fn run_length(number: usize) -> usize {
    ((number as f64).cbrt().round() as usize).max(1)
}

/// The difference between two estimates. The true one is outside the interval with at most this probability.
///
/// A short side may have none of the rare large bursts, and then looks more certain than it is. If both sides are
/// equal, so is how much they vary: a side counts as varying as much as both together do, if that is more.
pub fn difference(before: &Estimate, after: &Estimate, error: f64) -> Difference {
    let value = after.value - before.value;
    // The variance of a side with a base of 1, of both together.
    let bases = before.base + after.base;
    let both = before.variance * before.base.powi(2) + after.variance * after.base.powi(2);
    let variance = |side: &Estimate| side.variance.max(both / bases / side.base);
    let deviation = (variance(before) + variance(after)).sqrt();
    let freedom = (before.runs.min(after.runs) - 1.0).max(1.0);
    let quantile = StudentsT::new(0.0, 1.0, freedom).map(|t| t.inverse_cdf(1.0 - error / 2.0));
    // There is such a distribution for every number of runs.
    let half = deviation * quantile.unwrap_or(f64::INFINITY);
    Difference {
        value,
        interval: (value - half, value + half),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process with bursts that last up to 40 s and have very different sizes, as those of retransmits, over a noise
    /// of single losses.
    fn bursty(random: &mut Rng, blocks: usize, burst_every: f64) -> Vec<Block> {
        let mut left = 0;
        let mut level = 0.0;
        let process = (0..blocks).map(|_| {
            if left == 0 && random.f64() < 1.0 / burst_every {
                left = 1 + random.u32(..4);
                // Sizes of a Pareto distribution.
                level = 5.0 / (1.0 - random.f64()).powf(0.6);
            }
            let burst = match left {
                0 => 0.0,
                _ => {
                    left -= 1;
                    level * (0.5 + random.f64())
                }
            };
            Block {
                count: (burst + f64::from(random.u32(..3))).floor(),
                base: 1.0,
            }
        });
        process.collect()
    }

    /// The number of pairs, of 200 with these numbers of blocks, that are called different.
    fn called_different(blocks: (usize, usize), every: (f64, f64), error: f64) -> usize {
        let mut random = Rng::with_seed(1);
        let pairs = (0..200).filter(|_| {
            let before = estimate(&bursty(&mut random, blocks.0, every.0)).expect("enough");
            let after = estimate(&bursty(&mut random, blocks.1, every.1)).expect("enough");
            difference(&before, &after, error).is_certain()
        });
        pairs.count()
    }

    #[test]
    fn identical_processes_are_called_different_in_at_most_5_percent() {
        for blocks in [(30, 30), (60, 60), (30, 360), (360, 360)] {
            let different = called_different(blocks, (8.0, 8.0), 0.05);
            assert!(different <= 10, "{different} of 200 with {blocks:?} blocks");
        }
    }

    #[test]
    fn a_change_that_is_large_enough_is_found() {
        let found = called_different((360, 360), (24.0, 4.0), 0.05);
        assert!(found >= 180, "{found} of 200");
    }

    #[test]
    fn too_few_blocks_say_nothing_and_the_same_blocks_say_the_same() {
        let mut random = Rng::with_seed(2);
        let blocks = bursty(&mut random, 60, 8.0);
        assert_eq!(estimate(&blocks[..MIN_BLOCKS - 1]), None);
        assert_eq!(estimate(&blocks), estimate(&blocks));
        assert!(estimate(&[Block::default(); 40]).is_none());
        let none = estimate(
            &[Block {
                count: 0.0,
                base: 1.0,
            }; 40],
        )
        .expect("enough");
        assert!(!difference(&none, &none, 0.05).is_certain());
    }
}
