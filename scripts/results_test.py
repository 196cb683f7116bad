# SPDX-License-Identifier: GPL-2.0
"""What results.py must count as what."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import results  # noqa: E402

FINE = {"status": "0", "lane": "stock", "kernel": "7", "accel": "tcg"}
QUIET = ["[    1.000000] Linux\n"]


def run(text, log=None, about=None):
    ktap = results.Ktap()
    for line in text.splitlines(keepends=True):
        ktap.feed(line)
    return results.judge(ktap, QUIET if log is None else log, FINE if about is None else about)


def counts(text, log=None, about=None):
    r = run(text, log, about)
    return r["passed"], r["failed"], r["skipped"]


class KtapTest(unittest.TestCase):
    def test_flat(self):
        self.assertEqual(counts("TAP version 13\n1..3\nok 1 a\nok 2 b # SKIP no cpu\nok 3 - c\n"),
                         (2, 0, 1))

    def test_failed(self):
        self.assertEqual(counts("1..2\nok 1 a\nnot ok 2 b\n", about={**FINE, "status": "1"}),
                         (1, 1, 0))

    def test_plan_at_the_end(self):
        self.assertEqual(counts("KTAP version 1\nok 1 a\nok 2 b\n1..2\n"), (2, 0, 0))

    def test_plan_not_fulfilled(self):
        self.assertEqual(counts("1..3\nok 1 a\nok 2 b\n"), (2, 1, 0))

    def test_more_than_planned(self):
        self.assertEqual(counts("1..1\nok 1 a\nok 2 b\n"), (2, 1, 0))

    def test_missing_plan(self):
        self.assertEqual(counts("ok 1 a\n"), (1, 1, 0))

    def test_nothing(self):
        self.assertEqual(counts(""), (0, 1, 0))
        self.assertEqual(counts("hello\n"), (0, 1, 0))

    def test_bail_out(self):
        self.assertEqual(counts("1..1\nok 1 a\nBail out! no module\n"), (1, 1, 0))

    def test_all_skipped(self):
        self.assertEqual(counts("KTAP version 1\n1..0 # SKIP not root\n"), (0, 0, 1))

    def test_nested_counts_leaves(self):
        text = ("KTAP version 1\n1..2\n"
                "  KTAP version 1\n  1..2\n  ok 1 x\n  ok 2 y # SKIP\n"
                "ok 1 loads\n"
                "  KTAP version 1\n  1..1\n  not ok 1 z\n"
                "not ok 2 twins\n")
        r = run(text, about={**FINE, "status": "1"})
        self.assertEqual((r["passed"], r["failed"], r["skipped"]), (1, 1, 1))
        self.assertEqual([t["name"] for t in r["tests"]], ["loads/x", "loads/y", "twins/z"])

    def test_nested_plan_not_fulfilled(self):
        self.assertEqual(counts("1..1\n  1..2\n  ok 1 x\nok 1 a\n"), (1, 1, 0))

    def test_parent_fails_alone(self):
        self.assertEqual(counts("1..1\n  1..1\n  ok 1 x\nnot ok 1 a\n",
                                about={**FINE, "status": "1"}), (1, 1, 0))

    def test_deeply_nested(self):
        text = ("1..1\n  1..1\n    1..2\n    ok 1 p\n    ok 2 q\n  ok 1 x\nok 1 a\n")
        r = run(text)
        self.assertEqual([t["name"] for t in r["tests"]], ["a/x/p", "a/x/q"])

    def test_expected_failure(self):
        self.assertEqual(counts("1..1\nnot ok 1 a # XFAIL known\n"), (0, 0, 1))

    def test_diagnostics_do_not_count(self):
        self.assertEqual(counts("1..1\n# ok 7 not a result\nok 1 a # 12 ops\n"), (1, 0, 0))


class GuestTest(unittest.TestCase):
    def test_status_without_failed_test(self):
        self.assertEqual(counts("1..1\nok 1 a\n", about={**FINE, "status": "3"}), (1, 1, 0))

    def test_time_limit(self):
        self.assertEqual(counts("1..2\nok 1 a\n", about={**FINE, "status": "124"}), (1, 2, 0))

    def test_no_machine(self):
        self.assertEqual(counts("1..1\nok 1 a\n", about={}), (1, 1, 0))

    def test_no_log(self):
        self.assertEqual(counts("1..1\nok 1 a\n", log=[]), (1, 1, 0))

    def test_others(self):
        def judged(log, about):
            ktap = results.Ktap()
            ktap.feed("1..1\n")
            ktap.feed("ok 1 a\n")
            return results.judge(ktap, QUIET, FINE, [("crash", log, about)])

        fine = judged(QUIET, FINE)
        self.assertEqual((fine["passed"], fine["failed"]), (1, 0))
        for log, about in ((QUIET, {**FINE, "status": "125"}), ([], FINE), (QUIET, {}),
                           (["[    1.000000] WARNING: x\n"], FINE)):
            wrong = judged(log, about)
            self.assertEqual((wrong["passed"], wrong["failed"]), (1, 1))
            self.assertIn("crash", wrong["tests"][-1]["name"])


WARNING = """[    5.000000] ------------[ cut here ]------------
[    5.000001] WARNING: CPU: 0 PID: 1 at kernel/x.c:1 f+0x1/0x2
[    5.000002] Call Trace:
[    5.000003]  <TASK>
[    5.000004]  </TASK>
[    5.000005] ---[ end trace 0000000000000000 ]---
"""
OOPS = """[    6.000000] BUG: kernel NULL pointer dereference, address: 0000000000000000
[    6.000001] #PF: supervisor write access in kernel mode
[    6.000002] Oops: Oops: 0002 [#1] SMP NOPTI
[    6.000003] Call Trace:
[    6.000004]  <TASK>
[    6.000005]  </TASK>
[    6.000006] ---[ end trace 0000000000000000 ]---
"""
PANIC = """[    7.000000] rust_kernel: panicked at src/a.rs:1:2:
[    7.000001] ------------[ cut here ]------------
[    7.000002] kernel BUG at rust/helpers/bug.c:9!
[    7.000003] Oops: invalid opcode: 0000 [#1] SMP NOPTI
[    7.000004] Call Trace:
[    7.000005] ---[ end trace 0000000000000000 ]---
"""


def begin(regex):
    return f"[    4.9] childkernel-selftest: expect-begin {regex}\n"


FINISH = "[    9.0] childkernel-selftest: expect-end\n"


class SplatTest(unittest.TestCase):
    def splats(self, text):
        return [(s["text"], s["announced"]) for s in results.splats(text.splitlines(True))]

    def test_each_is_one(self):
        found = self.splats(WARNING + OOPS + PANIC)
        self.assertEqual(len(found), 3)
        self.assertIn("WARNING: CPU", found[0][0])
        self.assertIn("NULL pointer", found[1][0])
        self.assertIn("panicked", found[2][0])

    def test_quiet(self):
        self.assertEqual(self.splats("[ 1.0] childkernel: loaded\n[ 1.1] rcu: Hierarchical RCU\n"
                                     "[ 1.2] childkernel: 0 leaked, leaked=0\n"), [])

    def test_refused(self):
        self.assertEqual(self.splats("[ 1.0] childkernel: twin=x: valid are swapped, leak\n"), [])
        self.assertEqual(len(self.splats("[ 1.0] childkernel: a leak: valid are none\n"
                                         "[ 1.1] x: BUG: valid are none\n"
                                         "[ 1.2] childkernel: 3 leaked\n")), 1)

    def test_announced(self):
        self.assertEqual([a for _, a in self.splats(begin("WARNING: CPU") + WARNING + FINISH)], [True])

    def test_announced_by_any_line_of_it(self):
        self.assertEqual([a for _, a in self.splats(begin("Oops: 0002") + OOPS + FINISH)], [True])

    def test_other_than_announced(self):
        found = self.splats(begin("panicked at") + PANIC + OOPS + FINISH)
        self.assertEqual([a for _, a in found], [True, False])

    def test_after_the_announcement(self):
        found = self.splats(begin("WARNING") + FINISH + WARNING)
        self.assertEqual([a for _, a in found], [False])

    def test_broken_regex_excuses_nothing(self):
        self.assertEqual([a for _, a in self.splats(begin("*(") + WARNING + FINISH)], [False])

    def test_lone_trace(self):
        self.assertEqual(len(self.splats("[ 1.0] Call Trace:\n[ 1.1]  f+0x1\n")), 1)

    def test_kinds(self):
        for line in ("BUG: KASAN: slab-use-after-free in f",
                     "WARNING: possible recursive locking detected",
                     "WARNING: possible circular locking dependency detected",
                     "rcu: INFO: rcu_preempt self-detected stall on CPU",
                     "watchdog: BUG: soft lockup - CPU#0 stuck for 22s!",
                     "INFO: task x:1 blocked for more than 120 seconds.",
                     "Oops: general protection fault, probably for non-canonical address",
                     "childkernel: 3 elements leaked",
                     "refcount_t: underflow; use-after-free.",
                     "list_del corruption, x->next is LIST_POISON1"):
            self.assertEqual(len(self.splats(f"[    1.000000] {line}\n")), 1, line)

    def test_who_looks_for_it_says_so(self):
        for line in ("rcu: \tRCU callback double-/use-after-free debug is enabled.",
                     "kmemleak: Kernel memory leak detector initialized (mem pool available: 1)",
                     "kmemleak: 2 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
                     "INFO: lockdep is turned off."):
            self.assertEqual(self.splats(f"[    1.000000] {line}\n"), [], line)

    def test_message_replayed(self):
        cut = PANIC.splitlines(True)[0] + "[    7.000000] index out\n" + results.REPLAY + "\n"
        found = self.splats(begin("Oops: ") + cut + PANIC + FINISH)
        self.assertEqual([announced for _, announced in found], [True])
        # Another one of the same words, some time later.
        later = PANIC.replace("[    7.", "[    9.")
        self.assertEqual(len(self.splats(begin("Oops: ") + cut + later + FINISH)), 2)

    def test_lockdep_is_off_inside_of_a_splat(self):
        log = "".join(f"[    1.000000] {line}\n" for line in (
            "childkernel-selftest: expect-begin Comm: crash",
            "BUG: sleeping function called from invalid context at kernel/locking/mutex.c:623",
            "INFO: lockdep is turned off.",
            "CPU: 0 UID: 0 PID: 742 Comm: crash Tainted: G      D    OE       7.3.4 #3 PREEMPT",
            "childkernel-selftest: expect-end"))
        self.assertEqual([announced for _, announced in self.splats(log)], [True])

    def test_who_reports_has_judged(self):
        ktap = results.Ktap()
        for line in ("1..1\n", "ok 1 a\n"):
            ktap.feed(line)
        judged = results.judge(ktap, [], {}, guest=False)
        self.assertEqual((judged["passed"], judged["failed"], judged["skipped"]), (1, 0, 0))

    def test_counts_as_failed(self):
        self.assertEqual(counts("1..1\nok 1 a\n", log=WARNING.splitlines(True)), (1, 1, 0))
        self.assertEqual(counts("1..1\nok 1 a\n", log=(
            begin("WARNING") + WARNING + FINISH).splitlines(True)), (1, 0, 0))


if __name__ == "__main__":
    unittest.main()
