#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""make report: bench.json, bench.csv and report.html of what was measured so far.

    report.py BENCH        BENCH is build/bench, where the lanes' records are
"""

import json
import os
import string
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from bench import contention, output, page, ratios, records, sections, waiters  # noqa: E402

TEMPLATE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "template.html")


def lane_table(lanes):
    """What was run, and how it ended."""
    rows = []
    for kind in records.LANES:
        command = page.Raw(f"<code>{records.COMMANDS[kind]}</code>")
        if kind not in lanes:
            rows.append([kind, page.LANES[kind], "-", "-", "-", command, "not run yet"])
            continue
        lane = lanes[kind]
        releases = dict.fromkeys([r.begin.get("release", "?") for r in lane.runs]
                                 or [lane.facts.get("kernel", "?")])
        cpus = dict.fromkeys([str(r.begin.get("cpus", "?")) for r in lane.runs]
                             or [lane.facts.get("cpus", "?")])
        notes = [] if lane.runs else ["the benchmarks have not run"]
        if lane.interrupted():
            notes.append("interrupted: " + ", ".join(lane.interrupted()))
        if lane.problems:
            notes.append(f"{len(lane.problems)} records that could not be read")
        rows.append([kind, page.LANES[kind], ", ".join(releases), ", ".join(cpus),
                     lane.about["date"], page.Raw(f"<code>{page.escape(lane.command)}</code>"),
                     page.Raw(page.escape("; ".join(notes) or "complete") + page.badge(lane))])
    return page.table(["lane", "what it is", "kernel", "CPUs", "date", "command", "state"],
                      rows, words=7, classes="lanes")


def left_out(lanes):
    """What could not be measured, and what could not be read."""
    rows = [[kind, name, why] for kind, lane in lanes.items() for name, why in lane.skipped()]
    rows += [[kind, "records", problem] for kind, lane in lanes.items()
             for problem in lane.problems]
    return page.table(["lane", "what", "why"], rows, words=3) if rows else "<p>Nothing.</p>"


def build(lanes, all_ratios, about, draw):
    """The page."""
    parts = [
        ("goals", "Goals", sections.goal_table(lanes, all_ratios)),
        ("which", "Which one when", sections.which_table(lanes, all_ratios)),
        ("exact", "Rust against C: instructions", sections.exact_table(lanes, all_ratios)),
        ("ratios", "Rust against C: time", sections.timed_ratios(lanes, all_ratios, draw)),
        ("floor", "The floor", sections.floors(lanes)),
        ("throughput", "Contention: throughput", contention.throughput(lanes, draw)),
        ("waits", "Contention: waits and fairness", contention.waiting(lanes, draw)),
        ("who", "Contention: who waits", waiters.who_waits(lanes)),
        ("handover", "Contention: hand-over", contention.handover(lanes)),
        ("crossover", "Spin or sleep", contention.crossover(lanes, draw)),
        ("granularity", "One lock or many", contention.granularity(lanes, draw)),
        ("guarded", "The same data behind each", contention.guarded(lanes, draw)),
        ("messages", "Messages", sections.messages(lanes, draw)),
        ("roundtrips", "Round trips", sections.round_trips(lanes, draw)),
        ("children", "Child kernels", sections.children(lanes, draw)),
        ("statistics", "What statistics cost", sections.modes(lanes, all_ratios)),
        ("left-out", "What was left out", left_out(lanes)),
    ]
    memory = f", {about['memory_mib'] / 1024:.1f} GiB" if about["memory_mib"] else ""
    with open(TEMPLATE, encoding="utf-8") as file:
        template = string.Template(file.read())
    return template.substitute(
        machine=page.escape(f"{about['model']}, {about['cpus']} CPUs{memory}, "
                            f"kernel {about['kernel']}"),
        lanes=lane_table(lanes),
        contents="".join(f'<li><a href="#{key}">{title}</a></li>' for key, title, _ in parts),
        body="".join(f'<section id="{key}"><h2>{title}</h2>\n{content}</section>\n'
                     for key, title, content in parts))


def write(path, text):
    """All of it or nothing."""
    with open(path + ".part", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".part", path)


def main(argv):
    if len(argv) != 2:
        print("usage: report.py BENCH", file=sys.stderr)
        return 2
    top = argv[1]
    lanes = records.load(top)
    if not lanes:
        print(f"no measurements below {top} yet: {', '.join(records.COMMANDS.values())} make them",
              file=sys.stderr)
        return 1
    all_ratios, about = ratios.ratios(lanes), output.machine()
    data = output.bench_json(lanes, all_ratios, about)
    write(os.path.join(top, "bench.json"), json.dumps(data, indent=1) + "\n")
    write(os.path.join(top, "bench.csv"), output.bench_csv(lanes, all_ratios))
    write(os.path.join(top, "report.html"), build(lanes, all_ratios, about, page.Figures()))
    for kind, lane in lanes.items():
        for problem in lane.problems:
            print(f"left out: {problem}", file=sys.stderr)
        if lane.interrupted():
            print(f"{kind}: interrupted, what it had is in the report", file=sys.stderr)
    print(f"report: {top}/report.html, bench.csv, bench.json (lanes: {', '.join(lanes)})")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
