#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Interrupts loads at random moments.

interrupted.py DEBUGFS SEED ROUNDS MODULE CHILD_TEST NAP [crash]

Each round begins some loads, in children that are spawned by the file control or by the module's
parameters, and after a moment interrupts them: by an error, a stop, a restart, a removal, by CPUs
that go offline and come back, or by unloading what they belong to. Then each child is as it has to
be, and what it says of its load in the log is that nothing was wrong.

With "crash" they are ended by oopses, which harm the kernel, by threads that are called crash.

NAP is a file that is there while modules are unloaded: who has files of them open should close
them now and then.
"""

import errno
import os
import random
import re
import sys
import time

# Isolated from all else, python does not look beside the script.
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
# pylint: disable=wrong-import-position
import machine  # noqa: E402
from control_model import PAIRS, Control, Wrong, code, ensure, eventually  # noqa: E402

# What ends a load, and how many of a hundred rounds.
KINDS = {"error": 28, "stop": 28, "remove": 18, "restart": 18, "together": 2, "offline": 2,
         "unload_file": 2, "unload_parameters": 2}
# The longest moment before that, in seconds.
MOMENT = 0.03
BAD_END = re.compile(r": end: .*: FAILURE$|: end: .*, [1-9]\d* violations")


class Rounds:
    """The machine, and what the rounds need of it."""

    def __init__(self, debugfs, seed, module, child_test, nap):
        self.debugfs, self.nap = debugfs, nap
        self.files = {"childkernel": module, "child_test": child_test}
        self.cpus = machine.other_cpus()
        self.control = None
        self.begin_again(seed)
        self.come()

    def begin_again(self, seed):
        self.r = random.Random(seed)
        self.did = dict.fromkeys((*KINDS, "crash"), 0)
        self.spawned = self.loaded = 0

    # --- modules ---

    def insert(self, name, parameters=b""):
        got = machine.insert(self.files[name], parameters)
        ensure(got == 0, f"insmod {name} {parameters}: {code(got)}")
        self.loaded += 1

    def come(self):
        self.insert("childkernel")
        self.insert("child_test")
        self.control = Control(self.debugfs)
        self.control.learn()

    def go(self, *names):
        with open(self.nap, "w", encoding="ascii"):
            pass
        try:
            for name in names:
                got = machine.remove(name)
                ensure(got == 0, f"rmmod {name}: {code(got)}")
        finally:
            os.unlink(self.nap)
        os.close(self.control.log.fd)

    # --- children ---

    def some_load(self):
        load = self.r.choice(sorted(self.control.loads))
        threads = {"memory": 1}.get(load) or self.r.choice((2, 4) if load in PAIRS else (2, 3))
        return load, self.r.choice(self.control.loads[load]), threads

    def moment(self):
        # At once, too.
        time.sleep(self.r.choice((0, self.r.random() * MOMENT)))

    def spawn(self, extra="", name=None):
        """A child at a load. Returns its ID."""
        load, primitive, threads = self.some_load()
        name = name or f"r{self.spawned}"
        self.spawned += 1
        self.must(f"spawn {name} workload={load} primitive={primitive} threads={threads} "
                  f"memory=64k{extra}")
        found = [child["id"] for child in self.control.children() if child["name"] == name]
        ensure(len(found) == 1, f"{len(found)} are called {name}")
        return found[0]

    def must(self, line):
        got = self.control.write(line)
        ensure(got == 0, f"{line}: {code(got)}")

    def is_so(self, number, state, error=0, violations=0):
        """It is, or comes to be."""
        def so():
            child = self.control.child(number)
            return (child["state"], child["error"]) == (state, error)
        ensure(eventually(so), f"not {state}, {error}: {self.control.child(number)}")
        child = self.control.child(number)
        # Who dies leaves others waiting in vain.
        ensure(violations is None or child["violations"] == violations, f"violations: {child}")

    def works(self, number):
        done = self.control.child(number)["ops"]
        ensure(eventually(lambda: self.control.child(number)["ops"] > done),
               f"does nothing: {self.control.child(number)}")

    def gone(self, number):
        self.must(f"remove {number}")
        ensure(self.control.child(number) is None, f"{number} is still there")

    # --- rounds ---

    def error(self):
        number = self.spawn()
        self.moment()
        self.must(f"crash {number} error")
        self.is_so(number, "stopped", -errno.EIO)
        if self.r.random() < 0.3:
            self.must(f"restart {number}")
            self.is_so(number, "running")
        self.gone(number)

    def stop(self):
        number = self.spawn()
        self.moment()
        self.must(f"stop {number}")
        self.is_so(number, "stopped")
        self.gone(number)

    def remove(self):
        number = self.spawn()
        self.moment()
        self.gone(number)

    def restart(self):
        number = self.spawn()
        for _ in range(self.r.randint(1, 3)):
            self.moment()
            self.must(f"restart {number}")
            self.is_so(number, "running")
        self.gone(number)

    def together(self):
        """Several, by several at once."""
        numbers = [self.spawn() for _ in range(4)]
        self.moment()
        pids = []
        for number in numbers:
            line = self.r.choice((f"stop {number}", f"restart {number}", f"crash {number} error"))
            pids.append(os.fork())
            if pids[-1] == 0:
                os._exit(self.control.write(line))
        ends = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        ensure(not any(ends), f"errors {ends}")
        for number in numbers:
            self.gone(number)

    def offline(self):
        """Their CPU goes, and comes back; or they come when it has gone."""
        if not self.cpus:
            return
        cpu = self.r.choice(self.cpus)
        numbers = [self.spawn(f" cpus={cpu}"), self.spawn(f" cpus=0,{cpu}"), self.spawn()]
        self.moment()
        machine.set_online(cpu, False)
        try:
            for number in numbers:
                self.works(number)
            numbers.append(self.spawn())
            self.must(f"restart {numbers[0]}")
            self.works(numbers[0])
            self.gone(numbers.pop(self.r.randrange(3)))
        finally:
            machine.set_online(cpu, True)
        self.moment()
        for number in numbers:
            self.is_so(number, "running")
            self.gone(number)

    def unload_file(self):
        """Children of the file control, and such as belong to another module."""
        for _ in range(self.r.randint(1, 3)):
            self.spawn()
        for entry in self.r.sample(("idle", "echo", "fails", "ends", "silent"), 2):
            self.must(f"spawn {entry} entry={entry} threads={self.r.randint(1, 3)}")
        self.moment()
        self.go("child_test", "childkernel")
        self.come()

    def unload_parameters(self):
        """Loads that the module runs by itself."""
        self.go("child_test", "childkernel")
        load, primitive, children = self.some_load()
        self.insert("childkernel", f"workload={load} primitive={primitive} "
                                   f"children={children}".encode())
        self.control = Control(self.debugfs)
        self.moment()
        self.go("childkernel")
        self.come()

    def crash(self):
        """One dies beside another, and can be started again."""
        number, other = self.spawn(name="crash"), self.spawn()
        self.moment()
        self.must(f"crash {number} {self.r.choice(('panic', 'bug', 'null'))}")

        def so():
            child = self.control.child(number)
            return child["crashes"] == 1 and child["end"] == "crashed"
        ensure(eventually(so), f"has not crashed: {self.control.child(number)}")
        self.works(other)
        if self.r.random() < 0.5:
            self.must(f"restart {number}")
            self.is_so(number, "running", violations=None)
        self.gone(number)
        self.gone(other)

    def run(self, rounds):
        kinds = [kind for kind, share in KINDS.items() for _ in range(max(1, rounds * share // 100))]
        kinds += ["stop"] * (rounds - len(kinds))
        self.r.shuffle(kinds)
        self.run_all(kinds[:rounds])

    def run_all(self, kinds):
        for n, kind in enumerate(kinds):
            try:
                getattr(self, kind)()
            except (Wrong, OSError) as wrong:
                raise Wrong(f"round {n} ({kind}): {wrong}") from wrong
            self.did[kind] += 1
            self.look()

    def look(self):
        """What was said of the loads."""
        bad = [line for line in self.control.log.look() if BAD_END.search(line)]
        ensure(not bad or self.did["crash"], f"the log: {bad}")


def settled(before, frame=machine.OURS):
    """What there is more of than before, when nothing is on its way to be freed any more."""
    more = {}

    def flat():
        nonlocal more
        more = machine.grown(before, machine.objects(frame))
        return not more
    eventually(flat)
    return more


def interrupted(first, seed, rounds, nameless):
    """Rounds of each kind. What children own is all given back."""
    # What the first of each kind have the kernel keep for the next time.
    first.run(len(KINDS))
    before = machine.objects()
    first.begin_again(seed)
    first.run(rounds)
    more = settled(before)
    ensure(not more, f"objects that were not there before: {more}")
    first.go("child_test", "childkernel")
    more = settled(nameless, machine.NAMELESS)
    ensure(not more, f"objects that modules have left: {more}")
    return f"{sum(before.values())} objects of ours before and after" if before else "objects not counted"


def crashed(first, seed, rounds, _):
    first.begin_again(seed)
    first.run_all(["crash"] * rounds)
    first.go("child_test", "childkernel")
    return "as many oopses"


def main(argv):
    debugfs, seed, rounds, module, child_test, nap, *crash = argv[1:]
    rounds = int(rounds)
    began = time.monotonic()
    try:
        nameless = machine.objects(machine.NAMELESS)
        all_of_them = Rounds(debugfs, f"{seed}/first", module, child_test, nap)
        run = crashed if crash else interrupted
        objects = run(all_of_them, seed, rounds, nameless)
    except (Wrong, OSError) as wrong:
        sys.exit(f"{type(wrong).__name__}: {str(wrong)[:2000]}")
    kinds = " ".join(f"{kind}={n}" for kind, n in all_of_them.did.items() if n)
    print(f"{rounds} rounds in {time.monotonic() - began:.0f} s: {kinds}; {all_of_them.spawned} children, "
          f"{all_of_them.loaded} module loads; {objects}")


if __name__ == "__main__":
    main(sys.argv)
