# SPDX-License-Identifier: GPL-2.0
"""The goals for Rust against C, and whether what was measured meets them."""

import itertools

from bench import ratios, records, units

MET, MISSED, MISSING = "met", "not met", "not measured"
ROUNDING = 0.005
OURS = ("ring", "queue")


class Goal:
    """One line of the table."""

    def __init__(self, key, figure, goal, command):
        self.key = key
        self.figure = figure
        self.goal = goal
        self.command = command
        self.lane = ""
        # (name, figure as text, whether it is met, whether worst comes by this number)
        self.parts = []

    def add(self, name, text, met, badness):
        self.parts.append((name, text, met, badness))

    @property
    def status(self):
        if not self.parts:
            return MISSING
        return MET if all(met for _, _, met, _ in self.parts) else MISSED

    @property
    def missed(self):
        return [name for name, _, met, _ in self.parts if not met]

    @property
    def measured(self):
        """How many of how many, and the worst."""
        if not self.parts:
            return f"nothing yet: {self.command}"
        if len(self.parts) == 1:
            return self.parts[0][1]
        worst = max(self.parts, key=lambda p: p[3])
        met = sum(1 for p in self.parts if p[2])
        return f"{met} of {len(self.parts)}; worst: {worst[0]}, {worst[1]}"

    def cause(self, causes):
        if self.status != MISSED:
            return ""
        known = [causes[self.key]] if self.key in causes else []
        known += [f"{name}: {causes[f'{self.key}/{name}']}"
                  for name in self.missed if f"{self.key}/{name}" in causes]
        rest = [n for n in self.missed if f"{self.key}/{n}" not in causes]
        if self.key not in causes and rest:
            known.append("cause not known yet: " + ", ".join(rest))
        return "; ".join(known)


def read_causes(lines):
    """{key: text} of scripts/bench/causes.txt."""
    found = {}
    for line in lines:
        key, colon, text = line.partition(": ")
        if colon and not line.startswith("#"):
            found[key.strip()] = text.strip()
    return found


def label(found):
    return found["name"] + ("" if found["rival_name"] == "c" else f" against {found['rival_name']}")


def lookup(found):
    """Whether a pair is the look-up in an RCU list."""
    name = found["name"].replace("_", "")
    return "rculist" in name and ("lookup" in name + found["what"].replace("-", "").replace(" ", "")
                                  or "list_for_each" in found["rival_name"])


def statistics_mode(found):
    """'off', 'contended', 'times' for a pair that compares modes of statistics, else None."""
    if not found["name"].startswith("stats_"):
        return None
    if found["rival_name"] == "bare":
        return "off"
    if found["rival_name"] == "off":
        return next((m for m in ("contended", "times") if m in found["name"] + found["what"]), None)
    return None


def of_c(all_ratios, **wanted):
    return ratios.select(all_ratios, rival_name="c", **wanted)


def inline(all_ratios):
    goal = Goal("inline", "instructions, Rust ÷ C, every primitive, stock kernel, INLINE=1",
                "≤ 1.00 (allow 1.02)", "make bench-exact INLINE=1")
    goal.lane = "exact"
    for r in of_c(all_ratios, kind="exact", inline=1):
        goal.add(label(r), f"{r['ratio']:.3f} ({r['rust']:.1f} to {r['rival']:.1f})",
                 r["ratio"] <= 1.02, r["ratio"])
    return goal


def plain(all_ratios, lanes):
    """What Rust has more than C goes away where helpers are no calls.

    The two builds differ in nothing else. Until the other one was measured, nobody
    knows what of it is calls.
    """
    goal = Goal("plain", "the same with a plain Kbuild build",
                "the helper call and nothing else", "make bench-exact, with INLINE=1 as well")
    goal.lane = "exact"
    lane = lanes.get("exact")
    call = lane.call(0) if lane else None
    inlined = {(r["name"], r["what"]): r for r in of_c(all_ratios, kind="exact", inline=1)}
    for r in of_c(all_ratios, kind="exact", inline=0):
        other = inlined.get((r["name"], r["what"]))
        if other is None:
            continue
        more, rest = r["rust"] - r["rival"], other["rust"] - other["rival"]
        text = f"{more:+.1f} instructions, without calls {rest:+.1f}"
        if call:
            text += f"; a call is {call:.1f}"
        goal.add(label(r), text, other["ratio"] <= 1.02, rest)
    return goal


def native(all_ratios):
    goal = Goal("native", "ns per operation, Rust ÷ C, native", "≤ 1.02, helper calls apart",
                "make bench-native")
    goal.lane = "native"
    found = of_c(all_ratios, kind="native")
    # Helpers are no calls where they are inlined; else they are in the figure.
    inlined = [r for r in found if r["inline"]] or found
    for r in inlined:
        low, high = r["spread"]
        goal.add(label(r), f"{r['ratio']:.3f} ({low:.3f} to {high:.3f})"
                 + ("" if r["inline"] else ", helper calls included"),
                 r["ratio"] <= 1.02, r["ratio"])
    return goal


