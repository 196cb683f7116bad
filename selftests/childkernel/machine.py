# SPDX-License-Identifier: GPL-2.0
"""What tests need of the machine beside files: modules, CPUs, and whose memory is whose."""

import ctypes
import errno
import glob
import os
import re
import time

# By architecture: finit_module() and delete_module(), which the C library does not have.
CALLS = {"x86_64": (313, 176), "aarch64": (273, 106)}
LIBC = ctypes.CDLL(None, use_errno=True)


def call(which, *args):
    """Returns the errno."""
    number = CALLS[os.uname().machine][which]
    return ctypes.get_errno() if LIBC.syscall(number, *args) != 0 else 0


def insert(file, parameters=b""):
    """Loads a module, in this very task. Returns the errno."""
    fd = os.open(file, os.O_RDONLY)
    try:
        return call(0, fd, parameters, 0)
    finally:
        os.close(fd)


def remove(name, patience=20):
    """Unloads a module, as soon as nobody has a file of it open. Returns the errno."""
    end = time.monotonic() + patience
    while True:
        number = call(1, name.encode(), os.O_NONBLOCK)
        if number != errno.EAGAIN or time.monotonic() > end:
            return number
        time.sleep(0.001)


def is_loaded(name):
    return os.path.exists(f"/sys/module/{name}/initstate")


def other_cpus():
    """Those that can go offline."""
    found = glob.glob("/sys/devices/system/cpu/cpu[0-9]*/online")
    return sorted(int(re.search(r"cpu(\d+)/online", path)[1]) for path in found)


def set_online(cpu, online):
    with open(f"/sys/devices/system/cpu/cpu{cpu}/online", "w", encoding="ascii") as file:
        file.write("1" if online else "0")


# Of what the allocator is asked for by size. What a file system has for our files is its own.
TRACES = "/sys/kernel/debug/slab/kmalloc-[0-9]*/alloc_traces"
OWNERS = ("childkernel", "child_test", "crash_test")


def are_traced():
    """Whether the kernel keeps who has allocated what: slab_debug=U."""
    return bool(glob.glob(TRACES))


# A frame in one of our modules, but not while it was loaded: the code for that is freed, and another
# may be at its place. Once the module has gone, no address in it has a name.
OURS = re.compile(rf"\[({'|'.join(OWNERS)})\]$", re.M)
NAMELESS = re.compile(r"^\s+0x[0-9a-f]+$", re.M)


def objects(frame=OURS):
    """How many objects of the slab allocator there are that our code has asked for, by who has."""
    found = {}
    for path in glob.glob(TRACES):
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        cache = path.split("/")[-2]
        for trace in text.split("\n\n"):
            head = re.match(r"\s*(\d+) (\S+)", trace)
            if head and frame.search(trace) and (frame is NAMELESS or "do_one_initcall" not in trace):
                key = f"{cache} {head[2]}"
                found[key] = found.get(key, 0) + int(head[1])
    return found


def grown(before, after):
    """What there is more of."""
    return {key: n - before.get(key, 0) for key, n in after.items() if n > before.get(key, 0)}
