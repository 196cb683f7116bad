#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What perf and the library's own counters say of contended locks.

perf.py records DIR LOAD...   reads what guest-bench.sh has left in DIR, and prints a
                              record (a JSON object) for each line of it
perf.py table FACTS RECORDS   a table for people of these

A record of contention is

  {"bench":"contention","load":"counter/mutex","by":"caller"|"lock"|"owner"|"thread",
   "source":"perf"|"childkernel","column":true|false,"why":...,
   "ns":n,"contended":n,"total_ns":n|null,"max_ns":n|null,"avg_ns":n|null,"caller":...}

"caller" is the caller, the lock, the owner or the thread. "column" marks the one that a
table should show: of a load, perf's first caller, or where perf is blind or saw
nothing, the library's first call site; "why" says for each what it is worth. "ns" is
how long was looked: the library's counts begin before perf starts and end after it.
Of the library, times are those of one acquisition in 64, waiting or not, so there is
no sum of them.

A record of what the load cost the machine, all CPUs for "ns", null where the
processor does not count:

  {"bench":"stat","load":...,"ns":n,"ops":n,"context_switches":n,"cpu_migrations":n,
   "cycles":n|null,"instructions":n|null,"transitions":n|null}
"""

import bisect
import json
import os
import re
import shutil
import subprocess
import sys

# Locks whose waiters all go through a tracepoint.
TRACED = {"mutex", "percpu_rwsem", "semaphore", "seqcount_mutex", "rculist_mutex"}
# These have one in a slow path that readers and writers take as soon as they wait.
QUEUED = {"rwlock", "rwlock_bh", "rwlock_irq"}
# Not blind, but it sees less than there is.
SLEEPERS = ("perf sees those that have to sleep: a writer that gets the rwsem by spinning while its "
            "owner runs passes no tracepoint")
BLIND = {
    "test-and-set": "perf sees no spinlock here: in a guest without PV spinlocks waiters "
                    "test and set, and pass no tracepoint",
    "native": "perf sees only the third and later of a spinlock here: who comes second waits "
              "for the pending bit of the qspinlock, and passes no tracepoint",
}
ARGUMENTS = re.compile(r"(::)?<([^<>]|->)*>")


def facts(path):
    with open(path, encoding="utf-8") as file:
        return dict(line.rstrip("\n").split("=", 1) for line in file)


def sees(primitive, spinlocks):
    """Why perf's count of a primitive is whole, and why not; one of them is None."""
    if primitive in TRACED:
        return "every waiter passes a tracepoint", None
    if primitive in QUEUED:
        return "every waiter of a queued rwlock passes a tracepoint", None
    if primitive == "rwsem":
        return None, SLEEPERS
    if spinlocks == "pv":
        return "PV spinlocks: every waiter passes a tracepoint", None
    return None, BLIND.get(spinlocks, f"how this kernel waits for spinlocks is not known: {spinlocks}")


class Symbols:
    """Names of the module's functions, whole: perf's own end after 128 characters."""

    def __init__(self, lines):
        table = []
        for line in lines:
            fields = line.split()
            if len(fields) >= 3 and fields[1] in "tTwW":
                table.append((int(fields[0], 16), fields[2]))
        table.sort()
        self.starts = [start for start, _ in table]
        self.names = [name for _, name in table]

    def find(self, address):
        at = bisect.bisect_right(self.starts, address) - 1
        return self.names[at] if at >= 0 else None


def demangle(name):
    """A Rust name as it is written, if there is a program that knows how."""
    tool = shutil.which("c++filt") or shutil.which("llvm-cxxfilt")
    if not name.startswith("_R") or tool is None:
        return name
    said = subprocess.run([tool, name], capture_output=True, text=True, check=False)
    # Without the hashes of crates.
    return re.sub(r"\[[0-9a-f]+\]", "", said.stdout.strip()) or name


def short(name):
    """Without the arguments of generic types, which can fill a screen: for people."""
    match = re.match(r"^<(.*) as (.*)>::(\w+)$", name)
    if match:
        return f"<{bare(match[1])} as {bare(match[2])}>::{match[3]}"
    match = re.match(r"^<(.*)>::(\w+)$", name)
    return f"<{bare(match[1])}>::{match[2]}" if match else bare(name)