def mailbox(lanes):
    goal = Goal("mailbox", "messages/s, mailbox ÷ best C rival, 1→1 and 4→1, single and batch",
                "≥ 1.00", "make bench-native")
    for lane in records.timed(lanes):
        points = [p for view in lane.curve("messages").values() for p in view]
        for wait, senders in itertools.product(dict.fromkeys(p["wait"] for p in points), (1, 4)):
            here = [p for p in points if (p["wait"], p["senders"]) == (wait, senders)]
            batches = sorted({p["batch"] for p in here})
            for batch in dict.fromkeys(batches[:1] + batches[-1:]):
                rates = {p["mailbox"]: p.rate for p in here if p["batch"] == batch}
                mine = next((rates[m] for m in OURS if m in rates), None)
                rivals = {m: rate for m, rate in rates.items() if m not in OURS}
                if mine is None or not rivals:
                    continue
                best = max(rivals, key=rivals.get)
                value = mine / rivals[best]
                name = f"{senders}→1 batch {batch}" + (f", {wait}" if wait else "")
                goal.add(name, f"{value:.2f} (to {best})", value >= 1.0 - ROUNDING, -value)
        if goal.parts:
            goal.lane = lane.kind
            break
    return goal


def roundtrip(lanes):
    goal = Goal("roundtrip", "spinning round trip ÷ cache-line ping-pong", "≤ 1.50",
                "make bench-native")
    for lane in records.timed(lanes):
        points = {p["how"]: p for view in lane.curve("roundtrip").values() for p in view}
        floor = points["ping_pong"].cost if "ping_pong" in points else lane.typical("ping_pong")
        if "mailbox_spin" in points and floor:
            value = points["mailbox_spin"].cost / floor
            goal.add("mailbox_spin", f"{value:.2f} ({units.time(points['mailbox_spin'].cost)} to "
                     f"{units.time(floor)})", value <= 1.5 + ROUNDING, value)
            goal.lane = lane.kind
            break
    return goal


def rcu_lookup(all_ratios):
    goal = Goal("lookup", "RCU list lookup ÷ C", "≤ 1.00", "make bench-exact, make bench-native")
    found = [r for r in all_ratios if lookup(r)]
    # Without inlining a helper call is in it, and that is the goal above.
    for r in [r for r in found if r["inline"]] or found:
        text = f"{r['ratio']:.3f}" + ("" if r["inline"] else ", helper calls included")
        goal.add(f"{r['kind']} {label(r)}", text, r["ratio"] <= 1.0 + ROUNDING, r["ratio"])
    goal.lane = ", ".join(dict.fromkeys(r["kind"] for r in found))
    return goal


def siblings(lanes):
    goal = Goal("siblings", "siblings' throughput with one crash a second", "≥ 0.95",
                "make bench-native")
    for lane in records.timed(lanes):
        for points in lane.curve("siblings").values():
            for p in points:
                value = p.median("during") / p.median("before")
                how = ", ".join(str(p[f]) for f in ("how", "cpus") if p[f] is not None)
                goal.add(how or "siblings", f"{value:.3f}", value >= 0.95, -value)
            goal.lane = lane.kind
        if goal.parts:
            break
    return goal


def modes(all_ratios):
    goal = Goal("statistics", "statistics off ÷ not compiled in; contended ÷ off",
                "1.00; ≤ 1.02", "make bench-exact, make bench-native")
    limits = {"off": 1.0 + ROUNDING, "contended": 1.02}
    for r in all_ratios:
        mode = statistics_mode(r)
        if mode in limits:
            goal.add(f"{r['kind']} {label(r)}{' INLINE=1' if r['inline'] else ''}",
                     f"{r['ratio']:.3f}", r["ratio"] <= limits[mode], r["ratio"] - limits[mode])
            goal.lane = ", ".join(dict.fromkeys(filter(None, [*goal.lane.split(", "), r["kind"]])))
    return goal


def goals(lanes, all_ratios=None):
    """All of them, in order.

    What a real kernel took in an emulator says nothing of time: no goal is judged by it.
    """
    lanes = {kind: lane for kind, lane in lanes.items() if kind != "real" or lane.hardware}
    found = ratios.ratios(lanes) if all_ratios is None else \
        [r for r in all_ratios if r["kind"] in lanes]
    return [inline(found), plain(found, lanes), native(found), mailbox(lanes), roundtrip(lanes),
            rcu_lookup(found), siblings(lanes), modes(found)]
