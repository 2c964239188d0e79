//! `rplay galaxy` with a simulated Galaxy API (tests/galaxy), and with archives, directories and repositories. Output
//! and exit codes were compared with ansible-galaxy 2.19.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use galaxy_stand_in::{Role, Stand};

/// A user's directory with places for collections and roles, and a server.
struct User {
    directory: tempfile::TempDir,
    server: Stand,
}

struct Seen {
    code: i32,
    out: String,
    err: String,
}

impl Seen {
    #[track_caller]
    fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}\n{}", self.out, self.err);
        self.out
    }

    #[track_caller]
    fn fails(self, said: &str) {
        let flat: String = self.err.replace("│", " ").split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(self.code, 1, "{}\n{}", self.out, self.err);
        assert!(flat.contains(said), "{flat}\n\nshould say\n{said}");
    }
}

impl User {
    fn new() -> Self {
        let user = User { directory: tempfile::tempdir().unwrap(), server: Stand::start("127.0.0.1:0").unwrap() };
        fs::write(user.path("ansible.cfg"), "[defaults]\ncollections_path=inst\nroles_path=roles\n").unwrap();
        user
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn installed(&self, name: &str) -> PathBuf {
        self.path("inst/ansible_collections").join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rplay"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ANSIBLE_")) {
            command.env_remove(name);
        }
        command
            .args(words)
            .current_dir(self.directory.path())
            .env("HOME", self.directory.path())
            .env("ANSIBLE_GALAXY_SERVER", &self.server.url)
            .env("ANSIBLE_COLLECTIONS_SCAN_SYS_PATH", "false")
            .env("NO_COLOR", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null");
        command
    }

    fn seen(mut command: Command) -> Seen {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Seen { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
    }

    fn collection(&self, line: &str) -> Seen {
        let words: Vec<&str> = ["galaxy", "collection"].into_iter().chain(line.split(' ')).collect();
        User::seen(self.command(&words))
    }

    fn role(&self, line: &str) -> Seen {
        let words: Vec<&str> = ["galaxy", "role"].into_iter().chain(line.split(' ')).collect();
        User::seen(self.command(&words))
    }

    /// The directory of a collection that can be built.
    fn source(&self, name: &str, version: &str, dependencies: &str) -> PathBuf {
        let directory = self.path("src").join(format!("{name}-{version}"));
        let (namespace, short) = name.split_once('.').unwrap();
        fs::create_dir_all(directory.join("roles/r/tasks")).unwrap();
        fs::write(directory.join("README.md"), format!("{name} {version}\n")).unwrap();
        fs::write(directory.join("roles/r/tasks/main.yml"), format!("- debug: msg='{name} {version}'\n")).unwrap();
        let yaml = format!(
            "namespace: {namespace}\nname: {short}\nversion: {version}\nreadme: README.md\nauthors: [me]\ndependencies: {dependencies}\n"
        );
        fs::write(directory.join("galaxy.yml"), yaml).unwrap();
        directory
    }

    /// Its archive, built here.
    fn archive(&self, name: &str, version: &str, dependencies: &str) -> PathBuf {
        let directory = self.source(name, version, dependencies);
        self.collection(&format!("build -f {} --output-path built", directory.display())).ok();
        self.path("built").join(format!("{}-{version}.tar.gz", name.replace('.', "-")))
    }

    fn publish(&self, name: &str, version: &str, dependencies: &str) {
        let archive = self.archive(name, version, dependencies);
        self.server.publish(&archive).unwrap();
    }

    /// What is installed: `name version`, sorted.
    fn list(&self) -> Vec<String> {
        let json = self.collection("list --format json").ok();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let places = json.as_object().unwrap().values();
        let all = places.flat_map(|place| place.as_object().unwrap());
        all.map(|(name, about)| format!("{name} {}", about["version"].as_str().unwrap())).collect()
    }
}

/// Neither hidden directories nor anything else of an interrupted installation remains.
fn nothing_unfinished(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(!name.starts_with(".rplay"), "{}", entry.path().display());
        if entry.path().is_dir() {
            nothing_unfinished(&entry.path());
        }
    }
}

