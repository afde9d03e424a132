"""Each rule of tools/lint.py must report a tree that breaks it, and stay silent over one that does not.

A case is a rule, a tiny tree, and the places that must be reported ("path:line"); an empty list means silence.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
LINT = os.path.join(ROOT, "tools", "lint.py")
spec = importlib.util.spec_from_file_location("lint", LINT)
lint = importlib.util.module_from_spec(spec)
spec.loader.exec_module(lint)
LAYERS = "base :\nstore : base\nstore/mem : base store\nhttp : base\napp : base store store/mem http\n"
# Split, so that this file does not break the rule that it tests.
TO_DO = "TO" + "DO"

CASES = [
    ("layers", {"src/base/a.c": '#include "http/x.h"\n'}, ["src/base/a.c:1"]),
    ("layers", {"src/store/a.c": '\n#include "http/x.h"\n'}, ["src/store/a.c:2"]),
    ("layers", {"src/http/a.c": '#include "store/mem/x.h"\n'}, ["src/http/a.c:1"]),
    ("layers", {"src/store/a.c": '#include "store/mem/x.h"\n'}, ["src/store/a.c:1"]),
    ("layers", {"src/store/mem/a.c": '#include "store/x.h"\n#include "base/y.h"\n'}, []),
    ("layers", {"src/app/a.c": '#include "store/mem/x.h"\n'}, []),
    ("layers", {"src/base/a.c": '/* #include "http/x.h" */\n#include <http/x.h>\n'}, []),
    ("layers", {"src/new/a.c": "int x;\n"}, ["src/new/a.c:1"]),
    ("layers", {"tools/layers.txt": "base : app\napp :\n"}, ["tools/layers.txt:1"]),
    ("includes", {"src/base/a.c": '#include "a.h"\n'}, ["src/base/a.c:1"]),
    ("includes", {"src/base/a.c": '#include "base/b.c"\n'}, ["src/base/a.c:1"]),
    ("includes", {"src/http/a.c": '#include "base/base_int.h"\n'}, ["src/http/a.c:1"]),
    ("includes", {"src/base/a.c": '#include "base/base_int.h"\n#include "base/err.def"\n'}, []),
    ("own-header", {"src/base/a.h": "", "src/base/a.c": '#include <stdio.h>\n#include "base/a.h"\n'}, ["src/base/a.c:1"]),
    ("own-header", {"src/base/a.h": "", "src/base/a.c": "int x;\n"}, ["src/base/a.c:1"]),
    ("own-header", {"src/base/a.h": "", "src/base/a.c": '/* why */\n\n#include "base/a.h"\n'}, []),
    ("own-header", {"src/base/a.h": "", "src/base/a.c": '#include "base/base_int.h"\n'}, []),
    ("own-header", {"src/base/a.h": "", "src/base/a.c": '#include "http/http_int.h"\n'}, ["src/base/a.c:1"]),
    ("own-header", {"src/app/main.c": "#include <stdio.h>\n"}, []),
    ("pragma-once", {"src/base/a.h": "int x;\n"}, ["src/base/a.h:1"]),
    ("pragma-once", {"src/base/a.h": "/* What it is. */\n#pragma once\n"}, []),
    ("banned", {"src/base/a.c": "void f(void)\n{\n    strcpy(a, b);\n}\n"}, ["src/base/a.c:3"]),
    ("banned", {"tests/unit/a.c": "int x = atoi (text);\n"}, ["tests/unit/a.c:1"]),
    ("banned", {"src/http/a.c": "free(x);\n"}, ["src/http/a.c:1"]),
    ("banned", {"src/http/a.c": "n = read(fd, x, 1);\n"}, ["src/http/a.c:1"]),
    ("banned", {"src/store/a.c": 'printf("x");\n'}, ["src/store/a.c:1"]),
    ("banned", {"src/store/a.c": "exit(1);\n"}, ["src/store/a.c:1"]),
    ("banned", {"src/base/a.c": "free(x);\n", "src/store/a.c": "n = read(fd, x, 1);\n"}, []),
    ("banned", {"src/http/a.c": 'x->free(x);\ny.read(y);\nmem_free(x);\n/* free(x) */ s = "free(x)";\n'}, []),
    ("banned", {"tests/unit/a.c": "free(x);\n", "src/app/a.c": 'printf("x");\n'}, []),
    ("length", {"src/base/a.c": "\n" * 801}, ["src/base/a.c:801"]),
    ("length", {"src/base/a.c": "\n" * 800}, []),
    ("todo", {"src/base/a.c": f"int x; /* {TO_DO}: later */\n"}, ["src/base/a.c:1"]),
    ("todo", {"src/base/a.c": f"int x; /* {TO_DO} #12: later */\nint method;\n"}, []),
    ("dead-code", {"src/base/a.c": "int x;\n#if 0\nint y;\n#endif\n"}, ["src/base/a.c:2"]),
    ("dead-code", {"src/base/a.c": "#if 0x1 == VALUE\n#endif\n#if defined(X)\n#endif\n"}, []),
    ("readme", {"src/base/a.c": ""}, ["src/base/README.md:1"]),
    ("readme", {"src/base/README.md": "- `a.h`: x\n", "src/base/a.c": "", "src/base/b.c": ""}, ["src/base/README.md:1"]),
    ("readme", {"src/base/README.md": "a.c is not in back-ticks\n", "src/base/a.c": ""}, ["src/base/README.md:1"]),
    ("readme", {"src/base/README.md": "`a.[ch]` `b.h` `err.def`", "src/base/a.c": "", "src/base/b.c": "", "src/base/err.def": ""}, []),
    ("readme", {"src/store/README.md": "", "src/store/mem/README.md": "`a.c`", "src/store/mem/a.c": ""}, []),
    ("readme-stale", {"src/base/README.md": "\n`gone.c`: x\n"}, ["src/base/README.md:2"]),
    ("readme-stale", {"src/base/README.md": "`a.c` `json.xml` `<x>_int.h`", "src/base/a.c": ""}, []),
    ("handmade", {"src/http/a.c": 'arena_printf(a, "<Key>%s", key);\n'}, ["src/http/a.c:1"]),
    ("handmade", {"src/http/a.c": 'buf_append(out, STR("<Key>"));\n'}, []),
    ("handmade", {"src/http/a.c": 'buf_printf(out,\n    "{\\"key\\": 1}");\n'}, ["src/http/a.c:2"]),
    ("handmade", {"src/http/a.c": 'buf_printf(out, "%s: <%s>", a, b); x = "</a>";\n'}, []),
    ("tracked", {"src/base/a.o": "x"}, ["src/base/a.o:1"]),
    ("tracked", {"build/x.c": "x"}, ["build/x.c:1"]),
    ("tracked", {"tests/s3/node_modules/x.js": "x"}, ["tests/s3/node_modules/x.js:1"]),
    ("tracked", {"tools/pail": "\x7fELF"}, ["tools/pail:1"]),
    ("tracked", {"tests/data.bin": "x" * ((1 << 20) + 1)}, ["tests/data.bin:1"]),
    ("tracked", {"tools/build.sh": "x", "tests/data.bin": "x" * (1 << 20)}, []),
]


def findings(check, files):
    """What one check reports about a tree of these files."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in {"tools/layers.txt": LAYERS, **files}.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="latin-1") as file:
                file.write(text)
        return list(dict(lint.CHECKS)[check](lint.Tree(root)))


