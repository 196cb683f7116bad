// SPDX-License-Identifier: GPL-2.0

//! The mistakes of the twins: one line each, that a person would write.
#![deny(unsafe_code)]

macro_rules! mistakes {
    ($($(#[$doc:meta])* $name:ident, $word:literal, $what:literal;)*) => {
        /// What a twin does wrong.
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub(super) enum Mistake {
            $(#[doc = $what] $name,)*
        }

        impl Mistake {
            /// What it is called.
            pub(super) const fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// In a few words.
            pub(super) const fn what(self) -> &'static str {
                match self {
                    $(Self::$name => $what,)*
                }
            }
        }
    };
}

mistakes! {
    Unlocked, "unlocked", "one path does not take the lock";
    Early, "early", "releases the lock before its last store";
    Relock, "relock", "stores what it read before it released the lock and took it again";
    Kept, "kept", "one path does not release the lock";
    Shared, "shared", "takes the lock to read, and writes";
    Twice, "twice", "takes the lock that it holds";
    Abba, "abba", "takes two locks in the other order";
    NoRetry, "noretry", "does not look whether its copy is torn";
    TwoReads, "tworeads", "reads half of it, and then the other half";
    NoGrace, "nograce", "frees without waiting for a grace period";
    Unbuilt, "unbuilt", "publishes a record before it is built";
    Outside, "outside", "goes on using a record when it has left the read-side section";
    Forgotten, "forgotten", "one path does not signal";
    SignalFirst, "signalfirst", "signals before it has done what it signals";
    Reinit, "reinit", "forgets what was signalled just before it waits";
    LoadStore, "loadstore", "adds by a load and a store";
    StaleSwap, "staleswap", "tries to swap in the old sum again when another was faster";
    TestThenSet, "testthenset", "looks at a bit and then sets it";
    OtherCpu, "othercpu", "writes what is another CPU's";
    PreemptOnly, "preemptonly", "keeps threads off, and not interrupts";
    NoBarrier, "nobarrier", "has no barrier between its store and its load";
    Weaker, "weaker", "has release and acquire in place of a full barrier";
    FlagFirst, "flagfirst", "sets the flag before the data";
    Dropped, "dropped", "drops a message when there is no room";
    Overtaken, "overtaken", "sends the next message before one that found no room";
    Unwoken, "unwoken", "does not wake a receiver that sleeps";
    WrongWrap, "wrongwrap", "wraps one slot too early";
    ByNumber, "bynumber", "knows a child by its number alone";
    CheckThenUse, "checkthenuse", "looks whether a handle is valid, and then uses another";
    Beside, "beside", "writes to the piece beside the one that it means";
    Unreturned, "unreturned", "does not give a piece back";
    SumFirst, "sumfirst", "takes off what was counted before from an older sum";
    ZeroCells, "zerocells", "resets by writing zero where another CPU is counting";
}

impl Mistake {
    /// How long a twin is used at a time, in ms: long enough for it to be caught, most of the time.
    pub(super) fn bout_ms(self) -> u32 {
        match self {
            // That nothing happens shows after a while.
            Self::Kept
            | Self::Forgotten
            | Self::SignalFirst
            | Self::Reinit
            | Self::Unwoken
            | Self::Dropped => 10_000,
            _ => 200,
        }
    }

    /// Whether it shows on a second CPU only, if who waits spins.
    pub(super) fn needs_two_cpus(self) -> bool {
        matches!(
            self,
            Self::Kept
                | Self::Shared
                | Self::Abba
                | Self::OtherCpu
                | Self::NoBarrier
                | Self::Weaker
                | Self::FlagFirst
        )
    }

    /// Whether it shows only where an interrupt comes while preemption is off. On `PREEMPT_RT` the
    /// timers here are all soft, as spinlocks sleep there, and so threads.
    pub(super) fn needs_interrupts(self) -> bool {
        matches!(self, Self::PreemptOnly)
    }
}
