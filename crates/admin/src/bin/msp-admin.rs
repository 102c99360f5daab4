//! `msp-admin`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    msp_admin::msp_admin()
}
