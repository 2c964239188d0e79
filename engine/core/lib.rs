//! The engine as a library, independent of a terminal: it reads playbooks and inventories, runs plays over hosts, and
//! reports what happens as events. The command `rplay` is one user of it.
//!
//! A run has four steps. Inputs are read into typed values ([`inventory`], [`plan`]), and all their errors are reported
//! together ([`source::Problems`]), each with its place. [`run::Run`] renders each task for its hosts ([`template`])
//! and sends calls to their agents ([`link`]). Whatever happens is an [`event::Event`]; [`report`] has readers of them.
//!
//! # Run a playbook
//!
//! An agent on this machine is this executable, started with the argument `agent`, so `main` handles that first.
//!
//! ```standalone_crate
//! use std::{fs, process::ExitCode, sync::Arc, time::Duration};
//!
//! use rplay::{
//!     actions::Prompt,
//!     event::{Event, Sink},
//!     inventory::{Inventory, SourceRules},
//!     link::{LinkOptions, Links},
//!     plan::{Project, Resolver},
//!     run::{Options, Run},
//!     vault::Vault,
//! };
//!
//! /// Shows the result of each task on each host.
//! struct Lines;
//!
//! impl Sink for Lines {
//!     fn send(&self, event: Event) {
//!         if let Event::HostDone { result, .. } = event {
//!             println!("{}: {:?}", result.host, result.status);
//!         }
//!     }
//! }
//!
//! /// Nobody answers prompts.
//! struct Nobody;
//!
//! impl Prompt for Nobody {
//!     fn ask(&self, _text: &str, _echo: bool) -> Option<String> {
//!         None
//!     }
//!
//!     fn wait(&self, _text: &str, _prompt: Option<&str>, duration: Duration) -> Result<(), String> {
//!         Ok(std::thread::sleep(duration))
//!     }
//! }
//!
//! fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
//!     if std::env::args().nth(1).as_deref() == Some("agent") {
//!         return Ok(rplay_agent::main());
//!     }
//!     rplay_modules::registry::install();
//!
//!     let directory = tempfile::tempdir()?;
//!     let (playbook, written) = (directory.path().join("site.yml"), directory.path().join("motd"));
//!     fs::write(&playbook, "
//! - hosts: all
//!   connection: local
//!   tasks:
//!     - copy: {content: 'This is {{ inventory_hostname }}.', dest: '{{ playbook_dir }}/motd'}
//! ")?;
//!
//!     let vault = Arc::new(Vault::default());
//!     let inventory = Inventory::load(&["web1,".to_owned()], vault.clone(), &SourceRules::default())?;
//!     let decrypt = { let vault = vault.clone(); Box::new(move |source: &_| vault.open(Arc::clone(source))) };
//!     let warn = Box::new(|message, _place| eprintln!("{message}"));
//!     let resolver = Resolver {
//!         project: Arc::new(Project::new(Vec::new(), decrypt, warn)),
//!         extra: Arc::default(),
//!         magic: Arc::default(),
//!         base: Arc::default(),
//!     };
//!     let plays = resolver.playbook(&playbook)?;
//!
//!     let links = Links::new(LinkOptions::default())?;
//!     let run = Run::new(Options::default(), resolver, inventory, links, vault, Arc::new(Lines), Box::new(Nobody));
//!     let recap = run.playbooks(&[(playbook, plays)]).map_err(|error| error.problems)?;
//!
//!     assert_eq!((recap.exit_code(), recap.hosts["web1"].changed), (0, 1));
//!     assert_eq!(fs::read_to_string(written)?, "This is web1.");
//!     Ok(ExitCode::SUCCESS)
//! }
//! ```
//!
//! # Read an inventory, render a template
//!
//! ```
//! use std::sync::Arc;
//!
//! use rplay::{
//!     inventory::{Inventory, SourceRules},
//!     source::{Source, Span},
//!     template::{expression, render},
//!     vars::{Scope, extra_vars},
//!     vault::Vault,
//! };
//!
//! let directory = tempfile::tempdir()?;
//! let hosts = directory.path().join("hosts");
//! std::fs::write(&hosts, "[web]\nweb1 port=8080\nweb2\n\n[web:vars]\nport=80\n")?;
//! let vault = Arc::new(Vault::default());
//! let inventory = Inventory::load(&[hosts.display().to_string()], vault.clone(), &SourceRules::default())?;
//! assert_eq!(inventory.hosts_of("web").len(), 2);
//!
//! // Variables, strongest first: those of the command line, then those of the host.
//! let extra = extra_vars(&["url=http://{{ name }}:{{ port }}/".to_owned(), "name=web1".to_owned()], &vault)?;
//! let mut layers = vec![Arc::new(extra)];
//! layers.extend(inventory.layers("web1", None)?.iter().cloned());
//! let scope = Arc::new(Scope::new(layers, Arc::new(()), Arc::default()));
//!
//! // A variable is rendered when it is read, with all that it refers to.
//! let url = scope.get("url").expect("it was set above");
//! assert_eq!(render(&url, &scope)?.to_string(), "http://web1:8080/");
//!
//! // Values keep their types. An error has its place and, if possible, a suggestion.
//! let evaluate = |text: &str| expression(text, Span::new(&Source::inline("an example", text), 0..text.len()), &scope);
//! assert_eq!(evaluate("port + 1")?, rplay::vars::Value::from(8081));
//! assert!(evaluate("prot + 1").unwrap_err().to_string().contains("prot"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Floors
//!
//! Floors, each using only those before it: `limits`, `panics`, `quiet`, `visible`, `files`, `program`, `source`,
//! `secrets`, `vault`, `syntax`, `vars`, `collections`, `docs`, `inventory`, `config`, `template`, `galaxy`, `python`,
//! `external`, `task_result`, `event`, `link`, `actions`, `plan`, `run`, `report`.

// A panic ends all plays or all calls, so even "impossible" cases are ordinary errors.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod actions;
pub mod collections;
pub mod config;
pub mod docs;
pub mod event;
pub mod external;
pub mod files;
pub mod galaxy;
pub mod inventory;
pub mod limits;
pub mod link;
pub mod panics;
pub mod plan;
pub mod program;
pub mod python;
pub mod quiet;
pub mod report;
pub mod run;
pub mod secrets;
pub mod source;
pub mod syntax;
pub mod task_result;
pub mod template;
pub mod vars;
pub mod vault;
pub mod visible;
