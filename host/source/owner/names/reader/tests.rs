//! Names in trees like those of the kubelet, Docker and Podman, and from trees that are not like them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::chown;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use rustix::fs::CWD;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::mknodat;
use rustix::process::geteuid;
use tempfile::TempDir;

use super::*;
use crate::source::owner::names::NameFinder;
use crate::source::owner::names::RENEWAL;
use crate::system::sandbox::files::Files;

const ID: &str = "4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970";
const OTHER: &str = "9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d";
const UID: &str = "0125ec2f-b64a-4868-8f5b-94b56cbab864";

/// A root directory with the files of runtimes.
struct Tree(TempDir);

impl Tree {
    fn new() -> Tree {
        Tree(tempfile::tempdir().expect("a directory"))
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn directory(&self, path: &str) -> &Tree {
        fs::create_dir_all(self.path(path)).expect("a directory");
        self
    }

    fn file(&self, path: &str, text: &str) -> &Tree {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, text).expect("a file");
        self
    }

    fn pod(&self, namespace: &str, pod: &str, uid: &str) -> &Tree {
        self.directory(&format!("var/log/pods/{namespace}_{pod}_{uid}/app"))
    }

    /// A link as the kubelet makes it. In a container that has the directory of links alone, its target is not there.
    fn link(&self, pod: &str, namespace: &str, container: &str, id: &str) -> &Tree {
        self.directory("var/log/containers");
        let link = format!("var/log/containers/{pod}_{namespace}_{container}-{id}.log");
        let target = format!("/var/log/pods/{namespace}_{pod}_{UID}/{container}/0.log");
        symlink(target, self.path(&link)).expect("a link");
        self
    }

    fn docker(&self, id: &str, name: &str) -> &Tree {
        let file = format!("var/lib/docker/containers/{id}/config.v2.json");
        let text = serde_json::json!({"State": {}, "ID": id, "Name": format!("/{name}")});
        self.file(&file, &text.to_string())
    }

    fn storage(&self, file: &str, id: &str, name: &str) -> &Tree {
        let file = format!("var/lib/containers/storage/overlay-containers/{file}");
        self.file(&file, &stored(id, name))
    }

    fn reader(&self) -> Reader {
        Reader::new(Places::below(self.0.path()))
    }

    /// The names of a container of the machine, with a new reader.
    fn named(&self, id: &str, pod: Option<&str>) -> Option<Names> {
        self.reader().names(&container(id, pod), Instant::now())
    }
}

fn stored(id: &str, name: &str) -> String {
    serde_json::json!([{"id": id, "names": [name], "image": "", "layer": ""}]).to_string()
}

fn container(id: &str, pod: Option<&str>) -> Container {
    Container {
        id: id.to_owned(),
        pod: pod.map(str::to_owned),
        keeper: Keeper::Machine,
    }
}

fn of_user(uid: u32) -> Container {
    Container {
        keeper: Keeper::User(uid),
        ..container(ID, None)
    }
}

fn pod(namespace: &str, pod: &str, container: Option<&str>) -> Option<Names> {
    Some(Names::Pod {
        namespace: namespace.to_owned(),
        pod: pod.to_owned(),
        container: container.map(str::to_owned),
    })
}

fn engine(name: &str) -> Option<Names> {
    Some(Names::Engine(name.to_owned()))
}

#[test]
fn a_pod_and_its_container_are_named_by_the_kubelet() {
    let tree = Tree::new();
    tree.pod("shop", "cart-0", UID);
    assert_eq!(tree.named(ID, Some(UID)), pod("shop", "cart-0", None));
    tree.link("cart-0", "shop", "app", ID);
    let expected = pod("shop", "cart-0", Some("app"));
    assert_eq!(tree.named(ID, Some(UID)), expected);
    // Of another pod, and without a known pod.
    assert_eq!(tree.named(OTHER, Some("f1")), None);
    assert_eq!(tree.named(ID, None), expected);
    // The name of Docker, which the kubelet has made, is not another name of it.
    tree.docker(ID, "k8s_app_cart-0_shop_0");
    assert_eq!(tree.named(ID, Some(UID)), expected);
    assert_eq!(
        tree.named(ID, Some(UID)).map(|names| names.are_complete()),
        Some(true)
    );
}

#[test]
fn what_is_said_in_two_ways_is_not_certain() {
    let tree = Tree::new();
    tree.pod("shop", "cart-0", UID)
        .link("cart-1", "shop", "app", ID);
    assert_eq!(tree.named(ID, Some(UID)), None);
    let tree = Tree::new();
    tree.pod("shop", "cart-0", UID).pod("shop", "cart-1", UID);
    assert_eq!(tree.named(ID, Some(UID)), None);
}