#[test]
fn the_newest_versions_that_fit_together_are_installed() {
    let user = User::new();
    for version in ["1.0.0", "1.5.0", "2.0.0", "3.0.0-beta.1"] {
        user.publish("base.lib", version, "{}");
    }
    user.publish("app.web", "1.0.0", "{base.lib: '>=1.0.0,<2.0.0'}");
    user.publish("app.web", "2.0.0", "{base.lib: '>=2.0.0'}");
    user.publish("app.web", "2.1.0", "{base.lib: '>=2.0.0'}");
    user.publish("app.old", "1.0.0", "{base.lib: <2.0.0}");
    user.publish("app.broken", "1.0.0", "{base.lib: '>=9.0.0'}");

    let said = user.collection("install app.web").ok();
    let lines: Vec<&str> = said.lines().collect();
    let base = user.directory.path().canonicalize().unwrap();
    let place = base.join("inst/ansible_collections");
    assert_eq!(
        lines.iter().filter(|line| !line.starts_with("Downloading")).copied().collect::<Vec<_>>(),
        [
            "Starting galaxy collection install process",
            "Process install dependency map",
            "Starting collection install process",
            &format!("Installing 'base.lib:2.0.0' to '{}'", place.join("base/lib").display()),
            "base.lib:2.0.0 was installed successfully",
            &format!("Installing 'app.web:2.1.0' to '{}'", place.join("app/web").display()),
            "app.web:2.1.0 was installed successfully",
        ]
    );
    assert!(user.collection("install app.web").ok().contains("Nothing to do."));
    assert!(user.installed("app.web-2.1.0.info/GALAXY.yml").is_file());
    // Back to an older one, and what it needs with it.
    user.collection("install app.web:1.0.0").ok();
    assert_eq!(user.list(), ["app.web 1.0.0", "base.lib 1.5.0"]);
    assert!(!user.installed("app.web-2.1.0.info").exists());
    user.collection("install app.web -U").ok();
    assert_eq!(user.list(), ["app.web 2.1.0", "base.lib 2.0.0"]);
    user.collection("install base.lib --pre -U").ok();
    assert_eq!(user.list(), ["app.web 2.1.0", "base.lib 3.0.0-beta.1"]);
    user.collection("install base.lib:1.0.0 -f -n").ok();
    user.collection("install base.lib:3.0.0-beta.1 -f").ok();
    assert_eq!(user.list(), ["app.web 2.1.0", "base.lib 3.0.0-beta.1"]);
    assert!(user.collection("verify app.web base.lib").ok().contains("match the remote collection"));

    fs::remove_dir_all(user.path("inst")).unwrap();
    user.collection("install app.old app.web").ok();
    assert_eq!(user.list(), ["app.old 1.0.0", "app.web 1.0.0", "base.lib 1.5.0"]);
    user.collection("install app.broken")
        .fails("Could not satisfy the following requirements: * base.lib:>=9.0.0 (dependency of app.broken:1.0.0)");
    user.collection("install app.old app.web:2.0.0 --force").fails("* base.lib:<2.0.0 (dependency of app.old:1.0.0)");
    user.collection("install no.such").fails("* no.such:* (direct request)");
    user.collection("install app.broken --no-deps").ok();
    nothing_unfinished(&user.path("inst"));
}

#[test]
fn what_is_downloaded_can_be_installed_without_a_server() {
    let user = User::new();
    user.publish("base.lib", "1.0.0", "{}");
    user.publish("app.web", "1.0.0", "{base.lib: '*'}");
    user.collection("download app.web -p dl").ok();
    user.server.state().calls.clear();
    user.collection("install -r dl/requirements.yml --offline").ok();
    assert_eq!(user.list(), ["app.web 1.0.0", "base.lib 1.0.0"]);
    assert!(user.server.state().calls.is_empty());
    user.collection("install app.web:2.0.0 --offline").fails("* app.web:2.0.0 (direct request)");
}

