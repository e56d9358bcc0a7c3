#!/bin/sh
# venv.sh FOLDER: make a Python virtual environment. On a bare Debian or Ubuntu, as root, install what that
# needs first.
set -eu
venv=$1

usable() {
    command -v python3 >/dev/null &&
        python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' &&
        python3 -m venv --clear "$venv" >/dev/null 2>&1
}

usable && exit 0
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "installing python3 and python3-venv" >&2
    apt-get update -q >&2
    apt-get install -q -y --no-install-recommends python3 python3-venv >&2
    usable && exit 0
fi
echo "error: no Python >= 3.10 that can make a virtual environment; install it (Debian, Ubuntu:" \
    "sudo apt-get install python3-venv) and try again" >&2
exit 1
