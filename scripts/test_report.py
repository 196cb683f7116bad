#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""One report of all test runs that there are results of.

test_report.py DIR VERSIONS TREE prints a table of the runs below DIR (folders with
a results.json, see results.py, or a report.json, see torture.py), and writes DIR/report.md: that table, what was
skipped and why, what failed, the reports that runs have written about themselves
(report.md in their folders), and the versions of everything.
"""

import json
import os
import sys


def read_runs(top):
    """[(name, results)] of every folder below top that has some, by name."""
    runs = []
    for folder, folders, files in os.walk(top):
        folders.sort()
        found = [file for file in ("results.json", "report.json") if file in files]
        if not found:
            continue
        try:
            with open(os.path.join(folder, found[0]), encoding="utf-8") as file:
                results = json.load(file)
            name = os.path.relpath(folder, top)
            skipped = "skipped_tests" if "skipped_tests" in results else "skipped"
            counts = [int(results[key]) for key in ("passed", "failed", skipped)]
            tests = [dict(test) for test in results["tests"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            name, counts = os.path.relpath(folder, top), [0, 1, 0]
            tests = [{"name": found[0], "status": "failed", "reason": str(error)}]
            results = {}
        runs.append((name, {
            "kernel": results.get("kernel", ""), "accel": results.get("accel", ""),
            "counts": counts, "tests": tests, "splats": results.get("splats", []),
        }))
    return sorted(runs)


def log_verdict(splats):
    """What the kernel logs of a run have in them."""
    announced = sum(bool(splat.get("announced")) for splat in splats)
    others = len(splats) - announced
    if others:
        return f"{others} splats"
    return f"clean, {announced} on purpose" if announced else "clean"


def table(runs):
    rows = [("run", "kernel", "by", "passed", "failed", "skipped", "kernel log")]
    for name, run in runs:
        rows.append((name, run["kernel"] or "-", run["accel"] or "-",
                     *(str(n) for n in run["counts"]), log_verdict(run["splats"])))
    return rows


def as_text(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
                     for row in rows)


def as_markdown(rows):
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines)


def listed(runs, status):
    """Lines of the tests with this status: run, test, reason."""
    return [f"- {name}: {test['name']}" + (f": {test['reason']}" if test.get("reason") else "")
            for name, run in runs for test in run["tests"] if test["status"] == status]


def own_reports(top):
    """[(name, text)] of what runs have written about themselves."""
    found = []
    for folder, folders, files in os.walk(top):
        folders.sort()
        if folder != top and "report.md" in files:
            with open(os.path.join(folder, "report.md"), encoding="utf-8",
                      errors="replace") as file:
                found.append((os.path.relpath(folder, top), file.read().strip()))
    return sorted(found)


def lowered(text):
    """Its headings, two levels down: it becomes a part of another page."""
    return "\n".join("##" + line if line.startswith("#") else line for line in text.split("\n"))


def report(runs, parts, versions, tree):
    out = ["# Test report", "", f"Tree {tree}.", "", as_markdown(table(runs))]
    for status, title in (("failed", "Failed"), ("skipped", "Skipped")):
        lines = listed(runs, status)
        out += ["", f"## {title}", "", *(lines or ["None."])]
    for name, text in parts:
        out += ["", f"## {name}", "", lowered(text)]
    out += ["", "## Versions", "", *("    " + line for line in versions), ""]
    return "\n".join(out)


def main(argv):
    if len(argv) != 4:
        sys.exit("usage: test_report.py DIR VERSIONS TREE")
    top, versions, tree = argv[1:]
    runs = read_runs(top)
    if not runs:
        sys.exit(f"no results below {top}: run make test first")
    try:
        with open(versions, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except OSError:
        lines = ["unknown"]
    path = os.path.join(top, "report.md")
    with open(path, "w", encoding="utf-8") as file:
        file.write(report(runs, own_reports(top), lines, tree))
    print(as_text(table(runs)))
    print(f"the report is {path}")


if __name__ == "__main__":
    main(sys.argv)
