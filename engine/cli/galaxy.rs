//! `rplay galaxy`: translates the command line into calls of `rplay::galaxy`.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rplay::{
    config::Config,
    galaxy::{
        BuildOptions, CODES, Count, DownloadOptions, Force, Galaxy, GalaxyError, ImportOptions, InitOptions,
        InstallOptions, Progress, PublishOptions, Requirements, RoleOptions, Server, Servers, Setup, SignatureOptions,
        Skeleton, VerifyOptions, Wanted, WantedRole, token_in,
    },
    source::{Problems, absolute},
};

use crate::{
    args::common::PasswordArgs,
    args::galaxy::{
        CollectionAction, CollectionInstallArgs, CommonArgs, GalaxyAction, GalaxyArgs, InitArgs, RoleAction,
        RoleInstallArgs, SignatureArgs,
    },
    diagnostics, output, passwords,
};

/// Runs the subcommand and returns the exit code.
pub(crate) fn command(args: &GalaxyArgs) -> Result<u8, Problems> {
    let (config, warnings) = Config::load()?;
    diagnostics::look_like(*config.diagnostics);
    diagnostics::show(&warnings);
    if let GalaxyAction::Role { action: RoleAction::Install(args) } | GalaxyAction::Either(RoleAction::Install(args)) =
        &args.action
        && args.role_file.is_none()
        && args.roles.is_empty()
    {
        let error = GalaxyError::new("- you must specify a user/role name or a roles file");
        return Ok(diagnostics::end(&error.into(), diagnostics::OPTIONS));
    }
    let result = match &args.action {
        GalaxyAction::Collection { action } => collection(action, &config),
        GalaxyAction::Role { action } => role(action, &config, false),
        GalaxyAction::Either(action) => role(action, &config, true),
    };
    match result {
        // That no directory of roles exists counts as a wrong option.
        Err(error)
            if matches!(
                args.action,
                GalaxyAction::Role { action: RoleAction::List(_) } | GalaxyAction::Either(RoleAction::List(_))
            ) =>
        {
            Ok(diagnostics::end(&error.into(), diagnostics::OPTIONS))
        }
        result => Ok(u8::from(!result?)),
    }
}

type Done = Result<bool, GalaxyError>;

fn collection(action: &CollectionAction, config: &Config) -> Done {
    match action {
        CollectionAction::Install(args) => install_collections(args, config)?,
        CollectionAction::List(args) => {
            let given = directories(&args.collections_path);
            let mut galaxy = galaxy(config, &args.common);
            galaxy.collections_path = all_places(&given, config);
            galaxy.list_collections(args.collection.as_deref(), args.format.into(), &given)?;
        }
        CollectionAction::Init(args) => {
            let ignore = &config.galaxy_collection_skeleton_ignore;
            let skeleton =
                skeleton(&args.collection_skeleton, config.galaxy_collection_skeleton.value.as_ref(), ignore);
            galaxy(config, &args.init.common).init_collection(&init(&args.init, skeleton, "", config)?)?;
        }
        CollectionAction::Build(args) => {
            let options = BuildOptions {
                directories: args.directories.clone(),
                output: args.output_path.clone(),
                force: args.force,
            };
            galaxy(config, &args.common).build(&options)?;
        }
        CollectionAction::Publish(args) => galaxy(config, &args.common).publish(&PublishOptions {
            archive: args.archive.clone(),
            waits: !args.no_wait,
            patience: Some(args.import_timeout).filter(|seconds| *seconds > 0).map(Duration::from_secs),
        })?,
        CollectionAction::Verify(args) => {
            let mut galaxy = galaxy(config, &args.common);
            galaxy.collections_path = all_places(&directories(&args.collections_path), config);
            return galaxy.verify(&VerifyOptions {
                wanted: wanted(&args.collections, args.requirements_file.as_deref())?,
                offline: args.offline,
                ignore_errors: args.ignore_errors,
                signatures: signatures(&args.signatures, config)?,
                more_signatures: args.signatures.signature.clone(),
            });
        }
        CollectionAction::Download(args) => galaxy(config, &args.common).download_collections(&DownloadOptions {
            wanted: wanted(&args.collections, args.requirements_file.as_deref())?,
            path: args.download_path.clone(),
            no_deps: args.no_deps,
            prereleases: args.pre,
        })?,
    }
    Ok(true)
}

