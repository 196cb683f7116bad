# SPDX-License-Identifier: GPL-2.0
"""Sections of the report that are about costs: ratios, messages, children, goals."""

import os
import re

from bench import contention, goals, page, plots, primitives, ratios, records, units

SYNC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "sync.rs")
CAUSES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "causes.txt")
# Types that guard nothing, and what their measurements are called.
OTHERS = {"completion": "Completion", "condvar": "CondVar", "wake_nobody": "CondVar",
          "barrier": "barrier", "smp_": "barrier", "acquire_release": "barrier",
          "ordered": "Ordered", "percpu_add": "PerCpuCounters", "percpu_counter": "PerCpuCounters"}


def goal_table(lanes, all_ratios):
    try:
        with open(CAUSES, encoding="utf-8") as file:
            causes = goals.read_causes(file)
    except OSError:
        causes = {}
    signs = {goals.MET: "met", goals.MISSED: "missed", goals.MISSING: "open"}
    rows, details = [], []
    for goal in goals.goals(lanes, all_ratios):
        status = page.Raw(f'<span class="{signs[goal.status]}">{goal.status}</span>')
        lane = goal.lane or "-"
        rows.append([goal.figure, goal.goal, goal.measured, lane, status,
                     goal.cause(causes) or "-"])
        if len(goal.parts) > 1:
            parts = [[name, text, "met" if met else "not met"]
                     for name, text, met, _ in goal.parts]
            details.append(f"<h3>{page.escape(goal.figure)}</h3>" + page.table(
                ["of", "measured", ""], parts, words=3))
    used = [lanes[k] for k in lanes if any(k in row[3] for row in rows)]
    return (page.table(["figure", "goal", "measured", "lane", "", "cause"], rows, words=6,
                       classes="goals")
            + page.folded("What each goal was measured by", "".join(details))
            + "".join(page.made(lane) for lane in used))


def which_rows(lines):
    """(you have, take, why) of the table "Which one when" in src/sync.rs."""
    rows, inside = [], False
    for line in lines:
        text = line.strip()
        if text.startswith("//! # "):
            inside = text == "//! # Which one when"
        elif inside and text.startswith("//! |"):
            cells = [c.strip() for c in text[len("//! |"):].rstrip("|").split("|")]
            if len(cells) == 3 and cells[1] != "take" and not set(cells[0]) <= {"-"}:
                rows.append(cells)
    return rows


def plain_words(markdown):
    """Links and code as the words that they show."""
    text = re.sub(r"\[([^\]]*)\](\([^)]*\))?", r"\1", markdown)
    return text.replace("`", "")


def is_about(name, type_):
    """Whether a measurement is about a type."""
    for word, other in OTHERS.items():
        if name.startswith(word):
            return other == type_
    base = primitives.base(name)
    return base is not None and primitives.PRIMITIVES[base].type == type_


# The halves of what has two in C.
HALVES = {"read_lock": "read", "write_lock": "write", "down_read": "read", "down_write": "write"}


def part_of(name, type_):
    """What of a type was measured: "read" of rwlock_read, "mutex write" of seqcount_mutex_write."""
    words = [*primitives.of_type(type_), *primitives.ALIASES, *(w.strip("_") for w in OTHERS)]
    # Of its own names the shortest, so that its variants keep what tells them apart.
    word = next((w for w in sorted(words, key=len)
                 if name.startswith(w) and (w in OTHERS or w in primitives.of_type(type_))),
                next((w for w in sorted(words, key=len, reverse=True) if name.startswith(w)), ""))
    return HALVES.get(word, name[len(word):].strip("_ /").replace("_", " "))


def fast_points(lanes):
    """The contended points of the best lane, on the most CPUs, with nothing to do inside."""
    for _, _, points in contention.views(lanes, "contended"):
        points = contention.rust_of(points)
        if points:
            most, least = max(p["cpus"] for p in points), min(p["hold"] for p in points)
            points = contention.at_share(points, contention.share_near(points))
            return most, [p for p in points if p["cpus"] == most and p["hold"] == least]
    return None, []


