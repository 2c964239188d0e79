//! Python's random numbers for a seed. Many crontabs use `59 | random(seed=inventory_hostname)`, and a host must keep
//! its minute.

use sha2::{Digest, Sha512};

use crate::template::value::{number, show};

const SIZE: usize = 624;
const MIDDLE: usize = 397;

/// The Mersenne Twister MT19937, seeded like Python's `random.Random(seed)`.
pub(crate) struct MersenneTwister {
    state: [u32; SIZE],
    next: usize,
}

impl MersenneTwister {
    /// Seeded with text.
    pub(crate) fn of_text(seed: &str) -> Self {
        let mut bytes = seed.as_bytes().to_vec();
        bytes.extend(Sha512::digest(seed.as_bytes()));
        bytes.reverse();
        MersenneTwister::of_bytes(&bytes)
    }

    /// Seeded with an integer; the sign is ignored.
    pub(crate) fn of_int(seed: i128) -> Self {
        MersenneTwister::of_bytes(&seed.unsigned_abs().to_le_bytes())
    }

    /// Seeded with the bytes of a number, lowest first.
    fn of_bytes(bytes: &[u8]) -> Self {
        let mut key: Vec<u32> = bytes
            .chunks(4)
            .map(|word| word.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte)))
            .collect();
        while key.len() > 1 && key.last() == Some(&0) {
            key.pop();
        }
        if key.is_empty() {
            key.push(0);
        }
        MersenneTwister::of_key(&key)
    }

    fn of_key(key: &[u32]) -> Self {
        let mut state = [0u32; SIZE];
        state[0] = 19_650_218;
        for at in 1..SIZE {
            let last = state[at - 1];
            state[at] = 1_812_433_253u32.wrapping_mul(last ^ last >> 30).wrapping_add(at as u32);
        }
        let (mut i, mut j) = (1, 0);
        for _ in 0..SIZE.max(key.len()) {
            let last = state[i - 1];
            state[i] =
                (state[i] ^ (last ^ last >> 30).wrapping_mul(1_664_525)).wrapping_add(key[j]).wrapping_add(j as u32);
            i += 1;
            j = (j + 1) % key.len();
            if i == SIZE {
                state[0] = state[SIZE - 1];
                i = 1;
            }
        }
        for _ in 0..SIZE - 1 {
            let last = state[i - 1];
            state[i] = (state[i] ^ (last ^ last >> 30).wrapping_mul(1_566_083_941)).wrapping_sub(i as u32);
            i += 1;
            if i == SIZE {
                state[0] = state[SIZE - 1];
                i = 1;
            }
        }
        state[0] = 0x8000_0000;
        MersenneTwister { state, next: SIZE }
    }

    fn word(&mut self) -> u32 {
        if self.next == SIZE {
            for at in 0..SIZE {
                let y = self.state[at] & 0x8000_0000 | self.state[(at + 1) % SIZE] & 0x7fff_ffff;
                let mix = if y & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[at] = self.state[(at + MIDDLE) % SIZE] ^ y >> 1 ^ mix;
            }
            self.next = 0;
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= y << 7 & 0x9d2c_5680;
        y ^= y << 15 & 0xefc6_0000;
        y ^ y >> 18
    }

    /// A number below `limit`, which must be positive.
    pub(crate) fn below(&mut self, limit: u128) -> u128 {
        let bits = 128 - limit.leading_zeros();
        loop {
            let mut value = 0u128;
            let mut have = 0;
            while have < bits {
                let take = (bits - have).min(32);
                value |= u128::from(self.word() >> (32 - take)) << have;
                have += take;
            }
            if value < limit {
                return value;
            }
        }
    }
}

/// Random numbers, seeded or not.
pub(crate) enum Chance {
    Seeded(Box<MersenneTwister>),
    Free,
}

impl Chance {
    /// The seed is text or an integer.
    pub(crate) fn new(seed: Option<&minijinja::Value>) -> Self {
        match seed {
            None => Chance::Free,
            Some(seed) => Chance::Seeded(Box::new(match number::Number::of(seed) {
                Some(number::Number::Int(i)) => MersenneTwister::of_int(i),
                _ => MersenneTwister::of_text(&show::plain_text(seed)),
            })),
        }
    }

    /// A number below `limit`, which must be positive.
    pub(crate) fn below(&mut self, limit: u128) -> u128 {
        match self {
            Chance::Seeded(twister) => twister.below(limit),
            Chance::Free => rand::RngExt::random_range(&mut rand::rng(), 0..limit),
        }
    }

    /// An index into a list of this length, which must not be empty.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        self.below(len.max(1) as u128) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::MersenneTwister;

    #[test]
    fn gives_the_numbers_python_gives() {
        // random.Random('host1').randrange(0, 59) and the following ones; random.Random(42) likewise.
        let mut twister = MersenneTwister::of_text("host1");
        assert_eq!([(); 4].map(|()| twister.below(59)), [31, 15, 57, 11]);
        let mut twister = MersenneTwister::of_int(42);
        assert_eq!([(); 4].map(|()| twister.below(59)), [40, 7, 1, 47]);
        let mut twister = MersenneTwister::of_text("x");
        assert_eq!([(); 2].map(|()| twister.below(1 << 70)), [156492171145508467966, 920848396147959539075]);
    }
}
