//! The arguments of controller actions.

use rplay_contract::{
    args,
    args::{ArgType, NOT_CONVERTED},
    argtypes::{Flag, LooseFlag, PathArg, Text},
    wire::{Map, Value},
};

args! {
    /// Adds a host to the inventory of this run. Further arguments become variables of the host.
    pub struct AddHost {
        /// The name of the host; `name:port` also sets its port.
        name: Text | "hostname" | "host",
        /// Groups to add the host to.
        groups: Option<Vec<Text>> | "group" | "groupname",
    }
}

args! {
    /// Fails unless all conditions are true.
    pub struct Assert {
        /// The conditions.
        that: Value,
        /// The message if a condition is false.
        fail_msg: Option<Value> | "msg",
        /// The message if all conditions are true.
        success_msg: Option<Value>,
        /// Show only failed conditions.
        quiet: Flag = Flag(false),
    }
}

args! {
    /// Shows a message or a variable.
    pub struct Debug {
        /// The message.
        msg: Option<Value>,
        /// The name of a variable, or an expression.
        var: Option<Value>,
        /// The minimum verbosity (number of `-v`) at which it is shown.
        verbosity: i64 = 0,
    }
}

args! {
    /// Fails with a message.
    pub struct Fail {
        /// The message.
        msg: Value = Value::Str("Failed as requested from task".to_owned()),
    }
}

args! {
    /// Gathers facts; takes the arguments of `setup`.
    pub struct GatherFacts {
        /// Gather from several modules in parallel; accepted without effect.
        parallel: Option<Flag>,
    }
}

args! {
    /// Groups hosts by a value.
    pub struct GroupBy {
        /// The name of the group.
        key: Text,
        /// Parent groups of the new group.
        parents: Vec<Text> = vec!["all".to_owned()],
    }
}

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
    /// Loads variables from files during the run.
    pub struct IncludeVars {
        /// The file.
        file: Option<Text> | "_raw_params",
        /// A directory of files.
        dir: Option<Text>,
        /// Store the variables in a mapping of this name.
        name: Option<Text>,
        /// How many levels of `dir` to read; 0 is unlimited.
        depth: i64 = 0,
        /// A regular expression for file names.
        files_matching: Option<Text>,
        /// Names of files to skip.
        ignore_files: Option<Vec<Text>>,
        /// File extensions to load.
        extensions: Vec<Text> = vec!["json".to_owned(), "yaml".to_owned(), "yml".to_owned()],
        /// Skip files with other extensions.
        ignore_unknown_extensions: Flag = Flag(false),
        /// `replace` or `merge` existing mappings.
        hash_behaviour: Option<Text>,
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

args! {
    /// Waits for a time, or until Enter is pressed.
    pub struct Pause {
        /// Minutes to wait.
        minutes: Option<Wait>,
        /// Seconds to wait.
        seconds: Option<Wait>,
        /// The message to show.
        prompt: Option<Text>,
        /// Echo the input.
        echo: Flag = Flag(true),
    }
}

/// The values of `set_stats`.
#[derive(Clone, Debug)]
pub struct Stats;

impl ArgType for Stats {
    const KIND: &'static str = "dict";

    fn parse(value: &Value) -> Result<Self, String> {
        match Map::parse(value) {
            Ok(_) => Ok(Stats),
            Err(_) => Err("The 'data' option needs to be a dictionary/hash".to_owned()),
        }
    }
}

/// A duration.
#[derive(Clone, Copy, Debug)]
pub struct Wait(pub f64);

impl ArgType for Wait {
    const KIND: &'static str = "int";

    fn parse(value: &Value) -> Result<Self, String> {
        f64::parse(value).map(Wait).map_err(|_| {
            let shown = Text::parse(value).unwrap_or_default();
            format!("{NOT_CONVERTED}int: invalid literal for int() with base 10: '{shown}'")
        })
    }
}

args! {
    /// Sets variables of hosts; each argument is a variable.
    pub struct SetFact {
        /// Also set them as facts.
        cacheable: Flag = Flag(false),
    }
}

args! {
    /// Sets statistics that are shown at the end of the run.
    pub struct SetStats {
        /// The values.
        data: Stats,
        /// Set them separately for each host.
        per_host: LooseFlag = LooseFlag(false),
        /// Add to existing values.
        aggregate: LooseFlag = LooseFlag(true),
    }
}

args! {
    /// Renders a template of the controller to a file on the host.
    pub struct Template {
        /// The template.
        src: Text,
        /// The path on the host.
        dest: PathArg,
        /// Keep a copy of the previous file.
        backup: Flag = Flag(false),
        /// Replace an existing file that differs.
        force: Flag = Flag(true),
        /// Follow symbolic links at the destination.
        follow: Flag = Flag(false),
        /// A command that must succeed before the file is replaced; `%s` is the path of the new file.
        validate: Option<Text>,
        /// Permissions: octal, symbolic or `preserve`.
        mode: Option<Value>,
        /// Owner, by name or number.
        owner: Option<Text>,
        /// Group, by name or number.
        group: Option<Text>,
        /// File attributes, as for chattr.
        attributes: Option<Text> | "attr",
        /// Write in place if the file cannot be replaced.
        unsafe_writes: Option<Flag>,
        /// SELinux user.
        seuser: Option<Text>,
        /// SELinux role.
        serole: Option<Text>,
        /// SELinux type.
        setype: Option<Text>,
        /// SELinux level.
        selevel: Option<Text>,
        /// The line ending of the result.
        newline_sequence: Text = "\n".to_owned(),
        /// The start of a block.
        block_start_string: Text = "{%".to_owned(),
        /// The end of a block.
        block_end_string: Text = "%}".to_owned(),
        /// The start of an expression.
        variable_start_string: Text = "{{".to_owned(),
        /// The end of an expression.
        variable_end_string: Text = "}}".to_owned(),
        /// The start of a comment.
        comment_start_string: Text = "{#".to_owned(),
        /// The end of a comment.
        comment_end_string: Text = "#}".to_owned(),
        /// Remove the newline after a block.
        trim_blocks: Flag = Flag(true),
        /// Remove white space before a block.
        lstrip_blocks: Flag = Flag(false),
        /// The encoding of the result; only UTF-8 is supported.
        output_encoding: Text = "utf-8".to_owned(),
    }
}

args! {
    /// Validates values against an argument specification.
    pub struct ValidateArgumentSpec {
        /// The specification.
        argument_spec: Map,
        /// The values; by default the variables of the same names.
        provided_arguments: Option<Map>,
    }
}

args! {
    /// Waits until the host can be reached.
    pub struct WaitForConnection {
        /// Maximum time in seconds.
        timeout: u64 = 600,
        /// Seconds to wait before the first attempt.
        delay: u64 = 0,
        /// Seconds between attempts.
        sleep: u64 = 1,
        /// Maximum seconds per attempt.
        connect_timeout: u64 = 5,
    }
}
