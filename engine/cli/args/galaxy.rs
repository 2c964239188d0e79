//! The command line of `rplay galaxy`.

use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand, ValueEnum};
use rplay::galaxy::ListFormat;

/// `rplay galaxy`
#[derive(Clone, Debug, Args)]
pub(crate) struct GalaxyArgs {
    #[command(subcommand)]
    pub action: GalaxyAction,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum GalaxyAction {
    /// Manage collections
    Collection {
        #[command(subcommand)]
        action: CollectionAction,
    },
    /// Manage roles
    Role {
        #[command(subcommand)]
        action: RoleAction,
    },
    /// Without `collection` or `role`, commands apply to roles; `install -r` also installs the file's collections
    #[command(flatten)]
    Either(RoleAction),
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum CollectionAction {
    /// Install collections by name, or from files, directories, URLs and git
    Install(CollectionInstallArgs),
    /// List installed collections
    List(CollectionListArgs),
    /// Create the skeleton of a collection
    Init(CollectionInitArgs),
    /// Build collection archives
    Build(BuildArgs),
    /// Publish a collection's archive on a server
    Publish(PublishArgs),
    /// Compare installed collections with their manifests, and the manifests with the server's
    Verify(VerifyArgs),
    /// Download collections and their dependencies for offline installation
    Download(DownloadArgs),
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum RoleAction {
    /// Install roles by name, or from files, URLs and git
    Install(RoleInstallArgs),
    /// List installed roles
    List(RoleListArgs),
    /// Create the skeleton of a role
    Init(RoleInitArgs),
    /// Remove installed roles
    Remove(RoleNamesArgs),
    /// Show information about roles
    Info(RoleInfoArgs),
    /// Search for roles on the server
    Search(SearchArgs),
    /// Import a role from GitHub into the server
    Import(ImportArgs),
    /// Remove a role from the server
    Delete(DeleteArgs),
    /// Manage integrations that import roles
    Setup(SetupArgs),
}

/// Options of all subcommands.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct CommonArgs {
    /// Name of a server in `server_list`, or a URL
    #[arg(short, long, alias = "api-server", value_name = "SERVER")]
    pub server: Option<String>,
    /// API token for the server
    #[arg(long, alias = "api-key", value_name = "TOKEN")]
    pub token: Option<String>,
    /// Do not verify TLS certificates
    #[arg(short = 'c', long)]
    pub ignore_certs: bool,
    /// Server timeout in seconds [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub timeout: Option<u32>,
    /// Accepted for compatibility: rplay caches no server responses
    #[arg(long, hide = true)]
    pub clear_response_cache: bool,
    #[arg(long, hide = true)]
    pub no_cache: bool,
    /// Accepted for compatibility: all messages are always shown
    #[arg(short, long, action = ArgAction::Count, hide = true)]
    pub verbose: u8,
}

/// Signature verification.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct SignatureArgs {
    /// Keyring for verifying collection signatures; without it, signatures are not verified
    #[arg(long, value_name = "FILE")]
    pub keyring: Option<PathBuf>,
    /// Do not verify signatures
    #[arg(long)]
    pub disable_gpg_verify: bool,
    /// Additional signature of the collections, a file or URL; may be repeated
    #[arg(long, value_name = "PLACE")]
    pub signature: Vec<String>,
    /// How many signatures must be valid: a number or `all`; a leading `+` also rejects collections without signatures
    #[arg(long, value_name = "COUNT")]
    pub required_valid_signature_count: Option<String>,
    /// A gpg status code that does not invalidate a signature; may be repeated
    #[arg(long, value_name = "CODE")]
    pub ignore_signature_status_code: Vec<String>,
    /// Several such status codes
    #[arg(long, value_name = "CODE", num_args = 1..)]
    pub ignore_signature_status_codes: Vec<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CollectionInstallArgs {
    /// NAMESPACE.NAME[:RANGE], a file, directory or URL, or git+URL[#DIRECTORY][,VERSION]
    #[arg(value_name = "COLLECTION")]
    pub collections: Vec<String>,
    /// Requirements file
    #[arg(short, long, value_name = "FILE")]
    pub requirements_file: Option<PathBuf>,
    /// Where to install [default: the first directory of collections_path]
    #[arg(short = 'p', long, value_name = "DIRECTORY")]
    pub collections_path: Option<PathBuf>,
    /// Reinstall the named collections
    #[arg(short, long)]
    pub force: bool,
    /// Reinstall the named collections and their dependencies
    #[arg(long, conflicts_with = "no_deps")]
    pub force_with_deps: bool,
    /// Do not install dependencies
    #[arg(short, long)]
    pub no_deps: bool,
    /// Upgrade installed collections
    #[arg(short = 'U', long)]
    pub upgrade: bool,
    /// Accept pre-releases
    #[arg(long)]
    pub pre: bool,
    /// Do not contact any server
    #[arg(long)]
    pub offline: bool,
    /// Continue with the next collection after an error
    #[arg(short, long)]
    pub ignore_errors: bool,
    #[command(flatten)]
    pub signatures: SignatureArgs,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum Format {
    #[default]
    Human,
    Json,
    Yaml,
}

impl From<Format> for ListFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Human => ListFormat::Human,
            Format::Json => ListFormat::Json,
            Format::Yaml => ListFormat::Yaml,
        }
    }
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CollectionListArgs {
    /// NAMESPACE.NAME; without it, all are listed
    #[arg(value_name = "COLLECTION")]
    pub collection: Option<String>,
    /// Additional directory to search first; may be repeated
    #[arg(short = 'p', long, value_name = "DIRECTORY")]
    pub collections_path: Vec<String>,
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct InitArgs {
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Parent directory
    #[arg(long, value_name = "DIRECTORY", default_value = ".")]
    pub init_path: PathBuf,
    /// Overwrite an existing one
    #[arg(short, long)]
    pub force: bool,
    /// Additional variables for the skeleton's templates: key=value, YAML, JSON or @FILE; may be repeated
    #[arg(short, long, value_name = "VARIABLES")]
    pub extra_vars: Vec<String>,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CollectionInitArgs {
    #[command(flatten)]
    pub init: InitArgs,
    /// Directory to copy; files named *.j2 are templates
    #[arg(long, value_name = "DIRECTORY")]
    pub collection_skeleton: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RoleInitArgs {
    #[command(flatten)]
    pub init: InitArgs,
    /// Directory to copy; files named *.j2 are templates
    #[arg(long, value_name = "DIRECTORY")]
    pub role_skeleton: Option<PathBuf>,
    /// Type of the role, for templates of the skeleton
    #[arg(long = "type", value_name = "TYPE", default_value = "default")]
    pub role_type: String,
    /// Accepted for compatibility: no server is contacted
    #[arg(long, hide = true)]
    pub offline: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ImportArgs {
    #[arg(value_name = "GITHUB_USER")]
    pub user: String,
    #[arg(value_name = "GITHUB_REPO")]
    pub repository: String,
    /// Do not wait until the server has imported the role
    #[arg(long)]
    pub no_wait: bool,
    /// Branch to import [default: that of the repository]
    #[arg(long, value_name = "NAME")]
    pub branch: Option<String>,
    /// Name of the role, if it is not that of the repository
    #[arg(long, value_name = "NAME")]
    pub role_name: Option<String>,
    /// Show the state of the last import only
    #[arg(long)]
    pub status: bool,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DeleteArgs {
    #[arg(value_name = "GITHUB_USER")]
    pub user: String,
    #[arg(value_name = "GITHUB_REPO")]
    pub repository: String,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct SetupArgs {
    #[arg(value_name = "SOURCE")]
    pub source: String,
    #[arg(value_name = "GITHUB_USER")]
    pub user: String,
    #[arg(value_name = "GITHUB_REPO")]
    pub repository: String,
    #[arg(value_name = "SECRET")]
    pub secret: String,
    /// Remove the integration with this number
    #[arg(long, value_name = "ID")]
    pub remove: Option<String>,
    /// List all integrations
    #[arg(long)]
    pub list: bool,
    /// Accepted for compatibility
    #[arg(short = 'p', long, hide = true)]
    pub roles_path: Vec<String>,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct BuildArgs {
    /// Directories with a galaxy.yml [default: the working directory]
    #[arg(value_name = "DIRECTORY")]
    pub directories: Vec<PathBuf>,
    /// Output directory for the archives
    #[arg(long, value_name = "DIRECTORY", default_value = ".")]
    pub output_path: PathBuf,
    /// Overwrite existing archives
    #[arg(short, long)]
    pub force: bool,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct PublishArgs {
    /// Archive of the collection, made by `build`
    #[arg(value_name = "ARCHIVE")]
    pub archive: PathBuf,
    /// Do not wait until the server has imported the collection
    #[arg(long)]
    pub no_wait: bool,
    /// How long to wait for the import, in seconds; 0 means without end
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub import_timeout: u64,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct VerifyArgs {
    /// NAMESPACE.NAME[:VERSION]
    #[arg(value_name = "COLLECTION")]
    pub collections: Vec<String>,
    /// Requirements file
    #[arg(short, long, value_name = "FILE")]
    pub requirements_file: Option<PathBuf>,
    /// Additional directory to search first; may be repeated
    #[arg(short = 'p', long, value_name = "DIRECTORY")]
    pub collections_path: Vec<String>,
    /// Do not contact any server; check only against the installed manifest
    #[arg(long)]
    pub offline: bool,
    /// Continue with the next collection after an error
    #[arg(short, long)]
    pub ignore_errors: bool,
    #[command(flatten)]
    pub signatures: SignatureArgs,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DownloadArgs {
    /// Same syntax as for `install`
    #[arg(value_name = "COLLECTION")]
    pub collections: Vec<String>,
    /// Requirements file
    #[arg(short, long, value_name = "FILE")]
    pub requirements_file: Option<PathBuf>,
    /// Output directory for the archives
    #[arg(short = 'p', long, value_name = "DIRECTORY", default_value = "./collections")]
    pub download_path: PathBuf,
    /// Do not download dependencies
    #[arg(short, long)]
    pub no_deps: bool,
    /// Accept pre-releases
    #[arg(long)]
    pub pre: bool,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RoleInstallArgs {
    /// USER.NAME[,VERSION[,DIRECTORY]], a file, a URL or git+URL
    #[arg(value_name = "ROLE")]
    pub roles: Vec<String>,
    /// Requirements file
    #[arg(short = 'r', long, alias = "requirements-file", value_name = "FILE", conflicts_with = "roles")]
    pub role_file: Option<PathBuf>,
    /// Where to install [default: the first directory of roles_path]
    #[arg(short = 'p', long, value_name = "DIRECTORY")]
    pub roles_path: Option<PathBuf>,
    /// Reinstall the named roles
    #[arg(short, long)]
    pub force: bool,
    /// Reinstall the named roles and their dependencies
    #[arg(long, conflicts_with = "no_deps")]
    pub force_with_deps: bool,
    /// Do not install dependencies
    #[arg(short, long)]
    pub no_deps: bool,
    /// Keep the .git directory of the role
    #[arg(short = 'g', long)]
    pub keep_scm_meta: bool,
    /// Continue with the next role after an error
    #[arg(short, long)]
    pub ignore_errors: bool,
    #[command(flatten)]
    pub signatures: SignatureArgs,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RoleListArgs {
    /// Role name; without it, all are listed
    #[arg(value_name = "ROLE")]
    pub role: Option<String>,
    /// Additional directory to search first; may be repeated
    #[arg(short = 'p', long, value_name = "DIRECTORY")]
    pub roles_path: Vec<String>,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RoleNamesArgs {
    #[arg(value_name = "ROLE", required = true)]
    pub roles: Vec<String>,
    /// Additional directory to search first; may be repeated
    #[arg(short = 'p', long, value_name = "DIRECTORY")]
    pub roles_path: Vec<String>,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RoleInfoArgs {
    #[command(flatten)]
    pub names: RoleNamesArgs,
    /// Do not contact any server
    #[arg(long)]
    pub offline: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct SearchArgs {
    /// Search terms; a role must match all of them
    #[arg(value_name = "WORD")]
    pub words: Vec<String>,
    /// Platforms
    #[arg(long, value_name = "NAMES")]
    pub platforms: Option<String>,
    /// Tags
    #[arg(long, value_name = "TAGS")]
    pub galaxy_tags: Option<String>,
    /// Author of the role
    #[arg(long, value_name = "NAME")]
    pub author: Option<String>,
    #[command(flatten)]
    pub common: CommonArgs,
}
