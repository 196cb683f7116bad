// SPDX-License-Identifier: GPL-2.0

//! The grammar of the file `control`, in user space: what each line is, what is refused and why,
//! and many lines that nobody would write.
//!
//! `make check` runs it; by hand: `rustc --test --edition 2021 selftests/host/grammar.rs`.

#[allow(dead_code)]
#[path = "../../src/control/grammar.rs"]
mod grammar;
#[allow(dead_code)]
#[path = "../../src/control/refused.rs"]
mod refused;

use grammar::{
    parse, Command, Fault, Restart, Scheduling, Spawn, Stats, What, DEPTH_MAX, LIMIT_MAX, LINE_MAX,
    MS_MAX, THREADS_MAX,
};
use refused::Refused;

fn ok(line: &str) -> Command<'_> {
    parse(line.as_bytes(), true).unwrap_or_else(|e| panic!("{line:?}: {e}"))
}

fn spawn(line: &str) -> Spawn<'_> {
    match ok(line) {
        Command::Spawn(spawn) => spawn,
        other => panic!("{line:?}: {other:?}"),
    }
}

/// What the log says of a line that is refused.
fn refused(line: impl AsRef<[u8]>) -> String {
    let line = line.as_ref();
    match parse(line, true) {
        Ok(command) => panic!("{line:?}: {command:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn commands() {
    assert_eq!(ok("stop 1"), Command::Stop(1));
    assert_eq!(ok(" stop 1 "), Command::Stop(1));
    assert_eq!(
        ok("  restart   18446744073709551615  "),
        Command::Restart(u64::MAX)
    );
    assert_eq!(ok("remove 007"), Command::Remove(7));
    assert_eq!(ok("send 3 a"), Command::Send(3, "a"));
    assert_eq!(ok("send 3   a  b "), Command::Send(3, "a  b "));
    assert_eq!(ok("reset-stats"), Command::ResetStats);
    for (word, fault) in [
        ("error", Fault::Error),
        ("panic", Fault::Panic),
        ("bug", Fault::Bug),
        ("null", Fault::Null),
        ("spin", Fault::Spin),
        ("leak", Fault::Leak),
        ("none", Fault::None),
    ] {
        assert_eq!(ok(&format!("crash 5 {word}")), Command::Crash(5, fault));
    }
    for (word, stats) in [
        ("off", Stats::Off),
        ("contended", Stats::Contended),
        ("times", Stats::Times),
    ] {
        assert_eq!(ok(&format!("stats {word}")), Command::Stats(stats));
    }
}

#[test]
fn crash_is_for_some_builds() {
    let error = parse(b"crash 1 error", false).unwrap_err().to_string();
    assert_eq!(error, "crash: valid only in builds with FAULTS=1");
    assert_eq!(parse(b"stop 1", false), Ok(Command::Stop(1)));
}

#[test]
fn spawn_with_nothing() {
    assert_eq!(
        spawn("spawn a workload=counter"),
        Spawn {
            name: "a",
            what: What::Load {
                workload: "counter",
                primitive: None
            },
            threads: None,
            cpus: None,
            memory: 0,
            nice: 0,
            scheduling: Scheduling::Normal,
            restart: Restart::Never,
            limit: None,
            window: None,
            backoff: None,
            backoff_max: None,
            heartbeat: 0,
            depth: None,
        }
    );
}

#[test]
fn spawn_with_all() {
    let line = "spawn Aa0-_.:/ entry=echo depth=8 threads=3 cpus=0,2-3 memory=64k nice=-20 \
                scheduling=fifo:99 restart=on-crash limit=5 window=1000 backoff=10 \
                backoff-max=640 heartbeat=500";
    assert_eq!(
        spawn(line),
        Spawn {
            name: "Aa0-_.:/",
            what: What::Entry("echo"),
            threads: Some(3),
            cpus: Some("0,2-3"),
            memory: 65536,
            nice: -20,
            scheduling: Scheduling::Fifo(99),
            restart: Restart::OnCrash,
            limit: Some(5),
            window: Some(1000),
            backoff: Some(10),
            backoff_max: Some(640),
            heartbeat: 500,
            depth: Some(8),
        }
    );
    let line = "spawn a primitive=mutex workload=counter";
    let what = What::Load {
        workload: "counter",
        primitive: Some("mutex"),
    };
    assert_eq!(spawn(line).what, what);
}

/// The lowest and the highest of each, and what is just beyond.
#[test]
fn limits() {
    let with = |pair: String| format!("spawn a entry=e restart=always limit=1 backoff=1 {pair}");
    for (key, min, max) in [
        ("threads", 1, u64::from(THREADS_MAX)),
        ("window", 1, u64::from(MS_MAX)),
        ("backoff-max", 1, u64::from(MS_MAX)),
        ("heartbeat", 0, u64::from(MS_MAX)),
    ] {
        ok(&with(format!("{key}={min}")));
        ok(&with(format!("{key}={max}")));
        let says = format!("valid are {min} to {max}");
        for value in [max + 1, u64::MAX] {
            let pair = format!("{key}={value}");
            assert_eq!(refused(with(pair.clone())), format!("{pair}: {says}"));
        }
        for value in [
            "",
            "-1",
            "+1",
            "1x",
            "0x1",
            "1.5",
            "x",
            "99999999999999999999999",
        ] {
            let pair = format!("{key}={value}");
            assert_eq!(refused(with(pair.clone())), format!("{pair}: {says}"));
        }
        if min > 0 {
            refused(with(format!("{key}=0")));
        }
    }
    let max = format!("spawn a entry=e restart=always limit={LIMIT_MAX}");
    ok(&max);
    refused(max + "0");
    for nice in [-20, -1, 0, 19] {
        assert_eq!(spawn(&format!("spawn a entry=e nice={nice}")).nice, nice);
    }
    for nice in [
        "-21",
        "20",
        "+1",
        "--1",
        "-",
        "",
        "2147483648",
        "-2147483648",
    ] {
        let says = format!("nice={nice}: valid are -20 to 19");
        assert_eq!(refused(format!("spawn a entry=e nice={nice}")), says);
    }
    for n in 0..=16 {
        assert_eq!(
            spawn(&format!("spawn a entry=e depth={}", 1 << n)).depth,
            Some(1 << n)
        );
    }
    for depth in ["0", "3", "131072", "", "-1", "4294967296"] {
        let says = format!("depth={depth}: valid are powers of two, 1 to {DEPTH_MAX}");
        assert_eq!(refused(format!("spawn a entry=e depth={depth}")), says);
    }
    for prio in ["0", "100", "", "-1", "+1", "x"] {
        let says = "valid are normal, batch, idle, fifo:1 to fifo:99";
        assert!(refused(format!("spawn a entry=e scheduling=fifo:{prio}")).ends_with(says));
    }
}

#[test]
fn bytes() {
    for (word, bytes) in [
        ("0", 0),
        ("1", 1),
        ("4096", 4096),
        ("1k", 1024),
        ("3m", 3 << 20),
        ("9223372036854775807", isize::MAX as usize),
    ] {
        assert_eq!(
            spawn(&format!("spawn a entry=e memory={word}")).memory,
            bytes
        );
    }
    for word in [
        "",
        "k",
        "-1",
        "+1",
        "1K",
        "1g",
        "1kk",
        "1.5k",
        "9223372036854775808",
        "18446744073709551616",
        "18014398509481984k",
        "8796093022208m",
        "99999999999999999999m",
    ] {
        let says = "valid are numbers of bytes, or with k or m at their end";
        let line = format!("spawn a entry=e memory={word}");
        assert_eq!(refused(line), format!("memory={word}: {says}"));
    }
}

#[test]
fn words() {
    let commands = "valid are spawn, stop, restart, remove, crash, send, reset-stats, stats";
    for word in ["halt", "STOP", "stop=1", "spawns", "-", "\"stop\""] {
        assert_eq!(refused(format!("{word} 1")), format!("{word}: {commands}"));
    }
    assert_eq!(refused("   "), format!("an empty line: {commands}"));
    assert_eq!(
        refused("spawn a entry=e restart=sometimes"),
        "restart=sometimes: valid are never, on-error, on-crash, always"
    );
    assert_eq!(refused("stats all"), "all: valid are off, contended, times");
    assert_eq!(refused("stats"), "stats: valid are off, contended, times");
    let faults = "valid are error, panic, bug, null, spin, leak, none";
    assert_eq!(refused("crash 1"), format!("crash: {faults}"));
    assert_eq!(refused("crash 1 oops"), format!("oops: {faults}"));
    let keys = refused("spawn a entry=e colour=red");
    assert!(
        keys.starts_with("colour=red: valid are workload=, primitive=, entry=, "),
        "{keys}"
    );
    for word in ["threads", "Threads=1", "=1", "=", "entry:e"] {
        assert!(refused(format!("spawn a entry=e {word}")).starts_with(&format!("{word}: valid")));
    }
}

#[test]
fn what_goes_with_what() {
    let wants = "spawn: wants a name, and workload= or entry=";
    assert_eq!(refused("spawn"), wants);
    assert_eq!(refused("spawn a"), wants);
    assert_eq!(refused("spawn a threads=1"), wants);
    for (line, says) in [
        ("workload=w entry=e", "entry=: does not go with workload="),
        (
            "entry=e primitive=p",
            "primitive=p: does not go with entry=",
        ),
        ("workload=w depth=1", "depth=1: does not go with workload="),
        (
            "entry=e limit=1",
            "limit=1: wants restart=on-error, on-crash or always",
        ),
        (
            "entry=e restart=never backoff=1",
            "backoff=1: wants restart=on-error, on-crash or always",
        ),
        ("entry=e restart=always window=1", "window=1: wants limit="),
        (
            "entry=e restart=always backoff-max=1",
            "backoff-max=1: wants backoff=",
        ),
        (
            "entry=e restart=always backoff=2 backoff-max=1",
            "backoff-max=1: wants no less than backoff=",
        ),
        ("entry=e entry=f", "entry=f: is there twice"),
        ("entry=e threads=1 threads=1", "threads=1: is there twice"),
        (
            "entry=a=b",
            "entry=a=b: valid are 1 to 31 letters, digits or -_.:/",
        ),
        (
            "entry=",
            "entry=: valid are 1 to 31 letters, digits or -_.:/",
        ),
        (
            "entry=e cpus=all",
            "cpus=all: wants a list of CPUs such as 0,2-3",
        ),
    ] {
        assert_eq!(refused(format!("spawn a {line}")), says);
    }
}

#[test]
fn ids() {
    for command in ["stop", "restart", "remove", "send", "crash"] {
        assert_eq!(refused(command), format!("{command}: wants an ID"));
        for id in ["0", "-1", "+1", "x", "1x", "0x1", "18446744073709551616"] {
            let says = format!("{id}: valid are 1 to 18446744073709551615");
            assert_eq!(refused(format!("{command} {id} error")), says);
        }
    }
    assert_eq!(refused("stop 1 2"), "2: nothing may follow");
    assert_eq!(refused("crash 1 error now"), "now: nothing may follow");
    assert_eq!(refused("reset-stats all"), "all: nothing may follow");
    assert_eq!(refused("stats off on"), "on: nothing may follow");
    assert_eq!(refused("send 1"), "send: wants a text after the ID");
    assert_eq!(refused("send 1  "), "send: wants a text after the ID");
}

#[test]
fn names() {
    let longest = "x".repeat(31);
    ok(&format!("spawn {longest} entry=e"));
    for name in [
        longest + "x",
        "a,b".into(),
        "a\"b".into(),
        "a=b".into(),
        "%s".into(),
    ] {
        let says = "valid are 1 to 31 letters, digits or -_.:/";
        assert_eq!(
            refused(format!("spawn {name} entry=e")),
            format!("{name}: {says}")
        );
    }
}

#[test]
fn lines() {
    let fits = format!("send 1 {}", "x".repeat(LINE_MAX - 7));
    ok(&fits);
    assert_eq!(
        refused(fits + "x"),
        "a line of 513 bytes: valid are 1 to 512"
    );
    assert_eq!(refused(""), "a line of 0 bytes: valid are 1 to 512");
    let several = "several lines in one write: valid is one";
    for line in [
        "stop 1\nstop 2\n",
        "stop 1\nstop 2",
        "stop 1\n",
        "\nstop 1",
        "\n\n",
    ] {
        assert_eq!(refused(line), several);
    }
    let byte = |b: &str, at| format!("byte {b} at {at}: valid is printable ASCII");
    assert_eq!(refused("stop\t1"), byte("0x09", 4));
    assert_eq!(refused("stop 1\0"), byte("0x00", 6));
    assert_eq!(refused("stop 1\r"), byte("0x0d", 6));
    assert_eq!(refused("\x1b[2J"), byte("0x1b", 0));
    assert_eq!(refused("stop \u{e9}"), byte("0xc3", 5));
    assert_eq!(refused(b"stop 1\xff"), byte("0xff", 6));
    assert_eq!(refused("stop 1\x7f"), byte("0x7f", 6));
}

/// What is said is one line of printable ASCII, whatever was written.
fn says_one_line(line: &[u8], error: Refused<'_>) {
    let said = error.to_string();
    assert!(said.len() < 400, "{line:?}: {said}");
    assert!(
        said.bytes().all(|b| (0x20..0x7f).contains(&b)),
        "{line:?}: {said:?}"
    );
}

/// A small generator of numbers that are as good as random.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// Bytes of all kinds, and words in a wrong order: parsing ends, and what it says is fit for the
/// log.
#[test]
fn anything() {
    const WORDS: &[&str] = &[
        "spawn",
        "stop",
        "restart",
        "remove",
        "crash",
        "send",
        "reset-stats",
        "stats",
        "off",
        "a",
        "1",
        "18446744073709551616",
        "error",
        "workload=counter",
        "entry=echo",
        "threads=2",
        "cpus=0-1",
        "memory=1m",
        "nice=-5",
        "scheduling=fifo:7",
        "restart=always",
        "limit=3",
        "window=5",
        "backoff=1",
        "backoff-max=9",
        "heartbeat=0",
        "depth=4",
        "=",
        "\n",
        "\0",
        "\t",
        "\u{e9}",
        "",
        "x=y",
        "primitive=mutex",
        "threads=",
        "memory=k",
        "fifo:",
        "nice=-",
    ];
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut understood = 0;
    for round in 0..1_000_000 {
        let mut line = Vec::new();
        if round % 4 == 0 {
            for _ in 0..random.below(40) {
                line.push(random.next() as u8);
            }
        } else {
            for _ in 0..random.below(9) {
                line.extend_from_slice(WORDS[random.below(WORDS.len())].as_bytes());
                if random.below(8) != 0 {
                    line.push(b' ');
                }
            }
            if random.below(6) == 0 && !line.is_empty() {
                let at = random.below(line.len());
                line[at] = random.next() as u8;
            }
        }
        let faults = random.below(2) == 0;
        match parse(&line, faults) {
            Ok(_) => understood += 1,
            Err(error) => says_one_line(&line, error),
        }
    }
    assert!(understood > 1000, "{understood}");
}
