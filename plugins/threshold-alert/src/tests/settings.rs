//! Valid and invalid settings.

use retrans_plugin_sdk::serde_json;
use retrans_plugin_sdk::serde_json::json;
use retrans_plugin_sdk::testing;

use super::*;

#[test]
fn the_severity_is_the_one_that_was_set() {
    let scenario = three_in_ten_seconds().setting("severity", "critical");
    let outcome = run(&at(scenario, [0, 0, 0]).tick(seconds(20)));
    assert_eq!(outcome.alerts.len(), 2);
    assert!(
        outcome
            .alerts
            .iter()
            .all(|alert| alert.severity == Severity::Critical)
    );
}

#[test]
fn invalid_settings_are_refused_by_name() {
    let refused: [(&str, serde_json::Value, &str); 8] = [
        (
            "threshold",
            json!(0),
            "threshold: expected from 1 to 524288",
        ),
        (
            "threshold",
            json!("x"),
            "threshold: invalid type: string \"x\", expected u32",
        ),
        ("window", json!("0s"), "window: expected more than 0s"),
        (
            "window",
            json!("soon"),
            "window: invalid value: string \"soon\", expected a duration such as \"10s\", \
             \"250ms\" or \"1m30s\"",
        ),
        ("max_keys", json!(0), "max_keys: expected at least 1"),
        (
            "key",
            json!([]),
            "key: expected at least one word, such as peer",
        ),
        (
            "key",
            json!("pear"),
            "key: unknown variant `pear`, expected one of `peer`, `connection`, `local`, \
             `local_port`, `peer_port`, `netns`, `process`, `container`, `namespace`, `pod`",
        ),
        (
            "count",
            json!("bytes"),
            "count: unknown variant `bytes`, expected `segments` or `events`",
        ),
    ];
    for (key, value, expected) in refused {
        let scenario = Scenario::new().setting(key, value);
        let error = scenario.run::<ThresholdAlert>().expect_err(expected);
        assert_eq!(format!("{error:#}"), expected);
    }
}

#[test]
fn the_schema_has_types_and_defaults() {
    let schema = testing::settings_schema::<ThresholdAlert>();
    let settings = &schema["properties"];
    assert_eq!(settings["threshold"]["type"], "integer");
    assert_eq!(settings["threshold"]["minimum"], 1);
    assert_eq!(settings["threshold"]["default"], 10);
    assert_eq!(settings["window"]["type"], "string");
    assert_eq!(settings["window"]["default"], "10s");
    assert_eq!(settings["key"]["default"], "peer");
    assert_eq!(settings["severity"]["default"], "warning");
    assert_eq!(schema["additionalProperties"], false);
    assert!(!schema.to_string().contains("$ref"));
}
