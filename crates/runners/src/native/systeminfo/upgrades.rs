//! How many packages wait to be upgraded.

use serde_json::{Value, json};

use super::read;

/// Debian's and Ubuntu's update-notifier keeps it up to date.
const FILE: &str = "/var/lib/update-notifier/updates-available";

/// The number that the system keeps; -1 when it keeps none. Nothing is run to find out.
pub(super) fn part() -> Value {
    let count = read(FILE).ok().and_then(|text| first_number(&text));
    json!({ "Upgradable packages": count.map_or(-1, i64::from) })
}

/// The first whole number that is a word.
fn first_number(text: &str) -> Option<u32> {
    text.split_whitespace().find_map(|word| word.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_number_counts() {
        let notice =
            "\n53 updates can be applied immediately.\n12 of these updates are standard security updates.\n";
        assert_eq!(first_number(notice), Some(53));
        let notice =
            "Expanded Security Maintenance for Applications is not enabled.\n\n0 updates can be applied.\n";
        assert_eq!(first_number(notice), Some(0));
        for odd in ["", "\n\n", "none", "99999999999 updates", "-3"] {
            assert_eq!(first_number(odd), None, "{odd:?}");
        }
    }
}
