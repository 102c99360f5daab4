//! A strict reader of INI files.
//!
//! `[section]`, then `key=value` or `key: value`; `#` and `;` begin a comment at the start of a line only. Names are
//! compared without case and must not repeat. `%%` stands for `%`, and a single `%` for itself. Control characters are
//! refused: a lone carriage return would hide a setting at the end of another line.
//!
//! The original plugin server reads its file with Python's configparser, which is laxer: a line that is indented more
//! than its key continues the value, what follows `[section]` on its line is ignored, and `%` is a character like others.

use zeroize::Zeroizing;

use crate::error::SettingsError;

/// Whose habits a file follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Those of the original plugin server.
    Original,
    /// Ours.
    Strict,
}

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
    /// The name as it stands in the file.
    pub(crate) written: String,
    /// The file and line, for messages.
    pub(crate) origin: String,
    pub(crate) entries: Vec<Entry>,
}

/// One line with a value.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The key, lower-cased.
    pub(crate) key: String,
    /// Wiped when dropped, since it may be a key.
    pub(crate) value: Zeroizing<String>,
    /// The file and line, for messages.
    pub(crate) origin: String,
}

impl Ini {
    /// Reads the text of a file of ours; `file` is how messages name it.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Self, SettingsError> {
        Self::parse_as(Form::Strict, file, text)
    }

    /// Reads a file's text; `file` is how messages name it.
    pub(crate) fn parse_as(form: Form, file: &str, text: &str) -> Result<Self, SettingsError> {
        let mut reader = Reader { form, ini: Self { sections: Vec::new() }, indent: 0, blank_lines: 0 };
        for (line, number) in text.trim_start_matches('\u{feff}').lines().zip(1_usize..) {
            reader.line(format!("{file} line {number}"), line)?;
        }
        Ok(reader.ini)
    }
}

/// What was read so far.
struct Reader {
    form: Form,
    ini: Ini,
    /// The white space before the last section or key, in bytes.
    indent: usize,
    /// Empty lines since the last one with text.
    blank_lines: usize,
}

impl Reader {
    fn line(&mut self, origin: String, line: &str) -> Result<(), SettingsError> {
        if line.contains(|c: char| c.is_control() && c != '\t') {
            let problem = "a control character; end each line with \\n";
            return Err(SettingsError::Syntax { origin, problem });
        }
        let indent = line.len() - line.trim_start().len();
        let line = line.trim();
        if line.is_empty() {
            self.blank_lines += 1;
            return Ok(());
        }
        if line.starts_with(['#', ';']) {
            return Ok(());
        }
        let blank_lines = std::mem::take(&mut self.blank_lines);
        if self.continues(indent, blank_lines, line) {
            return Ok(());
        }
        self.indent = indent;
        if line.starts_with('[') { self.section(origin, line) } else { self.entry(origin, line) }
    }

    /// Adds a line to the last value, if it belongs to it.
    fn continues(&mut self, indent: usize, blank_lines: usize, line: &str) -> bool {
        if self.form == Form::Strict || indent <= self.indent {
            return false;
        }
        let last = self.ini.sections.last_mut().and_then(|section| section.entries.last_mut());
        let Some(entry) = last else { return false };
        entry.value.extend(std::iter::repeat_n('\n', blank_lines + 1));
        entry.value.push_str(line);
        true
    }

    fn section(&mut self, origin: String, line: &str) -> Result<(), SettingsError> {
        let written = section_name(self.form, &origin, line)?;
        let name = written.to_lowercase();
        if self.ini.sections.iter().any(|section| section.name == name) {
            return Err(SettingsError::Duplicate { origin, what: format!("[{name}]") });
        }
        self.ini.sections.push(Section { name, written, origin, entries: Vec::new() });
        Ok(())
    }

    fn entry(&mut self, origin: String, line: &str) -> Result<(), SettingsError> {
        let entry = entry(self.form, origin.clone(), line)?;
        let Some(section) = self.ini.sections.last_mut() else {
            let problem = "a setting before the first [section]";
            return Err(SettingsError::Syntax { origin, problem });
        };
        if section.entries.iter().any(|other| other.key == entry.key) {
            return Err(SettingsError::Duplicate { origin, what: entry.key });
        }
        section.entries.push(entry);
        Ok(())
    }
}

fn section_name(form: Form, origin: &str, line: &str) -> Result<String, SettingsError> {
    let rest = line.strip_prefix('[');
    let name = match form {
        Form::Original => rest.and_then(|rest| rest.rsplit_once(']')).map(|(name, _)| name),
        Form::Strict => rest.and_then(|rest| rest.strip_suffix(']')),
    };
    name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).ok_or_else(|| {
        SettingsError::Syntax {
            origin: origin.to_owned(),
            problem: "not a section; write [Name] alone on its line",
        }
    })
}

fn entry(form: Form, origin: String, line: &str) -> Result<Entry, SettingsError> {
    let (key, value) =
        line.split_once(['=', ':']).map_or(("", ""), |(key, value)| (key.trim(), value.trim()));
    if key.is_empty() {
        return Err(SettingsError::Syntax {
            origin,
            problem: "not a setting; write key=value, or # before a comment",
        });
    }
    let value = match form {
        Form::Original => value.to_owned(),
        Form::Strict => value.replace("%%", "%"),
    };
    Ok(Entry { key: key.to_lowercase(), value: Zeroizing::new(value), origin })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<(String, String, String)> {
        values_as(Form::Strict, text)
    }

    fn values_as(form: Form, text: &str) -> Vec<(String, String, String)> {
        let sections = Ini::parse_as(form, "f", text).unwrap().sections;
        let entries = |section: Section| {
            let row = move |entry: Entry| (section.name.clone(), entry.key, entry.value.to_string());
            section.entries.into_iter().map(row)
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

    #[test]
    fn a_file_of_the_original_continues_values_on_indented_lines() {
        let row = |key: &str, value: &str| ("s".to_owned(), key.to_owned(), value.to_owned());
        let text = "[s] # why\na = 1\n\n  [2]\n  # no\n\tb=3\n\nc: 50%%\n  \nd=\n e\n";
        assert_eq!(
            values_as(Form::Original, text),
            [row("a", "1\n\n[2]\nb=3"), row("c", "50%%"), row("d", "\ne")]
        );
        assert_eq!(values_as(Form::Original, " [s]\n a=1\n b=2\n"), [row("a", "1"), row("b", "2")]);
        assert_eq!(
            refusal("[s]\na=1\n 2"),
            "f line 3: not a setting; write key=value, or # before a comment"
        );
    }
}
