//! Runs the statements of a template: loops, conditions, macros, blocks, other files.

use std::sync::Arc;

use minijinja::{Value, machinery::ast};

use crate::{
    limits,
    template::{
        eval::{
            machine::{Machine, range},
            render,
        },
        extensions,
        output::Output,
        page::parsed_template::Body,
        value::{
            containers, depth,
            error::{EvalError, EvalResult},
            freeze, items,
            undefined::{UndefinedReason, present},
        },
    },
};

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

    /// Runs the whole page; a note replaces each output expression that has no value.
    pub(crate) fn run_noting(&mut self, notes: &mut Vec<String>) -> EvalResult<Output> {
        let Body::Template(ast::Stmt::Template(template)) = &self.page.body else { return self.run() };
        let is_plain = |child: &ast::Stmt<'_>| matches!(child, ast::Stmt::EmitRaw(_) | ast::Stmt::EmitExpr(_));
        if !template.children.iter().all(is_plain) {
            return self.run();
        }
        self.frames.push(Arc::default());
        let mut out = Output::default();
        for child in &template.children {
            let ast::Stmt::EmitExpr(emit) = child else {
                self.statement(child, &mut out)?;
                continue;
            };
            let value = self.expr(&emit.expr).and_then(|value| freeze::freeze_noting(value, notes));
            let value = match value {
                Ok(value) => value,
                Err(error) => freeze::note(notes, self.place(error).to_string()),
            };
            out.value(value, range(emit.expr.span()))?;
        }
        Ok(out)
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

    pub(super) fn set(&mut self, name: &'static str, value: Value) {
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
                        self.undefined(UndefinedReason::Message(message), range(var.span()))
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

    pub(super) fn assign(&mut self, target: &'static ast::Expr<'static>, value: Value) -> EvalResult<()> {
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
                        depth::check_depth([&value])?;
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

    /// Runs one more level of calls, unless it is too deep.
    pub(crate) fn guarded<T>(&mut self, run: impl FnOnce(&mut Self) -> EvalResult<T>) -> EvalResult<T> {
        render::deeper(|| run(self))
    }
}
