//! What is logged inside a test.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::fmt::MakeWriter;

/// Another one beside each that captures. With one alone, what a test of another thread logs first would be taken for what
/// nobody listens to, here too.
static OTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::default()));

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The lines that this logs, without time and colours.
pub(crate) fn lines(of: impl FnOnce()) -> Vec<String> {
    LazyLock::force(&OTHER);
    let sink = Sink::default();
    let log = tracing_subscriber::fmt().with_writer(sink.clone()).without_time().with_ansi(false).finish();
    tracing::subscriber::with_default(log, of);
    let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    text.lines().map(str::to_owned).collect()
}
