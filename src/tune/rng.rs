//! Random numbers that are the same on every run with the same seed.

use std::f64::consts::TAU;

/// A `SplitMix64` generator (Steele, Lea and Flood, 2014).
///
/// Each purpose has a stream of its own, so that a setting which draws more numbers for one purpose
/// changes no other: all settings see the same arrivals and the same links.
#[derive(Clone, Debug)]
pub(super) struct Rng(u64);

/// What a stream of random numbers is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stream {
    Arrivals(usize),
    Bursts(usize),
    Client(usize),
    Probes,
}

impl Rng {
    /// Creates the stream of `seed` for one purpose.
    pub(super) fn new(seed: u64, stream: Stream) -> Self {
        let number = match stream {
            Stream::Probes => 1,
            Stream::Arrivals(feed) => 1_000 + feed as u64,
            Stream::Bursts(feed) => 2_000_000 + feed as u64,
            Stream::Client(client) => 4_000_000 + client as u64,
        };
        let mut rng = Self(seed.wrapping_mul(0xD1B5_4A32_D192_ED03) ^ number);
        rng.next();
        rng.0 ^= number.wrapping_mul(STEP);
        rng
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a number of at least 0 and less than 1.
    pub(super) fn unit(&mut self) -> f64 {
        // 53 bits are exact.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Returns a number between `low` and `high`.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Returns a number of the exponential distribution.
    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// Returns a number of the normal distribution of mean 0 and deviation 1.
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (TAU * self.unit()).cos()
    }
}

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