def which_table(lanes, all_ratios):
    """The words of src/sync.rs with this machine's figures."""
    with open(SYNC, encoding="utf-8") as file:
        words = which_rows(file)
    best = next((lane.kind for lane in records.timed(lanes)), None)
    most, points = fast_points(lanes)
    rows = []
    for have, take, why in words:
        instructions, times, contended = [], [], []
        types = [t.split("::")[-1] for t in re.findall(r"\[`([^`]+)`\]", take)]
        for type_ in types:
            label = f"{type_} " if len(types) > 1 else ""
            about = [r for r in all_ratios if r["rival_name"] == "c" and is_about(r["name"], type_)]
            named = list(dict.fromkeys(r["name"] for r in about))
            for name in named:
                here = f"{label}{part_of(name, type_)} ".strip()
                here = here + " " if here and (len(named) > 1 or len(types) > 1) else ""
                exact = {r["inline"]: r for r in about if (r["kind"], r["name"]) == ("exact", name)}
                if exact:
                    c = next(iter(exact.values()))["rival"]
                    instructions.append(f"{here}{c:.0f} · " + " · ".join(
                        f"{exact[i]['rust']:.0f}" if i in exact else "-" for i in (0, 1)))
                times += [f"{here}{units.digits(r['rust'])}"
                          for r in about if (r["kind"], r["name"]) == (best, name)][-1:]
            contended += [f"{label}{units.rate(p.rate)}"
                          for p in points if is_about(p["primitive"], type_)][:1]
        lines = [page.Raw("<br>".join(map(page.escape, c)) or "-")
                 for c in (instructions, times, contended)]
        rows.append([plain_words(have), plain_words(take), plain_words(why), *lines])
    heads = ["you have", "take", "why", "instructions: C · Rust · INLINE=1",
             f"ns, alone ({best or 'not measured'})",
             f"ops/s, {most} CPUs" if most else "ops/s (not measured)"]
    hows = "".join(page.made(lane) for kind, lane in lanes.items())
    return page.table(heads, rows, words=3, classes="which") + (
        '<p class="note">The least of what fits, from <code>src/sync.rs</code>. '
        "As a rule of thumb: if the wait is shorter than two context switches, spin.</p>\n"
    ) + hows + (
        "" if lanes else page.missing("any of its figures", "exact", "native"))


def exact_table(lanes, all_ratios):
    found = ratios.select(all_ratios, kind="exact")
    if not found:
        return page.missing("instructions of an operation", "exact")
    rows = {}
    for r in found:
        key = (r["name"], r["what"], "C" if r["rival_name"] == "c" else r["rival_name"])
        rows.setdefault(key, {})[r["inline"]] = r
    cells = []
    for key, here in rows.items():
        row = list(key)
        for i in (0, 1):
            if i not in here:
                row += ["-", "-", "-"]
                continue
            # The goal is for what the same C does, where helpers are no calls.
            shown = mark(here[i]["ratio"]) if i and key[2] == "C" else f"{here[i]['ratio']:.3f}"
            row += [f"{here[i]['rival']:.1f}", f"{here[i]['rust']:.1f}", shown]
        cells.append(row)
    lane = lanes["exact"]
    loops = ", ".join(f"{cost:.1f} of {side}'s loop" for side, cost in lane.loops().items())
    note = (f"least of {min(r['rounds'] for r in found)} rounds; "
            f"{loops or 'the loop around it'} in each figure")
    return page.table(["operation", "", "against", "C", "Rust", "ratio", "C, INLINE=1",
                       "Rust, INLINE=1", "ratio"], cells, words=3) + "".join(
        page.made(lane, run, note=note) for run in distinct(lane)) + "".join(
        page.missing(f"a build {build}", "exact") for i, build in ((0, "by plain Kbuild"),
                                                                   (1, "with INLINE=1"))
        if not ratios.select(found, inline=i))


