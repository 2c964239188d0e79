//! Statements that load other template files: `extends`, `include`, `import`.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use minijinja::machinery::ast;

use crate::{
    source::Source,
    template::{
        error::Via,
        eval::{
            frame::Frame,
            machine::{Machine, range},
            render,
        },
        origin::Origin,
        output::Output,
        page::{
            parsed_template::{Body, ParsedTemplate},
            reading::Reading,
        },
        value::{
            error::{Cause, EvalError, EvalResult},
            items, show,
        },
    },
    vars::Outside,
};

impl Machine<'_> {
    pub(crate) fn extend_template(
        &mut self,
        extends: &'static ast::Extends<'static>,
        out: &mut Output,
    ) -> EvalResult<()> {
        let name = self.value(&extends.name)?;
        let (page, origin, directory) =
            self.load(&show::text(&name)?).map_err(|error| error.at(range(extends.name.span())))?;
        let before = (self.page, self.origin.clone(), self.directory.clone());
        (self.page, self.origin, self.directory) = (page, origin, directory);
        let result = match &page.body {
            Body::Template(ast::Stmt::Template(template)) => {
                self.collect_blocks(&template.children);
                self.guarded(|machine| machine.scoped(|machine| machine.body(&template.children, out)))
            }
            _ => Ok(()),
        };
        let result = result.map_err(|error| self.place(error).into());
        (self.page, self.origin, self.directory) = before;
        result
    }

    pub(crate) fn include(
        &mut self,
        include: &'static ast::Spanned<ast::Include<'static>>,
        out: &mut Output,
    ) -> EvalResult<()> {
        let name = self.value(&include.name)?;
        let names = match name.as_str() {
            Some(name) => vec![name.to_owned()],
            None => items::items(&name)?.iter().map(show::text).collect::<EvalResult<_>>()?,
        };
        let without = self
            .page
            .masked
            .get(range(include.span()))
            .is_some_and(|tag| tag.split_whitespace().rev().any(|word| word == "without"));
        for name in &names {
            if self.find_template(name).is_none() {
                continue;
            }
            let (page, origin, directory) = self.load(name)?;
            let mut machine = Machine::new(self.session, page, origin);
            machine.directory = directory;
            machine.with_scope = self.with_scope && !without;
            if !without {
                machine.frames = self.frames.clone();
            }
            let result = render::deeper(|| machine.run()).and_then(Output::into_text);
            return match result {
                Ok(text) => out.text(&text),
                Err(error) => {
                    let at = self.origin.span(Some(range(include.span())));
                    Err(machine.place(error).through(Via { what: format!("template `{name}`"), at }).into())
                }
            };
        }
        match include.ignore_missing {
            true => Ok(()),
            false if names.len() == 1 => Err(self.not_found(&names.concat())),
            false => {
                let message = format!("none of the templates given were found: {}", names.join(", "));
                Err(EvalError::new(message))
            }
        }
    }

    pub(crate) fn import(&mut self, name: &'static ast::Expr<'static>, with_context: bool) -> EvalResult<Arc<Frame>> {
        let name = show::text(&self.value(name)?)?;
        let (page, origin, directory) = self.load(&name)?;
        let mut machine = Machine::new(self.session, page, origin);
        machine.directory = directory;
        machine.with_scope = self.with_scope && with_context;
        let module: Arc<Frame> = Arc::default();
        machine.frames = if with_context { self.frames.clone() } else { vec![] };
        machine.frames.push(module.clone());
        let result = match &page.body {
            Body::Template(ast::Stmt::Template(template)) => {
                render::deeper(|| machine.body(&template.children, &mut Output::default()))
            }
            _ => Ok(()),
        };
        self.session.keep.borrow_mut().push(module.clone());
        match result {
            Ok(()) => Ok(module),
            Err(error) => Err(machine.place(error).into()),
        }
    }

    /// Whether an import has `with context`.
    pub(crate) fn with_context(&self, tag: &std::ops::Range<usize>) -> bool {
        let words = self.page.masked.get(tag.clone()).unwrap_or_default();
        words.split_whitespace().rev().take(2).eq(["context", "with"])
    }

    /// The path of another template: next to this one, or in the directories of the role and the play.
    pub(crate) fn find_template(&self, name: &str) -> Option<PathBuf> {
        let name = Path::new(name);
        if name.is_absolute() {
            return name.is_file().then(|| name.to_owned());
        }
        self.template_directories().map(|directory| directory.join(name)).find(|path| path.is_file())
    }

    fn template_directories(&self) -> impl Iterator<Item = PathBuf> {
        let directories = self
            .session
            .scope
            .directories
            .iter()
            .flat_map(|directory| [directory.join("templates"), directory.clone()]);
        self.directory.iter().cloned().chain(directories)
    }

    fn not_found(&self, name: &str) -> Box<EvalError> {
        let directories =
            self.template_directories().map(|directory| format!("'{}'", directory.display())).collect::<Vec<_>>();
        let help = "searched next to this template, then in `templates/` of the role and of the playbook";
        EvalError::with_help(format!("'{name}' not found in search paths: {}", directories.join(", ")), help)
    }

    fn load(&self, name: &str) -> EvalResult<(&'static ParsedTemplate, Arc<Origin>, Option<PathBuf>)> {
        self.look_outside(Outside::Files)?;
        let path = self.find_template(name).ok_or_else(|| self.not_found(name))?;
        let source = Source::read(&path).map_err(|error| EvalError::new(format!("cannot read `{name}`: {error}")))?;
        let directory = path.parent().map(Path::to_owned);
        let origin = Arc::new(Origin::File(source.clone(), 0));
        let reading = Reading { escapes: true, bare: false, ..self.page.reading.clone() };
        match ParsedTemplate::of(&source.text, &reading) {
            Ok(page) => Ok((page, origin, directory)),
            Err(error) => Err(match error.cause {
                Cause::Placed(_) => error,
                _ => error.place(&origin, &self.session.scope, false).into(),
            }),
        }
    }
}
