//! `--version` of Ansible's tools: other programs read these lines.

use std::{path::Path, process::Command};

use rplay::{
    collections::ANSIBLE_VERSION,
    config::{Config, Directories},
    python::Pythons,
};

/// The same for the name by which this process was called.
pub(crate) fn of_process() -> String {
    let name = std::env::args_os().next().unwrap_or_default();
    text(&Path::new(&name).file_name().unwrap_or_default().to_string_lossy())
}

/// The output of `TOOL --version`. The Python is that of the ansible-core that runs content in Python, if there is one.
pub(crate) fn text(tool: &str) -> String {
    let config = Config::load().ok().map(|(config, _)| config);
    let file = config.as_ref().and_then(|config| config.file.as_deref()).map(rplay::source::absolute);
    let directories =
        |directories: Option<&Directories>| directories.map(|directories| directories.0.clone()).unwrap_or_default();
    let library = directories(config.as_ref().map(|config| &config.library.value));
    let library: Vec<String> = library.iter().map(|directory| format!("'{}'", directory.display())).collect();
    let collections = directories(config.as_ref().map(|config| &config.collections_path.value));
    let collections: Vec<String> = collections.iter().map(|directory| directory.display().to_string()).collect();
    let pythons = Pythons::new(config.as_ref().and_then(|config| config.ansible_python.value.clone()));
    let core = pythons.core().ok();
    let none = || "None".to_owned();
    let about = core.and_then(|core| about_python(&core.python)).unwrap_or_default();
    let mut about = about.lines().map(str::to_owned);
    let (python, jinja, yaml) = (about.next(), about.next(), about.next());
    let executable = std::env::args().next().unwrap_or_default();
    format!(
        "{tool} [core {ANSIBLE_VERSION}]\n  config file = {}\n  configured module search path = [{}]\n  ansible python module \
         location = {}\n  ansible collection location = {}\n  executable location = {}\n  python version = {}\n  jinja \
         version = {}\n  pyyaml version = {}\n  rplay version = {}\n",
        file.unwrap_or_else(none),
        library.join(", "),
        core.map_or_else(none, |core| core.package.display().to_string()),
        collections.join(":"),
        found(&executable),
        python.unwrap_or_else(none),
        jinja.unwrap_or_else(none),
        yaml.unwrap_or_else(none),
        env!("CARGO_PKG_VERSION"),
    )
}

/// The path of a program that was called by its name alone.
fn found(called: &str) -> String {
    if called.contains('/') {
        return rplay::source::absolute(Path::new(called));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&path).map(|directory| directory.join(called)).filter(|path| path.is_file());
    found.next().map_or_else(|| called.to_owned(), |path| path.display().to_string())
}

/// The versions of an interpreter, its Jinja and its PyYAML, one per line.
fn about_python(python: &Path) -> Option<String> {
    const ASK: &str = "import sys, jinja2, yaml\n\
        print('%s (%s)' % (sys.version.replace('\\n', ''), sys.executable))\n\
        print(jinja2.__version__)\n\
        lib = 'without libyaml'\n\
        if yaml.__with_libyaml__:\n    lib = 'with libyaml v' + yaml._yaml.get_version_string()\n\
        print('%s (%s)' % (yaml.__version__, lib))";
    let printed = rplay::program::run(Command::new(python).args(["-c", ASK])).ok()?;
    printed.status.success().then(|| String::from_utf8_lossy(&printed.stdout).into_owned())
}
