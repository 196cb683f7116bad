# SPDX-License-Identifier: GPL-2.0
"""Sections of the report that are about contention."""

import math

from bench import page, plots, ratios, records, units

# The share of reads at which primitives with and without readers are shown together.
SHARE = 95


def views(lanes, curve):
    """(lane, run, points of that curve) of each lane that has it."""
    for lane in records.timed(lanes):
        for _, points in sorted(lane.curve(curve).items()):
            yield lane, points[-1].run, points


def name_of(point):
    return point["primitive"] + (" C" if point["side"] == "c" else "")


def share_near(points, wanted=SHARE):
    """The measured share of reads next to that; None if none was varied."""
    shares = sorted({p["read"] for p in points if p["read"] is not None})
    return min(shares, key=lambda r: abs(r - wanted), default=None)


def at_share(points, share):
    return [p for p in points if p["read"] in (None, share)]


def rust_of(points):
    return [p for p in points if p["side"] in (None, "rust")]


def series(points, x):
    """{name: {x: operations a second}}, where there were any."""
    found = {}
    for p in points:
        if p.rate > 0:
            found.setdefault(name_of(p), {})[p[x]] = p.rate
    return found


def shared(share):
    return (f"{share} % reads where a primitive has readers, else all of them exclusive"
            if share is not None else "no readers")


def throughput(lanes, draw):
    """Against CPUs, time inside, and share of reads."""
    out = []
    for lane, run, every in views(lanes, "contended"):
        points = rust_of(every)
        if not points:
            continue
        share = share_near(points)
        common = at_share(points, share)
        names = list(dict.fromkeys(map(name_of, common)))
        cpus = sorted({p["cpus"] for p in points})
        holds = sorted({p["hold"] for p in points})
        panels = [(f"{plots.category(h)} inside", series(
            [p for p in common if p["hold"] == h], "cpus")) for h in holds]
        panels = [(title, found) for title, found in panels if found]
        out.append(f"<h3>Against CPUs ({lane.kind})</h3>\n" + page.figure(
            draw(plots.lines, panels, "CPUs", "operations/s", [(c, str(c)) for c in cpus]),
            f"Operations a second of all CPUs together; {shared(share)}.",
            page.made(lane, run), names))
        most = [p for p in common if p["cpus"] == cpus[-1]]
        if len(holds) > 1:
            out.append(f"<h3>Against time inside ({lane.kind})</h3>\n" + page.figure(
                draw(plots.lines, [("", series(most, "hold"))], "time inside", "operations/s",
                     [(h, plots.category(h)) for h in holds]),
                f"Operations a second on {cpus[-1]} CPUs; {shared(share)}.",
                page.made(lane, run), names))
        readers = [p for p in points if p["read"] is not None and p["cpus"] == cpus[-1]]
        shares = sorted({p["read"] for p in readers})
        if len(shares) > 1:
            panels = [(f"{plots.category(h)} inside",
                       series([p for p in readers if p["hold"] == h], "read")) for h in holds]
            out.append(f"<h3>Against share of reads ({lane.kind})</h3>\n" + page.figure(
                draw(plots.lines, [p for p in panels if p[1]], "reads, %", "operations/s",
                     [(r, str(r)) for r in shares]),
                f"Operations a second on {cpus[-1]} CPUs.", page.made(lane, run),
                list(dict.fromkeys(map(name_of, readers)))))
        out.append(against_c(lane, run, every))
    return "".join(out) or page.missing("throughput under contention", "native", "real")


def against_c(lane, run, points):
    """Rust's throughput over that of its C twin, where both were measured."""
    by = {(name_of(p), p["cpus"], p["hold"], p["read"]): p for p in points}
    rows = []
    for (name, *at), p in by.items():
        twin = by.get((name + " C", *at))
        if twin is not None and twin.rate > 0:
            rows.append([*where(p), units.rate(p.rate), units.rate(twin.rate),
                         f"{p.rate / twin.rate:.3f}"])
    if not rows:
        return ""
    return page.folded(f"Throughput, Rust ÷ C, more is better ({lane.kind})", page.table(
        ["primitive", "CPUs", "inside", "reads", "Rust, ops/s", "C, ops/s", "ratio"], rows)
        + page.made(lane, run))


WAITS = ("p50", "p99", "p99.9", "max")
WAIT_MARKS = (7, 9, 13, 5)


def middle(points):
    """The time inside at which waits are shown: the one next to 1 us."""
    return min(sorted({p["hold"] for p in points}), key=lambda h: abs(math.log((h + 1) / 1001)))


def fairness(point):
    """Jain's index over the threads, all repeats together."""
    return ratios.jain([sum(column) for column in zip(*point.all("each"))])


