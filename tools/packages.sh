# Debian packages that pail needs, in one place, and a function that installs what is missing.
# Sourced by ./run, ./check, .ci/run and the Makefile. Each word is a package, or package:command where any
# installation of that command will do.

# To build the server.
build_packages="gcc:gcc libc6-dev meson:meson ninja-build:ninja pkg-config:pkg-config
    libssl-dev libcurl4-openssl-dev libexpat1-dev libjansson-dev libisal-dev liburing-dev librocksdb-dev
    libsystemd-dev ca-certificates"

# To run every test: the unit test library, and the clients that the server is tested with.
check_packages="libcmocka-dev python3-venv curl:curl rclone:rclone s3cmd:s3cmd restic:restic
    nodejs:node npm:npm xfsprogs"

# For the second compiler, the linters and the fuzzers.
lint_packages="git:git clang:clang clang-format:clang-format clang-tidy:clang-tidy libclang-rt-14-dev"

# The benchmark's yardstick for GET. Not for tests: Debian starts it as a service, which nobody asked for who runs tests.
bench_packages="nginx-light:nginx"

say() {
    printf '%s: %s\n' "${script_name:-pail}" "$*" >&2
}

die() {
    say "$*"
    exit 1
}

# Prints the packages that are neither installed nor replaced by their command.
packages_missing() {
    for word in "$@"; do
        package=${word%%:*}
        command=${word#"$package"}
        command=${command#:}
        if [ -n "$command" ] && command -v "$command" >/dev/null 2>&1; then
            continue
        fi
        if dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^.i'; then
            continue
        fi
        printf '%s ' "$package"
    done
}

# Installs what is missing. Needs neither root nor network when nothing is.
packages_ensure() {
    missing=$(packages_missing "$@")
    [ -n "$missing" ] || return 0
    if ! command -v apt-get >/dev/null 2>&1; then
        die "these packages are needed, and there is no apt-get to install them: $missing"
    fi
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 ||
            die "packages are missing; as root, run: apt-get install --no-install-recommends $missing"
        as_root=sudo
    fi
    say "installing packages: $missing"
    log=$(mktemp)
    # The words of $missing are package names of this file, so splitting them is meant.
    # shellcheck disable=SC2086
    if ! { $as_root apt-get update -q &&
        $as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -q -y --no-install-recommends $missing; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        die "the packages could not be installed (see above)"
    fi
    rm -f "$log"
}

# Configures a build folder once: build_configure FOLDER MESON-OPTIONS... A folder whose configuration was cut short,
# or whose options have changed since, is configured again.
build_configure() {
    folder=$1
    shift
    stamp="$folder/configured-with"
    if [ -f "$folder/build.ninja" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$*" ]; then
        # Folders that have got a meson.build since are only seen by a new configuration.
        find src tests meson.build meson_options.txt -maxdepth 3 -name 'meson*' -newer "$stamp" |
            grep -q . || return 0
        meson setup --reconfigure "$folder" "$@" >"$folder/configure.log" 2>&1 ||
            { tail -n 20 "$folder/configure.log" >&2; die "meson could not configure $folder"; }
    else
        rm -rf "$folder/meson-private" "$folder/meson-info" "$folder/build.ninja"
        mkdir -p "$folder"
        meson setup "$folder" "$@" >"$folder/configure.log" 2>&1 ||
            { tail -n 20 "$folder/configure.log" >&2; die "meson could not configure $folder"; }
    fi
    printf '%s\n' "$*" >"$stamp"
}

# Compiles a configured folder, showing the compiler's words only when it fails.
build_compile() {
    ninja --quiet -k 10 -C "$1" >"$1/compile.log" 2>&1 ||
        { grep -v '^\(cc\|gcc\|clang\) -' "$1/compile.log" | tail -n 80 >&2; die "the build in $1 failed"; }
}
