# SPDX-License-Identifier: GPL-2.0
"""Judges records of a benchmark: bench.py FILE [EXPRESSION...]

The file has one JSON object a line. They must be as many as was announced, the
first and the last what they should be, none too long, and nothing left out.
Names in the expressions: records, pairs, points, cpus (how many there were), and
counts(point, side), which is how many points there are like this one but for
what was measured.
"""

import json
import sys

MOST = 900
KEYS = ("curve", "primitive", "cpus", "hold", "read", "size", "buckets")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        lines = file.read().splitlines()
    records = [json.loads(line) for line in lines]
    points = [r for r in records if r["bench"] == "point"]

    def counts(point, side):
        keys = [point.get(key) for key in KEYS]
        return sum(p["side"] == side and [p.get(key) for key in KEYS] == keys for p in points)

    names = {
        "records": records,
        "pairs": [r for r in records if r["bench"] == "pair"],
        "points": points,
        "counts": counts,
        "cpus": records[0].get("cpus", 1) if records else 1,
    }
    wrong = []
    if [r["bench"] for r in records if r["bench"] in ("begin", "end")] != ["begin", "end"]:
        wrong.append("not one beginning and one end")
    elif records[0]["bench"] != "begin" or records[-1]["bench"] != "end":
        wrong.append("something before the beginning or after the end")
    elif records[0]["figures"] + 2 != len(records):
        wrong.append(f"{records[0]['figures']} figures announced, {len(records)} records")
    if len(max(lines, key=len)) > MOST:
        wrong.append(f"longer than {MOST} bytes: {max(lines, key=len)}")
    skipped = [r for r in records if r["bench"] == "skip"]
    if skipped:
        wrong.append(f"skipped: {skipped}")
    for expression in sys.argv[2:]:
        # Names as globals, so that comprehensions see them too.
        if not eval(expression, dict(names)):  # pylint: disable=eval-used
            wrong.append(f"not true: {expression}")
    if wrong:
        sys.exit("; ".join(wrong))


main()