#[test]
fn a_container_is_named_by_docker_or_podman() {
    let tree = Tree::new();
    tree.docker(ID, "web")
        .storage("containers.json", OTHER, "db");
    assert_eq!(tree.named(ID, None), engine("web"));
    assert_eq!(tree.named(OTHER, None), engine("db"));
    // One of a pod is the kubelet's.
    assert_eq!(tree.named(ID, Some(UID)), None);
    tree.storage("volatile-containers.json", ID, "temporary");
    assert_eq!(tree.named(ID, None), engine("web"), "Docker has it");
    fs::remove_dir_all(tree.path("var/lib/docker")).expect("it is there");
    assert_eq!(tree.named(ID, None), engine("temporary"));
    for other in ["web", "../..", "", &ID[..12]] {
        assert_eq!(tree.named(other, None), None, "{other}");
    }
    assert_eq!(Tree::new().named(ID, None), None, "no runtime");
}

#[test]
fn a_user_names_only_the_containers_of_that_user() {
    let uid = match geteuid().as_raw() {
        0 => 4_242,
        uid => uid,
    };
    let tree = Tree::new();
    let storage = "home/a/.local/share/containers/storage/overlay-containers";
    tree.file(&format!("{storage}/containers.json"), &stored(ID, "mine"))
        .file("home/b/.local/share/containers/x", "")
        .file(
            "etc/passwd",
            &format!(
                "root:x:0:0:root:/root:/bin/sh\nnonsense\n\na:x:{uid}:1:A:/home/a:/bin/sh\nb:x:{}:1:B:/home/b:/bin/sh\n",
                uid + 1
            ),
        );
    chown(tree.path(storage), Some(uid), None).expect("the owner");
    let names = |container: &Container| tree.reader().names(container, Instant::now());
    assert_eq!(names(&of_user(uid)), engine("mine"));
    assert_eq!(names(&of_user(uid + 1)), None);
    assert_eq!(names(&container(ID, None)), None, "it is not the machine's");
    // Nor does the machine name one of a user.
    tree.docker(ID, "docker")
        .pod("shop", "cart-0", UID)
        .link("cart-0", "shop", "app", ID);
    assert_eq!(names(&of_user(uid)), engine("mine"));
    assert_eq!(names(&of_user(uid + 1)), None);
    let nested = Container {
        keeper: Keeper::Container,
        ..container(ID, Some(UID))
    };
    assert_eq!(names(&nested), None);
    // A directory behind a link could be any.
    let elsewhere = "home/b/.local/share/containers/storage";
    symlink(
        tree.path("home/a/.local/share/containers/storage"),
        tree.path(elsewhere),
    )
    .expect("a link");
    assert_eq!(names(&of_user(uid + 1)), None);
    assert_eq!(tree.reader().places.users.len(), 1);
}

#[test]
fn what_cannot_be_read_has_no_names_and_stops_nothing() {
    let storage = "var/lib/containers/storage/overlay-containers/containers.json";
    let docker = format!("var/lib/docker/containers/{ID}/config.v2.json");
    let huge = format!("[{}1]", " ".repeat(9 << 20));
    for text in ["", "{", "[[[[", "\u{0}\u{ff}", "null", &huge] {
        let tree = Tree::new();
        tree.file(storage, text).file(&docker, text);
        tree.file("var/log/pods", "a file")
            .file("var/log/containers", "");
        assert_eq!(tree.named(ID, None), None);
        assert_eq!(tree.named(ID, Some(UID)), None);
        assert!(tree.reader().places.check().is_ok());
    }
    // Neither is opened: a pipe would never end, and a link leads anywhere.
    let tree = Tree::new();
    tree.directory(&format!("var/lib/docker/containers/{ID}"));
    mknodat(CWD, tree.path(&docker), FileType::Fifo, Mode::RWXU, 0).expect("a pipe");
    assert_eq!(tree.named(ID, None), None);
    fs::remove_file(tree.path(&docker)).expect("it is there");
    tree.file(
        "config",
        &serde_json::json!({"ID": ID, "Name": "/web"}).to_string(),
    );
    symlink(tree.path("config"), tree.path(&docker)).expect("a link");
    assert_eq!(tree.named(ID, None), None);
    // The other file is read nevertheless.
    tree.file(storage, "nonsense")
        .storage("volatile-containers.json", ID, "temporary");
    let mut reader = tree.reader();
    assert_eq!(
        reader.names(&container(ID, None), Instant::now()),
        engine("temporary")
    );
    assert_eq!(reader.log.0.len(), 2, "{:?}", reader.log.0);
    reader.names(&container(ID, None), Instant::now() + RENEWAL);
    assert_eq!(reader.log.0.len(), 2, "each is said once");
}

