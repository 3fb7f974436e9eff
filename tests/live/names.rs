//! Events carry the names of pods and containers, which a host in its sandbox reads in trees like those of the kubelet,
//! Docker and Podman.

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::chown;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;

use crate::common::refusal::BINARY;
use crate::support::Root;
use crate::support::container::Container;
use crate::support::host::Host;
use crate::support::host::other_user_launcher;
use crate::support::lab::Lab;
use crate::support::netns::command;
use crate::support::owners::AT_RECEIVER;
use crate::support::owners::accept;
use crate::support::owners::events_in;
use crate::support::owners::listen;
use crate::support::owners::lose_a_segment;
use crate::support::owners::wait_until_printed;
use crate::support::processes::Process;
use crate::support::root_test;

const POD: &str = "1f3c5b7a-0d2e-4c6b-8a9f-123456789abc";

/// A user who is not in the databases of the machine.
const USER: u32 = 54_321;

/// The labels that are names.
const NAMES: [&str; 4] = [
    "container.name",
    "k8s.container.name",
    "k8s.namespace.name",
    "k8s.pod.name",
];

/// CAP_DAC_READ_SEARCH.
const READ_SEARCH: u64 = 1 << 2;

/// Becomes a program in a private mount namespace, with the directories in `$0` in place of those of the machine.
const WITH_TREES: &str = r#"
mount --bind "$0/log" /var/log && mount --bind "$0/lib" /var/lib && mount --bind "$0/home" /home &&
mount --bind "$0/passwd" /etc/passwd && exec "$@"
"#;

/// Trees of runtimes.
struct Trees(TempDir);

impl Trees {
    /// Trees without a container.
    fn new() -> Result<Trees> {
        let trees = Trees(tempfile::tempdir()?);
        for directory in [
            "log/pods",
            "log/containers",
            "lib/docker/containers",
            "home",
        ] {
            fs::create_dir_all(trees.path(directory))?;
        }
        // As Docker makes it.
        fs::set_permissions(trees.path("lib/docker"), Permissions::from_mode(0o710))?;
        fs::copy("/etc/passwd", trees.path("passwd"))?;
        Ok(trees)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn launcher<'a>(&'a self, directory: &'a str) -> [&'a str; 6] {
        ["unshare", "--mount", "sh", "-c", WITH_TREES, directory]
    }

    /// A container of a pod, as the kubelet and a runtime leave it.
    fn pod(&self, id: &str) -> Result<()> {
        let directory = format!("log/pods/shop_cart-7d9f8b6c5-x2x4z_{POD}/app");
        fs::create_dir_all(self.path(&directory))?;
        let link = format!("log/containers/cart-7d9f8b6c5-x2x4z_shop_app-{id}.log");
        symlink(format!("/var/{directory}/0.log"), self.path(&link))?;
        Ok(())
    }

    fn docker(&self, id: &str) -> Result<()> {
        let directory = self.path(&format!("lib/docker/containers/{id}"));
        fs::create_dir_all(&directory)?;
        fs::set_permissions(&directory, Permissions::from_mode(0o710))?;
        let config = json!({"State": {"Running": true}, "ID": id, "Name": "/web"}).to_string();
        write_private(&directory.join("config.v2.json"), &config)
    }

    /// A user with Podman, as `podman run --rm --name=db` leaves a home.
    fn podman_of_user(&self, id: &str) -> Result<()> {
        let user = format!("alice:x:{USER}:{USER}::/home/alice:/bin/sh\n");
        let users = fs::read_to_string(self.path("passwd"))?;
        fs::write(self.path("passwd"), users + &user)?;
        let mut directory = self.path("home");
        for name in [
            "alice",
            ".local",
            "share",
            "containers",
            "storage",
            "overlay-containers",
        ] {
            directory.push(name);
            fs::create_dir_all(&directory)?;
            fs::set_permissions(&directory, Permissions::from_mode(0o700))?;
            chown(&directory, Some(USER), Some(USER))?;
        }
        let file = directory.join("volatile-containers.json");
        write_private(&file, &json!([{"id": id, "names": ["db"]}]).to_string())?;
        chown(&file, Some(USER), Some(USER))?;
        Ok(())
    }
}

fn write_private(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text)?;
    Ok(fs::set_permissions(file, Permissions::from_mode(0o600))?)
}

/// Which process is in the container, and what a running host has.
struct Scene<'a> {
    client: Process,
    trees: &'a Trees,
}

