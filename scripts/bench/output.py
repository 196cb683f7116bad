# SPDX-License-Identifier: GPL-2.0
"""bench.json and bench.csv: what was measured, for programs."""

import csv
import io
import os
import platform

from bench import records

CSV_HEAD = ("kind", "release", "inline", "figure", "name", "side", "rival", "cpus", "hold", "read",
            "size", "buckets", "senders", "batch", "how", "repeat", "metric", "value", "unit", "who")
WAITS = ("p50", "p99", "p999", "max")
# What the records of a load have measured, and in which unit.
LOADS = {
    "contention": {"ns": "ns", "contended": "", "acquisitions": "", "total_ns": "ns",
                   "max_ns": "ns", "avg_ns": "ns", "p50_ns": "ns", "p99_ns": "ns"},
    "stat": {"ns": "ns", "ops": "", "context_switches": "", "cpu_migrations": "", "cycles": "",
             "instructions": "", "transitions": ""},
}


def machine():
    """The machine that this runs on, which is the one that measured."""
    model, memory = "", 0
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = next((line.split(":", 1)[1].strip() for line in file
                          if line.startswith("model name")), "")
        with open("/proc/meminfo", encoding="utf-8") as file:
            memory = next((int(line.split()[1]) // 1024 for line in file
                           if line.startswith("MemTotal")), 0)
    except OSError:
        pass
    return {"model": model or platform.machine(), "cpus": os.cpu_count(), "memory_mib": memory,
            "kernel": platform.release()}


def bench_json(lanes, all_ratios, about):
    """The dictionary that becomes bench.json."""
    curves, floors = [], []
    for kind, lane in lanes.items():
        for name in records.CURVES:
            for inline, points in sorted(lane.curve(name).items()):
                begin = points[-1].run.begin
                curves.append({
                    "name": name, "kind": kind, "inline": inline,
                    "release": begin.get("release", ""), "cpus": begin.get("cpus"),
                    "points": [{k: v for k, v in r.items() if k not in ("bench", "curve")}
                               for p in points for r in p.records]})
        floors += [{"name": r["name"], "kind": kind, "inline": run.inline,
                    "unit": run.begin.get("unit", ""), "least": min(r["rounds"]) / r["ops"],
                    "rounds": len(r["rounds"]), "ops": r["ops"]} for run, r in lane.floors()]
    return {
        "schema": 1,
        "machine": {**about, "lanes": {kind: {
            **lane.about, "command": lane.command, "hardware": lane.hardware,
            "interrupted": lane.interrupted(), "problems": lane.problems,
            "skipped": [{"name": n, "why": w} for n, w in lane.skipped()],
        } for kind, lane in lanes.items()}},
        "ratios": all_ratios,
        "floors": floors,
        "curves": curves,
        "loads": {what: [{"kind": kind, **{k: v for k, v in r.items() if k != "bench"}}
                         for kind, lane in lanes.items() for r in lane.loads[what]]
                  for what in LOADS},
    }


def point_metrics(record):
    """(metric, value, unit) of all that was measured at a point."""
    for field, value in record.items():
        if isinstance(value, bool) or value is None or isinstance(value, str):
            continue
        if field == "each":
            yield "ops_per_s", sum(value) * 1e9 / record["ns"], "1/s"
            for n, one in enumerate(value):
                yield f"ops_of_thread_{n}", one, ""
        elif field in ("wait", "wait_read", "wait_write", "handed"):
            for name, one in zip(WAITS, value):
                yield f"{field}_{name}", one, "ns"
        elif field in ("spinlock", "mutex"):
            yield f"{field}_ops_per_s", value * 1e9 / record["ns"], "1/s"
        elif field == "ops":
            yield "ops_per_s", value * 1e9 / record["ns"], "1/s"
        elif field in ("starve", "irqsoff", "p50", "max", "mean"):
            yield field, value, "ns"
        elif field in ("before", "during"):
            yield field, value, "1/s"
        elif field in ("switches", "reads", "writes", "times"):
            yield field, value, ""


def column(curve, field):
    """Where in a row it stands what a point is about."""
    if field in ("primitive", "mailbox", "what") or (curve, field) == ("roundtrip", "how"):
        return "name"
    return "how" if field == "wait" else field


def csv_rows(lanes, all_ratios):
    """Dictionaries, a figure each."""
    for r in all_ratios:
        one = {"kind": r["kind"], "release": r["release"], "inline": r["inline"], "figure": "pair",
               "name": r["name"], "rival": r["rival_name"], "cpus": r["cpus"]}
        yield {**one, "side": "rust", "metric": "per_op", "value": r["rust"], "unit": r["unit"]}
        yield {**one, "side": r["rival_name"], "metric": "per_op", "value": r["rival"],
               "unit": r["unit"]}
        for metric, value in (("ratio", r["ratio"]), ("ratio_low", r["spread"][0]),
                              ("ratio_high", r["spread"][1])):
            yield {**one, "metric": metric, "value": value}
    for kind, lane in lanes.items():
        for run, r in lane.floors():
            yield {"kind": kind, "release": run.begin.get("release", ""), "inline": run.inline,
                   "figure": "floor", "name": r["name"], "cpus": run.begin.get("cpus"),
                   "metric": "per_op_least", "value": min(r["rounds"]) / r["ops"],
                   "unit": run.begin.get("unit", "")}
        for curve, fields in records.CURVES.items():
            for inline, points in sorted(lane.curve(curve).items()):
                for p in points:
                    for repeat, record in enumerate(p.records):
                        one = {"kind": kind, "release": p.run.begin.get("release", ""),
                               "inline": inline, "figure": curve, "repeat": repeat,
                               "cpus": p.run.begin.get("cpus")}
                        for f in fields:
                            if record.get(f) is not None and f != "n":
                                one[column(curve, f)] = record[f]
                        for metric, value, unit in point_metrics(record):
                            if metric not in fields:
                                yield {**one, "metric": metric, "value": value, "unit": unit}
        yield from load_rows(kind, lane)


def load_rows(kind, lane):
    """Of who waits: who is named is the caller, lock, owner or thread, as "how" says."""
    for what, metrics in LOADS.items():
        for r in lane.loads[what]:
            one = {"kind": kind, "release": lane.facts.get("kernel", ""), "figure": what,
                   "name": r["load"], "side": r.get("source", "perf"),
                   "cpus": lane.facts.get("cpus", ""), "hold": lane.facts.get("hold_ns", ""),
                   "how": r.get("by", ""), "who": r.get("caller") or ""}
            for metric, unit in metrics.items():
                if records.number(r.get(metric)):
                    yield {**one, "metric": metric.removesuffix("_ns"), "value": r[metric],
                           "unit": unit}


def bench_csv(lanes, all_ratios):
    out = io.StringIO()
    writer = csv.DictWriter(out, CSV_HEAD, restval="", lineterminator="\n")
    writer.writeheader()
    for row in csv_rows(lanes, all_ratios):
        if isinstance(row["value"], float):
            row["value"] = f"{row['value']:.6g}"
        writer.writerow(row)
    return out.getvalue()
