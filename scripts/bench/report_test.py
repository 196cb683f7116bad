# SPDX-License-Identifier: GPL-2.0
"""The report: what a page says of what was, and was not, measured; JSON and CSV."""

import csv
import io
import json
import re
import shutil
import unittest
from html.parser import HTMLParser

from bench import contention, output, page, plots, ratios, records, report, sections
from bench.fixtures import begin, contended, end, floor, guarded, lane, lanes, messages, native
from bench.fixtures import own_waits, pair, point, stat, waits

MACHINE = {"model": "a <machine>", "cpus": 2, "memory_mib": 2048, "kernel": "7"}
NATIVE = (native(), floor("ping_pong", [1000]), floor("context_switch", [10000]),
          *(contended(n, [10 * c, 30 * c], cpus=cpus, hold=h, read=r)
            for n, r in (("mutex", None), ("rwlock", 50), ("rwlock", 95))
            for cpus in (1, 2) for c, h in ((9, 0), (3, 1000))),
          contended("mutex", [20, 20], side="c"),
          *(guarded(n, 10 + h, hold=h, read=r) for n in ("mutex", "seqlock")
            for h in (0, 1000) for r in (50, 95)),
          messages("ring", 7, wait="sleep"),
          *(messages(m, 100 * b, batch=b) for m in ("ring", "kfifo") for b in (1, 64)),
          *(point("granularity", buckets=b, side="rust", cpus=2, ns=100, ops=b) for b in (1, 2)),
          point("roundtrip", how="mailbox_spin", ops=10, ns=1200),
          *(point("handover", primitive="mutex", side=s, cpus=2, hold=1000, times=9, mean=m,
                  handed=[m, 2 * m, 3 * m, 4 * m]) for s, m in (("rust", 210), ("c", 200))),
          pair("atomic_add", [50, 60], [50, 50]),
          point("children", what="spawn", n=10, p50=1000, max=9000),
          point("siblings", before=100, during=99),
          *(point("crossover", hold=h, spinlock=s, mutex=m, ns=1000)
            for h, s, m in ((0, 90, 30), (1000, 20, 10), (10000, 1, 2))),
          pair("spinlock", [10, 11], [10, 10]), pair("stats_off", [1], [1], rival="bare"),
          {"bench": "skip", "name": "local_lock", "why": "no <CPU>"}, end("native"))
EXACT = (begin(), floor("loop_c", [30]), pair("spinlock", [320], [210]), end(),
         begin(inline=1), pair("spinlock", [211], [210]), end())


def built(**of):
    found = lanes(**of)
    scripts = []

    def draw(script, name):
        scripts.append(script)
        return f'<svg id="{name}"></svg>'

    text = report.build(found, ratios.ratios(found), MACHINE, page.Figures(draw))
    return text, scripts


