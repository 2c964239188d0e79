//! What the clients saw, as one line of JSON.

use std::{collections::BTreeMap, fmt, time::Duration};

#[derive(Default)]
pub struct Tally {
    gets: u64,
    posts: u64,
    failed_gets: u64,
    failed_posts: u64,
    pub reopened: u64,
    longest: Duration,
    /// By status, or by what came instead of one.
    answers: BTreeMap<String, u64>,
}

impl Tally {
    pub fn count(&mut self, is_get: bool, answer: Result<u16, String>, took: Duration) {
        let failed = u64::from(answer != Ok(200));
        if is_get {
            self.gets += 1;
            self.failed_gets += failed;
        } else {
            self.posts += 1;
            self.failed_posts += failed;
        }
        self.longest = self.longest.max(took);
        *self.answers.entry(answer.map_or_else(|error| error, |status| status.to_string())).or_default() += 1;
    }

    pub fn add(mut self, other: Tally) -> Tally {
        self.gets += other.gets;
        self.posts += other.posts;
        self.failed_gets += other.failed_gets;
        self.failed_posts += other.failed_posts;
        self.reopened += other.reopened;
        self.longest = self.longest.max(other.longest);
        for (answer, count) in other.answers {
            *self.answers.entry(answer).or_default() += count;
        }
        self
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            r#"{{"gets":{},"posts":{},"failed_gets":{},"failed_posts":{},"reopened":{},"longest_ms":{},"answers":{{"#,
            self.gets,
            self.posts,
            self.failed_gets,
            self.failed_posts,
            self.reopened,
            self.longest.as_millis()
        )?;
        for (number, (answer, count)) in self.answers.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            // The messages of the system have neither quotes nor backslashes in need of more.
            write!(f, "{comma}{answer:?}:{count}")?;
        }
        f.write_str("}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_apart_by_method() {
        let mut one = Tally::default();
        one.count(true, Ok(200), Duration::from_millis(5));
        one.count(true, Ok(502), Duration::from_millis(1));
        let mut other = Tally::default();
        other.count(false, Err("reset".to_owned()), Duration::from_millis(9));
        assert_eq!(
            one.add(other).to_string(),
            r#"{"gets":2,"posts":1,"failed_gets":1,"failed_posts":1,"reopened":0,"longest_ms":9,"answers":{"200":1,"502":1,"reset":1}}"#
        );
    }
}
