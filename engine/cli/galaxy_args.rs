//! The command line of `rplay galaxy`.

use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand, ValueEnum};
use rplay::galaxy::ListFormat;

/// `rplay galaxy`
#[derive(Clone, Debug, Args)]
pub struct GalaxyArgs {
    #[command(subcommand)]
    pub action: GalaxyAction,
}

#[derive(Clone, Debug, Subcommand)]
pub enum GalaxyAction {
    /// Collections
    Collection {
        #[command(subcommand)]
        action: CollectionAction,
    },
    /// Roles
    Role {
        #[command(subcommand)]
        action: RoleAction,
    },
    /// Without a kind it is about roles; `install -r` installs the collections of the file, too
    #[command(flatten)]
    Either(RoleAction),
}

#[derive(Clone, Debug, Subcommand)]
pub enum CollectionAction {
    /// Install collections by name, from files, folders, URLs and git
    Install(CollectionInstallArgs),
    /// List installed collections
    List(CollectionListArgs),
    /// Make the folder of a new collection
    Init(InitArgs),
    /// Make archives of collections
    Build(BuildArgs),
    /// Compare installed collections with their manifests, and those with the server's
    Verify(VerifyArgs),
    /// Download collections and what they need, for where no server is reached
    Download(DownloadArgs),
}

#[derive(Clone, Debug, Subcommand)]
pub enum RoleAction {
    /// Install roles by name, from files, URLs and git
    Install(RoleInstallArgs),
    /// List installed roles
    List(RoleListArgs),
    /// Make the folder of a new role
    Init(InitArgs),
    /// Remove installed roles
    Remove(RoleNamesArgs),
    /// Show what is known of roles
    Info(RoleInfoArgs),
    /// Look for roles on the server
    Search(SearchArgs),
}

/// What all of them know.
#[derive(Clone, Debug, Default, Args)]
pub struct CommonArgs {
    /// A server of `server_list`, or the URL of one
    #[arg(short, long, alias = "api-server", value_name = "SERVER")]
    pub server: Option<String>,
    /// The token for the server
    #[arg(long, alias = "api-key", value_name = "TOKEN")]
    pub token: Option<String>,
    /// Believe servers whatever their certificates
    #[arg(short = 'c', long)]
    pub ignore_certs: bool,
    /// Seconds that the server may take [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub timeout: Option<u32>,
    /// Accepted for Ansible's sake: rplay keeps no answers of servers
    #[arg(long, hide = true)]
    pub clear_response_cache: bool,
    #[arg(long, hide = true)]
    pub no_cache: bool,
    /// Accepted for Ansible's sake: all is said already
    #[arg(short, long, action = ArgAction::Count, hide = true)]
    pub verbose: u8,
}

/// How signatures are checked.
#[derive(Clone, Debug, Default, Args)]
pub struct SignatureArgs {
    /// The keys that sign collections; without it no signature is checked
    #[arg(long, value_name = "FILE")]
    pub keyring: Option<PathBuf>,
    /// Check no signatures
    #[arg(long)]
    pub disable_gpg_verify: bool,
    /// More signatures of the collections: a file or a URL; may be repeated
    #[arg(long, value_name = "PLACE")]
    pub signature: Vec<String>,
    /// How many must be valid: a number or `all`, with `+` before it even where there are none
    #[arg(long, value_name = "COUNT")]
    pub required_valid_signature_count: Option<String>,
    /// What gpg may say of a signature without making it invalid; may be repeated
    #[arg(long, value_name = "CODE")]
    pub ignore_signature_status_code: Vec<String>,
    /// The same, several at once
    #[arg(long, value_name = "CODE", num_args = 1..)]
    pub ignore_signature_status_codes: Vec<String>,
}

