# SPDX-License-Identifier: GPL-2.0
"""make pick: what it refuses, between points, the order, and what it says of itself."""

import contextlib
import io
import json
import os
import tempfile
import unittest

from bench import pick, primitives
from bench.fixtures import begin, contended, guarded, lanes, native, pair

GOOD = ["READ=95", "HOLD=400ns", "CPUS=2", "SIZE=64"]


def wanted(**changes):
    return pick.query([a for a in GOOD if a.split("=")[0] not in changes]
                      + [f"{k}={v}" for k, v in changes.items()])


class Query(unittest.TestCase):
    def test_good(self):
        self.assertEqual(pick.query(GOOD), {"read": 95, "hold": 400.0, "cpus": 2, "size": 64,
                                            "context": "process", "sleep": False})

    def test_times(self):
        for text, ns in (("0", 0), ("0ns", 0), ("1us", 1000), ("1.5us", 1500), ("2µs", 2000),
                         ("3ms", 3e6)):
            self.assertEqual(pick.hold(text), ns)

    def test_refused(self):
        for name, values in (("READ", ("-1", "101", "x", "9.5", "1e1")), ("SLEEP", ("maybe",)),
                             ("HOLD", ("400", "ns", "-1ns", "2s", "1e3ns", "1001ms", "4 us")),
                             ("CPUS", ("0", "8193", "two")), ("SIZE", ("0", "1048577", "64k")),
                             ("CONTEXT", ("nmi", "Process"))):
            for value in values:
                with self.assertRaises(pick.Bad, msg=f"{name}={value}") as caught:
                    wanted(**{name: value})
                self.assertIn(pick.VALID[name], str(caught.exception))

    def test_missing_and_unknown(self):
        for name in ("READ", "HOLD", "CPUS", "SIZE"):
            with self.assertRaises(pick.Bad) as caught:
                pick.query([a for a in GOOD if not a.startswith(name)])
            self.assertIn(name, str(caught.exception))
        for extra in ("LANE=real", "READ", ""):
            with self.assertRaises(pick.Bad):
                pick.query([*GOOD, extra])


class Between(unittest.TestCase):
    def test_measured(self):
        self.assertEqual(pick.interpolate({0: 5.0, 100: 7.0}, 100), (7.0, 100, 100))

    def test_log_scales(self):
        cost, low, high = pick.interpolate({0: 1.0, 100: 10.0, 10000: 1000.0}, 1000)
        self.assertAlmostEqual(cost, 100.0)
        self.assertEqual((low, high), (100, 10000))

    def test_from_nothing_it_is_linear(self):
        self.assertEqual(pick.interpolate({0: 10.0, 100: 110.0}, 25)[0], 35.0)

    def test_beyond(self):
        self.assertEqual(pick.interpolate({100: 7.0, 1000: 9.0}, 5000), (9.0, 1000, 1000))
        self.assertEqual(pick.interpolate({100: 7.0, 1000: 9.0}, 1), (7.0, 100, 100))

    def test_nearest(self):
        self.assertEqual(pick.nearest({1, 2, 8}, 4, log=True), 2)
        self.assertEqual(pick.nearest({50, 95, 100}, 96), 95)
        self.assertIsNone(pick.nearest(set(), 96))


def ranking(records, kind="native", **changes):
    return pick.rank(lanes(**{kind: (native(suite=kind), *records)}), wanted(**changes))


def order(found):
    return [e.name for e in found.entries]