fn install_collections(args: &CollectionInstallArgs, config: &Config) -> Result<(), GalaxyError> {
    let options = InstallOptions {
        wanted: wanted(&args.collections, args.requirements_file.as_deref())?,
        force: Force { named: args.force, dependencies: args.force_with_deps },
        no_deps: args.no_deps,
        upgrade: args.upgrade,
        prereleases: args.pre,
        offline: args.offline,
        ignore_errors: args.ignore_errors,
        signatures: signatures(&args.signatures, config)?,
        more_signatures: args.signatures.signature.clone(),
    };
    let mut galaxy = galaxy(config, &args.common);
    if let Some(path) = &args.collections_path {
        let path = PathBuf::from(absolute(path));
        if !config.collections_path.0.iter().any(|known| known == &path || known.join("ansible_collections") == path) {
            let known: Vec<String> = config.collections_path.0.iter().map(|path| path.display().to_string()).collect();
            tell(Progress::Warning(format!(
                "The specified collections path '{}' is not part of the configured Ansible collections paths '{}'. The \
                 installed collection will not be picked up in an Ansible run, unless within a playbook-adjacent \
                 collections directory.",
                path.display(),
                known.join(":")
            )));
        }
        galaxy.collections_path = vec![path];
    }
    galaxy.install_collections(&options)
}

/// `either`: the command line named neither `role` nor `collection`.
fn role(action: &RoleAction, config: &Config, either: bool) -> Done {
    match action {
        RoleAction::Install(args) => install_roles(args, config, either)?,
        RoleAction::List(args) => {
            let given = directories(&args.roles_path);
            roles_in(&given, config, &args.common).list_roles(args.role.as_deref())?;
        }
        RoleAction::Init(args) => {
            let ignore = &config.galaxy_role_skeleton_ignore;
            let skeleton = skeleton(&args.role_skeleton, config.galaxy_role_skeleton.value.as_ref(), ignore);
            galaxy(config, &args.init.common).init_role(&init(&args.init, skeleton, &args.role_type, config)?)?;
        }
        RoleAction::Remove(args) => {
            roles_in(&directories(&args.roles_path), config, &args.common).remove_roles(&args.roles)?
        }
        RoleAction::Info(args) => {
            let names = &args.names;
            roles_in(&directories(&names.roles_path), config, &names.common).role_info(&names.roles, args.offline)?;
        }
        RoleAction::Search(args) => {
            let filters = [("platforms", &args.platforms), ("tags", &args.galaxy_tags), ("username", &args.author)];
            let filters: Vec<(&str, String)> =
                filters.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect();
            galaxy(config, &args.common).search_roles(&args.words, &filters)?;
        }
        RoleAction::Import(args) => {
            return galaxy(config, &args.common).import_role(&ImportOptions {
                user: args.user.clone(),
                repository: args.repository.clone(),
                branch: args.branch.clone(),
                role: args.role_name.clone(),
                waits: !args.no_wait,
                status: args.status,
            });
        }
        RoleAction::Delete(args) => galaxy(config, &args.common).delete_role(&args.user, &args.repository)?,
        RoleAction::Setup(args) => {
            diagnostics::secrets().add(&args.secret);
            let setup = match &args.remove {
                _ if args.list => Setup::List,
                Some(id) => Setup::Remove(id.clone()),
                None => Setup::Add {
                    source: args.source.clone(),
                    user: args.user.clone(),
                    repository: args.repository.clone(),
                    secret: args.secret.clone(),
                },
            };
            galaxy(config, &args.common).setup_roles(&setup)?;
        }
    }
    Ok(true)
}

