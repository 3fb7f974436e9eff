//! The live view serves metrics as well.

use std::net::SocketAddr;
use std::net::TcpListener;

use crate::common::captures::generated;
use crate::common::captures::host;
use crate::common::components::Files;
use crate::common::http::get;
use crate::common::http::sum;
use crate::common::pipes::wait_until;
use crate::common::screens::Screen;

#[test]
fn what_top_shows_of_a_file_is_in_its_metrics() {
    let files = Files::new();
    generated(files.path(), "a.rtc", &["--events", "2k", "--seed", "5"]);
    // The address is on the terminal only until the view is.
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address: SocketAddr = free.local_addr().expect("an address");
    drop(free);
    let listen = address.to_string();
    let arguments = ["top", "a.rtc", "--speed", "max", "--listen", &listen];
    let mut screen = Screen::run(&host(files.path(), &arguments), (100, 30));
    // The end stays on the screen.
    screen.wait_for("2000 events");
    let metrics = || get(address, "/metrics").body;
    wait_until("all events", || {
        sum(&metrics(), "retrans_events_total") == 2_000.0
    });
    assert!(get(address, "/").body.contains("the last 15 minutes"));
    screen.press("q");
    let left = screen.left();
    assert_eq!(left.status.code(), Some(0), "{}", left.text);
    assert!(
        left.text
            .contains(&format!("metrics are at http://{address}/metrics")),
        "{}",
        left.text
    );
}
