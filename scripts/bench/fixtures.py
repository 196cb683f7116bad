# SPDX-License-Identifier: GPL-2.0
"""Small records for the tests here; nothing of it was measured."""

import json

from bench import records


def begin(suite="exact", unit="instructions", inline=0, cpus=1, release="7.3.4-test"):
    return {"bench": "begin", "suite": suite, "unit": unit, "inline": inline, "cpus": cpus,
            "release": release, "figures": 1}


def native(**changes):
    return begin(**{"suite": "native", "unit": "ns", "inline": 1, "cpus": 2, **changes})


def end(suite="exact"):
    return {"bench": "end", "suite": suite}


def pair(name, rust, c, rival="c", ops=10, what="take, give back", **more):
    """rust and c are totals of rounds."""
    return {"bench": "pair", "name": name, "what": what, "side": "rust", "rival": rival,
            "ops": ops, "rust": list(rust), "c": list(c), **more}


def floor(name, rounds, ops=10):
    return {"bench": "floor", "name": name, "ops": ops, "rounds": list(rounds)}


def point(curve, **fields):
    return {"bench": "point", "curve": curve, **fields}


def guarded(primitive, cost, hold=0, read=95, cpus=2, size=64, side="rust"):
    """A point where each operation took so many nanoseconds."""
    return point("guarded", primitive=primitive, side=side, hold=hold, read=read, cpus=cpus,
                 size=size, ns=1000 * cost, ops=1000)


def contended(primitive, each, hold=0, read=None, cpus=2, ns=1000000, side="rust", **more):
    return point("contended", primitive=primitive, side=side, cpus=cpus, hold=hold, read=read,
                 ns=ns, each=list(each), wait=[30, 200, 900, 5000], starve=6000, switches=4,
                 irqsoff=None, **more)


def messages(mailbox, rate, senders=1, batch=1, **more):
    return point("messages", mailbox=mailbox, senders=senders, batch=batch, ns=1e9, ops=rate,
                 **more)


def waits(load, caller="work", by="caller", source="perf", column=True, why="all pass", **more):
    """One who waits, as perf.py writes it down."""
    return {"bench": "contention", "load": load, "by": by, "source": source, "column": column,
            "why": why, "ns": 2 * 10**9, "contended": 29, "total_ns": 4670000000,
            "max_ns": 1080000000, "avg_ns": 161000000, "caller": caller, **more}


def own_waits(load, caller, **more):
    """The same of the library, which has no sum."""
    return waits(load, caller, source="childkernel", **{
        "acquisitions": 640, "total_ns": None, "avg_ns": None, "max_ns": 7000, "p50_ns": 127,
        "p99_ns": 511, **more})


def stat(load, **more):
    return {"bench": "stat", "load": load, "ns": 2 * 10**9, "ops": 200, "context_switches": 7,
            "cpu_migrations": 0, "cycles": None, "instructions": None, "transitions": 0, **more}


def lane(kind, *found):
    """The lane that has these records."""
    one = records.Lane(kind)
    one.read([json.dumps(r) for r in found])
    one.about["date"] = "2000-01-01"
    return one


def lanes(**of):
    return {kind: lane(kind, *found) for kind, found in of.items()}
