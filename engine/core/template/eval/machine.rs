//! Evaluates expressions on the parser's tree, with Python's semantics.

use std::{cell::RefCell, collections::HashMap, ops::Range, path::PathBuf, sync::Arc};

use indexmap::IndexMap;
use minijinja::{
    Value,
    machinery::{Span, ast},
    value::{Tuple, ValueKind},
};

use crate::{
    limits,
    source::nearest,
    syntax::Style,
    template::{
        args::Args,
        error::{TemplateError, Via},
        eval::{
            callable::{Bound, Macro},
            frame::Frame,
            lazy,
            library::Library,
            plugins, render,
            statements::{Block, Loop},
        },
        origin::Origin,
        page::parsed_template::ParsedTemplate,
        value::{
            containers, depth,
            error::{Cause, EvalError, EvalResult},
            items,
            number::{self, Number},
            ops, show, size,
            undefined::{Undefined, UndefinedReason, as_undefined, is_undefined, present},
        },
    },
    vars::{Lazy, Lenience, Outside, PluginKind, Scope, Template, holds_template},
};

/// State shared by one rendering and the renderings of the variables it reads.
pub(crate) struct Session {
    pub scope: Arc<Scope>,
    /// The callables.
    pub library: &'static Library,
    /// Rendered values of variables that are templates.
    rendered: RefCell<HashMap<Arc<str>, Value>>,
    /// Frames that macros still need.
    pub keep: RefCell<Vec<Arc<Frame>>>,
}

impl Session {
    pub(crate) fn new(scope: &Arc<Scope>, library: &'static Library) -> Self {
        Session { scope: scope.clone(), library, rendered: RefCell::default(), keep: RefCell::default() }
    }

    /// A variable, rendered as far as its own text goes; its parts are lazy.
    fn variable(&self, name: &str) -> Option<Result<Value, TemplateError>> {
        if let Some(value) = self.rendered.borrow().get(name) {
            return Some(Ok(value.clone()));
        }
        let lazy = self.scope.find(name)?;
        if let Lazy::Data(value) = lazy {
            return Some(Ok(value));
        }
        let value = match render::render_lazily(&lazy, &self.scope, Some(name), self.library) {
            Ok(value) => value,
            Err(error) => return Some(Err(error)),
        };
        self.rendered.borrow_mut().insert(name.into(), value.clone());
        Some(Ok(value))
    }
}

/// Evaluates one page.
pub(crate) struct Machine<'s> {
    pub session: &'s Session,
    pub page: &'static ParsedTemplate,
    pub origin: Arc<Origin>,
    pub frames: Vec<Arc<Frame>>,
    /// Whether the play's variables are visible: not in `include ... without context`.
    pub with_scope: bool,
    /// The directory of the template file.
    pub folder: Option<PathBuf>,
    /// Definitions of blocks by name, the most derived first.
    pub blocks: HashMap<&'static str, Vec<Block>>,
    /// The current block, and the index of its definition.
    pub current: Option<(&'static str, usize)>,
}

pub(crate) fn range(span: Span) -> Range<usize> {
    span.start_offset as usize..span.end_offset as usize
}

impl<'s> Machine<'s> {
    pub(crate) fn new(session: &'s Session, page: &'static ParsedTemplate, origin: Arc<Origin>) -> Self {
        Machine {
            session,
            page,
            origin,
            frames: Vec::new(),
            with_scope: true,
            folder: None,
            blocks: HashMap::new(),
            current: None,
        }
    }

    /// Adds the location in the file to an error.
    #[allow(clippy::boxed_local, reason = "errors are boxed, so that results stay small")]
    pub(crate) fn place(&self, error: Box<EvalError>) -> TemplateError {
        error.place(&self.origin, &self.session.scope, self.page.reading.bare)
    }

    /// The value of something that has none.
    pub(crate) fn undefined(&self, what: UndefinedReason, range: Range<usize>) -> Value {
        Value::from_object(Undefined { what, origin: self.origin.clone(), range })
    }

    /// Evaluates an expression that must be defined.
    pub(crate) fn value(&mut self, expr: &'static ast::Expr<'static>) -> EvalResult {
        let value = self.expr(expr)?;
        present(value).map_err(|error| error.at(range(expr.span())))
    }

    /// Evaluates an expression that may be undefined.
    pub(crate) fn expr(&mut self, expr: &'static ast::Expr<'static>) -> EvalResult {
        let result = match expr {
            ast::Expr::Var(_) | ast::Expr::Const(_) => self.expr_inner(expr),
            _ => limits::with_stack(|| self.expr_inner(expr)),
        };
        result.map_err(|error| error.at(range(expr.span())))
    }