def bare(name):
    while True:
        less = ARGUMENTS.sub("", name)
        if less == name:
            return less
        name = less


def numbers(fields):
    contended, total, most, average = (int(field) for field in fields[:4])
    return {"contended": contended, "total_ns": total, "max_ns": most, "avg_ns": average}


def rows(text):
    """The lines of perf lock contention -x ';'."""
    for line in text.splitlines():
        fields = [field.strip() for field in line.split(";")]
        if len(fields) >= 6 and fields[0].isdigit():
            yield fields


# A method of a lock with statistics.
COUNTED = re.compile(r"_RNvM[s0-9_]*NtNtCs[0-9A-Za-z]+_11childkernel5stats7counted")


def caller_of(fields, symbols):
    """Of a row by caller: the function that perf has named, with its whole name.

    A lock whose statistics take times waits in a function of its own: of that the caller.
    """
    named = fields[5].split("+")[0]
    caller = None
    for frame in (fields[6] if len(fields) > 6 else "").split(":"):
        address, _, name = frame.strip().partition(" ")
        whole = symbols.find(int(address, 16)) if address.startswith("0x") else None
        if whole and (caller or name.startswith(named[:100]) and whole.startswith(named[:100])):
            caller = whole
            if not COUNTED.match(caller):
                break
    return short(demangle(caller or named))


