//! Argument structs: the arguments of a module, parsed leniently as in Ansible, validated before any host is touched,
//! and documented, all from one definition.

use rplay_wire::{Map, Value};

/// The description of one argument.
#[derive(Clone, Debug)]
pub struct Arg {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    /// The doc comment.
    pub doc: &'static str,
    /// `str`, `bool`, `int`, `float`, `list`, `dict`, `path`, `raw`, `mode` ...
    pub kind: &'static str,
    /// The accepted values, if restricted.
    pub choices: &'static [&'static str],
    pub required: bool,
    /// The default as written in the source.
    pub default: Option<&'static str>,
    /// Whether it is secret, like passwords and tokens.
    pub secret: bool,
}

impl Arg {
    /// Whether `name` refers to this argument.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}

/// How the reason begins that [`ArgType::parse`] gives for a value of another type ...
pub const NOT_CONVERTED: &str = "unable to convert to ";
/// ... for one of a list, whose type follows ...
pub const ELEMENT: &str = "element of type ";
/// ... for a word that is none of those accepted, or for some words.
pub const NO_CHOICE: &str = "must be one of: ";
pub const NO_CHOICES: &str = "must be one or more of: ";
/// The beginning of the message about a missing argument.
pub const MISSING: &str = "missing required arguments: ";

/// What is wrong with an argument.
#[derive(Clone, Debug, PartialEq)]
pub struct ArgError {
    /// The name as written (possibly an alias); `None` if the error concerns several arguments.
    pub arg: Option<String>,
    pub msg: String,
    pub help: Option<String>,
}

impl ArgError {
    pub fn new(arg: &str, msg: impl Into<String>) -> Self {
        ArgError { arg: Some(arg.to_owned()), msg: msg.into(), help: None }
    }

    /// The error for mutually exclusive arguments, in the words of ansible-core; `arg` is the argument that is
    /// reported.
    pub fn exclusive(arg: &str, all: &[&str]) -> Self {
        ArgError::new(arg, format!("parameters are mutually exclusive: {}", all.join("|")))
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// An argument whose value its type refuses, in the words of ansible-core, which playbooks look for. `name` is the
    /// argument's own name, `used` the one that the task wrote, `reason` what [`ArgType::parse`] said.
    pub fn of_value(name: &str, used: &str, value: &Value, reason: &str) -> Self {
        let given = value.type_name();
        let msg = if reason.starts_with(NO_CHOICE) || reason.starts_with(NO_CHOICES) {
            format!("value of {name} {reason}")
        } else if reason.starts_with(NOT_CONVERTED) {
            format!("argument '{name}' is of type {given} and we were {reason}")
        } else if let Some((given, reason)) = reason.strip_prefix(ELEMENT).and_then(|rest| rest.split_once(' ')) {
            format!("Elements value for option '{name}' is of type {given} and we were {reason}")
        } else {
            reason.to_owned()
        };
        ArgError::new(used, msg)
    }

    /// The one of several errors that a task reports: ansible-core checks for missing arguments first, then types,
    /// then choices.
    pub fn foremost(errors: Vec<ArgError>) -> Option<ArgError> {
        let mut missing: Vec<&str> = errors.iter().filter_map(|error| error.msg.strip_prefix(MISSING)).collect();
        if !missing.is_empty() {
            missing.sort_unstable();
            let msg = format!("{MISSING}{}", missing.join(", "));
            let arg = errors.iter().find(|error| error.msg.starts_with(MISSING)).and_then(|error| error.arg.clone());
            return Some(ArgError { arg, msg, help: None });
        }
        errors.into_iter().min_by_key(|error| {
            let is_of_type = error.msg.starts_with("argument '") || error.msg.starts_with("Elements value");
            (!is_of_type, !error.msg.starts_with("value of "))
        })
    }

    /// Whether the message is a whole sentence. Otherwise it needs the name of the argument before it.
    pub fn stands_alone(&self) -> bool {
        const PREDICATES: [&str; 18] = [
            "applies ",
            "are ",
            "belongs ",
            "cannot ",
            "contains ",
            "does not ",
            "has ",
            "is ",
            "may ",
            "must ",
            "needs ",
            "requires ",
            "supports ",
            "takes ",
            "would ",
            "leads ",
            "names ",
            "should ",
        ];
        !PREDICATES.iter().any(|begun| self.msg.starts_with(begun))
    }
}

/// A struct of arguments, defined with [`crate::args!`].
pub trait Args: Sized {
    /// The doc comment of the struct: a description of the module.
    const DOC: &'static str;

