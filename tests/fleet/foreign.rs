//! Messages in the stream that no host has published.

use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Write as _;
use std::net::TcpStream;

use crate::processes::Fleet;
use crate::processes::eventually;
use crate::processes::output;

/// Publishes a message by the protocol of NATS alone.
fn publish(port: u16, subject: &str, headers: &str, payload: &[u8]) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a server");
    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
    let mut line = String::new();
    reader.read_line(&mut line).expect("INFO");
    let block = format!("NATS/1.0\r\n{headers}\r\n");
    let (header, total) = (block.len(), block.len() + payload.len());
    let command = format!(
        "CONNECT {{\"verbose\":false,\"headers\":true}}\r\nHPUB {subject} {header} {total}\r\n{block}"
    );
    stream.write_all(command.as_bytes()).expect("a server");
    stream.write_all(payload).expect("a server");
    stream.write_all(b"\r\nPING\r\n").expect("a server");
    while !line.starts_with("PONG") {
        line.clear();
        reader.read_line(&mut line).expect("an answer");
    }
}

#[test]
fn a_damaged_frame_is_counted_and_the_next_one_is_consumed() {
    let fleet = Fleet::start(1);
    let capture = fleet.capture("a.rtc", 100, 10);
    let consumer = fleet.consumer("one", &["--from-beginning", "--plugin", "json-print"]);
    let consumer = consumer.begun();
    output(&mut fleet.publish(&capture, "web-1", 1));
    eventually("the events", || {
        (consumer.lines().len() == 100).then_some(())
    });
    let subject = "retrans.v1.ev.0.web-9";
    // Without headers that a frame must have; with a head that is not there; with bytes that are no frame.
    publish(fleet.server.port, subject, "", b"x");
    let frame = |number: u32, head: &str| {
        format!(
            "Nats-Msg-Id: b/1/0/{number}\r\nRetrans-Head: {head}\r\nRetrans-Clock: 5\r\nRetrans-Events: 7\r\n"
        )
    };
    let missing = "00112233445566778899aabbccddeeff";
    publish(fleet.server.port, subject, &frame(0, missing), b"x");
    eventually("both complaints", || {
        let said = consumer.said();
        (said.matches("cannot be used").count() == 2).then_some(())
    });
    output(&mut fleet.publish(&capture, "web-2", 1));
    eventually("the events after them", || {
        (consumer.lines().len() == 200).then_some(())
    });
    let said = consumer.said();
    let counted = consumer.end().fleet.expect("a line");
    assert_eq!(counted.get("damaged_frames"), 2, "{said}");
    assert_eq!(counted.get("delivered"), 200);
}
