//! Three servers with JetStream that are one broker.

use super::server::Options;
use super::server::Server;
use super::server::free_port;

/// Three servers that are one broker, and their address.
pub fn cluster() -> ([Server; 3], String) {
    let ports = [(); 3].map(|()| free_port());
    let routes = ports.map(|port| format!("\"nats://127.0.0.1:{port}\""));
    let servers = [0, 1, 2].map(|index| {
        let more = format!(
            "server_name: \"s{index}\"\ncluster {{ name: \"test\", listen: \"127.0.0.1:{}\", routes: [{}] }}\n",
            ports[index],
            routes.join(", ")
        );
        Server::with(&Options {
            more,
            ..Options::default()
        })
    });
    let urls: Vec<String> = servers.iter().map(Server::url).collect();
    (servers, urls.join(","))
}
