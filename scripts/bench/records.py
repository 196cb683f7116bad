# SPDX-License-Identifier: GPL-2.0
"""The records that benchmark builds write to the kernel log, read back.

Each lane keeps its own in build/bench/LANE/records*.jsonl, one JSON object a
line, as they came. A run may have been interrupted, or a line cut off: what is
whole counts, what is not is named in `problems`, and a figure that was measured
again takes the place of the older one.

Of the loads beside which perf has looked, make bench leaves records as well:
contention.jsonl, which perf.py describes, and what they were made with in facts.
"""

import glob
import json
import os
import statistics
import time

LANES = ("exact", "native", "real")
COMMANDS = {"exact": "make bench-exact", "native": "make bench-native", "real": "make bench"}

# What tells one point of a curve from another; the rest of it is measured.
CURVES = {
    "contended": ("primitive", "side", "cpus", "hold", "read"),
    "handover": ("primitive", "side", "cpus", "hold"),
    "granularity": ("primitive", "side", "cpus", "buckets"),
    "guarded": ("primitive", "side", "cpus", "hold", "read", "size"),
    "messages": ("mailbox", "wait", "senders", "batch"),
    "roundtrip": ("how",),
    "children": ("what", "n"),
    "siblings": ("how", "cpus"),
    "crossover": ("hold",),
}
MAY_LACK = {"side", "read", "n", "wait", ("granularity", "primitive"),
            ("siblings", "how"), ("siblings", "cpus")}
# What a point has to have for anything to be made of it.
MEASURED = {
    "contended": ("ns", "each"),
    "handover": ("times", "mean"),
    "granularity": ("ns", "ops"),
    "guarded": ("ns", "ops"),
    "messages": ("ns", "ops"),
    "roundtrip": ("ns", "ops"),
    "children": ("p50", "max"),
    "siblings": ("before", "during"),
    "crossover": ("spinlock", "mutex", "ns"),
}
# What is [p50, p99, p99.9, max] of times, where it is known.
QUANTILES = {"contended": ("wait", "wait_read", "wait_write"), "handover": ("handed",)}


class Wrong(ValueError):
    """A record that is no record."""


def number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def numbers(value, least=1):
    return isinstance(value, list) and len(value) >= least and all(map(number, value))


def check_rounds(record, fields):
    if not (number(record.get("ops")) and record["ops"] > 0):
        raise Wrong("'ops' is no number above 0")
    for field in fields:
        if not numbers(record.get(field)):
            raise Wrong(f"'{field}' is no list of numbers")


def check_pair(record):
    if not isinstance(record.get("name"), str):
        raise Wrong("a pair without a name")
    record.setdefault("side", "rust")
    record.setdefault("rival", "c")
    # The other side's rounds may stand under its own name.
    if "c" not in record and record["rival"] in record:
        record["c"] = record.pop(record["rival"])
    check_rounds(record, ("rust", "c"))
    if len(record["rust"]) != len(record["c"]):
        raise Wrong("both sides of a pair need the same number of rounds")
    if min(record["rust"] + record["c"]) <= 0:
        raise Wrong("a round that took nothing")


def check_floor(record):
    if not isinstance(record.get("name"), str):
        raise Wrong("a floor without a name")
    check_rounds(record, ("rounds",))


def check_point(record):
    curve = record.get("curve")
    if curve not in CURVES:
        raise Wrong(f"no curve '{curve}'")
    for field in CURVES[curve]:
        if record.get(field) is None and not {field, (curve, field)} & MAY_LACK:
            raise Wrong(f"a point of '{curve}' without '{field}'")
    for field in MEASURED[curve]:
        value = record.get(field)
        if not (numbers(value) if field == "each" else number(value)):
            raise Wrong(f"a point of '{curve}' without '{field}'")
    for field in ("ns", "ops", "before"):
        if field in record and record[field] <= 0:
            raise Wrong(f"a point of '{curve}' where '{field}' is nothing")
    for field in QUANTILES.get(curve, ()):
        if record.get(field) is not None and not (
                numbers(record[field], 4) and len(record[field]) == 4):
            raise Wrong(f"'{field}' is not [p50, p99, p99.9, max]")


