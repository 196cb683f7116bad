// SPDX-License-Identifier: GPL-2.0

//! The parameters: what is allowed, and the one line that says so when it is not.
#![deny(unsafe_code)]

use super::kind::{Granularity, Kind, Plan, Primitives, Roles, Shown, Workloads, KINDS};
use crate::ffi::{
    self,
    param::{self, in_range},
};
use kernel::{
    cpu::{nr_cpu_ids, CpuId},
    cpumask::CpumaskVar,
    fmt,
    prelude::*,
    str::CString,
};

/// The most children of one load.
const CHILDREN_MAX: i64 = 256;
/// The longest run, in seconds.
const SECONDS_MAX: i64 = 86_400;
/// The least and the most bytes that a child may take from its arena.
const MEMORY: (i64, i64) = (4 << 10, 16 << 20);

/// What a broken twin does wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Twin {
    /// `counter`: adds without the lock.
    Unlocked,
    /// `record`: does not look whether its copy is torn.
    NoRetry,
    /// `list`: publishes an element before it is built.
    Unbuilt,
    /// `list`: recycles an element without a grace period.
    NoGrace,
    /// `handshake`: loses the token now and then.
    Lost,
    /// `pipeline`: lets a message go past the one before.
    Reorder,
    /// `pipeline`: drops a message now and then.
    Dropped,
    /// `table`: lets go of the lock between looking and inserting.
    Relock,
    /// `memory`: writes to the piece beside the one that it means.
    Overlap,
    /// `memory`: does not give a piece back now and then.
    Leak,
    /// `requests`: answers the question before.
    Swapped,
}

impl Twin {
    const ALL: [(Self, &'static str, &'static str); 11] = [
        (Self::Unlocked, "unlocked", "counter"),
        (Self::NoRetry, "noretry", "record"),
        (Self::Unbuilt, "unbuilt", "list"),
        (Self::NoGrace, "nograce", "list"),
        (Self::Lost, "lost", "handshake"),
        (Self::Reorder, "reorder", "pipeline"),
        (Self::Dropped, "dropped", "pipeline"),
        (Self::Relock, "relock", "table"),
        (Self::Overlap, "overlap", "memory"),
        (Self::Leak, "leak", "memory"),
        (Self::Swapped, "swapped", "requests"),
    ];
}

/// The words for `twin`, each with its load, for the log.
struct Twins;

impl fmt::Display for Twins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (_, word, load)) in Twin::ALL.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            f.write_fmt(fmt!("{comma}{word} (workload={load})"))?;
        }
        Ok(())
    }
}

/// The numbers among the parameters, as they were given.
pub(crate) struct Numbers {
    pub(crate) children: i64,
    pub(crate) seconds: i64,
    pub(crate) readers: i64,
    pub(crate) writers: i64,
    pub(crate) hold_ns: i64,
    pub(crate) think_ns: i64,
    pub(crate) memory: i64,
    pub(crate) stat_interval: i64,
}

/// Parameters that were checked.
pub(crate) struct Config {
    workload: &'static str,
    primitive: &'static str,
    granularity: Granularity,
    children: usize,
    /// Readers and writers, if they were given.
    split: Option<(usize, usize)>,
    cpus: KVec<CpuId>,
    pub(super) seconds: u32,
    pub(super) hold_ns: u64,
    pub(super) think_ns: u64,
    pub(super) memory: usize,
    pub(super) stat_interval: u32,
    pub(super) twin: Option<Twin>,
}

/// Shows how long a load will run.
pub(super) struct Duration(pub(super) u32);

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("until unload"),
            s => f.write_fmt(fmt!("{s} s")),
        }
    }
}

