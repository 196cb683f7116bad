#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""make pick: the primitives that can guard such data, best first, by what was measured.

    pick.py BENCH READ=95 HOLD=400ns CPUS=2 SIZE=64 [CONTEXT=process] [SLEEP=no]

BENCH is build/bench. Exit status 2: an argument is not valid; 1: nothing was
measured that could answer.
"""

import math
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from bench import primitives, ratios, records, units  # noqa: E402

VALID = {
    "READ": "0 to 100, percent of reads",
    "HOLD": "0 to 1000ms, with ns, us or ms: the time inside",
    "CPUS": "1 to 8192",
    "SIZE": "1 to 1048576, bytes",
    "CONTEXT": "process, softirq, hardirq: what process context shares it with",
    "SLEEP": "yes, no: whether the code inside sleeps",
}
DEFAULTS = {"CONTEXT": "process", "SLEEP": "no"}
LONGEST = 1e9


class Bad(ValueError):
    """An argument that is not valid."""


def whole(name, value, least, most):
    if not re.fullmatch(r"[0-9]{1,9}", value) or not least <= int(value) <= most:
        raise Bad(f"{name}={value} is not valid: {VALID[name]}")
    return int(value)


def hold(value):
    """Nanoseconds."""
    found = re.fullmatch(r"([0-9]{1,10}(?:\.[0-9]{1,9})?)(ns|us|µs|μs|ms)", value)
    if value == "0":
        return 0.0
    ns = found and float(found[1]) * {"n": 1, "m": 1e6}.get(found[2][0], 1e3)
    if ns is None or ns > LONGEST:
        raise Bad(f"HOLD={value} is not valid: {VALID['HOLD']}")
    return ns


def query(arguments):
    """The dictionary of a question; Bad if it is none."""
    words = dict(DEFAULTS)
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or name not in VALID:
            raise Bad(f"'{argument}' is not valid: give {', '.join(n + '=' for n in VALID)}")
        words[name] = value.strip()
    for name, what in VALID.items():
        if not words.get(name):
            raise Bad(f"{name}= is missing: {what}")
    for name, valid in (("CONTEXT", primitives.CONTEXTS), ("SLEEP", ("yes", "no"))):
        if words[name] not in valid:
            raise Bad(f"{name}={words[name]} is not valid: {VALID[name]}")
    return {
        "read": whole("READ", words["READ"], 0, 100),
        "hold": hold(words["HOLD"]),
        "cpus": whole("CPUS", words["CPUS"], 1, 8192),
        "size": whole("SIZE", words["SIZE"], 1, 1 << 20),
        "context": words["CONTEXT"],
        "sleep": words["SLEEP"] == "yes",
    }


def nearest(values, wanted, log=False):
    """The measured value next to the wanted one; the smaller of two as near."""
    scale = (lambda v: math.log(max(v, 1))) if log else (lambda v: v)
    return min(sorted(values), key=lambda v: round(abs(scale(v) - scale(wanted)), 9), default=None)


def interpolate(points, wanted):
    """(cost, low, high) at a time inside, from {time inside: cost}.

    Between two measured points both scales are logarithmic; from 0, which has
    no logarithm, they are linear. Beyond the last point that point counts.
    """
    times = sorted(points)
    low = max((t for t in times if t <= wanted), default=times[0])
    high = min((t for t in times if t >= wanted), default=times[-1])
    if low >= high:
        return points[low], low, low
    if low <= 0:
        part = (wanted - low) / (high - low)
        return points[low] + part * (points[high] - points[low]), low, high
    part = math.log(wanted / low) / math.log(high / low)
    return points[low] * (points[high] / points[low]) ** part, low, high


class Entry:
    """One primitive's place."""

    def __init__(self, name, cost, low, high, noise):
        self.name = name
        self.cost = cost
        self.low = low
        self.high = high
        # How far its repeats lie apart, as a part; None where there is one only.
        self.noise = noise
        self.why = ""
        # What its waits were, where that was measured.
        self.waits = None


