"""Processes under measurement: their CPU, their memory, their ends. Linux, /proc."""

import os
import signal
import subprocess
import time

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
STOP_SECONDS = 60


def cpu_seconds(pids):
    """User and system time of the processes, all threads, ended ones included. The kernel keeps it exactly and shows it in
    ticks of 10 ms, so a run should take seconds of CPU."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            # The name in brackets may hold anything; the fields behind it are numbered from 3.
            fields = file.read().rpartition(")")[2].split()
        total += int(fields[14 - 3]) + int(fields[15 - 3])
    return total / TICKS_PER_SECOND


def memory_bytes(pid, field="VmRSS"):
    """VmRSS (now) or VmHWM (the highest since the last forget_peak)."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/{pid}/status has no {field}")


def forget_peak(pid):
    with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


def children(pid):
    """Direct children by /proc; needs no ps."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def stop(process, number=signal.SIGTERM):
    """Ends one process that was started here and waits for it. Returns its exit code."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        return process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise RuntimeError(f"process {process.pid} did not end within {STOP_SECONDS} s of signal {number}") from None


def wait_until(check, seconds, what, pause=0.002):
    """Calls check until it returns something true; returns it."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: nothing within {seconds} s")
        time.sleep(pause)
