//! Evaluates expressions on the parser's tree, with Python's semantics.

use std::{collections::HashMap, ops::Range, path::PathBuf, sync::Arc};

use indexmap::IndexMap;
use minijinja::{
    Value,
    machinery::{Span, ast},
    value::{Tuple, ValueKind},
};

use crate::{
    limits,
    template::{
        error::TemplateError,
        eval::{
            blocks::Block,
            calls::{name_range, or_undefined},
            frame::Frame,
            lazy,
            session::Session,
        },
        origin::Origin,
        page::parsed_template::ParsedTemplate,
        value::{
            containers, depth,
            error::{EvalError, EvalResult},
            items,
            number::Number,
            ops, show, size,
            undefined::{Undefined, UndefinedReason, present},
        },
    },
    vars::Outside,
};

/// Evaluates one page.
pub(crate) struct Machine<'s> {
    pub session: &'s Session,
    pub page: &'static ParsedTemplate,
    pub origin: Arc<Origin>,
    pub frames: Vec<Arc<Frame>>,
    /// Whether the play's variables are visible: not in `include ... without context`.
    pub with_scope: bool,
    /// The directory of the template file.
    pub directory: Option<PathBuf>,
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
            directory: None,
            blocks: HashMap::new(),
            current: None,
        }
    }

    /// Adds the place in the file to an error.
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
                depth::check_depth(&items)?;
                Ok(if self.page.mutates { containers::List::of(items) } else { Value::from(items) })
            }
            ast::Expr::Tuple(tuple) => {
                let items = tuple.items.iter().map(|item| self.expr(item)).collect::<EvalResult<Vec<_>>>()?;
                depth::check_depth(&items)?;
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
                depth::check_depth(entries.values())?;
                Ok(if self.page.mutates { containers::Dict::of(entries) } else { Value::from_object(entries) })
            }
        }
    }

    pub(super) fn literal(&self, value: &Value) -> EvalResult {
        let meant = match value.as_str() {
            Some(text) => self.page.unmask(text)?,
            None => None,
        };
        Ok(meant.map_or_else(|| value.clone(), Value::from))
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

    /// Reports that the template reads something other than variables.
    pub(crate) fn look_outside(&self, outside: Outside) -> EvalResult<()> {
        match self.session.scope.magic.look_outside(outside) {
            true => Ok(()),
            false => Err(EvalError::new("only variables can be read at this time")),
        }
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
        ast::CompareOpKind::Eq => ops::compared(left, right)?,
        ast::CompareOpKind::Ne => !ops::compared(left, right)?,
        ast::CompareOpKind::Lt => order("<")?.is_some_and(|order| order.is_lt()),
        ast::CompareOpKind::Lte => order("<=")?.is_some_and(|order| order.is_le()),
        ast::CompareOpKind::Gt => order(">")?.is_some_and(|order| order.is_gt()),
        ast::CompareOpKind::Gte => order(">=")?.is_some_and(|order| order.is_ge()),
        ast::CompareOpKind::In => lazy::contains(right, left)?,
        ast::CompareOpKind::NotIn => !lazy::contains(right, left)?,
    })
}