#[test]
fn an_archive_is_published_and_its_import_told_of() {
    let user = User::new();
    let archive = user.archive("a.one", "1.0.0", "{}").display().to_string();
    user.server.state().import = serde_json::json!({ "state": "completed", "finished_at": "2026-01-01T00:00:00Z",
        "messages": [{ "level": "WARNING", "message": "odd" }, { "level": "INFO", "message": "fine" }] });
    let seen = user.collection(&format!("publish {archive} --token mine"));
    assert!(seen.err.contains("Galaxy import warning message: odd") && !seen.err.contains("fine"), "{}", seen.err);
    let url = format!("{}/api", user.server.url);
    assert_eq!(
        seen.ok(),
        format!(
            "Publishing collection artifact '{archive}' to default {url}\n\
             Collection has been published to the Galaxy server default {url}\n\
             Waiting until Galaxy import task {url}/v3/imports/collections/one/ has completed\n\
             Collection has been successfully published and imported to the Galaxy server default {url}\n"
        )
    );
    user.collection("install a.one").ok();
    assert_eq!(user.list(), ["a.one 1.0.0"]);
    assert!(user.collection(&format!("publish {archive} --no-wait")).ok().contains("not waiting until import"));
    user.server.state().import = serde_json::json!({ "state": "failed", "finished_at": "2026-01-01T00:00:00Z",
        "messages": [], "error": { "code": "GW001", "description": "no licence" } });
    user.collection(&format!("publish {archive}")).fails("Galaxy import process failed: no licence (Code: GW001)");
    user.server.state().import = serde_json::json!({ "state": "running", "finished_at": null });
    user.collection(&format!("publish {archive} --import-timeout 1"))
        .fails("Timeout while waiting for the Galaxy import");
    user.collection("publish none.tar.gz").fails("does not exist.");
    user.collection("publish ansible.cfg").fails("is not a tarball");
}

#[test]
fn pre_releases_are_taken_where_there_is_nothing_else() {
    let user = User::new();
    user.publish("a.new", "1.0.0-rc1", "{}");
    user.publish("a.old", "1.0.0", "{}");
    user.publish("a.old", "2.0.0-rc1", "{}");
    user.collection("install a.new:>=0.1 a.old").ok();
    assert_eq!(user.list(), ["a.new 1.0.0-rc1", "a.old 1.0.0"]);
    let info = fs::read_to_string(user.path("inst/ansible_collections/a.old-1.0.0.info/GALAXY.yml")).unwrap();
    assert!(info.contains(&format!("server: {}/api\n", user.server.url)), "{info}");
}

#[test]
fn servers_are_asked_in_order_with_their_own_logins() {
    let user = User::new();
    user.publish("a.one", "1.0.0", "{}");
    let other = Stand::start("127.0.0.1:0").unwrap();
    other.publish(&user.archive("a.one", "2.0.0", "{}")).unwrap();
    other.publish(&user.archive("a.two", "1.0.0", "{}")).unwrap();
    user.server.state().authorization = Some("Token first".to_owned());
    other.state().authorization = Some("Bearer short-lived".to_owned());
    let cfg = format!(
        "[defaults]\ncollections_path=inst\n[galaxy]\nserver_list=mine, theirs\n[galaxy_server.mine]\nurl={}/api/\ntoken=first\n\
         [galaxy_server.theirs]\nurl={}\ntoken=wrong\nauth_url={}/auth\n",
        user.server.url, other.url, other.url
    );
    fs::write(user.path("ansible.cfg"), cfg).unwrap();
    let mut command = user.command(&["galaxy", "collection", "install", "a.one", "a.two"]);
    command.env("ANSIBLE_GALAXY_SERVER_THEIRS_TOKEN", "lasting");
    let seen = User::seen(command);
    assert!(!seen.out.contains("lasting") && !seen.err.contains("lasting"));
    seen.ok();
    assert_eq!(user.list(), ["a.one 2.0.0", "a.two 1.0.0"]);
    // A server given on the command line is the only one that is used.
    fs::write(user.path("r.yml"), "collections: [{name: a.one, source: mine}]").unwrap();
    user.collection("install -r r.yml -f").ok();
    assert_eq!(user.list(), ["a.one 1.0.0", "a.two 1.0.0"]);
    user.collection("install a.two -s mine -f").fails("* a.two:* (direct request)");
    // A server that cannot be reached causes a warning and is skipped.
    user.server.state().authorization = Some("Token other".to_owned());
    let mut command = user.command(&["galaxy", "collection", "install", "a.one", "-f"]);
    command.env("ANSIBLE_GALAXY_SERVER_THEIRS_TOKEN", "lasting");
    let seen = User::seen(command);
    assert!(
        seen.err.contains("Skipping Galaxy server") && seen.err.contains("credentials were not provided"),
        "{}",
        seen.err
    );
    seen.ok();
    // Files are on another server than the API: it gets no token.
    let files = user.server.state().calls.clone();
    assert!(files.iter().all(|(path, _)| !path.starts_with("/files/a-two")));
}

