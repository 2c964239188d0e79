//! `rplay why`: the value of a variable on a host, and where it comes from. Runs nothing and connects to no host.

use std::{collections::HashSet, fmt::Write, path::PathBuf, sync::Arc};

use indexmap::IndexMap;
use miette::Diagnostic;
use rplay::{
    config::Config,
    event::Event,
    inventory::{Inventory, Limit, SourceRules, as_written},
    link::{LinkOptions, Links},
    plan::{Play, Resolver},
    report::{Channel, Reader},
    run::{Run, Viewpoint},
    secrets::MASK,
    source::{Problems, Source, Span, nearest},
    template,
    vars::{Definition, Lazy, extra_vars},
    visible::{one_line, visible},
};
use serde_json::{Value as Json, json};

use crate::{
    args::{Cli, why::WhyArgs},
    diagnostics, output, passwords, project,
    prompt::Person,
    run_options,
};

/// Maximum depth to which a chain of names is followed.
const DEEPEST: usize = 12;

#[derive(Debug, thiserror::Error, Diagnostic)]
enum WhyError {
    #[error("the variable `{name}` is not defined on {hosts}")]
    Undefined {
        name: String,
        hosts: String,
        #[help]
        help: Option<String>,
    },
    #[error("no host matches")]
    #[diagnostic(help("`rplay inventory --graph` shows the hosts; -i names another inventory, -l the hosts"))]
    NoHosts,
    #[error("no play that runs on these hosts has the role `{0}`")]
    NoRole(String),
    #[error("cannot start: {0}")]
    Links(std::io::Error),
}

/// Shows warnings on standard error; there are no other events.
struct Warnings;

impl Reader for Warnings {
    fn read(&mut self, event: &Event) {
        if let Event::Warning { message, place } = event {
            let place = place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
            let text = format!("[WARNING]: {message}{place}\n");
            output::aside(&visible(&diagnostics::secrets().mask(&text)));
        }
    }
}

/// Shows where the variable comes from; returns the exit code.
///
/// # Errors
/// If the inventory, a playbook or a variable file cannot be read, or no host has the variable.
pub(crate) fn command(args: &WhyArgs) -> Result<u8, Problems> {
    let (config, warnings) = Config::load()?;
    diagnostics::look_like(*config.diagnostics);
    diagnostics::show(&warnings);
    let mut run_args = args.run_args();
    if let Ok(playbooks) = Cli::playbooks(&run_args) {
        run_args.playbooks = playbooks;
    }
    let secrets = diagnostics::secrets().clone();
    let vault = passwords::vault(&run_args.sources.passwords, &config, &secrets)?;
    let sources = config.inventory_sources(&run_args.sources.inventory);
    let directory = config.playbook_dir.value.clone().unwrap_or_else(|| PathBuf::from("."));
    let rules = project::source_rules(&run_args, &config, &run_args.playbooks, Some(&directory));
    let rules = SourceRules { records_places: true, ..rules };
    let mut inventory = Inventory::load(&sources, vault.clone(), &rules)?;
    let channel = Arc::new(Channel::new(Box::new(Warnings)));
    for warning in std::mem::take(&mut inventory.warnings) {
        diagnostics::warn(&warning);
    }
    let resolver = Resolver {
        project: project::project(&config, &run_args.module_path, &vault, &channel),
        extra: Arc::new(extra_vars(&run_args.sources.extra_vars, &vault)?),
        magic: Arc::new(run_options::run_magic(&run_args, &config, &sources)),
        base: Arc::default(),
    };
    let mut plays = Vec::new();
    for path in &run_args.playbooks {
        plays.extend(resolver.playbook(path)?);
    }
    // The host's variables outside any play, as `rplay adhoc` sees them.
    let pattern = args.limit.as_deref().filter(|limit| !limit.contains('@')).unwrap_or("all");
    let text = format!("[{{\"hosts\": {}, \"gather_facts\": false}}]", Json::from(pattern));
    let bare = resolver.playbook_text(&Source::inline("no play", text), &directory)?;
    let allowed = match &args.limit {
        Some(limit) => Some(Limit::parse(limit)?.allowed(&inventory)?),
        None => None,
    };
    let options = run_options::options(&run_args, &config, &resolver.magic, rules, allowed, &secrets)?;
    let links = Links::new(LinkOptions::default()).map_err(WhyError::Links)?;
    let person = Box::new(Person { report: channel.clone(), secrets: secrets.clone() });
    let run = Run::new(options, resolver, inventory, links, vault, channel.clone(), person);

    let mut answers = Answers { args, by_answer: IndexMap::new(), names: HashSet::new(), looked_at: Vec::new() };
    for play in &plays {
        answers.look(&run, play, Some(play_name(play)))?;
    }
    let no_play = answers.looked_at.is_empty();
    if no_play && args.role.is_none() {
        for play in &bare {
            answers.look(&run, play, None)?;
        }
    }
    channel.flush();
    let result = answers.show(no_play && !plays.is_empty());
    // The process ends here; freeing them would only take time.
    std::mem::forget(run);
    result
}

