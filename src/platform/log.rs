//! What a program of ours says about itself on its standard error.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Writes it from here on. `CLEANSHIFT_LOG` says how much: `warn`, which is meant without it, `info`, or parts by
/// name as in `info,cleanshift=debug`.
#[expect(
    clippy::disallowed_methods,
    reason = "whoever starts a program says in its environment how much it tells"
)]
pub(crate) fn to_stderr() {
    let asked = std::env::var("CLEANSHIFT_LOG").unwrap_or_default();
    let wanted = match asked.parse() {
        Ok(wanted) if !asked.is_empty() => wanted,
        _ => Targets::new().with_default(LevelFilter::WARN),
    };
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(std::io::stderr);
    // A second call finds that somebody listens, and changes nothing.
    let _ = tracing_subscriber::registry().with(lines).with(wanted).try_init();
}
