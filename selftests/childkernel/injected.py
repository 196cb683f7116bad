#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Has one allocation after another fail.

injected.py DEBUGFS MODULE CHILD_TEST NAP paths|threads SEED ROUNDS

paths: of each thing that can be asked for, the first allocation fails, then the second, until none
is left that could. The task that asks does so itself, through its fail-nth. Each failure is ENOMEM,
and then all is as it was before; or nobody needed that memory (debugfs shows less then), and it is
as if nothing had failed.

threads: while children come and go, one in so many allocations fails in the kernel's thread that
makes threads, and in all that it has made.
"""

import errno
import os
import random
import sys
import time

# Isolated from all else, python does not look beside the script.
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
# pylint: disable=wrong-import-position
import machine  # noqa: E402
from control_model import PAIRS, Control, Wrong, code, ensure, eventually  # noqa: E402

ATTRIBUTES = ("failslab", "fail_page_alloc")
# So many points a path has at the most.
MOST = 5000
# What makes threads has this PID.
KTHREADD = 2
OUT_OF_MEMORY = (b'{"error":"out of memory"}\n', b"out of memory\n")
REGIONS = ("region_size", "region_read_only", "region_read_write", "region_two_lends")


def configure(**values):
    """Says the same to both: slabs and pages."""
    for attribute in ATTRIBUTES:
        for name, value in values.items():
            path = f"/sys/kernel/debug/{attribute}/{name.replace('_', '-')}"
            if os.path.exists(path):
                with open(path, "w", encoding="ascii") as file:
                    file.write(str(value))


class Failing:
    """Whether, and which, allocation of this task fails."""

    def __init__(self):
        self.fd = os.open("/proc/thread-self/fail-nth", os.O_RDWR)

    def during(self, nth, act):
        """What ACT says while the NTH allocation fails, and whether there was one."""
        os.pwrite(self.fd, b"%d" % nth, 0)
        try:
            said = act()
        finally:
            left = int(os.pread(self.fd, 20, 0))
            os.pwrite(self.fd, b"0", 0)
        return said, left == 0


class Path:
    """Something that can be asked for: how, how it is undone, and what errors it may have."""

    def __init__(self, name, act, undo=None, may=(errno.ENOMEM,)):
        self.name, self.act, self.undo, self.may = name, act, undo or (lambda: None), may


class Machine:
    """The library, its file, and what there is of it."""

    def __init__(self, debugfs, module, child_test, nap):
        self.debugfs, self.nap = debugfs, nap
        self.module = os.open(module, os.O_RDONLY)
        self.child_test = os.open(child_test, os.O_RDONLY)
        self.control = self.fd = None

    # Each of these returns the errno.

    def load(self, parameters=b""):
        return machine.call(0, self.module, parameters, 0)

    def load_child_test(self):
        return machine.call(0, self.child_test, b"", 0)

    def write(self, line, fd=None):
        try:
            os.write(fd or self.fd, line)
            return 0
        except OSError as error:
            return error.errno

    def read(self, *names):
        """All of these files, each opened anew."""
        for name in names:
            try:
                fd = os.open(f"{self.debugfs}/{name}", os.O_RDONLY)
            except OSError as error:
                return error.errno
            try:
                text = b""
                while piece := os.read(fd, 1 << 16):
                    text += piece
            except OSError as error:
                return error.errno
            finally:
                os.close(fd)
            if text in OUT_OF_MEMORY:
                return errno.ENOMEM
            # Of a child that has never ended there is no history.
            ensure(text.endswith(b"\n") or name.endswith("/history"), f"{name}: {text[-100:]}")
        return 0

    def must(self, line):
        got = self.write(line)
        ensure(got == 0, f"{line}: {code(got)}")

    # --- what there is ---

    def come(self):
        ensure(self.load() == 0, "insmod childkernel fails")
        ensure(self.load_child_test() == 0, "insmod child_test fails")
        self.begin()

    def begin(self):
        self.control = Control(self.debugfs)
        self.control.learn()
        self.fd = os.open(f"{self.debugfs}/control", os.O_WRONLY)

    def go(self):
        if self.fd is not None:
            os.close(self.fd)
            os.close(self.control.log.fd)
            self.fd = None
        for name in ("child_test", "childkernel"):
            if machine.is_loaded(name):
                got = machine.remove(name)
                ensure(got == 0, f"rmmod {name}: {code(got)}")

    def remove_all(self):
        for number in self.control.shown():
            got = self.write(b"remove %d" % number)
            ensure(got == 0, f"remove {number}: {code(got)}")

    def state(self):
        """What all can see."""
        if not machine.is_loaded("childkernel"):
            ensure(not os.path.exists(self.debugfs), "files without a module")
            return ()
        # Without the generation: who was restarted is another one.
        children = sorted(child[:5] + child[6:] for child in self.control.shown().values()) \
            if self.control else ()
        return (machine.is_loaded("child_test"), children,
                sorted(os.listdir(f"{self.debugfs}/children")),
                sorted(os.listdir(f"{self.debugfs}/locks")))


def try_path(there, failing, path):
    """Each of its allocations. Returns how many there were, and what came of them."""
    before = there.state()
    results = {}
    for nth in range(1, MOST):
        got, failed = failing.during(nth, path.act)
        if not failed:
            ensure(got == 0, f"{path.name}: {code(got)}, and nothing has failed")
            path.undo()
            ensure(there.state() == before, f"{path.name}: not undone: {there.state()}")
            return nth - 1, results
        results[got] = results.get(got, 0) + 1
        ensure(got == 0 or got in path.may, f"{path.name}: {code(got)} of allocation {nth}")
        if got == 0:
            path.undo()
        # A child that was taken back is gone in a moment.
        so = eventually(lambda: there.state() == before)
        ensure(so, f"{path.name}: after {code(got)} of allocation {nth} there is {there.state()}, "
                   f"not {before}")
    raise Wrong(f"{path.name}: has no end")


def loading(there):
    """What is asked for when there is nothing yet."""
    def gone():
        there.go()
    yield Path("load", lambda: there.load(
        b"workload=record children=2 cpus=0 stats=times stat_interval=9"), gone)


def asking(there):
    """What is asked for of a library that is there."""
    def write(line):
        return lambda: there.write(line)

    def spawn(name, line):
        return Path(f"spawn, {name}", write(b"spawn x " + line), there.remove_all)

    yield spawn("an entry point", b"entry=idle threads=2 cpus=0-1 memory=64k nice=1")
    yield spawn("one with a mailbox", b"entry=echo depth=64")
    yield spawn("a load", b"workload=table primitive=mutex threads=2 restart=on-error backoff=1")
    there.must(b"spawn e entry=echo")
    there.must(b"spawn i entry=silent threads=2")
    echo, idle = sorted(there.control.shown())
    yield Path("send", write(b"send %d some text" % echo))

    def restarted():
        there.must(b"stop %d" % idle)
    there.must(b"stop %d" % idle)
    yield Path("restart", write(b"restart %d" % idle), restarted)
    yield Path("stop", write(b"stop %d" % idle))
    yield Path("crash", write(b"crash %d none" % idle))
    yield Path("stats", write(b"stats times"))
    yield Path("reset-stats", write(b"reset-stats"))
    yield Path("a line that is refused", lambda: {errno.EINVAL: 0, 0: errno.EIO}.get(
        there.write(b"spawn x entry=idle colour=red"), errno.ENOMEM))
    yield Path("stats.json", lambda: there.read("stats.json"))
    yield Path("summary", lambda: there.read("summary"))
    yield Path("a child's files", lambda: there.read(
        *(f"children/{echo}/{name}" for name in ("name", "memory", "history", "cpus"))))


def regions(there):
    """Cases that lend pages, in the task that asks."""
    fd = os.open(f"{there.debugfs}_child_test/run", os.O_WRONLY)
    for case in REGIONS:
        line = case.encode()
        yield Path(case, lambda line=line: there.write(line, fd))
    os.close(fd)


def do_paths(there, _):
    failing = Failing()
    configure(probability=0, times=-1, verbose=0, ignore_gfp_wait="N", min_order=0, task_filter="N",
              cache_filter="N")
    total = 0

    def all_of(paths):
        nonlocal total
        for path in paths:
            points, results = try_path(there, failing, path)
            total += points
            words = ", ".join(f"{n} {code(got) if got else 'not needed'}"
                              for got, n in sorted(results.items(), reverse=True))
            print(f"{path.name}: {points} points{': ' + words if words else ''}", flush=True)
    there.come()
    before = machine.objects()
    all_of(asking(there))
    there.remove_all()
    all_of(regions(there))
    # What was sent is kept until then.
    with open(f"{there.debugfs}_child_test/entries", "w", encoding="ascii") as file:
        file.write("clear")
    more = {}

    def flat():
        nonlocal more
        more = machine.grown(before, machine.objects())
        return not more
    ensure(eventually(flat), f"objects that were not there before: {more}")
    there.go()
    # Last, as it takes longest.
    all_of(loading(there))
    print(f"{total} points in all")


def do_threads(there, seed, rounds):
    r = random.Random(seed)
    there.come()
    results = {"spawned": 0, "ended with ENOMEM": 0, "not spawned": 0}
    configure(verbose=0, ignore_gfp_wait="N", min_order=0, task_filter="Y", times=-1, interval=1)
    set_fails(KTHREADD, True)
    try:
        for n in range(rounds):
            configure(probability=r.choice((0, 1, 5, 20)))
            one_round(there, r, n, results)
    finally:
        configure(probability=0)
        set_fails(KTHREADD, False)
    there.go()
    ensure(all(results.values()), f"only {results}")
    print(f"{rounds} rounds: " + ", ".join(f"{n} {what}" for what, n in results.items()))


def set_fails(pid, fails):
    with open(f"/proc/{pid}/make-it-fail", "w", encoding="ascii") as file:
        file.write(str(int(fails)))


def one_round(there, r, n, results):
    load = r.choice(sorted(there.control.loads))
    primitive = r.choice(there.control.loads[load])
    threads = 1 if load == "memory" else r.choice((2, 4) if load in PAIRS else (2, 3))
    got = there.write(f"spawn t{n} workload={load} primitive={primitive} threads={threads} "
                      "memory=64k".encode())
    if got != 0:
        ensure(got in (errno.ENOMEM, errno.EAGAIN), f"spawn {load}/{primitive}: {code(got)}")
        ensure(not there.control.shown(), f"{load}/{primitive}: there is {there.control.shown()}")
        results["not spawned"] += 1
        return
    results["spawned"] += 1
    configure(probability=r.choice((5, 50, 100)))
    time.sleep(r.random() * 0.05)
    configure(probability=0)
    number = next(iter(there.control.shown()))
    ensure(there.write(b"stop %d" % number) == 0, "stop fails")
    child = there.control.child(number)
    ensure(child["error"] in (0, -errno.ENOMEM) and child["violations"] == 0 and child["crashes"] == 0,
           f"{child}")
    results["ended with ENOMEM"] += child["error"] != 0
    there.remove_all()


def main(argv):
    debugfs, module, child_test, nap, what, seed, rounds = argv[1:]
    there = Machine(debugfs, module, child_test, nap)
    try:
        if what == "paths":
            do_paths(there, seed)
        else:
            do_threads(there, seed, int(rounds))
    except (Wrong, OSError) as wrong:
        configure(probability=0)
        sys.exit(f"{type(wrong).__name__}: {str(wrong)[:2000]}")


if __name__ == "__main__":
    main(sys.argv)
