//! Runs the statements of a template: loops, conditions, macros, blocks, other files.

use std::{fmt, sync::Arc};

use indexmap::IndexMap;
use minijinja::{
    Value,
    machinery::ast,
    value::{Object, ObjectRepr, Tuple},
};
use parking_lot::Mutex;

use crate::{
    limits,
    template::{
        args::Args,
        eval::{
            callable::Macro,
            machine::{Machine, range},
            render,
        },
        extensions,
        origin::Origin,
        output::Output,
        page::parsed_template::{Body, ParsedTemplate},
        value::{
            containers, depth,
            error::{EvalError, EvalResult},
            items,
            undefined::{UndefinedReason, present},
        },
    },
};

/// One definition of a `{% block %}`.
#[derive(Clone)]
pub(crate) struct Block {
    page: &'static ParsedTemplate,
    origin: Arc<Origin>,
    body: &'static [ast::Stmt<'static>],
}

/// The variable `loop`.
pub(crate) struct Loop {
    node: &'static ast::ForLoop<'static>,
    at: usize,
    depth: usize,
    items: Arc<Vec<Value>>,
    /// The last arguments of `loop.changed()`.
    last: Arc<Mutex<Option<Vec<Value>>>>,
}

impl fmt::Debug for Loop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<loop {}/{}>", self.at + 1, self.items.len())
    }
}

impl Object for Loop {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let len = self.items.len();
        Some(match key {
            "index" => Value::from(self.at + 1),
            "index0" => Value::from(self.at),
            "revindex" => Value::from(len - self.at),
            "revindex0" => Value::from(len - self.at - 1),
            "first" => Value::from(self.at == 0),
            "last" => Value::from(self.at + 1 == len),
            "length" => Value::from(len),
            "depth" => Value::from(self.depth + 1),
            "depth0" => Value::from(self.depth),
            "previtem" => self.items.get(self.at.checked_sub(1)?)?.clone(),
            "nextitem" => self.items.get(self.at + 1)?.clone(),
            _ => return None,
        })
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }
}

impl Loop {
    /// `loop.cycle(...)` and `loop.changed(...)`.
    pub(crate) fn call(&self, method: &str, mut args: Args) -> EvalResult {
        let args = args.rest()?;
        match method {
            "cycle" => match args.len() {
                0 => Err(EvalError::new("no items for cycling given")),
                len => Ok(args.get(self.at % len).cloned().unwrap_or_default()),
            },
            _ => {
                let mut last = self.last.lock();
                let changed = last.as_ref() != Some(&args);
                *last = Some(args);
                Ok(Value::from(changed))
            }
        }
    }
}