def run_lint(*arguments):
    return subprocess.run([sys.executable, LINT, *arguments], capture_output=True, text=True)


class Lint(unittest.TestCase):
    def test_each_case(self):
        for check, files, places in CASES:
            with self.subTest(check=check, files=list(files), places=places):
                found = findings(check, files)
                self.assertEqual([f"{finding.path}:{finding.line}" for finding in found], places, found)

    def test_each_check_has_a_bad_and_a_good_tree(self):
        for check, _ in lint.CHECKS:
            self.assertTrue([1 for name, _, places in CASES if name == check and places], f"no bad tree for {check}")
            self.assertTrue([1 for name, _, places in CASES if name == check and not places], f"no good tree for {check}")

    def test_findings_are_printed_and_make_the_exit_status(self):
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(os.path.join(root, "src", "base"))
            for name, lines in (("good.h", "#pragma once\n"), ("bad.h", "int x;\n")):
                with open(os.path.join(root, "src", "base", name), "w", encoding="ascii") as file:
                    file.write(lines)
            run = run_lint("--root", root, "pragma-once")
            self.assertEqual(run.stdout, "src/base/bad.h:1: [pragma-once] a header begins with #pragma once\n")
            self.assertEqual(run.returncode, 1)
            os.remove(os.path.join(root, "src", "base", "bad.h"))
            self.assertEqual(run_lint("--root", root, "pragma-once").returncode, 0)

    def test_unknown_check_is_refused(self):
        self.assertEqual(run_lint("nonsense").returncode, 2)


if __name__ == "__main__":
    unittest.main()
