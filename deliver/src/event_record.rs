//! An event, as collectors of logs get it.

/// An event, for collectors of logs.
#[derive(Debug, Clone, Copy)]
pub struct EventRecord<'a> {
    /// The bytes of a [`retrans_event::Event`].
    pub record: &'a [u8],
    /// Its labels. Those of containers and pods, such as `k8s.pod.name`, say where it belongs.
    pub labels: &'a [(&'a str, &'a str)],
}
