//! Calls functions, methods, macros, filters and tests.

use std::ops::Range;

use minijinja::{Value, machinery::ast};

use crate::{
    limits,
    source::nearest,
    syntax::builtin_name,
    template::{
        args::Args,
        eval::{
            callable::{Bound, Macro},
            loops::Loop,
            machine::{Machine, range},
            plugins,
        },
        page::parsed_template::ParsedTemplate,
        value::{
            containers,
            error::{Cause, EvalError, EvalResult},
            items, show,
            undefined::{as_undefined, present},
        },
    },
    vars::PluginKind,
};

impl Machine<'_> {
    /// The arguments of a call, with splats expanded.
    pub(crate) fn args(&mut self, args: &'static [ast::CallArg<'static>]) -> EvalResult<Args> {
        let (mut positional, mut named) = (Vec::with_capacity(args.len()), Vec::new());
        for arg in args {
            match arg {
                ast::CallArg::Pos(expr) => positional.push(self.expr(expr)?),
                ast::CallArg::Kwarg(name, expr) => named.push((name.to_string(), self.expr(expr)?)),
                ast::CallArg::PosSplat(expr) => positional.extend(items::items(&self.value(expr)?)?),
                ast::CallArg::KwargSplat(expr) => {
                    let map = self.value(expr)?;
                    if !containers::is_map(&map) {
                        return Err(EvalError::new("argument after ** must be a mapping"));
                    }
                    for (key, value) in containers::pairs(&map) {
                        named.push((show::text(&key)?, value));
                    }
                }
            }
        }
        Ok(Args::new(positional, named))
    }

    pub(crate) fn call(&mut self, call: &'static ast::Call<'static>) -> EvalResult {
        if let ast::Expr::GetAttr(attr) = &call.expr {
            if matches!(&attr.expr, ast::Expr::Var(var) if var.id == "self") && !self.blocks.is_empty() {
                return self.block(attr.name, 0);
            }
            let receiver = self.expr(&attr.expr)?;
            let end = range(attr.span()).end;
            let name_at = end.saturating_sub(attr.name.len())..end;
            if (self.session.library.methods.exists)(&receiver, attr.name) {
                let args = self.args(&call.args)?;
                let receiver = self.changeable(attr, receiver)?;
                return (self.session.library.methods.call)(&receiver, attr.name, args)
                    .map_err(|error| error.at(name_at));
            }
            let callee = self.attribute(&receiver, attr.name, name_at.clone())?;
            let callee = present(callee).map_err(|error| error.at(name_at.clone()))?;
            let args = self.args(&call.args)?;
            return self.call_value(&callee, args).map_err(|error| error.at(name_at));
        }
        if matches!(&call.expr, ast::Expr::Var(var) if var.id == "super")
            && let Some((name, at)) = self.current
        {
            return self.block(name, at + 1);
        }
        let callee = self.value(&call.expr)?;
        let looks = matches!(&call.expr, ast::Expr::Var(var) if matches!(var.id, "lookup" | "query" | "q"));
        let args = match looks && !self.page.reading.embedded {
            true => self.terms(&call.args)?,
            false => self.args(&call.args)?,
        };
        self.call_value(&callee, args)
    }

    /// For a method that modifies its list or mapping: converts the value to a mutable form and stores it back.
    /// Literals already have this form where such methods are called.
    fn changeable(&mut self, attr: &'static ast::GetAttr<'static>, receiver: Value) -> EvalResult {
        if !(self.session.library.methods.changes)(attr.name)
            || containers::changeable(&receiver)
            || receiver.as_object().is_none()
        {
            return Ok(receiver);
        }
        let Some(name) = root(&attr.expr) else { return Ok(items::thaw(&receiver)) };
        let known = self.frames.iter().rev().find(|frame| frame.get(name).is_some()).or(self.frames.first()).cloned();
        let Some(frame) = known else { return Ok(items::thaw(&receiver)) };
        let whole = self.var(name, 0..0)?;
        frame.set(name, items::thaw(&present(whole)?));
        let receiver = self.value(&attr.expr)?;
        Ok(items::thaw(&receiver))
    }

    pub(crate) fn call_value(&mut self, callee: &Value, mut args: Args) -> EvalResult {
        if let Some(object) = callee.downcast_object::<Macro>() {
            return self.call_macro(&object, args);
        }
        if let Some(bound) = callee.downcast_object_ref::<Bound>() {
            return match &bound.receiver {
                Some(receiver) => (self.session.library.methods.call)(receiver, &bound.name, args),
                None => match self.session.library.function(&bound.name) {
                    Some(run) => run(self, args),
                    None => Err(EvalError::new(format!("unknown function '{}'", bound.name))),
                },
            };
        }
        if let Some(state) = callee.downcast_object::<Loop>() {
            let items = args.required("iterable")?;
            args.finish()?;
            return self.recurse(&state, &items);
        }
        if (self.session.library.methods.exists)(callee, "__call__") {
            return (self.session.library.methods.call)(callee, "__call__", args);
        }
        Err(EvalError::new(format!("'{}' object is not callable", show::type_name(callee))))
    }

    pub(super) fn filtered(&mut self, filter: &'static ast::Filter<'static>, input: Value) -> EvalResult {
        let args = self.args(&filter.args)?;
        let at = name_range(self.page, range_of_filter(filter), filter.name);
        self.filter(filter.name, input, args).map_err(|error| error.at(at))
    }

    /// Applies a chain of filters to the text of a block.
    pub(crate) fn filter_chain(&mut self, chain: &'static ast::Expr<'static>, input: Value) -> EvalResult {
        match chain {
            ast::Expr::Filter(filter) => {
                let input = match &filter.expr {
                    Some(inner) => limits::with_stack(|| self.filter_chain(inner, input))?,
                    None => input,
                };
                self.filtered(filter, input).map_err(|error| error.at(range(chain.span())))
            }
            _ => Err(EvalError::syntax("expected a filter", None)),
        }
    }

    /// Applies a filter by name.
    pub(crate) fn filter(&mut self, name: &str, input: Value, args: Args) -> EvalResult {
        let (written, name) = names(name);
        let library = self.session.library;
        let native = library.filter(&name).filter(|_| !plugins::replaces(self, PluginKind::Filter, &written));
        let Some(filter) = native else {
            return plugins::filter(self, &written, input, args)?.map_err(|help| {
                let near = nearest(&name, library.filter_names()).map(|near| format!("did you mean `{near}`?"));
                EvalError::syntax(format!("No filter named '{written}'."), near.or(help))
            });
        };
        if !filter.accepts_undefined {
            let given = args.positional.iter().chain(args.named.iter().map(|(_, value)| value));
            if let Some(value) = std::iter::once(&input).chain(given).find(|value| as_undefined(value).is_some()) {
                return Ok(value.clone());
            }
        }
        let input = if filter.accepts_undefined { input } else { present(input)? };
        or_undefined((filter.run)(self, input, args)).map_err(|error| named("filter", &name, error))
    }

    /// Runs a test by name.
    pub(crate) fn test(&mut self, name: &str, input: &Value, args: Args) -> EvalResult<bool> {
        let (written, name) = names(name);
        let library = self.session.library;
        let native = library.test(&name).filter(|_| !plugins::replaces(self, PluginKind::Test, &written));
        let Some(test) = native else {
            return plugins::test(self, &written, input, args)?.map_err(|help| {
                let near = nearest(&name, library.test_names()).map(|near| format!("did you mean `{near}`?"));
                EvalError::syntax(format!("No test named '{written}'."), near.or(help))
            });
        };
        if !test.accepts_undefined {
            present(input.clone())?;
        }
        (test.run)(self, input, args).map_err(|error| named("test", &name, error))
    }
}