def check_load(record, words, figures, unknown):
    """Of a load; what may be unknown has to be there all the same."""
    for field in words:
        if not isinstance(record.get(field), str):
            raise Wrong(f"'{field}' is no text")
    for field in figures:
        if not number(record.get(field)):
            raise Wrong(f"'{field}' is no number")
    for field in unknown:
        if field not in record or not (record[field] is None or number(record[field])):
            raise Wrong(f"'{field}' is neither a number nor null")


def check_contention(record):
    check_load(record, ("load", "by", "source", "why"), ("ns", "contended"),
               ("total_ns", "max_ns", "avg_ns",
                # These are the library's.
                *(f for f in ("acquisitions", "p50_ns", "p99_ns") if f in record)))
    if not isinstance(record.get("column"), bool):
        raise Wrong("'column' is neither true nor false")
    if not isinstance(record.get("caller", 0), (str, type(None))):
        raise Wrong("'caller' is neither a text nor null")


def check_stat(record):
    check_load(record, ("load",), ("ops",),
               ("ns", "context_switches", "cpu_migrations", "cycles", "instructions"))


CHECKS = {"pair": check_pair, "floor": check_floor, "point": check_point}
# Of loads; these belong to no run.
LOADS = {"contention": check_contention, "stat": check_stat}


class Run:
    """What came between one begin and its end."""

    def __init__(self, begin):
        self.begin = begin
        self.ended = False
        self.records = []

    @property
    def suite(self):
        return self.begin.get("suite", "")

    @property
    def inline(self):
        return int(bool(self.begin.get("inline", 0)))


class Lane:
    """All that one lane has measured."""

    def __init__(self, kind):
        self.kind = kind
        self.runs = []
        self.problems = []
        self.about = {}
        # Of the loads that perf has looked at: what they were made with, and their records.
        self.facts = {}
        self.loads = {what: [] for what in LOADS}

    def read(self, lines, name="records.jsonl"):
        run = None
        for count, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                run = self._take(line, run)
            except Wrong as wrong:
                self.problems.append(f"{name}, line {count}: {wrong}")

    def _take(self, line, run):
        try:
            record = json.loads(line)
        except ValueError:
            raise Wrong("cut off, or not JSON") from None
        what = record.get("bench") if isinstance(record, dict) else None
        if what == "begin":
            run = Run(record)
            self.runs.append(run)
        elif what == "end":
            if run is not None:
                run.ended = True
            run = None
        elif what in LOADS:
            LOADS[what](record)
            self.loads[what].append(record)
        elif what == "skip" or what in CHECKS:
            if run is None:
                raise Wrong(f"a {what} before any begin")
            if what in CHECKS:
                CHECKS[what](record)
            run.records.append(record)
        else:
            raise Wrong(f"no record '{what}'")
        return run

    def _latest(self, what, key):
        """Of each figure the records of the last run that has it, with that run."""
        found = {}
        for run in self.runs:
            fresh = {}
            for record in run.records:
                if record["bench"] == what:
                    fresh.setdefault(key(run, record), []).append(record)
            for one, records in fresh.items():
                # A figure keeps the place where it first was.
                found[one] = (run, records)
        return found

    def pairs(self):
        """(run, record) of each."""
        key = lambda run, r: (run.inline, r["name"], r.get("what"), r["rival"])
        return [(run, records[-1]) for run, records in self._latest("pair", key).values()]

    def floors(self, inline=None):
        """(run, record) of each."""
        key = lambda run, r: (run.inline, r["name"])
        return [(run, records[-1]) for run, records in self._latest("floor", key).values()
                if inline in (None, run.inline)]

    def floor(self, name, inline=None):
        """Least per operation, in the run's unit; None if it was not measured."""
        least = [min(r["rounds"]) / r["ops"] for _, r in self.floors(inline) if r["name"] == name]
        return least[-1] if least else None

    def typical(self, name, inline=None):
        """The median per operation of a floor."""
        each = [statistics.median(r["rounds"]) / r["ops"]
                for _, r in self.floors(inline) if r["name"] == name]
        return each[-1] if each else None

    def loops(self, inline=None):
        """What the loops around the operations cost by themselves: {"C": …, "Rust": …}."""
        found = {"C": self.floor("loop_c", inline), "Rust": self.floor("loop_rust", inline)}
        return {side: cost for side, cost in found.items() if cost is not None}

    def call(self, inline=None):
        """What a call of a function that does nothing costs; None if it was not measured."""
        call, loop = self.floor("call_c", inline), self.floor("loop_c", inline)
        return None if call is None or loop is None else call - loop

    def curve(self, name):
        """Its points, as {inline: [Point]}, in the order in which they came."""
        def key(run, r):
            # What more is said of it in words tells it from others as well.
            words = [(f, v) for f, v in r.items()
                     if isinstance(v, str) and f not in ("bench", "curve")]
            return (run.inline, r["curve"], *(r.get(f) for f in CURVES[r["curve"]]), *words)

        views = {}
        for (inline, curve, *_), (run, records) in self._latest("point", key).items():
            if curve == name:
                views.setdefault(inline, []).append(Point(run, records))
        return views

    def skipped(self):
        """Name and reason of what could not be measured, and was not later."""
        measured = {r["name"] for _, r in self.pairs()} | {r["name"] for _, r in self.floors()}
        last = {r.get("name", "?"): r.get("why", "no reason given")
                for run in self.runs for r in run.records if r["bench"] == "skip"}
        return [(name, why) for name, why in last.items() if name not in measured]

    def interrupted(self):
        """Suites whose last run has no end."""
        last = {(run.suite, run.inline): run for run in self.runs}
        return [suite for (suite, _), run in last.items() if not run.ended]

    @property
    def command(self):
        if self.kind == "real" and self.about.get("accel") == "tcg":
            return f"{COMMANDS['real']} EMULATED=1"
        return self.about.get("command") or COMMANDS[self.kind]

    @property
    def hardware(self):
        """Whether its times are those of hardware."""
        accel = self.about.get("accel", "")
        return self.kind == "real" and accel not in ("tcg", "uml", "icount")


