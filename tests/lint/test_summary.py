"""tools/test_summary.py counts what each program says that it ran, and never calls a failed run good."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "test_summary.py")

CMOCKA_GOOD = "[==========] Running 3 test(s).\n[  PASSED  ] 3 test(s).\n"
CMOCKA_BAD = "[  PASSED  ] 2 test(s).\n[  FAILED  ] 1 test(s), listed below:\n"

CASES = [
    # (result, output), options, last line, exit status
    ([("OK", CMOCKA_GOOD)], [], "3 passed, 0 failed", 0),
    ([("OK", "")], [], "1 passed, 0 failed", 0),
    ([("OK", CMOCKA_GOOD), ("FAIL", CMOCKA_BAD)], [], "5 passed, 1 failed", 1),
    ([("FAIL", CMOCKA_GOOD)], [], "3 passed, 1 failed", 1),
    ([("TIMEOUT", "")], [], "0 passed, 1 failed", 1),
    ([("ERROR", "")], [], "0 passed, 1 failed", 1),
    ([("OK", "....\n12 passed, 1 skipped in 0.50s\n")], [], "12 passed, 0 failed", 0),
    ([("FAIL", "=== 1 failed, 12 passed in 1.50s ===\n")], [], "12 passed, 1 failed", 1),
    ([("FAIL", "1 failed, 12 passed in 1.50s\n")], [], "12 passed, 1 failed", 1),
    ([("OK", "Ran 4 tests in 0.1s\n\nOK\n")], [], "4 passed, 0 failed", 0),
    ([("OK", CMOCKA_GOOD), ("SKIP", "")], [], "3 passed, 0 failed, 1 programs skipped", 0),
    ([("OK", CMOCKA_GOOD), ("SKIP", "")], ["--strict"], "3 passed, 1 failed, 1 programs skipped", 1),
    ([], [], "0 passed, 0 failed", 0),
    ([], ["--strict"], "0 passed, 1 failed", 1),
]


class Summary(unittest.TestCase):
    def test_each_case(self):
        for entries, options, line, status in CASES:
            with self.subTest(entries=entries, options=options), tempfile.NamedTemporaryFile("w") as log:
                for result, output in entries:
                    log.write(json.dumps({"name": "x", "result": result, "stdout": output}) + "\n")
                log.flush()
                run = subprocess.run([sys.executable, PROGRAM, *options, log.name], capture_output=True, text=True)
                self.assertEqual((run.stdout.splitlines()[-1], run.returncode), (line, status))

    def test_the_reasons_of_a_failure_are_told(self):
        output = "ok 1 - a\nnot ok 2 - b\n# line 3: nothing more came\nok 3 - c\n"
        with tempfile.NamedTemporaryFile("w") as log:
            log.write(json.dumps({"name": "x", "result": "ERROR", "stdout": output}) + "\n")
            log.flush()
            run = subprocess.run([sys.executable, PROGRAM, log.name], capture_output=True, text=True)
        told = ["FAILED x (error)", "    not ok 2 - b", "    # line 3: nothing more came", "0 passed, 1 failed"]
        self.assertEqual(run.stdout.splitlines(), told)

    def test_a_missing_log_is_a_failure(self):
        run = subprocess.run([sys.executable, PROGRAM, "/nonexistent"], capture_output=True, text=True)
        self.assertEqual(run.returncode, 1)


if __name__ == "__main__":
    unittest.main()
