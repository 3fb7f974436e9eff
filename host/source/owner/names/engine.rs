//! What Docker and Podman write about their containers.
//!
//! - Docker: `containers/ID/config.v2.json` with `"ID"` and `"Name":"/NAME"` (`container/container.go` of moby).
//! - Podman, and all that uses containers/storage: `overlay-containers/containers.json` and, for containers that end
//!   with their process (`podman run --rm`), `volatile-containers.json`, each an array of objects with `"id"` and
//!   `"names"` (`containers.go` of containers/storage).
//!
//! A user writes those of a rootless runtime: their content is limited, not trusted.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::DeserializeSeed;
use serde::de::IgnoredAny;
use serde::de::SeqAccess;
use serde::de::Visitor;

/// The most containers of a file that are read.
pub const MAX_CONTAINERS: usize = 4_096;

/// Length of the id of a container.
const ID_LENGTH: usize = 64;

/// The longest name of a container in bytes. The runtimes themselves have no limit; it is that of the name of a file.
const MAX_NAME: usize = 255;

#[derive(Deserialize)]
struct DockerContainer {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Name")]
    name: String,
}

/// The name of the container `id`, from its `config.v2.json`. `None` if it is that of another container, or if the name
/// is not one.
///
/// # Errors
///
/// If it is not such a file.
pub fn docker(file: &[u8], id: &str) -> serde_json::Result<Option<String>> {
    let container: DockerContainer = serde_json::from_slice(file)?;
    let name = container.name.strip_prefix('/').unwrap_or(&container.name);
    let is_named = container.id == id && is_name(name);
    Ok(is_named.then(|| name.to_owned()))
}

#[derive(Deserialize)]
struct StoredContainer {
    id: String,
    #[serde(default, deserialize_with = "first")]
    names: Option<String>,
}

/// Adds the containers in a `containers.json` to `names`, by id. Returns whether there are more than
/// [`MAX_CONTAINERS`].
///
/// # Errors
///
/// If it is not such a file. What precedes the error was added.
pub fn stored(file: &[u8], names: &mut HashMap<String, String>) -> serde_json::Result<bool> {
    let mut parser = serde_json::Deserializer::from_slice(file);
    let more = Containers(names).deserialize(&mut parser)?;
    parser.end()?;
    Ok(more)
}

struct Containers<'a>(&'a mut HashMap<String, String>);

impl<'de> DeserializeSeed<'de> for Containers<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<bool, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Containers<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of containers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<bool, A::Error> {
        for _ in 0..MAX_CONTAINERS {
            let Some(container) = array.next_element::<StoredContainer>()? else {
                return Ok(false);
            };
            if container.id.len() == ID_LENGTH
                && let Some(name) = container.names.filter(|name| is_name(name))
            {
                // Of two with the same id, containers/storage drops the later one.
                self.0.entry(container.id).or_insert(name);
            }
        }
        let mut more = false;
        while array.next_element::<IgnoredAny>()?.is_some() {
            more = true;
        }
        Ok(more)
    }
}

/// The first element of an array, which may be long.
fn first<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    struct First;

    impl<'de> Visitor<'de> for First {
        type Value = Option<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array of names")
        }

        fn visit_unit<E>(self) -> Result<Option<String>, E> {
            Ok(None)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Option<String>, A::Error> {
            let first = array.next_element()?;
            while array.next_element::<IgnoredAny>()?.is_some() {}
            Ok(first)
        }
    }
    from.deserialize_any(First)
}

/// Whether it is a name that Docker (`daemon/names/names.go` of moby) and Podman give:
/// `[a-zA-Z0-9][a-zA-Z0-9_.-]*`.
fn is_name(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    name.len() <= MAX_NAME
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(is_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970";
    const OTHER: &str = "9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d";

    fn of_docker(text: &str) -> Option<String> {
        docker(text.as_bytes(), ID).expect("JSON of Docker")
    }

    fn of_storage(text: &str) -> (HashMap<String, String>, bool) {
        let mut names = HashMap::new();
        let more = stored(text.as_bytes(), &mut names).expect("JSON of containers/storage");
        (names, more)
    }

    #[test]
    fn docker_names_a_container() {
        let config = format!(
            r#"{{"StreamConfig":{{}},"State":{{"Running":true,"Pid":4,"Health":null}},"ID":"{ID}","Managed":false,
                "Args":[],"Config":{{"Labels":{{"Name":"/no"}}}},"Name":"/shop_web.1-db","Driver":"overlay2"}}"#
        );
        assert_eq!(of_docker(&config).as_deref(), Some("shop_web.1-db"));
    }

    #[test]
    fn what_docker_does_not_write_names_nothing() {
        let named = |id: &str, name: &str| {
            of_docker(&serde_json::json!({"ID": id, "Name": name}).to_string())
        };
        assert_eq!(named(ID, "/web").as_deref(), Some("web"));
        assert_eq!(named(OTHER, "/web"), None);
        for name in [
            "",
            "/",
            "//web",
            "/-web",
            "/we b",
            "/web\n",
            "/wéb",
            "/\u{1b}[31m",
            &"w".repeat(256),
        ] {
            assert_eq!(named(ID, name), None, "{name:?}");
        }
        for text in [
            "",
            "{}",
            "[]",
            "{\"ID\":1,\"Name\":\"/web\"}",
            "{\"ID\":\"a\"",
            "nonsense",
        ] {
            assert!(docker(text.as_bytes(), ID).is_err(), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(docker(format!("{{\"Config\":{deep}").as_bytes(), ID).is_err());
    }

    #[test]
    fn podman_names_containers() {
        let text = format!(
            r#"[{{"id":"{ID}","names":["web","alias"],"image":"5","layer":"6","metadata":"{{\"image-name\":\"x\"}}",
                "created":"2026-11-27T10:00:00.1Z","flags":{{"MountLabel":""}}}},
               {{"id":"{OTHER}","image":"5","layer":"7","created":"2026-11-27T10:00:00Z"}},
               {{"id":"{OTHER}","names":null}},{{"id":"{OTHER}","names":[]}},{{"id":"{OTHER}","names":["a b"]}},
               {{"id":"3","names":["short"]}},
               {{"id":"{ID}","names":["later"]}}]"#
        );
        let (names, more) = of_storage(&text);
        assert_eq!(names, HashMap::from([(ID.to_owned(), "web".to_owned())]));
        assert!(!more);
        assert_eq!(of_storage("[]"), (HashMap::new(), false));
    }

    #[test]
    fn a_file_of_many_containers_is_read_in_part() {
        let container = |number: usize| format!(r#"{{"id":"{number:064}","names":["c{number}"]}}"#);
        for (number, expected) in [(MAX_CONTAINERS, false), (MAX_CONTAINERS + 1, true)] {
            let containers: Vec<_> = (0..number).map(container).collect();
            let (names, more) = of_storage(&format!("[{}]", containers.join(",")));
            assert_eq!((names.len(), more), (MAX_CONTAINERS, expected));
        }
    }

    #[test]
    fn what_is_no_list_of_containers_is_an_error() {
        for text in [
            "",
            "{}",
            "null",
            "[1]",
            "[{}]",
            "[{\"id\":\"1\",\"names\":\"web\"}]",
            "[",
            "[] []",
        ] {
            let mut names = HashMap::new();
            assert!(stored(text.as_bytes(), &mut names).is_err(), "{text}");
        }
    }
}
