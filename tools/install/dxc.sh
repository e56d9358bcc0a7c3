#!/bin/sh
# dxc.sh VENV: put `dxc`, Microsoft's compiler of HLSL, into VENV/bin, for the tests of gstex.hlsl. PyPI has its library
# for Linux in the source package of compushady (67 MB to download, 35 MB stay); dxc.cpp is the command. On other machines
# than Linux on x86-64, without g++, or with a dxc already there: do nothing. Those tests then skip and say so, if there
# is none.
set -eu
venv=$1
[ "$(uname -sm)" = "Linux x86_64" ] && command -v g++ >/dev/null && ! command -v dxc >/dev/null || exit 0
[ "$venv/bin/dxc" -nt "$0" ] && [ "$venv/bin/dxc" -nt tools/install/dxc.cpp ] && exit 0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
echo "installing dxc" >&2
{
    "$venv/bin/python" -m pip download -q --disable-pip-version-check --no-deps --no-build-isolation --no-binary :all: \
        -d "$folder" compushady==0.17.5 &&
        tar -xzf "$folder"/compushady-0.17.5.tar.gz -C "$folder" --strip-components=3 --wildcards \
            '*/backends/libdxcompiler_x86_64.so.*' '*/backends/dxcapi.h' '*/backends/WinAdapter.h' &&
        mv "$folder"/libdxcompiler_x86_64.so.* "$venv/lib/libdxcompiler.so" &&
        g++ -O1 -w -fms-extensions -DDXC_LIBRARY="\"$(cd "$venv" && pwd)/lib/libdxcompiler.so\"" -I"$folder" \
            tools/install/dxc.cpp -o "$venv/bin/dxc" -ldl
} >&2 || echo "could not; the tests of gstex.hlsl with dxc will be skipped" >&2
