//! File times for `modification_time` and `access_time`.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path, sync::OnceLock};

use jiff::{Timestamp, ZonedDateTime, civil::DateTime, tz::TimeZone};
use nix::{
    fcntl::AT_FDCWD,
    sys::{
        stat::{UtimensatFlags, utimensat},
        time::TimeSpec,
    },
};
use rplay_wire::{Failure, Map};

use crate::io_failure::io_failure;

/// A time of a file as a fraction of seconds, as Python gives it.
pub fn seconds(whole: i64, nanos: i64) -> f64 {
    whole as f64 + nanos as f64 * 1e-9
}

/// The host's time zone. Read from /etc/localtime itself: determining its name would mean scanning /usr/share/zoneinfo.
pub fn local_zone() -> TimeZone {
    static ZONE: OnceLock<TimeZone> = OnceLock::new();
    let read = || match std::env::var_os("TZ") {
        None => TimeZone::tzif("local", &crate::system::regular::read("/etc/localtime").ok()?).ok(),
        Some(_) => None,
    };
    ZONE.get_or_init(|| read().unwrap_or_else(TimeZone::system)).clone()
}

/// The local time of the host.
pub fn now() -> ZonedDateTime {
    Timestamp::now().to_zoned_datetime(local_zone())
}

/// Ansible's default format of a time.
pub const FORMAT: &str = "%Y%m%d%H%M.%S";

/// The desired value of a file time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Moment {
    /// Unchanged.
    Preserve,
    /// The time of the touch.
    Now,
    /// Seconds since 1970.
    At(i64),
}

impl Moment {
    /// Parses `preserve`, `now`, or a time in this zone in a format of strptime(3).
    ///
    /// # Errors
    /// If the text is not in this format.
    pub fn read(text: &str, format: &str, arg: &str) -> Result<Moment, Failure> {
        match text {
            "preserve" => Ok(Moment::Preserve),
            "now" => Ok(Moment::Now),
            text => {
                // `%Y%m%d%H%M`: in Python a year has four digits, other parsers consume more.
                let wide = format.replace("%Y%m", "%4Y%m");
                let parse = |text: &str| dated(&wide, text).or_else(|_| dated(format, text));
                let time = parse(text).and_then(|time| time.to_zoned_datetime(local_zone()));
                let wrong = |_| {
                    let ends = text.char_indices().map(|(at, _)| at).skip(1).collect::<Vec<_>>();
                    let left = ends.into_iter().rev().find(|at| parse(&text[..*at]).is_ok());
                    let why = match left.and_then(|at| text.get(at..)) {
                        Some(rest) => format!("unconverted data remains: {rest}"),
                        None => format!("time data '{text}' does not match format '{format}'"),
                    };
                    let msg = format!("Error while obtaining timestamp for time {text} using format {format}: {why}");
                    Failure::new(msg).arg(arg).help("use `preserve`, `now` or a time such as 202612312359.59")
                };
                time.map(|time| Moment::At(time.timestamp().as_second())).map_err(wrong)
            }
        }
    }

    fn spec(self) -> TimeSpec {
        match self {
            Moment::Preserve => TimeSpec::UTIME_OMIT,
            // The kernel sets it: only the owner of a file may set another time, but whoever may write it may set this.
            Moment::Now => TimeSpec::UTIME_NOW,
            Moment::At(seconds) => TimeSpec::new(seconds, 0),
        }
    }
}

/// Parses a time; what the format leaves out is as of the beginning of 1900, as in Python.
fn dated(format: &str, text: &str) -> Result<DateTime, jiff::Error> {
    let said = jiff::fmt::strtime::BrokenDownTime::parse(format, text)?;
    said.to_datetime().or_else(|_| {
        let part = |part: Option<i8>, least| part.unwrap_or(least);
        DateTime::new(
            said.year().unwrap_or(1900),
            part(said.month(), 1),
            part(said.day(), 1),
            part(said.hour(), 0),
            part(said.minute(), 0),
            part(said.second(), 0),
            0,
        )
    })
}

/// Modification and access time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    pub modified: Moment,
    pub accessed: Moment,
}

impl Times {
    /// The times that would change, before and after, for a diff; empty if none would.
    ///
    /// # Errors
    /// If the file cannot be inspected.
    pub fn difference(self, path: &Path, follow: bool) -> io::Result<(Map, Map)> {
        let meta = if follow { fs::metadata(path)? } else { fs::symlink_metadata(path)? };
        let now = Timestamp::now();
        let (mut before, mut after) = (Map::new(), Map::new());
        for (key, wanted, whole, nanos) in [
            ("mtime", self.modified, meta.mtime(), meta.mtime_nsec()),
            ("atime", self.accessed, meta.atime(), meta.atime_nsec()),
        ] {
            let new = match wanted {
                Moment::Preserve => continue,
                Moment::Now => seconds(now.as_second(), now.subsec_nanosecond().into()),
                Moment::At(at) if at == whole && nanos == 0 => continue,
                Moment::At(at) => at as f64,
            };
            before.insert(key.to_owned(), seconds(whole, nanos).into());
            after.insert(key.to_owned(), new.into());
        }
        Ok((before, after))
    }

    /// Sets them.
    ///
    /// # Errors
    /// If they cannot be set.
    pub fn apply(self, path: &Path, follow: bool) -> Result<(), Failure> {
        if self.modified == Moment::Preserve && self.accessed == Moment::Preserve {
            return Ok(());
        }
        let flag = if follow { UtimensatFlags::FollowSymlink } else { UtimensatFlags::NoFollowSymlink };
        utimensat(AT_FDCWD, path, &self.accessed.spec(), &self.modified.spec(), flag)
            .map_err(|error| io_failure("change the times of", path, &error.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_the_hosts_zone() {
        let at = |text: &str, format: &str| Moment::read(text, format, "modification_time").unwrap();
        let local = |text: &str| text.parse::<DateTime>().unwrap().to_zoned_datetime(TimeZone::system()).unwrap();
        let seconds = local("2026-02-03T04:05:06").timestamp().as_second();
        assert_eq!(at("202602030405.06", FORMAT), Moment::At(seconds));
        assert_eq!(at("2026-02-03 04:05:06", "%Y-%m-%d %H:%M:%S"), Moment::At(seconds));
        let year = local("2020-01-01T00:00:00").timestamp().as_second();
        assert_eq!(at("2020", "%Y"), Moment::At(year));
        assert_eq!(at("now", FORMAT), Moment::Now);
        let wrong = |text: &str| Moment::read(text, FORMAT, "modification_time").unwrap_err().msg;
        assert!(wrong("yesterday").ends_with(": time data 'yesterday' does not match format '%Y%m%d%H%M.%S'"));
        assert!(wrong("202602030405.06Z").ends_with(": unconverted data remains: Z"));
    }
}
