//! Control group paths of each container runtime.

use super::*;

const ID: &str = "4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970";
const NODE: &str = "9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d";
const UID: &str = "0125ec2f-b64a-4868-8f5b-94b56cbab864";
const SLICE_UID: &str = "0125ec2f_b64a_4868_8f5b_94b56cbab864";

/// Replaces `ID`, `NODE`, `UID` and `SLICE` in the text by the constants.
fn lines(text: &str) -> String {
    text.replace("UID", UID)
        .replace("ID", ID)
        .replace("NODE", NODE)
        .replace("SLICE", SLICE_UID)
}

fn id_and_pod(text: &str) -> Option<(String, Option<String>)> {
    parse(&lines(text)).map(|container| (container.id, container.pod))
}

#[track_caller]
fn assert_container(text: &str, id: &str, pod: Option<&str>) {
    let expected = Some((id.to_owned(), pod.map(str::to_owned)));
    assert_eq!(id_and_pod(text), expected, "{}", lines(text));
}

#[test]
fn docker_is_known_with_both_drivers_and_both_versions() {
    for text in [
        "0::/docker/ID",
        "0::/system.slice/docker-ID.scope",
        "12:pids:/docker/ID\n11:memory:/docker/ID\n1:name=systemd:/docker/ID\n",
        "10:devices:/system.slice/docker-ID.scope\n1:name=systemd:/system.slice/docker-ID.scope",
        // A parent group that the user has configured, rootless Docker, Amazon ECS.
        "0::/web.slice/docker-ID.scope",
        "0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope",
        "4:memory:/ecs/5a0d5ceddf6c44c1928d367a815d890f/ID",
        "0::/ecstasks.slice/ecstasks-5a0d5ceddf6c44c1928d367a815d890f.slice/docker-ID.scope",
    ] {
        assert_container(text, ID, None);
    }
}

#[test]
fn containerd_without_kubernetes_is_known() {
    assert_container("0::/default/ID", ID, None);
    assert_container("0::/system.slice/nerdctl-ID.scope", ID, None);
    assert_container(
        "0::/user.slice/user-1000.slice/user@1000.service/user.slice/nerdctl-ID.scope",
        ID,
        None,
    );
}

#[test]
fn a_pod_is_known_with_the_driver_cgroupfs() {
    for text in [
        "0::/kubepods/burstable/podUID/ID",
        "0::/kubepods/besteffort/podUID/ID",
        "0::/kubepods/podUID/ID",
        "0::/kubepods/burstable/podUID/crio-ID",
        "11:devices:/kubepods/besteffort/podUID/ID\n1:name=systemd:/kubepods/besteffort/podUID/ID",
    ] {
        assert_container(text, ID, Some(UID));
    }
}

#[test]
fn a_pod_is_known_with_the_driver_systemd() {
    let burstable = "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podSLICE.slice";
    let guaranteed = "0::/kubepods.slice/kubepods-podSLICE.slice";
    for slice in [burstable, guaranteed] {
        for scope in [
            "cri-containerd-ID.scope",
            "crio-ID.scope",
            "docker-ID.scope",
        ] {
            assert_container(&format!("{slice}/{scope}"), ID, Some(UID));
        }
    }
}

#[test]
fn a_pod_is_known_where_containerd_has_another_driver_than_the_kubelet() {
    assert_container(
        "0::/kubepods-burstable-podSLICE.slice:cri-containerd:ID",
        ID,
        Some(UID),
    );
    assert_container(
        "0::/system.slice/containerd.service/kubepods-podSLICE.slice:cri-containerd:ID",
        ID,
        Some(UID),
    );
    assert_container(
        "0::/kubepods-besteffort-podSLICE.slice:crio:ID",
        ID,
        Some(UID),
    );
}

#[test]
fn a_static_pod_has_a_hash_for_a_uid() {
    let hash = "5e2c3e7a1d6f4b0f9c8a7b6c5d4e3f2a";
    assert_container(
        &format!("0::/kubepods/burstable/pod{hash}/ID"),
        ID,
        Some(hash),
    );
    let slice = format!("kubepods-burstable-pod{hash}.slice");
    assert_container(
        &format!("0::/kubepods.slice/kubepods-burstable.slice/{slice}/cri-containerd-ID.scope"),
        ID,
        Some(hash),
    );
}

