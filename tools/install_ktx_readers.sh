#!/bin/sh
# install_ktx_readers.sh VENV: with npm, install the readers of KTX2 files that the tests compare with, ktx-parse and
# three.js, into VENV/node. Without npm do nothing: those tests then skip and say so.
set -eu
[ -d "$1/node/node_modules/ktx-parse" ] && [ -d "$1/node/node_modules/three" ] && exit 0
command -v npm >/dev/null || exit 0
npm install --silent --no-fund --no-audit --prefix "$1/node" ktx-parse@1.1.0 three@0.180.0 >&2 ||
    echo "could not; the tests of KTX2 files with readers that are not ours will be skipped" >&2