    fn expr_inner(&mut self, expr: &'static ast::Expr<'static>) -> EvalResult {
        match expr {
            ast::Expr::Var(var) => self.var(var.id, range(var.span())),
            ast::Expr::Const(literal) => {
                let value = self.literal(&literal.value)?;
                match self.page.reading.embedded {
                    true => self.embedded(value, range(literal.span())),
                    false => Ok(value),
                }
            }
            ast::Expr::Slice(slice) => {
                let value = self.value(&slice.expr)?;
                let mut bound = |expr: &'static Option<ast::Expr<'static>>| match expr {
                    None => Ok(None),
                    Some(expr) => match self.value(expr)? {
                        value if value.is_none() => Ok(None),
                        value => match Number::of(&value) {
                            Some(Number::Int(i)) => Ok(Some(i)),
                            _ => Err(EvalError::new("slice indices must be integers or None")),
                        },
                    },
                };
                let (start, stop, step) = (bound(&slice.start)?, bound(&slice.stop)?, bound(&slice.step)?);
                ops::slice(&value, start, stop, step)
            }
            ast::Expr::UnaryOp(op) => {
                let value = self.value(&op.expr)?;
                match op.op {
                    ast::UnaryOpKind::Not => Ok(Value::from(!items::truth(&value))),
                    ast::UnaryOpKind::Neg => ops::neg(&value),
                }
            }
            ast::Expr::BinOp(op) => self.binary(op),
            ast::Expr::Compare(compare) => {
                let mut left = self.value(&compare.expr)?;
                for op in &compare.ops {
                    let right = self.value(&op.expr)?;
                    if !compared(op.op, &left, &right)? {
                        return Ok(Value::from(false));
                    }
                    left = right;
                }
                Ok(Value::from(true))
            }
            ast::Expr::IfExpr(choice) => match items::truth(&self.value(&choice.test_expr)?) {
                true => self.expr(&choice.true_expr),
                false => match &choice.false_expr {
                    Some(expr) => self.expr(expr),
                    None => Ok(Value::UNDEFINED),
                },
            },
            ast::Expr::Filter(filter) => match &filter.expr {
                Some(input) => {
                    let input = self.expr(input)?;
                    self.filtered(filter, input)
                }
                None => Err(EvalError::syntax("filter without input", None)),
            },
            ast::Expr::Test(test) => {
                let input = self.expr(&test.expr)?;
                let args = self.args(&test.args)?;
                or_undefined(self.test(test.name, &input, args).map(Value::from))
                    .map_err(|error| error.at(name_range(self.page, range(test.span()), test.name)))
            }
            ast::Expr::GetAttr(attr) => {
                let parent = self.expr(&attr.expr)?;
                let end = range(attr.span()).end;
                self.attribute(&parent, attr.name, end.saturating_sub(attr.name.len())..end)
            }
            ast::Expr::GetItem(item) => {
                let parent = self.expr(&item.expr)?;
                let key = self.value(&item.subscript_expr)?;
                self.item(&parent, &key, range(item.subscript_expr.span()))
            }
            ast::Expr::Call(call) => or_undefined(self.call(call)),
            ast::Expr::List(list) => {
                let items = list.items.iter().map(|item| self.expr(item)).collect::<EvalResult<Vec<_>>>()?;
                depth::nests(&items)?;
                Ok(if self.page.mutates { containers::List::of(items) } else { Value::from(items) })
            }
            ast::Expr::Tuple(tuple) => {
                let items = tuple.items.iter().map(|item| self.expr(item)).collect::<EvalResult<Vec<_>>>()?;
                depth::nests(&items)?;
                Ok(Value::from(Tuple::from(items)))
            }
            ast::Expr::Map(map) => {
                let mut entries = IndexMap::with_capacity(map.keys.len());
                for (key, value) in map.keys.iter().zip(&map.values) {
                    let key = self.value(key)?;
                    if containers::is_map(&key) || (containers::is_list(&key) && !key.is_tuple()) {
                        return Err(EvalError::new(format!("unhashable type: '{}'", show::type_name(&key))));
                    }
                    let key = twin(&entries, &key).unwrap_or(key);
                    entries.insert(key, self.expr(value)?);
                }
                depth::nests(entries.values())?;
                Ok(if self.page.mutates { containers::Dict::of(entries) } else { Value::from_object(entries) })
            }
        }
    }

