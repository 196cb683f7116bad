#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Loads the module with parameters that somebody might give, and with some that nobody would.

parameters_fuzz.py DEBUGFS SEED COUNT MODULE NAP

Each is taken, and the children that were asked for are there, or is refused with EINVAL, and
nothing of it is there. NAP is a file that is there while the module is unloaded. Prints how many
were taken.
"""

import errno
import json
import os
import random
import re
import sys
import time

# Isolated from all else, python does not look beside the script.
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
# pylint: disable=wrong-import-position
import machine  # noqa: E402
from control_model import PAIRS, Log, Wrong, code, ensure  # noqa: E402

# The lowest and the highest of each number.
NUMBERS = {"children": (0, 256), "seconds": (0, 86_400), "hold_ns": (0, 1_000_000),
           "think_ns": (0, 1_000_000), "memory": (4096, 16 << 20), "stat_interval": (0, 86_400),
           "watchdog_ms": (10, 10_000), "oops_budget": (0, 10_000)}
LOADS = {"counter": ("spinlock", "mutex", "atomic", "seqlock"), "record": ("seqlock", "rcu"),
         "list": ("rculist",), "handshake": ("completion", "condvar"), "pipeline": ("mailbox",),
         "table": ("rwlock",), "memory": ("arena",), "requests": ("call",)}
# The longest string that the kernel keeps for a parameter; it says ENOSPC of more.
STRING = 1024
# What is valid is longest for primitives of all loads.
LINE = 700


def number(r, name):
    """A value, and whether it is valid."""
    low, high = NUMBERS[name]
    kind = r.random()
    if kind < 0.5:
        # Not so many children that a machine would take long for them.
        value = r.choice((low, low + 1, min(high, 4), r.randint(low, min(high, low + 8))))
        return str(value), True
    if kind < 0.8:
        value = r.choice((low - 1, high + 1, -(1 << 31), (1 << 63) - 1, -(1 << 63), 1 << 40))
        return str(value), low <= value <= high
    return r.choice(("", "x", "1.5", "--1", "1 1"[:2] + "z", "9" * 40, "\xe9", "1e3", "0xg")), False


def load(r):
    """Parameters of a load that is valid."""
    name = r.choice(sorted(LOADS))
    children = r.choice((2, 4)) if name in PAIRS or name == "pipeline" else r.choice((1, 2, 3))
    words = {"workload": name, "children": str(children)}
    if r.random() < 0.7:
        words["primitive"] = r.choice(LOADS[name])
    if r.random() < 0.3:
        words["cpus"] = "0"
    if r.random() < 0.3:
        words["stats"] = r.choice(("off", "contended", "times"))
    for key in r.sample(("seconds", "hold_ns", "think_ns", "stat_interval"), r.randint(0, 2)):
        words[key] = str(r.choice((0, 1, 100)))
    if name == "table" and r.random() < 0.5:
        words["granularity"] = r.choice(("coarse", "fine"))
    return words


def strange(r):
    """What a string should not be."""
    return r.choice((
        "".join(chr(r.randrange(0x21, 0x7f)) for _ in range(r.randint(1, 40))).replace('"', "'"),
        "x" * r.choice((STRING - 1, STRING, 5000)), "\xff\xfe", "ma\u00efs\u6f22\u5b57", ",", "%s%n%p",
        "counter,", ",counter", "COUNTER", "al", "all,all", "0-", "-", "1-0", "0-9999999999"))


def some(r):
    """Parameters by name, and whether they are valid; None: nobody says so here."""
    kind = r.random()
    if kind < 0.35:
        return load(r), True
    if kind < 0.65:
        words, valid = {}, True
        for key in r.sample(sorted(NUMBERS), r.randint(1, 3)):
            words[key], so = number(r, key)
            valid = valid and so
        return words, valid
    if kind < 0.9:
        words = load(r)
        words[r.choice(("workload", "primitive", "cpus", "stats", "granularity", "twin"))] = strange(r)
        return words, False
    # Bytes: the kernel takes them apart before the module does.
    return r.randbytes(r.randint(1, 200)).replace(b"\0", b" "), None


def text_of(words):
    if isinstance(words, bytes):
        return words
    return " ".join(f"{key}={value}" for key, value in words.items()).encode("latin-1", "replace")


def taken(debugfs, words):
    """It is there, with those children."""
    with open(f"{debugfs}/stats.json", encoding="utf-8") as file:
        children = json.load(file)["children"]
    if isinstance(words, dict):
        wanted = int(words["children"]) if "workload" in words else 0
        wanted += words.get("stat_interval", "0") != "0" and "workload" in words
        ensure(len(children) == wanted, f"{words}: {len(children)} children")
    ensure(all(child["violations"] == 0 for child in children), f"violations: {children}")


def refused(debugfs, words, got, said):
    may = (errno.EINVAL,)
    if any(len(value) >= STRING for value in (words.values() if isinstance(words, dict) else ())):
        may += (errno.ENOSPC,)
    ensure(got in may, f"{words}: {code(got)}")
    ensure(not os.path.exists(debugfs) and not machine.is_loaded("childkernel"), f"{words}: it is there")
    ensure(said, f"{words}: nothing is said of it")


def run(debugfs, r, count, module, nap):
    log = Log()
    counts = {"taken": 0, "refused": 0}
    for _ in range(count):
        words, valid = some(r)
        log.look()
        got = machine.insert(module, text_of(words))
        said = [line for line in log.look() if not line.startswith("loading out-of-tree")]
        long = [line for line in said if len(line) > LINE and "too large" not in line]
        ensure(not long, f"a long line: {long}")
        if got == 0:
            ensure(valid is not False, f"taken: {words}")
            time.sleep(r.random() * 0.02)
            taken(debugfs, words)
            with open(nap, "w", encoding="ascii"):
                pass
            gone = machine.remove("childkernel")
            os.unlink(nap)
            ensure(gone == 0, f"{words}: rmmod: {code(gone)}")
            bad = [line for line in log.look() if re.search(r": end: .*: FAILURE$", line)]
            ensure(not bad, f"{words}: {bad}")
            counts["taken"] += 1
        else:
            ensure(valid is not True, f"{words}: {code(got)}: {said}")
            refused(debugfs, words, got, said)
            counts["refused"] += 1
    return counts


def main(argv):
    debugfs, seed, count, module, nap = argv[1:]
    count = int(count)
    try:
        counts = run(debugfs, random.Random(seed), count, module, nap)
        for name, n in counts.items():
            ensure(n > count / 10, f"only {n} were {name}")
    except (Wrong, OSError) as wrong:
        sys.exit(f"{type(wrong).__name__}: {re.sub('xxxx+', 'xx...', str(wrong))}")
    print(f"{count} times parameters: " + ", ".join(f"{n} {name}" for name, n in counts.items()))


if __name__ == "__main__":
    main(sys.argv)
