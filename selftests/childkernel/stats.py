#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Looks at stats.json.

stats.py check FILE [EXPRESSION...]  the schema holds and the expressions are true
stats.py value FILE EXPRESSION       prints what the expression is
stats.py serve ASKED ANSWERS         does the first two for whoever writes to ASKED:
                                     a word that is nobody else's, how many words
                                     follow, and these, each ended by a NUL; the
                                     answer is that word, "true" or "wrong", and
                                     what there is to say, each ended by a NUL
stats.py watch FILE STOP             reads the file again and again until the file
                                     STOP is there, checks the schema each time, and
                                     prints what was seen

In expressions: children, locks (lists of dictionaries), ops (sum of all children),
child(name), lock(name), cpus (how many are online).
"""

import errno
import json
import os
import sys

CHILD = {
    "id": int, "name": str, "owner": str, "state": str, "workload": str,
    "cpu": (int, type(None)), "ops": int, "violations": int,
    "generation": int, "threads": int, "error": int,
    "transitions": int, "in_state_ns": int, "end": str, "restarts": int,
    "crashes": int, "heartbeat_ms": int, "silence_ns": int,
    "memory": dict, "mailbox": dict,
}
MEMORY = {key: int for key in ("quota", "current", "peak", "failures", "fragmentation")}
MAILBOX = {key: int for key in ("depth", "len", "full", "empty", "wakes")}
LOCK = {
    "name": str, "kind": str, "acquisitions": int, "contended": int,
    "wait_ns": dict, "hold_ns": dict, "sites": list,
}
TIMES = {"count": int, "p50": int, "p99": int, "max": int}
SITE = {"at": str, "contended": int}
TOP = {"schema": int, "kernel": str, "children": list, "locks": list}
STATES = ("spawning", "running", "stopping", "stopped", "crashed", "backoff", "failed",
          "stuck", "quarantined")
ENDS = ("returned", "failed", "crashed", "stuck")


class Wrong(Exception):
    """What does not hold."""


def ensure(true, what):
    if not true:
        raise Wrong(what)


def keys(thing, wanted, where):
    """Exactly these keys, with values of these types, and no number below zero."""
    ensure(isinstance(thing, dict), f"{where} is no object")
    ensure(set(thing) == set(wanted), f"{where} has the keys {sorted(thing)}")
    for key, kind in wanted.items():
        value = thing[key]
        ensure(isinstance(value, kind) and not isinstance(value, bool),
               f"{where}.{key} is {value!r}")
        ensure(not isinstance(value, int) or value >= 0 or key == "error",
               f"{where}.{key} is {value}")


def once(pairs):
    """An object whose keys are there once each."""
    ensure(len({key for key, _ in pairs}) == len(pairs), f"a key twice: {pairs}")
    return dict(pairs)


def parse(text):
    """The statistics, if they are what the schema says."""
    def constant(name):
        raise Wrong(f"{name} is no JSON")
    try:
        stats = json.loads(text, object_pairs_hook=once, parse_constant=constant)
    except ValueError as error:
        raise Wrong(f"no JSON: {error}: {text[:200]!r}") from error
    keys(stats, TOP, "top")
    ensure(stats["schema"] == 1, f"schema is {stats['schema']}")
    ensure(stats["kernel"] == os.uname().release, f"kernel is {stats['kernel']}")
    for child in stats["children"]:
        where = f"child {child.get('name')}"
        keys(child, CHILD, where)
        ensure(child["state"] in STATES, f"{where}: state {child['state']}")
        ensure(child["end"] in ENDS, f"{where}: end {child['end']}")
        ensure((child["error"] != 0) == (child["end"] == "failed"), f"{where}: {child}")
        keys(child["memory"], MEMORY, f"{where}.memory")
        keys(child["mailbox"], MAILBOX, f"{where}.mailbox")
        ensure(child["mailbox"]["len"] <= child["mailbox"]["depth"], f"{where}: {child}")
        ensure(child["name"] and child["owner"], f"{where}: no name or no owner")
        ensure(child["id"] > 0 and child["threads"] > 0, f"{where}: {child}")
        ensure(-4095 <= child["error"] <= 0, f"{where}: error {child['error']}")
    ids = [child["id"] for child in stats["children"]]
    ensure(ids == sorted(set(ids)), f"ids {ids}")
    for lock in stats["locks"]:
        where = f"lock {lock.get('name')}"
        keys(lock, LOCK, where)
        for times in ("wait_ns", "hold_ns"):
            keys(lock[times], TIMES, f"{where}.{times}")
            p50, p99, most = (lock[times][k] for k in ("p50", "p99", "max"))
            ensure(p50 <= p99 <= most, f"{where}.{times}: {lock[times]}")
        for site in lock["sites"]:
            keys(site, SITE, f"{where}: site")
            ensure(site["contended"] > 0, f"{where}: {site}")
            path, _, line = site["at"].rpartition(":")
            ensure(site["at"] == "other" or (path.endswith(".rs") and line.isdigit()),
                   f"{where}: site {site['at']}")
    return stats


def named(things, name):
    """The one with this name."""
    found = [thing for thing in things if thing["name"] == name]
    ensure(len(found) == 1, f"{len(found)} are called {name}")
    return found[0]


def names(stats):
    """What expressions know."""
    return {
        **stats,
        "ops": sum(child["ops"] for child in stats["children"]),
        "child": lambda name: named(stats["children"], name),
        "lock": lambda name: named(stats["locks"], name),
        "cpus": len(os.sched_getaffinity(0)),
    }


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def check(path, *expressions):
    """Prints which expressions are not true, and what is there instead."""
    stats = parse(read(path))
    wrong = [e for e in expressions if not eval(f"({e})", names(stats))]  # pylint: disable=eval-used
    ensure(not wrong, "; ".join(f"not so: {e}" for e in wrong) + f"; it is {json.dumps(stats)}")


def value(path, expression):
    return eval(f"({expression})", names(parse(read(path))))  # pylint: disable=eval-used


def words(file):
    """What was asked, until nobody asks any more."""
    def word():
        text = bytearray()
        while (byte := file.read(1)) not in (b"", b"\0"):
            text += byte
        return text.decode()
    while asker := word():
        yield asker, [word() for _ in range(int(word()))]


def serve(asked, answers):
    with open(asked, "rb") as file, open(answers, "w", encoding="utf-8") as out:
        for asker, (command, *args) in words(file):
            try:
                said, true = {"check": check, "value": value}[command](*args), "true"
            except Wrong as wrong:
                said, true = wrong, "wrong"
            except Exception as error:  # pylint: disable=broad-exception-caught
                said, true = repr(error), "wrong"
            out.write(f"{asker}\0{true}\0{said}\0")
            out.flush()


def watch(path, stop):
    """Reads until told to stop, and says at once which locks it has seen. The file may be
    missing while the module is."""
    reads = missing = 0
    owners, lock_names = set(), set()
    while not os.path.exists(stop):
        try:
            stats = parse(read(path))
        except OSError as error:
            # Not there, or just about to go.
            ensure(error.errno in (errno.ENOENT, errno.ENXIO), str(error))
            missing += 1
            continue
        reads += 1
        owners.update(child["owner"] for child in stats["children"])
        for lock in {lock["name"] for lock in stats["locks"]} - lock_names:
            print(f"saw {lock}", flush=True)
            lock_names.add(lock)
    print(f"reads={reads} missing={missing} owners={','.join(sorted(owners))} "
          f"locks={','.join(sorted(lock_names))}")


def main(argv):
    command, args = argv[1], argv[2:]
    try:
        if command == "check":
            check(*args)
        elif command == "value":
            print(value(*args))
        elif command == "serve":
            serve(*args)
        elif command == "watch":
            watch(*args)
        else:
            sys.exit(__doc__)
    except Wrong as wrong:
        sys.exit(str(wrong))


if __name__ == "__main__":
    main(sys.argv)