/// The play's name, with its place.
fn play_name(play: &Play) -> String {
    let name = play.name.as_ref().map_or(play.hosts.span.text(), |name| name.span.text());
    format!("{} ({})", name.trim_matches(['"', '\'']), play.span)
}

/// The results; hosts with the same result are grouped.
struct Answers<'a> {
    args: &'a WhyArgs,
    by_answer: IndexMap<String, (Json, Vec<Arc<str>>)>,
    /// All names that any host has, for suggestions.
    names: HashSet<Arc<str>>,
    looked_at: Vec<Arc<str>>,
}

impl Answers<'_> {
    /// Looks at the variable on each host of a play.
    fn look(&mut self, run: &Arc<Run>, play: &Arc<Play>, name: Option<String>) -> Result<(), Problems> {
        for host in run.hosts_of_play(play)? {
            let Some(view) = Viewpoint::new(run, play, &host, self.args.role.as_deref())? else { continue };
            let answer = self.answer(&view, name.as_deref())?;
            if answer["definitions"].as_array().is_none_or(Vec::is_empty) {
                self.names.extend(view.names());
            }
            self.looked_at.push(host.clone());
            let same = self.by_answer.entry(answer.to_string()).or_insert_with(|| (answer, Vec::new()));
            same.1.push(host);
        }
        Ok(())
    }

    fn answer(&self, view: &Viewpoint, play: Option<&str>) -> Result<Json, Problems> {
        let name = &self.args.variable;
        let definitions = view.definitions(name, &self.args.sources.extra_vars)?;
        let mut answer = json!({
            "variable": name, "hosts": [], "play": play, "role": self.args.role,
            "defined": !definitions.is_empty(),
        });
        set_value(&mut answer, view, name, definitions.first());
        let shown = definitions.iter().enumerate().map(|(rank, definition)| {
            let mut shown = of_definition(name, definition);
            shown["shadowed"] = Json::from(rank > 0);
            shown
        });
        answer["definitions"] = shown.collect();
        let mut trail = vec![name.clone()];
        answer["uses"] = match definitions.first() {
            Some(winner) => self.uses(view, &winner.value, &mut trail)?,
            None => Json::Array(Vec::new()),
        };
        let setters = view.setters(name);
        answer["set_during_run"] = setters
            .iter()
            .map(|setter| {
                let mut shown = json!({ "kind": setter.kind });
                set_place(&mut shown, Some(&setter.place));
                shown
            })
            .collect();
        Ok(answer)
    }

    /// The variables that a value reads, and those that they read.
    fn uses(&self, view: &Viewpoint, value: &Lazy, trail: &mut Vec<String>) -> Result<Json, Problems> {
        let mut found = Vec::new();
        for name in template::names_in(value) {
            if trail.len() > DEEPEST || trail.contains(&name) {
                continue;
            }
            let definitions = view.definitions(&name, &self.args.sources.extra_vars)?;
            let winner = definitions.first();
            let mut shown = winner.map_or_else(|| json!({}), |winner| of_definition(&name, winner));
            shown["variable"] = Json::from(&*name);
            shown["defined"] = Json::from(winner.is_some());
            let computed = winner.is_some_and(|winner| winner.origin.starts_with("magic"));
            if !computed {
                set_value(&mut shown, view, &name, winner);
            }
            trail.push(name);
            shown["uses"] = match winner {
                Some(winner) => self.uses(view, &winner.value, trail)?,
                None => Json::Array(Vec::new()),
            };
            trail.pop();
            found.push(shown);
        }
        Ok(Json::Array(found))
    }

    /// Prints all answers.
    fn show(self, in_no_play: bool) -> Result<u8, Problems> {
        let name = &self.args.variable;
        if self.looked_at.is_empty() {
            return Err(match &self.args.role {
                Some(role) => WhyError::NoRole(role.clone()).into(),
                None => WhyError::NoHosts.into(),
            });
        }
        let mut answers: Vec<Json> = Vec::new();
        for (mut answer, hosts) in self.by_answer.into_values() {
            answer["hosts"] = hosts.iter().map(|host| Json::from(&**host)).collect();
            answers.push(answer);
        }
        let defined = answers.iter().any(|answer| answer["defined"] == true);
        let set = answers.iter().any(|answer| answer["set_during_run"].as_array().is_some_and(|set| !set.is_empty()));
        if self.args.json {
            let text = serde_json::to_string_pretty(&answers).unwrap_or_else(|error| error.to_string());
            output::show(format!("{}\n", visible(&text)).as_bytes())?;
            return Ok(if defined || set { 0 } else { 1 });
        }
        if !defined && !set {
            let fact =
                name.starts_with("ansible_").then(|| "it may be a fact, which hosts give during a run".to_owned());
            let mut known: Vec<&str> = self.names.iter().map(|name| &**name).collect();
            known.sort_unstable();
            let meant = nearest(name, known).map(|meant| format!("did you mean `{meant}`?"));
            let hosts = hosts_shown(&answers.iter().flat_map(hosts_of).collect::<Vec<_>>());
            return Err(WhyError::Undefined { name: name.clone(), hosts, help: meant.or(fact) }.into());
        }
        let mut text = String::new();
        for (index, answer) in answers.iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            show_answer(answer, &mut text);
        }
        if in_no_play {
            text.push_str("\nNo play runs on these hosts: only the inventory and -e count.\n");
        }
        output::show(visible(&text).as_bytes())?;
        Ok(0)
    }
}