class Whole(HTMLParser):
    """Notes tags that are not closed, and what would be fetched."""

    def __init__(self):
        super().__init__()
        self.open, self.fetched, self.ids = [], [], []

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("src", "href") and not value.startswith("#"):
                self.fetched.append(value)
            if name == "id":
                self.ids.append(value)
        if tag not in ("meta", "br", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag


class Page(unittest.TestCase):
    def check(self, text):
        whole = Whole()
        whole.feed(text)
        self.assertEqual((whole.open, whole.fetched), ([], []))
        self.assertEqual(len(whole.ids), len(set(whole.ids)))
        self.assertNotIn("url(http", text)

    def test_all(self):
        text, scripts = built(exact=EXACT, native=NATIVE)
        self.check(text)
        self.assertGreaterEqual(len(scripts), 9)
        self.assertIn("a &lt;machine&gt;", text)
        self.assertIn("no &lt;CPU&gt;", text)
        self.assertEqual(text.count("Not measured yet"), 1)
        self.assertIn("who waits for which lock", text)

    def test_who_waits(self):
        text, _ = built(real=(waits("counter/mutex", "<caller>"), stat("counter/mutex")))
        self.check(text)
        self.assertIn("<td>&lt;caller&gt;</td>", text)

    def test_each_figure_says_how_it_was_made(self):
        text, scripts = built(exact=EXACT, native=NATIVE)
        figures = re.findall(r"<figure>.*?</figure>", text, re.S)
        self.assertEqual(len(figures), len(scripts))
        for one in figures:
            for part in ('class="made"', "lane ", "make bench", "2000-01-01", "kernel 7.3.4-test",
                         page.WARNING):
                self.assertIn(part, one)

    def test_each_table_of_figures_is_marked(self):
        text, _ = built(exact=EXACT, native=NATIVE)
        for section in re.findall(r"<section.*?</section>", text, re.S):
            if 'class="n"' in section:
                self.assertIn(page.WARNING, section)

    def test_hardware_is_not_marked(self):
        text, _ = built(real=NATIVE)
        self.assertNotIn('class="badge"', text)
        self.assertIn('class="badge"', built(native=NATIVE)[0])

    def test_missing_parts_name_the_command(self):
        text, scripts = built(exact=EXACT)
        self.check(text)
        self.assertEqual(scripts, [])
        self.assertGreaterEqual(text.count("Not measured yet"), 8)
        self.assertIn("<code>make bench-native</code>", text)
        text, _ = built(native=(native(), point("siblings", before=2, during=1)))
        self.assertIn("Not measured yet: spawn, stop, restart.", text)
        self.assertNotIn("Not measured yet: siblings.", text)
        text, _ = built(exact=EXACT[:4])
        self.assertIn("Not measured yet: a build with INLINE=1.", text)
        text, _ = built(native=(native(), floor("ping_pong", [1])))
        self.assertIn("<code>make bench-exact</code>", text)

    def test_interrupted_and_broken(self):
        found = lane("native", native(), pair("a", [1], [1]))
        found.read(['{"bench":"po'])
        text = report.build({"native": found}, ratios.ratios({"native": found}), MACHINE,
                            page.Figures(lambda script, name: "<svg></svg>"))
        self.assertIn("interrupted: native", text)
        self.assertIn("cut off, or not JSON", text)

    def test_rust_against_c_under_contention(self):
        self.assertIn("<td class=\"n\">9.000</td>", built(native=(
            native(), contended("mutex", [90, 90]), contended("mutex", [10, 10], side="c")))[0])


class Words(unittest.TestCase):
    def test_which_one_when(self):
        with open(sections.SYNC, encoding="utf-8") as file:
            rows = sections.which_rows(file)
        self.assertGreaterEqual(len(rows), 15)
        self.assertIn("[`SpinLock`]", rows[0][1])
        text, _ = built(exact=EXACT, native=NATIVE)
        row = re.search(r"<td>SpinLock</td>.*?</tr>", text, re.S)[0]
        self.assertIn("21 · 32 · 21", row)
        row = re.search(r"<td>Mutex</td>.*?</tr>", text, re.S)[0]
        self.assertIn("360 k", row)

    def test_only_that_table(self):
        lines = ["//! | a | b | c |\n", "//! # Which one when\n", "//! | you have | take | why |\n",
                 "//! |---|---|---|\n", "//! | one | [`Two`](x) | three |\n", "//! # Next\n",
                 "//! | d | e | f |\n"]
        self.assertEqual(sections.which_rows(lines), [["one", "[`Two`](x)", "three"]])
        self.assertEqual(sections.plain_words("[`Two`](x), `y`"), "Two, y")

    def test_names(self):
        self.assertTrue(sections.is_about("rwlock_read", "RwLock"))
        self.assertTrue(sections.is_about("percpu_counter_add", "PerCpuCounters"))
        self.assertFalse(sections.is_about("percpu_counter_add", "PerCpu"))
        self.assertFalse(sections.is_about("mailbox", "SpinLock"))
        for name, type_, part in (
                ("rwlock_irq_read", "RwLockIrq", "read"), ("spinlock", "SpinLock", ""),
                ("seqcount_mutex_write", "SeqCount", "mutex write"), ("rcu_read", "Rcu", "read"),
                ("down_write", "RwSemaphore", "write"), ("rcu_pointer", "Rcu", "pointer"),
                ("percpu_add", "PerCpuCounters", ""), ("smp_mb", "barrier", "mb"),
                ("rcu_list_lookup", "RcuList", "lookup"), ("spinlock_try", "SpinLock", "try")):
            self.assertEqual(sections.part_of(name, type_), part, name)

    def test_handover(self):
        text, _ = built(native=NATIVE)
        shown = "210 ns · 420 ns · 840 ns</td>.*200 ns · 400 ns · 800 ns</td>.*210 ns</td>.*200 ns<"
        self.assertRegex(text, shown)
        never = [point("handover", primitive="mutex", side=s, cpus=2, hold=1000, times=0, mean=0,
                       handed=[0, 0, 0, 0]) for s in ("rust", "c")]
        text, _ = built(native=(*NATIVE[:-1], *never, *never, NATIVE[-1]))
        self.assertRegex(text, shown)
        text, _ = built(native=(native(), *never))
        self.assertIn("Not measured yet: how long a hand-over takes", text)

    def test_floor(self):
        text, _ = built(exact=EXACT, native=(
            native(), pair("atomic_add", [60], [50]), point("roundtrip", how="ping_pong", ops=10,
                                                            ns=1230)))
        self.assertRegex(text, "atomic increment, in C, and its loop [(]INLINE=1[)].*>5 ns<")
        self.assertRegex(text, "ping_pong: a cache line to another CPU and back .*>123 ns<")
        self.assertRegex(text, "<td>loop_c</td><td>instructions</td>.*>3.0<")

    def test_crossing(self):
        points = lanes(native=NATIVE)["native"].curve("crossover")[1]
        (at,) = contention.crossings(points)
        self.assertAlmostEqual(at, 1000 * 10 ** 0.5)
        same = [p for p in points if p["hold"] < 10000]
        self.assertEqual(contention.crossings(same), [])


class Programs(unittest.TestCase):
    def test_json(self):
        found = lanes(exact=EXACT, native=NATIVE)
        data = json.loads(json.dumps(output.bench_json(found, ratios.ratios(found), MACHINE)))
        self.assertEqual(data["schema"], 1)
        for r in data["ratios"]:
            self.assertLessEqual({"name", "kind", "rust", "rival", "rival_name", "ratio", "spread"},
                                 set(r))
        self.assertEqual({c["name"] for c in data["curves"]}, set(records.CURVES))
        self.assertEqual(data["machine"]["lanes"]["native"]["skipped"][0]["name"], "local_lock")
        (curve,) = [c for c in data["curves"] if c["name"] == "siblings"]
        self.assertEqual(curve["points"], [{"before": 100, "during": 99}])

    def test_csv(self):
        found = lanes(exact=EXACT, native=NATIVE)
        rows = list(csv.DictReader(io.StringIO(output.bench_csv(found, ratios.ratios(found)))))
        self.assertEqual({r["figure"] for r in rows}, {"pair", "floor", *records.CURVES})
        (rate,) = [r for r in rows if r["figure"] == "guarded" and r["metric"] == "ops_per_s"
                   and (r["name"], r["hold"], r["read"]) == ("seqlock", "1000", "50")]
        self.assertEqual((float(rate["value"]), rate["unit"], rate["size"]), (990099, "1/s", "64"))
        self.assertTrue(all(r["value"] for r in rows))
        mutex = [r for r in rows if r["figure"] == "contended" and r["metric"] == "wait_p99"]
        self.assertEqual({r["value"] for r in mutex}, {"200"})
        handed = {(r["side"], r["metric"]): r["value"] for r in rows if r["figure"] == "handover"}
        self.assertEqual((handed["rust", "mean"], handed["c", "handed_p99"]), ("210", "400"))
        (slow,) = [r for r in rows if r["figure"] == "messages" and r["how"] == "sleep"]
        self.assertEqual((slow["name"], slow["value"]), ("ring", "7"))
        rates = [r["value"] for r in rows if r["figure"] == "contended" and r["side"] == "c"
                 and r["metric"] == "ops_per_s"]
        self.assertEqual(rates, ["40000"])

    def test_loads(self):
        found = lanes(native=NATIVE, real=(
            waits("counter/mutex", "a, \"b\"\n=1"), own_waits("counter/mutex", None, column=False),
            stat("counter/mutex")))
        found["real"].facts = {"kernel": "7", "cpus": "2", "hold_ns": "10000"}
        data = json.loads(json.dumps(output.bench_json(found, [], MACHINE)))
        perf, own = data["loads"]["contention"]
        self.assertEqual((perf["kind"], perf["by"], perf["caller"]), ("real", "caller", "a, \"b\"\n=1"))
        self.assertEqual((own["total_ns"], own["p99_ns"], own["column"]), (None, 511, False))
        self.assertEqual([r["ops"] for r in data["loads"]["stat"]], [200])
        self.assertEqual({len(r) for r in output.bench_json({}, [], MACHINE)["loads"].values()}, {0})
        rows = list(csv.DictReader(io.StringIO(output.bench_csv(found, []))))
        rows = [r for r in rows if r["figure"] in data["loads"]]
        self.assertTrue(all(r["value"] and r["hold"] == "10000" for r in rows))
        of = {(r["side"], r["how"], r["who"], r["metric"]): (r["value"], r["unit"]) for r in rows}
        self.assertEqual(of["perf", "caller", "a, \"b\"\n=1", "total"], ("4670000000", "ns"))
        self.assertEqual(of["childkernel", "caller", "", "contended"], ("29", ""))
        self.assertNotIn(("childkernel", "caller", "", "total"), of)
        self.assertEqual(of["perf", "", "", "context_switches"], ("7", ""))
        self.assertNotIn(("perf", "", "", "cycles"), of)


class Scripts(unittest.TestCase):
    def test_ticks(self):
        self.assertEqual(plots.ticks(0.9, 1.1e4, True), [1, 10, 100, 1000, 10000])
        for low, high in ((0.98, 1.05), (1e6, 1.02e6), (3, 400), (1e3, 1e9), (0.5, 40)):
            for log in (True, False):
                found = plots.ticks(low, high, log)
                self.assertTrue(2 <= len(found) <= 12, (low, high, log, found))
                self.assertTrue(all(low <= t <= high for t in found))

    def test_quotes_do_not_end_a_string(self):
        self.assertEqual(plots.quoted("a'b"), "'a''b'")

    def test_same_name_same_style(self):
        self.assertEqual(plots.style("mutex"), plots.style("mutex C"))
        self.assertEqual(plots.style("never heard"), plots.style("never heard"))

    def test_inlined(self):
        svg = ("<?xml?><svg><title>x</title><defs id='a'/><use xlink:href='#a'/>"
               "<path stroke='rgb(  1,   2,   3)' clip='url(#a)'/><g fill='none'>\n</g></svg>")
        found = plots.inlined(svg, "p")
        self.assertIn("<defs id=\"p-a\"/><use xlink:href='#p-a'/>", found)
        self.assertIn("stroke='currentColor' clip='url(#p-a)'", found)
        self.assertNotIn("title", found)
        self.assertNotIn("fill", found)

    @unittest.skipUnless(shutil.which("gnuplot"), "gnuplot comes with the first report")
    def test_gnuplot_draws_all(self):
        found = lanes(exact=EXACT, native=NATIVE)
        text = report.build(found, ratios.ratios(found), MACHINE, page.Figures())
        self.assertIn("currentColor", text)
        self.assertNotIn(plots.FOREGROUND, text)
        with self.assertRaises(RuntimeError):
            plots.draw("plot nonsense\n", "x")


if __name__ == "__main__":
    unittest.main()