    fn literal(&self, value: &Value) -> EvalResult {
        let meant = match value.as_str() {
            Some(text) => self.page.unmask(text)?,
            None => None,
        };
        Ok(meant.map_or_else(|| value.clone(), Value::from))
    }

    /// Renders a string literal that contains a template. ansible-core 2.19 does this in conditions and in the terms of
    /// lookups, with a warning, unless ALLOW_EMBEDDED_TEMPLATES is off.
    fn embedded(&self, value: Value, at: Range<usize>) -> EvalResult {
        let magic = &self.session.scope.magic;
        let Some(text) = value.as_str().filter(|text| holds_template(text)) else { return Ok(value) };
        if !magic.allows(Lenience::EmbeddedTemplates) {
            return Ok(value);
        }
        let place = self.origin.span(Some(at.clone()));
        magic.warn(
            "Jinja constant strings should not contain embedded templates. \
             This feature will be disabled by default in ansible-core 2.23.",
            &place,
        );
        let template = Template { text: text.into(), span: place, style: Style::Plain };
        // Parts may be undefined, which is told when they are used.
        let template = Lazy::Template(Arc::new(template));
        let rendered = render::render_lazily(&template, &self.session.scope, None, self.session.library);
        // What has no value is told when it is used: `is defined` may ask.
        Ok(rendered.unwrap_or_else(|error| self.undefined(UndefinedReason::Broken(error), at)))
    }

