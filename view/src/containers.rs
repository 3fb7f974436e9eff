//! Names of containers by the ids that events have, learnt from the labels of events.

use foldhash::fast::RandomState;
use hashlink::LinkedHashMap;
use retrans_event::Event;
use retrans_event::Name;

use crate::key::Key;
use crate::key::Part;
use crate::key::Value;
use crate::key::process;

/// Maximum number of containers whose names are known: 2 MB with the longest names.
const MAX_CONTAINERS: usize = 4_096;

/// Maximum length of a name in bytes. In Kubernetes, it consists of three names of 63, 253 and 63 characters.
const MAX_NAME: usize = 400;

/// Names of containers, which may be any text. The one that was seen first makes room for others.
#[derive(Debug, Clone, Default)]
pub struct ContainerNames {
    names: LinkedHashMap<Name, Box<str>, RandomState>,
}

impl ContainerNames {
    /// Takes the name of the container of an event from its labels, if they have it.
    pub fn learn<'a>(
        &mut self,
        event: &Event,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) {
        let Some(id) = process(event).and_then(|process| process.container) else {
            return;
        };
        let [mut engine, mut namespace, mut pod, mut container] = [None; 4];
        for (key, value) in labels {
            match key {
                "container.name" => engine = Some(value),
                "k8s.namespace.name" => namespace = Some(value),
                "k8s.pod.name" => pod = Some(value),
                "k8s.container.name" => container = Some(value),
                _ => {}
            }
        }
        let of_pod = [namespace, pod, container];
        let name = match engine {
            Some(name) => name.to_owned(),
            None => Vec::from_iter(of_pod.into_iter().flatten()).join("/"),
        };
        if name.is_empty() || self.get(id) == Some(name.as_str()) {
            return;
        }
        let end = name.floor_char_boundary(MAX_NAME);
        self.names.insert(id, name[..end].into());
        if self.names.len() > MAX_CONTAINERS {
            self.names.pop_front();
        }
    }

    /// The name of the container with this id: `NAME` in Docker and Podman, `NAMESPACE/POD/CONTAINER` in Kubernetes.
    pub fn get(&self, id: Name) -> Option<&str> {
        self.names.get(&id).map(|name| &**name)
    }

    /// The name, with the id in parentheses, or the id alone.
    pub fn name_and_id(&self, id: Name) -> String {
        match self.get(id) {
            Some(name) => format!("{name} ({id})"),
            None => id.to_string(),
        }
    }

    /// The text of a value of this part.
    pub fn value(&self, part: Part, value: &Value) -> String {
        match (part, value) {
            (Part::Container, Value::Name(id)) => self.name_and_id(*id),
            _ => value.to_string(),
        }
    }

    /// The text of a key that has one part.
    pub fn key(&self, part: Part, key: &Key) -> String {
        match key.values() {
            [value] => self.value(part, value),
            _ => key.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use retrans_event::Owner;
    use retrans_event::Process;
    use retrans_event::Record;

    use super::*;
    use crate::key::Grouping;

    fn in_container(id: &str) -> Record {
        let mut event = Record::new();
        event.set_owner(&Owner::Held {
            process: Process {
                container: id.parse().ok(),
                ..Process::new(7, "nginx")
            },
            holders: 1,
        });
        event
    }

    fn shown(names: &ContainerNames, event: &Event) -> String {
        names.key(Part::Container, &Grouping::from(Part::Container).key(event))
    }

    #[test]
    fn a_container_is_shown_by_its_latest_name() {
        let mut names = ContainerNames::default();
        let event = in_container("4f797c539e6c");
        names.learn(&event, [("container.id", "4f79")]);
        assert_eq!(shown(&names, &event), "4f797c539e6c");
        for (labels, expected) in [
            (vec![("container.name", "web")], "web"),
            (vec![("site", "fra"), ("container.name", "web2")], "web2"),
            // Names that are not known for an event do not make an earlier one unknown.
            (vec![], "web2"),
            (
                vec![("k8s.pod.name", "cart-0"), ("k8s.namespace.name", "shop")],
                "shop/cart-0",
            ),
            (
                vec![
                    ("k8s.container.name", "app"),
                    ("k8s.namespace.name", "shop"),
                    ("k8s.pod.name", "cart-0"),
                ],
                "shop/cart-0/app",
            ),
        ] {
            names.learn(&event, labels);
            assert_eq!(shown(&names, &event), format!("{expected} (4f797c539e6c)"));
        }
        let other = in_container("9ec39b91f3d7");
        assert_eq!(shown(&names, &other), "9ec39b91f3d7");
        assert_eq!(
            names.value(Part::CongestionControl, &Value::Unknown),
            "unknown"
        );
        names.learn(&Record::new(), [("container.name", "web")]);
        assert_eq!(names.names.len(), 1);
    }

    #[test]
    fn names_have_bounds() {
        let mut names = ContainerNames::default();
        let long = "é".repeat(MAX_NAME);
        for number in 0..=MAX_CONTAINERS {
            let event = in_container(&format!("{number:012x}"));
            names.learn(&event, [("container.name", long.as_str())]);
        }
        assert_eq!(names.names.len(), MAX_CONTAINERS);
        let first = in_container("000000000000");
        assert_eq!(shown(&names, &first), "000000000000");
        let name = names.names.values().next().map(|name| name.len());
        assert_eq!(name, Some(MAX_NAME));
    }
}
