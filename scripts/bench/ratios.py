# SPDX-License-Identifier: GPL-2.0
"""Figures from rounds: what an operation costs, and how two sides compare."""

import statistics

SPREADS = {"exact": "least to most of the per-round ratios",
           "native": "interquartile range of the per-round ratios",
           "real": "interquartile range of the per-round ratios"}


def quartiles(values):
    """The first and the third; of one value, that value twice."""
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def jain(each):
    """Jain's index of fairness: 1 is fair, 1/n is one of n alone."""
    squares = sum(x * x for x in each)
    return sum(each) ** 2 / (len(each) * squares) if squares else None


def ratio(kind, run, record, loop=None):
    """One comparison, as it stands in bench.json.

    Instructions repeat, so their least is the figure; what disturbs a round can
    only add. `loop` is what the loop around the C side costs by itself: it is
    stated, and in the figures. Times vary, so each round is compared with the
    one beside it.
    """
    rust, rival, ops = record["rust"], record["c"], record["ops"]
    each = [a / b for a, b in zip(rust, rival)]
    if kind == "exact":
        mine, other = min(rust) / ops, min(rival) / ops
        value, spread = mine / other, [min(each), max(each)]
    else:
        mine, other = statistics.median(rust) / ops, statistics.median(rival) / ops
        value, spread = statistics.median(each), list(quartiles(each))
    return {
        "name": record["name"],
        "what": record.get("what", ""),
        "kind": kind,
        "rust": mine,
        "rival": other,
        "rival_name": record["rival"],
        "ratio": value,
        "spread": spread,
        "spread_is": SPREADS[kind],
        "unit": run.begin.get("unit", "instructions" if kind == "exact" else "ns"),
        "loop": loop,
        "rounds": len(rust),
        "ops": ops,
        "inline": run.inline,
        "cpus": run.begin.get("cpus"),
        "release": run.begin.get("release", ""),
    }


def ratios(lanes):
    """Of all lanes, in the order in which they were measured."""
    found = []
    for kind, lane in lanes.items():
        for run, record in lane.pairs():
            loop = lane.floor("loop_c", run.inline)
            found.append(ratio(kind, run, record, loop))
    return found


def select(found, **wanted):
    """Those whose fields have these values."""
    return [r for r in found if all(r[k] == v for k, v in wanted.items())]
