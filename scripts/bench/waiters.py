# SPDX-License-Identifier: GPL-2.0
"""The section of the report that names who waits, for which lock, and who says so.

Its records are those of perf.py, which also chooses the one that counts of a load.
"""

from bench import page, perf, units

FIGURES = ("times waited", "a second", "total", "average", "longest")


def figures(record):
    return [record["contended"], units.rate(perf.a_second(record)), units.time(record["total_ns"]),
            units.time(record["avg_ns"]), units.time(record["max_ns"])]


def first(found, load, by):
    """What perf has named first of a load, and so what cost most time."""
    return next((r["caller"] for r in found
                 if (r["load"], r["by"], r["source"]) == (load, by, "perf")), None) or "-"


def chosen_table(found):
    """A row for each load, by the source that sees most of it."""
    rows = []
    for r in perf.columns(found):
        # The library counts for the load's own lock, whose name is the load's, and knows no owners.
        lock, owner = (first(found, r["load"], by) for by in ("lock", "owner"))
        if r["source"] != "perf":
            lock, owner = r["load"], "-"
        rows.append([r["load"], r["caller"] or "-", lock, owner, r["source"], *figures(r)])
    return page.table(["load", "who waits", "lock", "owner", "says so", *FIGURES], rows, words=5,
                      classes="waiters") if rows else ""


def whole_table(found):
    """All that was recorded, also what is there for comparison."""
    rows = [[r["load"], r["by"], r["caller"] or "-", r["source"], *figures(r),
             units.time(r.get("p50_ns")), units.time(r.get("p99_ns"))] for r in found]
    return page.table(["load", "by", "which", "says so", *FIGURES, "p50", "p99"], rows, words=4,
                      classes="waiters")


def stat_table(found):
    """What the loads cost the machine."""
    rows = []
    for r in found:
        each = perf.a_thousand(r)
        rows.append([r["load"], r["ops"], perf.show(r["context_switches"]),
                     "-" if each is None else units.digits(each),
                     *(perf.show(r[key]) for key in ("cpu_migrations", "instructions", "cycles"))])
    return page.table(["load", "operations", "context switches", "a 1000 operations", "migrations",
                       "instructions", "cycles"], rows)


def words(found):
    """Why one source is believed and not the other, and what its figures are of."""
    said = [f"{source}: {why} ({', '.join(loads)})."
            for (source, why), loads in perf.reasons(perf.columns(found)).items()]
    if any(r["source"] == "perf" for r in found):
        said.append("perf counts those who wait that call from this module; its locks, owners and "
                    "threads are those of the whole machine, first the one that cost most time.")
    if any(r["source"] == "childkernel" for r in found):
        said.append("childkernel counts from before perf looks until after it has looked; its "
                    "times are those of one acquisition in 64, so there is no sum of them.")
    return "".join(f'<p class="note">{page.escape(text)}</p>\n' for text in said)


def how(lane):
    """How the loads were made and looked at."""
    known = lane.facts
    if not known:
        return page.made(lane)
    apart = " by each of caller, lock and owner" if known.get("bpf") == "yes" else ""
    parts = [f"kernel {known.get('kernel', '?')}", f"{known.get('cpus', '?')} CPUs",
             perf.setting(known), f"looked at for {known.get('seconds', '?')} s{apart}",
             perf.way(known)]
    return page.made(lane, note="; ".join(parts))


def who_waits(lanes):
    """Callers, locks, owners and threads, of each load."""
    out, costs = [], []
    for lane in lanes.values():
        found, counted = lane.loads["contention"], lane.loads["stat"]
        if found:
            out.append(chosen_table(found) + words(found) + how(lane) + page.folded(
                f"By caller, lock, owner and thread ({lane.kind})",
                whole_table(found) + page.made(lane)))
        if counted:
            costs.append(page.folded(f"What the loads cost the machine, by perf stat ({lane.kind})",
                                     stat_table(counted) + page.made(lane)))
    return ("".join(out) or page.missing("who waits for which lock", "real")) + "".join(costs)
