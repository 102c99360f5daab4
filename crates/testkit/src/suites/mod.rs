//! For each store's traits in core one suite of behaviour, which every implementation must pass. A test of an implementation
//! says how to start it (a *stand*) and lists no behaviour itself: the suite's macro makes a test of each.

pub mod guard;
pub mod registry;

/// Makes a test of each of these behaviours of a suite, for this stand.
#[doc(hidden)]
#[macro_export]
macro_rules! behaviours {
    ($suite:ident, $stand:ty: $($part:ident { $($behaviour:ident)+ })+) => {
        $(mod $part {
            use super::*;

            $(#[tokio::test(flavor = "multi_thread")]
            async fn $behaviour() {
                $crate::suites::$suite::$part::$behaviour::<$stand>().await;
            })+
        })+
    };
}

#[cfg(test)]
mod tests {
    /// The list is a macro, which cannot look behaviours up; this does, so that none is written and never run.
    #[test]
    fn every_behaviour_is_in_its_suites_list() {
        let suites = concat!(env!("CARGO_MANIFEST_DIR"), "/src/suites");
        let mut count = 0;
        for suite in ["guard", "registry"] {
            let list = std::fs::read_to_string(format!("{suites}/{suite}/mod.rs")).unwrap();
            for file in std::fs::read_dir(format!("{suites}/{suite}")).unwrap() {
                let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
                let functions = text.lines().filter_map(|line| line.strip_prefix("pub async fn "));
                let behaviours = functions.filter(|function| function.ends_with("Stand>() {"));
                for name in behaviours.filter_map(|line| Some(line.split_once('<')?.0)) {
                    assert!(list.lines().any(|line| line.trim() == name), "{suite}: {name} is never run");
                    count += 1;
                }
            }
        }
        assert!(count > 50, "only {count} were found");
    }
}