#[test]
fn without_the_rights_there_are_no_names_and_the_check_says_so() {
    if geteuid().is_root() {
        return;
    }
    let tree = Tree::new();
    tree.docker(ID, "web").pod("shop", "cart-0", UID);
    let check = || tree.reader().places.check();
    let all = check().expect("all can be read");
    assert!(
        all.contains("var/log/pods") && all.contains("var/lib/docker/containers"),
        "{all}"
    );
    let directory = tree.path("var/lib/docker");
    let set = |mode| fs::set_permissions(&directory, PermissionsExt::from_mode(mode));
    set(0o000).expect("the mode");
    let refused = check().expect_err("Docker's cannot be read");
    assert!(
        refused.contains("var/lib/docker/containers (Permission denied"),
        "{refused}"
    );
    assert!(
        refused.ends_with("run as root, or grant CAP_DAC_READ_SEARCH as well"),
        "{refused}"
    );
    assert_eq!(tree.named(ID, None), None);
    assert_eq!(tree.named(ID, Some(UID)), pod("shop", "cart-0", None));
    set(0o700).expect("the mode");
}

#[test]
fn where_no_runtime_is_the_check_has_nothing_to_say() {
    let check = Tree::new().reader().places.check();
    assert!(
        check
            .expect("nothing is refused")
            .starts_with("of no containers")
    );
}

#[test]
fn a_huge_directory_is_read_in_part() {
    let tree = Tree::new();
    tree.directory("var/log/containers");
    for number in 0..MAX_ENTRIES + 10 {
        let link = format!("var/log/containers/p_n_c-{number:064x}.log");
        symlink("x", tree.path(&link)).expect("a link");
    }
    let mut reader = tree.reader();
    reader.names(&container(OTHER, None), Instant::now());
    // Two of the entries are "." and "..".
    assert_eq!(reader.links.entries.len(), MAX_ENTRIES - 2);
    assert_eq!(reader.log.0.len(), 1);
}

#[test]
fn a_container_that_turns_up_later_is_found_after_a_moment() {
    let tree = Tree::new();
    tree.directory("var/log/pods")
        .directory("var/log/containers");
    let mut reader = tree.reader();
    let now = Instant::now();
    let container = container(ID, Some(UID));
    assert_eq!(reader.names(&container, now), None);
    tree.pod("shop", "cart-0", UID);
    assert_eq!(
        reader.names(&container, now),
        None,
        "it was read a moment ago"
    );
    // A twentieth of the time is the most, however slow this machine is.
    let later = now + Duration::from_secs(3_600);
    assert_eq!(reader.names(&container, later), pod("shop", "cart-0", None));
    tree.link("cart-0", "shop", "app", ID);
    let later = later + Duration::from_secs(3_600);
    assert_eq!(
        reader.names(&container, later),
        pod("shop", "cart-0", Some("app"))
    );
}

#[test]
fn a_container_that_was_renamed_or_removed_has_no_old_name_for_long() {
    let tree = Tree::new();
    tree.storage("containers.json", ID, "web")
        .docker(OTHER, "db");
    let mut reader = tree.reader();
    let mut now = Instant::now();
    let mut name = |id: &str| {
        now += RENEWAL;
        reader.names(&container(id, None), now)
    };
    assert_eq!((name(ID), name(OTHER)), (engine("web"), engine("db")));
    tree.storage("containers.json", ID, "web2")
        .docker(OTHER, "db2");
    assert_eq!((name(ID), name(OTHER)), (engine("web2"), engine("db2")));
    fs::remove_dir_all(tree.path("var/lib")).expect("it is there");
    assert_eq!((name(ID), name(OTHER)), (None, None));
}

#[test]
fn the_first_question_is_answered_at_once() {
    let tree = Tree::new();
    tree.docker(ID, "web");
    let mut finder = NameFinder::start(Places::below(tree.0.path())).expect("a thread");
    let mut name = None;
    // A busy machine may let the source wait in vain: the answer comes later.
    while name.is_none() {
        name = finder.names(&container(ID, None));
    }
    assert_eq!(name.map(|names| (*names).clone()), engine("web"));
    let known = finder.known.get(ID).map(|known| known.again - known.since);
    assert_eq!(known, Some(RENEWAL));
}

#[test]
fn directories_are_allowed_by_what_is_open_and_not_by_their_path() {
    let tree = Tree::new();
    tree.directory("var/log/pods");
    let places = Places::below(tree.0.path());
    let mut files = Files::default();
    places.allow(&mut files);
    let shown = format!("{files:?}");
    assert!(shown.contains("/proc/self/fd/"), "{shown}");
    assert!(!files.are_all());
}