fn hosts_of(answer: &Json) -> Vec<&str> {
    answer["hosts"].as_array().into_iter().flatten().filter_map(Json::as_str).collect()
}

fn hosts_shown(hosts: &[&str]) -> String {
    let mut seen = HashSet::new();
    let hosts: Vec<&str> = hosts.iter().copied().filter(|host| seen.insert(*host)).collect();
    match hosts.len() {
        0..=4 => hosts.join(", "),
        all => format!("{} and {} more hosts", hosts[..3].join(", "), all - 3),
    }
}

/// Whether a variable contains a connection password, which Ansible's users often store as plain text.
fn is_password(name: &str) -> bool {
    name.starts_with("ansible_") && (name.ends_with("_pass") || name.ends_with("_password"))
}

/// Adds the rendered value, or why there is none, to the answer.
fn set_value(answer: &mut Json, view: &Viewpoint, name: &str, winner: Option<&Definition>) {
    let is_secret = is_password(name) || winner.is_some_and(Definition::is_secret);
    match view.value(name).filter(|_| winner.is_some()) {
        None => {}
        Some(Ok(_)) if is_secret => answer["value"] = Json::from(MASK),
        Some(Ok(value)) => {
            let mut value = Json::from(&rplay::vars::to_wire(&value));
            diagnostics::secrets().mask_data(&mut value);
            answer["value"] = value;
        }
        Some(Err(error)) => answer["error"] = Json::from(&*diagnostics::secrets().mask(&error)),
    }
}