#[test]
fn podman_is_known_but_not_its_monitor() {
    for text in [
        "0::/machine.slice/libpod-ID.scope",
        "0::/machine.slice/libpod-ID.scope/container",
        "0::/machine.slice/libpod-ID.scope/container/init.scope",
        "0::/machine.slice/machine-libpod_pod_NODE.slice/libpod-ID.scope/container",
        "0::/libpod_parent/libpod-ID",
        "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container",
        // --cgroups=split, which Quadlet uses.
        "0::/system.slice/web.service/libpod-payload-ID",
    ] {
        assert_container(text, ID, None);
    }
    for text in [
        "0::/machine.slice/libpod-conmon-ID.scope",
        "0::/machine.slice/machine-libpod_pod_NODE.slice/libpod-conmon-ID.scope",
        "0::/system.slice/web.service/runtime",
        "0::/kubepods.slice/kubepods-podSLICE.slice/crio-conmon-ID.scope",
        "0::/system.slice/crio-conmon-ID.scope",
        // A health check, which runs on the host.
        "0::/system.slice/ID.service",
        "0::/system.slice/ID-1f2e3d4c5b6a7988.service",
    ] {
        assert_eq!(id_and_pod(text), None, "{}", lines(text));
    }
}

#[test]
fn the_innermost_container_is_the_answer() {
    assert_container("0::/docker/NODE/docker/ID", ID, None);
    assert_container("0::/system.slice/docker-NODE.scope/docker/ID", ID, None);
    assert_container(
        "0::/kubepods/burstable/podUID/NODE/docker/ID",
        ID,
        Some(UID),
    );
    // kind: a node is a container of Docker.
    assert_container(
        "0::/docker/NODE/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-podSLICE.slice/cri-containerd-ID.scope",
        ID,
        Some(UID),
    );
    assert_container(
        "0::/docker/NODE/kubelet/kubepods/besteffort/podUID/ID",
        ID,
        Some(UID),
    );
    // The monitor of an inner container is a process of the outer one.
    assert_container(
        "0::/docker/ID/machine.slice/libpod-conmon-NODE.scope",
        ID,
        None,
    );
}

#[test]
fn groups_below_a_container_are_the_container_s() {
    assert_container("0::/docker/ID/init.scope", ID, None);
    assert_container(
        "0::/system.slice/docker-ID.scope/system.slice/nginx.service",
        ID,
        None,
    );
}

#[test]
fn of_several_hierarchies_the_one_that_goes_deepest_counts() {
    // kind with version 1: runc left out the hierarchies that it did not know.
    assert_container(
        "13:rdma:/docker/NODE\n\
         12:memory:/docker/NODE/kubelet/kubepods/podUID/ID\n\
         9:net_cls:/\n\
         0::/docker/NODE/system.slice/containerd.service",
        ID,
        Some(UID),
    );
    // Docker on a machine without systemd's hierarchy.
    assert_container(
        "13:pids:/\n7:devices:/docker/ID\n1:name=systemd:/",
        ID,
        None,
    );
}

#[test]
fn a_reader_in_a_control_group_namespace_of_its_own_sees_the_id_too() {
    assert_container(
        "0::/../../kubepods-podSLICE.slice/cri-containerd-ID.scope",
        ID,
        Some(UID),
    );
    assert_container("0::/../ID", ID, None);
}

#[test]
fn a_group_that_was_deleted_is_still_named() {
    assert_container("0::/system.slice/docker-ID.scope (deleted)", ID, None);
}

#[test]
fn a_name_that_is_too_long_for_a_machine_is_none() {
    let of = |length| {
        let name = "n".repeat(length);
        parse(&format!(
            "0::/machine.slice/systemd-nspawn@{name}.service/payload"
        ))
    };
    assert_eq!(
        of(MAX_NAME).map(|container| container.id.len()),
        Some(MAX_NAME)
    );
    assert_eq!(of(MAX_NAME + 1), None);
}

