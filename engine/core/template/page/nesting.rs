//! Computes the depth of a template's tree before parsing: parsing, evaluating and dropping a tree are recursive.

use std::ops::Range;

use crate::{
    limits,
    template::{
        page::reading::{Reading, find, tag_name},
        value::error::{EvalError, EvalResult},
    },
};

/// How many times deeper than other nesting the operators of one expression may make a tree: `a ~ b ~ ...` is not a
/// recursion, and generated templates have long chains.
const OPERATORS: usize = 10;

/// The stack that a template needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Nesting {
    /// An upper bound of the tree's depth.
    pub depth: usize,
    /// Depth of nested brackets and tags.
    pub brackets: usize,
    /// The place of the maximum depth.
    at: usize,
}

/// Scans a text whose escapes are masked.
///
/// # Errors
/// If the tree would be deeper than [`limits::depth`] allows.
pub(super) fn measure(masked: &str, reading: &Reading) -> EvalResult<Nesting> {
    let mut scan = Scan { bytes: masked.as_bytes(), found: Nesting::default() };
    match reading.bare {
        true => drop(scan.expression(0, None)),
        false => scan.template(reading),
    }
    let found = scan.found;
    let most = limits::depth().saturating_mul(OPERATORS);
    if found.depth <= most {
        return Ok(found);
    }
    let end = (found.at..masked.len()).skip(1).find(|at| masked.is_char_boundary(*at)).unwrap_or(masked.len());
    let place: Range<usize> = found.at.min(end)..end;
    let help = "move parts of it to variables, or raise `recursion_limit` in the section [rplay] of ansible.cfg";
    Err(EvalError::syntax(format!("the expression is more than {most} levels deep"), Some(help.to_owned())).at(place))
}

struct Scan<'t> {
    bytes: &'t [u8],
    found: Nesting,
}

impl Scan<'_> {
    fn rest(&self, at: usize) -> &[u8] {
        self.bytes.get(at..).unwrap_or_default()
    }

    fn note(&mut self, depth: usize, brackets: usize, at: usize) {
        self.found.brackets = self.found.brackets.max(brackets);
        if depth > self.found.depth {
            (self.found.depth, self.found.at) = (depth, at);
        }
    }

    fn template(&mut self, reading: &Reading) {
        let [variable, variable_end, block, block_end, comment, comment_end] =
            reading.delimiters.each_ref().map(|delimiter| delimiter.as_bytes());
        // Each `elif` is in the `else` of the previous one.
        let mut open: Vec<usize> = Vec::new();
        let mut deep = 0;
        let mut at = 0;
        while at < self.bytes.len() {
            let rest = self.rest(at);
            if rest.starts_with(comment) {
                at = find(rest, comment_end).map_or(self.bytes.len(), |end| at + end + comment_end.len());
            } else if rest.starts_with(variable) {
                at = self.expression(at + variable.len(), Some(variable_end));
            } else if rest.starts_with(block) {
                let tag = tag_name(self.rest(at + block.len()));
                match tag {
                    b"raw" => {
                        at = self.after_raw(at, block);
                        continue;
                    }
                    b"elif" => {
                        deep += 1;
                        open.last_mut().into_iter().for_each(|own| *own += 1);
                    }
                    b"if" | b"for" | b"block" | b"macro" | b"call" | b"filter" | b"with" | b"autoescape" => {
                        deep += 1;
                        open.push(1);
                    }
                    tag if tag.starts_with(b"end") => deep -= open.pop().unwrap_or(0).min(deep),
                    _ => {}
                }
                self.note(deep, open.len(), at);
                at = self.expression(at + block.len(), Some(block_end));
            } else {
                at += 1;
            }
        }
    }

    /// The position after the `endraw` of a raw block that begins at `at`.
    fn after_raw(&self, at: usize, block: &[u8]) -> usize {
        let mut at = at + block.len();
        while let Some(next) = find(self.rest(at), block) {
            at += next + block.len();
            if tag_name(self.rest(at)) == b"endraw" {
                return at;
            }
        }
        self.bytes.len()
    }

    /// Scans code up to the delimiter (or the end) and returns the position after it.
    fn expression(&mut self, mut at: usize, end: Option<&[u8]>) -> usize {
        // The number of operators since the last comma, for each open bracket.
        let mut open = vec![0];
        let mut depth = 0;
        let mut quote = None;
        while let Some(&byte) = self.bytes.get(at) {
            let step = |open: &mut Vec<usize>, depth: &mut usize| {
                *depth += 1;
                open.last_mut().into_iter().for_each(|own| *own += 1);
            };
            match (quote, byte) {
                (Some(opened), _) if byte == opened => quote = None,
                (Some(_), _) => {}
                (None, b'\'' | b'"') => quote = Some(byte),
                (None, _) if end.is_some_and(|end| self.rest(at).starts_with(end)) && open.len() == 1 => {
                    return at + end.map_or(0, <[u8]>::len);
                }
                (None, b'(' | b'[' | b'{') => {
                    step(&mut open, &mut depth);
                    open.push(0);
                    self.note(depth, open.len(), at);
                }
                (None, b')' | b']' | b'}') => {
                    // The delimiter ends the code, even with open brackets.
                    if open.len() == 1 || (byte == b'}' && end.is_some_and(|end| self.rest(at).starts_with(end))) {
                        if let Some(end) = end.filter(|end| self.rest(at).starts_with(end)) {
                            return at + end.len();
                        }
                    } else {
                        depth -= open.pop().unwrap_or(0).min(depth);
                    }
                }
                (None, b',' | b':') => {
                    let own = open.last_mut().map(std::mem::take).unwrap_or(0);
                    depth -= own.min(depth);
                }
                (None, b'+' | b'-' | b'*' | b'/' | b'%' | b'~' | b'|' | b'.' | b'<' | b'>' | b'=' | b'!') => {
                    step(&mut open, &mut depth);
                    self.note(depth, open.len(), at);
                }
                (None, byte) if byte.is_ascii_alphabetic() || byte == b'_' => {
                    let word = self.rest(at);
                    let len = word.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
                    if matches!(word.get(..len), Some(b"not" | b"and" | b"or" | b"is" | b"in" | b"if" | b"else")) {
                        step(&mut open, &mut depth);
                        self.note(depth, open.len(), at);
                    }
                    at += len;
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth(text: &str) -> usize {
        measure(text, &Reading::SCALAR).unwrap().depth
    }

    #[test]
    fn chains_and_brackets_are_counted_and_commas_end_a_chain() {
        assert_eq!(depth("no template"), 0);
        assert_eq!(depth("{{ a }}"), 0);
        assert_eq!(depth("{{ a + b ~ c | d }}"), 3);
        assert_eq!(depth("{{ not not a }}"), 2);
        assert_eq!(depth("{{ [a, b, c, d] }} {{ ((1)) }}"), 2);
        assert_eq!(depth("{{ '+ + +' }}{# + + + #}{% raw %}{{ + + + }}{% endraw %}"), 0);
        assert_eq!(depth("{% if a %}{% elif b %}{% elif c %}{% endif %}{% if d %}{% endif %}"), 3);
    }

    #[test]
    fn a_chain_beyond_the_limit_is_refused_at_its_place() {
        let most = limits::depth() * OPERATORS;
        let chain = |len: usize| format!("{{{{ 1{} }}}}", " + 1".repeat(len));
        assert!(measure(&chain(most), &Reading::SCALAR).is_ok());
        assert!(measure(&chain(most + 1), &Reading::SCALAR).is_err());
    }
}
