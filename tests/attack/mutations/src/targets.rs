//! The readers under attack.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use rplay::{
    config::{Config, ConfigInputs},
    inventory::{Inventory, Limit, Pattern, SourceRules},
    plan::Project,
    source::{Source, Span},
    syntax,
    template::{self, FileOptions},
    vars::{Layer, Lazy, Magic, Scope, extra_vars},
    vault::Vault,
};
use rplay_modules::{
    Host, NoBlobs, runner,
    wire::{Call, Map, Mode, Value as Wire},
};

use crate::seeds::Seeds;

/// One reader.
pub(crate) struct Target {
    pub name: &'static str,
    pub seeds: Vec<Vec<u8>>,
    /// Its turns in a round: those that take microseconds have more of them.
    pub turns: usize,
    run: fn(&Bench, &[u8]),
}

impl Target {
    /// Gives the reader an input. Whatever it answers is fine, as long as it answers.
    pub(crate) fn run(&self, bench: &Bench, input: &[u8]) {
        (self.run)(bench, input);
    }
}

/// What readers need besides their input.
pub(crate) struct Bench {
    directory: PathBuf,
    project: Project,
    scope: Arc<Scope>,
    inventory: Inventory,
    vault: Arc<Vault>,
    host: Host,
}

struct Nothing;

impl Magic for Nothing {
    fn get(&self, _: &str) -> Option<Lazy> {
        None
    }

    fn names(&self) -> Vec<Arc<str>> {
        Vec::new()
    }
}

const VARIABLES: &str = "{x: [1, two, {three: 3.5}], y: {a: \"{{ x }}\", b: \"{{ y }}\"}, name: host1, path: /etc/a.conf, \
                         items: [a, b, c], n: 5, text: \"a b\\nc\", users: [{name: u, groups: [g]}], flag: true, nothing: null}";

impl Bench {
    /// `directory` takes files while they are read.
    pub(crate) fn new(directory: &Path) -> Result<Self, String> {
        let shown = |error: &dyn std::fmt::Display| error.to_string();
        fs::create_dir_all(directory).map_err(|error| shown(&error))?;
        let source = Source::inline("variables", VARIABLES);
        let layer: Layer = syntax::read_vars(&source)
            .map_err(|problems| problems.0.iter().map(|problem| problem.to_string()).collect::<String>())?
            .0
            .iter()
            .map(|(name, value)| (name.value.clone(), Lazy::from_node(value)))
            .collect();
        let mut vault = Vault::default();
        vault.add("default", b"secret");
        let vault = Arc::new(vault);
        let hosts = directory.join("hosts.ini");
        fs::write(&hosts, "[web]\nweb[1:9]\n[db]\ndb1\ndb2\n[all_of:children]\nweb\ndb\n")
            .map_err(|error| shown(&error))?;
        let inventory = Inventory::load(&[hosts.display().to_string()], vault.clone(), &SourceRules::default())
            .map_err(|problems| problems.0.iter().map(|problem| problem.to_string()).collect::<String>())?;
        Ok(Bench {
            directory: directory.to_owned(),
            project: Project::new(Vec::new(), Box::new(|source| Ok(source.clone())), Box::new(|_, _| ())),
            scope: Arc::new(Scope::new(vec![Arc::new(layer)], Arc::new(Nothing), Arc::new([directory.to_owned()]))),
            inventory,
            vault,
            host: Host::new(Vec::new(), Arc::new(NoBlobs)),
        })
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.directory.join(name);
        // What cannot be written is not read; the reader then says that there is no file.
        let _ = fs::write(&path, content);
        path
    }
}

