//! Blocks, and their definitions in derived templates.

use std::sync::Arc;

use minijinja::machinery::ast;

use crate::{
    limits,
    template::{
        eval::machine::Machine,
        origin::Origin,
        output::Output,
        page::parsed_template::ParsedTemplate,
        value::error::{EvalError, EvalResult},
    },
};

/// One definition of a `{% block %}`.
#[derive(Clone)]
pub(crate) struct Block {
    page: &'static ParsedTemplate,
    origin: Arc<Origin>,
    body: &'static [ast::Stmt<'static>],
}

impl Machine<'_> {
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
