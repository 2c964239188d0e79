//! `timezone`: the host's time zone, and whether its hardware clock keeps local time.

use std::path::{Path, PathBuf};

use rplay_wire::{Failure, Map, data};

use crate::{
    ArgError, Change, Host, Module, Plan, args,
    argtypes::Text,
    choice,
    system::{
        attributes::state_diff,
        fs, paths,
        place::{Content, Placement},
        regular, scratch,
    },
};

const ZONES: &str = "/usr/share/zoneinfo";
const LOCALTIME: &str = "/etc/localtime";
/// Debian writes the zone's name here ...
const DEBIAN: &str = "/etc/timezone";
/// ... and old Red Hat systems here, as `ZONE="..."`.
const RED_HAT: &str = "/etc/sysconfig/clock";
/// The file where hwclock(8) stores whether the hardware clock is in UTC.
const ADJTIME: &str = "/etc/adjtime";

choice! {
    /// What the hardware clock is in.
    pub enum Clock {
        Local = "local",
        Utc = "UTC",
    }
}

args! {
    /// Sets the time zone, and what the hardware clock is in.
    pub struct Timezone {
        /// The zone: `Asia/Tokyo`.
        name: Option<Text>,
        /// Whether the hardware clock is in UTC or in local time.
        hwclock: Option<Clock> | "rtc",
    }
}

impl Module for Timezone {
    fn check(&self) -> Result<(), ArgError> {
        if self.name.is_none() && self.hwclock.is_none() {
            return Err(ArgError::new("name", "one of the following is required: hwclock, name"));
        }
        let is_path = |name: &str| name.starts_with('/') || name.split('/').any(|part| !paths::is_file_name(part));
        match self.name.as_deref().filter(|name| is_path(name)) {
            Some(name) => Err(ArgError::new("name", unknown(name))),
            None => Ok(()),
        }
    }

    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let mut plan = Plan::unchanged();
        if let Some(name) = self.name.as_deref().filter(|name| !Path::new(ZONES).join(name).is_file()) {
            // An earlier task may install tzdata.
            let missing = format!("the time zone {name}");
            plan = match Path::new(ZONES).is_dir() {
                true => return Err(Failure::new(unknown(name)).arg("name")),
                false => plan.assumes(host, missing, || Failure::new(unknown(name)).arg("name"))?,
            };
        }
        // It is there but does not answer where systemd does not run.
        let is_systemd = host.has_program("timedatectl") && host.program("timedatectl").run()?.rc == 0;
        let now = if is_systemd { Settings::of_systemd(host)? } else { Settings::of_files() };
        let (mut before, mut after) = (Map::new(), Map::new());
        if let Some(clock) = self.hwclock {
            let present = now.clock.map(Clock::word).unwrap_or_default();
            before.insert("hwclock".to_owned(), present.into());
            after.insert("hwclock".to_owned(), clock.word().into());
        }
        if let Some(name) = &self.name {
            before.insert("name".to_owned(), now.zone.as_str().into());
            after.insert("name".to_owned(), name.as_str().into());
        }
        plan = plan.set("diff", data! { "before" => before.clone(), "after" => after.clone() });
        let already = plan.changes.len();
        if let Some(clock) = self.hwclock.filter(|clock| now.clock != Some(*clock)) {
            plan = plan.change(clock_change(clock, is_systemd));
        }
        if let Some(name) = self.name.filter(|name| *name != now.zone) {
            plan = match is_systemd {
                true => plan.change(by_timedatectl("set-timezone", name)),
                false => by_files(&name, host, plan)?,
            };
        }
        if let Some(change) = plan.changes.get_mut(already) {
            change.diff = Some(state_diff(&before, &after));
        }
        Ok(plan)
    }
}

fn unknown(name: &str) -> String {
    format!("Error message:\ngiven timezone \"{name}\" is not available")
}

/// What the host is set to.
struct Settings {
    /// Empty if nothing is set.
    zone: String,
    clock: Option<Clock>,
}

impl Settings {
    fn of_systemd(host: &Host) -> Result<Settings, Failure> {
        let said = host.required_program("timedatectl")?.arg("status").succeed()?.stdout;
        let after = |label: &str| said.lines().find_map(|line| line.trim().strip_prefix(label)).map(str::trim);
        let zone = after("Time zone:").or_else(|| after("Timezone:")).and_then(|zone| zone.split_whitespace().next());
        let clock = after("RTC in local TZ:").map(|is_local| if is_local == "yes" { Clock::Local } else { Clock::Utc });
        Ok(Settings { zone: zone.unwrap_or_default().to_owned(), clock })
    }

