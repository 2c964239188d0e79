//! The tables of settings: those of ansible-core and its plugins, and rplay's own.

/// Name, keys, environment variables, default, type and variables of plays of every setting, as in `ansible-config` of
/// ansible-core 2.19.
pub(super) const SETTINGS: &str = include_str!("settings.tsv");

/// The same for the settings of ansible-core's plugins, preceded by the plugin's kind and name, and followed by whether
/// the setting is required.
pub(super) const PLUGINS: &str = include_str!("plugins.tsv");

/// The same for rplay's own settings, which Ansible does not have.
pub(super) const OWN: &str = include_str!("own.tsv");

/// Ansible's name of the setting with this key (section and key, separated by a dot) or environment variable; the key
/// or variable itself if it is not one of Ansible's.
pub(super) fn name_of(key: &str) -> &str {
    let named = |line: &&str| line.split('\t').skip(1).take(2).any(|words| words.split(',').any(|word| word == key));
    SETTINGS.lines().find(named).and_then(|line| line.split('\t').next()).unwrap_or(key)
}

/// The keys and the environment variables of one of ansible-core's settings, each list separated by commas.
pub(super) fn sources_of(name: &str) -> Option<(&'static str, &'static str)> {
    let mut line = SETTINGS.lines().find(|line| line.split('\t').next() == Some(name))?.split('\t').skip(1);
    Some((line.next()?, line.next()?))
}

/// Whether ansible-core has a setting with this section and key.
pub(super) fn has_key(name: &str) -> bool {
    SETTINGS.lines().any(|line| line.split('\t').nth(1).is_some_and(|keys| keys.split(',').any(|key| key == name)))
}
