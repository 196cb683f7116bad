# SPDX-License-Identifier: GPL-2.0
"""What scripts that use lib.sh leave behind: their exit status, and no process."""

import os
import subprocess
import tempfile
import unittest

LIB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib.sh")


def run(script):
    """A script that sources lib.sh: its exit status, and what it wrote."""
    with tempfile.TemporaryDirectory() as lab:
        done = subprocess.run(
            ["bash", "-c", f"set -euo pipefail; . {LIB}; {script}"],
            env={**os.environ, "CHILDKERNEL_LAB": lab}, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


class Exit(unittest.TestCase):
    def test_status_is_its_own(self):
        for status in (0, 1, 3):
            self.assertEqual(run(f"exit {status}")[0], status)

    def test_children_that_have_ended_do_not_fail_it(self):
        self.assertEqual(run("true & CHILDREN+=($!); wait; exit 0")[0], 0)
        self.assertEqual(run("true & CHILDREN+=($!); wait; exit 4")[0], 4)

    def test_children_do_not_outlive_it(self):
        # It holds the pipe that is read until its end.
        status, said = run("sleep 1000 & CHILDREN+=($!); echo begun")
        self.assertEqual((status, said), (0, "begun\n"))

    def test_a_signal_may_be_lost(self):
        child = "(trap 'trap - TERM' TERM; echo begun; while :; do sleep 0.1; done)"
        status, said = run(f"{child} & CHILDREN+=($!); sleep 1")
        self.assertEqual((status, said), (0, "begun\n"))


class Lab(unittest.TestCase):
    def test_nothing_is_mounted_where_others_see_it(self):
        with open("/proc/self/mounts", encoding="utf-8") as file:
            before = file.read()
        status, said = run(f"{os.path.dirname(LIB)}/in-lab.sh -- true")
        self.assertEqual(status, 1)
        self.assertIn("is started by in_lab", said)
        with open("/proc/self/mounts", encoding="utf-8") as file:
            self.assertEqual(file.read(), before)


if __name__ == "__main__":
    unittest.main()
