#!/usr/bin/env python3
"""Rules of STYLE.md that a small program can check, over the files of the repository.

    tools/lint.py [--root FOLDER] [--list] [CHECK...]

Prints "path:line: [check] message" for each finding and ends with 1 when there is one. Without a git folder (a source
archive, a test) every file below the root is read. To add a rule: write a generator of findings and give it a row in
CHECKS; tests/lint refuses a row that has no bad example there.
"""

import argparse
import os
import re
import subprocess
import sys
from collections import namedtuple

Finding = namedtuple("Finding", "path line message")
Banned = namedtuple("Banned", "names allowed_in instead")

MAX_FILE_LINES = 800
MAX_TRACKED_BYTES = 1 << 20

# Calls and where they are allowed all the same (folders of src; None: nowhere, tests included).
BANNED = [
    Banned("strcpy strcat sprintf vsprintf strncpy strncat strtok gets alloca", None, "str, buf or arena_printf"),
    Banned("gmtime localtime ctime asctime", None, "base/clock.h"),
    Banned("atoi atol atoll atof strtol strtoll strtoul strtoull", None, "str_to_u64 or str_to_i64"),
    Banned("setjmp longjmp", None, "errors that are values"),
    Banned("malloc calloc realloc free strdup strndup asprintf vasprintf", ["base"], "mem_*, arena_* or buf_*"),
    Banned(
        "open openat creat read pread write pwrite writev readv send sendto sendmsg recv recvfrom recvmsg fopen",
        ["base", "event", "net", "store"],
        "base/fd.h, or a worker's file calls",
    ),
    Banned("exit _exit abort quick_exit", ["base", "app"], "an enum err"),
    Banned("printf puts putchar perror fprintf vfprintf", ["base", "app", "client"], "struct fail or the log"),
]

BUILD_OUTPUT = re.compile(
    r"(^|/)(build[^/]*/|node_modules/|__pycache__/|\.venv/|pail-data/)"
    r"|\.(o|a|so|pyc|gcda|gcno|profraw|exe|whl)$|(^|/)compile_commands\.json$"
)
TOKENS = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


class Tree:
    """The files that are looked at. Paths are relative to the root, with slashes."""

    def __init__(self, root):
        self.root = root
        self.paths = sorted(self._from_git() if os.path.exists(os.path.join(root, ".git")) else self._from_walk())
        self._text = {}

    def _from_git(self):
        command = ["git", "-C", self.root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(command, check=True, capture_output=True).stdout.decode().split("\0")
        return {name for name in names if name and os.path.isfile(os.path.join(self.root, name))}

    def _from_walk(self):
        found = set()
        for folder, _, names in os.walk(self.root):
            found.update(os.path.relpath(os.path.join(folder, name), self.root) for name in names)
        return found

    def text(self, path):
        if path not in self._text:
            with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as file:
                self._text[path] = file.read()
        return self._text[path]

    def c_files(self, prefixes=("src/", "tests/")):
        return [path for path in self.paths if path.startswith(prefixes) and path.endswith((".c", ".h", ".def"))]


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def without_comments_and_strings(text):
    """The same text with blanks in place of comments and literals, so that positions stay."""
    return TOKENS.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def without_comments(text):
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group()) if match.group()[0] == "/" else match.group()

    return TOKENS.sub(blank, text)


