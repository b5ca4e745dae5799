"""Runs a command and writes to a file how long it took and what it used: launch.py FILE COMMAND…

The kernel counts what a process had in memory before it executed a program as that program's, too: so what runs the
commands must be small, and the bench, which has just made its inputs, is not.
"""
import json
import os
import sys
import time

began = time.monotonic()
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
seconds = time.monotonic() - began
with open(sys.argv[1], "w", encoding="utf-8") as report:
    json.dump({"seconds": seconds, "cpu_seconds": usage.ru_utime + usage.ru_stime, "largest": usage.ru_maxrss * 1024,
               "status": os.waitstatus_to_exitcode(status)}, report)
