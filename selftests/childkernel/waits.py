#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tries a wait of a user task, which is blocked in a write to the file.

waits.py FILE NAME KIND ERROR        SIGUSR1 and SIGKILL end it as they must, the lock
                                     that it waits for is taken, and whole afterwards
waits.py FILE NAME limit ERROR MS    its limit ends it, not early and not unbounded

KIND is interruptible, killable or uninterruptible; ERROR is the name of what the wait
itself gives. Prints the results that the log must have, in order.
"""

import ctypes
import errno
import os
import signal
import sys
import time

# Far more than anything here takes, as emulated machines are slow.
PATIENCE = 20
# Long enough for a task that could go on to have done so.
A_WHILE = 0.1
LIBC = ctypes.CDLL(None, use_errno=True)


class Wrong(Exception):
    """What does not hold."""


def ensure(true, what):
    if not true:
        raise Wrong(what)


def write(path, text):
    """Writes once, unlike Python's own write, which tries again. Returns the errno."""
    fd = os.open(path, os.O_WRONLY)
    text = text.encode()
    done = LIBC.write(fd, text, len(text)) == len(text)
    error = 0 if done else ctypes.get_errno()
    os.close(fd)
    return error


def tell(path, word):
    error = write(path, word)
    ensure(not error, f"{word}: {errno.errorcode.get(error, error)}")


def eventually(so):
    """Whether it is so, after waiting for it."""
    end = time.monotonic() + PATIENCE
    while not so():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


class Waiter:
    """A process that waits."""

    def __init__(self, path, name, restart=False):
        self.path, self.name = path, name
        self.result = None
        before = self.counts()[1]
        self.pid = os.fork()
        if self.pid == 0:
            signal.signal(signal.SIGUSR1, lambda *_: None)
            signal.siginterrupt(signal.SIGUSR1, not restart)
            os._exit(write(path, name))
        self.state = None
        ensure(eventually(lambda: self.blocks(before + 1)), f"{name} does not block")

    def counts(self):
        """How many wait, and how many have begun to."""
        with open(self.path, encoding="ascii") as file:
            return [int(n) for n in file.read().split()]

    def blocks(self, begun):
        """Whether it is in that wait and asleep; leaves how in its state."""
        if self.counts() != [1, begun]:
            return False
        with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as file:
            self.state = file.read().rpartition(") ")[2][0]
        return self.state in "SD"

    def has_ended(self):
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self.result = status
        return bool(pid)

    def kill(self, number):
        os.kill(self.pid, number)

    def must_stay(self, number):
        """The signal does not end it."""
        self.kill(number)
        time.sleep(A_WHILE)
        ensure(not self.has_ended(), f"{signal.Signals(number).name} ends {self.name}")
        ensure(self.counts()[0] == 1, f"{self.name} does not wait any more")

    def must_end(self):
        ensure(eventually(self.has_ended), f"{self.name} does not end")

    def must_give(self, error):
        """It ends, and the write has this error."""
        self.must_end()
        ensure(os.WIFEXITED(self.result), f"{self.name} was killed: {self.result}")
        got = os.WEXITSTATUS(self.result)
        ensure(got == error, f"{self.name} gives {errno.errorcode.get(got, got)}")

    def must_die(self):
        self.must_end()
        ensure(os.WIFSIGNALED(self.result) and os.WTERMSIG(self.result) == signal.SIGKILL,
               f"{self.name} ends with {self.result}")


def release(path):
    tell(path, "release")


def try_wait(path, name, kind, error):
    """What signals do to it."""
    log = []
    tell(path, "hold")
    waiter = Waiter(path, name)
    state = "S" if kind == "interruptible" else "D"
    ensure(waiter.state == state, f"{name} waits in state {waiter.state}")
    if kind == "interruptible":
        waiter.kill(signal.SIGUSR1)
        # ERESTARTSYS is never seen by the program.
        waiter.must_give(errno.EINTR)
        log += [error]
        if error == "ERESTARTSYS":
            # The same signal, but the write is done again.
            waiter = Waiter(path, name, restart=True)
            begun = waiter.counts()[1]
            waiter.kill(signal.SIGUSR1)
            ensure(eventually(lambda: waiter.blocks(begun + 1)), f"{name} is not done again")
            waiter.kill(signal.SIGKILL)
            waiter.must_die()
            log += [error, error]
    else:
        waiter.must_stay(signal.SIGUSR1)
        if kind == "killable":
            waiter.kill(signal.SIGKILL)
            waiter.must_die()
            log += [error]
        else:
            waiter.must_stay(signal.SIGKILL)
            release(path)
            waiter.must_die()
            log += ["OK"]
            tell(path, "whole")
            tell(path, "hold")
    # Whoever has waited without result leaves nothing behind, and the next one gets it.
    waiter = Waiter(path, name)
    release(path)
    waiter.must_give(0)
    tell(path, "whole")
    return log + ["OK"]


def try_limit(path, name, error, limit_ms):
    """What its limit does to it."""
    tell(path, "hold")
    began = time.monotonic()
    got = write(path, f"{name} {limit_ms}")
    took = time.monotonic() - began
    release(path)
    tell(path, "whole")
    ensure(got == getattr(errno, error), f"{name} gives {errno.errorcode.get(got, got)}")
    # The first jiffy is a part of one, which may be 10 ms long.
    ensure(took * 1000 >= limit_ms - 10, f"{name} gives up after {took} s")
    ensure(took < PATIENCE, f"{name} took {took} s")
    return [error]


def main(argv):
    path, name, kind, error = argv[1:5]
    try:
        if kind == "limit":
            log = try_limit(path, name, error, int(argv[5]))
        else:
            log = try_wait(path, name, kind, error)
    except (Wrong, OSError) as wrong:
        # A waiter that nobody lets go would be there for ever.
        write(path, "release")
        sys.exit(str(wrong))
    print(" ".join(log))


if __name__ == "__main__":
    main(sys.argv)