def waiting(lanes, draw):
    """Percentiles of waits; fairness and starvation."""
    out = []
    for lane, run, points in views(lanes, "contended"):
        points = rust_of(points)
        waits = [p for p in points if p["wait"]]
        if not waits:
            continue
        most, share = max(p["cpus"] for p in waits), share_near(waits)
        shown = [p for p in at_share(waits, share)
                 if p["cpus"] == most and p["hold"] == middle(waits)]
        rows = [(p["primitive"], p.median("wait"), p["primitive"]) for p in shown]
        key = ", ".join(f"{plots.MARKS[m]} {w}" for m, w in zip(WAIT_MARKS, WAITS))
        if rows:
            out.append(f"<h3>How long one waits ({lane.kind})</h3>\n" + page.figure(
                draw(plots.ranges, rows, "wait", WAIT_MARKS),
                f"{key}; {most} CPUs, {plots.category(middle(waits))} inside; {shared(share)}.",
                page.made(lane, run)))
        out.append(page.folded(f"All waits ({lane.kind})",
                               wait_table(waits) + page.made(lane, run)))
        note = f"{most} CPUs, {plots.category(middle(waits))} inside; {shared(share)}"
        out.append(f"<h3>Who gets in ({lane.kind})</h3>\n" + fair_table(shown or waits)
                   + page.made(lane, run, note=note))
        rest = [p for p in points if p not in shown]
        out.append(page.folded(f"Fairness at all other points ({lane.kind})",
                               fair_table(rest) + page.made(lane, run)))
    return "".join(out) or page.missing("waits and fairness", "native", "real")


def where(p):
    return [p["primitive"], p["cpus"], plots.category(p["hold"]),
            "-" if p["read"] is None else f"{p['read']} %"]


def wait_table(points):
    rows = []
    for p in points:
        for field, who in (("wait", "all"), ("wait_read", "readers"), ("wait_write", "writers")):
            values = p.median(field)
            if values and not (field == "wait" and p["wait_read"]):
                rows.append([*where(p), who, *map(units.time, values)])
    return page.table(["primitive", "CPUs", "inside", "reads", "who", *WAITS], rows)


def fair_table(points):
    rows = []
    for p in points:
        fair = fairness(p)
        operations = sum(map(sum, p.all("each")))
        switches = sum(p.all("switches")) if p.all("switches") else None
        starve = {}
        for field in ("starve", "wait_read", "wait_write"):
            values = p.all(field)
            starve[field] = max(v[-1] if isinstance(v, list) else v for v in values) \
                if values else None
        rows.append([*where(p), "-" if fair is None else f"{fair:.3f}",
                     units.time(starve["starve"]), units.time(starve["wait_read"]),
                     units.time(starve["wait_write"]),
                     "-" if switches is None or not operations
                     else units.digits(1000 * switches / operations),
                     units.time(max(p.all("irqsoff"), default=None))])
    return page.table(
        ["primitive", "CPUs", "inside", "reads", "Jain index", "longest starvation",
         "of a reader", "of a writer", "switches / 1000 ops", "interrupts off"], rows) + (
        '<p class="note">Jain\'s index: 1 is fair; 1/n is one of n threads alone.</p>\n')


def handover(lanes):
    """How long a lock is nobody's while somebody waits for it."""
    out = []
    for lane, run, points in views(lanes, "handover"):
        # A repeat in which nobody was found waiting has nothing to say.
        told = ((p.run, [r for r in p.records if r["times"]]) for p in points)
        points = [records.Point(*one) for one in told if one[1]]
        by = {(name_of(p), p["cpus"], p["hold"]): p for p in points}
        rows = []
        for p in rust_of(points):
            twin = by.get((f"{p['primitive']} C", p["cpus"], p["hold"]))
            quantiles = [p.median("handed"), twin and twin.median("handed")]
            rows.append([p["primitive"], p["cpus"],
                         *(" · ".join(map(units.time, q[:2] + q[3:])) if q else "-"
                           for q in quantiles),
                         units.time(p.median("mean")),
                         units.time(twin.median("mean")) if twin else "-"])
        if rows:
            holds = ", ".join(sorted({plots.category(p["hold"]) for p in points}))
            out.append(page.table(
                ["primitive", "CPUs", "Rust: p50 · p99 · max", "C: p50 · p99 · max",
                 "Rust, mean", "C, mean"], rows)
                + '<p class="note">From when one is about to release it until the next one, who '
                "was waiting, has it; the clock is read within. Where the same one takes it again "
                "nothing is counted. Medians of the repeats, all of one boot: where things lie in "
                "memory may move either side by a quarter.</p>\n"
                + page.made(lane, run, note=f"{holds} inside"))
    return "".join(out) or page.missing("how long a hand-over takes", "native", "real")


