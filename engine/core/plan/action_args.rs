//! The arguments of the controller's actions.

use rplay_contract::{
    args,
    args::{ArgType, NOT_CONVERTED},
    argtypes::{Flag, LooseFlag, PathArg, Text},
    wire::{Map, Value},
};

args! {
    /// Adds a host to the inventory of this run, with any further arguments as its variables.
    pub struct AddHost {
        /// The host's name, `name:port` sets its port.
        name: Text | "hostname" | "host",
        /// Groups to put it in.
        groups: Option<Vec<Text>> | "group" | "groupname",
    }
}

args! {
    /// Fails unless all conditions hold.
    pub struct Assert {
        /// The conditions.
        that: Value,
        /// What to say when one does not hold.
        fail_msg: Option<Value> | "msg",
        /// What to say when all hold.
        success_msg: Option<Value>,
        /// Say nothing about conditions that hold.
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
        /// Show it only from this `-v` level on.
        verbosity: i64 = 0,
    }
}

args! {
    /// Fails with a message.
    pub struct Fail {
        /// What to say.
        msg: Value = Value::Str("Failed as requested from task".to_owned()),
    }
}

args! {
    /// Gathers facts; takes the arguments of `setup`.
    pub struct GatherFacts {
        /// Gather from several modules side by side; there is one way here, so it changes nothing.
        parallel: Option<Flag>,
    }
}

args! {
    /// Puts hosts into a group named by a value.
    pub struct GroupBy {
        /// The group's name.
        key: Text,
        /// Groups of which the new one is a child.
        parents: Vec<Text> = vec!["all".to_owned()],
    }
}

args! {
    /// Runs another playbook's plays in this place.
    pub struct ImportPlaybook {
        /// The file.
        file: Text,
    }
}

args! {
    /// Runs a role's tasks in this place.
    pub struct IncludeRole {
        /// The role.
        name: Text | "role",
        /// The file in `tasks/` to begin with.
        tasks_from: Text = "main".to_owned(),
        /// The file in `vars/`.
        vars_from: Text = "main".to_owned(),
        /// The file in `defaults/`.
        defaults_from: Text = "main".to_owned(),
        /// The file in `handlers/`.
        handlers_from: Text = "main".to_owned(),
        /// Keywords for all tasks of the role.
        apply: Option<Map>,
        /// Let the tasks after this one see the role's variables.
        public: Option<Flag>,
        /// Run it even when it ran before with the same parameters.
        allow_duplicates: Flag = Flag(true),
        /// Check the role's argument specification first.
        rolespec_validate: Flag = Flag(true),
    }
}

args! {
    /// Runs the tasks of a file in this place.
    pub struct IncludeTasks {
        /// The file.
        file: Text,
        /// Keywords for all tasks of the file.
        apply: Option<Map>,
    }
}

args! {
    /// Reads variables from files during a run.
    pub struct IncludeVars {
        /// The file.
        file: Option<Text> | "_raw_params",
        /// A folder of files.
        dir: Option<Text>,
        /// Put them all under this name.
        name: Option<Text>,
        /// How deep to go into `dir`; 0 is all the way.
        depth: i64 = 0,
        /// A regular expression for the names of files.
        files_matching: Option<Text>,
        /// Names of files to leave out.
        ignore_files: Option<Vec<Text>>,
        /// The endings that count.
        extensions: Vec<Text> = vec!["json".to_owned(), "yaml".to_owned(), "yml".to_owned()],
        /// Pass over files of other endings.
        ignore_unknown_extensions: Flag = Flag(false),
        /// `replace` or `merge` what is there.
        hash_behaviour: Option<Text>,
    }
}

args! {
    /// Acts on the run itself.
    pub struct Meta {
        /// flush_handlers, refresh_inventory, noop, clear_facts, clear_host_errors, end_host, end_play,
        /// end_batch, end_role or reset_connection.
        free_form: Text,
    }
}

args! {
    /// Waits for a time or for the enter key.
    pub struct Pause {
        /// Minutes to wait.
        minutes: Option<Wait>,
        /// Seconds to wait.
        seconds: Option<Wait>,
        /// What to show.
        prompt: Option<Text>,
        /// Show what is typed.
        echo: Flag = Flag(true),
    }
}

/// What `set_stats` sets.
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

/// How long to wait.
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
    /// Sets variables of hosts; every argument is one.
    pub struct SetFact {
        /// Keep them as facts too.
        cacheable: Flag = Flag(false),
    }
}

args! {
    /// Sets statistics that are shown at the end of the run.
    pub struct SetStats {
        /// The values.
        data: Stats,
        /// For each host apart.
        per_host: LooseFlag = LooseFlag(false),
        /// Add to what is there.
        aggregate: LooseFlag = LooseFlag(true),
    }
}

args! {
    /// Renders a template of the controller to a file on the host.
    pub struct Template {
        /// The template.
        src: Text,
        /// The place on the host.
        dest: PathArg,
        /// Keep a copy of what was there.
        backup: Flag = Flag(false),
        /// Replace a file that differs.
        force: Flag = Flag(true),
        /// Follow links at the destination.
        follow: Flag = Flag(false),
        /// A command that must succeed before the file is put in place; `%s` is the new file.
        validate: Option<Text>,
        /// Permissions: octal, symbolic or `preserve`.
        mode: Option<Value>,
        /// Owner, by name or number.
        owner: Option<Text>,
        /// Group, by name or number.
        group: Option<Text>,
        /// File attributes as of chattr.
        attributes: Option<Text> | "attr",
        /// Write in place where the file cannot be replaced.
        unsafe_writes: Flag = Flag(false),
        /// SELinux user.
        seuser: Option<Text>,
        /// SELinux role.
        serole: Option<Text>,
        /// SELinux type.
        setype: Option<Text>,
        /// SELinux level.
        selevel: Option<Text>,
        /// The end of lines in the result.
        newline_sequence: Text = "\n".to_owned(),
        /// What begins a block.
        block_start_string: Text = "{%".to_owned(),
        /// What ends a block.
        block_end_string: Text = "%}".to_owned(),
        /// What begins an expression.
        variable_start_string: Text = "{{".to_owned(),
        /// What ends an expression.
        variable_end_string: Text = "}}".to_owned(),
        /// What begins a comment.
        comment_start_string: Text = "{#".to_owned(),
        /// What ends a comment.
        comment_end_string: Text = "#}".to_owned(),
        /// Drop the newline after a block.
        trim_blocks: Flag = Flag(true),
        /// Drop white space before a block.
        lstrip_blocks: Flag = Flag(false),
        /// The encoding of the result; UTF-8 is the only one.
        output_encoding: Text = "utf-8".to_owned(),
    }
}

args! {
    /// Checks values against an argument specification.
    pub struct ValidateArgumentSpec {
        /// The specification.
        argument_spec: Map,
        /// The values; without them the variables of the same names.
        provided_arguments: Option<Map>,
    }
}

args! {
    /// Waits until the host can be reached.
    pub struct WaitForConnection {
        /// Seconds to wait at most.
        timeout: u64 = 600,
        /// Seconds to wait before the first attempt.
        delay: u64 = 0,
        /// Seconds between attempts.
        sleep: u64 = 1,
        /// Seconds one attempt may take.
        connect_timeout: u64 = 5,
    }
}
