//! The host's clock.

use jiff::{ZonedDateTime, civil::date, tz::TimeZone};
use rplay_wire::{Map, Value, data};

use super::Source;
use crate::system::times;

pub(super) fn gather(_: &Source) -> Map {
    data! { "date_time" => facts(&times::now()) }
}

fn facts(now: &ZonedDateTime) -> Map {
    let utc = now.with_time_zone(TimeZone::UTC);
    let local = |format: &str| Value::from(now.strftime(format).to_string());
    let universal = |format: &str| Value::from(utc.strftime(format).to_string());
    data! {
        "year" => local("%Y"),
        "month" => local("%m"),
        "weekday" => local("%A"),
        "weekday_number" => local("%w"),
        "weeknumber" => local("%W"),
        "day" => local("%d"),
        "hour" => local("%H"),
        "minute" => local("%M"),
        "second" => local("%S"),
        "epoch" => now.timestamp().as_second().to_string(),
        "epoch_int" => now.timestamp().as_second().to_string(),
        "date" => local("%Y-%m-%d"),
        "time" => local("%H:%M:%S"),
        "iso8601_micro" => universal("%Y-%m-%dT%H:%M:%S.%6fZ"),
        "iso8601" => universal("%Y-%m-%dT%H:%M:%SZ"),
        "iso8601_basic" => local("%Y%m%dT%H%M%S%6f"),
        "iso8601_basic_short" => local("%Y%m%dT%H%M%S"),
        "tz" => local("%Z"),
        "tz_dst" => summer_name(now),
        "tz_offset" => local("%z"),
    }
}

/// The name of the time zone during daylight saving time, or its only name.
fn summer_name(now: &ZonedDateTime) -> String {
    let name = |month| {
        let noon = date(now.year(), month, 1).at(12, 0, 0, 0).to_zoned_datetime(now.time_zone().clone()).ok()?;
        let info = now.time_zone().to_offset_info(noon.timestamp());
        Some((info.dst().is_dst(), info.abbreviation().to_owned()))
    };
    let names: Vec<_> = [1, 7].into_iter().filter_map(name).collect();
    let summer = names.iter().find(|(is_summer, _)| *is_summer).or(names.first());
    summer.map(|(_, name)| name.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_in_all_its_ways() {
        let facts = facts(&"2026-02-03T04:05:06.789[UTC]".parse().unwrap());
        for (key, value) in [
            ("weekday", "Tuesday"),
            ("weekday_number", "2"),
            ("weeknumber", "05"),
            ("iso8601_micro", "2026-02-03T04:05:06.789000Z"),
            ("iso8601_basic", "20260203T040506789000"),
            ("tz", "UTC"),
            ("tz_dst", "UTC"),
            ("tz_offset", "+0000"),
            ("epoch", "1770091506"),
        ] {
            assert_eq!(facts[key], value.into(), "{key}");
        }
    }
}