impl Config {
    /// Checks the parameters of the module.
    ///
    /// # Errors
    ///
    /// `EINVAL`, after one line in the log that names what is valid; `ENOMEM`.
    pub(crate) fn new(n: &Numbers) -> Result<Self> {
        let children = in_range("children", n.children, 0, CHILDREN_MAX)?;
        let seconds = in_range("seconds", n.seconds, 0, SECONDS_MAX)?;
        let readers = in_range("readers", n.readers, -1, CHILDREN_MAX)?;
        let writers = in_range("writers", n.writers, -1, CHILDREN_MAX)?;
        let max_ns = ffi::NDELAY_MAX as i64;
        let hold_ns = in_range("hold_ns", n.hold_ns, 0, max_ns)?;
        let think_ns = in_range("think_ns", n.think_ns, 0, max_ns)?;
        let memory = in_range("memory", n.memory, MEMORY.0, MEMORY.1)?;
        let stat_interval = in_range("stat_interval", n.stat_interval, 0, SECONDS_MAX)?;

        let this = Self {
            workload: param::workload(),
            primitive: param::primitive(),
            granularity: Self::parse_granularity(param::workload(), param::granularity())?,
            children: children as usize,
            split: Self::split(children, readers, writers)?,
            cpus: Self::parse_cpus(param::cpus())?,
            seconds: seconds as u32,
            hold_ns: hold_ns as u64,
            think_ns: think_ns as u64,
            memory: memory as usize,
            stat_interval: stat_interval as u32,
            twin: Self::parse_twin(param::workload(), param::twin())?,
        };
        this.check_words()?;
        Ok(this)
    }

    fn split(children: i64, readers: i64, writers: i64) -> Result<Option<(usize, usize)>> {
        if readers < 0 && writers < 0 {
            return Ok(None);
        }
        let (r, w) = match (readers, writers) {
            (-1, w) => (children.saturating_sub(w), w),
            (r, -1) => (r, children.saturating_sub(r)),
            both => both,
        };
        let sum = r.saturating_add(w);
        if r < 0
            || w < 0
            || !(1..=CHILDREN_MAX).contains(&sum)
            || (children != 0 && children != sum)
        {
            pr_err!(
                "readers={readers} writers={writers}: valid are two numbers whose sum is children, or 1 to {CHILDREN_MAX} where that is 0\n"
            );
            return Err(EINVAL);
        }
        Ok(Some((r as usize, w as usize)))
    }

    fn check_words(&self) -> Result {
        let workload = self.workload;
        if !["", "all"].contains(&workload) && !KINDS.iter().any(|k| k.workload == workload) {
            pr_err!("workload={workload:.64}: valid are {Workloads}\n");
            return Err(EINVAL);
        }
        let fits = |word| {
            let mut kinds = KINDS
                .iter()
                .filter(|k| workload == "all" || k.workload == workload);
            kinds.any(|k| word == "all" || word == k.primitive)
        };
        if !self.primitive.is_empty() && !self.primitive.split(',').all(fits) {
            pr_err!(
                "primitive={:.64}: valid are {}, or several with commas\n",
                self.primitive,
                Primitives(workload)
            );
            return Err(EINVAL);
        }
        let children = self.children;
        let wrong = self.kinds().find_map(|kind| match kind.roles {
            Roles::Pairs if children % 2 == 1 => Some((kind, "even numbers, or 0")),
            Roles::Chain if children == 1 => Some((kind, "numbers from 2, or 0")),
            _ => None,
        });
        if let Some((kind, valid)) = wrong {
            let load = kind.workload;
            pr_err!("children={children}: valid for {load} are {valid}\n");
            return Err(EINVAL);
        }
        Ok(())
    }

    fn parse_granularity(workload: &str, word: &str) -> Result<Granularity> {
        match (workload, word) {
            (_, "") | ("table", "coarse") => Ok(Granularity::Coarse),
            ("table", "fine") => Ok(Granularity::Fine),
            _ => {
                pr_err!("granularity={word:.64}: valid are coarse, fine, with workload=table\n");
                Err(EINVAL)
            }
        }
    }

    fn parse_twin(workload: &str, word: &str) -> Result<Option<Twin>> {
        if word.is_empty() {
            return Ok(None);
        }
        let found = Twin::ALL
            .into_iter()
            .find(|(_, name, load)| *name == word && *load == workload);
        if found.is_none() {
            pr_err!("twin={word:.64}: valid are {Twins}\n");
        }
        found.map(|(twin, ..)| Some(twin)).ok_or(EINVAL)
    }