def crossings(points):
    """Where the faster of the two changes: times inside, between measured ones on log scales."""
    found = []
    gains = sorted((p["hold"], p.median("mutex") / max(p.median("spinlock"), 1)) for p in points)
    for (low, a), (high, b) in zip(gains, gains[1:]):
        if a > 0 and b > 0 and (a < 1) != (b < 1):
            part = math.log(1 / a) / math.log(b / a)
            found.append(low * (high / low) ** part if low > 0 else low + part * (high - low))
    return found


def crossover(lanes, draw):
    out = []
    for lane, run, points in views(lanes, "crossover"):
        drawn = {"spinlock": {}, "mutex": {}}
        for p in points:
            for one, series_ in drawn.items():
                rate = p.median(one) * 1e9 / p.median("ns")
                if rate > 0:
                    series_[p["hold"]] = rate
        switch = lane.typical("context_switch")
        found = crossings(points)
        if found:
            text = "They cross at " + ", ".join(units.time(f) for f in found) + " inside"
        else:
            faster = max(drawn, key=lambda one: sum(drawn[one].values()))
            text = f"They do not cross: {faster} is ahead at all measured times"
        text += ("; twice a context switch is " + units.time(2 * switch) + "."
                 if switch else "; the context switch was not measured.")
        holds = sorted(p["hold"] for p in points)
        out.append(f"<p>{page.escape(text)}</p>\n" + page.figure(
            draw(plots.lines, [("", {k: v for k, v in drawn.items() if v})], "time inside",
                 "operations/s", [(h, plots.category(h)) for h in holds]),
            "Operations a second of waiters that spin, and of waiters that sleep.",
            page.made(lane, run), list(drawn)))
    return "".join(out) or page.missing("spinning against sleeping", "native", "real")


def granularity(lanes, draw):
    out = []
    for lane, run, points in views(lanes, "granularity"):
        panels, names = [], []
        for cpus in sorted({p["cpus"] for p in points}):
            found = {}
            for p in points:
                if p["cpus"] == cpus and p.rate > 0:
                    one = (p["primitive"] or "table") + (" C" if p["side"] == "c" else "")
                    found.setdefault(one, {})[p["buckets"]] = p.rate
            panels.append((f"{cpus} CPU" + ("s" if cpus > 1 else ""), found))
            names += found
        buckets = sorted({p["buckets"] for p in points})
        out.append(page.figure(
            draw(plots.lines, [p for p in panels if p[1]], "locks", "operations/s",
                 [(b, str(b)) for b in buckets]),
            "A hash table behind one lock (1), and behind one for each part of its buckets.",
            page.made(lane, run), list(dict.fromkeys(names))))
    return "".join(out) or page.missing("one lock against many", "native", "real")


def guarded(lanes, draw):
    out = []
    for lane, run, points in views(lanes, "guarded"):
        points = rust_of(points)
        if not points:
            continue
        most, share = max(p["cpus"] for p in points), share_near(points)
        holds = sorted({p["hold"] for p in points})
        shown = [p for p in points if p["cpus"] == most]
        shares = sorted({p["read"] for p in shown if p["read"] is not None})
        names = list(dict.fromkeys(map(name_of, shown)))
        sizes = sorted({p["size"] for p in points})
        at = f"{sizes[0]} bytes, {most} CPUs"
        shown = [p for p in shown if p["size"] == sizes[0]]
        panels = [(f"{plots.category(h)} inside", series(
            [p for p in shown if p["hold"] == h], "read")) for h in holds]
        out.append(page.figure(
            draw(plots.lines, [p for p in panels if p[1]], "reads, %", "operations/s",
                 [(r, str(r)) for r in shares]),
            f"The same data behind each primitive: {at}. make pick ranks these points.",
            page.made(lane, run), names))
        rows = sorted(([*where(p), p["size"], units.rate(p.rate), units.time(p.cost)]
                       for p in points), key=lambda r: r[0])
        out.append(page.folded(f"All points ({lane.kind})", page.table(
            ["primitive", "CPUs", "inside", "reads", "bytes", "ops/s", "per op"], rows)
            + page.made(lane, run)))
        if len(sizes) > 1:
            panels = [("", series([p for p in points if p["cpus"] == most and p["read"] == share
                                   and p["hold"] == holds[0]], "size"))]
            out.append(page.figure(
                draw(plots.lines, panels, "bytes", "operations/s", [(s, str(s)) for s in sizes]),
                f"Against the size of the data: {share} % reads, {most} CPUs, "
                f"{plots.category(holds[0])} inside.", page.made(lane, run), names))
    return "".join(out) or page.missing("the same data behind every primitive", "native", "real")
