//! The smallest launcher: what a program needs in order to start processes of functions from itself. The tests of
//! this crate start theirs with it.

use std::process::ExitCode;

fn main() -> ExitCode {
    msp_runners::run_confined().unwrap_or_else(|| {
        eprintln!("this program only becomes others, as the server asks it to");
        ExitCode::FAILURE
    })
}
