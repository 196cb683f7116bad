// SPDX-License-Identifier: GPL-2.0

//! What a line of the file `control` says.
//!
//! From bytes to a [`Command`], or to what is wrong with them. Nothing here allocates, knows of the
//! kernel, or does anything: the file also compiles by itself in user space, where tests feed it
//! what nobody would write.
//!
//! What is checked here is what needs no more than the line to be told. Whether there is such a
//! load, such an entry point, or such a child, is for those to say who have them.

use super::refused::{Refused, Why};

/// The longest line. The newline at its end does not belong to it.
pub(crate) const LINE_MAX: usize = 512;

/// The longest name of a child or of an entry point.
pub(crate) const NAME_MAX: usize = 31;

/// The most threads of a child.
pub(crate) const THREADS_MAX: u32 = 1024;

/// The deepest mailbox.
pub(crate) const DEPTH_MAX: u32 = 1 << 16;

/// The longest time in a command, in ms: a day.
pub(crate) const MS_MAX: u32 = 86_400_000;

/// The most restarts in a window.
pub(crate) const LIMIT_MAX: u32 = 64;

/// The highest real-time priority.
pub(crate) const PRIO_MAX: u32 = 99;

/// A line that was understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Command<'a> {
    /// Make a child.
    Spawn(Spawn<'a>),
    /// Stop a child; it stays on the list.
    Stop(u64),
    /// Stop it if it runs, and start its next generation.
    Restart(u64),
    /// Stop it and take it off the list.
    Remove(u64),
    /// Have it do something wrong.
    Crash(u64, Fault),
    /// Put a line of text into its mailbox.
    Send(u64, &'a str),
    /// Set the statistics of all locks to zero.
    ResetStats,
    /// Say how much is counted.
    Stats(Stats),
}

/// What is said of a child that is to be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Spawn<'a> {
    pub(crate) name: &'a str,
    pub(crate) what: What<'a>,
    pub(crate) threads: Option<u32>,
    /// A list such as `0,2-3`.
    pub(crate) cpus: Option<&'a str>,
    pub(crate) memory: usize,
    pub(crate) nice: i32,
    pub(crate) scheduling: Scheduling,
    pub(crate) restart: Restart,
    pub(crate) limit: Option<u32>,
    pub(crate) window: Option<u32>,
    pub(crate) backoff: Option<u32>,
    pub(crate) backoff_max: Option<u32>,
    /// In ms; 0: none.
    pub(crate) heartbeat: u32,
    pub(crate) depth: Option<u32>,
}

/// What a child is to run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum What<'a> {
    Load {
        workload: &'a str,
        primitive: Option<&'a str>,
    },
    Entry(&'a str),
}

/// What a child can be made to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    Error,
    Panic,
    Bug,
    Null,
    Spin,
    Leak,
    None,
}

/// How a child is scheduled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scheduling {
    Normal,
    Batch,
    Idle,
    Fifo(u32),
}

/// When a child is started again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Restart {
    Never,
    OnError,
    OnCrash,
    Always,
}

/// How much is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stats {
    Off,
    Contended,
    Times,
}

type Parsed<'a, T> = core::result::Result<T, Refused<'a>>;

const COMMANDS: &[&str] = &[
    "spawn",
    "stop",
    "restart",
    "remove",
    "crash",
    "send",
    "reset-stats",
    "stats",
];

const FAULTS: &[&str] = &["error", "panic", "bug", "null", "spin", "leak", "none"];
const STATS: &[&str] = &["off", "contended", "times"];
const SCHEDULING: &[&str] = &["normal", "batch", "idle", "fifo:1 to fifo:99"];
const RESTART: &[&str] = &["never", "on-error", "on-crash", "always"];
const KEYS: &[&str] = &[
    "workload=",
    "primitive=",
    "entry=",
    "threads=",
    "cpus=",
    "memory=",
    "nice=",
    "scheduling=",
    "restart=",
    "limit=",
    "window=",
    "backoff=",
    "backoff-max=",
    "heartbeat=",
    "depth=",
];