/// The skeleton that the command line names, else that of the settings.
fn skeleton(named: &Option<PathBuf>, usual: Option<&PathBuf>, ignore: &[String]) -> Option<Skeleton> {
    let directory = named.as_ref().or(usual)?.clone();
    Some(Skeleton { directory, ignore: ignore.to_vec() })
}

fn init(
    args: &InitArgs,
    skeleton: Option<Skeleton>,
    role_type: &str,
    config: &Config,
) -> Result<InitOptions, GalaxyError> {
    let told = |problems: Problems| {
        let first = problems.0.first().map(ToString::to_string);
        GalaxyError::new(first.unwrap_or_else(|| "the extra variables cannot be read".to_owned()))
    };
    let vault = passwords::vault(&PasswordArgs::default(), config, diagnostics::secrets()).map_err(told)?;
    Ok(InitOptions {
        name: args.name.clone(),
        path: args.init_path.clone(),
        force: args.force,
        skeleton,
        vars: rplay::vars::extra_vars(&args.extra_vars, &vault).map_err(told)?,
        role_type: role_type.to_owned(),
    })
}

fn install_roles(args: &RoleInstallArgs, config: &Config, either: bool) -> Result<(), GalaxyError> {
    let found = match &args.role_file {
        Some(file) => Requirements::read(file)?,
        None => Requirements {
            roles: args.roles.iter().map(|text| WantedRole::parse(text)).collect::<Result<_, _>>()?,
            collections: Vec::new(),
        },
    };
    let with_collections = either && args.roles_path.is_none() && !found.collections.is_empty();
    if !with_collections && !found.collections.is_empty() && either {
        tell(Progress::Warning(
            "The requirements file contains collections which will be ignored. To install them, run \
             'rplay galaxy collection install -r', or both at once without a custom install path."
                .to_owned(),
        ));
    }
    let mut galaxy = galaxy(config, &args.common);
    if let Some(path) = &args.roles_path {
        galaxy.roles_path = vec![PathBuf::from(absolute(path))];
    }
    if found.roles.is_empty() && !with_collections {
        tell(Progress::Line("Skipping install, no requirements found".to_owned()));
        return Ok(());
    }
    if !found.roles.is_empty() {
        galaxy.install_roles(&RoleOptions {
            wanted: found.roles,
            force: Force { named: args.force, dependencies: args.force_with_deps },
            no_deps: args.no_deps,
            ignore_errors: args.ignore_errors,
            keep_scm_meta: args.keep_scm_meta,
        })?;
    }
    if with_collections {
        galaxy.install_collections(&InstallOptions {
            wanted: found.collections,
            force: Force { named: args.force, dependencies: args.force_with_deps },
            no_deps: args.no_deps,
            ignore_errors: args.ignore_errors,
            signatures: signatures(&args.signatures, config)?,
            ..InstallOptions::default()
        })?;
    }
    Ok(())
}

fn tell(said: Progress) {
    let secrets = diagnostics::secrets();
    match said {
        Progress::Line(line) => output::tell(&format!("{}\n", secrets.mask(&line))),
        Progress::Warning(message) => output::aside(&format!("[WARNING]: {}\n", secrets.mask(&message))),
    }
}

fn galaxy(config: &Config, common: &CommonArgs) -> Galaxy {
    Galaxy::new(config.collections_path.0.clone(), config.roles_path.0.clone(), servers(config, common), tell)
}

/// The configuration with these role directories first.
fn roles_in(given: &[PathBuf], config: &Config, common: &CommonArgs) -> Galaxy {
    let mut galaxy = galaxy(config, common);
    galaxy.roles_path.splice(0..0, given.iter().cloned());
    galaxy
}

