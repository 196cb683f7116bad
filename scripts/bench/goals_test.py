# SPDX-License-Identifier: GPL-2.0
"""When a goal is met, missed, or not measured."""

import unittest

from bench import goals, ratios
from bench.fixtures import begin, end, floor, lanes, messages, native, pair, point


def goal(key, **of):
    return next(g for g in goals.goals(lanes(**of)) if g.key == key)


class Goals(unittest.TestCase):
    def check(self, key, status, **of):
        found = goal(key, **of)
        self.assertEqual(found.status, status, found.parts)
        return found

    def test_nothing_measured(self):
        for found in goals.goals({}):
            self.assertEqual(found.status, goals.MISSING)
            self.assertIn("make bench", found.measured)

    def test_inline(self):
        def of(rust):
            return {"exact": (begin(inline=1), pair("spinlock", [210], [210]),
                              pair("mutex", [rust], [1000]))}
        self.check("inline", goals.MET, **of(1020))
        found = self.check("inline", goals.MISSED, **of(1030))
        self.assertEqual(found.missed, ["mutex"])
        self.assertIn("1 of 2; worst: mutex, 1.030", found.measured)
        self.check("inline", goals.MISSING, exact=(begin(), pair("a", [1], [1])))

    def test_only_c_is_a_twin(self):
        self.check("inline", goals.MISSING,
                   exact=(begin(inline=1), pair("a", [9], [1], rival="kmalloc")))

    def test_plain(self):
        def of(inlined):
            return {"exact": (begin(), floor("loop_c", [30]), floor("call_c", [80]),
                              pair("a", [300], [200]), end(),
                              begin(inline=1), pair("a", [inlined], [200]))}
        found = self.check("plain", goals.MET, **of(200))
        self.assertEqual(found.measured,
                         "+10.0 instructions, without calls +0.0; a call is 5.0")
        self.check("plain", goals.MISSED, **of(210))
        # What of it is calls is not known then.
        self.check("plain", goals.MISSING, exact=(begin(), pair("a", [1], [1])))

    def test_native(self):
        self.check("native", goals.MET, native=(native(), pair("a", [102], [100])))
        self.check("native", goals.MISSED, native=(native(), pair("a", [103], [100])))
        found = self.check("native", goals.MISSED,
                           native=(native(inline=0), pair("a", [103], [100])))
        self.assertIn("helper calls included", found.measured)

    def test_mailbox(self):
        def of(single, batch):
            return {"native": (native(), messages("ring", 100), messages("kfifo", 90),
                               messages("ptr_ring", single), messages("ring", 500, batch=64),
                               messages("llist", batch, batch=64), messages("queue", 999))}
        self.check("mailbox", goals.MET, **of(100, 400))
        found = self.check("mailbox", goals.MISSED, **of(100, 600))
        self.assertEqual(found.missed, ["1→1 batch 64"])
        self.check("mailbox", goals.MISSED, **of(110, 400))
        # Those that spin are compared with those that spin.
        found = self.check("mailbox", goals.MISSED, native=(
            native(), *(messages(m, rate, wait=wait) for m, wait, rate in (
                ("ring", "spin", 10), ("llist", "spin", 9), ("ring", "sleep", 2),
                ("llist", "sleep", 3)))))
        self.assertEqual(found.missed, ["1→1 batch 1, sleep"])
        # Two senders are no goal.
        self.check("mailbox", goals.MISSING, native=(
            native(), messages("ring", 1, senders=2), messages("llist", 9, senders=2)))

    def test_roundtrip(self):
        def of(ns):
            return (native(), floor("ping_pong", [1000]),
                    point("roundtrip", how="mailbox_spin", ops=10, ns=ns))
        self.check("roundtrip", goals.MET, native=of(1500))
        self.check("roundtrip", goals.MISSED, native=of(1520))
        # In the same way measured counts before the floor.
        self.check("roundtrip", goals.MET, native=(
            *of(1900), point("roundtrip", how="ping_pong", ops=10, ns=1400)))
        self.check("roundtrip", goals.MISSING, native=of(1)[:2])

    def test_lookup(self):
        for name in ("rcu_list_lookup", "rculist_lookup"):
            self.check("lookup", goals.MET, exact=(begin(inline=1), pair(name, [100], [100])))
            self.check("lookup", goals.MISSED, exact=(begin(inline=1), pair(name, [102], [100])))
        self.check("lookup", goals.MISSING, exact=(begin(), pair("rcu_read", [1], [1])))

    def test_what_was_emulated_is_not_judged(self):
        for accel, status in (("kvm", goals.MISSED), ("tcg", goals.MISSING)):
            found = lanes(real=(begin(suite="real", unit="ns"), pair("rcu_list_lookup", [102], [100]),
                                messages("ring", 100), messages("llist", 200)))
            found["real"].about["accel"] = accel
            for all_ratios in (None, ratios.ratios(found)):
                judged = {g.key: g.status for g in goals.goals(found, all_ratios)}
                self.assertEqual((judged["lookup"], judged["mailbox"]), (status, status))

    def test_siblings(self):
        self.check("siblings", goals.MET,
                   native=(native(), point("siblings", before=100, during=95)))
        self.check("siblings", goals.MISSED,
                   native=(native(), point("siblings", before=100, during=94)))
        found = self.check("siblings", goals.MISSED, native=(
            native(), point("siblings", before=100, during=99, how="error", cpus="same"),
            point("siblings", before=100, during=90, how="panic", cpus="same")))
        self.assertEqual(found.missed, ["panic, same"])

    def test_statistics(self):
        def of(off, contended):
            return (begin(), pair("stats_off", [off], [1000], rival="bare"),
                    pair("stats_contended", [contended], [1000], rival="off"),
                    pair("stats_times", [9000], [1000], rival="off"), end())
        self.check("statistics", goals.MET, exact=of(1000, 1020))
        self.check("statistics", goals.MISSED, exact=of(1010, 1020))
        self.check("statistics", goals.MISSED, exact=of(1000, 1030))
        # Others are compared with something bare too.
        found = self.check("statistics", goals.MET, exact=(
            *of(1000, 1020), pair("ordered_spinlock", [9000], [1000], rival="bare")))
        self.assertEqual(len(found.parts), 2)


class Causes(unittest.TestCase):
    def test_stands_beside_what_is_missed(self):
        causes = goals.read_causes(["# comment: no\n", "\n", "inline/mutex: two moves\n",
                                    "native: noise\n"])
        self.assertEqual(causes, {"inline/mutex": "two moves", "native": "noise"})
        missed = goal("inline", exact=(begin(inline=1), pair("mutex", [2], [1]),
                                       pair("sema", [2], [1])))
        self.assertEqual(missed.cause(causes), "mutex: two moves; cause not known yet: sema")
        met = goal("inline", exact=(begin(inline=1), pair("mutex", [1], [1])))
        self.assertEqual(met.cause(causes), "")
        whole = goal("native", native=(native(), pair("a", [2], [1])))
        self.assertEqual(whole.cause(causes), "noise")


if __name__ == "__main__":
    unittest.main()