class Ranking:
    """The answer, and what it was made of."""

    def __init__(self, lane, curve, inline, wanted):
        self.lane = lane
        self.curve = curve
        self.inline = inline
        self.wanted = wanted
        self.at = {}
        self.entries = []
        self.refused = []
        self.release = ""


def ours(point):
    return point["side"] in (None, "rust")


def noise(point):
    rates = point.rates()
    return (max(rates) - min(rates)) / point.rate if len(rates) > 1 and point.rate else None


def sources(lanes):
    """(lane, curve, inline, points) that can rank, the best first.

    Instructions say nothing about waiting, so the lane that counts them ranks nothing.
    """
    for lane in records.timed(lanes):
        for curve in ("guarded", "contended"):
            for inline, points in sorted(lane.curve(curve).items()):
                points = [p for p in points if ours(p) and p.cost is not None]
                if points:
                    yield lane, curve, inline, points


def rank(lanes, wanted):
    """A Ranking, or None where nothing was measured that can rank."""
    source = next(sources(lanes), None)
    if source is None:
        return None
    lane, curve, inline, points = source
    ranking = Ranking(lane, curve, inline, wanted)
    ranking.release = points[-1].run.begin.get("release", "")
    at = ranking.at
    for field, log in (("cpus", True), ("read", False), ("size", True)):
        values = {p[field] for p in points if p[field] is not None}
        at[field] = nearest(values, wanted[field], log)
    for name in dict.fromkeys(p["primitive"] for p in points):
        base = primitives.base(name)
        if base is None:
            if wanted["context"] != "process" or wanted["sleep"]:
                ranking.refused.append((name, "not known whether it may be used there"))
                continue
        else:
            why = primitives.PRIMITIVES[base].refused(
                wanted["context"], wanted["sleep"], wanted["size"])
            if why:
                ranking.refused.append((name, why))
                continue
        # One without readers costs the same whatever share of them there is.
        same = {p["hold"]: p for p in points if p["primitive"] == name
                and all(p[f] in (None, at[f]) for f in at)}
        if not same:
            ranking.refused.append((name, "not measured there"))
            continue
        cost, low, high = interpolate({t: p.cost for t, p in same.items()}, wanted["hold"])
        apart = [n for n in (noise(same[low]), noise(same[high])) if n is not None]
        entry = Entry(name, cost, low, high, max(apart, default=None))
        entry.why = reason(base, wanted)
        entry.waits = waits(name, wanted, lane, at)
        ranking.entries.append(entry)
    ranking.entries.sort(key=lambda e: e.cost)
    return ranking


def reason(base, wanted):
    """One line: why it is taken."""
    if base is None:
        return "nothing is known of it but its figures"
    known = primitives.PRIMITIVES[base]
    parts = [known.why]
    if known.plain:
        parts.append("plain data only")
    if base.startswith("rculist") and wanted["context"] != "process":
        parts.append("its writers in process context only")
    return "; ".join(parts)


def waits(name, wanted, lane, at):
    """(time inside, p99, Jain's index) at the nearest point where waits were measured, or None."""
    points = [p for points in lane.curve("contended").values() for p in points
              if ours(p) and p["primitive"] == name and p["cpus"] == at["cpus"]
              and p["read"] in (None, at["read"]) and p["wait"]]
    if not points:
        return None
    time = nearest({p["hold"] for p in points}, wanted["hold"], log=True)
    point = next(p for p in points if p["hold"] == time)
    return time, point.median("wait")[1], ratios.jain([sum(c) for c in zip(*point.all("each"))])


def margin(entry, after):
    """How much faster it is than the next."""
    if after is None:
        return "-"
    part = after.cost / entry.cost - 1
    text = f"+{part * 100:.0f} %" if part < 10 else f"{part + 1:.0f} x"
    known = [n for n in (entry.noise, after.noise) if n is not None]
    return text + (" ~" if known and part < max(known) else "")