/// As in ansible-core, a call that meets an undefined value returns it, and `default` may still replace it.
pub(super) fn or_undefined(result: EvalResult) -> EvalResult {
    match result {
        Err(error) => match error.cause {
            Cause::Undefined(value) => Ok(value),
            _ => Err(error),
        },
        value => value,
    }
}

/// The variable at the start of `a.b[c]`.
fn root(mut expr: &'static ast::Expr<'static>) -> Option<&'static str> {
    loop {
        expr = match expr {
            ast::Expr::Var(var) => return Some(var.id),
            ast::Expr::GetAttr(attr) => &attr.expr,
            ast::Expr::GetItem(item) => &item.expr,
            _ => return None,
        };
    }
}

/// Adds the name of the failing filter or test to an error.
fn named(kind: &str, name: &str, mut error: Box<EvalError>) -> Box<EvalError> {
    if let Cause::Failed { message, .. } = &mut error.cause
        && !["The filter plugin", "The test plugin", "The lookup plugin"].iter().any(|said| message.starts_with(said))
    {
        let collection = if name.contains('.') { "" } else { "ansible.builtin." };
        *message = format!("The {kind} plugin '{collection}{name}' failed: {message}");
    }
    error
}

/// The name without blanks, and the same without `ansible.builtin.` or `ansible.legacy.`.
fn names(name: &str) -> (String, String) {
    let name: String = name.split_whitespace().collect();
    let short = builtin_name(&name).to_owned();
    (name, short)
}

fn range_of_filter(filter: &'static ast::Filter<'static>) -> Range<usize> {
    // A filter's node begins at its own name; its input is before it.
    match &filter.expr {
        Some(input) => input.span().end_offset as usize..usize::MAX,
        None => 0..usize::MAX,
    }
}

/// The byte range of a name within a range of the page.
pub(super) fn name_range(page: &ParsedTemplate, within: Range<usize>, name: &str) -> Range<usize> {
    let end = within.end.min(page.masked.len());
    let start = within.start.min(end);
    match page.masked.get(start..end).and_then(|text| text.find(name)) {
        Some(at) => start + at..start + at + name.len(),
        None => start..end,
    }
}