/// All readers with their seeds.
pub(crate) fn all(seeds: &Seeds) -> Vec<Target> {
    let texts = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
    let target = |name, seeds, run| Target { name, seeds, turns: 1, run };
    let often = |turns, name, seeds, run| Target { name, seeds, turns, run };
    let with = |more: &[&str]| [texts(more), seeds.yaml.clone()].concat();
    let expressions: Vec<Vec<u8>> = seeds.expressions.iter().filter_map(|line| inner(line)).collect();
    vec![
        target("yaml", with(&["a: &a [1, *a]\n", "? [a]\n: b\n", "- !vault |\n  x\n", "{\"a\": [1.5e3, null]}"]), yaml),
        target(
            "playbook",
            with(&["- hosts: all\n  roles: [{role: a, tags: b}]\n", "- import_playbook: a.yml\n"]),
            playbook,
        ),
        target(
            "tasks",
            with(&["- shell: echo a=b chdir=/tmp warn=no\n", "- copy: src=a dest='b c' mode=0644\n"]),
            tasks,
        ),
        target("vars", with(&["a: 1\nb: {c: d}\n"]), vars),
        target("meta", with(&["galaxy_info: {author: a}\ndependencies: [{role: b, when: c}, d]\n"]), meta),
        target("specs", with(&["argument_specs: {main: {options: {a: {type: dict, options: {b: {}}}}}}\n"]), specs),
        target("ini inventory", texts(INI), ini),
        target(
            "yaml inventory",
            with(&["all: {hosts: {a: {b: 1}}, children: {web: {hosts: {c[1:3]: }}}}\n"]),
            inventory,
        ),
        target(
            "json inventory",
            texts(&[
                "{\"web\":{\"hosts\":[\"a\"],\"vars\":{\"b\":1},\"children\":[\"c\"]},\"_meta\":{\"hostvars\":{}}}",
            ]),
            inventory,
        ),
        often(8, "pattern", texts(PATTERNS), pattern),
        target("template", [seeds.expressions.clone(), seeds.templates.clone()].concat(), template_text),
        target(
            "template file",
            [seeds.templates.clone(), texts(&["#jinja2: trim_blocks:False\n{{ x }}\n"])].concat(),
            template_file,
        ),
        target(
            "condition",
            [expressions, texts(&["x is defined and n > 3", "'a' in items or not flag"])].concat(),
            condition,
        ),
        target("filtered", texts(DATA), filtered),
        often(4, "vault", texts(VAULT), vault),
        target("settings", texts(SETTINGS), settings),
        often(4, "extra vars", texts(&["a=1 b='c d' e=\"f\"", "{\"a\": [1]}", "a: {b: c}", "@file"]), extra),
        often(16, "frames", frames(), wire),
        target("files of modules", texts(FILES), files),
    ]
}

/// The expression between `{{` and `}}`.
fn inner(line: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(line);
    let (_, rest) = text.split_once("{{")?;
    Some(rest.split_once("}}")?.0.trim().as_bytes().to_vec())
}

const INI: &[&str] = &[
    "[web]\nweb1 ansible_host=10.0.0.1 a='b c' n=5\nweb[02:10:2]:2222\n[web:vars]\nx=[1, 'a', {'b': None}]\ny=True\n",
    "[a:children]\nb\n[b]\nh1 # comment\n[b:vars]\nz=\"q\"\n",
    "lone ansible_port=22\n[all:vars]\nansible_user=root\n",
];
const PATTERNS: &[&str] =
    &["all", "web:&db:!web1", "~web[0-9]+", "web[0]", "web[1:3],db*", "*.example.org", "[::1]:22", "@f"];