#[test]
fn machines_of_systemd_nspawn_are_known_by_their_names() {
    assert_container(
        "0::/machine.slice/systemd-nspawn@web.service/payload/system.slice/nginx.service",
        "web",
        None,
    );
    assert_container(
        r"0::/machine.slice/systemd-nspawn@build\x2dhost.service/payload",
        "build-host",
        None,
    );
    assert_container(
        r"0::/machine.slice/machine-build\x2dhost.scope/payload/init.scope",
        "build-host",
        None,
    );
    assert_container(
        "1:name=systemd:/machine.slice/machine-web.scope/system.slice/cron.service",
        "web",
        None,
    );
    assert_container(
        "0::/machine.slice/container@mail.service/payload/init.scope",
        "mail",
        None,
    );
    assert_container(
        "0::/machine.slice/systemd-nspawn@web.service/payload/system.slice/docker-ID.scope",
        ID,
        None,
    );
}

#[test]
fn what_runs_beside_a_container_or_in_a_virtual_machine_is_in_none() {
    for text in [
        "0::/machine.slice/systemd-nspawn@web.service/supervisor",
        "0::/machine.slice/machine-web.scope/supervisor",
        r"0::/machine.slice/machine-qemu\x2d1\x2ddebian.scope/libvirt/emulator",
        "0::/system.slice/machine-web.scope",
    ] {
        assert_eq!(id_and_pod(text), None, "{text}");
    }
}

#[test]
fn the_path_tells_whose_records_may_name_a_container() {
    for (path, keeper) in [
        ("/docker/ID", Keeper::Machine),
        ("/kubepods/burstable/podUID/ID", Keeper::Machine),
        (
            "/machine.slice/libpod-ID.scope/libpod-payload-ID",
            Keeper::Machine,
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container",
            Keeper::User(1000),
        ),
        (
            "/user.slice/user-0.slice/session-4.scope/docker-ID.scope",
            Keeper::User(0),
        ),
        // No number of a user, and not where users are.
        ("/user.slice/user-x.slice/docker-ID.scope", Keeper::Machine),
        (
            "/web.slice/user-1000.slice/docker-ID.scope",
            Keeper::Machine,
        ),
        (
            "/docker/NODE/kubelet.slice/kubepods/podUID/ID",
            Keeper::Container,
        ),
        (
            "/docker/NODE/user.slice/user-1000.slice/libpod-ID.scope",
            Keeper::Container,
        ),
        (
            "/machine.slice/machine-web.scope/payload/docker/ID",
            Keeper::Container,
        ),
    ] {
        let container = parse(&lines(&format!("0::{path}")));
        assert_eq!(
            container.map(|container| container.keeper),
            Some(keeper),
            "{path}"
        );
    }
}

#[test]
fn everything_else_is_no_container() {
    let too_long = format!("0::/docker/{ID}0");
    let upper_case = format!("0::/docker/{}", ID.to_uppercase());
    for text in [
        "",
        "\n",
        "nonsense",
        "0::/",
        "0::/init.scope",
        "0::/user.slice/user-1000.slice/session-4.scope",
        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-firefox.scope",
        "0::/system.slice/nginx.service",
        "0::/system.slice/docker.service",
        "0::/system.slice/containerd.service",
        "0::/kubepods.slice/kubepods-podSLICE.slice",
        "0::/docker/4f797c539e6c",
        "0::/ecs/5a0d5ceddf6c44c1928d367a815d890f/5a0d5ceddf6c44c1928d367a815d890f-1234567890",
        &too_long,
        &upper_case,
    ] {
        assert_eq!(id_and_pod(text), None, "{text}");
    }
}

#[test]
fn the_short_id_is_what_docker_ps_shows() {
    let container = |id: &str| Container {
        id: id.to_owned(),
        pod: None,
        keeper: Keeper::Machine,
    };
    assert_eq!(container(ID).short(), "4f797c539e6c");
    assert_eq!(container("web").short(), "web");
    assert_eq!(container("größenordnung-1").short(), "größenordnun");
}

#[test]
fn a_process_that_is_not_there_has_no_container() {
    assert_eq!(of_process(u32::MAX, Duration::ZERO, Clock::default()), None);
}
