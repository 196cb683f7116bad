#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Looks at the directories children/ and locks/ in debugfs.

files.py check DIR     they are what stats.json in DIR says, and no more
files.py watch DIR STOP
                       reads all files again and again until the file STOP is there, checks
                       the form of each, and prints what was seen

No counter may change while check runs.
"""

import errno
import json
import os
import re
import sys

NUMBER = r"\d+\n"
WORDS = r"[^\n]+\n"
TIMES = r"count \d+\np50 \d+\np99 \d+\nmax \d+\n(\d+ \d+ [1-9]\d*\n)*"
ENDS = "(returned|failed|crashed|stuck)"
CHILD = {
    "name": WORDS, "owner": WORDS, "workload": r"[^\n]*\n", "generation": NUMBER,
    "state": r"(spawning|running|stopping|stopped|crashed|backoff|failed|stuck|quarantined)\n", "cpus": r"(any|\d+(,\d+)*)\n",
    "memory": r"quota \d+\ncurrent \d+\npeak \d+\nfailures \d+\nfragmentation \d+\n",
    "threads": NUMBER, "ops": NUMBER, "violations": NUMBER, "error": r"(0|-[1-9]\d*)\n",
    "in_state_ns": NUMBER, "end": ENDS + r"\n",
    "mailbox": r"depth \d+\nlen \d+\nfull \d+\nempty \d+\nwakes \d+\n",
    "restarts": r"restarts \d+\ncrashes \d+\n",
    "heartbeat": r"heartbeat_ms \d+\nsilence_ns \d+\n",
    "history": r"(generation \d+ at_ns \d+ lived_ns \d+ " + ENDS + r" -?\d+\n)*",
}
LOCK = {
    "name": WORDS, "kind": WORDS, "acquisitions": NUMBER, "contended": NUMBER,
    "wait_ns": TIMES, "hold_ns": TIMES, "sites": r"((\S+\.rs:\d+|other) [1-9]\d*\n)*",
}
# What whoever reads meets when they are just about to go: the file, a file that
# is open, the whole module.
GOING = (errno.ENOENT, errno.EIO, errno.ENXIO)


class Wrong(Exception):
    """What does not hold."""


def ensure(true, what):
    if not true:
        raise Wrong(what)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def read_all(path, forms):
    """The values of a directory, if each has its form."""
    values = {}
    for name, form in forms.items():
        text = read(f"{path}/{name}")
        ensure(re.fullmatch(form, text), f"{path}/{name}: {text!r}")
        values[name] = text
    return values


def times(text):
    """A histogram's numbers, of which the buckets are the sum."""
    lines = [line.split() for line in text.splitlines()]
    values = {word: int(number) for word, number in lines[:4]}
    buckets = [[int(number) for number in line] for line in lines[4:]]
    ensure(sum(n for _, _, n in buckets) == values["count"], f"sum of {text!r}")
    last = -1
    for lower, upper, _ in buckets:
        ensure(last < lower <= upper and upper in (0, 2 * lower - 1), f"buckets of {text!r}")
        last = upper
    if buckets:
        ensure(buckets[-1][0] <= values["max"] <= buckets[-1][1], f"longest of {text!r}")
    return values


def check_child(path, child):
    values = read_all(path, CHILD)
    for key in ("name", "owner", "workload", "state", "end"):
        ensure(values[key] == f"{child[key]}\n", f"{path}/{key}: {values[key]!r}")
    for key in ("generation", "threads", "ops", "violations", "error"):
        ensure(int(values[key]) == child[key], f"{path}/{key}: {values[key]!r}")
    ensure(int(values["in_state_ns"]) >= child["in_state_ns"], f"{path}/in_state_ns")
    cpu = values["cpus"].rstrip().split(",")[0]
    ensure(cpu == ("any" if child["cpu"] is None else str(child["cpu"])), f"{path}/cpus: {cpu}")
    names = set(os.listdir(path))
    ensure(names == set(CHILD), f"{path}: {names}")


def check_lock(path, lock):
    values = read_all(path, LOCK)
    for key in ("name", "kind", "acquisitions", "contended"):
        ensure(values[key] == f"{lock[key]}\n", f"{path}/{key}: {values[key]!r}")
    for key in ("wait_ns", "hold_ns"):
        ensure(times(values[key]) == lock[key], f"{path}/{key}: {values[key]!r}")
    sites = "".join(f"{site['at']} {site['contended']}\n" for site in lock["sites"])
    ensure(values["sites"] == sites, f"{path}/sites: {values['sites']!r}")
    names = set(os.listdir(path))
    ensure(names == set(LOCK) | {"reset"}, f"{path}: {names}")


def check(root):
    stats = json.loads(read(f"{root}/stats.json"))
    ids = set(os.listdir(f"{root}/children"))
    ensure(ids == {str(child["id"]) for child in stats["children"]}, f"children {ids}")
    for child in stats["children"]:
        check_child(f"{root}/children/{child['id']}", child)
    left = set(os.listdir(f"{root}/locks"))
    for lock in stats["locks"]:
        name = re.sub("[/~]", "!", lock["name"])
        same = sorted(n for n in left if n.split("~")[0] == name)
        ensure(same, f"no directory of {lock['name']}")
        # The oldest comes first.
        check_lock(f"{root}/locks/{same[0]}", lock)
        left.remove(same[0])
    ensure(not left, f"locks {left}")


def watch(root, stop):
    """Reads until told to stop, what there is at that moment."""
    reads = gone = 0
    seen = set()
    while not os.path.exists(stop):
        for kind, forms in (("children", CHILD), ("locks", LOCK)):
            try:
                there = os.listdir(f"{root}/{kind}")
            except OSError as error:
                ensure(error.errno in GOING, f"{kind}: {error}")
                continue
            for one in there:
                try:
                    seen.add(read_all(f"{root}/{kind}/{one}", forms)["name"].strip())
                    reads += 1
                except OSError as error:
                    ensure(error.errno in GOING, f"{kind}/{one}: {error}")
                    gone += 1
    print(f"reads={reads} gone={gone} seen={','.join(sorted(seen))}")


def main(argv):
    try:
        if argv[1] == "check":
            check(argv[2])
        elif argv[1] == "watch":
            watch(*argv[2:])
        else:
            sys.exit(__doc__)
    except Wrong as wrong:
        sys.exit(str(wrong))


if __name__ == "__main__":
    main(sys.argv)
