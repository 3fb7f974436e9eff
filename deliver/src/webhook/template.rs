//! Templates for bodies that a receiver prescribes, as Slack does.
//!
//! Values are written as JSON: `{"text": {{ summary }}}` has its quotation marks from the template engine, so that no
//! text of an event can end a string and add to the body. Only a body that is not JSON has them as they are.

use minijinja::AutoEscape;
use minijinja::Environment;
use minijinja::UndefinedBehavior;

use super::body::Body;
use super::body::Host;
use crate::alert::Alert;
use crate::alert::Severity;
use crate::alert::State;

/// Number of steps that a template may take. One of a usual size takes a few dozen.
const FUEL: u64 = 100_000;

const NAME: &str = "template";

/// A template that was tried out.
pub(super) struct Template {
    environment: Environment<'static>,
    is_json: bool,
}

/// A template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// It is wrong, or uses something that an alert may lack.
    #[error("the template cannot be used: {0}")]
    Template(String),
    /// Its result for an alert is no JSON.
    #[error(
        "the template makes no JSON ({error}) of an alert that is {state}: {{{{ … }}}} adds the quotation marks of a \
         text itself; the result was {result}"
    )]
    NoJson {
        /// The error.
        error: String,
        /// The state of the alert.
        state: State,
        /// The result.
        result: String,
    },
}

impl Template {
    /// Reads a template, and tries it with alerts that have everything, and with those that have little.
    pub(super) fn new(
        source: String,
        is_json: bool,
        host: &Host,
    ) -> Result<Template, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_fuel(Some(FUEL));
        environment.set_auto_escape_callback(move |_| {
            if is_json {
                AutoEscape::Json
            } else {
                AutoEscape::None
            }
        });
        environment
            .add_template_owned(NAME, source)
            .map_err(|error| TemplateError::Template(explained(&error)))?;
        let template = Template {
            environment,
            is_json,
        };
        for state in [State::Firing, State::Resolved] {
            let alert = sample(state);
            let body = Body::new(&alert, 1, "sample", host);
            let result = template.render(&body).map_err(TemplateError::Template)?;
            if let Err(error) = template.check(&result) {
                return Err(TemplateError::NoJson {
                    error,
                    state,
                    result,
                });
            }
        }
        Ok(template)
    }

    /// The body for a receiver.
    pub(super) fn body(&self, body: &Body<'_>) -> Result<String, String> {
        let result = self.render(body)?;
        let checked = self.check(&result);
        checked.map_err(|error| format!("the template makes no JSON of this alert ({error})"))?;
        Ok(result)
    }

    fn render(&self, body: &Body<'_>) -> Result<String, String> {
        let template = self.environment.get_template(NAME);
        let context = minijinja::Value::from(minijinja::value::Serde(body));
        let result = template.and_then(|template| template.render(context));
        result.map_err(|error| explained(&error))
    }

    fn check(&self, result: &str) -> Result<(), String> {
        if !self.is_json {
            return Ok(());
        }
        let checked: Result<serde::de::IgnoredAny, _> = serde_json::from_str(result);
        checked.map(|_| ()).map_err(|error| error.to_string())
    }
}

/// The error, with its line, and the value that is missing.
fn explained(error: &minijinja::Error) -> String {
    let mut text = error.kind().to_string();
    if let Some(detail) = error.detail() {
        text = format!("{text}: {detail}");
    }
    if let Some(line) = error.line() {
        text = format!("{text} (line {line})");
    }
    match error.kind() {
        minijinja::ErrorKind::UndefinedError => format!(
            "{text}; an alert may lack `event`, `external_url` and each label: use {{% if event %}} and \
             labels.name|default(\"\")"
        ),
        minijinja::ErrorKind::OutOfFuel => format!("{text}: it takes more than {FUEL} steps"),
        _ => text,
    }
}

