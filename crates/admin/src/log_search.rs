//! Finds refusals in the server's log when no server can be asked.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use msp_keyfile::KeyFileError;

/// Which lines of the log are searched for.
#[derive(Debug)]
pub(crate) enum Filter {
    /// Refusals of this address, and the counts of those that were not logged.
    Address(IpAddr),
    /// All refusals.
    Any,
    /// Everything about the request of this id.
    Id(String),
}

/// The newest lines that fit, the newest first, from `latest.log` and the rotated files behind it.
///
/// # Errors
/// What reading says; a missing `latest.log` is an error, a missing rotated file the end.
pub(crate) fn newest(folder: &Path, filter: &Filter, last: usize) -> io::Result<Vec<String>> {
    let mut found = newest_of(BufReader::new(open(&folder.join(LATEST))?), filter, last)?;
    for number in 1.. {
        if found.len() >= last {
            break;
        }
        match open(&rotated(folder, number)) {
            Ok(file) => found.extend(newest_of(BufReader::new(file), filter, last - found.len())?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn open(path: &Path) -> io::Result<File> {
    msp_keyfile::open_named(path).map_err(|error| match error {
        KeyFileError::NotFound { .. } => io::ErrorKind::NotFound.into(),
        KeyFileError::Io { cause, .. } => cause,
        other => io::Error::other(other),
    })
}

fn rotated(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{LATEST}.{number}"))
}

/// The last lines of one file that fit, the last one first.
fn newest_of(mut log: impl BufRead, filter: &Filter, last: usize) -> io::Result<Vec<String>> {
    let mut found = VecDeque::new();
    let mut line = Vec::new();
    while log.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if filter.matches(text) {
            if found.len() == last {
                found.pop_front();
            }
            found.push_back(text.to_owned());
        }
        line.clear();
    }
    Ok(found.into_iter().rev().collect())
}

impl Filter {
    fn matches(&self, line: &str) -> bool {
        match self {
            Self::Address(address) => {
                let belongs = if address.is_ipv4() { is_of_ipv4 } else { is_of_ipv6 };
                line.contains(REFUSED) && contains_word(line, &address.to_string(), belongs)
            }
            Self::Any => line.contains(REFUSED),
            Self::Id(id) => contains_word(line, id, |c| c.is_ascii_alphanumeric()),
        }
    }
}

/// True when the word stands in the line, and no character that could belong to it stands beside it.
fn contains_word(line: &str, word: &str, belongs: fn(char) -> bool) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(belongs) && !after.is_some_and(belongs)
    })
}

fn is_of_ipv4(c: char) -> bool {
    c.is_ascii_digit() || c == '.'
}

fn is_of_ipv6(c: char) -> bool {
    c.is_ascii_hexdigit() || matches!(c, '.' | ':')
}

/// The file that the server writes.
const LATEST: &str = "latest.log";

/// What stands in each line about a refusal.
const REFUSED: &str = "refused";

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
[12:00:00,000][MINI-SEC-POINT] WARNING in r.rs: refused: a replay req=0000000000000001 address=192.0.2.1
[12:00:01,000][MINI-SEC-POINT] INFO in s.rs: new address 192.0.2.1
[12:00:02,000][MINI-SEC-POINT] WARNING in r.rs: refused: a replay req=0000000000000002 address=192.0.2.10
[12:00:03,000][MINI-SEC-POINT] WARNING in r.rs: further requests refused address=192.0.2.1 count=7
{\"message\":\"refused: a replay\",\"req\":\"0000000000000003\",\"address\":\"2001:db8::1\"}
";

    fn found(filter: &Filter, last: usize) -> Vec<usize> {
        let lines: Vec<_> = LOG.lines().collect();
        let found = newest_of(LOG.as_bytes(), filter, last).unwrap();
        found.iter().map(|line| lines.iter().position(|other| other == line).unwrap()).collect()
    }

    #[test]
    fn an_address_is_found_as_a_whole_and_only_where_something_was_refused() {
        assert_eq!(found(&Filter::Address("192.0.2.1".parse().unwrap()), 10), [3, 0]);
        assert_eq!(found(&Filter::Address("2001:db8::1".parse().unwrap()), 10), [4]);
        assert!(found(&Filter::Address("2001:db8::".parse().unwrap()), 10).is_empty());
    }

    #[test]
    fn the_newest_come_first_and_no_more_than_asked_for() {
        assert_eq!(found(&Filter::Any, 2), [4, 3]);
        assert_eq!(found(&Filter::Any, 10), [4, 3, 2, 0]);
    }

    #[test]
    fn an_id_is_found_in_text_and_in_json() {
        assert_eq!(found(&Filter::Id("0000000000000002".into()), 10), [2]);
        assert_eq!(found(&Filter::Id("0000000000000003".into()), 10), [4]);
        assert!(found(&Filter::Id("000000000000000".into()), 10).is_empty());
    }
}