#[test]
fn mismatching_archives_leave_everything_unchanged() {
    let user = User::new();
    user.publish("a.one", "1.0.0", "{}");
    user.collection("install a.one").ok();
    user.publish("a.one", "2.0.0", "{}");
    user.server.state().wrong_digests = true;
    user.collection("install a.one -U").fails("Mismatch artifact hash");
    user.server.state().wrong_digests = false;
    user.server.state().breaks_off = Some(100);
    user.collection("install a.one -U").fails("");
    user.server.state().breaks_off = None;
    // Its own manifest differs: the checksums are verified before anything is replaced.
    let broken = user.path("broken");
    fs::create_dir(&broken).unwrap();
    let tar =
        |words: &[&str]| assert!(Command::new("tar").args(words).current_dir(&broken).status().unwrap().success());
    let archive = user.path("built/a-one-2.0.0.tar.gz").display().to_string();
    tar(&["xzf", &archive]);
    fs::write(broken.join("README.md"), "changed\n").unwrap();
    fs::write(broken.join("more"), "not listed\n").unwrap();
    tar(&["czf", "../broken.tar.gz", "MANIFEST.json", "FILES.json", "README.md", "roles", "more"]);
    user.collection("install broken.tar.gz").fails("Checksum mismatch for 'README.md'");
    fs::write(broken.join("README.md"), "a.one 2.0.0\n").unwrap();
    fs::remove_dir_all(broken.join("roles/r/tasks")).unwrap();
    tar(&["czf", "../broken.tar.gz", "MANIFEST.json", "FILES.json", "README.md", "roles", "more"]);
    user.collection("install broken.tar.gz").fails("`roles/r/tasks/main.yml` is listed in FILES.json but missing");
    assert_eq!(user.list(), ["a.one 1.0.0"]);
    assert!(user.collection("verify a.one --offline").ok().contains("internally consistent"));
    nothing_unfinished(&user.path("inst"));
    // Files that no manifest lists are not installed.
    tar(&["xzf", &archive]);
    tar(&["czf", "../more.tar.gz", "MANIFEST.json", "FILES.json", "README.md", "roles", "more"]);
    user.collection("install more.tar.gz").ok();
    assert_eq!(user.list(), ["a.one 2.0.0"]);
    assert!(!user.installed("a/one/more").exists());
}