def read_layers(tree):
    """{folder: folders that it may include}, and the problems of the table itself."""
    rows, problems = {}, []
    path = "tools/layers.txt"
    if path not in tree.paths:
        return rows, [Finding(path, 1, "the table of layers is missing")]
    for number, line in enumerate(tree.text(path).splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        folder, _, allowed = (part.strip() for part in line.partition(":"))
        for name in allowed.split():
            if name not in rows:
                problems.append(Finding(path, number, f'"{folder}" may not include "{name}", which stands below it'))
        rows[folder] = set(allowed.split())
    return rows, problems


def layer_of(rows, path):
    """The row that a path below src/ belongs to: the longest folder that has one, or None."""
    folder = os.path.dirname(path)
    while folder and folder not in rows:
        folder = os.path.dirname(folder)
    return folder or None


def check_layers(tree):
    rows, problems = read_layers(tree)
    yield from problems
    for path in tree.c_files(("src/",)):
        own = layer_of(rows, path.removeprefix("src/"))
        if own is None:
            yield Finding(path, 1, "its folder has no row in tools/layers.txt")
            continue
        text = without_comments(tree.text(path))
        for match in INCLUDE.finditer(text):
            mark, target = match.groups()
            other = layer_of(rows, target)
            if mark == '"' and other is not None and other != own and other not in rows[own]:
                yield Finding(path, line_of(text, match.start()), f'"{own}" may not include "{target}"')


def check_includes(tree):
    for path in tree.c_files():
        text = without_comments(tree.text(path))
        folder = os.path.dirname(path).removeprefix("src/")
        for match in INCLUDE.finditer(text):
            mark, target = match.groups()
            line = line_of(text, match.start())
            if target.endswith(".c"):
                yield Finding(path, line, f'"{target}": a .c file is compiled, not included')
            if mark == '"' and path.startswith("src/") and "/" not in target:
                yield Finding(path, line, f'"{target}": includes are by full path from src')
            if target.endswith("_int.h") and os.path.dirname(target) != folder and path.startswith("src/"):
                yield Finding(path, line, f'"{target}" is private to its folder')


def check_own_header(tree):
    for path in tree.c_files(("src/",)):
        header = path.removesuffix(".c") + ".h"
        if not path.endswith(".c") or header not in tree.paths:
            continue
        text = without_comments(tree.text(path))
        first = INCLUDE.search(text)
        folder = os.path.dirname(header.removeprefix("src/"))
        # The folder's private header includes the public ones.
        good = {header.removeprefix("src/"), f"{folder}/{os.path.basename(folder)}_int.h"}
        if first is None or first.group(2) not in good:
            yield Finding(path, line_of(text, first.start()) if first else 1, "its own header must be included first")


def check_pragma_once(tree):
    for path in tree.c_files():
        if path.endswith(".h") and not re.search(r"^#pragma once$", tree.text(path), re.M):
            yield Finding(path, 1, "a header begins with #pragma once")


def check_banned(tree):
    for path in tree.c_files():
        folder = path.split("/")[1] if path.startswith("src/") else None
        text = without_comments_and_strings(tree.text(path))
        for row in BANNED:
            in_tests = folder is None and row.allowed_in is not None
            if in_tests or (row.allowed_in is not None and folder in row.allowed_in):
                continue
            # Not a call: a member of that name, a longer name, a declaration of a parameter.
            for match in re.finditer(r"(?<![\w.>])(" + "|".join(row.names.split()) + r")\s*\(", text):
                yield Finding(path, line_of(text, match.start()), f"{match.group(1)} is banned here: use {row.instead}")


def check_length(tree):
    for path in tree.paths:
        if path.startswith(("src/", "tests/", "tools/")) and path.endswith((".c", ".h", ".py", ".sh")):
            lines = tree.text(path).count("\n")
            if lines > MAX_FILE_LINES:
                yield Finding(path, lines, f"{lines} lines; a file has one subject and at most {MAX_FILE_LINES}")


def check_todo(tree):
    pattern = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b(?!.*#\d)")
    for path in tree.paths:
        if not path.startswith(("src/", "tests/", "tools/", "console/")) or path.endswith((".json", ".txt", ".bin")):
            continue
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            match = pattern.search(line)
            if match:
                yield Finding(path, number, f"{match.group(1)} without an issue number (#123)")


def check_dead_code(tree):
    for path in tree.c_files():
        text = without_comments(tree.text(path))
        for match in re.finditer(r"^[ \t]*#[ \t]*if[ \t]+(0|1)\b", text, re.M):
            yield Finding(path, line_of(text, match.start()), f"#if {match.group(1)}: git remembers removed code")


def check_readme(tree):
    rows, _ = read_layers(tree)
    folders = {os.path.dirname(path) for path in tree.c_files(("src/",))}
    for folder in sorted(folders):
        if folder.removeprefix("src/") not in rows:
            continue
        readme = folder + "/README.md"
        if readme not in tree.paths:
            yield Finding(readme, 1, "every folder of src has a README.md (STYLE.md, section 6)")
            continue
        listed = set(re.findall(r"`([\w./\[\]-]+)`", tree.text(readme)))
        for path in tree.c_files((folder + "/",)):
            name = os.path.relpath(path, folder)
            stem = os.path.splitext(name)[0]
            below = layer_of(rows, path.removeprefix("src/")) != folder.removeprefix("src/")
            if not below and not listed & {name, stem + ".h", stem + ".[ch]"}:
                yield Finding(readme, 1, f"does not list {name}")


def check_readme_stale(tree):
    names = {os.path.basename(path) for path in tree.paths}
    for path in tree.paths:
        if not (path.startswith("src/") and path.endswith("README.md")):
            continue
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            for name in re.findall(r"`([\w-]+\.(?:c|h|def))`", line):
                if name not in names:
                    yield Finding(path, number, f"names {name}, which is not there")


def check_handmade(tree):
    """Markup by printf: each escape that is forgotten is a hole. Appending a constant tag is no hole."""
    literal = re.compile(r'printf\s*\([^;]*?"(?:[^"\\\n]|\\.)*?(?:</\w|<\w+>|\{\\"\w)', re.S)
    for path in tree.c_files(("src/",)):
        if path.startswith(("src/codec/", "src/base/")):
            continue
        text = without_comments(tree.text(path))
        for match in literal.finditer(text):
            yield Finding(path, line_of(text, match.end()), "XML and JSON are written by codec only")


def check_tracked(tree):
    for path in tree.paths:
        full = os.path.join(tree.root, path)
        if BUILD_OUTPUT.search(path):
            yield Finding(path, 1, "build output is not tracked")
        elif os.path.getsize(full) > MAX_TRACKED_BYTES:
            yield Finding(path, 1, f"larger than {MAX_TRACKED_BYTES >> 20} MiB")
        else:
            with open(full, "rb") as file:
                if file.read(4) == b"\x7fELF":
                    yield Finding(path, 1, "a compiled program is not tracked")


CHECKS = [
    ("layers", check_layers),
    ("includes", check_includes),
    ("own-header", check_own_header),
    ("pragma-once", check_pragma_once),
    ("banned", check_banned),
    ("length", check_length),
    ("todo", check_todo),
    ("dead-code", check_dead_code),
    ("readme", check_readme),
    ("readme-stale", check_readme_stale),
    ("handmade", check_handmade),
    ("tracked", check_tracked),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    parser.add_argument("--list", action="store_true", help="print the names of the checks")
    parser.add_argument("check", nargs="*", help="only these checks")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(name for name, _ in CHECKS))
        return 0
    unknown = set(arguments.check) - {name for name, _ in CHECKS}
    if unknown:
        parser.error(f"no such check: {', '.join(sorted(unknown))} (--list prints them)")
    tree = Tree(arguments.root)
    count = 0
    for name, check in CHECKS:
        if arguments.check and name not in arguments.check:
            continue
        for finding in check(tree):
            count += 1
            print(f"{finding.path}:{finding.line}: [{name}] {finding.message}")
    print(f"lint: {len(tree.paths)} files, {count} findings", file=sys.stderr)
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
