//! What runs in the thread beside deliveries.

use std::sync::mpsc;

use super::*;

/// Tells when it is dropped.
struct Told(mpsc::Sender<&'static str>);

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

#[test]
fn a_further_task_runs_until_the_end_which_does_not_wait_for_it() {
    let (outlets, mut runner) = prepare(&Config::default()).expect("nothing to read");
    let (tell, told) = mpsc::channel();
    runner.spawn(async move {
        let _told = Told(tell.clone());
        let _ = tell.send("started");
        std::future::pending().await
    });
    let thread = std::thread::spawn(|| runner.run());
    let wait = || told.recv_timeout(Duration::from_secs(15));
    assert_eq!(wait(), Ok("started"));
    assert_eq!(outlets.finish(Duration::from_secs(15)), []);
    thread.join().expect("no panic").expect("a runtime");
    assert_eq!(wait(), Ok("dropped"));
}

#[test]
fn an_error_names_its_receiver() {
    let mut webhook = webhook::Config::new(webhook::UrlSource::Text("here".to_owned()), "web-1");
    webhook.name = "slack".to_owned();
    let config = Config {
        webhooks: vec![webhook],
        ..Config::default()
    };
    let error = prepare(&config).err().expect("an error").to_string();
    let expected = "slack: the URL of the webhook cannot be used: the URL has no scheme";
    assert!(error.starts_with(expected), "{error}");
}
