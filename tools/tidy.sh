#!/bin/sh
# clang-tidy (rules in .clang-tidy) over the tracked .c files of the folders given. Uses the clang build's compile
# commands, because gcc's flags are not all known to it.
set -eu
script_name=lint
cd "$(dirname "$0")/.."
. tools/packages.sh
# shellcheck disable=SC2086
packages_ensure $build_packages $check_packages $lint_packages
CC=clang build_configure build-clang --buildtype=debugoptimized -Dtests=enabled
files=$(git ls-files "$@" | grep '\.c$') || die "no C files in: $*"
say "clang-tidy over $(echo "$files" | wc -l) files"
echo "$files" | xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p build-clang --warnings-as-errors='*'
