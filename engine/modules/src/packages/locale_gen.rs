//! `locale_gen`: the locales of Debian and its kin.

use std::path::{Path, PathBuf};

use rplay_wire::Failure;

use crate::{
    Change, Host, Module, Plan, args,
    argtypes::{AbsentPresent as State, Text},
    system::{
        lossless,
        place::{Content, Placement},
        regular, text,
    },
};

/// The locales that there could be, each with its character set.
const SUPPORTED: &str = "/usr/share/i18n/SUPPORTED";
/// Locales of the administrator's own.
const OWN: &str = "/usr/local/share/i18n/SUPPORTED";
/// The locales that locale-gen(8) makes.
const LIST: &str = "/etc/locale.gen";
/// Old releases of Ubuntu keep them here.
const OLD_LIST: &str = "/var/lib/locales/supported.d/local";

args! {
    /// Generates locales on Debian and its kin, or removes them.
    pub struct LocaleGen {
        /// The locales: `de_CH.UTF-8`.
        name: Vec<Text>,
        /// Whether they should be available.
        state: State = State::Present,
    }
}

impl Module for LocaleGen {
    fn plan(self, host: &Host) -> Result<Plan, Failure> {
        let is_old = !Path::new(LIST).exists() && Path::new("/var/lib/locales/supported.d").exists();
        let mut plan = Plan::unchanged()
            .set("name", self.name.clone())
            .set("ubuntu_mode", is_old)
            .set("mechanism", if is_old { "ubuntu_legacy" } else { "glibc" });
        if host.diff {
            plan = plan.set("diff", rplay_wire::Map::new());
        }
        let list = PathBuf::from(if is_old { OLD_LIST } else { LIST });
        if !is_old && !list.exists() {
            let msg = "/etc/locale.gen and /var/lib/locales/supported.d/local are missing. Is the package \"locales\" \
                       installed?";
            let plan = plan.assumes(host, format!("the file {LIST}"), || Failure::new(msg))?;
            return Ok(plan.change(Change::new("generate locales".to_owned(), |_, _| Ok(()))));
        }
        let before = text::read(&list)?.unwrap_or_default();
        let supported: Vec<(String, String)> = if is_old { Vec::new() } else { supported(&before) };
        if !is_old {
            let is_known = |name: &&String| !supported.iter().any(|(known, _)| normal(known) == normal(name));
            let unknown: Vec<&str> = self.name.iter().filter(is_known).map(String::as_str).collect();
            if !unknown.is_empty() {
                let what = "The following locales you have entered are not available on your system:";
                return Err(Failure::new(format!("{what} {}", unknown.join(", "))).arg("name").data(plan.data));
            }
        }
        let wanted = self.state == State::Present;
        let made = available(host)?;
        let differs = |name: &&String| made.contains(&normal(name)) != wanted;
        let names: Vec<String> = self.name.iter().filter(differs).cloned().collect();
        if names.is_empty() {
            return Ok(plan);
        }
        let after = match is_old {
            true => edited_old(&before, &names, wanted),
            false => edited(&before, &names, &supported, wanted),
        };
        if after != before {
            plan = Placement::plain(&list, Content::Bytes(lossless::encode(&after))).plan(host, plan)?;
        }
        let what = format!("{} {}", if wanted { "generate" } else { "remove" }, names.join(", "));
        Ok(plan.change(Change::new(what, |host, _| host.required_program("locale-gen")?.succeed().map(|_| ()))))
    }
}

/// The name as locale(1) lists it: `de_CH.utf8` for `de_CH.UTF-8`.
fn normal(name: &str) -> String {
    let (name, modifier) = name.split_once('@').map_or((name, None), |(name, modifier)| (name, Some(modifier)));
    let plain = match name.split_once('.') {
        Some((language, charset)) => {
            let charset: String = charset.chars().filter(char::is_ascii_alphanumeric).collect();
            format!("{language}.{}", charset.to_ascii_lowercase())
        }
        None => name.to_owned(),
    };
    modifier.map_or(plain.clone(), |modifier| format!("{plain}@{modifier}"))
}

/// The locales that are made.
fn available(host: &Host) -> Result<Vec<String>, Failure> {
    let said = host.required_program("locale")?.arg("-a").succeed()?.stdout;
    Ok(said.lines().map(|line| normal(line.trim())).collect())
}

/// Each locale that there could be, with its line: those of glibc, those of the administrator, those in the list.
fn supported(list: &str) -> Vec<(String, String)> {
    let read = |path| regular::read_to_string(path).unwrap_or_default();
    let mut all = Vec::new();
    for text in [list.to_owned(), read(SUPPORTED), read(OWN)] {
        for line in text.lines() {
            let mut words = line.trim_start_matches(['#', ' ', '\t']).split_whitespace();
            if let (Some(name), Some(charset), None) = (words.next(), words.next(), words.next())
                && !all.iter().any(|(known, _)| known == name)
            {
                all.push((name.to_owned(), format!("{name} {charset}")));
            }
        }
    }
    all.iter().filter(|(name, _)| name.contains(['_', '.'])).cloned().collect()
}

/// The list with the lines of these locales freed from comments, or commented out. Lines that are missing are added.
fn edited(text: &str, names: &[String], supported: &[(String, String)], wanted: bool) -> String {
    let mut missing: Vec<&String> = names.iter().collect();
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        let bare = line.trim_start_matches(['#', ' ', '\t']);
        let words: Vec<&str> = bare.split_whitespace().collect();
        let own = words
            .first()
            .and_then(|first| names.iter().find(|name| normal(name) == normal(first)))
            .filter(|_| words.len() == 2);
        let is_comment = line.trim_start().starts_with('#');
        match own {
            Some(name) if wanted => {
                missing.retain(|missing| *missing != name);
                out.push_str(bare);
            }
            Some(_) if !is_comment => out.push_str(&format!("# {bare}")),
            _ => out.push_str(line),
        }
    }
    if wanted {
        for name in missing {
            if !out.is_empty() && !out.ends_with('\n') {
                out.push('\n');
            }
            let line = supported.iter().find(|(known, _)| normal(known) == normal(name)).map(|(_, line)| line);
            out.extend(line.map(|line| format!("{line}\n")));
        }
    }
    out
}

/// The list of old Ubuntu releases, which has no comments.
fn edited_old(text: &str, names: &[String], wanted: bool) -> String {
    let is_own = |line: &str| line.split_whitespace().next().is_some_and(|name| names.iter().any(|own| own == name));
    let mut out: String = text.split_inclusive('\n').filter(|line| !is_own(line)).collect();
    if wanted {
        for name in names {
            let charset = name.split_once('.').map_or("ISO-8859-1", |(_, charset)| charset);
            out.push_str(&format!("{name} {charset}\n"));
        }
    }
    out
}
