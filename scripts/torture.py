#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Judge a torture run, by its records in a kernel log.

torture.py DIR LANE <LOG follows the log, says what comes, and writes DIR/report.json
and DIR/report.md. A twin that is not caught is a failed test, and so is anything sound
that shows a violation, what could not be made, and a splat that nobody announced. The
last line says "N passed, N failed, N skipped"; the exit status is not zero if anything
failed.
"""

import json
import os
import sys
import time

import results
from bench import follow


def record_of(line):
    """The record in a line of the log, or None."""
    return follow.record_of(line, "torture")


def jain(each):
    """Jain's index of fairness: 1 if all have the same, 1/n if one has all."""
    squares = sum(n * n for n in each)
    return sum(each) ** 2 / (len(each) * squares) if squares else 0.0


def spread(each):
    """The most over the least, or None if somebody has nothing at all."""
    return max(each) / min(each) if each and min(each) else None


def told(record):
    """One line about a record, or None."""
    kind = record["torture"]
    if kind == "begin":
        return (f"{record['subjects']} subjects and {record['twins']} twins on {record['release']}, "
                f"{record['cpus']} CPUs; SEED={record['seed']} does the same again")
    if kind == "twin":
        end = (f"caught after {record['ops']} operations ({', '.join(record['wrong'])})"
               if record["caught"] else f"NOT CAUGHT in {record['ops']} operations")
        return f"twin {record['subject']}/{record['twin']}: {end}, {record['ms']} ms"
    if kind == "skip":
        return f"twin {record['subject']}/{record['twin']}: skipped, {record['why']}"
    if kind == "subject":
        return (f"{record['name']}: {record['ops']} operations, {record['violations']} violations, "
                f"fairness {jain(record['each']):.3f}, longest wait {record['longest_ns']} ns")
    if kind == "failed":
        return f"{record['subject']}: {record['why']}"
    return None


def tests_of(records):
    """What was tested: [{"name", "status", "reason"}]."""
    tests = []

    def add(name, passed, reason=""):
        tests.append({"name": name, "status": "passed" if passed else "failed",
                      **({} if passed else {"reason": reason})})

    begun = ended = twins = subjects = 0
    for r in records:
        kind = r["torture"]
        if kind == "begin":
            begun += 1
            twins += r["twins"]
            subjects += r["subjects"]
        elif kind == "end":
            ended += 1
        elif kind == "twin":
            twins -= 1
            add(f"twin {r['subject']}/{r['twin']}", r["caught"],
                f"not caught in {r['ops']} operations")
        elif kind == "skip":
            twins -= 1
            tests.append({"name": f"twin {r['subject']}/{r['twin']}", "status": "skipped",
                          "reason": r["why"]})
        elif kind == "subject":
            subjects -= 1
            idle = r["ops"] == 0
            add(r["name"], not r["violations"] and not idle,
                "nothing was done" if idle else f"{r['violations']} violations: {r['wrong']}")
        elif kind == "failed":
            add(r["subject"], False, r["why"])
    if not begun or begun != ended:
        add("the run", False, "it did not end" if begun else "it did not begin")
    elif twins or subjects:
        add("the run", False, f"no word of {twins} twins and {subjects} subjects")
    return tests


def summary(records):
    """What becomes report.json, but for the tests."""
    begin = next((r for r in records if r["torture"] == "begin"), {})
    subjects = []
    for r in records:
        if r["torture"] == "subject":
            fair = {"jain": round(jain(r["each"]), 4), "max_over_min": spread(r["each"])}
            subjects.append({**{k: v for k, v in r.items() if k != "torture"}, **fair})

    def of(kind):
        return [{k: v for k, v in r.items() if k != "torture"}
                for r in records if r["torture"] == kind]

    return {"schema": 1, "kernel": begin.get("release", ""), "cpus": begin.get("cpus"),
            "seeds": [r["seed"] for r in records if r["torture"] == "begin"],
            "seconds": begin.get("seconds"), "subjects": subjects, "twins": of("twin"),
            "skipped": of("skip"),
            "children": {k: sum(c[k] for c in of("children")) for k in ("errors", "crashes")}}


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(str(c) for c in row) + " |" for row in rows]


