"""How a built copy is asked whether it is broken. Each way gives one of the outcomes, and what was said."""

import collections
import json
import os
import subprocess
import sys

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(TOP, "tools"))

from test_summary import reasons  # noqa: E402

PASSES, FAILS, SKIPPED, ERRS = "passes", "fails", "skipped", "errs"
Outcome = collections.namedtuple("Outcome", "result said")

SEED = "1"
SKIP_CODE = 77
ORACLE_ROUNDS, ORACLE_CONTROL_ROUNDS = "40", "6"
CONSISTENCY_ROUNDS = "10"
SAID_MAX = 150


def run(command, folder=None):
    """(exit code, output). What a test that fails leaves behind is left in the folder."""
    venv = os.environ.get("CHECK_VENV", os.path.join(TOP, "build-check", "venv"))
    environment = {**os.environ, "CHECK_VENV": venv, **({"TMPDIR": folder} if folder else {})}
    done = subprocess.run(["nice", "-n", "10", *command], capture_output=True, text=True, check=False, env=environment)
    return done.returncode, done.stdout + done.stderr


def build(build_folder, *targets):
    code, output = run(["ninja", "-C", build_folder, *targets])
    if code != 0:
        sys.exit(f"prove: a build failed\n{output[-3000:]}")


def last_line(output):
    return output.strip().splitlines()[-1] if output.strip() else ""


# ---- The crash oracle ----


def first_fault(output):
    faults = [line.strip() for line in output.splitlines() if line.lstrip().startswith("FAULT ")]
    rounds = sum(1 for line in output.splitlines() if line.startswith("round "))
    return f"in round {rounds}: {faults[0].removeprefix('FAULT ')}" if faults else None


def ask_oracle(words, build_folder, folder, is_broken):
    build(build_folder, "pail", "tests/crash/crash_shim.so")
    command = [sys.executable, os.path.join(TOP, "tests/crash/oracle.py"), "--pail", build_folder + "/pail", "--dir", folder]
    command += ["--shim", build_folder + "/tests/crash/crash_shim.so", "--seed", SEED, "--seconds", "1", "--delete"]
    command += ["--rounds", ORACLE_ROUNDS if is_broken else ORACLE_CONTROL_ROUNDS, *words]
    code, output = run(command, folder)
    if code in (0, SKIP_CODE):
        return Outcome(PASSES if code == 0 else SKIPPED, last_line(output))
    fault = first_fault(output)
    return Outcome(FAILS, fault) if code == 1 and fault else Outcome(ERRS, output.strip()[-SAID_MAX:])


# ---- The consistency checks ----


def ask_consistency(_words, build_folder, folder, _is_broken):
    build(build_folder, "pail")
    command = [sys.executable, os.path.join(TOP, "tests/consistency/consistency.py"), "--pail", build_folder + "/pail"]
    code, output = run([*command, "--rounds", CONSISTENCY_ROUNDS, "--seed", SEED, "--kills", "0"], folder)
    if code == 0:
        return Outcome(PASSES, last_line(output))
    found = [line for line in output.splitlines() if line.startswith("FAILED")]
    return Outcome(FAILS, found[0]) if found else Outcome(ERRS, output.strip()[-SAID_MAX:])


# ---- A test of the suite ----


def failed_cases(entry):
    """Their names, where cmocka or pytest tells them; else the first line that says why, if there is one."""
    lines = (entry.get("stdout", "") + "\n" + entry.get("stderr", "")).splitlines()
    cmocka = [line.split("]", 1)[1].strip() for line in lines if line.startswith("[  FAILED  ]") and "test(s)" not in line]
    pytest = [line.split("::")[-1].split(" - ")[0] for line in lines if line.startswith("FAILED ") and "::" in line]
    return ", ".join(dict.fromkeys(cmocka + pytest)) or reasons(entry)[0] or f"it ends with {entry['returncode']}"


def ask_suite(words, build_folder, folder, _is_broken):
    log = os.path.join(build_folder, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.remove(log)
    _, output = run(["meson", "test", "-C", build_folder, "--timeout-multiplier", "3", *words], folder)
    if not os.path.exists(log):
        sys.exit(f"prove: {' '.join(words)} was not run\n{output[-3000:]}")
    with open(log, encoding="utf-8") as lines:
        entry = json.loads(next(lines))
    if entry["result"] == "SKIP":
        return Outcome(SKIPPED, last_line(entry.get("stderr", "")))
    if entry["result"] == "OK":
        return Outcome(PASSES, "")
    return Outcome(FAILS, "it does not end" if entry["result"] == "TIMEOUT" else failed_cases(entry))


ASKED = {"oracle": ask_oracle, "consistency": ask_consistency, "suite": ask_suite}


def ask(way, build_folder, folder, is_broken):
    result, said = ASKED[way.kind](way.words, build_folder, folder, is_broken)
    return Outcome(result, said[:SAID_MAX])
