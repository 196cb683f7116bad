#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What make model runs, and what it says: see scripts/model.sh.

    main.py TOP RESULTS litmus                  writes the litmus tests, for herd7
    main.py TOP RESULTS run BINARIES CASES [--write]
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from model import interleave, litmus, orderings, supervisor  # noqa: E402
from model.report import Report  # noqa: E402

LISTED = "selftests/model/orderings.txt"


def report_mutants(found, named, listed, report):
    """One result for each: needed, or unproven and known to be."""
    for (place, to), (model, why) in sorted(found.items(),
                                            key=lambda m: (orderings.sort_key(m[0][0]), m[0][1])):
        name = f"ordering is needed: {named[place]} -> {to}"
        if model:
            report.result(name, True, f"{model}: {why}")
        elif listed.is_proven((named[place], to)):
            report.result(name, False, why)
        else:
            report.skip(name, f"unproven: {why}")


def run_orderings(top, results, binaries, write, report):
    """Models, mutants, and the list of what each ordering is needed for."""
    models = interleave.Interleave(os.path.join(binaries, "interleave"), report,
                                   interleave.workers())
    models.run_models()

    def read(file):
        with open(os.path.join(top, file), encoding="utf-8") as source:
            return source.read().splitlines()

    found = models.run_mutants()
    named = orderings.names(models.places, read)
    now = orderings.List.of(found, named)
    path = os.path.join(top, LISTED)
    if write:
        with open(path, "w", encoding="utf-8") as file:
            file.write(now.text())
    try:
        with open(path, encoding="utf-8") as file:
            listed = orderings.List.read(file.read())
    except FileNotFoundError:
        listed = orderings.List({})
    report_mutants(found, named, listed, report)
    missed = orderings.not_met(models.places, top)
    for line in missed:
        report.skip(f"ordering is met: {line}", "no model meets it")
    differences = listed.differences(now)
    report.result(f"orderings are as {LISTED} says", not differences,
                  "; ".join(differences) and f"{'; '.join(differences)} (make model WRITE=1)")
    pairs = models.run_pairs(found)
    page = os.path.join(results, "orderings.md")
    with open(page, "w", encoding="utf-8") as file:
        file.write(orderings.table(found, pairs, missed, named))
    report.say(f"orderings and what each is needed for: {os.path.relpath(page, top)}")


def main(argv):
    if len(argv) < 4:
        sys.exit(__doc__)
    top, results, command = argv[1:4]
    tests = litmus.in_tree(top)
    directory = os.path.join(results, "litmus")
    if command == "litmus":
        litmus.write(tests, directory)
        return 0
    binaries, cases = argv[4:6]
    report = Report(results, sys.stdout)
    supervisor.run(os.path.join(binaries, "supervisor"), int(cases), report)
    litmus.judge(tests, directory, report)
    run_orderings(top, results, binaries, "--write" in argv, report)
    good = report.end()
    report.close()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