    fn of_files() -> Settings {
        let read = |path: &str| regular::read_to_string(path).ok();
        let linked = fs::read_link(LOCALTIME).ok();
        let linked = linked.and_then(|to| Some(to.to_str()?.split_once("zoneinfo/")?.1.to_owned()));
        // The link decides; what else names the zone must agree.
        let named = match (read(DEBIAN), read(RED_HAT)) {
            (Some(text), _) => Some(text.trim().to_owned()),
            (None, Some(text)) => Some(zone_of(&text).unwrap_or_default().to_owned()),
            (None, None) => None,
        };
        let zone = match (named, linked) {
            (Some(named), Some(linked)) if named == linked => named,
            // If the names differ, the zone is set; the result shows the one in the file.
            (Some(named), Some(_)) => named,
            (named, linked) => named.or(linked).unwrap_or_default(),
        };
        let clock = match read(ADJTIME).as_deref().and_then(|text| text.lines().nth(2)) {
            Some("LOCAL") => Clock::Local,
            _ => Clock::Utc,
        };
        Settings { zone, clock: Some(clock) }
    }
}

/// The zone in `ZONE="Europe/Berlin"`.
fn zone_of(text: &str) -> Option<&str> {
    let value = text.lines().find_map(|line| line.trim().strip_prefix("ZONE="))?;
    Some(value.trim_matches(['"', '\'']))
}

/// Adds a sentence to the result's `msg`.
fn tell(data: &mut Map, sentence: String) {
    let told = data.get("msg").and_then(rplay_wire::Value::as_str).map(|told| format!("{told}\n{sentence}"));
    data.insert("msg".to_owned(), told.unwrap_or(sentence).into());
}

fn by_timedatectl(option: &'static str, value: String) -> Change {
    Change::new(format!("{option} {value}"), move |host, data| {
        let program = host.required_program("timedatectl")?.args([option, &value]);
        let command = program.to_string();
        program.succeed()?;
        tell(data, format!("executed `{command}`"));
        Ok(())
    })
}

fn clock_change(clock: Clock, is_systemd: bool) -> Change {
    if is_systemd {
        return by_timedatectl("set-local-rtc", if clock == Clock::Local { "yes" } else { "no" }.to_owned());
    }
    let option = if clock == Clock::Local { "--localtime" } else { "--utc" };
    Change::new(format!("set the hardware clock to {}", clock.word()), move |host, data| {
        let program = host.required_program("hwclock")?.args(["--systohc", option]);
        let command = program.to_string();
        program.succeed()?;
        tell(data, format!("executed `{command}`"));
        Ok(())
    })
}

/// Sets the zone where systemd does not run: the link, and the file that names it.
fn by_files(name: &str, host: &Host, mut plan: Plan) -> Result<Plan, Failure> {
    let file = match (Path::new(DEBIAN).exists() || host.has_program("dpkg-reconfigure"), Path::new(RED_HAT).exists()) {
        (true, _) => Some((DEBIAN, regular::read_to_string(DEBIAN).unwrap_or_default(), format!("{name}\n"))),
        (false, true) => {
            let before = regular::read_to_string(RED_HAT).unwrap_or_default();
            let kept = before.lines().filter(|line| !line.trim_start().starts_with("ZONE="));
            let after: String = kept.map(|line| format!("{line}\n")).collect();
            Some((RED_HAT, before, format!("ZONE=\"{name}\"\n{after}")))
        }
        (false, false) => None,
    };
    if let Some((path, before, after)) = file {
        let deleted = usize::from(before.lines().any(|line| path == DEBIAN || line.trim_start().starts_with("ZONE=")));
        plan = Placement::plain(path, Content::Bytes(after.into_bytes())).plan(host, plan)?;
        plan = plan.change(
            Change::new(format!("name the zone {name}"), move |_, data| {
                tell(data, format!("Added 1 line and deleted {deleted} line(s) on {path}"));
                Ok(())
            })
            .auxiliary(),
        );
    }
    let target = PathBuf::from(ZONES).join(name);
    Ok(plan.change(Change::new(format!("link {LOCALTIME} to {}", target.display()), move |_, _| {
        // A new link takes the place of the old one in one step.
        let directory = scratch::directory_in(paths::directory(Path::new(LOCALTIME)))?;
        let link = directory.path().join("localtime");
        fs::symlink(&target, &link)?;
        fs::rename(&link, LOCALTIME)?;
        Ok(())
    })))
}
