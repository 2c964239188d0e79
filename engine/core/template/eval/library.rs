//! The table of everything that templates can call by name. The evaluator has no built-in filters, tests, functions or
//! lookups of its own.

use std::{borrow::Cow, collections::HashMap};

use minijinja::Value;

use crate::{
    syntax::builtin_name,
    template::{args::Args, eval::machine::Machine, value::error::EvalResult},
};

/// Applies a filter to a value.
type FilterRun = dyn Fn(&mut Machine<'_>, Value, Args) -> EvalResult + Send + Sync;
/// Tests a value: `is ...`.
type TestRun = dyn Fn(&mut Machine<'_>, &Value, Args) -> EvalResult<bool> + Send + Sync;
/// Calls a function of Jinja.
type FunctionRun = dyn Fn(&mut Machine<'_>, Args) -> EvalResult + Send + Sync;
/// Runs a lookup: terms and options to a list.
pub(crate) type LookupRun = dyn Fn(&mut Machine<'_>, Vec<Value>, Args) -> EvalResult<Vec<Value>> + Send + Sync;

/// A filter.
pub(crate) struct Filter {
    pub run: Box<FilterRun>,
    /// Whether its input may be undefined.
    pub accepts_undefined: bool,
}

/// A test.
pub(crate) struct Test {
    pub run: Box<TestRun>,
    /// Whether its input may be undefined.
    pub accepts_undefined: bool,
}

/// The methods of values.
#[derive(Clone, Copy)]
pub(crate) struct Methods {
    /// Whether the value has a method of that name.
    pub exists: fn(&Value, &str) -> bool,
    /// Whether the method modifies its list or mapping.
    pub changes: fn(&str) -> bool,
    pub call: fn(&Value, &str, Args) -> EvalResult,
}

/// Filters, tests, functions and lookups by name, and the methods of values.
///
/// Built-in ones are added like any others: by name and callable.
pub(crate) struct Library {
    filters: HashMap<Cow<'static, str>, Filter>,
    tests: HashMap<Cow<'static, str>, Test>,
    functions: HashMap<Cow<'static, str>, Box<FunctionRun>>,
    lookups: HashMap<Cow<'static, str>, Box<LookupRun>>,
    pub methods: Methods,
}

impl Library {
    /// A library with only methods.
    pub(crate) fn new(methods: Methods) -> Self {
        Library {
            filters: HashMap::new(),
            tests: HashMap::new(),
            functions: HashMap::new(),
            lookups: HashMap::new(),
            methods,
        }
    }

    /// Adds or replaces a filter.
    pub(crate) fn add_filter(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        accepts_undefined: bool,
        run: impl Fn(&mut Machine<'_>, Value, Args) -> EvalResult + Send + Sync + 'static,
    ) {
        self.filters.insert(name.into(), Filter { run: Box::new(run), accepts_undefined });
    }

    /// Adds or replaces a test.
    pub(crate) fn add_test(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        accepts_undefined: bool,
        run: impl Fn(&mut Machine<'_>, &Value, Args) -> EvalResult<bool> + Send + Sync + 'static,
    ) {
        self.tests.insert(name.into(), Test { run: Box::new(run), accepts_undefined });
    }

    /// Adds or replaces a function.
    pub(crate) fn add_function(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        run: impl Fn(&mut Machine<'_>, Args) -> EvalResult + Send + Sync + 'static,
    ) {
        self.functions.insert(name.into(), Box::new(run));
    }

    /// Adds or replaces a lookup.
    pub(crate) fn add_lookup(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        run: impl Fn(&mut Machine<'_>, Vec<Value>, Args) -> EvalResult<Vec<Value>> + Send + Sync + 'static,
    ) {
        self.lookups.insert(name.into(), Box::new(run));
    }

    /// The filter of that name, without the prefix `ansible.builtin.`.
    pub(crate) fn filter(&self, name: &str) -> Option<&Filter> {
        self.filters.get(name)
    }

    /// The test of that name, without the prefix `ansible.builtin.`.
    pub(crate) fn test(&self, name: &str) -> Option<&Test> {
        self.tests.get(name)
    }

    pub(crate) fn function(&self, name: &str) -> Option<&FunctionRun> {
        self.functions.get(name).map(|run| &**run)
    }

    /// The lookup of that name, with or without `ansible.builtin.` or `ansible.legacy.`.
    pub(crate) fn lookup(&self, name: &str) -> Option<&LookupRun> {
        self.lookups.get(builtin_name(name)).map(|run| &**run)
    }

    pub(crate) fn filter_names(&self) -> impl Iterator<Item = &str> {
        self.filters.keys().map(|name| &**name)
    }

    pub(crate) fn test_names(&self) -> impl Iterator<Item = &str> {
        self.tests.keys().map(|name| &**name)
    }

    pub(crate) fn lookup_names(&self) -> impl Iterator<Item = &str> {
        self.lookups.keys().map(|name| &**name)
    }
}