class Rank(unittest.TestCase):
    SPREAD = [guarded(name, cost + h, hold=h, read=r)
              for name, cost in (("mutex", 40), ("spinlock", 20), ("seqlock", 10))
              for h in (0, 400) for r in (50, 95)]

    def test_order_is_by_cost(self):
        found = ranking(self.SPREAD)
        self.assertEqual(order(found), ["seqlock", "spinlock", "mutex"])
        self.assertEqual([round(e.cost, 6) for e in found.entries], [410, 420, 440])

    def test_the_share_of_reads_matters(self):
        records = [guarded("spinlock", 10, read=50), guarded("seqlock", 20, read=50),
                   guarded("spinlock", 20, read=95), guarded("seqlock", 10, read=95)]
        self.assertEqual(order(ranking(records, READ=40)), ["spinlock", "seqlock"])
        self.assertEqual(order(ranking(records, READ=100)), ["seqlock", "spinlock"])

    def test_c_is_not_ranked(self):
        found = ranking([guarded("spinlock", 5), guarded("spinlock", 1, side="c")], HOLD=0)
        self.assertEqual([e.cost for e in found.entries], [5])

    def test_lanes(self):
        both = {"native": (native(), guarded("mutex", 1), guarded("spinlock", 2)),
                "real": (native(suite="real"), guarded("mutex", 2), guarded("spinlock", 1)),
                "exact": (begin(), pair("spinlock", [1], [1]))}
        self.assertEqual(pick.rank(lanes(**both), wanted()).lane.kind, "real")
        emulated = lanes(**both)
        emulated["real"].about["accel"] = "tcg"
        self.assertEqual(pick.rank(emulated, wanted()).lane.kind, "native")
        del both["real"]
        self.assertEqual(pick.rank(lanes(**both), wanted()).lane.kind, "native")
        del both["native"]
        self.assertIsNone(pick.rank(lanes(**both), wanted()))
        self.assertIsNone(pick.rank({}, wanted()))

    def test_contended_where_nothing_is_guarded(self):
        found = ranking([contended("mutex", [10, 10]), contended("rwlock", [20, 20], read=90),
                         contended("rwlock", [1, 1], read=50)])
        self.assertEqual((found.curve, order(found)), ("contended", ["rwlock", "mutex"]))
        self.assertIn("SIZE was not varied", "\n".join(pick.lines(found)))

    def test_what_is_not_measured_there(self):
        found = ranking([guarded("mutex", 5), guarded("spinlock", 1, cpus=1)])
        self.assertEqual(order(found), ["mutex"])
        self.assertEqual(found.refused, [("spinlock", "not measured there")])

    def test_contexts(self):
        names = ["spinlock", "spinlock_bh", "spinlock_irq", "mutex", "semaphore", "rcu", "seqlock",
                 "resilient", "percpu", "new_thing"]
        records = [guarded(name, n + 1) for n, name in enumerate(names)]
        self.assertEqual(order(ranking(records)), [n for n in names if n != "percpu"])
        soft = ranking(records, CONTEXT="softirq")
        self.assertEqual(order(soft), ["spinlock_bh", "spinlock_irq", "rcu"])
        why = dict(soft.refused)
        self.assertIn("SpinLockBh", why["spinlock"])
        self.assertIn("sleep", why["mutex"])
        self.assertIn("SeqLockBh", why["seqlock"])
        self.assertIn("ResilientSpinLockIrq", why["resilient"])
        self.assertIn("one CPU", why["percpu"])
        self.assertIn("not known", why["new_thing"])
        self.assertEqual(order(ranking(records, CONTEXT="hardirq")), ["spinlock_irq", "rcu"])
        self.assertEqual(order(ranking(records, SLEEP="yes")), ["mutex", "semaphore"])

    def test_size(self):
        records = [guarded("atomic", 1), guarded("spinlock", 2)]
        self.assertEqual(order(ranking(records, SIZE=8)), ["atomic", "spinlock"])
        self.assertEqual(order(ranking(records, SIZE=9)), ["spinlock"])


