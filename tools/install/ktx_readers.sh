#!/bin/sh
# ktx_readers.sh VENV: with npm, install the readers of KTX2 and glTF files that the tests compare with, ktx-parse,
# three.js and Khronos' glTF validator, into VENV/node. Without npm do nothing: those tests then skip and say so.
set -eu
modules="$1/node/node_modules"
[ -d "$modules/ktx-parse" ] && [ -d "$modules/three" ] && [ -d "$modules/gltf-validator" ] && exit 0
command -v npm >/dev/null || exit 0
npm install --silent --no-fund --no-audit --prefix "$1/node" ktx-parse@1.1.0 three@0.180.0 \
    gltf-validator@2.0.0-dev.3.10 >&2 ||
    echo "could not; the tests of KTX2 and glTF files with readers that are not ours will be skipped" >&2