def lines(ranking):
    """What is printed."""
    wanted, at, lane = ranking.wanted, ranking.at, ranking.lane
    yield (f"READ={wanted['read']} HOLD={units.time(wanted['hold'])} CPUS={wanted['cpus']} "
           f"SIZE={wanted['size']} CONTEXT={wanted['context']} "
           f"SLEEP={'yes' if wanted['sleep'] else 'no'}")
    yield (f"measured in lane {lane.kind}, kernel {ranking.release}, {lane.about['date']}, "
           f"{lane.command}" + ("" if lane.hardware else ": not for hardware decisions"))
    notes = []
    for field, name in (("read", "READ"), ("cpus", "CPUS"), ("size", "SIZE")):
        if at[field] is None:
            notes.append(f"{name} was not varied")
        elif at[field] != wanted[field]:
            notes.append(f"{name}={at[field]} is the nearest measured")
    if ranking.entries:
        low, high = ranking.entries[0].low, ranking.entries[0].high
        if low != high:
            notes.append(f"HOLD interpolated between {units.time(low)} and {units.time(high)}, "
                         + ("linearly" if low <= 0 else "on log scales"))
        elif low != wanted["hold"]:
            notes.append(f"HOLD={units.time(low)} is the nearest measured")
    yield f"curve {ranking.curve}: {'; '.join(notes) or 'measured at exactly these values'}"
    yield ""
    if ranking.entries:
        yield from table(ranking)
    else:
        yield "none of what was measured can guard such data"
    if ranking.refused:
        yield ""
        for name, why in ranking.refused:
            yield f"not ranked: {name}: {why}"


def table(ranking):
    """The entries, a line each, and what its columns mean."""
    entries = ranking.entries
    width = max([len("PRIMITIVE"), *(len(e.name) for e in entries)])
    yield (f" #  {'PRIMITIVE':{width}}  {'OPS/S':>8}  {'PER OP':>8}  {'MARGIN':>8}  {'WAIT p99':>8}"
           f"  FAIR  WHY")
    for n, (entry, after) in enumerate(zip(entries, [*entries[1:], None]), 1):
        wait, fair = "-", "-"
        if entry.waits:
            _, p99, index = entry.waits
            wait, fair = units.time(p99), "-" if index is None else f"{index:.2f}"
        elsewhere = (entry.low, entry.high) != (entries[0].low, entries[0].high)
        yield (f"{n:2}  {entry.name:{width}}  {units.rate(1e9 / entry.cost):>8}  "
               f"{units.time(entry.cost):>8}  {margin(entry, after):>8}  {wait:>8}  {fair:>4}  "
               f"{entry.why}" + (f" [HOLD {units.time(entry.low)} to {units.time(entry.high)}]"
                                 if elsewhere else ""))
    yield ""
    yield "PER OP: of all CPUs together. MARGIN: how much faster than the next" + (
        "; ~: its repeats lie further apart"
        if any(margin(a, b).endswith("~") for a, b in zip(entries, entries[1:])) else "") + "."
    times = sorted({e.waits[0] for e in entries if e.waits})
    if times:
        yield ("WAIT p99, FAIR (Jain's index: 1 is fair): curve contended, "
               f"HOLD={', '.join(map(units.time, times))}.")


def main(argv):
    try:
        wanted = query(argv[2:])
    except Bad as bad:
        print(f"pick: {bad}", file=sys.stderr)
        return 2
    ranking = rank(records.load(argv[1]), wanted)
    if ranking is None:
        print("pick: nothing was measured under contention yet: make bench-native measures this "
              "host at native speed, make bench a KVM guest or one's own kernel", file=sys.stderr)
        return 1
    for line in lines(ranking):
        print(line)
    return 0 if ranking.entries else 1


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: pick.py BENCH READ= HOLD= CPUS= SIZE=")
    sys.exit(main(sys.argv))
