# SPDX-License-Identifier: GPL-2.0
"""What is known of each primitive without measuring: where it may be used, and why it is taken.

The words are those of the tables in src/sync.rs; the names are those of the
parameter `primitive`.
"""

CONTEXTS = ("process", "softirq", "hardirq")


class Primitive:
    """What may be done with one."""

    def __init__(self, type_, contexts, sleeps, why, limit=None, plain=False):
        self.type = type_
        # Where data may be shared with, beside process context.
        self.contexts = contexts
        # Whether the code inside may sleep.
        self.sleeps = sleeps
        self.why = why
        # At most so many bytes of data.
        self.limit = limit
        # Whether its readers copy plain data.
        self.plain = plain

    def refused(self, context, sleep, size):
        """Why it may not guard such data; None if it may."""
        if context not in self.contexts:
            if not self.contexts:
                return "guards data of one CPU only"
            if self.sleeps:
                return f"its waiters sleep, so none may wait in {context}"
            return f"a {context} would wait for the thread that it interrupted: " \
                   f"take {self.strongest(context)}"
        if sleep and not self.sleeps:
            return "the code inside must not sleep"
        if self.limit is not None and size > self.limit:
            return f"at most {self.limit} bytes"
        return None

    def strongest(self, context):
        """The variant of the same family, or what is nearest to it, that may be used there."""
        base = self.type.removesuffix("Bh").removesuffix("Irq")
        base = {"SeqCount": "SeqLock", "BitArray": "SpinLock"}.get(base, base)
        return base + ("Irq" if context == "hardirq" or base in NO_BH else "Bh")


NO_BH = {"RawSpinLock", "ResilientSpinLock"}
PROCESS = ("process",)
SOFT = ("process", "softirq")
ANY = CONTEXTS

SPIN = "lowest overhead; waiting costs a CPU"
SEQ = "readers never block a writer, they retry"
INSIDE = "readers are inside together"
PRIMITIVES = {
    "spinlock": Primitive("SpinLock", PROCESS, False, SPIN),
    "spinlock_bh": Primitive("SpinLockBh", SOFT, False, SPIN + "; softirqs wait as well"),
    "spinlock_irq": Primitive("SpinLockIrq", ANY, False, SPIN + "; interrupts wait as well"),
    "raw_spinlock": Primitive("RawSpinLock", PROCESS, False, SPIN + ", on PREEMPT_RT too"),
    "raw_spinlock_irq": Primitive("RawSpinLockIrq", ANY, False, SPIN + ", on PREEMPT_RT too"),
    "resilient": Primitive("ResilientSpinLock", PROCESS, False,
                           "gives up with an error where a holder never lets go"),
    "resilient_irq": Primitive("ResilientSpinLockIrq", ANY, False,
                               "gives up with an error where a holder never lets go"),
    "rwlock": Primitive("RwLock", PROCESS, False, INSIDE + ", and spin"),
    "rwlock_bh": Primitive("RwLockBh", SOFT, False, INSIDE + ", and spin"),
    "rwlock_irq": Primitive("RwLockIrq", ANY, False, INSIDE + ", and spin"),
    "mutex": Primitive("Mutex", PROCESS, True, "waiters sleep; one is inside at a time"),
    "semaphore": Primitive("Semaphore", PROCESS, True, "counts; anybody may give back"),
    "rwsem": Primitive("RwSemaphore", PROCESS, True, INSIDE + ", and may sleep"),
    "percpu_rwsem": Primitive("PerCpuRwSemaphore", PROCESS, True,
                              "readers touch their own CPU only; a writer waits long"),
    "seqlock": Primitive("SeqLock", PROCESS, False, SEQ, plain=True),
    "seqlock_bh": Primitive("SeqLockBh", SOFT, False, SEQ, plain=True),
    "seqlock_irq": Primitive("SeqLockIrq", ANY, False, SEQ, plain=True),
    "seqcount": Primitive("SeqCount", PROCESS, False, SEQ + "; the lock is yours", plain=True),
    "seqcount_mutex": Primitive("SeqCount", PROCESS, False, SEQ + "; writers sleep", plain=True),
    "rculist": Primitive("RcuList", ANY, False, "lookups wait for nobody; a writer copies"),
    "rculist_mutex": Primitive("RcuList", ANY, False, "lookups wait for nobody; a writer copies"),
    "rcu": Primitive("Rcu", ANY, False, "readers wait for nobody; a writer replaces the whole"),
    "srcu": Primitive("Srcu", ANY, True, "readers wait for nobody and may sleep"),
    "atomic": Primitive("atomic", ANY, False, "no lock at all", limit=8),
    "bitlock": Primitive("BitArray", PROCESS, False, "one bit is the lock; not fair"),
    "percpu": Primitive("PerCpu", (), False, "no other CPU has to be kept out"),
    "local_lock": Primitive("LocalLock", (), False, "no other CPU has to be kept out"),
}

# Names that a measurement may use for a part or a variant of one.
ALIASES = {
    "spin": "spinlock", "irqsave": "spinlock_irq", "spinlock_irqsave": "spinlock_irq",
    "raw": "raw_spinlock", "rqspinlock": "resilient", "resilient_spinlock": "resilient",
    "read_lock": "rwlock", "write_lock": "rwlock", "down_read": "rwsem", "down_write": "rwsem",
    "rw_semaphore": "rwsem", "percpu_rw_semaphore": "percpu_rwsem",
    "percpu_semaphore": "percpu_rwsem", "sem": "semaphore",
    "rcu_list": "rculist", "rcu_pointer": "rcu", "atomic_inc": "atomic",
    "percpu_counter": "percpu", "percpu_counters": "percpu",
    "bits": "bitlock", "bit_array": "bitlock",
}


def base(name):
    """The primitive that a measurement's name is about; None if it is about none.

    "rwlock_irq_read" is about rwlock_irq: the longest that it begins with counts.
    """
    words = sorted([*PRIMITIVES, *ALIASES], key=len, reverse=True)
    for word in words:
        if name == word or name.startswith((word + "_", word + " ", word + "/")):
            return ALIASES.get(word, word)
    return None


def of_type(type_):
    """The names of the primitives of a type of src/sync.rs."""
    return [name for name, p in PRIMITIVES.items() if p.type == type_]
