# SPDX-License-Identifier: GPL-2.0
"""Random events for the supervisor, and its mutants, by a program that does both."""

import json

from model.interleave import Run

LIMIT_S = 600


def run(program, cases, report):
    """Runs it, and reports what it says."""
    done = Run([program, str(cases)], LIMIT_S)
    said = []
    for line in done.out.splitlines():
        said.append(json.loads(line))
        judge(said[-1], report)
    if done.status != 0:
        why = "time limit" if done.status is None else done.reason()
        report.result("supervisor by random events", False, why)
    elif not any("mutant" in line for line in said):
        report.result("mutants of the supervisor", False, "there are none")


def judge(said, report):
    """One line of what it says."""
    # What is smallest of a failure comes at the end.
    note = said["said"]
    if "mutant" not in said:
        report.result("supervisor by random events: its invariants hold", said["held"],
                      f"{said['cases']} sequences, {note}" if said["held"] else note)
        return
    name = f"mutant of the supervisor {said['mutant']}: {said['breaks']}"
    report.result(name, said["caught"], "" if said["caught"] else f"not caught: {note}")