#[derive(Clone, Debug, Args)]
pub struct CollectionInstallArgs {
    /// NAMESPACE.NAME[:RANGE], a file, folder or URL, or git+URL[#FOLDER][,VERSION]
    #[arg(value_name = "COLLECTION")]
    pub collections: Vec<String>,
    /// A file that lists them
    #[arg(short, long, value_name = "FILE", conflicts_with = "collections")]
    pub requirements_file: Option<PathBuf>,
    /// Where to install [default: the first of collections_path]
    #[arg(short = 'p', long, value_name = "FOLDER")]
    pub collections_path: Option<PathBuf>,
    /// Install what is named even where it is installed
    #[arg(short, long)]
    pub force: bool,
    /// The same for what it needs
    #[arg(long, conflicts_with = "no_deps")]
    pub force_with_deps: bool,
    /// Do not install what it needs
    #[arg(short, long)]
    pub no_deps: bool,
    /// Take newer versions than those installed
    #[arg(short = 'U', long)]
    pub upgrade: bool,
    /// Take pre-releases, too
    #[arg(long)]
    pub pre: bool,
    /// Ask no server
    #[arg(long)]
    pub offline: bool,
    /// Go on with the next one when one fails
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
pub struct CollectionListArgs {
    /// NAMESPACE.NAME; all when none is named
    #[arg(value_name = "COLLECTION")]
    pub collection: Option<String>,
    /// One more place to look in, before the others; may be repeated
    #[arg(short = 'p', long, value_name = "FOLDER")]
    pub collections_path: Vec<String>,
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
pub struct InitArgs {
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The folder to make it in
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub init_path: PathBuf,
    /// Even where it is already
    #[arg(short, long)]
    pub force: bool,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
pub struct BuildArgs {
    /// Folders with a galaxy.yml [default: the working folder]
    #[arg(value_name = "FOLDER")]
    pub folders: Vec<PathBuf>,
    /// Where the archives are put
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub output_path: PathBuf,
    /// Even where such an archive is already
    #[arg(short, long)]
    pub force: bool,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
pub struct VerifyArgs {
    /// NAMESPACE.NAME[:VERSION]
    #[arg(value_name = "COLLECTION")]
    pub collections: Vec<String>,
    /// A file that lists them
    #[arg(short, long, value_name = "FILE", conflicts_with = "collections")]
    pub requirements_file: Option<PathBuf>,
    /// Where they are installed, before the usual places; may be repeated
    #[arg(short = 'p', long, value_name = "FOLDER")]
    pub collections_path: Vec<String>,
    /// Ask no server: only the manifest that was installed
    #[arg(long)]
    pub offline: bool,
    /// Go on with the next one when one fails
    #[arg(short, long)]
    pub ignore_errors: bool,
    #[command(flatten)]
    pub signatures: SignatureArgs,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
pub struct DownloadArgs {
    /// As `install` takes them
    #[arg(value_name = "COLLECTION")]
    pub collections: Vec<String>,
    /// A file that lists them
    #[arg(short, long, value_name = "FILE", conflicts_with = "collections")]
    pub requirements_file: Option<PathBuf>,
    /// Where the archives are put
    #[arg(short = 'p', long, value_name = "FOLDER", default_value = "./collections")]
    pub download_path: PathBuf,
    /// Without what they need
    #[arg(short, long)]
    pub no_deps: bool,
    /// Take pre-releases, too
    #[arg(long)]
    pub pre: bool,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
pub struct RoleInstallArgs {
    /// USER.NAME[,VERSION[,FOLDER]], a file, a URL or git+URL
    #[arg(value_name = "ROLE")]
    pub roles: Vec<String>,
    /// A file that lists them
    #[arg(short = 'r', long, alias = "requirements-file", value_name = "FILE", conflicts_with = "roles")]
    pub role_file: Option<PathBuf>,
    /// Where to install [default: the first of roles_path]
    #[arg(short = 'p', long, value_name = "FOLDER")]
    pub roles_path: Option<PathBuf>,
    /// Install what is named even where it is installed
    #[arg(short, long)]
    pub force: bool,
    /// The same for the roles it needs
    #[arg(long, conflicts_with = "no_deps")]
    pub force_with_deps: bool,
    /// Do not install the roles it needs
    #[arg(short, long)]
    pub no_deps: bool,
    /// Keep the repository with the role
    #[arg(short = 'g', long)]
    pub keep_scm_meta: bool,
    /// Go on with the next one when one fails
    #[arg(short, long)]
    pub ignore_errors: bool,
    #[command(flatten)]
    pub signatures: SignatureArgs,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
pub struct RoleListArgs {
    /// All when none is named
    #[arg(value_name = "ROLE")]
    pub role: Option<String>,
    /// One more place to look in, before the others; may be repeated
    #[arg(short = 'p', long, value_name = "FOLDER")]
    pub roles_path: Vec<String>,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
pub struct RoleNamesArgs {
    #[arg(value_name = "ROLE")]
    pub roles: Vec<String>,
    /// One more place to look in, before the others; may be repeated
    #[arg(short = 'p', long, value_name = "FOLDER")]
    pub roles_path: Vec<String>,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
pub struct RoleInfoArgs {
    #[command(flatten)]
    pub names: RoleNamesArgs,
    /// Ask no server
    #[arg(long)]
    pub offline: bool,
}

#[derive(Clone, Debug, Args)]
pub struct SearchArgs {
    /// Words that all must be there
    #[arg(value_name = "WORD")]
    pub words: Vec<String>,
    /// Platforms
    #[arg(long, value_name = "NAMES")]
    pub platforms: Option<String>,
    /// Tags
    #[arg(long, value_name = "TAGS")]
    pub galaxy_tags: Option<String>,
    /// Who made it
    #[arg(long, value_name = "NAME")]
    pub author: Option<String>,
    #[command(flatten)]
    pub common: CommonArgs,
}
