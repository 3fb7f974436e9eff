//! Work with a broker in a thread without a runtime.

use std::io;

use tokio::runtime::Builder;

use super::access::Prepared;
use super::broker::Broker;
use super::broker::ConnectError;
use super::broker::connect;

/// Connects, does this, and returns what it returns. Must not be called in a runtime.
///
/// # Errors
///
/// If the system refuses what a runtime needs, if the broker cannot be used, and the errors of `work`.
pub fn with_broker<T, E>(
    prepared: &Prepared,
    work: impl AsyncFnOnce(&Broker) -> Result<T, E>,
) -> Result<T, E>
where
    E: From<io::Error> + From<ConnectError>,
{
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    let result = runtime.block_on(async {
        let broker = connect(prepared).await?;
        work(&broker).await
    });
    // What looks up names may hang: it is not waited for.
    runtime.shutdown_background();
    result
}