def page(report):
    """report.md."""
    out = [f"# Torture: lane {report['lane']}", "",
           f"Linux {report['kernel']}, {report['cpus']} CPUs, {report['date']}. "
           f"`make torture LANE={report['lane']} SEED={report['seeds'][0] if report['seeds'] else '?'}` "
           "makes the same choices again.",
           f"{report['passed']} passed, {report['failed']} failed, {report['skipped_tests']} skipped. "
           f"Meanwhile {report['children']['errors']} children ended in errors and "
           f"{report['children']['crashes']} crashed.", ""]
    failed = [t for t in report["tests"] if t["status"] == "failed"]
    if failed:
        out += ["## Failed", ""] + [f"- {t['name']}: {t.get('reason', '')}" for t in failed] + [""]
    out += ["## What is sound", "",
            "Fairness is Jain's index of the threads' operations, and the most over the least of "
            "them. The longest wait is that of a thread.", ""]
    out += table(("subject", "operations", "in softirq", "in hardirq", "violations", "Jain",
                  "max/min", "longest wait, ms"),
                 [(s["name"], s["ops"], s["softirq"], s["hardirq"], s["violations"], s["jain"],
                   f"{s['max_over_min']:.2f}" if s["max_over_min"] else "-",
                   f"{s['longest_ns'] / 1e6:.2f}") for s in report["subjects"]])
    out += ["", "## Twins", ""]
    out += table(("subject", "twin", "its mistake", "caught after operations", "in ms", "by"),
                 [(t["subject"], t["twin"], t["what"], t["ops"] if t["caught"] else "**not caught**",
                   t["ms"], ", ".join(t["wrong"])) for t in report["twins"]])
    if report["skipped"]:
        out += [""] + [f"- {s['subject']}/{s['twin']}: skipped, {s['why']}"
                       for s in report["skipped"]]
    return "\n".join(out) + "\n"


def judge(lines, lane, date=""):
    """Everything that counts, as the dictionary that becomes report.json."""
    records = [r for r in map(record_of, lines) if r]
    tests = tests_of(records)
    for splat in results.splats(lines):
        if not splat["announced"]:
            tests.append({"name": f"kernel log, line {splat['line']}", "status": "failed",
                          "reason": splat["text"]})
    count = {s: sum(t["status"] == s for t in tests) for s in ("passed", "failed", "skipped")}
    return {"lane": lane, "date": date, **summary(records), "passed": count["passed"],
            "failed": count["failed"], "skipped_tests": count["skipped"], "tests": tests}


def main(argv):
    if len(argv) != 3:
        sys.exit("usage: torture.py DIR LANE <LOG")
    directory, lane = argv[1:]
    lines = []
    for raw in iter(sys.stdin.buffer.readline, b""):
        lines.append(raw.decode("utf-8", "replace").replace("\r\n", "\n"))
        record = record_of(lines[-1])
        text = record and told(record)
        if text:
            print(text, flush=True)
    report = judge(lines, lane, date=time.strftime("%Y-%m-%d"))
    with open(os.path.join(directory, "report.json"), "w", encoding="utf-8") as file:
        json.dump(report, file, indent=1)
        file.write("\n")
    with open(os.path.join(directory, "report.md"), "w", encoding="utf-8") as file:
        file.write(page(report))
    for test in report["tests"]:
        if test["status"] == "failed":
            print(f"FAILED {test['name']}: {test.get('reason', '')}")
    print(f"{report['passed']} passed, {report['failed']} failed, "
          f"{report['skipped_tests']} skipped")
    return 1 if report["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