#[test]
fn directories_repositories_and_requirements() {
    let user = User::new();
    user.source("a.one", "1.0.0", "{}");
    user.source("a.two", "1.0.0", "{a.one: '>=1.0.0'}");
    let repository = user.path("repo");
    fs::create_dir_all(&repository).unwrap();
    let git = |words: &[&str]| {
        let mut command = Command::new("git");
        command
            .args(["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "init.defaultBranch=main"])
            .args(words);
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").current_dir(&repository);
        assert!(command.output().unwrap().status.success(), "{words:?}");
    };
    fs::rename(user.path("src/a.one-1.0.0"), repository.join("one")).unwrap();
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "one"]);
    git(&["tag", "v1"]);
    let text = fs::read_to_string(repository.join("one/galaxy.yml")).unwrap().replace("1.0.0", "1.1.0");
    fs::write(repository.join("one/galaxy.yml"), text).unwrap();
    git(&["commit", "-qam", "two"]);

    let url = format!("git+file://{}#/one", repository.display());
    user.collection(&format!("install {url},v1")).ok();
    assert_eq!(user.list(), ["a.one 1.0.0"]);
    let requirements =
        format!("collections:\n- source: file://{}\n  type: git\n- name: src\n  type: subdirs\n", repository.display());
    fs::write(user.path("requirements.yml"), requirements).unwrap();
    user.collection("install -r requirements.yml").ok();
    assert_eq!(user.list(), ["a.one 1.1.0", "a.two 1.0.0"]);
    assert!(user.installed("a/two/MANIFEST.json").is_file() && !user.installed("a/two/galaxy.yml").exists());
    user.collection(&format!("install git+file://{},nosuch", repository.display()))
        .fails("Failed to clone a Git repository");
    user.collection("install git+ext::sh%20-c%20touch%20pwned").fails("Failed to clone a Git repository");
    user.collection(&format!("install git+file://{}#../..", repository.display())).fails("has no directory");
    assert!(!user.path("pwned").exists());

    // A run finds what was installed.
    fs::write(user.path("play.yml"), "- hosts: localhost\n  gather_facts: false\n  roles: [a.two.r]\n").unwrap();
    let run = User::seen(user.command(&["-c", "local", "play.yml"])).ok();
    assert!(run.contains("TASK [a.two.r : debug]") && run.contains("a.two 1.0.0"), "{run}");
    fs::write(user.path("play.yml"), "- hosts: localhost\n  gather_facts: false\n  roles: [no.such.r]\n").unwrap();
    User::seen(user.command(&["-c", "local", "play.yml"]))
        .fails("install it with `rplay galaxy collection install no.such`");
}

