//! The language of a module, and how it expects its arguments.

use std::sync::LazyLock;

use regex::bytes::Regex;
use rplay_contract::external::Style;

static IMPORTS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    // At any indentation: an import may be in a function or in `try`.
    Regex::new(concat!(
        r"(?m)^[ \t]*(?:from[ \t]+(?:ansible\.module_utils|ansible_collections\.[\w.]+\.module_utils|\.+[\w.]*)[\w.]*[ \t]+import\b",
        r"|from[ \t]+ansible[ \t]+import[ \t]+module_utils\b",
        r"|import[ \t]+(?:ansible\.module_utils|ansible_collections\.[\w.]+\.module_utils)\b)"
    ))
    .ok()
});

/// The style of a module file with this name and content, by Ansible's conventions; `None` for a Windows module
/// (PowerShell).
pub(super) fn style_of(name: &str, content: &[u8]) -> Option<Style> {
    let holds = |what: &[u8]| content.windows(what.len()).any(|window| window == what);
    if name.ends_with(".ps1") || holds(b"#Requires -Module") || holds(b"# POWERSHELL_COMMON") {
        return None;
    }
    if is_binary(content) {
        return Some(Style::Json);
    }
    if holds(b"#<<INCLUDE_ANSIBLE_MODULE_COMMON>>") || IMPORTS.as_ref().is_some_and(|imports| imports.is_match(content))
    {
        return Some(Style::Python);
    }
    if holds(b"<<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>") {
        return Some(Style::JsonArgs);
    }
    Some(if holds(b"WANT_JSON") { Style::Json } else { Style::Pairs })
}

/// Whether the beginning contains bytes that do not occur in text.
pub(super) fn is_binary(content: &[u8]) -> bool {
    let head = content.get(..1024).unwrap_or(content);
    head.iter().any(|byte| matches!(byte, 0..=6 | 14..=26 | 28..=31 | 127))
}

/// The program in the shebang line, without `#!`.
pub(super) fn shebang(content: &[u8]) -> Option<String> {
    let line = content.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    Some(String::from_utf8_lossy(line).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_tells_the_style() {
        for (content, style) in [
            ("from ansible.module_utils.basic import AnsibleModule\n", Style::Python),
            ("def main():\n    import ansible.module_utils.basic\n", Style::Python),
            ("from ansible_collections.a.b.plugins.module_utils.x import y\n", Style::Python),
            ("from ..module_utils.x import y\n", Style::Python),
            ("from ansible.module_utils import basic\n", Style::Python),
            ("#<<INCLUDE_ANSIBLE_MODULE_COMMON>>\n", Style::Python),
            ("# from ansible.module_utils.basic import x, WANT_JSON\n", Style::Json),
            ("#!/usr/bin/python\nprint('<<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>')\n", Style::JsonArgs),
            ("#!/bin/sh\necho from x import\n", Style::Pairs),
            ("\u{7f}ELF\u{2}", Style::Json),
        ] {
            assert_eq!(style_of("m", content.as_bytes()), Some(style), "{content}");
        }
        assert_eq!(style_of("m", b"#Requires -Module Ansible.ModuleUtils.Legacy\n"), None);
        assert_eq!(style_of("m.ps1", b"x"), None);
        assert_eq!(shebang(b"#! /usr/bin/env ruby \nx"), Some("/usr/bin/env ruby".to_owned()));
    }
}