class Point:
    """One point of a curve, and all that it was measured as in one run."""

    def __init__(self, run, records):
        self.run = run
        self.records = records

    def __getitem__(self, field):
        return self.records[-1].get(field)

    def all(self, field):
        return [r[field] for r in self.records if r.get(field) is not None]

    def median(self, field):
        """The median of its repeats; element by element for a list."""
        values = self.all(field)
        if not values:
            return None
        if isinstance(values[0], list):
            return [statistics.median(column) for column in zip(*values)]
        return statistics.median(values)

    def rates(self):
        """Operations a second, of each repeat."""
        return [(sum(r["each"]) if "each" in r else r["ops"]) * 1e9 / r["ns"]
                for r in self.records]

    @property
    def rate(self):
        return statistics.median(self.rates())

    @property
    def cost(self):
        """Nanoseconds of the whole machine for each operation; None if none was done."""
        return 1e9 / self.rate if self.rate else None


def timed(lanes):
    """The lanes that measure time, those first that are to be believed first.

    A real kernel that was emulated after all says less of time than UML does.
    """
    found = [lanes[kind] for kind in ("real", "native") if kind in lanes]
    return sorted(found, key=lambda lane: lane.kind == "real" and not lane.hardware)


def about(directory, name="machine"):
    """What the commands say of a lane beside its records: key=value, a line each."""
    found = {}
    try:
        with open(os.path.join(directory, name), encoding="utf-8", errors="replace") as file:
            found = dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)
    except OSError:
        pass
    return found


def load(top):
    """{lane: Lane} of what there is below build/bench."""
    lanes = {}
    for kind in LANES:
        directory = os.path.join(top, kind)
        files = glob.glob(os.path.join(directory, "records*.jsonl"))
        files += glob.glob(os.path.join(directory, "contention.jsonl"))
        files.sort(key=os.path.getmtime)
        if not files:
            continue
        lane = Lane(kind)
        lane.about = about(directory)
        lane.facts = about(directory, "facts")
        for name in files:
            with open(name, encoding="utf-8", errors="replace") as file:
                lane.read(file, f"{kind}/{os.path.basename(name)}")
        # Reports made twice of the same records are the same.
        when = os.path.getmtime(files[-1])
        lane.about.setdefault("date", time.strftime("%Y-%m-%d", time.gmtime(when)))
        if any(run.records for run in lane.runs) or any(lane.loads.values()):
            lanes[kind] = lane
    return lanes