#[test]
fn builds_contain_what_the_collection_selects() {
    let user = User::new();
    let directory = user.source("my.coll", "1.0.0", "{}");
    for (name, text) in [("a.pyc", ""), ("secret.txt", ""), ("docs/x.rst", ""), ("tests/output/log", ""), ("b.sh", "")]
    {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    std::os::unix::fs::symlink("../README.md", directory.join("docs/link")).unwrap();
    std::os::unix::fs::symlink("/etc", directory.join("outside")).unwrap();
    let entries = || {
        let listed = Command::new("tar").arg("tzf").arg(user.path("my-coll-1.0.0.tar.gz")).output().unwrap();
        String::from_utf8(listed.stdout).unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let yaml = fs::read_to_string(directory.join("galaxy.yml")).unwrap();
    fs::write(directory.join("galaxy.yml"), format!("{yaml}build_ignore: [secret.*]\n")).unwrap();
    let build = format!("build {}", directory.display());
    user.collection(&build).ok();
    assert_eq!(
        entries(),
        [
            "MANIFEST.json",
            "FILES.json",
            "README.md",
            "b.sh",
            "docs/",
            "docs/link",
            "docs/x.rst",
            "roles/",
            "roles/r/",
            "roles/r/tasks/",
            "roles/r/tasks/main.yml",
            "tests/"
        ]
    );
    user.collection(&build).fails("already exists. You can use --force");
    user.collection("install my-coll-1.0.0.tar.gz").ok();
    assert_eq!(fs::read_link(user.installed("my/coll/docs/link")).unwrap(), Path::new("../README.md"));

    fs::write(
        directory.join("galaxy.yml"),
        format!("{yaml}manifest: {{directives: [include *.sh, recursive-exclude docs **]}}\n"),
    )
    .unwrap();
    user.collection(&format!("{build} -f")).ok();
    assert_eq!(
        entries(),
        [
            "MANIFEST.json",
            "FILES.json",
            "README.md",
            "b.sh",
            "roles/",
            "roles/r/",
            "roles/r/tasks/",
            "roles/r/tasks/main.yml",
            "secret.txt"
        ]
    );
    fs::write(directory.join("galaxy.yml"), "namespace: my\n").unwrap();
    user.collection(&build).fails("missing the following mandatory keys: name, version, readme, authors");
}

/// Signatures with a key of our own.
#[test]
fn signatures_are_verified_where_a_keyring_is_given() {
    let user = User::new();
    let home = user.path("gnupg");
    fs::create_dir(&home).unwrap();
    fs::set_permissions(&home, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let gpg = |words: &[&str]| {
        let output =
            Command::new("gpg").env("GNUPGHOME", &home).args(["--batch", "--yes", "--quiet"]).args(words).output();
        output.is_ok_and(|output| output.status.success())
    };
    let made = gpg(&[
        "--passphrase",
        "",
        "--pinentry-mode",
        "loopback",
        "--quick-gen-key",
        "me@example.com",
        "ed25519",
        "sign",
        "never",
    ]);
    if !made {
        eprintln!("gpg is not here, or cannot make keys: nothing is tested");
        return;
    }
    user.publish("a.one", "1.0.0", "{}");
    user.collection("install a.one").ok();
    let keyring = user.path("keys.gpg").display().to_string();
    assert!(gpg(&["--export", "-o", &keyring]));
    let manifest = user.installed("a/one/MANIFEST.json").display().to_string();
    let signature = user.path("one.asc").display().to_string();
    assert!(gpg(&["--detach-sign", "--armor", "-o", &signature, &manifest]));
    let signature_text = fs::read_to_string(&signature).unwrap();
    let other = user.path("other").display().to_string();
    fs::write(&other, "other").unwrap();
    let wrong = user.path("wrong.asc").display().to_string();
    assert!(gpg(&["--detach-sign", "--armor", "-o", &wrong, &other]));

    let install = format!("install a.one -f --keyring {keyring}");
    assert!(user.collection(&install).err.contains("has no signatures"));
    user.collection(&format!("{install} --required-valid-signature-count +1")).fails("no successful signatures");
    user.server.state().collections[0].signatures = vec![signature_text];
    user.collection(&format!("{install} --required-valid-signature-count +all")).ok();
    let both = format!("{install} --signature {wrong}");
    user.collection(&both).ok();
    user.collection(&format!("{both} --required-valid-signature-count all"))
        .fails("1 of 2 signatures are valid * gpg reports BADSIG");
    user.collection(&format!(
        "{both} --required-valid-signature-count all --ignore-signature-status-codes BADSIG FAILURE"
    ))
    .ok();
    user.collection(&format!("{install} --ignore-signature-status-code NONE")).fails("unknown gpg status code `NONE`");
    user.server.state().collections[0].signatures.clear();
    user.collection(&both).fails("0 of 1 signatures are valid");
    user.collection(&format!("{both} --disable-gpg-verify")).ok();
    user.collection(&format!("verify a.one --keyring {keyring} --signature {signature} --offline")).ok();
    user.collection(&format!("verify a.one --keyring {keyring} --signature {wrong} --offline")).fails("BADSIG");
}

/// A role's archive with a top-level directory, as servers of repositories create them.
fn role_archive(user: &User, name: &str, dependencies: &str) -> Vec<u8> {
    let directory = user.path(&format!("made/{name}-main"));
    fs::create_dir_all(directory.join("meta")).unwrap();
    fs::create_dir_all(directory.join("tasks")).unwrap();
    fs::write(
        directory.join("meta/main.yml"),
        format!("galaxy_info: {{description: for tests}}\ndependencies: {dependencies}\n"),
    )
    .unwrap();
    fs::write(directory.join("tasks/main.yml"), "- debug: msg=here\n").unwrap();
    let archive = user.path(&format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.arg("czf").arg(&archive).arg("-C").arg(user.path("made")).arg(format!("{name}-main"));
    assert!(tar.status().unwrap().success());
    fs::read(&archive).unwrap()
}

#[test]
fn roles_come_from_galaxy_archives_and_repositories() {
    let user = User::new();
    let archive = role_archive(&user, "web", "[]");
    for version in ["1.9.0", "1.10.0"] {
        let (name, archive) = ("web".to_owned(), archive.clone());
        user.server.state().roles.push(Role { user: "some".to_owned(), name, version: version.to_owned(), archive });
    }
    role_archive(&user, "needs", "[{src: some.web, version: 1.9.0}, local]");
    let said = user.role("install some.web").ok();
    assert!(
        said.contains("- downloading role 'web', owned by some\n")
            && said.ends_with("- some.web (1.10.0) was installed successfully\n"),
        "{said}"
    );
    assert!(user.role("install some.web").err.contains("use --force to change version to unspecified"));
    let same = user.role("install some.web,1.10.0").ok();
    assert!(same.contains("- some.web (1.10.0) is already installed, skipping."));
    assert!(user.role("install some.web,1.9.0").err.contains("use --force to change version to 1.9.0"));
    assert!(user.role("install some.web,1.9.0 -f").ok().contains("- changing role some.web from 1.10.0 to 1.9.0"));
    user.role("install some.web,7.0 -f").fails(
        "- the specified version (7.0) of some.web was not found in the list of available versions (1.9.0, 1.10.0).",
    );
    user.role("install some.other")
        .fails("- some.other was NOT installed successfully: - sorry, some.other was not found on");
    assert!(user.role("install some.other -i").err.contains("[WARNING]: - some.other was NOT installed successfully"));
    assert_eq!(user.role("remove some.web").ok(), "- successfully removed some.web\n");
    assert_eq!(user.role("remove some.web").ok(), "- some.web is not installed, skipping.\n");
    // With its dependencies; a role without a dot is not from Galaxy.
    let said = user.role("install needs.tar.gz,,mine").ok();
    assert!(said.contains("- adding dependency: some.web\n") && !said.contains("local"), "{said}");
    let place = user.directory.path().canonicalize().unwrap().join("roles");
    assert_eq!(
        user.role("list").ok(),
        format!("# {}\n- mine, (unknown version)\n- some.web, 1.9.0\n", place.display())
    );
    assert!(user.role("list no.such").err.contains("- the role no.such was not found"));
    assert!(user.role("info mine --offline").ok().contains("Role: mine\n\tdescription: for tests\n"));
    assert!(user.role("search web").ok().contains("some.web"));
    user.role("install ,,../up").fails("");
    user.role("remove ..").ok();
    assert!(user.path("ansible.cfg").exists());
    nothing_unfinished(&user.path("roles"));
}

/// Called under Ansible's name, and with one file for both.
#[test]
fn one_file_for_roles_and_collections() {
    let user = User::new();
    user.publish("a.one", "1.0.0", "{}");
    role_archive(&user, "web", "[]");
    fs::write(user.path("requirements.yml"), "roles: [{src: web.tar.gz, name: web}]\ncollections: [a.one]\n").unwrap();
    let link = user.path("ansible-galaxy");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_rplay"), &link).unwrap();
    let mut command = user.command(&[]);
    let envs: Vec<_> =
        command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    command = Command::new(&link);
    command.args(["install", "-r", "requirements.yml"]).envs(envs).current_dir(user.directory.path());
    let said = User::seen(command).ok();
    assert!(
        said.contains("- web was installed successfully") && said.contains("a.one:1.0.0 was installed successfully"),
        "{said}"
    );
    user.collection("install -r requirements.yml").ok();
    user.collection("init my.new").ok();
    user.collection("init my.new").fails("already exists");
    user.collection("build my/new").ok();
    user.role("init fresh").ok();
    assert!(user.path("fresh/tasks/main.yml").is_file());
}

#[test]
fn roles_on_the_server_are_imported_deleted_and_set_up() {
    let user = User::new();
    let queries = || std::mem::take(&mut user.server.state().queries);
    assert_eq!(
        user.role("import some web --branch dev --role-name w").ok(),
        "Successfully submitted import request 9\nstarting\ndone\n"
    );
    assert_eq!(queries(), ["github_user=some&github_repo=web&github_reference=dev&alternate_role_name=w", "id=9"]);
    assert_eq!(
        user.role("import some web --no-wait").ok(),
        "Successfully submitted import request 9\nRole name: web\nRepo: some/web\n"
    );
    assert_eq!(queries(), ["github_user=some&github_repo=web&github_reference="]);
    user.server.state().import_state = Some("FAILED".to_owned());
    let failed = user.role("import some web --status");
    assert_eq!((failed.code, failed.out.as_str()), (1, "starting\ndone\n"));
    assert_eq!(queries(), ["github_user=some&github_repo=web", "id=9"]);

    assert_eq!(user.role("delete some web").ok(), "Role deleted\n");
    assert_eq!(queries(), ["github_user=some&github_repo=web"]);
    let listed = user.role("setup --list x x x x").ok();
    assert!(listed.ends_with("\n3          travis     some/web\n"), "{listed}");
    assert!(user.role("setup --remove 3 x x x x").ok().starts_with("Secret removed."));
    queries();
    user.role("setup travis some web s3cret").ok();
    assert_eq!(queries(), ["source=travis&github_user=some&github_repo=web&secret=s3cret"]);

    user.role("search web --platforms EL,Debian --galaxy-tags a --author me").ok();
    let query = queries().remove(0);
    for part in ["platforms_autocomplete=EL%20Debian", "tags_autocomplete=a", "author_autocomplete=me"] {
        assert!(query.contains(&part.replace("author_", "username_")), "{query}");
    }
    let nothing = user.role("install");
    assert_eq!(nothing.code, 5, "{}", nothing.err);
}

/// Skeletons of the user's own: templates, directories that are not copied, links, settings, variables.
#[test]
fn skeletons_are_copied() {
    let user = User::new();
    for (file, text) in [
        ("tasks/main.yml.j2", "# {{ role_name }} {{ role_type }} {{ mine | default('none') }}\n"),
        ("tasks/plain.yml", "{{ role_name }}\n"),
        ("templates/t.j2", "{{ role_name }}\n"),
        ("files/.git_keep", ""),
        (".git/config", ""),
    ] {
        let path = user.path("skeleton").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    std::os::unix::fs::symlink("tasks", user.path("skeleton/link")).unwrap();
    assert_eq!(
        user.role("init web --offline --type container --role-skeleton skeleton -e mine=yes").ok(),
        "- Role web was created successfully\n"
    );
    let read = |name: &str| fs::read_to_string(user.path("web").join(name)).unwrap();
    assert_eq!(read("tasks/main.yml"), "# web container yes\n");
    assert_eq!(
        (read("tasks/plain.yml"), read("templates/t.j2")),
        ("{{ role_name }}\n".into(), "{{ role_name }}\n".into())
    );
    assert!(user.path("web/files").is_dir() && !user.path("web/files/.git_keep").exists());
    assert!(!user.path("web/.git").exists() && user.path("web/link").is_symlink());
    user.role("init other --role-skeleton nowhere")
        .fails("the skeleton path 'nowhere' does not exist, cannot init role");

    let odd = user.path("odd/galaxy.yml.j2");
    fs::create_dir_all(odd.parent().unwrap()).unwrap();
    fs::write(&odd, "name: {{ collection_name }}\nnamespace: {{ namespace }}\nx: {{ x }}\n").unwrap();
    user.collection("init a.b --collection-skeleton odd").fails("failed with the error: 'x' is undefined");
    user.collection("init a.c --collection-skeleton odd -e x=1").ok();
    assert_eq!(fs::read_to_string(user.path("a/c/galaxy.yml")).unwrap(), "name: c\nnamespace: a\nx: 1\n");
}
