//! Compilation has its own limits: it runs in a process that the kernel can stop.

use std::fs;
use std::io;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use retrans_host::plugin::Compiler;
use retrans_host::plugin::Engine;
use retrans_host::plugin::Limits;
use retrans_host::plugin::Origin;
use retrans_host::plugin::Plugin;
use retrans_host::plugin::Spec;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process_group;

use crate::common::captures::generated;
use crate::common::captures::host;
use crate::common::chain::engine;
use crate::common::components::Files;
use crate::common::components::large;
use crate::common::components::with_inner;
use crate::common::fixtures::HTTPS_ONLY;
use crate::common::fixtures::fixture;
use crate::common::refusal::BINARY;
use crate::common::refusal::FAILURE;
use crate::common::refusal::assert_refusal;
use crate::common::refusal::assert_refused;
use crate::common::refusal::output;

/// The error of a plugin that exceeds one of these limits.
#[track_caller]
fn refused(component: Vec<u8>, limits: Limits) -> String {
    let files = Files::new();
    let origin = Origin::File(files.write("large.wasm", component));
    let spec = Spec {
        limits,
        ..Spec::new("large", origin)
    };
    let error = Plugin::start(engine(), &spec).err();
    error.expect("it is beyond a limit").to_string()
}

#[test]
fn a_plugin_that_takes_too_long_to_compile_is_refused() {
    let limits = Limits {
        compile_time: Duration::from_secs(1),
        ..Limits::default()
    };
    assert_eq!(
        refused(large(60_000), limits),
        "plugin large: its compilation takes too much CPU time: limit compile-time=1s"
    );
}

#[test]
fn a_plugin_that_takes_too_much_memory_to_compile_is_refused() {
    let limits = Limits {
        compile_memory: 32 << 20,
        ..Limits::default()
    };
    let error = refused(large(20_000), limits);
    let begin = "plugin large: the compiler was ended by SIGABRT, most often because it ran out of memory: limit \
                 compile-memory=32MiB: memory allocation of ";
    assert!(error.starts_with(begin), "{error}");
}

/// Ctrl-C reaches all processes of the terminal's foreground group. The compiler is not in it.
#[test]
fn ctrl_c_while_a_plugin_is_compiled_is_not_taken_for_a_crash_of_the_compiler() {
    let files = Files::new();
    files.write("large.wasm", large(1_000));
    let mut host = host(files.path(), &["replay", "-", "--plugin", "./large.wasm"]);
    let host = host.env("XDG_CACHE_HOME", files.path()).process_group(0);
    let host = host.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = host.spawn().expect("it runs");
    let begun = Instant::now();
    while !is_compiling(child.id()) {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "it does not compile"
        );
        thread::sleep(Duration::from_millis(5));
    }
    kill_process_group(Pid::from_child(&child), Signal::INT).expect("it runs");
    drop(child.stdin.take());
    let output = child.wait_with_output().expect("it ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    for ended in ["the compiler ended", "the compiler was ended"] {
        assert!(!stderr.contains(ended), "{stderr}");
    }
}

