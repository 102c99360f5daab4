//! Values with a type, as the original plugin server's configuration has them.

use serde_json::{Number, Value};

/// A value after the conversion that its prefix asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Typed {
    /// `bool:`
    Bool(bool),
    /// `float:`, finite.
    Float(f64),
    /// `int:`
    Int(i64),
    /// `list:`, of anything but lists.
    List(Vec<Typed>),
    /// No prefix.
    Text(String),
}

impl Typed {
    /// Converts a text with one of the prefixes; another is left as it is.
    ///
    /// # Errors
    /// What stands in place of a number should be; the text itself may be a secret and is not told.
    pub(crate) fn read(text: String) -> Result<Self, &'static str> {
        if let Some(items) = text.strip_prefix("list:") {
            let item = |item: &str| Ok(scalar(item)?.unwrap_or_else(|| Self::Text(item.to_owned())));
            return items.split_whitespace().map(item).collect::<Result<_, _>>().map(Self::List);
        }
        Ok(scalar(&text)?.unwrap_or(Self::Text(text)))
    }

    /// The text that stands for the value where text is asked for.
    pub(crate) fn into_text(self) -> String {
        match self {
            Self::Bool(true) => "yes".to_owned(),
            Self::Bool(false) => "no".to_owned(),
            Self::Float(number) => number.to_string(),
            Self::Int(number) => number.to_string(),
            Self::List(items) => items.into_iter().map(Self::into_text).collect::<Vec<_>>().join(" "),
            Self::Text(text) => text,
        }
    }

    /// The value for a plugin.
    pub(crate) fn into_json(self) -> Value {
        match self {
            Self::Bool(bool) => Value::Bool(bool),
            Self::Float(number) => Number::from_f64(number).map_or(Value::Null, Value::Number),
            Self::Int(number) => Value::Number(number.into()),
            Self::List(items) => Value::Array(items.into_iter().map(Self::into_json).collect()),
            Self::Text(text) => Value::String(text),
        }
    }
}

/// What a text with a prefix for one value means; nothing when it has none.
fn scalar(text: &str) -> Result<Option<Typed>, &'static str> {
    let Some((prefix, rest)) = text.split_once(':') else { return Ok(None) };
    let rest = rest.trim();
    match prefix {
        "bool" => Ok(Some(Typed::Bool(TRUE.iter().any(|word| rest.eq_ignore_ascii_case(word))))),
        "float" => match rest.parse() {
            Ok(number) if f64::is_finite(number) => Ok(Some(Typed::Float(number))),
            _ => Err("a finite number"),
        },
        "int" => rest.parse().map(|number| Some(Typed::Int(number))).map_err(|_| "a whole number of 64 bits"),
        _ => Ok(None),
    }
}

/// What `bool:` takes for true; all else is false.
const TRUE: [&str; 6] = ["true", "enabled", "on", "1", "enable", "yes"];
