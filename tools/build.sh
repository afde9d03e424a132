#!/bin/sh
# The builds beside ./run and ./check: build.sh release | clang | tsan | fuzz | bench
#   release  build/        gcc, optimised: the binary that people run
#   clang    build-clang/  the second compiler, everything compiled, tests included
#   tsan     build-tsan/   thread sanitizer, unit and engine tests
#   fuzz     build-fuzz/   each fuzz harness for FUZZ_SECONDS (60) from its corpus
#   bench    build/        the benchmarks of tests/bench against the release build
set -eu
script_name=build
cd "$(dirname "$0")/.."
. tools/packages.sh

build_release() {
    # shellcheck disable=SC2086
    packages_ensure $build_packages
    build_configure build --buildtype=release -Db_lto=true -Dtests=disabled
    build_compile build
}

build_clang() {
    # shellcheck disable=SC2086
    packages_ensure $build_packages $check_packages $lint_packages
    CC=clang build_configure build-clang --buildtype=debugoptimized -Dtests=enabled
    build_compile build-clang
}

build_tsan() {
    # shellcheck disable=SC2086
    packages_ensure $build_packages $check_packages
    build_configure build-tsan --buildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false -Dtests=enabled
    build_compile build-tsan
    # Refused allocations are a case of the tests, not a finding. RocksDB is not instrumented: what it does between its own threads
    # cannot be judged.
    TSAN_OPTIONS=allocator_may_return_null=1:halt_on_error=1:ignore_noninstrumented_modules=1 meson test -C build-tsan --no-rebuild --print-errorlogs --suite unit --suite engine
}

build_fuzz() {
    # shellcheck disable=SC2086
    packages_ensure $build_packages $check_packages $lint_packages
    CC=clang build_configure build-fuzz --buildtype=debugoptimized -Dfuzz=true -Db_sanitize=address,undefined \
        -Db_lundef=false -Dtests=enabled
    build_compile build-fuzz
    for harness in build-fuzz/tests/fuzz/fuzz_*; do
        [ -f "$harness" ] && [ -x "$harness" ] || continue
        name=$(basename "$harness")
        name=${name#fuzz_}
        found=build-fuzz/corpus/$name
        mkdir -p "$found"
        say "fuzzing $name for ${FUZZ_SECONDS:-60} seconds"
        # New inputs go to the first folder; the committed corpus is only read.
        "$harness" -max_total_time="${FUZZ_SECONDS:-60}" -artifact_prefix=build-fuzz/"$name"- -print_final_stats=1 \
            "$found" tests/fuzz/corpus/"$name" >build-fuzz/"$name".log 2>&1 ||
            { tail -n 40 build-fuzz/"$name".log >&2; die "$name: a crash, kept as build-fuzz/$name-*"; }
    done
}

build_bench() {
    # shellcheck disable=SC2086
    packages_ensure $build_packages $bench_packages
    build_release
    [ -x tests/bench/run ] || die "there is no benchmark yet (tests/bench/run)"
    exec tests/bench/run
}

case "${1:-}" in
release | clang | tsan | fuzz | bench) "build_$1" ;;
*) die "say which build: release, clang, tsan, fuzz or bench" ;;
esac
