//! The pages of a server, and what they are asked and answer.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tokio::sync::Semaphore;

/// What a page is told of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The formats that the client takes: the value of `Accept`, empty without one.
    pub accept: String,
}

/// What a page answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Whether the answer is the one that the client wants (200), or says why there is none now (503).
    pub is_available: bool,
    /// The media type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

/// The media type of plain text.
const TEXT: &str = "text/plain; charset=utf-8";

impl Reply {
    /// A body of this media type.
    pub fn new(content_type: &'static str, body: impl Into<Vec<u8>>) -> Reply {
        Reply {
            is_available: true,
            content_type,
            body: body.into(),
        }
    }

    /// A line of text.
    pub fn text(line: impl fmt::Display) -> Reply {
        Reply::new(TEXT, format!("{line}\n"))
    }

    /// A line of text that says why the answer is not available now.
    pub fn unavailable(line: impl fmt::Display) -> Reply {
        Reply {
            is_available: false,
            ..Reply::text(line)
        }
    }
}

/// What answers the requests for a path.
pub type Page = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

/// A page, and how it is called.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) page: Page,
    /// For a page that takes long: calls run in a thread of their own, one after the other.
    pub(super) turn: Option<Arc<Semaphore>>,
}

/// The paths of a server, and the page of each.
#[derive(Clone, Default)]
pub struct Pages(BTreeMap<&'static str, Entry>);

impl Pages {
    /// Adds a page. It is called in the thread of the runtime, and must not take long.
    #[must_use]
    pub fn with(
        self,
        path: &'static str,
        page: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Pages {
        self.add(path, Arc::new(page), None)
    }

    /// Adds a page that takes long. It is called in another thread, once at a time.
    #[must_use]
    pub fn with_slow(
        self,
        path: &'static str,
        page: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Pages {
        self.add(path, Arc::new(page), Some(Arc::new(Semaphore::new(1))))
    }

    fn add(mut self, path: &'static str, page: Page, turn: Option<Arc<Semaphore>>) -> Pages {
        self.0.insert(path, Entry { page, turn });
        self
    }

    pub(super) fn get(&self, path: &str) -> Option<&Entry> {
        self.0.get(path)
    }

    /// The paths, in alphabetical order.
    pub fn paths(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.paths()).finish()
    }
}
