#!/bin/sh
# Proves ./run and ./check on a bare Debian 12: makes one with mmdebstrap in a temporary folder, copies the committed
# tree into it, and runs both there. Needs root, mmdebstrap and the network.
#   tools/fresh.sh [--keep] [--mirror URL] [--certificates FILE] [run|check|ci|all]
# --certificates adds a bundle of CA certificates, for networks that look into TLS.
set -eu
script_name=fresh
cd "$(dirname "$0")/.."
. tools/packages.sh

keep=no
mirror=
certificates=
what=all
while [ $# -gt 0 ]; do
    case $1 in
    --keep) keep=yes ;;
    --mirror) shift && mirror=$1 ;;
    --certificates) shift && certificates=$1 ;;
    run | check | ci | all) what=$1 ;;
    *) die "unknown argument: $1" ;;
    esac
    shift
done
[ "$(id -u)" -eq 0 ] || die "must be root"
command -v mmdebstrap >/dev/null 2>&1 || die "mmdebstrap is missing"

root=$(mktemp -d "${TMPDIR:-/tmp}/pail-fresh.XXXXXX")
finish() {
    if [ "$keep" = yes ]; then
        say "kept: $root"
    else
        rm -rf --one-file-system "$root"
    fi
}
trap finish EXIT

say "making a bare Debian 12 in $root"
# shellcheck disable=SC2086
mmdebstrap --quiet --variant=minbase bookworm "$root" $mirror
cp /etc/resolv.conf "$root/etc/resolv.conf"
# Every installed system knows its own name.
echo "127.0.0.1 localhost" >"$root/etc/hosts"
mkdir "$root/pail"
git archive HEAD | tar -x -C "$root/pail"
if [ -n "$certificates" ]; then
    cp "$certificates" "$root/etc/extra-certificates.pem"
fi

# inside COMMAND: runs it in the root, with its own processes and mounts, which end with it.
inside() {
    unshare --mount --pid --fork sh -c '
        mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && mount --make-rslave "$0/dev" &&
        exec chroot "$0" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
            ${2:+PIP_CERT="$2"} ${2:+NODE_EXTRA_CA_CERTS="$2"} sh -euc "cd /pail; $1"' \
        "$root" "$1" "${certificates:+/etc/extra-certificates.pem}"
}

prove_run() {
    say "./run, the first time"
    inside '
        ./run --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 >run.log 2>&1 &
        server=$!
        for i in $(seq 600); do
            grep -q "S3 on http" run.log && break
            kill -0 $server 2>/dev/null || break
            sleep 1
        done
        cat run.log
        grep -q "S3 on http" run.log
        kill -TERM $server
        wait $server'
    say "./run, the second time, as an ordinary user and without a network"
    # Without a network there is no loopback either, hence the address.
    inside '
        chown -R 1000:1000 .
        unshare --net setpriv --reuid 1000 --regid 1000 --clear-groups timeout --foreground -s TERM 20 \
            ./run --listen 0.0.0.0:0 --admin-listen off >run.log 2>&1 || true
        cat run.log
        grep -q "S3 on http" run.log
        ! grep -q installing run.log'
}

case $what in
run) prove_run ;;
check) inside './check' ;;
ci) inside 'apt-get update -q >/dev/null && apt-get install -q -y git >/dev/null && git init -q . &&
    git add -A && .ci/run' ;;
all) prove_run && inside './check' ;;
esac
say "good: $what"
