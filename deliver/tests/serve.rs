//! The server, asked over real connections, by clients that behave and by those that do not.

use std::io::ErrorKind;
use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use retrans_deliver::serve::MAX_CONNECTIONS;
use retrans_deliver::serve::MAX_HEAD_BYTES;
use retrans_deliver::serve::MAX_HEAD_TIME;
use retrans_deliver::serve::MAX_TIME;
use retrans_deliver::serve::Pages;
use retrans_deliver::serve::Reply;
use retrans_deliver::serve::Server;

/// The longest that a test waits for what happens at once on an idle machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Size of a page that no socket takes at once.
const LARGE: usize = 64 << 20;

fn serve(pages: Pages) -> SocketAddr {
    let server = Server::bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let address = server.address();
    assert_ne!(address.port(), 0);
    thread::spawn(|| server.run_here(pages));
    address
}

fn pages() -> Pages {
    Pages::default()
        .with("/metrics", |request| {
            Reply::new("text/x", format!("accept={}\n", request.accept))
        })
        .with("/readyz", |_| Reply::unavailable("not yet"))
        .with("/large", |_| Reply::new("text/x", vec![b'x'; LARGE]))
        .with_slow("/panic", |_| panic!("a page may have a mistake"))
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// What is read to the end: the head and the body.
fn read(mut stream: TcpStream) -> (String, String) {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.to_ascii_lowercase(), body.to_owned())
}

fn ask(address: SocketAddr, request: &str) -> (String, String) {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).expect("it reads");
    read(stream)
}

fn get(address: SocketAddr, path: &str) -> (String, String) {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"))
}

#[track_caller]
fn assert_status(head: &str, status: &str) {
    assert!(head.starts_with(&format!("http/1.1 {status} ")), "{head}");
}

#[test]
fn a_page_is_answered_with_its_type_and_the_connection_closed() {
    let address = serve(pages());
    let request =
        "GET /metrics?x=y HTTP/1.1\r\nHost: x\r\nAccept: a/b\r\nAccept: c/d;q=0.5\r\n\r\n";
    let (head, body) = ask(address, request);
    assert_status(&head, "200");
    assert_eq!(body, "accept=a/b, c/d;q=0.5\n");
    for line in [
        "content-type: text/x",
        "content-length: 22",
        "connection: close",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "content-security-policy: default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    ] {
        assert!(head.lines().any(|found| found == line), "{line}: {head}");
    }
    let (head, body) = get(address, "/readyz");
    assert_status(&head, "503");
    assert_eq!(body, "not yet\n");
    // HTTP/1.0 has no Host.
    let (head, _) = ask(address, "GET /metrics HTTP/1.0\r\n\r\n");
    assert!(head.starts_with("http/1.0 200 "), "{head}");
}

#[test]
fn head_has_the_head_of_get_and_no_body() {
    let address = serve(pages());
    let (head, body) = ask(address, "HEAD /large HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_status(&head, "200");
    assert!(head.contains(&format!("content-length: {LARGE}")), "{head}");
    assert_eq!(body, "");
}

#[test]
fn other_methods_and_paths_are_refused_with_those_that_there_are() {
    let address = serve(pages());
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"] {
        let request =
            format!("{method} /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
        let (head, body) = ask(address, &request);
        assert_status(&head, "405");
        assert!(head.contains("allow: get, head"), "{head}");
        assert_eq!(body, "the methods are GET and HEAD\n", "{method}");
    }
    for path in ["/", "/metrics/", "/../etc/passwd", "//metrics"] {
        let (head, body) = get(address, path);
        assert_status(&head, "404");
        assert_eq!(
            body, "not found; the paths are /large, /metrics, /panic, /readyz\n",
            "{path}"
        );
    }
}

#[test]
fn what_is_no_request_is_refused() {
    let address = serve(pages());
    let (head, _) = ask(address, "\x16\x03\x01 is TLS\r\n\r\n");
    assert_status(&head, "400");
    let long = format!(
        "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n",
        "x".repeat(MAX_HEAD_BYTES)
    );
    let (head, _) = ask(address, &long);
    assert_status(&head, "431");
    let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(65));
    let (head, _) = ask(address, &many);
    assert_status(&head, "431");
    assert_status(&get(address, "/metrics").0, "200");
}