    /// All arguments, in order of definition.
    fn args() -> Vec<Arg>;

    /// Parses all arguments; reports all errors, not only the first one.
    ///
    /// # Errors
    /// All unknown, missing and invalid arguments.
    fn from_map(map: &Map) -> Result<Self, Vec<ArgError>>;
}

/// Parses a dict within the argument `of`: the value of an argument, or an element of its list.
///
/// # Errors
/// What is wrong with it, in ansible-core's words: it is no dict, or an argument in it is unknown, missing or invalid.
pub fn nested<T: Args>(value: &Value, of: &str) -> Result<T, String> {
    let Value::Map(map) = value else { return Err(format!("must be a dict, not {}", value.type_name())) };
    let known = T::args();
    if let Some(other) = map.keys().find(|key| !known.iter().any(|arg| arg.is_called(key))) {
        let mut names: Vec<&str> = known.iter().map(|arg| arg.name).collect();
        names.sort_unstable();
        let names = names.join(", ");
        return Err(format!("Unsupported parameters for {of}: {other}. Supported parameters include: {names}."));
    }
    T::from_map(map).map_err(|errors| {
        let error = ArgError::foremost(errors);
        format!("{} found in {of}", error.map(|error| error.msg).unwrap_or_default())
    })
}

/// The type of an argument: how it is parsed from a value.
pub trait ArgType: Sized {
    const KIND: &'static str;
    const SECRET: bool = false;
    /// The accepted values, if restricted.
    const CHOICES: &'static [&'static str] = &[];
    /// Whether [`ArgType::missing`] has a value.
    const OPTIONAL: bool = false;
    /// Whether `null` is a value of its own, and not the same as no argument.
    const TAKES_NULL: bool = false;

    /// The value of an argument that was not given; `None` if it is required.
    fn missing() -> Option<Self> {
        None
    }

    /// Parses a value.
    ///
    /// # Errors
    /// A phrase with what was expected.
    fn parse(value: &Value) -> Result<Self, String>;
}

impl<T: ArgType> ArgType for Option<T> {
    const KIND: &'static str = T::KIND;
    const SECRET: bool = T::SECRET;
    const CHOICES: &'static [&'static str] = T::CHOICES;
    const OPTIONAL: bool = true;

    fn missing() -> Option<Self> {
        Some(None)
    }

    fn parse(value: &Value) -> Result<Self, String> {
        match value {
            Value::Null => Ok(None),
            value => T::parse(value).map(Some),
        }
    }
}

/// The value of an argument under its name or an alias, with the name used. As in Ansible, `null` counts as not given,
/// and of several names the last one counts.
#[inline(never)]
pub fn given<'m>(map: &'m Map, name: &'static str, aliases: &[&'static str]) -> Option<(&'m str, &'m Value)> {
    let names = aliases.iter().rev().chain(std::iter::once(&name));
    names
        .into_iter()
        .find_map(|n| map.get_key_value(*n))
        .filter(|(_, value)| **value != Value::Null)
        .map(|(key, value)| (key.as_str(), value))
}

