//! What the system calls itself.

use std::ffi::CStr;

use rustix::system::uname;
use serde_json::{Value, json};

/// `uname` in five texts.
pub(super) fn part() -> Value {
    let uname = uname();
    let text = |text: &CStr| text.to_string_lossy().into_owned();
    json!({
        "machine": text(uname.machine()),
        "sysname": text(uname.sysname()),
        "version": text(uname.version()),
        "release": text(uname.release()),
        "nodename": text(uname.nodename()),
    })
}