#[test]
fn a_page_that_fails_is_an_error_and_the_others_are_served() {
    let address = serve(pages());
    for _ in 0..3 {
        assert_status(&get(address, "/panic").0, "500");
    }
    assert_status(&get(address, "/metrics").0, "200");
}

#[test]
fn a_slow_page_delays_no_other_and_runs_once_at_a_time() {
    let state = Arc::new((Mutex::new((0, false)), Condvar::new()));
    let of_page = Arc::clone(&state);
    let address = serve(pages().with_slow("/slow", move |_| {
        let (lock, changed) = &*of_page;
        let mut state = lock.lock().expect("no panic");
        state.0 += 1;
        changed.notify_all();
        let state = changed.wait_while(state, |(_, is_open)| !*is_open);
        Reply::text(state.expect("no panic").0)
    }));
    let asked = [(); 2].map(|()| thread::spawn(move || get(address, "/slow")));
    let (lock, changed) = &*state;
    let running = changed.wait_while(lock.lock().expect("no panic"), |(running, _)| *running == 0);
    drop(running);
    for _ in 0..10 {
        assert_status(&get(address, "/metrics").0, "200");
    }
    let mut running = lock.lock().expect("no panic");
    assert_eq!(running.0, 1, "the second one waits");
    running.1 = true;
    changed.notify_all();
    drop(running);
    let mut bodies = asked.map(|asked| asked.join().expect("an answer").1);
    bodies.sort();
    assert_eq!(bodies, ["1\n", "2\n"]);
}

#[test]
fn clients_that_are_too_slow_are_closed_while_others_are_answered() {
    let address = serve(pages());
    let begun = Instant::now();
    // The one sends no whole head, byte by byte; the other does not read its answer.
    let mut sends_slowly = connect(address);
    sends_slowly.write_all(b"GET /metr").expect("it reads");
    let mut reads_slowly = connect(address);
    reads_slowly
        .write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect("it reads");
    let mut sender = sends_slowly.try_clone().expect("a descriptor");
    thread::spawn(move || {
        while sender.write_all(b"i").is_ok() {
            thread::sleep(Duration::from_millis(500));
        }
    });
    assert_status(&get(address, "/metrics").0, "200");
    let mut answer = Vec::new();
    match sends_slowly.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"),
        "no page"
    );
    assert!(begun.elapsed() >= MAX_HEAD_TIME - Duration::from_millis(100));
    assert!(begun.elapsed() < MAX_HEAD_TIME + PATIENCE);

    // What did not fit into the buffers is never sent.
    thread::sleep((MAX_TIME + Duration::from_secs(1)).saturating_sub(begun.elapsed()));
    let mut received = Vec::new();
    let end = reads_slowly.read_to_end(&mut received);
    let is_reset = end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset);
    assert!(
        is_reset || received.len() < LARGE,
        "{} bytes",
        received.len()
    );
}

#[test]
fn more_connections_than_there_may_be_wait_for_their_turn() {
    let address = serve(pages());
    let mut idle: Vec<_> = (0..MAX_CONNECTIONS).map(|_| connect(address)).collect();
    let mut further = connect(address);
    further
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect("the kernel takes it");
    let short = Duration::from_millis(500);
    further.set_read_timeout(Some(short)).expect("a timeout");
    let error = further.read(&mut [0]).expect_err("it waits");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    // One goes away.
    idle.pop();
    further.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    assert_status(&read(further).0, "200");
    // The others are closed in their time, and as many are answered then.
    for mut stream in idle {
        let end = stream.read(&mut [0]);
        assert!(
            matches!(end, Ok(0))
                || end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
        );
    }
    let answered =
        [(); 2 * MAX_CONNECTIONS].map(|()| thread::spawn(move || get(address, "/metrics")));
    for answered in answered {
        assert_status(&answered.join().expect("an answer").0, "200");
    }
}

#[test]
fn an_address_that_cannot_be_bound_says_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address");
    let error = Server::bind(address).expect_err("it is taken").to_string();
    let port = address.port();
    let expected = format!(
        "cannot listen on 127.0.0.1:{port}: another program has this port, which ss -ltnp 'sport = :{port}' names; \
         end it, or choose another port"
    );
    assert_eq!(error, expected);
    let documentation = ([192, 0, 2, 1], 9_435).into();
    let error = Server::bind(documentation).expect_err("not here");
    let expected = "cannot listen on 192.0.2.1:9435: this machine does not have the address; choose one of those \
                    that ip address shows";
    assert_eq!(error.to_string(), expected);
}
