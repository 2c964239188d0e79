//! The user that a task runs as: from variables, keywords, the command line and the configuration.

use std::sync::Arc;

use rplay_contract::wire::Become;

use crate::{
    actions::text_of,
    link::Secret,
    plan::Settings,
    run::{
        conditions,
        connection::variables::{COLLECTIONS, ConnectionError, password, truth, variable, word},
        options::{Defaults, MethodDefaults},
        steering,
    },
    syntax::builtin_name,
    template::TemplateError,
    vars::{BecomeCall, Scope},
};

/// The variables of a become plugin.
struct BecomeNames {
    user: steering::Steering,
    exe: steering::Steering,
    flags: steering::Steering,
    password: steering::Steering,
}

/// The supported become methods and their variables. Others are rejected.
const METHODS: [(&str, BecomeNames); 3] = [
    (
        "sudo",
        BecomeNames {
            user: steering::SUDO_USER,
            exe: steering::SUDO_EXE,
            flags: steering::SUDO_FLAGS,
            password: steering::SUDO_PASSWORD,
        },
    ),
    (
        "su",
        BecomeNames {
            user: steering::SU_USER,
            exe: steering::SU_EXE,
            flags: steering::SU_FLAGS,
            password: steering::SU_PASSWORD,
        },
    ),
    (
        "doas",
        BecomeNames {
            user: steering::DOAS_USER,
            exe: steering::DOAS_EXE,
            flags: steering::DOAS_FLAGS,
            password: steering::DOAS_PASSWORD,
        },
    ),
];

/// The user that a task runs as; `None` is the login user. `variables` are those of the host that runs the task.
///
/// # Errors
/// If keywords or variables are invalid or ask for something unsupported.
pub(crate) fn become_user(
    settings: &Settings,
    scope: &Arc<Scope>,
    variables: &Arc<Scope>,
    defaults: &Defaults,
    host: &str,
) -> Result<Option<Become>, ConnectionError> {
    let wanted = match truth(steering::BECOME, variables, host)? {
        Some(wanted) => wanted,
        None => conditions::flag(conditions::BECOME, settings, scope)?.unwrap_or(defaults.become_),
    };
    if !wanted {
        return Ok(None);
    }
    let pick = |setting: steering::Steering, keyword, default: Option<&String>| match word(setting, variables)? {
        Some(found) => Ok(Some(found)),
        None => Ok::<_, TemplateError>(conditions::text(keyword, settings, scope)?.or_else(|| default.cloned())),
    };
    let method = pick(steering::BECOME_METHOD, conditions::BECOME_METHOD, defaults.become_method.as_ref())?;
    let method = method.unwrap_or_else(|| "sudo".to_owned());
    let short = COLLECTIONS.iter().find_map(|collection| method.strip_prefix(collection)).unwrap_or(&method);
    let native = METHODS.iter().find(|(known, _)| *known == short);
    let plugins = scope.magic.plugins();
    let replaced = plugins.is_some_and(|plugins| plugins.replaces_become(&method));
    let Some((method, own_names)) = native.filter(|_| !replaced) else {
        return by_plugin(method, settings, scope, variables, defaults).map(Some);
    };
    let own = defaults.methods.get(method);
    let setting = |field: fn(&MethodDefaults) -> Option<&String>| own.and_then(field);
    let user = setting(|own| own.user.as_ref()).or(defaults.become_user.as_ref());
    let user = pick(own_names.user, conditions::BECOME_USER, user)?;
    let exe = setting(|own| own.exe.as_ref()).or(defaults.become_exe.as_ref());
    let exe = pick(own_names.exe, conditions::BECOME_EXE, exe)?;
    let flags = setting(|own| own.flags.as_ref()).or(defaults.become_flags.as_ref());
    let flags = pick(own_names.flags, conditions::BECOME_FLAGS, flags)?;
    let default = own.and_then(|own| own.password.as_ref()).or(defaults.become_password.as_ref());
    let password =
        password(own_names.password, variables)?.or_else(|| default.map(|secret| secret.reveal().to_owned()));
    // Without a user it is root, as with sudo.
    let user = user.filter(|user| !user.is_empty()).unwrap_or_else(|| "root".to_owned());
    let chdir = match *method {
        "sudo" => word(steering::SUDO_CHDIR, variables)?.or_else(|| own.and_then(|own| own.chdir.clone())),
        _ => None,
    };
    let prompts = match *method {
        "su" => prompts(variables)?.unwrap_or_else(|| defaults.su_prompts.clone()),
        _ => Vec::new(),
    };
    Ok(Some(Become { method: (*method).to_owned(), user, exe, flags, password, prompts, chdir, plugin: None }))
}

