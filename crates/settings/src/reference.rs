//! The keys for people.

use std::fmt::Write as _;

use crate::key::{AnyKey, Counts};
use crate::keys::{CONFIG, FUNCTION};

/// Every key of config.ini, section by section.
#[must_use]
pub fn reference() -> &'static [&'static dyn AnyKey] {
    CONFIG
}

/// Every key that a function's section in modules.ini may have.
#[must_use]
pub fn function_reference() -> &'static [&'static dyn AnyKey] {
    FUNCTION
}

/// The reference as Markdown tables, as docs/CONFIG.md shows it.
#[must_use]
pub fn key_documentation() -> String {
    let mut text = String::new();
    let mut section = "";
    for key in reference().iter().chain(function_reference()) {
        let about = key.definition();
        if about.section != section {
            section = about.section;
            let _ = write!(
                text,
                "\n### `[{section}]`\n\n| key | default | value | what it does |\n| --- | --- | --- | --- |\n"
            );
        }
        let default =
            if about.default.is_empty() { "none".to_owned() } else { format!("`{}`", about.default) };
        let alias = about.alias.map_or_else(String::new, |name| format!(" Also called `{name}`."));
        let variable = about.variable.map_or_else(String::new, |name| format!(" Variable `{name}`."));
        let counts = match about.counts {
            Counts::AtReload => "",
            Counts::AtStart => " *At the next start.*",
        };
        let _ = writeln!(
            text,
            "| {} | {default} | {} | {}{alias}{variable}{counts} |",
            about.name,
            key.expects().replace('|', "\\|"),
            about.about
        );
    }
    text.trim_start().to_owned()
}
