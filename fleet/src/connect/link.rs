//! What the connection has reported: whether it is there, and what the server did not permit.

use async_nats::ClientError;
use async_nats::ConnectErrorKind;
use async_nats::Event;
use async_nats::ServerError;
use tokio::sync::watch;

/// Errors of a server that does not accept who connects.
pub(super) const REFUSALS: [ConnectErrorKind; 2] = [
    ConnectErrorKind::AuthorizationViolation,
    ConnectErrorKind::Authentication,
];

/// The state of the connection, which several tasks may wait for.
#[derive(Debug, Clone)]
pub(crate) struct Link(watch::Sender<State>);

#[derive(Debug, Clone, Default)]
struct State {
    is_connected: bool,
    /// Number of connections that have ended.
    ended: u64,
    /// The last violation of permissions, with its number.
    violation: (u64, String),
    /// The last error of this connection, or of the attempts since the last one.
    error: Option<String>,
    /// The server has refused the last attempt to connect again.
    is_refused: bool,
}

impl Link {
    pub(super) fn new() -> Link {
        Link(watch::Sender::new(State::default()))
    }

    /// Records an event of the connection.
    pub(super) fn record(&self, event: &Event) {
        self.0.send_modify(|state| match event {
            Event::Connected => {
                state.is_connected = true;
                state.is_refused = false;
                state.error = None;
            }
            Event::Disconnected | Event::Closed => {
                state.is_connected = false;
                state.ended += 1;
            }
            Event::ServerError(ServerError::Other(text))
                if text.contains("Permissions Violation") =>
            {
                state.violation = (state.violation.0 + 1, text.clone());
            }
            Event::ServerError(error) => state.error = Some(error.to_string()),
            Event::ClientError(ClientError::Other(error)) => {
                state.is_refused = REFUSALS.iter().any(|kind| kind.to_string() == *error);
                state.error = Some(error.clone());
            }
            _ => {}
        });
    }

    /// Waits until there is a connection.
    pub(crate) async fn connected(&self) {
        // It ends with an error if the sender is gone, which this holds.
        let _ = self
            .0
            .subscribe()
            .wait_for(|state| state.is_connected)
            .await;
    }

    /// Waits until the connection of this moment has ended.
    pub(crate) fn ended(&self) -> impl Future<Output = ()> + use<> {
        let mut state = self.0.subscribe();
        let ended = state.borrow().ended;
        async move {
            if state.wait_for(|state| state.ended > ended).await.is_err() {
                std::future::pending().await
            }
        }
    }

    /// The number of connections that have ended.
    pub(crate) fn generation(&self) -> u64 {
        self.0.borrow().ended
    }

    /// Returns whether there is a connection.
    pub(crate) fn is_connected(&self) -> bool {
        self.0.borrow().is_connected
    }

    /// The last error that the connection reported.
    pub(crate) fn error(&self) -> Option<String> {
        self.0.borrow().error.clone()
    }

    /// What the server said, if it has refused the last attempt to connect again.
    pub(super) fn refusal(&self) -> Option<String> {
        let state = self.0.borrow();
        state.error.clone().filter(|_| state.is_refused)
    }

    /// Waits until the server reports that something with this subject is not permitted; returns its words.
    pub(crate) fn violation(&self, subject: &str) -> impl Future<Output = String> + use<> {
        let quoted = format!("\"{subject}\"");
        self.violation_with(move |words| words.contains(&quoted))
    }

    /// Waits until the server reports that something is not permitted; returns its words.
    pub(crate) fn any_violation(&self) -> impl Future<Output = String> + use<> {
        self.violation_with(|_| true)
    }

    fn violation_with<F>(&self, is_it: F) -> impl Future<Output = String> + use<F>
    where
        F: Fn(&str) -> bool,
    {
        let mut state = self.0.subscribe();
        let seen = state.borrow().violation.0;
        async move {
            let is_new = |state: &State| state.violation.0 > seen && is_it(&state.violation.1);
            let found = state.wait_for(is_new).await;
            // Without the lock, which a task must not hold while it waits.
            let found = found.map(|state| state.violation.1.clone());
            match found {
                Ok(words) => words,
                Err(_) => std::future::pending().await,
            }
        }
    }
}