    /// The terms of a lookup, whose literals may contain templates.
    fn terms(&mut self, args: &'static [ast::CallArg<'static>]) -> EvalResult<Args> {
        let mut all = self.args(args)?;
        let literals = args.iter().filter_map(|arg| match arg {
            ast::CallArg::Pos(expr) => Some(expr),
            _ => None,
        });
        // The first one is the name of the plugin. After a splat, positions are unknown.
        let plain = args.iter().take_while(|arg| matches!(arg, ast::CallArg::Pos(_))).count();
        for (at, expr) in literals.take(plain).enumerate().skip(1) {
            if let Some(slot) = all.positional.get_mut(at) {
                *slot = self.term(expr, slot.clone())?;
            }
        }
        Ok(all)
    }

    /// The value of an expression, with templates in its literals rendered, also inside lists and mappings.
    fn term(&self, expr: &ast::Expr<'static>, value: Value) -> EvalResult {
        match expr {
            ast::Expr::Const(literal) => self.embedded(value, range(literal.span())),
            ast::Expr::IfExpr(choice) => {
                // Only one branch can have produced it, and only literals count.
                let yields = |expr: &ast::Expr<'static>| match expr {
                    ast::Expr::Const(literal) => self.literal(&literal.value).is_ok_and(|known| known == value),
                    _ => false,
                };
                let branches = [Some(&choice.true_expr), choice.false_expr.as_ref()];
                match branches.into_iter().flatten().find(|branch| yields(branch)) {
                    Some(branch) => self.embedded(value, range(branch.span())),
                    None => Ok(value),
                }
            }
            ast::Expr::List(list) => {
                let items = items::items(&value)?;
                let items = list.items.iter().zip(items).map(|(expr, item)| self.term(expr, item));
                items.collect::<EvalResult<Vec<_>>>().map(Value::from)
            }
            ast::Expr::Map(map) if map.values.len() == containers::pairs(&value).len() => {
                let pairs = map.values.iter().zip(containers::pairs(&value));
                let pairs = pairs.map(|(expr, (key, item))| Ok((key, self.term(expr, item)?)));
                Ok(Value::from_object(pairs.collect::<EvalResult<IndexMap<_, _>>>()?))
            }
            _ => Ok(value),
        }
    }

    fn binary(&mut self, op: &'static ast::BinOp<'static>) -> EvalResult {
        let left = self.value(&op.left)?;
        match op.op {
            ast::BinOpKind::ScAnd => return if items::truth(&left) { self.expr(&op.right) } else { Ok(left) },
            ast::BinOpKind::ScOr => return if items::truth(&left) { Ok(left) } else { self.expr(&op.right) },
            _ => {}
        }
        let right = self.value(&op.right)?;
        let compare = |kind| compared(kind, &left, &right).map(Value::from);
        match op.op {
            ast::BinOpKind::Eq => compare(ast::CompareOpKind::Eq),
            ast::BinOpKind::Ne => compare(ast::CompareOpKind::Ne),
            ast::BinOpKind::Lt => compare(ast::CompareOpKind::Lt),
            ast::BinOpKind::Lte => compare(ast::CompareOpKind::Lte),
            ast::BinOpKind::Gt => compare(ast::CompareOpKind::Gt),
            ast::BinOpKind::Gte => compare(ast::CompareOpKind::Gte),
            ast::BinOpKind::In => compare(ast::CompareOpKind::In),
            ast::BinOpKind::Add => ops::add(&left, &right),
            ast::BinOpKind::Sub => ops::sub(&left, &right),
            ast::BinOpKind::Mul => ops::mul(&left, &right),
            ast::BinOpKind::Div => ops::div(&left, &right),
            ast::BinOpKind::FloorDiv => ops::floor_div(&left, &right),
            ast::BinOpKind::Rem => ops::rem(&left, &right),
            ast::BinOpKind::Pow => ops::pow(&left, &right),
            ast::BinOpKind::Concat => {
                let mut text = show::text(&left)?;
                text.push_str(&show::text(&right)?);
                size::fits(text.len())?;
                Ok(Value::from(text))
            }
            ast::BinOpKind::ScAnd | ast::BinOpKind::ScOr => Ok(left),
        }
    }

    /// Looks up a name: set in the template, a variable of the play, or a function of Jinja.
    fn var(&mut self, name: &'static str, range: Range<usize>) -> EvalResult {
        for frame in self.frames.iter().rev() {
            if let Some(value) = frame.get(name) {
                return Ok(value);
            }
        }
        if name == "omit" {
            return Ok(crate::vars::omit());
        }
        if self.with_scope
            && let Some(found) = self.session.variable(name)
        {
            return self.own(name, found, range);
        }
        if self.session.library.function(name).is_some() {
            return Ok(Value::from_object(Bound { receiver: None, name: name.into() }));
        }
        if self.with_scope {
            if name == "vars" {
                return Ok({
                    let everything =
                        lazy::Everything(self.session.scope.clone(), lazy::Level::now(), self.session.library);
                    Value::from_object(everything)
                });
            }
            self.session.scope.magic.missing(name);
            if let Some(found) = self.session.variable(name) {
                return self.own(name, found, range);
            }
        }
        Ok(self.undefined(UndefinedReason::Variable(name.into()), range))
    }

    /// A variable of the play as this template sees it; an error in it gets one more step.
    fn own(&mut self, name: &'static str, found: Result<Value, TemplateError>, range: Range<usize>) -> EvalResult {
        match found {
            Ok(value) => match as_undefined(&value) {
                Some(Undefined { what: UndefinedReason::Broken(error), .. }) => {
                    Ok(self.broken(name, error.clone(), range))
                }
                _ => Ok(value),
            },
            Err(error) => Ok(self.broken(name, error, range)),
        }
    }

    fn broken(&self, name: &str, error: TemplateError, range: Range<usize>) -> Value {
        let what = match self.session.scope.find(name) {
            Some(Lazy::Template(template)) => format!("variable `{name}` ({})", template.span),
            _ => format!("variable `{name}`"),
        };
        let step = Via { what, at: self.origin.span(Some(range.clone())) };
        self.undefined(UndefinedReason::Broken(error.through(step)), range)
    }

    /// Reports that the template reads something other than variables.
    pub(crate) fn look_outside(&self, outside: Outside) -> EvalResult<()> {
        match self.session.scope.magic.look_outside(outside) {
            true => Ok(()),
            false => Err(EvalError::new("only variables can be read at this time")),
        }
    }

    /// `parent.name`.
    pub(crate) fn attribute(&mut self, parent: &Value, name: &str, range: Range<usize>) -> EvalResult {
        if as_undefined(parent).is_some() {
            return Ok(parent.clone());
        }
        if parent.is_undefined() {
            return Ok(parent.clone());
        }
        if name.starts_with("__") {
            let kind = show::type_name(parent);
            let message = format!("access to attribute '{name}' of '{kind}' object is unsafe.");
            return Ok(self.undefined(UndefinedReason::Told(message), range));
        }
        if (self.session.library.methods.exists)(parent, name) {
            return Ok(Value::from_object(Bound { receiver: Some(parent.clone()), name: name.into() }));
        }
        let found = match parent.kind() {
            ValueKind::Map | ValueKind::Plain => parent.as_object().and_then(|object| object.get_value_by_str(name)),
            ValueKind::Number | ValueKind::Bool => number_part(parent, name),
            _ => parent
                .downcast_object::<containers::Group>()
                .and_then(|group| minijinja::value::Object::get_value(&group, &name.into())),
        };
        Ok(found.unwrap_or_else(|| {
            self.undefined(UndefinedReason::Attribute { parent: parent.clone(), key: name.into() }, range)
        }))
    }

    /// `parent[key]`.
    pub(crate) fn item(&mut self, parent: &Value, key: &Value, range: Range<usize>) -> EvalResult {
        if is_undefined(parent) {
            return Ok(parent.clone());
        }
        let found = match parent.kind() {
            ValueKind::Map => parent.as_object().and_then(|object| object.get_value(key)),
            ValueKind::Seq | ValueKind::Iterable | ValueKind::String => match Number::of(key) {
                Some(Number::Int(at)) => nth(parent, at),
                _ => None,
            },
            _ => None,
        };
        match (found, key.as_str()) {
            (Some(value), _) => Ok(value),
            (None, Some(name))
                if (self.session.library.methods.exists)(parent, name) || !containers::is_map(parent) =>
            {
                self.attribute(parent, name, range)
            }
            (None, _) => {
                Ok(self.undefined(UndefinedReason::Attribute { parent: parent.clone(), key: key.clone() }, range))
            }
        }
    }

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

    fn filtered(&mut self, filter: &'static ast::Filter<'static>, input: Value) -> EvalResult {
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

/// As in ansible-core: a call that comes upon an undefined value has that value, which `default` may still replace.
fn or_undefined(result: EvalResult) -> EvalResult {
    match result {
        Err(error) => match error.cause {
            Cause::Undefined(value) => Ok(value),
            _ => Err(error),
        },
        value => value,
    }
}

/// The attributes of numbers.
fn number_part(number: &Value, name: &str) -> Option<Value> {
    match (Number::of(number)?, name) {
        (Number::Int(i), "real" | "numerator") => Some(number::int(i)),
        (Number::Int(_), "imag") => Some(Value::from(0)),
        (Number::Int(_), "denominator") => Some(Value::from(1)),
        (Number::Float(f), "real") => Some(Value::from(f)),
        (Number::Float(_), "imag") => Some(Value::from(0.0)),
        _ => None,
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

/// The name without blanks, and the same without the collection that every name has.
fn names(name: &str) -> (String, String) {
    let name: String = name.split_whitespace().collect();
    let short = name.strip_prefix("ansible.builtin.").or_else(|| name.strip_prefix("ansible.legacy."));
    let short = short.unwrap_or(&name).to_owned();
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
fn name_range(page: &ParsedTemplate, within: Range<usize>, name: &str) -> Range<usize> {
    let end = within.end.min(page.masked.len());
    let start = within.start.min(end);
    match page.masked.get(start..end).and_then(|text| text.find(name)) {
        Some(at) => start + at..start + at + name.len(),
        None => start..end,
    }
}

fn nth(value: &Value, at: i128) -> Option<Value> {
    let len = || match value.as_str() {
        Some(text) => Some(text.chars().count()),
        None => value.len(),
    };
    let at = if at < 0 { at + len()? as i128 } else { at };
    let at = usize::try_from(at).ok()?;
    match value.as_str() {
        Some(text) => text.chars().nth(at).map(|c| Value::from(c.to_string())),
        None => match value.kind() {
            ValueKind::Iterable => value.try_iter().ok()?.nth(at),
            _ => value.as_object()?.get_value(&Value::from(at)),
        },
    }
}

/// An existing key that Python considers equal although its type differs: `1` and `true`.
fn twin(entries: &IndexMap<Value, Value>, key: &Value) -> Option<Value> {
    let other = match (key.kind(), Number::of(key)?.float()) {
        (ValueKind::Bool, number) => Value::from(number as i64),
        (_, 0.0) => Value::from(false),
        (_, 1.0) => Value::from(true),
        _ => return None,
    };
    entries.get_key_value(&other).map(|(known, _)| known.clone())
}

fn compared(op: ast::CompareOpKind, left: &Value, right: &Value) -> EvalResult<bool> {
    let order = |sign| ops::order(sign, left, right);
    Ok(match op {
        ast::CompareOpKind::Eq => ops::equal(left, right),
        ast::CompareOpKind::Ne => !ops::equal(left, right),
        ast::CompareOpKind::Lt => order("<")?.is_some_and(|order| order.is_lt()),
        ast::CompareOpKind::Lte => order("<=")?.is_some_and(|order| order.is_le()),
        ast::CompareOpKind::Gt => order(">")?.is_some_and(|order| order.is_gt()),
        ast::CompareOpKind::Gte => order(">=")?.is_some_and(|order| order.is_ge()),
        ast::CompareOpKind::In => lazy::contains(right, left)?,
        ast::CompareOpKind::NotIn => !lazy::contains(right, left)?,
    })
}
