//! What the kubelet says with the names of the directories and links of its logs.
//!
//! - `/var/log/pods/NAMESPACE_POD_UID` (`BuildPodLogsDirectory` in `pkg/kubelet/kuberuntime/helpers.go` of Kubernetes);
//!   before 1.14 it was `UID` alone.
//! - `/var/log/containers/POD_NAMESPACE_CONTAINER-ID.log` (`logSymlink` in `pkg/kubelet/kuberuntime/legacy.go`). What
//!   precedes `.log` is cut at 251 bytes: the end of the id is missing then, and the container has no name.
//!
//! None of the names has an underscore: namespaces and containers have names as in DNS (RFC 1123), pods such names with
//! dots (`pkg/apis/core/validation/validation.go`).

/// The longest name of a pod: that of a subdomain of DNS.
const MAX_SUBDOMAIN: usize = 253;

/// The longest name of a namespace or of a container: that of a label of DNS.
const MAX_LABEL: usize = 63;

/// Length of the id of a container, with every runtime.
const ID_LENGTH: usize = 64;

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Pod {
    fn new(namespace: &str, name: &str) -> Option<Pod> {
        (is_label(namespace) && is_subdomain(name)).then(|| Pod {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }
}

/// A container of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodContainer {
    /// Its pod.
    pub pod: Pod,
    /// Its name in the pod.
    pub name: String,
}

/// The uid of a pod and its names, from the name of its directory.
pub fn pod(directory: &str) -> Option<(&str, Pod)> {
    let (namespace, rest) = directory.split_once('_')?;
    let (name, uid) = rest.split_once('_')?;
    let is_uid = !uid.is_empty() && uid.bytes().all(|byte| byte == b'-' || is_lower_hex(byte));
    Some((uid, Pod::new(namespace, name)?)).filter(|_| is_uid)
}

/// The id of a container and its names, from the name of its link.
pub fn container(link: &str) -> Option<(&str, PodContainer)> {
    let name = link.strip_suffix(".log")?;
    let (pod, rest) = name.split_once('_')?;
    let (namespace, rest) = rest.split_once('_')?;
    // The name of a container has fewer characters than an id, which is therefore whole.
    let (container, id) = rest.rsplit_once('-')?;
    let is_id = id.len() == ID_LENGTH && id.bytes().all(is_lower_hex);
    let pod = Pod::new(namespace, pod)?;
    (is_id && is_label(container)).then(|| {
        let name = container.to_owned();
        (id, PodContainer { pod, name })
    })
}

fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

fn is_label(name: &str) -> bool {
    name.len() <= MAX_LABEL && is_part(name)
}

fn is_subdomain(name: &str) -> bool {
    name.len() <= MAX_SUBDOMAIN && name.split('.').all(is_part)
}

/// Lower-case letters, digits and, within, dashes.
fn is_part(name: &str) -> bool {
    let is_inner = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    !name.is_empty() && name.bytes().all(is_inner) && !name.starts_with('-') && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970";
    const UID: &str = "0125ec2f-b64a-4868-8f5b-94b56cbab864";

    fn pod_of(directory: &str) -> Option<[String; 3]> {
        let (uid, pod) = pod(directory)?;
        Some([pod.namespace, pod.name, uid.to_owned()])
    }

    fn container_of(link: &str) -> Option<[String; 4]> {
        let (id, container) = container(link)?;
        let PodContainer { pod, name } = container;
        Some([pod.name, pod.namespace, name, id.to_owned()])
    }

    /// The name of a link as the kubelet makes it: `logSymlink`.
    fn link(pod: &str, namespace: &str, container: &str) -> String {
        let mut name = format!("{pod}_{namespace}_{container}-{ID}");
        name.truncate(251);
        name + ".log"
    }

    #[test]
    fn a_directory_names_a_pod() {
        let static_pod = "f3c5b7a00d2e4c6b8a9f123456789abc";
        for (namespace, pod, uid) in [
            ("default", "web-7d9f8b6c5-x2x4z", UID),
            ("kube-system", "etcd-node1.example.org", static_pod),
            ("a", "b", UID),
            (&"n".repeat(63), &"p".repeat(253), UID),
        ] {
            let expected = [namespace, pod, uid].map(str::to_owned);
            assert_eq!(pod_of(&format!("{namespace}_{pod}_{uid}")), Some(expected));
        }
    }

    #[test]
    fn other_directories_name_nothing() {
        for directory in [
            "",
            UID,
            "default_web",
            "default_web_",
            &format!("default__{UID}"),
            &format!("_web_{UID}"),
            &format!("tenant_default_web_{UID}"),
            &format!("default_we_b_{UID}"),
            &format!("Default_web_{UID}"),
            &format!("default_web\u{1b}[31m_{UID}"),
            &format!("default_web_{UID}\n"),
            &format!("de.fault_web_{UID}"),
            &format!("default_web..x_{UID}"),
            &format!("default_-web_{UID}"),
            &format!("{}_web_{UID}", "n".repeat(64)),
            &format!("default_{}_{UID}", "p".repeat(254)),
            "lost+found",
        ] {
            assert_eq!(pod_of(directory), None, "{directory:?}");
        }
    }

    #[test]
    fn a_link_names_a_container() {
        for (pod, namespace, container) in [
            ("web-7d9f8b6c5-x2x4z", "default", "nginx"),
            ("etcd-node1.example.org", "kube-system", "etcd"),
            ("a", "b", "c-4f797c539e6c"),
        ] {
            let expected = [pod, namespace, container, ID].map(str::to_owned);
            assert_eq!(
                container_of(&link(pod, namespace, container)),
                Some(expected)
            );
        }
    }

    #[test]
    fn a_link_that_is_cut_names_nothing_and_the_longest_whole_one_does() {
        // 251 bytes: 119 + 1 + 3 + 1 + 62 + 1 + 64.
        let container = "c".repeat(62);
        let whole = link(&"p".repeat(119), "dns", &container);
        assert_eq!(whole.len(), 255);
        assert!(container_of(&whole).is_some(), "{whole}");
        for length in 120..=253 {
            let cut = link(&"p".repeat(length), "dns", &container);
            assert_eq!(cut.len(), 255);
            assert_eq!(container_of(&cut), None, "{cut}");
        }
    }

    #[test]
    fn other_links_name_nothing() {
        for link in [
            "",
            ".log",
            "web.log",
            &format!("web_default_nginx-{ID}"),
            &format!("web_default_nginx-{ID}.gz"),
            &format!("web_default_{ID}.log"),
            &format!("web_default_-{ID}.log"),
            &format!("web_default_nginx-0{ID}.log"),
            &format!("web_default_ngi_nx-{ID}.log"),
            &format!("web_default_nginx-{}.log", ID.to_uppercase()),
            &format!("web_default_nginx-{}.log", &ID[1..]),
            &format!("we\tb_default_nginx-{ID}.log"),
        ] {
            assert_eq!(container_of(link), None, "{link:?}");
        }
    }
}
