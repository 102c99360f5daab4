//! What goes on beside the requests: following the registry and the files, forgetting, writing behind.

use std::sync::Arc;
use std::time::Duration;

use msp_core::Replay as _;
use tokio::time::{MissedTickBehavior, interval};

use crate::follower::Follower;
use crate::reloader::{Files, Reloader};

/// How often the registry is asked for changes and the guard does what is due.
const BEAT: Duration = Duration::from_millis(500);
/// Beats between two looks at the files.
const FILES_EVERY: u64 = 2;
/// Beats between two writes of the days of use.
const USES_EVERY: u64 = 60;

/// Runs until dropped.
pub(crate) async fn run(follower: Arc<Follower>, reloader: Arc<Reloader>, mut files: Files) {
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for beat in 0_u64.. {
        beats.tick().await;
        reloader.guard.tick().await;
        follower.follow().await;
        if beat % FILES_EVERY == 0 {
            reloader.look(&mut files).await;
            follower.calls.refusals.tick();
        }
        if beat % USES_EVERY == USES_EVERY - 1 {
            follower.write_uses().await;
            follower.calls.rates.tick();
        }
    }
}