/// Understands a line, without the newline at its end. `faults` says whether this build can have children do something wrong.
pub(crate) fn parse(line: &[u8], faults: bool) -> Parsed<'_, Command<'_>> {
    let line = text(line)?;
    let mut rest = line;
    let command = take(&mut rest);
    let parsed = match command {
        "spawn" => return spawn(command, rest).map(Command::Spawn),
        "send" => {
            let id = id(command, &mut rest)?;
            let text = rest.trim_start_matches(' ');
            if text.is_empty() {
                return Err(Refused::Word(command, Why::Wants("a text after the ID")));
            }
            return Ok(Command::Send(id, text));
        }
        "stop" => Command::Stop(id(command, &mut rest)?),
        "restart" => Command::Restart(id(command, &mut rest)?),
        "remove" => Command::Remove(id(command, &mut rest)?),
        "crash" if !faults => return Err(Refused::Word(command, Why::NotBuilt)),
        "crash" => Command::Crash(id(command, &mut rest)?, fault(&mut rest)?),
        "reset-stats" => Command::ResetStats,
        "stats" => Command::Stats(match take(&mut rest) {
            "off" => Stats::Off,
            "contended" => Stats::Contended,
            "times" => Stats::Times,
            "" => return Err(Refused::Word(command, Why::Words(STATS))),
            other => return Err(Refused::Word(other, Why::Words(STATS))),
        }),
        "" => return Err(Refused::Word("an empty line", Why::Words(COMMANDS))),
        other => return Err(Refused::Word(other, Why::Words(COMMANDS))),
    };
    match take(&mut rest) {
        "" => Ok(parsed),
        extra => Err(Refused::Word(extra, Why::Extra)),
    }
}

/// The line as text, if there is nothing in it that does not belong there.
fn text(line: &[u8]) -> Parsed<'_, &str> {
    if line.is_empty() || line.len() > LINE_MAX {
        return Err(Refused::Length(line.len()));
    }
    if line.contains(&b'\n') {
        return Err(Refused::Lines);
    }
    let valid = |b: &u8| *b == b' ' || b.is_ascii_graphic();
    if let Some((at, byte)) = line.iter().enumerate().find(|(_, b)| !valid(b)) {
        return Err(Refused::Byte(*byte, at));
    }
    // It is ASCII.
    core::str::from_utf8(line).map_err(|e| Refused::Byte(0, e.valid_up_to()))
}

/// Takes the next word from the front of `rest`; an empty one at the end.
fn take<'a>(rest: &mut &'a str) -> &'a str {
    let trimmed = rest.trim_start_matches(' ');
    let (word, left) = trimmed.split_once(' ').unwrap_or((trimmed, ""));
    *rest = left;
    word
}

fn id<'a>(command: &'a str, rest: &mut &'a str) -> Parsed<'a, u64> {
    match take(rest) {
        "" => Err(Refused::Word(command, Why::Wants("an ID"))),
        word => digits(word)
            .filter(|id| *id > 0)
            .ok_or(Refused::Word(word, Why::Numbers(1, u64::MAX))),
    }
}

fn fault<'a>(rest: &mut &'a str) -> Parsed<'a, Fault> {
    Ok(match take(rest) {
        "error" => Fault::Error,
        "panic" => Fault::Panic,
        "bug" => Fault::Bug,
        "null" => Fault::Null,
        "spin" => Fault::Spin,
        "leak" => Fault::Leak,
        "none" => Fault::None,
        "" => return Err(Refused::Word("crash", Why::Words(FAULTS))),
        other => return Err(Refused::Word(other, Why::Words(FAULTS))),
    })
}

/// A number without a sign, in decimal.
fn digits(word: &str) -> Option<u64> {
    // The parser of numbers would take a sign.
    let all = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    all.then(|| word.parse().ok()).flatten()
}

/// Whether this can be the name of a child, or of an entry point.
pub(crate) fn is_name(name: &str) -> bool {
    let valid = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/".contains(&b);
    !name.is_empty() && name.len() <= NAME_MAX && name.bytes().all(valid)
}

/// One `KEY=VALUE` of `spawn`.
struct Pair<'a> {
    word: &'a str,
    value: &'a str,
}