const VAULT: &[&str] = &[
    include_str!("../../../fixtures/vault/by-ansible.txt"),
    include_str!("../../../fixtures/vault/by-ansible-dev.txt"),
    "$ANSIBLE_VAULT;1.1;AES256\n6162\n",
];
const SETTINGS: &[&str] = &[
    "[defaults]\nforks = 5\ninventory = a,b\nremote_user=x\n[ssh_connection]\nssh_args = -o A=b\n[tags]\nrun = a,b\n",
    "[rplay]\nrecursion_limit = 100\n[privilege_escalation]\nbecome = yes ; comment\n",
];
const DATA: &[&str] = &[
    "{\"a\": [1, 2.5, null, true, \"x\"]}",
    "a: [1, {b: c}]\n",
    "10.0.0.1/24",
    "fe80::1/64",
    "1.2.3-rc1+b5",
    "2024-05-06 07:08:09",
    "5 GB",
    "/a/../b//c.tar.gz",
    "http://u:p@h:80/p?q=1#f",
    "a,b;c",
    "%s %05.2f",
    "{0:>10} {a}",
    "(a|b)+[c-d]",
    "00:11:22:33:44:55",
    "$6$salt$hash",
    "YWJj",
    "PT1H",
    "%Y-%m-%d",
    "<a href='b'>",
    "Wörter",
    "1 + 2 * x",
    "registry:5000/a/b:1.2@sha256:00ff",
    "2:1.0~rc1-2+deb12u1",
    "1.0.0-alpha.1+b.2",
    "10.0.0.1-10.0.0.9",
    "2001:db8::1/128",
    "a=b c='d e' f=\"g\\\"h\"",
];
const FILES: &[&str] = &[
    "# a\n[s]\nk = v\nk2=v2 ; c\n[t]\n",
    "#Ansible: j\n@daily root /bin/true % in\nMAILTO=\"a\"\n#Ansible: k\n#1-5,7 */2 * jan mon root x\n",
    "Types: deb\nURIs: http://a\nSuites: stable\nComponents: main\nSigned-By:\n -----BEGIN PGP-----\n .\n",
    "root:$6$s$h:19000:0:99999:7:::\nu:!:::::::\n+::::::\n",
    "g:x:100:a,b\nu:x:1000:1000:U,,,:/home/u:/bin/sh\n",
    "|1|AAAA=|BBBB= ssh-rsa CCCC\n[h]:22,10.0.0.1 ssh-ed25519 DDDD c\n@revoked * ssh-rsa E\n",
    "kernel.x = 1\n# net.y=2\n",
    "UUID=ab / ext4 defaults,noatime 0 1\nnone /p proc defaults 0 0\n",
    "deb [arch=amd64 signed-by=/k] http://a/b stable main\n",
    "#Ansible: job\n*/5 * * * * root true\nPATH=/bin\n",
    "ssh-ed25519 AAAA user@host\nfrom=\"*\" ssh-rsa BBBB\n",
    "a b c\nroot:x:0:0::/:/bin/sh\n",
];

fn text(input: &[u8]) -> String {
    String::from_utf8_lossy(input).into_owned()
}

/// One of several readers, always the same for the same input.
fn choice(input: &[u8], count: usize) -> usize {
    input.iter().fold(input.len(), |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte))) % count
}

fn source(input: &[u8]) -> Arc<Source> {
    Source::inline("input", text(input))
}

/// Errors are drawn with their places, which is code that an odd input could break, too.
fn drawn<T>(result: Result<T, rplay::source::Problems>) -> Option<T> {
    result.map_err(|problems| problems.0.iter().for_each(|problem| drop(problem.to_string()))).ok()
}

fn yaml(_: &Bench, input: &[u8]) {
    if let Some(loaded) = drawn(syntax::yaml::load(&source(input))) {
        let _ = Lazy::from_node(&loaded.node);
    }
}

fn playbook(bench: &Bench, input: &[u8]) {
    drawn(bench.project.playbook_of(&source(input)));
}

fn tasks(bench: &Bench, input: &[u8]) {
    let text = text(input);
    let body: String = text.lines().map(|line| format!("    {line}\n")).collect();
    drawn(bench.project.playbook_of(&source(format!("- hosts: all\n  tasks:\n{body}").as_bytes())));
}

fn vars(_: &Bench, input: &[u8]) {
    drawn(syntax::read_vars(&source(input)));
}

fn meta(_: &Bench, input: &[u8]) {
    drawn(syntax::read_role_meta(&source(input)));
}

fn specs(_: &Bench, input: &[u8]) {
    drawn(syntax::read_argument_specs(&source(input)));
}

fn ini(bench: &Bench, input: &[u8]) {
    load(bench, &bench.file("inventory.ini", input));
}

