# SPDX-License-Identifier: GPL-2.0
"""Which kernels check-kdir.sh takes: those that have what Kconfig asks for."""

import os
import subprocess
import tempfile
import unittest

CHECK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "check-kdir.sh")
OPTIONS = ("RUST", "DEBUG_FS", "MODULES", "64BIT", "MMU", "SMP", "BPF_SYSCALL")


def check(options, *files):
    """Of a build directory with these options and files: exit status, and what it says."""
    with tempfile.TemporaryDirectory() as kdir:
        for file in ("include/config/auto.conf", *files):
            os.makedirs(os.path.dirname(os.path.join(kdir, file)), exist_ok=True)
            with open(os.path.join(kdir, file), "w", encoding="utf-8") as out:
                out.writelines(f"CONFIG_{option}=y\n" for option in options)
        done = subprocess.run(["sh", CHECK, kdir], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


class Kdir(unittest.TestCase):
    def test_all_that_is_asked_for(self):
        self.assertEqual(check(OPTIONS, "Makefile", "rust/libkernel.rmeta"), (0, ""))

    def test_each_option_is_asked_for(self):
        for missing in OPTIONS:
            status, said = check([option for option in OPTIONS if option != missing],
                                 "Makefile", "rust/libkernel.rmeta")
            self.assertEqual(status, 1)
            self.assertIn(f"is built without CONFIG_{missing}: ", said)

    def test_no_build_directory(self):
        self.assertIn("is no kernel build directory", check(OPTIONS)[1])

    def test_no_metadata(self):
        self.assertIn("has no Rust metadata", check(OPTIONS, "Makefile")[1])


if __name__ == "__main__":
    unittest.main()