impl<'a> Pair<'a> {
    fn refuse<T>(&self, why: Why) -> Parsed<'a, T> {
        Err(Refused::Word(self.word, why))
    }

    fn number(&self, min: u32, max: u32) -> Parsed<'a, u32> {
        let number = digits(self.value).and_then(|n| u32::try_from(n).ok());
        match number.filter(|n| (min..=max).contains(n)) {
            Some(n) => Ok(n),
            None => self.refuse(Why::Numbers(i64::from(min), u64::from(max))),
        }
    }

    fn ms(&self) -> Parsed<'a, u32> {
        self.number(1, MS_MAX)
    }

    fn bytes(&self) -> Parsed<'a, usize> {
        let (number, unit) = match self.value.as_bytes().last() {
            Some(b'k') => (self.value.strip_suffix('k'), 1 << 10),
            Some(b'm') => (self.value.strip_suffix('m'), 1 << 20),
            _ => (Some(self.value), 1u64),
        };
        let bytes = number.and_then(digits).and_then(|n| n.checked_mul(unit));
        match bytes.and_then(|n| isize::try_from(n).ok()) {
            Some(n) => Ok(n.unsigned_abs()),
            None => self.refuse(Why::Bytes),
        }
    }

    fn nice(&self) -> Parsed<'a, i32> {
        let (sign, number) = match self.value.strip_prefix('-') {
            Some(number) => (-1, number),
            None => (1, self.value),
        };
        let nice = digits(number)
            .and_then(|n| i32::try_from(n).ok())
            .and_then(|n| n.checked_mul(sign));
        match nice.filter(|n| (-20..=19).contains(n)) {
            Some(n) => Ok(n),
            None => self.refuse(Why::Numbers(-20, 19)),
        }
    }

    fn name(&self) -> Parsed<'a, &'a str> {
        if is_name(self.value) {
            Ok(self.value)
        } else {
            self.refuse(Why::Name)
        }
    }

    /// A list of CPUs looks like one; what it says is for the kernel to tell.
    fn cpus(&self) -> Parsed<'a, &'a str> {
        let valid = |b: u8| b.is_ascii_digit() || b"-,:/".contains(&b);
        if !self.value.is_empty() && self.value.bytes().all(valid) {
            Ok(self.value)
        } else {
            self.refuse(Why::Wants("a list of CPUs such as 0,2-3"))
        }
    }

    fn depth(&self) -> Parsed<'a, u32> {
        match digits(self.value).and_then(|n| u32::try_from(n).ok()) {
            Some(n) if n.is_power_of_two() && n <= DEPTH_MAX => Ok(n),
            _ => self.refuse(Why::Power(DEPTH_MAX)),
        }
    }

    fn scheduling(&self) -> Parsed<'a, Scheduling> {
        let priority = self.value.strip_prefix("fifo:").and_then(digits);
        match (self.value, priority.and_then(|n| u32::try_from(n).ok())) {
            ("normal", _) => Ok(Scheduling::Normal),
            ("batch", _) => Ok(Scheduling::Batch),
            ("idle", _) => Ok(Scheduling::Idle),
            (_, Some(n)) if (1..=PRIO_MAX).contains(&n) => Ok(Scheduling::Fifo(n)),
            _ => self.refuse(Why::Words(SCHEDULING)),
        }
    }

    fn restart(&self) -> Parsed<'a, Restart> {
        match self.value {
            "never" => Ok(Restart::Never),
            "on-error" => Ok(Restart::OnError),
            "on-crash" => Ok(Restart::OnCrash),
            "always" => Ok(Restart::Always),
            _ => self.refuse(Why::Words(RESTART)),
        }
    }
}

/// What follows the name in `spawn`, by key.
struct Pairs<'a>([Option<&'a str>; KEYS.len()]);

