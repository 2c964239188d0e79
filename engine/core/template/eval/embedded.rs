//! Templates within string literals, which ansible-core 2.19 still renders in conditions and in the terms of lookups.

use std::{ops::Range, sync::Arc};

use indexmap::IndexMap;
use minijinja::{Value, machinery::ast};

use crate::{
    syntax::Style,
    template::{
        args::Args,
        eval::{
            machine::{Machine, range},
            render,
        },
        value::{containers, error::EvalResult, items, undefined::UndefinedReason},
    },
    vars::{Lazy, Lenience, Template, holds_template},
};

impl Machine<'_> {
    /// Renders a string literal that contains a template. ansible-core 2.19 does this in conditions and in the terms of
    /// lookups, with a warning, unless ALLOW_EMBEDDED_TEMPLATES is off.
    pub(super) fn embedded(&self, value: Value, at: Range<usize>) -> EvalResult {
        let magic = &self.session.scope.magic;
        let Some(text) = value.as_str().filter(|text| holds_template(text)) else { return Ok(value) };
        if !magic.allows(Lenience::EmbeddedTemplates) {
            return Ok(value);
        }
        let place = self.origin.span(Some(at.clone()));
        magic.warn(
            "Jinja constant strings should not contain embedded templates. \
             This feature will be disabled by default in ansible-core 2.23.",
            Some(&place),
        );
        let template = Template { text: text.into(), span: place, style: Style::Plain };
        // Parts may be undefined; using them is the error.
        let template = Lazy::Template(Arc::new(template));
        let rendered = render::render_lazily(&template, &self.session.scope, None, self.session.library);
        // An error is reported only when the value is used, since `is defined` may ask for it.
        Ok(rendered.unwrap_or_else(|error| self.undefined(UndefinedReason::Broken(error), at)))
    }

    /// The terms of a lookup, whose literals may contain templates.
    pub(super) fn terms(&mut self, args: &'static [ast::CallArg<'static>]) -> EvalResult<Args> {
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
}
