//! Argument structs: the arguments of a module, parsed leniently as in Ansible, validated before any host is touched,
//! and documented, all from one definition.

use rplay_wire::{Map, Value};

use crate::system::order;

/// The description of one argument. An agent knows its names alone: the rest would be a part of what is sent to hosts.
#[derive(Clone, Debug)]
pub struct Arg {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    /// The doc comment.
    #[cfg(feature = "described")]
    pub doc: &'static str,
    /// `str`, `bool`, `int`, `float`, `list`, `dict`, `path`, `raw`, `mode` ...
    #[cfg(feature = "described")]
    pub kind: &'static str,
    /// The accepted values, if restricted.
    #[cfg(feature = "described")]
    pub choices: &'static [&'static str],
    #[cfg(feature = "described")]
    pub required: bool,
    /// The default as written in the source.
    #[cfg(feature = "described")]
    pub default: Option<&'static str>,
    /// Whether it is secret, like passwords and tokens.
    #[cfg(feature = "described")]
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
            order::sort(&mut missing);
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
    /// Those that the struct itself defines.
    const OWN: &'static [Arg] = &[];

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
    let map = dict(value)?;
    let known = T::args();
    if let Some(other) = unknown(&known, map) {
        let mut names: Vec<&str> = known.iter().map(|arg| arg.name).collect();
        order::sort(&mut names);
        let names = names.join(", ");
        return Err(format!("Unsupported parameters for {of}: {other}. Supported parameters include: {names}."));
    }
    T::from_map(map).map_err(|errors| {
        let error = ArgError::foremost(errors);
        format!("{} found in {of}", error.map(|error| error.msg).unwrap_or_default())
    })
}

/// A dict within an argument.
///
/// # Errors
/// It is none.
pub fn dict(value: &Value) -> Result<&Map, String> {
    match value {
        Value::Map(map) => Ok(map),
        other => Err(format!("must be a dict, not {}", other.type_name())),
    }
}

/// The first key that none of these arguments has as its name.
pub fn unknown<'m>(known: &[Arg], map: &'m Map) -> Option<&'m str> {
    map.keys().map(String::as_str).find(|key| !known.iter().any(|arg| arg.is_called(key)))
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

/// Reads arguments from a map, and collects what is wrong with them.
pub struct ArgReader<'m> {
    map: &'m Map,
    pub errors: Vec<ArgError>,
}

impl<'m> ArgReader<'m> {
    pub fn new(map: &'m Map) -> Self {
        ArgReader { map, errors: Vec::new() }
    }

    /// The arguments of another struct that are among these.
    pub fn group<T: Args>(&mut self) -> Option<T> {
        T::from_map(self.map).map_err(|more| self.errors.extend(more)).ok()
    }

    /// The value of an argument. It is one function for all arguments of a type: written out for each argument, these
    /// lines would be a tenth of the agent. `missing` gives the value of one that is not there.
    #[inline(never)]
    pub fn value<T: ArgType>(&mut self, arg: &'static Arg, missing: fn() -> Option<T>) -> Option<T> {
        let given = match self.given(arg, T::TAKES_NULL) {
            None => match missing() {
                Some(value) => return Some(value),
                // As in Ansible, the `null` of a required argument is a value: empty text, or one of a wrong type.
                None => self.null(arg),
            },
            given => given,
        };
        match given.map(|(used, value)| (used, value, T::parse(value))) {
            Some((_, _, Ok(value))) => Some(value),
            Some((used, value, Err(reason))) => {
                self.refuse(arg, used, value, &reason);
                None
            }
            None => {
                self.lacks(arg);
                None
            }
        }
    }

    /// An argument that is written, but has no value.
    #[inline(never)]
    fn null(&self, arg: &'static Arg) -> Option<(&'m str, &'m Value)> {
        let mut names = std::iter::once(&arg.name).chain(arg.aliases);
        names.find_map(|name| self.map.get_key_value(*name)).map(|(name, value)| (name.as_str(), value))
    }

    /// The value of an argument under its name or an alias, with the name used. As in Ansible, `null` counts as not
    /// given, and of several names the last one counts.
    #[inline(never)]
    fn given(&self, arg: &'static Arg, takes_null: bool) -> Option<(&'m str, &'m Value)> {
        let mut names = arg.aliases.iter().rev().chain(std::iter::once(&arg.name));
        let (used, value) = names.find_map(|name| self.map.get_key_value(*name))?;
        match value {
            Value::Null if takes_null => self.map.get_key_value(arg.name).map(|(name, value)| (name.as_str(), value)),
            Value::Null => None,
            value => Some((used, value)),
        }
    }

    #[inline(never)]
    fn refuse(&mut self, arg: &'static Arg, used: &str, value: &Value, reason: &str) {
        self.errors.push(ArgError::of_value(arg.name, used, value, reason));
    }

