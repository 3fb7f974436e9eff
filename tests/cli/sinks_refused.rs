//! Mistakes in the options of sinks, and what is shown of them: no secret.

use crate::common::captures::host;
use crate::common::captures::ran;
use crate::common::components::Files;
use crate::common::refusal::USAGE;
use crate::common::refusal::assert_refused;

#[test]
fn a_mistake_in_a_sink_has_its_line_and_key_and_shows_no_secret() {
    let files = Files::new();
    files.write("token", "a token");
    let webhook = "[[sink]]\ntype = 'webhook'\nurl = 'http://127.0.0.1/secret'\n";
    let with = |more: &str| format!("{webhook}{more}\n");
    let sink = |text: &str| format!("[[sink]]\n{text}\n");
    let cases = [
        (
            sink("url = 'http://a'"),
            "config.toml:1: sink[1]: it has no type: ",
        ),
        (
            sink("type = 'alertmanger'"),
            "config.toml:2: sink[1].type: --sink alertmanger: there is no such type of sink; did you mean alertmanager?",
        ),
        (
            sink("type = 'alertmanager'"),
            "config.toml:2: sink[1].type: sink alertmanager: url: expected one or several URLs",
        ),
        (
            sink("type = 'alertmanager'\nurl = 'localhost:9093'"),
            "config.toml:3: sink[1].url: sink alertmanager: Alertmanager localhost:9093: the URL has no scheme",
        ),
        (
            sink("type = 'webhook'\nurl = 'https://me:secret@a'"),
            "config.toml:3: sink[1].url: sink webhook: the URL of the webhook cannot be used: the URL has a user",
        ),
        (
            with("time-out = '1s'"),
            "config.toml:4: sink[1].time-out: sink webhook: time-out: there is no such key; did you mean timeout?",
        ),
        (
            with("repeat = '1m'"),
            "config.toml:4: sink[1].repeat: sink webhook: repeat: it is a key of alertmanager, and not of webhook",
        ),
        (
            with("timeout = 'soon'"),
            "config.toml:4: sink[1].timeout: sink webhook: timeout: expected a time such as 30s",
        ),
        (
            with("timeout = '0s'"),
            "config.toml:4: sink[1].timeout: sink webhook: requests to the webhook 127.0.0.1 cannot be made: ",
        ),
        (
            with("token-file = 'none'"),
            "config.toml:4: sink[1].token-file: sink webhook: requests to the webhook 127.0.0.1 cannot be made: \
             cannot read the secret in none: No such file or directory",
        ),
        (
            with("hmac-file = 'none'"),
            "config.toml:4: sink[1].hmac-file: sink webhook: cannot read the secret in none: ",
        ),
        (
            with("template-file = 'none'"),
            "config.toml:4: sink[1].template-file: sink webhook: template-file: cannot read none: ",
        ),
        (
            with("template-file = 'token'"),
            "config.toml:4: sink[1].template-file: sink webhook: the template makes no JSON",
        ),
        // The key without which another one is of no use.
        (
            with("user = 'me'\ntimeout = '1s'"),
            "config.toml:4: sink[1].user: sink webhook: user: expected a password-file beside it",
        ),
        // Keys that exclude each other.
        (
            with("url-file = 'token'"),
            "config.toml:4: sink[1].url-file: sink webhook: set url or url-file, not both",
        ),
        (
            with("token-file = 'token'\nuser = 'me'"),
            "config.toml:5: sink[1].user: sink webhook: set token-file or user with password-file, not both",
        ),
        // What is complete with a later key is not blamed for the mistake of another one.
        (
            with("user = 'me'\npassword-file = 'token'\nretry = 'x'"),
            "config.toml:6: sink[1].retry: sink webhook: retry: expected a time",
        ),
        (
            with(webhook),
            "config.toml:5: sink[2].type: two sinks have the name webhook",
        ),
        (
            with("name = 'a b'"),
            "config.toml:4: sink[1].name: sink \"a b\": the name of a sink consists of letters",
        ),
        (
            sink("type = 'otlp'\nlogs = false\nmetrics = false"),
            "config.toml:4: sink[1].metrics: sink otlp: logs: expected true, where metrics is false",
        ),
        (
            sink("type = 'otlp'\nlogs = 'yes'"),
            "config.toml:3: sink[1].logs: sink otlp: logs: expected true or false",
        ),
        (
            sink("type = 'otlp'\ninterval = '10ms'"),
            "config.toml:3: sink[1].interval: sink otlp: interval: expected a time of 1s or more",
        ),
        (
            sink("type = 'otlp'\nheaders = { 'a b' = 'secret' }"),
            "config.toml:3: sink[1].headers.a b: sink otlp: the header \"a b\" for the OTLP collector cannot be sent",
        ),
        (
            sink("type = 'alertmanager'\nurl = 'http://a'\nlabels = { instance = 'x' }"),
            "config.toml:4: sink[1].labels.instance: sink alertmanager: label \"instance\": this label is set by",
        ),
        (
            sink("type = 'alertmanager'\nurls = ['http://a', 'http://a/']"),
            "config.toml:3: sink[1].urls: sink alertmanager: Alertmanager http://a/ is named twice",
        ),
        (
            "external-url = 'dashboard'\n".to_owned(),
            "config.toml:1: external-url: --external-url: the URL has no scheme",
        ),
        (
            "alerts-per-minute = 0\n".to_owned(),
            "config.toml:1: alerts-per-minute: invalid value '0'",
        ),
    ];
    for (config, words) in cases {
        files.write("config.toml", &config);
        for command in [
            &["config", "check", "config.toml"][..],
            &["--config", "config.toml"],
        ] {
            let mut command = host(files.path(), command);
            let stderr = command.output().expect("it runs").stderr;
            let stderr = String::from_utf8_lossy(&stderr);
            assert!(
                !stderr.contains("secret@") && !stderr.contains("/secret"),
                "{stderr}"
            );
            assert_refused(&mut command, USAGE, &[words]);
        }
    }
    let on_command_line: [(&[&str], &str); 4] = [
        (&["--sink-set=a=b"], "--sink-set a: no --sink before it"),
        (
            &["--sink=otlp", "--sink-set=a"],
            "--sink-set: expected KEY=VALUE",
        ),
        (
            &["--sink=https://hooks.example.com/secret"],
            "--sink https: there is no such type of sink; there are alertmanager, webhook, otlp",
        ),
        (
            &["--sink=webhook"],
            "sink webhook: url: expected a URL, or a file with one",
        ),
    ];
    for (options, words) in on_command_line {
        assert_refused(&mut host(files.path(), options), USAGE, &[words]);
    }
    let mut command = host(files.path(), &["--sink=otlp"]);
    command.env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let words = "sink otlp: OTEL_EXPORTER_OTLP_PROTOCOL=grpc: only http/protobuf is supported";
    assert_refused(&mut command, USAGE, &[words]);
}