fn inventory(bench: &Bench, input: &[u8]) {
    load(bench, &bench.file("inventory.yml", input));
}

fn load(bench: &Bench, path: &Path) {
    let Some(inventory) =
        drawn(Inventory::load(&[path.display().to_string()], bench.vault.clone(), &SourceRules::default()))
    else {
        return;
    };
    // Ranges may name very many hosts.
    if inventory.hosts().len() < 1000 {
        drawn(inventory.list(rplay::inventory::Listing::default(), &Layer::new()));
        let _ = inventory.tree("all", None);
    }
}

fn pattern(bench: &Bench, input: &[u8]) {
    let text = text(input);
    let _ = Pattern::parse(&text).and_then(|pattern| pattern.matches(&bench.inventory));
    let _ = Limit::parse(&text).and_then(|limit| limit.allowed(&bench.inventory));
}

fn written(input: &[u8]) -> (Lazy, Span) {
    let source = source(input);
    let span = Span::new(&source, 0..source.text.len());
    (Lazy::from_text(&rplay::source::Spanned { value: source.text.as_str().into(), span: span.clone() }), span)
}

fn template_text(bench: &Bench, input: &[u8]) {
    let _ = template::render(&written(input).0, &bench.scope).map_err(|error| error.to_string());
}

fn template_file(bench: &Bench, input: &[u8]) {
    let options = FileOptions { lstrip_blocks: input.len().is_multiple_of(2), ..FileOptions::default() };
    let _ = template::render_file(&source(input), &bench.scope, &options).map_err(|error| error.to_string());
}

fn condition(bench: &Bench, input: &[u8]) {
    let (lazy, span) = written(input);
    let _ = template::condition(&lazy, &span, &bench.scope).map_err(|error| error.to_string());
}

/// Data goes through filters and tests that read texts.
fn filtered(_: &Bench, input: &[u8]) {
    const READERS: &[&str] = &[
        "d | from_json",
        "d | from_yaml",
        "d | from_yaml_all | list",
        "d | ansible.utils.ipaddr",
        "d | ipaddr('network')",
        "d is version('1.2.3', '>')",
        "d is version('1', '<', version_type='semver')",
        "d is version('1', '<', strict=true)",
        "d | to_datetime",
        "d | strftime(0)",
        "d | human_to_bytes",
        "d | regex_search('a')",
        "'abcabc' | regex_replace(d, 'x')",
        "'abc' | regex_findall(d)",
        "'abc' is match(d)",
        "d | urlsplit",
        "d | splitext",
        "d | normpath",
        "d | relpath('/a')",
        "d | b64decode",
        "d | b64encode",
        "d % (1, 2)",
        "d.format(1, a=2)",
        "d | int",
        "d | float",
        "d | quote",
        "d | comment",
        "d | wordwrap(5)",
        "d | indent(2)",
        "d | hash('sha1')",
        "d | urlencode",
        "d | urldecode",
        "d | striptags",
        "d | title",
        "d | to_nice_yaml",
        "d | to_json",
        "d | split(',')",
        "d | bool",
        "d | expanduser",
        "d | win_basename",
        "d | hwaddr",
        "d | password_hash('md5', 'ab')",
        "d | to_uuid",
        "d | checksum",
        "d | filesizeformat",
        "d | shuffle(seed=d)",
        "d | random(seed=d)",
        "d | truncate(5)",
        "d | center(30)",
        "d | reverse",
        "d | list | sort",
        "d | community.general.json_query('a')",
    ];
    let at = choice(input, READERS.len());
    let layer = Layer::from_iter([("d".into(), Lazy::Data(text(input).into()))]);
    let scope = Arc::new(Scope::new(vec![Arc::new(layer)], Arc::new(Nothing), Arc::new([])));
    let reader = READERS.get(at).copied().unwrap_or_default();
    let _ = template::render(&written(format!("{{{{ {reader} }}}}").as_bytes()).0, &scope)
        .map_err(|error| error.to_string());
}