    /// The CPUs of a list such as `0,2-3`; of an empty one, all that are online.
    ///
    /// # Errors
    ///
    /// `EINVAL`, after one line in the log that names what is valid; `ENOMEM`.
    pub(crate) fn parse_cpus(list: &str) -> Result<KVec<CpuId>> {
        let mut mask = CpumaskVar::new_zero(GFP_KERNEL)?;
        let mut cpus = KVec::new();
        let mut valid = true;

        if list.is_empty() {
            for cpu in (0..nr_cpu_ids()).filter(|cpu| ffi::cpu_online(*cpu)) {
                cpus.push(CpuId::from_u32(cpu).ok_or(EINVAL)?, GFP_KERNEL)?;
            }
            return Ok(cpus);
        }
        let list = CString::try_from_fmt(fmt!("{list}"))?;
        valid &= ffi::cpulist_parse(&list, &mut mask).is_ok();
        for cpu in (0..nr_cpu_ids()).filter_map(CpuId::from_u32) {
            if mask.test(cpu) {
                valid &= ffi::cpu_online(cpu.as_u32());
                cpus.push(cpu, GFP_KERNEL)?;
            }
        }
        if !valid || cpus.is_empty() {
            pr_err!(
                "cpus={:.64}: valid are lists of online CPUs, such as 0,2-3, below {}\n",
                list.to_str().unwrap_or("?"),
                nr_cpu_ids()
            );
            return Err(EINVAL);
        }
        Ok(cpus)
    }

    /// For a child that runs a load by itself, until it is stopped.
    pub(super) fn alone() -> Self {
        Self {
            workload: "",
            primitive: "",
            children: 0,
            split: None,
            cpus: KVec::new(),
            seconds: 0,
            hold_ns: 0,
            think_ns: 0,
            stat_interval: 0,
            granularity: Granularity::Coarse,
            memory: 0,
            twin: None,
        }
    }

    /// A copy for the children of a session.
    pub(super) fn clone_for_session(&self) -> Result<Self> {
        let mut cpus = KVec::new();
        cpus.extend_from_slice(&self.cpus, GFP_KERNEL)?;
        Ok(Self { cpus, ..*self })
    }

    /// What is to be run.
    pub(super) fn kinds(&self) -> impl Iterator<Item = Kind> + '_ {
        KINDS.iter().filter(|kind| {
            let all = self.workload == "all";
            (all || self.workload == kind.workload)
                && match self.primitive {
                    "" if all => [Shown::Always, Shown::InAll].contains(&kind.shown),
                    "" => [Shown::Always, Shown::Alone].contains(&kind.shown),
                    words if words.split(',').any(|word| word == "all") => true,
                    words => words.split(',').any(|word| word == kind.primitive),
                }
        })
    }

    /// How many children a load gets, and what they do.
    pub(super) fn plan(&self, kind: Kind) -> Plan {
        let cpus = self.cpus.len();
        let mut plan = Plan {
            children: match self.children {
                0 if kind.roles == Roles::Pairs => cpus.next_multiple_of(2),
                0 if kind.roles == Roles::Chain => cpus.max(2),
                0 => cpus,
                n => n,
            },
            writers: 0,
            granularity: self.granularity,
            twin: self.twin,
        };
        if kind.roles == Roles::WritersAndReaders {
            match self.split {
                Some((readers, writers)) => {
                    plan.children = readers.saturating_add(writers);
                    plan.writers = writers;
                }
                // Half of them, at least one.
                None => plan.writers = plan.children.div_ceil(2),
            }
        }
        plan
    }

    /// The CPU for child `index`.
    pub(super) fn cpu(&self, index: usize) -> &[CpuId] {
        let at = index.checked_rem(self.cpus.len()).unwrap_or(0);
        self.cpus.get(at..=at).unwrap_or(&[])
    }
}