fn of_definition(name: &str, definition: &Definition) -> Json {
    let is_secret = is_password(name) || definition.is_secret();
    let mut shown = json!({ "origin": definition.origin });
    set_place(&mut shown, definition.place.as_ref());
    shown["written"] = match is_secret {
        true => Json::from(MASK),
        // Objects that are computed have no text worth showing.
        false if definition.origin.starts_with("magic") => Json::Null,
        false => {
            let mut written = as_written(&definition.value);
            diagnostics::secrets().mask_data(&mut written);
            written
        }
    };
    if is_secret {
        shown["secret"] = Json::from(true);
    }
    shown
}

fn set_place(shown: &mut Json, place: Option<&Span>) {
    if let Some(place) = place {
        let (line, column) = place.line_column();
        shown["file"] = Json::from(&*place.source.name);
        shown["line"] = Json::from(line);
        shown["column"] = Json::from(column);
    }
}

/// Writes an answer for people.
fn show_answer(answer: &Json, text: &mut String) {
    let name = answer["variable"].as_str().unwrap_or_default();
    let value = match (answer.get("value"), answer.get("error")) {
        (Some(value), _) => format!("= {}", output::shortened(&value.to_string(), 2000)),
        (None, Some(error)) => format!("cannot be rendered: {}", error.as_str().unwrap_or_default()),
        (None, None) if answer["defined"] == true => "is computed".to_owned(),
        (None, None) => "is not defined before the run".to_owned(),
    };
    let _ = writeln!(text, "{name} {value}");
    let mut whose = format!("  on {}", hosts_shown(&hosts_of(answer)));
    if let Some(play) = answer["play"].as_str() {
        let _ = write!(whose, ", in the play {}", one_line(play));
    }
    if let Some(role) = answer["role"].as_str() {
        let _ = write!(whose, ", in the role {role}");
    }
    let _ = writeln!(text, "{whose}");
    let mut rows = Vec::new();
    for definition in answer["definitions"].as_array().into_iter().flatten() {
        let sign = if definition["shadowed"] == true { "  shadowed" } else { "  =>" };
        rows.push(row(sign.to_owned(), definition, None));
        if definition["shadowed"] != true {
            chain(&answer["uses"], 1, &mut rows);
        }
    }
    for setter in answer["set_during_run"].as_array().into_iter().flatten() {
        let kind = setter["kind"].as_str().unwrap_or_default();
        rows.push(["  later".to_owned(), place_of(setter), kind.to_owned(), String::new()]);
    }
    let width = |column: usize, most: usize| {
        let widths = rows.iter().filter_map(|row: &[String; 4]| row.get(column)).map(|cell| cell.chars().count());
        widths.max().unwrap_or(0).min(most)
    };
    let (first, second, third) = (width(0, 30), width(1, 60), width(2, 40));
    for [what, place, origin, value] in &rows {
        let line = format!("{what:<first$}  {place:<second$}  {origin:<third$}  {value}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

fn chain(uses: &Json, depth: usize, rows: &mut Vec<[String; 4]>) {
    for used in uses.as_array().into_iter().flatten() {
        let indent = format!("  {}", "  ".repeat(depth));
        let name = used["variable"].as_str().unwrap_or_default();
        match used["defined"] == true {
            true => rows.push(row(format!("{indent}{name}"), used, used.get("value"))),
            false => rows.push([format!("{indent}{name}"), String::new(), "not defined".to_owned(), String::new()]),
        }
        chain(&used["uses"], depth + 1, rows);
    }
}

fn row(head: String, definition: &Json, value: Option<&Json>) -> [String; 4] {
    let written = &definition["written"];
    let mut shown = if written.is_null() { String::new() } else { output::shortened(&written.to_string(), 160) };
    if let Some(value) = value.filter(|value| *value != written) {
        let _ = write!(shown, " = {}", output::shortened(&value.to_string(), 160));
    }
    [head, place_of(definition), definition["origin"].as_str().unwrap_or_default().to_owned(), shown]
}

fn place_of(shown: &Json) -> String {
    match (shown["file"].as_str(), shown["line"].as_u64()) {
        (Some(file), Some(line)) => format!("{}:{line}", one_line(file)),
        _ => String::new(),
    }
}