/// The value of an argument. It is one function for all arguments of a type: written out for each argument, these lines
/// would be a tenth of the agent.
///
/// What is wrong with it is added to `errors`; `missing` gives the value of one that is not there.
#[inline(never)]
pub fn parsed<T: ArgType>(
    map: &Map,
    name: &'static str,
    aliases: &[&'static str],
    errors: &mut Vec<ArgError>,
    missing: fn() -> Option<T>,
) -> Option<T> {
    match given(map, name, aliases)
        .or_else(|| map.get_key_value(name).filter(|_| T::TAKES_NULL).map(|(_, v)| (name, v)))
    {
        Some((used, value)) => match T::parse(value) {
            Ok(value) => Some(value),
            Err(expected) => {
                errors.push(ArgError::of_value(name, used, value, &expected));
                None
            }
        },
        None => {
            let value = missing();
            if value.is_none() {
                errors.push(ArgError::new(name, format!("{MISSING}{name}")));
            }
            value
        }
    }
}

/// The warnings about arguments that are given by several of their names, in the words of ansible-core.
pub fn given_twice(args: &[Arg], map: &Map) -> Vec<String> {
    let mut warnings = Vec::new();
    for arg in args {
        let mut seen = map.contains_key(arg.name);
        for alias in arg.aliases.iter().filter(|alias| map.contains_key(**alias)) {
            if std::mem::replace(&mut seen, true) {
                warnings.push(format!("Both option {} and its alias {alias} are set.", arg.name));
            }
        }
    }
    warnings
}

/// Checks the arguments that are known before a run. `map` holds the constant ones, `later` names those that are
/// templates, `found` is what parsing `map` found wrong. Finds unknown and missing arguments, and constants of the wrong
/// type.
pub fn check(args: &[Arg], found: Vec<ArgError>, map: &Map, later: &[String]) -> Vec<ArgError> {
    let is_known = |name: &String| args.iter().any(|arg| arg.is_called(name));
    let unknown = map.keys().chain(later).filter(|name| !is_known(name));
    let unknown = unknown.map(|name| ArgError::new(name, format!("unknown argument `{name}`")));
    let is_later = |arg: &Arg| later.iter().any(|name| arg.is_called(name));
    // A required argument that is a template is not missing, only unknown yet.
    let counts = |error: &ArgError| {
        error.arg.as_deref().is_none_or(|name| !args.iter().any(|arg| arg.is_called(name) && is_later(arg)))
    };
    unknown.chain(found.into_iter().filter(counts)).collect()
}

/// Defines a struct of arguments.
///
/// ```
/// use rplay_contract::{args, argtypes::{Flag, Text}};
/// args! {
///     /// Says hello.
///     pub struct Hello {
///         /// To whom; required, because its type has no "missing" value.
///         name: Text | "who" | "whom",
///         /// Not required.
///         from: Option<Text>,
///         /// Not required, with a default.
///         loudly: Flag = Flag(false),
///     }
/// }
/// ```
/// `..field: Type,` lines at the top include all arguments of another such struct.
#[macro_export]
macro_rules! args {
    (
        $(#[doc = $doc:literal])*
        $vis:vis struct $name:ident {
            $( .. $group:ident : $group_ty:ty , )*
            $(
                $(#[doc = $fdoc:literal])*
                $field:ident : $ty:ty $(| $alias:literal)* $(= $default:expr)?
            ),* $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug)]
        $vis struct $name {
            $( pub $group: $group_ty, )*
            $( $(#[doc = $fdoc])* pub $field: $ty, )*
        }

        impl $crate::args::Args for $name {
            const DOC: &'static str = $crate::documentation!($($doc),*);

            fn args() -> Vec<$crate::args::Arg> {
                const OWN: &[$crate::args::Arg] = &[$( $crate::args::Arg {
                    name: $crate::args::argument_name(stringify!($field)),
                    aliases: &[$($alias),*],
                    doc: $crate::documentation!($($fdoc),*),
                    kind: <$ty as $crate::args::ArgType>::KIND,
                    choices: <$ty as $crate::args::ArgType>::CHOICES,
                    required: $crate::args!(@required $ty $(, $default)?),
                    default: $crate::args!(@default $($default)?),
                    secret: <$ty as $crate::args::ArgType>::SECRET,
                } ),*];
                #[allow(unused_mut)]
                let mut all = OWN.to_vec();
                $( all.extend(<$group_ty as $crate::args::Args>::args()); )*
                all
            }

            #[allow(unused_variables)]
            fn from_map(map: &$crate::wire::Map) -> Result<Self, Vec<$crate::args::ArgError>> {
                #[allow(unused_mut)]
                let mut errors: Vec<$crate::args::ArgError> = Vec::new();
                $(
                    let $group = match <$group_ty as $crate::args::Args>::from_map(map) {
                        Ok(group) => Some(group),
                        Err(more) => { errors.extend(more); None }
                    };
                )*
                $(
                    let $field: Option<$ty> = $crate::args::parsed(
                        map,
                        $crate::args::argument_name(stringify!($field)),
                        &[$($alias),*],
                        &mut errors,
                        || $crate::args!(@missing $ty $(, $default)?),
                    );
                )*
                #[allow(unreachable_patterns, reason = "without any argument nothing can be missing")]
                match ( $( $group, )* $( $field, )* ) {
                    ( $( Some($group), )* $( Some($field), )* ) => Ok($name { $( $group, )* $( $field, )* }),
                    _ => Err(errors),
                }
            }
        }
    };
    (@required $ty:ty) => { !<$ty as $crate::args::ArgType>::OPTIONAL };
    (@required $ty:ty, $default:expr) => { false };
    (@default) => { None };
    (@default $default:expr) => { Some(stringify!($default)) };
    (@missing $ty:ty) => { <$ty as $crate::args::ArgType>::missing() };
    (@missing $ty:ty, $default:expr) => { Some::<$ty>($default) };
}

/// The lines of a doc comment, as one text. Hosts never show it: their agent is built without, for it would be a
/// twentieth of what is sent to them.
#[cfg(feature = "described")]
#[doc(hidden)]
#[macro_export]
macro_rules! documentation {
    ($($line:literal),*) => { concat!($($line, "\n"),*) };
}
#[cfg(not(feature = "described"))]
#[doc(hidden)]
#[macro_export]
macro_rules! documentation {
    ($($line:literal),*) => {
        ""
    };
}

/// The name of the argument for a field: Rust's keywords are written raw (`r#type`).
pub const fn argument_name(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', ..] => field.split_at(2).1,
        _ => field,
    }
}

/// Defines an argument with a fixed set of values: `choice! { pub enum State { Present = "present" | "installed",
/// Absent = "absent" } }`.
#[macro_export]
macro_rules! choice {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident { $( $(#[doc = $doc:literal])* $variant:ident = $word:literal $(| $other:literal)* ),* $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $vis enum $name { $( $(#[doc = $doc])* $variant ),* }

        impl $name {
            /// The value in playbooks.
            #[allow(dead_code)]
            pub fn word(self) -> &'static str {
                match self { $( Self::$variant => $word ),* }
            }
        }

        impl $crate::args::ArgType for $name {
            const KIND: &'static str = "str";
            const CHOICES: &'static [&'static str] = &[$( $word $(, $other)* ),*];

            fn parse(value: &$crate::wire::Value) -> Result<Self, String> {
                let text = <$crate::argtypes::Text as $crate::args::ArgType>::parse(value)?;
                match text.as_str() {
                    $( $word $(| $other)* => Ok(Self::$variant), )*
                    // YAML 1.1 reads `yes`, `no`, `on`, `off` as booleans before a module sees them.
                    other => match $crate::argtypes::boolean_words(value).iter().find_map(|word| match *word {
                        $( $word $(| $other)* => Some(Self::$variant), )*
                        _ => None,
                    }) {
                        Some(found) => Ok(found),
                        None => Err(format!("{}{}, got: {other}", $crate::args::NO_CHOICE, [$( $word ),*].join(", "))),
                    },
                }
            }
        }
    };
}
