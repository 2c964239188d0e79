//! Tasks that control the run itself: the resolver and the walk over the steps handle them, so they have no function.

use rplay_contract::{
    args,
    argtypes::{Flag, Text},
    wire::Map,
};

use crate::actions::Definition;

/// A kind of task that controls the run instead of acting on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statement {
    ImportPlaybook,
    ImportRole,
    ImportTasks,
    IncludeRole,
    IncludeTasks,
    /// The name is a template: `action: "{{ ansible_pkg_mgr }}"`.
    Late,
    Meta,
}

/// The description of a statement, for tasks, checks and documentation.
pub struct StatementEntry {
    pub kind: Statement,
    pub name: &'static str,
    pub free_form: Option<&'static str>,
    pub definition: Definition,
}

const fn entry(
    kind: Statement,
    name: &'static str,
    free_form: Option<&'static str>,
    definition: Definition,
) -> StatementEntry {
    StatementEntry { kind, name, free_form, definition }
}

pub(super) static STATEMENTS: &[StatementEntry] = &[
    entry(Statement::ImportPlaybook, "import_playbook", Some("file"), Definition::of::<ImportPlaybook>()),
    entry(Statement::ImportRole, "import_role", None, Definition::of::<IncludeRole>()),
    entry(Statement::ImportTasks, "import_tasks", Some("file"), Definition::of::<IncludeTasks>()),
    entry(Statement::IncludeRole, "include_role", None, Definition::of::<IncludeRole>()),
    entry(Statement::IncludeTasks, "include_tasks", Some("file"), Definition::of::<IncludeTasks>()),
    entry(Statement::Meta, "meta", Some("free_form"), Definition::of::<Meta>()),
];

/// A placeholder while the action's name is a template; it accepts all arguments.
pub(super) static LATE: StatementEntry = entry(
    Statement::Late,
    "action",
    Some("_raw_params"),
    Definition { doc: "", args: Vec::new, check: |_, _| Vec::new() },
);

args! {
    /// Runs the plays of another playbook at this point.
    pub struct ImportPlaybook {
        /// The file.
        file: Text,
    }
}

args! {
    /// Runs the tasks of a role at this point.
    pub struct IncludeRole {
        /// The role.
        name: Text | "role",
        /// The file in `tasks/` to load.
        tasks_from: Text = "main".to_owned(),
        /// The file in `vars/` to load.
        vars_from: Text = "main".to_owned(),
        /// The file in `defaults/` to load.
        defaults_from: Text = "main".to_owned(),
        /// The file in `handlers/` to load.
        handlers_from: Text = "main".to_owned(),
        /// Keywords for all tasks of the role.
        apply: Option<Map>,
        /// Make the role's variables visible to later tasks.
        public: Option<Flag>,
        /// Run the role even if it already ran with the same parameters.
        allow_duplicates: Flag = Flag(true),
        /// Validate the role's arguments first.
        rolespec_validate: Flag = Flag(true),
    }
}

args! {
    /// Runs the tasks of a file at this point.
    pub struct IncludeTasks {
        /// The file.
        file: Text,
        /// Keywords for all tasks of the file.
        apply: Option<Map>,
    }
}

args! {
    /// Controls the run itself.
    pub struct Meta {
        /// flush_handlers, refresh_inventory, noop, clear_facts, clear_host_errors, end_host, end_play,
        /// end_batch, end_role or reset_connection.
        free_form: Text,
    }
}
