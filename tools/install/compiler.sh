#!/bin/sh
# compiler.sh VENV: see that there is what builds the C++ core for the Python of a virtual environment: g++ and
# the headers of Python. On Debian or Ubuntu, as root, install what is missing.
set -eu
python=$1/bin/python

missing=
command -v c++ >/dev/null || command -v clang++ >/dev/null || missing="g++ libc6-dev"
"$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))' || missing="$missing python3-dev"
[ -n "$missing" ] || exit 0
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "installing $missing" >&2
    # shellcheck disable=SC2086  # a list of words
    { apt-get update -q && apt-get install -q -y --no-install-recommends $missing; } >&2
else
    echo "error: the C++ core cannot be built without $missing; install that (Debian, Ubuntu: sudo apt-get install" \
        "$missing) and try again" >&2
    exit 1
fi
