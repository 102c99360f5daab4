//! A strict reader of INI files.
//!
//! `[section]`, then `key=value` or `key: value`; `#` and `;` begin a comment at the start of a line only. Names are
//! compared without case and must not repeat. `%%` stands for `%`, and a single `%` for itself. Control characters are
//! refused: a lone carriage return would hide a setting at the end of another line.

use crate::error::SettingsError;

/// A file's sections in their order.
#[derive(Debug)]
pub(crate) struct Ini {
    pub(crate) sections: Vec<Section>,
}

/// One section with its keys in their order.
#[derive(Debug)]
pub(crate) struct Section {
    /// The name, lower-cased.
    pub(crate) name: String,
    /// The file and line, for messages.
    pub(crate) origin: String,
    pub(crate) entries: Vec<Entry>,
}

/// One line with a value.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The key, lower-cased.
    pub(crate) key: String,
    pub(crate) value: String,
    /// The file and line, for messages.
    pub(crate) origin: String,
}

impl Ini {
    /// Reads a file's text; `file` is how messages name it.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Self, SettingsError> {
        let mut sections: Vec<Section> = Vec::new();
        for (line, number) in text.trim_start_matches('\u{feff}').lines().zip(1_usize..) {
            let origin = format!("{file} line {number}");
            if line.contains(|c: char| c.is_control() && c != '\t') {
                return Err(SettingsError::Syntax {
                    origin,
                    problem: "a control character; end each line with \\n",
                });
            }
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if line.starts_with('[') {
                let name = section_name(&origin, line)?;
                if sections.iter().any(|section| section.name == name) {
                    return Err(SettingsError::Duplicate { origin, what: format!("[{name}]") });
                }
                sections.push(Section { name, origin, entries: Vec::new() });
                continue;
            }
            let entry = entry(origin.clone(), line)?;
            let Some(section) = sections.last_mut() else {
                return Err(SettingsError::Syntax {
                    origin,
                    problem: "a setting before the first [section]",
                });
            };
            if section.entries.iter().any(|other| other.key == entry.key) {
                return Err(SettingsError::Duplicate { origin, what: entry.key });
            }
            section.entries.push(entry);
        }
        Ok(Self { sections })
    }
}

fn section_name(origin: &str, line: &str) -> Result<String, SettingsError> {
    line.strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .map(|name| name.trim().to_lowercase())
        .filter(|name| !name.is_empty())
        .ok_or_else(|| SettingsError::Syntax {
            origin: origin.to_owned(),
            problem: "not a section; write [Name] alone on its line",
        })
}

fn entry(origin: String, line: &str) -> Result<Entry, SettingsError> {
    let (key, value) =
        line.split_once(['=', ':']).map_or(("", ""), |(key, value)| (key.trim(), value.trim()));
    if key.is_empty() {
        return Err(SettingsError::Syntax {
            origin,
            problem: "not a setting; write key=value, or # before a comment",
        });
    }
    Ok(Entry { key: key.to_lowercase(), value: value.replace("%%", "%"), origin })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<(String, String, String)> {
        let sections = Ini::parse("f", text).unwrap().sections;
        let entries = |section: Section| {
            section.entries.into_iter().map(move |entry| (section.name.clone(), entry.key, entry.value))
        };
        sections.into_iter().flat_map(entries).collect()
    }

    fn refusal(text: &str) -> String {
        Ini::parse("f", text).unwrap_err().to_string()
    }

    #[test]
    fn names_are_lower_cased_and_values_kept_as_they_are() {
        let row = |key: &str, value: &str| ("server".to_owned(), key.to_owned(), value.to_owned());
        assert_eq!(
            values("\u{feff}# c\r\n; c\n\n[ Server ]\r\nKeyPath = A b # no comment\r\nurl: a=b:c\nEmpty=\n"),
            [row("keypath", "A b # no comment"), row("url", "a=b:c"), row("empty", "")],
        );
    }

    #[test]
    fn no_setting_hides_behind_a_control_character() {
        for text in ["[s]\na=1\rb=2", "# c\r[s]", "[\u{1b}]", "[s]\n\0=1", "[s]\na=\u{85}"] {
            assert!(refusal(text).ends_with(": a control character; end each line with \\n"), "{text:?}");
        }
        assert_eq!(values("[s]\na\t=\t1\t2").remove(0).2, "1\t2");
    }

    #[test]
    fn two_percent_signs_are_one_and_one_is_itself() {
        let read = |value: &str| values(&format!("[s]\nk={value}")).remove(0).2;
        assert_eq!([read("50%"), read("50%%"), read("%%%"), read("%(x)s")], ["50%", "50%", "%%", "%(x)s"]);
    }

    #[test]
    fn the_line_of_a_mistake_is_named() {
        insta::assert_snapshot!(refusal("[s]\nnonsense"), @"f line 2: not a setting; write key=value, or # before a comment");
        insta::assert_snapshot!(refusal("[s]\n= value"), @"f line 2: not a setting; write key=value, or # before a comment");
        insta::assert_snapshot!(refusal("\nkey=value"), @"f line 2: a setting before the first [section]");
        insta::assert_snapshot!(refusal("[s] # comment"), @"f line 1: not a section; write [Name] alone on its line");
        insta::assert_snapshot!(refusal("[]"), @"f line 1: not a section; write [Name] alone on its line");
        insta::assert_snapshot!(refusal("[s]\nK=1\n\nk: 2"), @"f line 4: k stands there twice; keep one");
        insta::assert_snapshot!(refusal("[S]\n[t]\n[s]"), @"f line 3: [s] stands there twice; keep one");
    }
}
