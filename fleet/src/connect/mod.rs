//! Connects to the broker: addresses, secrets, and what the server must be able to do.

mod access;
mod address;
mod blocking;
mod broker;
mod bucket;
mod jwt;
mod link;
mod secret;

pub use access::Access;
pub use access::AccessError;
pub use access::Prepared;
pub use access::agent_inbox;
pub use access::prepare;
pub use address::Address;
pub use address::AddressError;
pub use blocking::with_broker;
pub use broker::Broker;
pub use broker::ConnectError;
pub use broker::connect;

pub(crate) use broker::NO_ANSWER;
pub(crate) use bucket::BucketError;

pub use secret::SecretError;
