//! Settings of plugins, and the errors for wrong ones.

#![allow(missing_docs)]

use retrans_plugin_sdk::prelude::*;
use retrans_plugin_sdk::serde_json::Value;
use retrans_plugin_sdk::serde_json::json;
use retrans_plugin_sdk::testing;
use retrans_plugin_sdk::testing::Scenario;

settings! {
    /// All kinds of settings.
    struct Settings {
        /// A number.
        threshold: u32 = 10,
        /// A time.
        #[serde(with = "duration")]
        window: Duration = Duration::from_millis(1_500),
        /// A word.
        by: By = By::PeerPort,
        /// One or many words.
        keys: OneOrMany<By> = OneOrMany(vec![By::Peer, By::PeerPort]),
        severity: Severity = Severity::Info,
        name: Option<String> = None,
        peers: Vec<IpAddr> = Vec::new(),
    }

    /// A word.
    enum By {
        Peer,
        /// With two parts.
        PeerPort,
    }
}

/// Prints its settings.
struct Echo(Settings);

impl Plugin for Echo {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        ensure!(settings.threshold != 13, "threshold: 13 brings bad luck");
        Ok(Echo(settings))
    }

    fn on_event(&mut self, _: &mut Event, _: &mut Output) -> Result<Verdict> {
        Ok(Verdict::Keep)
    }

    fn on_finish(&mut self, _: Duration, out: &mut Output) -> Result<()> {
        let Settings {
            threshold,
            window,
            by,
            keys,
            severity,
            name,
            peers,
        } = &self.0;
        out.line(format_args!(
            "{threshold} {window:?} {by:?} {:?} {severity:?} {name:?} {peers:?}",
            keys.0
        ));
        Ok(())
    }
}

filter!(|event| event.is_ipv4());

fn echo(key: &str, value: Value) -> Result<String> {
    let mut outcome = Scenario::new().setting(key, value).run::<Echo>()?;
    outcome.lines.pop().context("it prints one line")
}

#[test]
fn every_setting_has_its_default() -> Result<()> {
    let outcome = Scenario::new().run::<Echo>()?;
    assert_eq!(
        outcome.lines,
        ["10 1.5s PeerPort [Peer, PeerPort] Info None []"]
    );
    Ok(())
}

#[test]
fn every_kind_of_setting_can_be_set() -> Result<()> {
    assert!(echo("threshold", json!(3))?.starts_with("3 "));
    assert!(echo("window", json!("1m30s"))?.contains(" 90s "));
    assert!(echo("window", json!("250ms"))?.contains(" 250ms "));
    assert!(echo("by", json!("peer"))?.contains(" Peer "));
    assert!(echo("keys", json!("peer_port"))?.contains(" [PeerPort] "));
    assert!(echo("keys", json!(["peer"]))?.contains(" [Peer] "));
    assert!(echo("severity", json!("critical"))?.contains(" Critical "));
    assert!(echo("name", json!("10"))?.contains(r#"Some("10")"#));
    assert!(echo("peers", json!(["::1"]))?.ends_with("[::1]"));
    Ok(())
}

#[test]
fn a_wrong_setting_is_named() {
    let duration = "a duration such as \"10s\", \"250ms\" or \"1m30s\"";
    for (key, value, expected) in [
        (
            "threshold",
            json!("x"),
            "threshold: invalid type: string \"x\", expected u32",
        ),
        (
            "threshold",
            json!(-1),
            "threshold: invalid value: integer `-1`, expected u32",
        ),
        ("threshold", json!(13), "threshold: 13 brings bad luck"),
        (
            "window",
            json!("10"),
            &format!("window: invalid value: string \"10\", expected {duration}"),
        ),
        (
            "window",
            json!(10),
            &format!("window: invalid type: integer `10`, expected {duration}"),
        ),
        (
            "by",
            json!("pear"),
            "by: unknown variant `pear`, expected `peer` or `peer_port`",
        ),
        (
            "keys",
            json!(["peer", "pear"]),
            "keys[1]: unknown variant `pear`, expected `peer` or `peer_port`",
        ),
        (
            "keys",
            json!(1),
            "keys: invalid type: integer `1`, expected a word or a list of words",
        ),
        ("peers", json!(["x"]), "peers[0]: invalid IP address syntax"),
    ] {
        let error = echo(key, value).expect_err(expected);
        assert_eq!(format!("{error:#}"), expected);
    }
}

#[test]
fn an_unknown_setting_is_named_with_the_known_ones() {
    let error = echo("treshold", json!(1)).expect_err("it is misspelt");
    assert_eq!(
        error.to_string(),
        "unknown field `treshold`, expected one of `threshold`, `window`, `by`, `keys`, \
         `severity`, `name`, `peers`"
    );
}

#[test]
fn a_plugin_without_settings_takes_none() -> Result<()> {
    Scenario::new().run::<Filter>()?;
    let scenario = Scenario::new().setting("port", 443);
    let error = scenario.run::<Filter>().expect_err("there are no settings");
    assert_eq!(
        error.to_string(),
        "unknown field `port`, there are no fields"
    );
    Ok(())
}

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "retrans_plugin_sdk::serde", deny_unknown_fields)]
#[schemars(crate = "retrans_plugin_sdk::schemars")]
struct Required {
    peer: IpAddr,
}

struct OnlyOne(IpAddr);

impl Plugin for OnlyOne {
    type Settings = Required;

    fn new(settings: Required) -> Result<Self> {
        Ok(OnlyOne(settings.peer))
    }

    fn on_event(&mut self, event: &mut Event, _: &mut Output) -> Result<Verdict> {
        Ok(Verdict::keep_if(event.peer().ip() == self.0))
    }
}

#[test]
fn a_missing_setting_without_a_default_is_named() -> Result<()> {
    let error = Scenario::new().run::<OnlyOne>().expect_err("no peer");
    assert_eq!(error.to_string(), "missing field `peer`");
    Scenario::new().setting("peer", "::1").run::<OnlyOne>()?;
    assert_eq!(
        testing::settings_schema::<OnlyOne>()["required"],
        json!(["peer"])
    );
    Ok(())
}

#[test]
fn the_schema_has_types_defaults_and_descriptions_and_no_references() {
    let schema = testing::settings_schema::<Echo>();
    let settings = &schema["properties"];
    assert_eq!(schema["description"], "All kinds of settings.");
    assert_eq!(settings["threshold"]["type"], "integer");
    assert_eq!(settings["threshold"]["default"], 10);
    assert_eq!(settings["threshold"]["description"], "A number.");
    assert_eq!(settings["window"]["type"], "string");
    assert_eq!(settings["window"]["default"], "1s 500ms");
    assert_eq!(settings["by"]["default"], "peer_port");
    assert_eq!(settings["keys"]["default"], json!(["peer", "peer_port"]));
    assert_eq!(settings["severity"]["default"], "info");
    assert_eq!(schema["additionalProperties"], false);
    assert!(!schema.to_string().contains("$ref"));
}