def distinct(lane):
    """One run of each build that has pairs."""
    return list({run.inline: run for run, _ in lane.pairs()}.values())


def mark(ratio, limit=1.02):
    return page.Raw(f'<span class="{"met" if ratio <= limit else "missed"}">{ratio:.3f}</span>')


def timed_ratios(lanes, all_ratios, draw):
    out = []
    for lane in records.timed(lanes):
        kind = lane.kind
        for inline in (0, 1):
            found = [r for r in ratios.select(all_ratios, kind=kind, inline=inline)
                     if not goals.statistics_mode(r)]
            if not found:
                continue
            run = next(run for run, _ in lane.pairs() if run.inline == inline)
            rows = [(goals.label(r), r["ratio"], *r["spread"],
                     "rust" if r["ratio"] > 1.02 else "c") for r in found]
            near = [r for r in rows if r[1] < 3]
            rounds = min(r["rounds"] for r in found)
            if near:
                out.append(page.figure(
                    draw(plots.comparison, near, "time of Rust ÷ time of its rival", [1.0, 1.02]),
                    "Median of the ratios of the rounds, and their interquartile range; dashed: "
                    "1.00 and 1.02.", page.made(lane, run, rounds)))
            cells = [[goals.label(r), r["what"], units.time(r["rust"]), units.time(r["rival"]),
                      mark(r["ratio"]) if r["rival_name"] == "c" else f"{r['ratio']:.3f}",
                      f"{r['spread'][0]:.3f} to {r['spread'][1]:.3f}"]
                     for r in found]
            out.append(page.folded(f"These ratios as a table ({kind})", page.table(
                ["operation", "", "Rust", "rival", "ratio", "interquartile range"], cells, words=2)
                + page.made(lane, run, rounds)))
    return "".join(out) or page.missing("time of Rust against C", "native", "real")


def made_of(lane):
    """Rows of what is measured elsewhere, and is a floor as well."""
    for run, r in lane.pairs():
        if (r["name"], r["rival"]) == ("atomic_add", "c"):
            yield row_of(run, "atomic increment, in C, and its loop",
                         [x / r["ops"] for x in r["c"]])
    for points in lane.curve("roundtrip").values():
        for p in points:
            if p["how"] == "ping_pong":
                yield row_of(p.run, "ping_pong: a cache line to another CPU and back",
                             [r["ns"] / r["ops"] for r in p.records])