/// Runs a host that was started by `launcher` behind the trees, while a socket in a container retransmits. Returns the
/// labels of the events.
fn labels(
    root: &Root,
    launcher: &[&str],
    enter: impl FnOnce(&Scene<'_>, &Path) -> Result<Container>,
    running: impl FnOnce(&Host) -> Result<()>,
) -> Result<Vec<Value>> {
    let trees = Trees::new()?;
    let mounts = tempfile::tempdir()?;
    let lab = Lab::new()?;
    let listener = listen(&lab)?;
    let container;
    let mut scene = Scene {
        client: Process::start(root, &lab.sender)?,
        trees: &trees,
    };
    container = enter(&scene, mounts.path())?;
    let directory = trees.0.path().to_str().context("a path in UTF-8")?;
    let launcher = [&trees.launcher(directory)[..], launcher].concat();
    let host = Host::start_by(root, &launcher, &["--plugin=json-print"])?;
    running(&host)?;
    scene.client.connect(AT_RECEIVER)?;
    let mut server = accept(&listener)?;
    lose_a_segment(&lab, &mut scene.client, &mut server)?;
    wait_until_printed(&host, &lab)?;
    lose_a_segment(&lab, &mut scene.client, &mut server)?;
    let run = host.stop()?;
    let events = events_in(&run, &lab.sender)?;
    for event in &events {
        assert_eq!(event["labels"]["container.id"], container.id(), "{event}");
    }
    // Its group must be empty to be removed.
    drop(scene);
    Ok(events.iter().map(|event| event["labels"].clone()).collect())
}

/// Checks the names in the labels of the last event; `null` is no label. Those before have the same names, or none: the host
/// waits for the names of a container for 20 ms at most, which a busy machine may need.
fn assert_named(labels: &[Value], expected: &Value) {
    let names = |labels: &Value| {
        NAMES.map(|key| {
            let name = &labels[key];
            name.as_str().map(str::to_owned)
        })
    };
    let named: Vec<_> = labels.iter().map(names).collect();
    let expected = names(expected);
    assert_eq!(named.last(), Some(&expected), "{labels:?}");
    let nothing = names(&Value::Null);
    let known = |named| [&expected, &nothing].contains(&named);
    assert!(named.iter().all(known), "{labels:?}");
}

fn of_pod() -> Value {
    json!({
        "k8s.namespace.name": "shop",
        "k8s.pod.name": "cart-7d9f8b6c5-x2x4z",
        "k8s.container.name": "app",
    })
}

#[test]
fn root_a_container_of_a_pod_has_the_names_that_the_kubelet_has_given_its_logs() -> Result<()> {
    root_test(|root| {
        // Of root, and of a user with the two capabilities.
        for launcher in [Vec::new(), other_user_launcher()?] {
            let in_pod = |scene: &Scene<'_>, mounts: &Path| {
                let container = Container::in_pod(root, &scene.client, mounts, POD)?;
                scene.trees.pod(container.id())?;
                Ok(container)
            };
            let labels = labels(root, &launcher, in_pod, |_| Ok(()))?;
            assert_named(&labels, &of_pod());
        }
        Ok(())
    })
}

#[test]
fn root_a_container_of_docker_is_named_if_the_host_may_read_its_files() -> Result<()> {
    root_test(|root| {
        let with_search = other_user_launcher()?.into_iter().map(|word| match word {
            "--inh-caps=-all,+bpf,+perfmon" => "--inh-caps=-all,+bpf,+perfmon,+dac_read_search",
            "--ambient-caps=-all,+bpf,+perfmon" => {
                "--ambient-caps=-all,+bpf,+perfmon,+dac_read_search"
            }
            word => word,
        });
        let named = json!({"container.name": "web"});
        for (launcher, expected) in [
            (Vec::new(), &named),
            (other_user_launcher()?, &json!({})),
            (with_search.collect(), &named),
        ] {
            let enter = |scene: &Scene<'_>, mounts: &Path| {
                let container = Container::around(root, &scene.client, mounts)?;
                scene.trees.docker(container.id())?;
                Ok(container)
            };
            let labels = labels(root, &launcher, enter, |_| Ok(()))?;
            assert_named(&labels, expected);
        }
        Ok(())
    })
}

#[test]
fn root_a_container_of_podman_of_a_user_is_named_and_one_thread_may_read_homes() -> Result<()> {
    root_test(|root| {
        let enter = |scene: &Scene<'_>, mounts: &Path| {
            let container = Container::of_user(root, &scene.client, mounts, USER)?;
            scene.trees.podman_of_user(container.id())?;
            Ok(container)
        };
        let labels = labels(root, &[], enter, |host| {
            let mut may_search = Vec::new();
            for thread in fs::read_dir(format!("/proc/{}/task", host.pid()))? {
                let thread = thread?.path();
                let status = fs::read_to_string(thread.join("status"))?;
                let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
                let effective = effective.context("capabilities")?.trim();
                if u64::from_str_radix(effective, 16)? & READ_SEARCH != 0 {
                    may_search.push(fs::read_to_string(thread.join("comm"))?);
                }
            }
            assert_eq!(may_search, ["names\n"]);
            Ok(())
        })?;
        assert_named(&labels, &json!({"container.name": "db"}));
        Ok(())
    })
}

#[test]
fn root_the_check_tells_which_names_the_host_can_read() -> Result<()> {
    root_test(|_| {
        let trees = Trees::new()?;
        let directory = trees.0.path().to_str().context("a path in UTF-8")?;
        let names = |launcher: &[&str]| -> Result<Value> {
            let [program, words @ ..] = trees.launcher(directory);
            let mut check: Command = command(program);
            let output = check
                .args(words)
                .args(launcher)
                .args([BINARY, "check", "--json"])
                .output()?;
            let report: Value = serde_json::from_slice(&output.stdout)?;
            let checks = report["checks"].as_array().context("an array")?;
            let finding = checks.iter().find(|finding| finding["name"] == "names");
            finding.cloned().context("nothing was said of names")
        };
        let root = names(&[])?;
        assert_eq!(root["met"], true, "{root}");
        let found = root["found"].as_str().unwrap_or_default();
        for directory in [
            "/var/log/pods",
            "/var/log/containers",
            "/var/lib/docker/containers",
        ] {
            assert!(found.contains(directory), "{root}");
        }
        let user = names(&other_user_launcher()?)?;
        assert_eq!(
            (&user["met"], &user["needed"]),
            (&json!(false), &json!(false)),
            "{user}"
        );
        let why = user["why"].as_str().unwrap_or_default();
        assert!(
            why.starts_with("cannot read /var/lib/docker/containers (Permission denied"),
            "{user}"
        );
        assert!(why.ends_with("grant CAP_DAC_READ_SEARCH as well"), "{user}");
        Ok(())
    })
}
