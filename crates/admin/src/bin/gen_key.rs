//! `gen_key`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    msp_admin::gen_key()
}
