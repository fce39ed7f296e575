#!/bin/sh
# Installs a package of the distribution if it may; else says what is missing and what follows from it.
set -eu
name=$1 alone=
case $name in
    bubblewrap) command=bwrap
        follows="without it no server can be isolated: starting one then needs --allow-unsandboxed" ;;
    strace) command=strace
        follows="trials are not watched, and the tests of the watch are skipped" ;;
    podman) command=podman alone=--no-install-recommends
        follows="container images (oci:) cannot be run, and their tests are skipped" ;;
    runc) command=
        [ ! -x /usr/sbin/runc ] && [ ! -x /usr/bin/runc ] || exit 0
        follows="podman has crun alone, which refuses some arrangements of control groups" ;;
    busybox-static) command=busybox
        follows="the tests of container images are skipped" ;;
    chromium) command=chromium
        follows="servers that drive a browser cannot be tried" ;;
    python3-venv) command=
        follows="the virtual environment cannot be made" ;;
    *) command=$name follows="" ;;
esac
[ -z "$command" ] || ! command -v "$command" >/dev/null 2>&1 || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing $name (apt-get)"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $alone "$name"; } >/dev/null 2>&1 && exit 0
    echo "apt-get could not install $name: $follows" >&2
    exit 0
fi
echo "$name is missing: $follows." >&2
echo "Install it with: sudo apt-get install $name" >&2