/// The prompts of su, from a variable that is a list or a text with commas.
fn prompts(variables: &Arc<Scope>) -> Result<Option<Vec<String>>, TemplateError> {
    let Some(value) = variable(steering::SU_PROMPTS, variables)? else { return Ok(None) };
    let words: Vec<String> = match value.as_str() {
        Some(text) => text.split(',').map(str::to_owned).collect(),
        None => value.try_iter().into_iter().flatten().map(|word| text_of(&word)).collect(),
    };
    Ok(Some(words.iter().map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()))
}

/// A become plugin in Python says how; it reads its variables itself.
fn by_plugin(
    method: String,
    settings: &Settings,
    scope: &Arc<Scope>,
    variables: &Arc<Scope>,
    defaults: &Defaults,
) -> Result<Become, ConnectionError> {
    // ansible-core's `runas` is for Windows.
    let windows = builtin_name(&method) == "runas";
    let Some(plugins) = scope.magic.plugins().filter(|_| !windows) else {
        return Err(ConnectionError::UnknownMethod { method });
    };
    let keyword = |keyword, default: Option<&String>| {
        conditions::text(keyword, settings, scope).map(|found| found.or_else(|| default.cloned()))
    };
    // Without a user, the plugin's own settings decide.
    let user = defaults.become_user.as_ref().filter(|user| *user != "root");
    let keywords = [
        ("become_user", keyword(conditions::BECOME_USER, user)?),
        ("become_exe", keyword(conditions::BECOME_EXE, None)?),
        ("become_flags", keyword(conditions::BECOME_FLAGS, None)?),
    ];
    let password = defaults.become_password.as_ref().map(Secret::reveal);
    let call = BecomeCall { method: &method, keywords: &keywords, password, scope: variables };
    match plugins.becoming(&call) {
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err(ConnectionError::UnknownMethod { method }),
        Err(why) => Err(ConnectionError::FailedMethod { method, why }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::{run::options::MethodDefaults, vars::sample::scope};

    fn becomes(vars: &[(&str, &str)], defaults: &Defaults) -> Result<Option<Become>, String> {
        let scope = scope(vars);
        become_user(&Settings::default(), &scope, &scope, defaults, "name").map_err(|error| error.to_string())
    }

    #[test]
    fn each_way_of_becoming_has_its_own_names() {
        let defaults = Defaults::default();
        assert_eq!(becomes(&[], &defaults), Ok(None));
        let start = |method| [("ansible_become", "yes"), ("ansible_become_method", method)];
        for method in ["sudo", "su", "doas", "ansible.builtin.sudo", "community.general.doas"] {
            let short = method.rsplit('.').next().unwrap();
            let own = |what: &str| format!("ansible_{short}_{what}");
            let (user, exe, flags, pass) = (own("user"), own("exe"), own("flags"), own("pass"));
            let mut vars = start(method).to_vec();
            vars.extend([("ansible_become_user", "general"), ("ansible_become_password", "general")]);
            assert_eq!(becomes(&vars, &defaults).unwrap().unwrap().user, "general");
            vars.extend([(&*user, "u"), (&*exe, "/e"), (&*flags, "-f"), (&*pass, "p")]);
            let found = becomes(&vars, &defaults).unwrap().unwrap();
            let wanted = Become {
                exe: Some("/e".into()),
                flags: Some("-f".into()),
                password: Some("p".into()),
                ..Become::new(short, "u")
            };
            assert_eq!(found, wanted, "{method}");
            // Variables of other methods do not apply.
            let other = if short == "su" { "ansible_sudo_user" } else { "ansible_su_user" };
            let mut vars = start(method).to_vec();
            vars.push((other, "x"));
            assert_eq!(becomes(&vars, &defaults).unwrap().unwrap().user, "root");
        }
        let methods = HashMap::from([("su", MethodDefaults { user: Some("s".into()), ..MethodDefaults::default() })]);
        let defaults = Defaults { become_user: Some("all".into()), methods, ..Defaults::default() };
        assert_eq!(becomes(&start("su"), &defaults).unwrap().unwrap().user, "s");
        assert_eq!(becomes(&start("sudo"), &defaults).unwrap().unwrap().user, "all");
    }

    #[test]
    fn nobody_is_left_who_he_is_in_silence() {
        for method in ["runas", "pbrun", "nosuch", "my.own.sudo"] {
            let vars = [("ansible_become", "yes"), ("ansible_become_method", method)];
            assert!(becomes(&vars, &Defaults::default()).unwrap_err().contains("Invalid become method"), "{method}");
        }
        let vars = [("ansible_become", "no"), ("ansible_become_method", "nosuch")];
        assert_eq!(becomes(&vars, &Defaults::default()), Ok(None));
        assert!(
            becomes(&[("ansible_become", "maybe")], &Defaults::default()).unwrap_err().contains("is not a boolean")
        );
    }
}