#[test]
fn sinks_of_a_file_are_checked_and_shown_and_those_of_the_command_line_replace_them() {
    let files = Files::new();
    files.write(
        "config.toml",
        "[[plugin]]\nfile = 'threshold-alert'\n\n[[sink]]\ntype = 'alertmanager'\nurls = ['http://a:1', 'http://b:2']\n\
         \n[[sink]]\ntype = 'webhook'\nname = 'slack'\nurl = 'https://hooks.example.com/secret'\n",
    );
    let (text, stderr) = ran(&mut host(files.path(), &["config", "check", "config.toml"]));
    assert_eq!(
        text,
        "config.toml: the host would start, with threshold-alert; it would deliver to alertmanager, slack\n"
    );
    assert_eq!(stderr, "");
    let show = |options: &[&str]| {
        let arguments = [&["config", "show", "config.toml"], options].concat();
        let (text, _) = ran(&mut host(files.path(), &arguments));
        let table: toml::Table = text.parse().expect("TOML");
        (text, table["sink"].as_array().expect("sinks").len())
    };
    let (text, number) = show(&[]);
    assert_eq!(number, 2);
    for words in [
        "# config.toml:5",
        "url = \"http://a:1,http://b:2\"",
        "# config.toml:9",
        "url = \"https://hooks.example.com/…\"",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains("secret"), "{text}");
    let (text, number) = show(&["--sink", "otlp", "--sink-set", "headers.X-Key=secret"]);
    assert_eq!(number, 1);
    assert!(text.contains("headers = { X-Key = \"…\" }"), "{text}");
}
