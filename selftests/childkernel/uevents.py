#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Prints what the kernel tells user space of child kernels.

uevents.py FILE  writes a line to FILE for each uevent that has a CHILD_ID, of
                 its words as they came, from when FILE is there until killed
"""

import socket
import sys

NETLINK_KOBJECT_UEVENT = 15
KERNEL_GROUP = 1


def main(path):
    events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_KOBJECT_UEVENT)
    events.bind((0, KERNEL_GROUP))
    with open(path, "w", encoding="ascii") as out:
        while True:
            words = events.recv(65536).decode("ascii", "replace").split("\0")
            if any(word.startswith("CHILD_ID=") for word in words):
                print(" ".join(word for word in words if word), file=out, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