/// An alert with every character that must not end a text; a resolved one has no event and no labels.
fn sample(state: State) -> Alert {
    let is_firing = state == State::Firing;
    let hostile = "a \"quoted\" text\\ with {{ braces }}\nand <lines>";
    Alert {
        plugin: "sample".to_owned(),
        name: "sample".to_owned(),
        severity: Severity::Warning,
        state,
        summary: hostile.to_owned(),
        labels: is_firing
            .then(|| ("peer".to_owned(), hostile.to_owned()))
            .into_iter()
            .collect(),
        connection: is_firing.then(|| {
            (
                ([192, 0, 2, 1], 40_000).into(),
                ([192, 0, 2, 2], 443).into(),
            )
        }),
        wall_time: std::time::Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::alert;

    fn host() -> Host {
        Host {
            instance: "web-1".to_owned(),
            external_url: None,
        }
    }

    fn template(source: &str) -> Result<Template, TemplateError> {
        Template::new(source.to_owned(), true, &host())
    }

    fn error(source: &str) -> String {
        template(source).err().expect("an error").to_string()
    }

    fn rendered(source: &str, alert: &Alert) -> String {
        let host = host();
        let template = template(source).expect("a template");
        template
            .body(&Body::new(alert, 2, "7f-1", &host))
            .expect("a body")
    }

    #[test]
    fn a_template_has_all_values_of_the_body() {
        let source = r#"{"text": {{ severity ~ " " ~ name ~ " on " ~ instance ~ ": " ~ summary }}, "n": {{ raised }},
            "peer": {{ labels.peer|default("") }}, "to": {{ event.destination.port if event else 0 }},
            "all": {{ labels }}, "up": {{ name|upper|tojson }}}"#;
        let json: serde_json::Value =
            serde_json::from_str(&rendered(source, &alert("loss", State::Firing))).expect("JSON");
        assert_eq!(json["text"], "warning loss on web-1: loss is firing");
        assert_eq!((&json["n"], &json["to"]), (&2.into(), &443.into()));
        assert_eq!(
            (&json["peer"], &json["all"]["peer"]),
            (&"10.0.0.2".into(), &"10.0.0.2".into())
        );
        assert_eq!(json["up"], "LOSS");
    }

    #[test]
    fn a_text_of_an_event_cannot_end_a_string() {
        let mut alert = alert("loss", State::Firing);
        alert.summary = "\", \"channel\": \"#all\", \"x\": \"\u{2028}\\".to_owned();
        let json: serde_json::Value =
            serde_json::from_str(&rendered(r#"{"text": {{ summary }}}"#, &alert)).expect("JSON");
        assert_eq!(json.as_object().map(serde_json::Map::len), Some(1));
        assert_eq!(json["text"], alert.summary.as_str());
    }

    #[test]
    fn a_wrong_template_is_an_error_at_the_start() {
        assert!(
            error("{{ summary").contains("(line 1)"),
            "{}",
            error("{{ summary")
        );
        let quoted = error(r#"{"text": "{{ summary }}"}"#);
        assert!(quoted.contains("adds the quotation marks"), "{quoted}");
        let missing = error("{\n\"text\": {{ sumary }}}");
        assert!(
            missing.contains("(line 2)") && missing.contains("undefined"),
            "{missing}"
        );
        let absent = error(r#"{"text": {{ event.source.ip }}}"#);
        assert!(absent.contains("{% if event %}"), "{absent}");
        let label = error(r#"{"text": {{ labels.peer }}}"#);
        assert!(label.contains("default"), "{label}");
        let endless =
            error("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}{}");
        assert!(endless.contains("more than 100000 steps"), "{endless}");
    }

    #[test]
    fn a_body_that_is_no_json_has_the_texts_as_they_are() {
        let host = host();
        let template = Template::new("{{ name }}: {{ summary }}".to_owned(), false, &host)
            .expect("a template");
        let alert = alert("loss", State::Firing);
        let body = template
            .body(&Body::new(&alert, 1, "7f-1", &host))
            .expect("a body");
        assert_eq!(body, "loss: loss is firing");
    }
}