def read(directory, name):
    try:
        with open(os.path.join(directory, name), encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def lock_of(directory, name, when, load):
    """The load's lock in a snapshot of stats.json, and the operations of its children."""
    stats = json.loads(read(directory, f"{name}.{when}.json"))
    ops = sum(child["ops"] for child in stats["children"] if child["workload"] == load)
    locks = [lock for lock in stats["locks"] if lock["name"] == load]
    return (locks[0] if locks else None), ops


def time_of(directory, name, when):
    return int(read(directory, f"{name}.{when}.us") or 0)


def perf_records(directory, name, load, why, whole, known):
    symbols = Symbols(read(directory, f"{name}.kallsyms").splitlines())
    first = True
    for by in ("caller", "lock", "owner", "thread"):
        for fields in list(rows(read(directory, f"{name}.{by}.csv")))[:5]:
            if by == "caller":
                what = caller_of(fields, symbols)
            elif by == "lock":
                what = " ".join(field for field in fields[4:7] if field)
            else:
                what = fields[5]
            yield {"bench": "contention", "load": load, "by": by, "source": "perf",
                   "column": whole and by == "caller" and first, "why": why,
                   "ns": int(known["seconds"]) * 10**9, **numbers(fields), "caller": what}
            if by == "caller":
                first = False


def own_record(directory, name, load, why, column):
    """Of the time in which perf looked, and started, and ended."""
    before, _ = lock_of(directory, name, 1, load)
    after, _ = lock_of(directory, name, 2, load)
    if after is None or before is None:
        return None
    sites = sorted(after["sites"], key=lambda site: -site["contended"])
    return {"bench": "contention", "load": load, "by": "caller", "source": "childkernel",
            "column": column, "why": why,
            "ns": 1000 * (time_of(directory, name, 2) - time_of(directory, name, 1)),
            "contended": after["contended"] - before["contended"],
            "acquisitions": after["acquisitions"] - before["acquisitions"],
            "total_ns": None, "max_ns": after["wait_ns"]["max"], "avg_ns": None,
            "p50_ns": after["wait_ns"]["p50"], "p99_ns": after["wait_ns"]["p99"],
            "caller": sites[0]["at"] if sites else None}


def stat_record(directory, name, load):
    counted = {}
    for line in read(directory, f"{name}.stat.csv").splitlines():
        fields = line.split(";")
        if len(fields) > 3:
            counted[fields[2].split(":u")[0]] = int(float(fields[0])) if fields[0][:1].isdigit() else None
            span = int(fields[3]) if fields[3].isdigit() else 0
            counted["ns"] = max(counted.get("ns") or 0, span)
    _, before = lock_of(directory, name, 0, load)
    _, after = lock_of(directory, name, 1, load)
    return {"bench": "stat", "load": load, "ns": counted.get("ns"), "ops": after - before,
            "context_switches": counted.get("context-switches"),
            "cpu_migrations": counted.get("cpu-migrations"),
            "cycles": counted.get("cycles"), "instructions": counted.get("instructions"),
            "transitions": counted.get("childkernel:child_state")}


def records(directory, loads):
    known = facts(os.path.join(directory, "facts"))
    for load in loads:
        name = load.replace("/", "-")
        # The run may have been interrupted.
        if not read(directory, f"{name}.2.json"):
            continue
        primitive = load.split("/")[1]
        why, blind = sees(primitive, known["spinlocks"])
        own_why = blind
        found = list(perf_records(directory, name, load, why or blind, blind is None, known))
        if blind is None and not any(record["column"] for record in found):
            own_why = "perf saw nothing of this load"
        yield from found
        own = own_record(directory, name, load,
                         own_why or "for comparison", own_why is not None)
        if own is not None:
            yield own
        yield stat_record(directory, name, load)


def a_second(record):
    return record["contended"] * 1e9 / record["ns"] if record["ns"] else None


def a_thousand(record):
    """Context switches for each thousand operations."""
    switches = record["context_switches"]
    return switches * 1000 / record["ops"] if switches is not None and record["ops"] else None


def columns(found):
    """Those records of contention that a table should show."""
    return [record for record in found if record["column"]]


def reasons(found):
    """{(source, why): loads} of these."""
    whys = {}
    for record in found:
        whys.setdefault((record["source"], record["why"]), []).append(record["load"])
    return whys


def setting(known):
    """What each load was made of."""
    return (f"{known.get('children', '?')} children a load (record: as many that write, and that "
            f"read), {known.get('hold_ns', '?')} ns inside")


def way(known):
    """How perf has counted, and whether it can tell owners."""
    if known.get("bpf") == "yes":
        return "perf counted in the kernel (-b)"
    return f"perf recorded; it can not tell owners, which needs -b: {known.get('bpf', 'not known why')}"


def shown(ns):
    if ns is None:
        return "-"
    for limit, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        if ns >= limit:
            return f"{ns / limit:.2f} {unit}"
    return f"{ns} ns"


def table(known, lines):
    """What a person reads first."""
    all_records = [json.loads(line) for line in lines]
    contention = [r for r in all_records if r.get("bench") == "contention"]
    print(f"{known['kernel']}, {known['cpus']} CPUs, {known['processor']}; {setting(known)}")
    print(f"{'LOAD':<22} {'CONTENDED':>10} {'A SECOND':>9} {'TOTAL WAIT':>11} {'MAX WAIT':>10} "
          f"{'AVG WAIT':>10}  {'SOURCE':<11}  CALLER")
    chosen = columns(contention)
    for record in chosen:
        print(f"{record['load']:<22} {record['contended']:>10} {show(a_second(record), '.0f'):>9} "
              f"{shown(record['total_ns']):>11} "
              f"{shown(record['max_ns']):>10} {shown(record['avg_ns']):>10}  "
              f"{record['source']:<11}  {record['caller'] or '-'}")
    print()
    for (source, why), loads in reasons(chosen).items():
        print(f"{source}: {why} ({', '.join(loads)})")
    print(way(known) + ("; by owner: see *.owner.csv" if known["bpf"] == "yes" else ""))
    print()
    print(f"{'LOAD':<22} {'OPS':>10} {'SWITCHES':>9} {'A 1000 OPS':>10} {'MIGRATIONS':>10} "
          f"{'INSTRUCTIONS':>13} {'CYCLES':>13}")
    for record in all_records:
        if record.get("bench") != "stat":
            continue
        print(f"{record['load']:<22} {record['ops']:>10} {show(record['context_switches']):>9} "
              f"{show(a_thousand(record), '.2f'):>10} "
              f"{show(record['cpu_migrations']):>10} {show(record['instructions']):>13} "
              f"{show(record['cycles']):>13}")


def show(number, form=""):
    return "-" if number is None else format(number, form)


def main(argv):
    if len(argv) > 3 and argv[1] == "records":
        for record in records(argv[2], argv[3:]):
            print(json.dumps(record))
    elif len(argv) == 4 and argv[1] == "table":
        with open(argv[3], encoding="utf-8") as file:
            table(facts(argv[2]), file)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv)