    #[inline(never)]
    fn lacks(&mut self, arg: &'static Arg) {
        self.errors.push(ArgError::new(arg.name, format!("{MISSING}{}", arg.name)));
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

            const OWN: &'static [$crate::args::Arg] = &[$( $crate::argument!(
                [$crate::args::argument_name(stringify!($field))] [$($alias),*] [$($fdoc),*] [$ty] [$($default)?]
            ) ),*];

            fn args() -> Vec<$crate::args::Arg> {
                #[allow(unused_mut)]
                let mut all = Self::OWN.to_vec();
                $( all.extend(<$group_ty as $crate::args::Args>::args()); )*
                all
            }

            #[allow(unused_variables)]
            fn from_map(map: &$crate::wire::Map) -> Result<Self, Vec<$crate::args::ArgError>> {
                #[allow(non_camel_case_types)]
                enum ArgumentIndex { $( $field ),* }
                #[allow(unused_mut)]
                let mut reader = $crate::args::ArgReader::new(map);
                $( let $group: Option<$group_ty> = reader.group(); )*
                $(
                    let $field: Option<$ty> = reader.value(
                        &Self::OWN[ArgumentIndex::$field as usize],
                        || $crate::args!(@missing $ty $(, $default)?),
                    );
                )*
                #[allow(unreachable_patterns, reason = "without any argument nothing can be missing")]
                match ( $( $group, )* $( $field, )* ) {
                    ( $( Some($group), )* $( Some($field), )* ) => Ok($name { $( $group, )* $( $field, )* }),
                    _ => Err(reader.errors),
                }
            }
        }
    };
    (@missing $ty:ty) => { <$ty as $crate::args::ArgType>::missing() };
    (@missing $ty:ty, $default:expr) => { Some::<$ty>($default) };
}

/// The description of an argument: its name, aliases, doc comment, type, default.
#[cfg(feature = "described")]
#[doc(hidden)]
#[macro_export]
macro_rules! argument {
    ([$name:expr] [$($alias:literal),*] [$($doc:literal),*] [$ty:ty] [$($default:expr)?]) => {
        $crate::args::Arg {
            name: $name,
            aliases: &[$($alias),*],
            doc: $crate::documentation!($($doc),*),
            kind: <$ty as $crate::args::ArgType>::KIND,
            choices: <$ty as $crate::args::ArgType>::CHOICES,
            required: $crate::argument!(@required $ty $(, $default)?),
            default: $crate::argument!(@default $($default)?),
            secret: <$ty as $crate::args::ArgType>::SECRET,
        }
    };
    (@required $ty:ty) => { !<$ty as $crate::args::ArgType>::OPTIONAL };
    (@required $ty:ty, $default:expr) => { false };
    (@default) => { None };
    (@default $default:expr) => { Some(stringify!($default)) };
}
#[cfg(not(feature = "described"))]
#[doc(hidden)]
#[macro_export]
macro_rules! argument {
    ([$name:expr] [$($alias:literal),*] [$($doc:literal),*] [$ty:ty] [$($default:expr)?]) => {
        $crate::args::Arg { name: $name, aliases: &[$($alias),*] }
    };
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
                const MEANT: &[$name] = &[$( $name::$variant $(, ($other, $name::$variant).1)* ),*];
                let at = $crate::argtypes::choice_at(value, Self::CHOICES, &[$( $word ),*])?;
                Ok(MEANT[at])
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use rplay_wire::data;

    use super::*;
    use crate::argtypes::{Flag, PathArg, Text};

    args! {
        /// Required arguments of several types.
        struct Required {
            /// A path.
            path: PathArg | "dest",
            /// A list.
            names: Vec<Text>,
            /// A boolean.
            sure: Flag,
            /// One that is not required.
            other: Option<Text>,
        }
    }

    /// As ansible-core 2.19 does.
    #[test]
    fn null_is_a_value_of_required_arguments_alone() {
        let good = data! { "dest" => Value::Null, "names" => "a", "sure" => true, "other" => Value::Null };
        let read = Required::from_map(&good).unwrap();
        assert_eq!((read.path.0.as_str(), read.names, read.sure, read.other), ("", vec!["a".into()], Flag(true), None));
        let wrong = |arg: &str| {
            let mut args = good.clone();
            args.insert(arg.to_owned(), Value::Null);
            Required::from_map(&args).map(|_| ()).unwrap_err().remove(0).msg
        };
        let of = |kind: &str, a: &str| {
            format!(
                "is of type NoneType and we were unable to convert to {kind}: <class 'NoneType'> cannot be converted to a {a}"
            )
        };
        assert_eq!(wrong("names"), format!("argument 'names' {}", of("list", "list")));
        assert_eq!(wrong("sure"), format!("argument 'sure' {}", of("bool", "bool")));
        let missing = Required::from_map(&data! { "names" => "a", "sure" => true }).map(|_| ()).unwrap_err();
        assert_eq!(missing[0].msg, "missing required arguments: path");
    }
}
