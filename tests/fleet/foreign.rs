//! What other programs have to do with the stream: messages that no host has published, and readers of lines.

use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpStream;

use crate::processes::Fleet;
use crate::processes::eventually;
use crate::processes::output;

/// Publishes a message by the protocol of NATS alone.
pub fn publish(port: u16, subject: &str, headers: &str, payload: &[u8]) {
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

/// Subscribes by the protocol of NATS alone. Returns the payloads of this number of messages.
fn subscribe(port: u16, subject: &str, count: usize) -> impl FnOnce() -> Vec<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a server");
    let limit = Some(std::time::Duration::from_secs(60));
    stream.set_read_timeout(limit).expect("a time limit");
    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
    let command =
        format!("CONNECT {{\"verbose\":false,\"headers\":true}}\r\nSUB {subject} 1\r\nPING\r\n");
    stream.write_all(command.as_bytes()).expect("a server");
    let mut line = String::new();
    while !line.starts_with("PONG") {
        line.clear();
        reader.read_line(&mut line).expect("an answer");
    }
    move || {
        let mut payloads = Vec::new();
        while payloads.len() < count {
            line.clear();
            reader.read_line(&mut line).expect("a message");
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.first() {
                Some(&"PING") => stream.write_all(b"PONG\r\n").expect("a server"),
                Some(&"HMSG") => {
                    let size = |word: &str| word.parse::<usize>().expect("a size");
                    let [.., header, total] = words[..] else {
                        panic!("{line}");
                    };
                    let mut bytes = vec![0; size(total) + 2];
                    let header = size(header);
                    reader.read_exact(&mut bytes).expect("a message");
                    let payload = &bytes[header..bytes.len() - 2];
                    payloads.push(String::from_utf8(payload.to_vec()).expect("UTF-8"));
                }
                _ => panic!("{line}"),
            }
        }
        payloads
    }
}

#[test]
fn lines_are_published_and_not_printed() {
    let fleet = Fleet::start(2);
    let capture = fleet.capture("a.rtc", 100, 10);
    let read = subscribe(fleet.server.port, "retrans.v1.out.*", 100);
    let arguments = [
        "--from-beginning",
        "--plugin",
        "json-print",
        "--publish-lines",
    ];
    let consumer = fleet.consumer("one", &arguments).begun();
    output(&mut fleet.publish(&capture, "web-1", 2));
    let lines = read();
    assert_eq!(events(&lines), 100);
    assert_eq!(consumer.lines(), Vec::<String>::new());
    assert_eq!(consumer.end().fleet.expect("a line").get("delivered"), 100);
}

fn events(lines: &[String]) -> usize {
    let events = lines
        .iter()
        .filter(|line| line.contains(r#""type":"retransmit""#));
    events.count()
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
        (events(&consumer.lines()) == 200).then_some(())
    });
    let said = consumer.said();
    let counted = consumer.end().fleet.expect("a line");
    assert_eq!(counted.get("damaged_frames"), 2, "{said}");
    // Of the one without headers, the number of events is not known.
    assert_eq!(counted.get("damaged"), 7);
    assert_eq!(counted.get("delivered"), 200);
}
