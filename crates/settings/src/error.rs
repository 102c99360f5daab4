//! What can be wrong with the configuration, told to the operator in one line.

use msp_keyfile::KeyFileError;

/// Why the configuration was refused; each message says where, what is wrong, and what would be right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A key stands twice in a section, or a setting twice in the environment or on the command line.
    #[error("{origin}: {what} stands there twice; keep one")]
    Duplicate {
        /// Where the second one is.
        origin: String,
        /// The key, section or variable.
        what: String,
    },
    /// A file that was named, or that holds a secret, cannot be read.
    #[error("{named_by}: {cause}")]
    File {
        /// The option, variable or key that names it.
        named_by: String,
        /// What is wrong with it.
        cause: KeyFileError,
    },
    /// A line of modules.ini has a name on its left that no function can have.
    #[error("{origin}: {name:?} is no function name: 1 to 128 bytes without '/' and control characters")]
    FunctionName {
        /// Where it is.
        origin: String,
        /// The name.
        name: String,
    },
    /// The layers contradict each other's shape, which keys from one table never do.
    #[error("the configuration's layers cannot be merged: {0}")]
    Layers(config::ConfigError),
    /// A line of modules.ini has a name on its right that no module can have.
    #[error("{origin}: {name:?} is no module name: letters, digits, '_', '-', and single dots between them")]
    ModuleName {
        /// Where it is.
        origin: String,
        /// The name.
        name: String,
    },
    /// modules.ini has no section of functions.
    #[error(
        "{file}: the section [Modules] is missing; it lists the functions, a line each: time_test=simple_time"
    )]
    ModulesMissing {
        /// The file.
        file: String,
    },
    /// A `${…}` stands for nothing.
    #[error("{origin}: {setting}: {reference} {problem}")]
    Reference {
        /// Where it is.
        origin: String,
        /// The section and the key.
        setting: String,
        /// The reference; not shown where keys stand.
        reference: String,
        /// What is wrong with it and what would be right.
        problem: &'static str,
    },
    /// A legal value does not fit to the others.
    #[error("{origin}: {setting}: {problem}")]
    Refused {
        /// Where it is.
        origin: String,
        /// The section and the key.
        setting: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A section of modules.ini belongs to no function.
    #[error(
        "{origin}: [{section}] belongs to no function; add {section}=<module> to [Modules], or remove it"
    )]
    StraySection {
        /// Where it is.
        origin: String,
        /// The section.
        section: String,
    },
    /// A line that is no setting, no section and no comment.
    #[error("{origin}: {problem}")]
    Syntax {
        /// Where it is.
        origin: String,
        /// What is wrong and what would be right.
        problem: &'static str,
    },
    /// A file's token or key is too weak or cannot be sent.
    #[error(
        "{file}: no token: it must be 16 to 1024 printable ASCII characters without spaces; try: openssl rand -hex 32"
    )]
    Token {
        /// The file.
        file: String,
    },
    /// A value is not what the type before it says.
    #[error("{origin}: {setting}: after its type there must be {expected}")]
    Typed {
        /// Where it is.
        origin: String,
        /// The section and the key.
        setting: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A section of ours holds a key that is not ours.
    #[error("{origin}: [{section}] has no key {key:?}; it has {known}")]
    UnknownKey {
        /// Where it is.
        origin: String,
        /// The section.
        section: String,
        /// The key.
        key: String,
        /// The section's keys.
        known: String,
    },
    /// An environment variable or an option names no setting at all.
    #[error("{origin}: no such setting; sections are {known}, for instance MSP__CLIENTS__REQUESTTTL")]
    UnknownSetting {
        /// The variable or option.
        origin: String,
        /// The sections of ours.
        known: String,
    },
    /// A value is of the wrong kind or out of range.
    #[error("{origin}: [{section}] {key}: {value} is not {expected}")]
    Value {
        /// Where it is.
        origin: String,
        /// The section.
        section: String,
        /// The key.
        key: &'static str,
        /// What stands there, quoted; addresses with passwords are not shown.
        value: String,
        /// What would be right.
        expected: String,
    },
}