/// All places in which a run finds collections.
fn all_places(given: &[PathBuf], config: &Config) -> Vec<PathBuf> {
    let scan = *config.collections_scan_sys_path;
    let found = rplay::collections::Collections::new(config.collections_path.0.clone(), scan).places();
    given.iter().cloned().chain(found).collect()
}

/// Directories; an argument may hold several, separated by colons.
fn directories(given: &[String]) -> Vec<PathBuf> {
    given.iter().flat_map(|text| text.split(':')).map(|path| PathBuf::from(absolute(Path::new(path)))).collect()
}

fn servers(config: &Config, common: &CommonArgs) -> Vec<Server> {
    let listed = config.galaxy_sections.iter().map(|section| {
        let text = |key: &str| section.get(key).map(str::to_owned);
        let mut server = Server::new(&section.name, section.get("url").unwrap_or_default());
        server.token = text("token");
        server.username = text("username");
        server.password = text("password");
        server.auth_url = text("auth_url");
        server.client_id = text("client_id").unwrap_or(server.client_id);
        let refuses = |text: &str| matches!(text.to_ascii_lowercase().as_str(), "false" | "no" | "off" | "0");
        server.validate_certs = !section.get("validate_certs").is_some_and(refuses);
        server.timeout =
            section.get("timeout").and_then(|text| text.parse().ok()).unwrap_or(*config.galaxy_server_timeout);
        server
    });
    let usual = std::env::var_os("HOME").map(|home| Path::new(&home).join(".ansible/galaxy_token"));
    let token =
        common.token.clone().or_else(|| token_in(config.galaxy_token_path.value.as_deref().or(usual.as_deref())?));
    let servers = Servers {
        listed: listed.collect(),
        usual: config.galaxy_server.value.clone(),
        chosen: common.server.clone(),
        token,
        timeout: common.timeout.or(Some(*config.galaxy_server_timeout).filter(|_| config.galaxy_sections.is_empty())),
        ignore_certs: common.ignore_certs || *config.galaxy_ignore_certs,
    }
    .asked();
    for server in &servers {
        for secret in [&server.token, &server.password].into_iter().flatten() {
            diagnostics::secrets().add(secret);
        }
    }
    servers
}

fn wanted(names: &[String], file: Option<&Path>) -> Result<Vec<Wanted>, GalaxyError> {
    match file {
        Some(_) if !names.is_empty() => {
            Err(GalaxyError::new("The positional collection_name arg and --requirements-file are mutually exclusive."))
        }
        Some(file) => Ok(Requirements::read(file)?.collections),
        None if names.is_empty() => Err(GalaxyError::new("You must specify a collection name or a requirements file.")),
        None => names.iter().map(|text| Wanted::parse(text)).collect(),
    }
}

fn signatures(args: &SignatureArgs, config: &Config) -> Result<SignatureOptions, GalaxyError> {
    let count = args.required_valid_signature_count.as_ref().unwrap_or(&config.galaxy_required_valid_signature_count);
    let mut ignored = args.ignore_signature_status_code.clone();
    ignored.extend(args.ignore_signature_status_codes.iter().cloned());
    if ignored.is_empty() {
        ignored.clone_from(&config.galaxy_ignore_signature_status_codes);
    }
    if let Some(unknown) = ignored.iter().find(|code| !CODES.contains(&code.as_str())) {
        return Err(GalaxyError::new(format!(
            "unknown gpg status code `{unknown}`; expected one of {}",
            CODES.join(", ")
        )));
    }
    let keyring = args.keyring.clone().or_else(|| config.galaxy_gpg_keyring.value.clone());
    if keyring.is_none() && !args.signature.is_empty() {
        return Err(GalaxyError::new(
            "Signatures were provided to verify but no keyring was configured: use --keyring.",
        ));
    }
    Ok(SignatureOptions {
        keyring: keyring.map(|path| PathBuf::from(absolute(&path))),
        count: Count::parse(count)?,
        ignored,
        disabled: args.disable_gpg_verify || *config.galaxy_disable_gpg_verify,
    })
}
