"""Processes that do one operation a request: peers_driver for ckpt and the limits, worker.py for the peers.

A request is a line: the operation, then name=value, separated by tabs. The answer is a line, too: "ok" and name=value,
or "error" and a message.
"""

import os
import subprocess
import threading
from pathlib import Path


PATIENCE = 600  # seconds for one operation


class Failed(Exception):
    """An operation did not work."""


def number(text):
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


class Process:
    """Starts `command`, on so many cores when that is given. What it says on standard error goes to `log`."""

    def __init__(self, command, cores=None, log=os.devnull):
        self.name = Path(command[-1]).name
        limit = (lambda: os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])) if cores else None
        with open(log, "a", encoding="utf-8") as errors:
            self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=errors, text=True, preexec_fn=limit)

    def __call__(self, operation, **fields):
        request = "\t".join([operation, *(f"{name}={value}" for name, value in fields.items())])
        # An operation that hangs fails: the process is ended then.
        timer = threading.Timer(PATIENCE, self.process.kill)
        timer.start()
        try:
            self.process.stdin.write(request + "\n")
            self.process.stdin.flush()
            kind, *answer = self.process.stdout.readline().rstrip("\n").split("\t")
        finally:
            timer.cancel()
        if kind != "ok":
            why = " ".join(answer) or f"the process ended, or took more than {PATIENCE} s"
            raise Failed(f"{self.name}: {operation}: {why}")
        return {name: number(value) for name, _, value in (field.partition("=") for field in answer)}

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def _proc(self, name):
        return Path(f"/proc/{self.process.pid}/{name}")

    def status(self, name):
        """Bytes of a line of /proc/PID/status or smaps_rollup, such as VmHWM or Pss."""
        for file in ("status", "smaps_rollup"):
            for line in self._proc(file).read_text().splitlines():
                if line.startswith(name + ":"):
                    return int(line.split()[1]) * 1024
        raise Failed(f"{self.name}: the kernel does not tell {name}")

    def reset_peak(self):
        """VmHWM starts again from what is resident."""
        self._proc("clear_refs").write_text("5")
