//! The keys of config.ini that a program knows: the core's, and those of its doors.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::dialect::PARAMETERS;
use crate::error::SettingsError;
use crate::key::{AnyKey, Counts};
use crate::keys::{CONFIG, FUNCTION};

/// The keys of config.ini that a program knows, section by section.
#[derive(Debug, Clone)]
pub struct KeyTable {
    keys: Vec<&'static dyn AnyKey>,
    /// False for a program that has no doors, and leaves alone what is a door's.
    knows_doors: bool,
}

impl KeyTable {
    /// The core's keys alone, for a program without doors: what stands in a section of doors is left alone.
    #[must_use]
    pub fn core() -> Self {
        Self { keys: CONFIG.to_vec(), knows_doors: false }
    }

    /// The core's keys and those of all doors that there are; any other is a mistake in a section of theirs.
    #[must_use]
    pub fn with_doors(doors: &[&[&'static dyn AnyKey]]) -> Self {
        let mut keys: Vec<_> = CONFIG.iter().chain(doors.iter().copied().flatten()).copied().collect();
        let sections: Vec<_> = keys.iter().map(|key| key.definition().section).collect();
        // A door's keys stand with those of the core in their section.
        keys.sort_by_key(|key| sections.iter().position(|section| *section == key.definition().section));
        Self { keys, knows_doors: true }
    }

    /// All of them, section by section.
    pub fn iter(&self) -> impl Iterator<Item = &'static dyn AnyKey> {
        self.keys.iter().copied()
    }

    /// The key of this name in a section that has some; none for what is a door's and left alone.
    ///
    /// # Errors
    /// [`SettingsError::UnknownKey`].
    pub(crate) fn find(
        &self,
        section: &str,
        name: &str,
        origin: &str,
    ) -> Result<Option<&'static dyn AnyKey>, SettingsError> {
        let keys: Vec<_> = self.iter().filter(|key| key.definition().is_in(section)).collect();
        let found = keys.iter().find(|key| key.definition().is_called(name)).copied();
        let open = !self.knows_doors && is_of_doors(section);
        if found.is_some() || open {
            return Ok(found);
        }
        Err(SettingsError::UnknownKey {
            origin: origin.to_owned(),
            section: keys.first().map_or(section, |key| key.definition().section).to_owned(),
            key: name.to_owned(),
            known: keys.iter().map(|key| key.definition().name).collect::<Vec<_>>().join(", "),
        })
    }

    /// The same for a section and a key of an environment variable or an option.
    ///
    /// # Errors
    /// [`SettingsError::UnknownKey`], or [`SettingsError::UnknownSetting`].
    pub(crate) fn find_path(
        &self,
        path: Option<(&str, &str)>,
        origin: &str,
    ) -> Result<Option<&'static dyn AnyKey>, SettingsError> {
        match path {
            Some((section, key)) if self.has(section) || !self.knows_doors && is_of_doors(section) => {
                self.find(section, key, origin)
            }
            _ => {
                let sections: BTreeSet<_> = self.iter().map(|key| key.definition().section).collect();
                let known = sections.into_iter().collect::<Vec<_>>().join(", ");
                Err(SettingsError::UnknownSetting { origin: origin.to_owned(), known })
            }
        }
    }

    /// True for a section of config.ini, in any case, that is ours.
    pub(crate) fn is_ours(&self, section: &str) -> bool {
        self.has(section) || section.eq_ignore_ascii_case(PARAMETERS)
    }

    /// True when a section that is not ours is nobody's but plugins'.
    pub(crate) const fn knows_doors(&self) -> bool {
        self.knows_doors
    }

    fn has(&self, section: &str) -> bool {
        self.iter().any(|key| key.definition().is_in(section))
    }

    /// The keys as Markdown tables, as docs/CONFIG.md shows them, with those of a function's section.
    #[must_use]
    pub fn documentation(&self) -> String {
        let mut text = String::new();
        let mut section = "";
        for key in self.iter().chain(FUNCTION.iter().copied()) {
            let about = key.definition();
            if about.section != section {
                section = about.section;
                let _ = write!(
                    text,
                    "\n### `[{section}]`\n\n| key | default | value | what it does |\n| --- | --- | --- | --- |\n"
                );
            }
            let _ = writeln!(text, "{}", row(key));
        }
        text.trim_start().to_owned()
    }
}

fn row(key: &dyn AnyKey) -> String {
    let about = key.definition();
    let default = if about.default.is_empty() { "none".to_owned() } else { format!("`{}`", about.default) };
    let alias = about.alias.map_or_else(String::new, |name| format!(" Also called `{name}`."));
    let variable = about.variable.map_or_else(String::new, |name| format!(" Variable `{name}`."));
    let counts = match about.counts {
        Counts::AtReload => "",
        Counts::AtStart => " *At the next start.*",
    };
    let (name, expects, what) = (about.name, key.expects().replace('|', "\\|"), about.about);
    format!("| {name} | {default} | {expects} | {what}{alias}{variable}{counts} |")
}

/// The sections in which doors have keys, in lower case; a program without doors knows no more of them. The core has keys in
/// `[paths]` too, since it is so in the original plugin server.
pub const SECTIONS_OF_DOORS: [&str; 4] = ["auth", "cors", "file_server", "paths"];

fn is_of_doors(section: &str) -> bool {
    SECTIONS_OF_DOORS.iter().any(|known| section.eq_ignore_ascii_case(known))
}
