//! What the clients saw, as one line of JSON.

use std::{collections::BTreeMap, fmt, time::Duration};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ping,
    Show,
    Create,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Ping => "ping",
            Kind::Show => "show",
            Kind::Create => "create",
        }
    }
}

#[derive(Default)]
pub struct Tally {
    gets: u64,
    posts: u64,
    failed_gets: u64,
    failed_posts: u64,
    pub reopened: u64,
    /// The longest wait for an answer, by kind of request.
    longest: BTreeMap<&'static str, Duration>,
    /// When the last answer that failed came, since the start.
    last_failure: Option<Duration>,
    /// By status, or by what came instead of one.
    answers: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts a request of a kind, which `took` so long and had its answer `at` that time since the start.
    pub fn count(&mut self, kind: Kind, answer: Result<u16, String>, took: Duration, at: Duration) {
        let failed = u64::from(answer != Ok(200));
        if kind == Kind::Create {
            self.posts += 1;
            self.failed_posts += failed;
        } else {
            self.gets += 1;
            self.failed_gets += failed;
        }
        if failed > 0 {
            self.last_failure = self.last_failure.max(Some(at));
        }
        let longest = self.longest.entry(kind.name()).or_default();
        *longest = took.max(*longest);
        *self.answers.entry(answer.map_or_else(|error| error, |status| status.to_string())).or_default() += 1;
    }

    pub fn add(mut self, other: Tally) -> Tally {
        self.gets += other.gets;
        self.posts += other.posts;
        self.failed_gets += other.failed_gets;
        self.failed_posts += other.failed_posts;
        self.reopened += other.reopened;
        self.last_failure = self.last_failure.max(other.last_failure);
        for (kind, took) in other.longest {
            let longest = self.longest.entry(kind).or_default();
            *longest = took.max(*longest);
        }
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
            r#"{{"gets":{},"posts":{},"failed_gets":{},"failed_posts":{},"reopened":{},"last_failure_s":{},"longest_ms":{{"#,
            self.gets,
            self.posts,
            self.failed_gets,
            self.failed_posts,
            self.reopened,
            self.last_failure.map_or_else(|| "null".to_owned(), |at| format!("{:.1}", at.as_secs_f64())),
        )?;
        for (number, (kind, took)) in self.longest.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            write!(f, r#"{comma}"{kind}":{}"#, took.as_millis())?;
        }
        f.write_str(r#"},"answers":{"#)?;
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
        let (short, long, late) = (Duration::from_millis(5), Duration::from_millis(9), Duration::from_millis(2040));
        let mut one = Tally::default();
        one.count(Kind::Ping, Ok(200), short, short);
        one.count(Kind::Show, Ok(502), short, long);
        let mut other = Tally::default();
        other.count(Kind::Create, Err("reset".to_owned()), long, late);
        other.count(Kind::Ping, Ok(200), long, late);
        assert_eq!(
            one.add(other).to_string(),
            r#"{"gets":3,"posts":1,"failed_gets":1,"failed_posts":1,"reopened":0,"last_failure_s":2.0,"longest_ms":{"create":9,"ping":9,"show":5},"answers":{"200":2,"502":1,"reset":1}}"#
        );
    }
}
