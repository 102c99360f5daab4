//! The keys' own definitions.

use std::collections::BTreeSet;

use msp_settings::{function_reference, reference};

#[test]
fn every_default_is_a_legal_value_of_its_own_key() {
    for key in reference().iter().chain(function_reference()) {
        let about = key.definition();
        assert!(key.accepts(about.default), "{about:?} is not {}", key.expects());
    }
}

#[test]
fn no_two_keys_have_one_name() {
    let mut names = BTreeSet::new();
    for key in reference().iter().chain(function_reference()) {
        let about = key.definition();
        for name in [Some(about.name), about.alias].into_iter().flatten() {
            assert!(names.insert((about.section, name.to_lowercase())), "{about:?}");
        }
    }
}
