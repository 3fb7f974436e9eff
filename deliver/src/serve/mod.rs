//! Serves pages over HTTP: a table of paths, and what answers each.
//!
//! The server is for people and programs that the operator trusts: it has neither TLS nor passwords. It has limits
//! nevertheless: of connections, of the time that each may take, and of the size of a request. A connection is closed
//! after one answer, so that none of them stays.

mod answer;
mod bind_error;
mod page;

use std::io;
use std::net::SocketAddr;
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio::time::timeout;

use self::answer::answer;
pub use self::bind_error::BindError;
pub use self::page::Page;
pub use self::page::Pages;
pub use self::page::Reply;
pub use self::page::Request;

/// Maximum number of connections at the same time. Further ones wait in the kernel's queue.
pub const MAX_CONNECTIONS: usize = 16;

/// Time in which a request must have arrived and its answer must have been read.
pub const MAX_TIME: Duration = Duration::from_secs(10);

/// Time in which the head of a request must have arrived.
pub const MAX_HEAD_TIME: Duration = Duration::from_secs(5);

/// Maximum size of the head of a request in bytes. It is hyper's smallest one.
pub const MAX_HEAD_BYTES: usize = 8_192;

/// Maximum number of header fields of a request.
const MAX_FIELDS: usize = 64;

/// Time after which accepting is tried again after an error, such as too many open files.
const ACCEPT_INTERVAL: Duration = Duration::from_millis(100);

/// A server whose address is bound.
#[derive(Debug)]
pub struct Server {
    listener: StdListener,
    address: SocketAddr,
}

impl Server {
    /// Binds the address, and listens. Connections wait until [`run`](Server::run). Needs no runtime, and starts no
    /// thread. Port 0 is a free port that the kernel chooses.
    ///
    /// # Errors
    ///
    /// If the address cannot be bound.
    pub fn bind(address: SocketAddr) -> Result<Server, BindError> {
        let bind = || {
            let listener = StdListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok(Server { listener, address })
        };
        bind().map_err(|error| BindError { address, error })
    }

    /// The address, with the port that the kernel has chosen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves these pages in this thread, which has nothing else to do, until the process ends. A slow page has another
    /// thread.
    ///
    /// # Errors
    ///
    /// If the runtime cannot be started.
    pub fn run_here(self, pages: Pages) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(1)
            .thread_name("network page")
            .build()?;
        runtime.block_on(self.run(pages));
        Ok(())
    }

    /// Serves these pages for as long as the runtime lives, which is one of tokio with I/O and time.
    pub async fn run(self, pages: Pages) {
        let Server { listener, address } = self;
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!("cannot serve {address}: {error}");
                return;
            }
        };
        let pages = Arc::new(pages);
        let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut has_failed = false;
        loop {
            let permit = Arc::clone(&connections).acquire_owned().await;
            match listener.accept().await {
                Ok((stream, _)) => {
                    has_failed = false;
                    let pages = Arc::clone(&pages);
                    tokio::spawn(async move {
                        // A client that is too slow, or that goes away, gets no answer.
                        let _ = timeout(MAX_TIME, serve(stream, pages)).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    if !std::mem::replace(&mut has_failed, true) {
                        tracing::warn!("cannot accept connections to {address}: {error}");
                    }
                    sleep(ACCEPT_INTERVAL).await;
                }
            }
        }
    }
}

/// Answers one request.
async fn serve(stream: TcpStream, pages: Arc<Pages>) -> Result<(), hyper::Error> {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let pages = Arc::clone(&pages);
        async move { Ok::<_, std::convert::Infallible>(answer(&pages, &request).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(MAX_HEAD_TIME)
        .keep_alive(false)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_FIELDS)
        .serve_connection(TokioIo::new(stream), service)
        .await
}