impl<'a> Pairs<'a> {
    fn read(mut rest: &'a str) -> Parsed<'a, Self> {
        let mut words = [None; KEYS.len()];
        loop {
            let word = take(&mut rest);
            if word.is_empty() {
                return Ok(Self(words));
            }
            let mut slots = KEYS.iter().zip(&mut words);
            match slots.find(|(key, _)| word.starts_with(**key)) {
                Some((_, slot @ None)) => *slot = Some(word),
                Some(_) => return Err(Refused::Word(word, Why::Twice)),
                None => return Err(Refused::Word(word, Why::Words(KEYS))),
            }
        }
    }

    fn get(&self, key: &str) -> Option<Pair<'a>> {
        let mut slots = KEYS.iter().zip(self.0);
        let word = slots.find(|(k, _)| **k == key)?.1?;
        let value = word.strip_prefix(key)?;
        Some(Pair { word, value })
    }

    /// The value of a key, if it is there.
    fn value<T>(
        &self,
        key: &str,
        read: impl FnOnce(&Pair<'a>) -> Parsed<'a, T>,
    ) -> Parsed<'a, Option<T>> {
        self.get(key).map(|pair| read(&pair)).transpose()
    }

    /// Refuses `key`, if it is there, for this reason.
    fn refuse(&self, key: &str, why: Why) -> Parsed<'a, ()> {
        self.get(key).map_or(Ok(()), |pair| pair.refuse(why))
    }
}

fn spawn<'a>(command: &'a str, mut rest: &'a str) -> Parsed<'a, Spawn<'a>> {
    const WANTS: Why = Why::Wants("a name, and workload= or entry=");
    let name = take(&mut rest);
    if name.is_empty() {
        return Err(Refused::Word(command, WANTS));
    }
    if !is_name(name) {
        return Err(Refused::Word(name, Why::Name));
    }
    let pairs = Pairs::read(rest)?;
    let workload = pairs.value("workload=", Pair::name)?;
    let primitive = pairs.value("primitive=", Pair::name)?;
    let what = match (workload, pairs.value("entry=", Pair::name)?) {
        (Some(workload), None) => What::Load {
            workload,
            primitive,
        },
        (None, Some(entry)) => What::Entry(entry),
        (None, None) => return Err(Refused::Word(command, WANTS)),
        (Some(_), Some(_)) => return Err(Refused::Word("entry=", Why::Without("workload="))),
    };
    match what {
        What::Load { .. } => pairs.refuse("depth=", Why::Without("workload="))?,
        What::Entry(_) => pairs.refuse("primitive=", Why::Without("entry="))?,
    }
    let spawn = Spawn {
        name,
        what,
        threads: pairs.value("threads=", |p| p.number(1, THREADS_MAX))?,
        cpus: pairs.value("cpus=", Pair::cpus)?,
        memory: pairs.value("memory=", Pair::bytes)?.unwrap_or(0),
        nice: pairs.value("nice=", Pair::nice)?.unwrap_or(0),
        scheduling: pairs
            .value("scheduling=", Pair::scheduling)?
            .unwrap_or(Scheduling::Normal),
        restart: pairs
            .value("restart=", Pair::restart)?
            .unwrap_or(Restart::Never),
        limit: pairs.value("limit=", |p| p.number(1, LIMIT_MAX))?,
        window: pairs.value("window=", Pair::ms)?,
        backoff: pairs.value("backoff=", Pair::ms)?,
        backoff_max: pairs.value("backoff-max=", Pair::ms)?,
        heartbeat: pairs
            .value("heartbeat=", |p| p.number(0, MS_MAX))?
            .unwrap_or(0),
        depth: pairs.value("depth=", Pair::depth)?,
    };
    if spawn.restart == Restart::Never {
        for key in ["limit=", "window=", "backoff=", "backoff-max="] {
            pairs.refuse(key, Why::Wants("restart=on-error, on-crash or always"))?;
        }
    }
    if spawn.limit.is_none() {
        pairs.refuse("window=", Why::Wants("limit="))?;
    }
    match spawn.backoff {
        None => pairs.refuse("backoff-max=", Why::Wants("backoff="))?,
        Some(first) if spawn.backoff_max.is_some_and(|max| max < first) => {
            pairs.refuse("backoff-max=", Why::Wants("no less than backoff="))?;
        }
        Some(_) => {}
    }
    Ok(spawn)
}