class Said(unittest.TestCase):
    def text(self, records, **more):
        return "\n".join(pick.lines(ranking(records, **more)))

    def test_lane_and_warning(self):
        text = self.text(Rank.SPREAD)
        self.assertIn("lane native", text)
        self.assertIn("not for hardware decisions", text)
        self.assertNotIn("not for hardware", self.text(Rank.SPREAD, kind="real"))

    def test_margin(self):
        text = self.text([guarded("seqlock", 10), guarded("mutex", 15)], HOLD=0)
        self.assertIn("+50 %", text)
        self.assertNotIn("~", text)

    def test_margin_within_the_spread(self):
        text = self.text([guarded("seqlock", 10), guarded("seqlock", 12), guarded("mutex", 12),
                          guarded("mutex", 11)], HOLD=0)
        self.assertIn("+5 % ~", text)
        self.assertIn("further apart", text)

    def test_where_it_was_measured(self):
        self.assertIn("measured at exactly", self.text(Rank.SPREAD))
        text = self.text(Rank.SPREAD, READ=90, HOLD="100ns", CPUS=4, SIZE=100)
        for part in ("READ=95 is the nearest", "CPUS=2 is the nearest", "SIZE=64 is the nearest",
                     "HOLD interpolated between 0 ns and 400 ns, linearly"):
            self.assertIn(part, text)
        self.assertIn("HOLD=400 ns is the nearest", self.text(Rank.SPREAD, HOLD="1ms"))

    def test_waits(self):
        text = self.text([*Rank.SPREAD, contended("mutex", [10, 30], hold=400)])
        (row,) = [line for line in text.splitlines() if " mutex " in line]
        self.assertRegex(row, r" 200 ns  0\.80  waiters sleep")
        (row,) = [line for line in text.splitlines() if " seqlock " in line]
        self.assertRegex(row, r"  -     -  readers never")
        self.assertIn("curve contended, HOLD=400 ns.", text)

    def test_none_fits(self):
        self.assertIn("none of what was measured", self.text([guarded("mutex", 1)],
                                                             CONTEXT="hardirq"))


class Command(unittest.TestCase):
    def run_it(self, records, *arguments):
        with tempfile.TemporaryDirectory() as top:
            os.makedirs(os.path.join(top, "native"))
            with open(os.path.join(top, "native", "records.jsonl"), "w", encoding="utf-8") as file:
                file.writelines(json.dumps(r) + "\n" for r in records)
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                status = pick.main(["pick.py", top, *arguments])
        return status, out.getvalue(), err.getvalue()

    def test_status(self):
        records = (native(), guarded("mutex", 5))
        self.assertEqual(self.run_it(records, *GOOD)[0], 0)
        status, out, err = self.run_it(records, *GOOD[1:], "READ=200")
        self.assertEqual((status, out, err.count("\n")), (2, "", 1))
        status, out, err = self.run_it((), *GOOD)
        self.assertEqual((status, out, err.count("\n")), (1, "", 1))
        self.assertIn("make bench-native", err)


class Names(unittest.TestCase):
    def test_longest_counts(self):
        for name, base in (("rwlock_irq_read", "rwlock_irq"), ("rwlock_read", "rwlock"),
                           ("spinlock", "spinlock"), ("down_read", "rwsem"),
                           ("rcu_list_lookup", "rculist"), ("rcu_read", "rcu"),
                           ("seqlock_write", "seqlock"), ("spinlocked", None), ("mailbox", None)):
            self.assertEqual(primitives.base(name), base)

    def test_each_is_of_sync_rs(self):
        top = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "sync.rs")
        with open(top, encoding="utf-8") as file:
            text = file.read()
        for primitive in primitives.PRIMITIVES.values():
            self.assertRegex(text, rf"\[`(\w+::)*{primitive.type}`\]|\[`{primitive.type}`\]\(")
        for name, primitive in primitives.PRIMITIVES.items():
            for context in primitives.CONTEXTS:
                why = primitive.refused(context, False, 1)
                if why and "take " in why:
                    self.assertRegex(text, rf"\[`{why.split('take ')[1]}`\]", name)


if __name__ == "__main__":
    unittest.main()