fn vault(bench: &Bench, input: &[u8]) {
    let source = source(input);
    let _ = bench.vault.decrypt_value(&source.text, &Span::new(&source, 0..0)).map_err(|error| error.to_string());
}

fn settings(bench: &Bench, input: &[u8]) {
    bench.file("ansible.cfg", input);
    drawn(Config::read(&ConfigInputs { env: &|_| None, directory: &bench.directory }));
}

fn extra(bench: &Bench, input: &[u8]) {
    let text = text(input);
    // Files of this machine are none of our business.
    if !text.starts_with('@') {
        drawn(extra_vars(&[text], &bench.vault));
    }
}

fn frames() -> Vec<Vec<u8>> {
    let args = Map::from_iter([
        ("name".to_owned(), Wire::Str("a".into())),
        ("list".to_owned(), Wire::List(vec![Wire::Null, Wire::Int(-5), Wire::Float(1.5)])),
        ("map".to_owned(), Wire::Map(Map::from_iter([("b".to_owned(), Wire::Bytes(vec![1, 2, 3]))]))),
    ]);
    let call = Call { module: "ping".into(), args, mode: Mode::default(), environment: Vec::new(), background: None };
    let outcome = runner::run(&call, &Host::new(Vec::new(), Arc::new(NoBlobs)));
    [
        rplay_wire::encode(&call),
        rplay_wire::encode(&outcome),
        rplay_wire::encode(&rplay_wire::Reply::Want { sha256: "ab".into() }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn wire(_: &Bench, input: &[u8]) {
    let body = input.get(4..).unwrap_or_default();
    let _ = rplay_wire::read_frame::<rplay_wire::Request>(&mut &*input);
    let _ = rplay_wire::decode::<rplay_wire::Request>(body);
    let _ = rplay_wire::decode::<rplay_wire::Reply>(body);
    if let Ok(call) = rplay_wire::decode::<Call>(body) {
        let _ = rplay_modules::registry::find(&call.module).map(|entry| (entry.check)(&call.args, &[]));
    }
    if let Ok(outcome) = rplay_wire::decode::<rplay_wire::Outcome>(body) {
        let _ = rplay::vars::from_wire(Wire::Map(outcome.data));
    }
}

/// Modules that read a file before they say what they would change; nothing is changed.
fn files(bench: &Bench, input: &[u8]) {
    let path = Wire::Str(bench.file("file", input).display().to_string());
    let word = |word: &str| Wire::Str(word.to_owned());
    let calls: [(&str, &[(&str, Wire)]); 8] = [
        ("ini_file", &[("path", path.clone()), ("section", word("s")), ("option", word("k")), ("value", word("n"))]),
        (
            "lineinfile",
            &[
                ("path", path.clone()),
                ("regexp", word("^k(.*)=")),
                ("line", word("k=\\1")),
                ("backrefs", Wire::Bool(true)),
            ],
        ),
        ("lineinfile", &[("path", path.clone()), ("line", word("new")), ("insertafter", word("a"))]),
        ("blockinfile", &[("path", path.clone()), ("block", word("b\nc"))]),
        ("replace", &[("path", path.clone()), ("regexp", word("(a|b)+")), ("replace", word("x\\1"))]),
        (
            "sysctl",
            &[
                ("name", word("kernel.x")),
                ("value", word("2")),
                ("sysctl_file", path.clone()),
                ("reload", Wire::Bool(false)),
            ],
        ),
        (
            "mount",
            &[
                ("path", word("/p")),
                ("src", word("none")),
                ("fstype", word("proc")),
                ("state", word("present")),
                ("fstab", path.clone()),
            ],
        ),
        ("slurp", &[("src", path.clone())]),
    ];
    let at = choice(input, calls.len());
    let Some((module, args)) = calls.get(at) else { return };
    let args = args.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let mode = Mode { check: true, ..Mode::default() };
    let call = Call { module: (*module).to_owned(), args, mode, environment: Vec::new(), background: None };
    let _ = runner::run(&call, &bench.host);
}