/// Whether this host has a child that compiles.
fn is_compiling(host: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{host}/task")).expect("it runs");
    let tasks = tasks.map(|task| task.expect("it runs").path());
    let children = tasks.filter_map(|task| fs::read_to_string(task.join("children")).ok());
    let compiles = |child: &str| {
        let words = fs::read_to_string(format!("/proc/{child}/cmdline"));
        words.is_ok_and(|words| words.split('\0').nth(1) == Some("compile"))
    };
    children
        .flat_map(|line| {
            line.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .any(|child| compiles(&child))
}

#[test]
fn a_file_that_is_too_large_is_not_even_read() {
    let limits = Limits {
        file: 1 << 20,
        ..Limits::default()
    };
    let error = refused(vec![0; (1 << 20) + 1], limits);
    let expected = "plugin large: the file is too large: limit file=1MiB";
    assert_eq!(error, expected);
    // A file of exactly the allowed length is read, and is no component.
    let error = refused(vec![0; 1 << 20], limits);
    assert!(error.contains("not WebAssembly"), "{error}");
}

#[test]
fn without_a_cache_every_start_compiles_and_leaves_nothing_behind() {
    let compiler = Compiler::Process(BINARY.into());
    let engine = Engine::without_cache(compiler).expect("wasmtime runs here");
    let spec = Spec::new("https", Origin::File(fixture(HTTPS_ONLY)));
    for _ in 0..2 {
        assert!(Plugin::start(&engine, &spec).is_ok());
    }
}

#[test]
fn where_there_is_no_compiler_it_is_said() {
    let nowhere = Compiler::Process("/nowhere/retrans-host".into());
    let engine = Engine::without_cache(nowhere).expect("wasmtime runs here");
    let spec = Spec::new("https", Origin::File(fixture(HTTPS_ONLY)));
    let error = Plugin::start(&engine, &spec).err().expect("no compiler");
    let begin = "plugin https: cannot run the compiler: No such file or directory";
    assert!(error.to_string().starts_with(begin), "{error}");
}

#[test]
fn a_cached_plugin_is_started_without_a_compiler() {
    let files = Files::new();
    let spec = Spec::new("https", Origin::File(fixture(HTTPS_ONLY)));
    let start = |compiler| {
        let engine = Engine::with_cache_in(files.path(), compiler).expect("wasmtime runs here");
        Plugin::start(&engine, &spec).map(drop)
    };
    let real = Compiler::Process(BINARY.into());
    assert!(start(Compiler::Process("/nowhere".into())).is_err());
    start(real).expect("it compiles");
    start(Compiler::Process("/nowhere".into())).expect("it is kept");
}

type Damage = Box<dyn Fn(&mut Vec<u8>)>;

/// Damage to a file of this length: one changed byte in many places, cut off in a few, and empty.
fn damages(length: usize) -> impl Iterator<Item = Damage> {
    let at = move |part: usize, parts: usize| (length - 1) * part / (parts - 1);
    let flips = (0..FLIPS).map(move |part| -> Damage {
        let at = at(part, FLIPS);
        Box::new(move |file| file[at] ^= 1 << (part % 8))
    });
    let cuts = (0..CUTS).map(move |part| -> Damage {
        let at = at(part, CUTS);
        Box::new(move |file| file.truncate(at))
    });
    let more: Damage = Box::new(|file| file.push(0));
    flips.chain(cuts).chain([more])
}

const FLIPS: usize = 50;
const CUTS: usize = 6;

/// Damaged native code could do anything. (host/plugin/load/cache.rs tests the digest itself.)
#[test]
fn a_damaged_cache_file_is_compiled_again_and_replaced() {
    let files = Files::new();
    generated(files.path(), "few.rtc", &["--events", "10"]);
    let plugin = fixture(HTTPS_ONLY).display().to_string();
    let cache = files.path().join("cache");
    let start = |what: &str| {
        let mut host = host(
            files.path(),
            &["replay", "few.rtc", "-q", "--plugin", &plugin],
        );
        let output = output(host.env("XDG_CACHE_HOME", &cache));
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.success(),
            "{what}: {} {stderr}",
            output.status
        );
        stderr
    };
    assert_eq!(start("empty cache"), "");
    let kept = fs::read_dir(cache.join("retrans-host")).expect("it is there");
    let kept: Vec<_> = kept.map(|file| file.expect("it is there").path()).collect();
    let [kept] = kept.as_slice() else {
        panic!("{kept:?}");
    };
    let good = fs::read(kept).expect("it is there");
    assert_eq!(start("whole"), "");
    for (number, damage) in damages(good.len()).enumerate() {
        let mut damaged = good.clone();
        damage(&mut damaged);
        fs::write(kept, &damaged).expect("a temporary file");
        let stderr = start(&format!("damage {number}"));
        assert!(stderr.contains("damaged"), "damage {number}: {stderr}");
        let repaired = fs::read(kept).expect("it is there") == good;
        assert!(repaired, "damage {number}: the file is still damaged");
    }
}

/// Variables that libraries of the host read, or once did, with the values that change most.
const HOSTILE_ENVIRONMENT: &[(&str, &str)] = &[
    ("WASMTIME_BACKTRACE_DETAILS", "1"),
    ("WASMTIME_TEST_FORCE_MPK", "1"),
    ("RAYON_NUM_THREADS", "1000000"),
    ("RAYON_RS_NUM_CPUS", "1000000"),
    ("RUST_MIN_STACK", "1000000000000000"),
    ("RUST_LOG", "trace"),
    ("RUST_LIB_BACKTRACE", "full"),
    ("CLICOLOR_FORCE", "1"),
    ("COLORTERM", "truecolor"),
    ("CI", "true"),
    ("TERM", "xterm-256color"),
    ("COLUMNS", "7"),
    ("LANG", "tr_TR.ISO-8859-9"),
    ("TZ", "Pacific/Kiritimati"),
    ("TZDIR", "/nowhere"),
    ("TMPDIR", "/nowhere"),
    ("LIBBPF_LOG_LEVEL", "debug"),
    ("LIBBPF_BPF_TOKEN_PATH", "/nowhere"),
];

/// A plugin that is compiled, one from the cache, and one that was granted the variables.
#[test]
fn the_environment_changes_nothing_that_is_not_documented() {
    let files = Files::new();
    let events = ["--events", "5000", "--connections", "3"];
    generated(files.path(), "many.rtc", &events);
    let plugin = fixture(HTTPS_ONLY).display().to_string();
    let granted: Vec<&str> = HOSTILE_ENVIRONMENT.iter().map(|(name, _)| *name).collect();
    let grants: Vec<String> = granted.iter().map(|name| format!("env={name}")).collect();
    let mut arguments = vec!["replay", "many.rtc", "-q", "--plugin", &plugin];
    for grant in &grants {
        arguments.extend(["--allow", grant]);
    }
    arguments.extend(["--plugin", "threshold-alert", "--set", "threshold=5"]);
    arguments.extend(["--plugin", "json-print"]);
    let run = |environment: &[(&str, &str)], cache: &str| {
        let mut host = host(files.path(), &arguments);
        host.env_clear()
            .env("XDG_CACHE_HOME", files.path().join(cache));
        host.envs(environment.iter().copied());
        let output = host.output().expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let peaceful: Vec<_> = granted.iter().map(|name| (*name, "")).collect();
    let expected = run(&peaceful, "peaceful");
    assert_eq!(expected.0, Some(0), "{}", expected.2);
    assert!(expected.1.contains("retransmit") && expected.2.contains("WARNING"));
    for cached in ["not yet", "now"] {
        let found = run(HOSTILE_ENVIRONMENT, "hostile");
        assert_eq!(found, expected, "cached {cached}");
    }
}

/// As with systemd's MemoryDenyWriteExecute=.
#[test]
fn where_memory_cannot_be_made_executable_it_is_said_and_no_plugin_is_blamed() {
    let files = Files::new();
    generated(files.path(), "few.rtc", &["--events", "10"]);
    let mut host = host(files.path(), &["replay", "few.rtc"]);
    // SAFETY: a single system call on the child's own behalf, which neither allocates nor locks.
    unsafe {
        host.pre_exec(|| {
            // PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN: since Linux 6.3.
            match libc::prctl(65, 1, 0, 0, 0) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        });
    }
    let output = match host.output() {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            let _ = writeln!(io::stderr(), "skipped: this kernel has no PR_SET_MDWE");
            return;
        }
        output => output.expect("it runs"),
    };
    let words = [
        "may not make memory executable",
        "Permission denied",
        "MemoryDenyWriteExecute=",
    ];
    assert_refusal(output, FAILURE, &words);
}

/// The host under a limit of address space, as `ulimit -v` sets it.
fn limited(files: &Files, bytes: &str, arguments: &[&str]) -> Command {
    let mut limited = Command::new("prlimit");
    limited
        .arg(format!("--as={bytes}"))
        .arg(BINARY)
        .args(arguments);
    limited
        .current_dir(files.path())
        .env("XDG_CACHE_HOME", files.path());
    limited
}

#[test]
fn a_limit_of_address_space_is_named_with_what_plugins_reserve() {
    let files = Files::new();
    generated(files.path(), "few.rtc", &["--events", "10"]);
    let arguments = [
        "replay",
        "few.rtc",
        "--plugin",
        "json-print",
        "--plugin",
        "threshold-alert",
    ];
    let words = [
        "each linear memory of a plugin reserves 4.1 GiB of address space",
        "RLIMIT_AS",
        "ulimit -v unlimited",
    ];
    // Room for no plugin, and for one of two. With one alone there is room in the process of the
    // footprint check, too.
    for (limit, plugins) in [("3000000000", 1), ("6000000000", 2)] {
        let arguments = &arguments[..2 + 2 * plugins];
        assert_refused(&mut limited(&files, limit, arguments), FAILURE, &words);
    }
    let output = output(&mut limited(&files, "6000000000", &arguments[..4]));
    assert!(output.status.success(), "{output:?}");
}

/// A memory inside an inner component: refused by the footprint check or, if the plugin is cached, by
/// the host.
#[test]
fn a_plugin_with_more_memories_than_there_is_address_space_is_no_matter_of_its_footprint() {
    let files = Files::new();
    generated(files.path(), "few.rtc", &["--events", "10"]);
    let memory = "(core module $more (memory 1)) (core instance (instantiate $more))";
    let plugin = fs::read(fixture(HTTPS_ONLY)).expect("it is built");
    let plugin = with_inner(plugin, &format!("(component {memory})")).expect("a component");
    files.write("two.wasm", plugin);
    let arguments = ["replay", "few.rtc", "--plugin", "./two.wasm"];
    let words = ["plugin two", "4.1 GiB of address space", "RLIMIT_AS"];
    for _ in ["compiled", "in the cache"] {
        assert_refused(
            &mut limited(&files, "6000000000", &arguments),
            FAILURE,
            &words,
        );
        let output = output(&mut limited(&files, "unlimited", &arguments));
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn what_the_compiler_is_fed_is_named_where_it_is_no_component() {
    let output = Command::new(BINARY)
        .args(["compile", "10", "1000000000"])
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(!output.stderr.is_empty());
}