def row_of(run, name, each):
    unit = run.begin.get("unit", "")
    low, high = ratios.quartiles(sorted(each))
    show = units.time if unit == "ns" else (lambda x: f"{x:.1f}")
    return [name + (" (INLINE=1)" if run.inline else ""), unit if unit != "ns" else "", show(min(each)),
            show(sorted(each)[len(each) // 2]), f"{show(low)} to {show(high)}"]


def floors(lanes):
    out = []
    for lane in lanes.values():
        rows = [row_of(run, r["name"], [x / r["ops"] for x in r["rounds"]])
                for run, r in lane.floors()]
        rows += made_of(lane)
        if rows:
            out.append(page.table(["floor", "", "least", "median", "interquartile range"], rows,
                                  words=2) + page.made(lane))
    return "".join(out) or page.missing("the floor", "exact", "native")


def messages(lanes, draw):
    out = []
    for lane, run, every in contention.views(lanes, "messages"):
        for wait in dict.fromkeys(p["wait"] for p in every):
            points = [p for p in every if p["wait"] == wait]
            how = f" ({lane.kind}; who waits {wait}s)" if wait else f" ({lane.kind})"
            out.append(messages_of(lane, run, points, how, draw))
    return "".join(out) or page.missing("messages a second", "native", "real")


def messages_of(lane, run, points, how, draw):
    """All mailboxes, where both sides wait for each other in one way."""
    batches = sorted({p["batch"] for p in points})
    names = list(dict.fromkeys(p["mailbox"] for p in points))
    panels, cells = [], []
    for n in sorted({p["senders"] for p in points}):
        here = [p for p in points if p["senders"] == n]
        found = {name: {p["batch"]: p.rate for p in here if p["mailbox"] == name and p.rate}
                 for name in names}
        panels.append((f"{n} sender{'s' if n > 1 else ''} → 1 receiver",
                       {name: rates for name, rates in found.items() if rates}))
        cells += [[name, f"{n}→1", *(f"{units.rate(rates[b])} · {units.digits(1e9 / rates[b])}"
                                     if b in rates else "-" for b in batches)]
                  for name, rates in found.items()]
    return page.figure(
        draw(plots.lines, [p for p in panels if p[1]], "messages at once", "messages/s",
             [(b, str(b)) for b in batches], columns=3),
        f"Messages a second{how}; medians of repeats that took turns.", page.made(lane, run),
        names) + page.folded(f"Messages/s · ns per message{how}", page.table(
            ["", "", *(f"batch {b}" for b in batches)], cells, words=2) + page.made(lane, run))


def round_trips(lanes, draw):
    out = []
    for lane, run, points in contention.views(lanes, "roundtrip"):
        rows = [(p["how"], p.cost, p["how"]) for p in points if p.cost]
        if rows:
            out.append(page.figure(draw(plots.bars, rows, "one round trip"),
                                   "There and back; median of the repeats.", page.made(lane, run)))
    return "".join(out) or page.missing("round trips", "native", "real")


def children(lanes, draw):
    out, siblings = [], []
    for lane, run, points in contention.views(lanes, "children"):
        rows = [(p["what"], [p.median("p50"), p.median("max")], p["what"]) for p in points]
        out.append(page.figure(
            draw(plots.ranges, rows, "time", (7, 5)), "● median, ■ longest: spawn to the first "
            "instruction, stop, error to running again.", page.made(lane, run)))
        cells = [[p["what"], p["n"] or "-", units.time(p.median("p50")),
                  units.time(p.median("max"))] for p in points]
        out.append(page.table(["", "times", "median", "longest"], cells) + page.made(lane, run))
    for lane, run, points in contention.views(lanes, "siblings"):
        cells = [[p["how"] or "-", p["cpus"] or "-", units.rate(p.median("before")),
                  units.rate(p.median("during")),
                  f"{p.median('during') / p.median('before'):.3f}"] for p in points]
        siblings.append(page.table(["fails by", "CPU", "ops/s before", "ops/s meanwhile", "ratio"],
                                   cells, words=2) + page.made(lane, run))
    return ("".join(out) or page.missing("spawn, stop, restart", "native", "real")) \
        + "<h3>Siblings of a child that fails once a second</h3>\n" \
        + ("".join(siblings) or page.missing("siblings", "native", "real"))


def modes(lanes, all_ratios):
    rows, hows = [], {}
    for r in all_ratios:
        mode = goals.statistics_mode(r)
        if mode:
            against = "not compiled in" if mode == "off" else "off"
            show = units.time if r["unit"] == "ns" else (lambda x: f"{x:.1f} instr.")
            rows.append([f"{mode} against {against}", r["name"], r["kind"],
                         "INLINE=1" if r["inline"] else "plain", show(r["rust"]), show(r["rival"]),
                         f"{r['ratio']:.3f}", f"{r['spread'][0]:.3f} to {r['spread'][1]:.3f}"])
            hows[r["kind"]] = page.made(lanes[r["kind"]], rounds=r["rounds"])
    if not rows:
        return page.missing("what statistics cost", "exact", "native")
    return page.table(["statistics", "", "lane", "build", "with", "without", "ratio", "spread"],
                      rows, words=4) + "".join(hows.values())