impl Machine<'_> {
    /// Runs the whole page.
    pub(crate) fn run(&mut self) -> EvalResult<Output> {
        let mut out = Output::default();
        match &self.page.body {
            Body::Expression(expr) => {
                let value = self.expr(expr)?;
                out.value(value, range(expr.span()))?;
            }
            Body::Template(ast::Stmt::Template(template)) => {
                if let [ast::Stmt::EmitExpr(emit)] = template.children.as_slice()
                    && !self.page.mutates
                {
                    let value = self.expr(&emit.expr)?;
                    out.value(value, range(emit.expr.span()))?;
                    return Ok(out);
                }
                self.frames.push(Arc::default());
                self.collect_blocks(&template.children);
                self.body(&template.children, &mut out)?;
            }
            Body::Template(statement) => self.statement(statement, &mut out)?,
        }
        Ok(out)
    }

    /// Collects the blocks of a page, those of derived templates first.
    pub(crate) fn collect_blocks(&mut self, body: &'static [ast::Stmt<'static>]) {
        for statement in body {
            if let ast::Stmt::EmitRaw(_) | ast::Stmt::EmitExpr(_) | ast::Stmt::Set(_) = statement {
                continue;
            }
            limits::with_stack(|| match statement {
                ast::Stmt::Block(block) => {
                    let definition = Block { page: self.page, origin: self.origin.clone(), body: &block.body };
                    self.blocks.entry(block.name).or_default().push(definition);
                    self.collect_blocks(&block.body);
                }
                ast::Stmt::ForLoop(node) => {
                    self.collect_blocks(&node.body);
                    self.collect_blocks(&node.else_body);
                }
                ast::Stmt::IfCond(node) => {
                    self.collect_blocks(&node.true_body);
                    self.collect_blocks(&node.false_body);
                }
                ast::Stmt::WithBlock(node) => self.collect_blocks(&node.body),
                ast::Stmt::FilterBlock(node) => self.collect_blocks(&node.body),
                ast::Stmt::AutoEscape(node) => self.collect_blocks(&node.body),
                _ => {}
            });
        }
    }

    pub(crate) fn body(&mut self, body: &'static [ast::Stmt<'static>], out: &mut Output) -> EvalResult<()> {
        for (at, statement) in body.iter().enumerate() {
            if let ast::Stmt::Extends(extends) = statement {
                // The rest only defines blocks and has no output.
                for statement in body.iter().skip(at + 1) {
                    let writes = matches!(
                        statement,
                        ast::Stmt::EmitExpr(_)
                            | ast::Stmt::EmitRaw(_)
                            | ast::Stmt::Block(_)
                            | ast::Stmt::Include(_)
                            | ast::Stmt::CallBlock(_)
                            | ast::Stmt::FilterBlock(_)
                    );
                    if !writes {
                        self.statement(statement, &mut Output::default())?;
                    }
                }
                return self.extend_template(extends, out);
            }
            self.statement(statement, out)?;
        }
        Ok(())
    }

    /// Runs with a new frame of names.
    pub(crate) fn scoped<T>(&mut self, run: impl FnOnce(&mut Self) -> EvalResult<T>) -> EvalResult<T> {
        self.frames.push(Arc::default());
        let result = run(self);
        self.frames.pop();
        result
    }

    fn set(&mut self, name: &'static str, value: Value) {
        if let Some(frame) = self.frames.last() {
            frame.set(name, value);
        }
    }

    fn statement(&mut self, statement: &'static ast::Stmt<'static>, out: &mut Output) -> EvalResult<()> {
        match statement {
            ast::Stmt::Template(template) => self.body(&template.children, out),
            ast::Stmt::EmitRaw(raw) => {
                match raw.raw.contains('\r') {
                    true => out.text(&raw.raw.replace("\r\n", "\n"))?,
                    false => out.text(raw.raw)?,
                }
                Ok(())
            }
            ast::Stmt::EmitExpr(emit) => {
                let value = self.expr(&emit.expr)?;
                out.value(value, range(emit.expr.span()))
            }
            ast::Stmt::IfCond(node) => match items::truth(&self.value(&node.expr)?) {
                true => limits::with_stack(|| self.body(&node.true_body, out)),
                false => limits::with_stack(|| self.body(&node.false_body, out)),
            },
            ast::Stmt::ForLoop(node) => {
                let items = self.value(&node.iter)?;
                self.iterate(node, &items, 0, out).map_err(|error| error.at(range(node.iter.span())))
            }
            ast::Stmt::WithBlock(node) => {
                let values =
                    node.assignments.iter().map(|(_, expr)| self.expr(expr)).collect::<EvalResult<Vec<_>>>()?;
                self.scoped(|machine| {
                    for ((target, _), value) in node.assignments.iter().zip(values) {
                        machine.assign(target, value)?;
                    }
                    machine.body(&node.body, out)
                })
            }
            ast::Stmt::Set(set) => {
                let value = self.expr(&set.expr)?;
                // Two names for the same list see the same changes.
                let value = if self.page.mutates && containers::is_data(&value) { items::thaw(&value) } else { value };
                self.assign(&set.target, value)
            }
            ast::Stmt::SetBlock(set) => {
                let mut inner = Output::default();
                self.scoped(|machine| machine.body(&set.body, &mut inner))?;
                let value = inner.captured()?;
                let value = match &set.filter {
                    Some(chain) => self.filter_chain(chain, value)?,
                    None => value,
                };
                self.assign(&set.target, value)
            }
            ast::Stmt::AutoEscape(node) => self.body(&node.body, out),
            ast::Stmt::FilterBlock(node) => {
                let mut inner = Output::default();
                self.scoped(|machine| machine.body(&node.body, &mut inner))?;
                let value = self.filter_chain(&node.filter, Value::from(inner.into_text()?))?;
                out.value(value, range(node.filter.span()))
            }
            ast::Stmt::Block(block) => {
                let value = self.block(block.name, 0)?;
                out.value(value, range(block.span()))
            }
            ast::Stmt::Extends(extends) => self.extend_template(extends, out),
            ast::Stmt::Include(include) => self.include(include, out).map_err(|error| error.at(range(include.span()))),
            ast::Stmt::Import(import) => {
                let at = range(import.span());
                let with_context = self.with_context(&at);
                let module = self.import(&import.expr, with_context).map_err(|error| error.at(at))?;
                let entries = module.all().into_iter().map(|(name, value)| (Value::from(name), value));
                let module = containers::Dict::of(entries.collect());
                self.assign(&import.name, module)
            }
            ast::Stmt::FromImport(import) => {
                let at = range(import.span());
                let with_context = self.with_context(&at);
                let module = self.import(&import.expr, with_context).map_err(|error| error.at(at))?;
                for (name, alias) in &import.names {
                    let ast::Expr::Var(var) = name else { continue };
                    let value = module.get(var.id).unwrap_or_else(|| {
                        let message = format!("the template does not export the requested name '{}'", var.id);
                        self.undefined(UndefinedReason::Told(message), range(var.span()))
                    });
                    self.assign(alias.as_ref().unwrap_or(name), value)?;
                }
                Ok(())
            }
            ast::Stmt::Macro(decl) => {
                let value = self.close_over(decl);
                self.set(decl.name, value);
                Ok(())
            }
            ast::Stmt::CallBlock(node) => {
                let caller = self.close_over(&node.macro_decl);
                let callee = self.value(&node.call.expr)?;
                let mut args = self.args(&node.call.args)?;
                args.named.push(("caller".into(), caller));
                let at = range(node.call.span());
                let value = self.call_value(&callee, args).map_err(|error| error.at(at.clone()))?;
                out.value(value, at)
            }
            ast::Stmt::Do(node) if extensions::has_do() => self.call(&node.call).map(drop),
            ast::Stmt::Do(node) => {
                let help = "write `{% set _ = ... %}`".to_owned();
                Err(EvalError::syntax("Encountered unknown tag 'do'.", Some(help)).at(range(node.span())))
            }
        }
    }

    fn assign(&mut self, target: &'static ast::Expr<'static>, value: Value) -> EvalResult<()> {
        match target {
            ast::Expr::Var(var) => {
                self.set(var.id, value);
                Ok(())
            }
            ast::Expr::List(targets) => {
                let values = items::items(&present(value)?)?;
                if values.len() != targets.items.len() {
                    let (want, got) = (targets.items.len(), values.len());
                    return Err(EvalError::new(match got < want {
                        true => format!("not enough values to unpack (expected {want}, got {got})"),
                        false => format!("too many values to unpack (expected {want})"),
                    })
                    .at(range(target.span())));
                }
                targets.items.iter().zip(values).try_for_each(|(target, value)| self.assign(target, value))
            }
            ast::Expr::GetAttr(attr) => {
                let parent = self.value(&attr.expr)?;
                match parent.downcast_object_ref::<containers::Dict>() {
                    Some(namespace) => {
                        depth::nests([&value])?;
                        namespace.entries().insert(Value::from(attr.name), value);
                        Ok(())
                    }
                    None => Err(EvalError::with_help(
                        "cannot assign attribute on non-namespace object",
                        "create one first: `{% set ns = namespace(count=0) %}`",
                    )
                    .at(range(target.span()))),
                }
            }
            _ => Err(EvalError::syntax("cannot assign to this", None).at(range(target.span()))),
        }
    }

    fn iterate(
        &mut self,
        node: &'static ast::ForLoop<'static>,
        iterable: &Value,
        depth: usize,
        out: &mut Output,
    ) -> EvalResult<()> {
        let mut items = items::items(iterable)?;
        if let Some(filter) = &node.filter_expr {
            let mut kept = Vec::with_capacity(items.len());
            for item in items {
                let keep = self.scoped(|machine| {
                    machine.assign(&node.target, item.clone())?;
                    machine.value(filter)
                })?;
                if items::truth(&keep) {
                    kept.push(item);
                }
            }
            items = kept;
        }
        if items.is_empty() {
            return self.scoped(|machine| machine.body(&node.else_body, out));
        }
        let items = Arc::new(items);
        let last = Arc::default();
        for (at, item) in items.iter().enumerate() {
            self.scoped(|machine| {
                machine.assign(&node.target, item.clone())?;
                let state = Loop { node, at, depth, items: items.clone(), last: Arc::clone(&last) };
                machine.set("loop", Value::from_object(state));
                machine.body(&node.body, out)
            })?;
        }
        Ok(())
    }

    /// `loop(...)` in a recursive loop.
    pub(crate) fn recurse(&mut self, state: &Loop, items: &Value) -> EvalResult {
        if !state.node.recursive {
            return Err(EvalError::with_help(
                "the loop must have the `recursive` marker to be called recursively",
                "write `{% for ... in ... recursive %}`",
            ));
        }
        let mut out = Output::default();
        self.guarded(|machine| machine.iterate(state.node, items, state.depth + 1, &mut out))?;
        out.captured()
    }

    /// Runs one more level of calls, unless it is too deep.
    pub(crate) fn guarded<T>(&mut self, run: impl FnOnce(&mut Self) -> EvalResult<T>) -> EvalResult<T> {
        render::deeper(|| run(self))
    }

    fn close_over(&mut self, decl: &'static ast::Macro<'static>) -> Value {
        self.session.keep.borrow_mut().extend(self.frames.iter().cloned());
        Value::from_object(Macro {
            page: self.page,
            origin: self.origin.clone(),
            decl,
            frames: self.frames.iter().map(Arc::downgrade).collect(),
            with_scope: self.with_scope,
        })
    }

    pub(crate) fn call_macro(&mut self, object: &Macro, args: Args) -> EvalResult {
        let decl = object.decl;
        let mut machine = Machine::new(self.session, object.page, object.origin.clone());
        machine.frames = object.frames.iter().filter_map(std::sync::Weak::upgrade).collect();
        machine.with_scope = object.with_scope;
        machine.folder = self.folder.clone();
        machine.frames.push(Arc::default());
        let mut out = Output::default();
        // Default values of parameters may call macros too.
        let result = render::deeper(|| {
            machine.bind(decl, args)?;
            machine.body(&decl.body, &mut out)
        });
        match result.and_then(|()| out.captured()) {
            Ok(value) => Ok(value),
            Err(error) if Arc::ptr_eq(&object.origin, &self.origin) => Err(error),
            Err(error) => Err(machine.place(error).into()),
        }
    }

    /// Binds arguments to the parameters of a macro.
    fn bind(&mut self, decl: &'static ast::Macro<'static>, args: Args) -> EvalResult<()> {
        let mut positional = args.positional.into_iter();
        let mut named: IndexMap<String, Value> = args.named.into_iter().collect();
        let first_default = decl.args.len() - decl.defaults.len();
        for (at, arg) in decl.args.iter().enumerate() {
            let ast::Expr::Var(var) = arg else { continue };
            let value = match positional.next().or_else(|| named.shift_remove(var.id)) {
                Some(value) => containers::settled(value),
                None => match at.checked_sub(first_default).and_then(|at| decl.defaults.get(at)) {
                    Some(default) => self.expr(default)?,
                    None => {
                        let message = format!("parameter '{}' was not provided", var.id);
                        self.undefined(UndefinedReason::Told(message), range(var.span()))
                    }
                },
            };
            self.set(var.id, value);
        }
        let text = self.page.masked;
        match named.shift_remove("caller") {
            Some(caller) => self.set("caller", caller),
            None if text.contains("caller") => {
                let none = UndefinedReason::Told("No caller defined".to_owned());
                let none = self.undefined(none, 0..self.page.text.len());
                self.set("caller", none);
            }
            None => {}
        }
        let rest: Vec<Value> = positional.collect();
        if !rest.is_empty() && !text.contains("varargs") {
            let count = decl.args.len();
            return Err(EvalError::new(format!("macro '{}' takes not more than {count} argument(s)", decl.name)));
        }
        if let Some(name) = named.keys().next()
            && !text.contains("kwargs")
        {
            return Err(EvalError::new(format!("macro '{}' takes no keyword argument '{name}'", decl.name)));
        }
        self.set("varargs", Value::from(Tuple::from(rest)));
        let kwargs: IndexMap<Value, Value> = named.into_iter().map(|(name, value)| (name.into(), value)).collect();
        self.set("kwargs", Value::from_object(kwargs));
        Ok(())
    }

    /// The output of a block's definition.
    pub(crate) fn block(&mut self, name: &'static str, at: usize) -> EvalResult {
        let Some(block) = self.blocks.get(name).and_then(|blocks| blocks.get(at)).cloned() else {
            return Err(EvalError::new(match at {
                0 => format!("unknown block '{name}'"),
                _ => format!("there is no parent block called '{name}'"),
            }));
        };
        let before = (self.page, self.origin.clone(), self.current.replace((name, at)));
        let foreign = !Arc::ptr_eq(&block.origin, &self.origin);
        (self.page, self.origin) = (block.page, block.origin);
        let mut out = Output::default();
        let result = self.guarded(|machine| machine.scoped(|machine| machine.body(block.body, &mut out)));
        let result = result.and_then(|()| out.captured());
        let result = result.map_err(|error| if foreign { self.place(error).into() } else { error });
        (self.page, self.origin, self.current) = before;
        result
    }
}
