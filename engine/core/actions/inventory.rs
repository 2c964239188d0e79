//! add_host and group_by: extend the inventory of this run.

use super::{Answer, Effect, Rendered, Result, list_arg, required, text_of};
use crate::vars::{Layer, Lazy, Value, mapping};

pub fn add_host(args: Rendered) -> Result<Answer> {
    let name = ["name", "hostname", "host"].iter().find_map(|key| args.get(*key));
    let Some(name) = name.map(text_of) else {
        return Err(Box::new(Answer::failed("name, host or hostname needs to be provided")));
    };
    let mut vars = Layer::new();
    // `name:port` sets the port, unless the colon belongs to an IPv6 address.
    let name = match name.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && port.parse::<u16>().is_ok() => {
            for name in ["ansible_port", "ansible_ssh_port"] {
                vars.insert(name.into(), Lazy::Data(port.parse::<u16>().unwrap_or_default().into()));
            }
            host.to_owned()
        }
        _ => name,
    };
    let groups = ["groups", "groupname", "group"].iter().find_map(|key| list_arg(&args, key)).unwrap_or_default();
    for (key, value) in args {
        if !["name", "hostname", "host", "groups", "groupname", "group"].contains(&&*key) {
            vars.insert(key, Lazy::Data(value));
        }
    }
    let shown = mapping([
        ("host_name", Value::from(name.clone())),
        ("groups", groups.clone().into()),
        ("host_vars", mapping(vars.iter().filter_map(|(k, v)| Some((k.clone(), v.data()?))))),
    ]);
    let mut answer = Answer { changed: true, ..Answer::default() }.with("add_host", shown);
    answer.effects.push(Effect::AddHost { name, groups, vars });
    Ok(answer)
}

pub fn group_by(args: &Rendered) -> Result<Answer> {
    let group = text_of(&required(args, "key")?).replace(' ', "-");
    let parents = list_arg(args, "parents").unwrap_or_else(|| vec!["all".to_owned()]);
    let parents: Vec<String> = parents.into_iter().map(|parent| parent.replace(' ', "-")).collect();
    let mut answer = Answer { changed: true, ..Answer::default() }
        .with("add_group", group.clone())
        .with("parent_groups", parents.clone());
    answer.effects.push(Effect::GroupBy { group, parents });
    Ok(answer)
}
