#!/bin/sh
# arm64.sh ARGUMENTS: run Python for arm64 in an emulator, with gstex and its core compiled for arm64. For example
#
#     tools/arm64.sh -m pytest -q tests/test_golden_fits.py
#
# Python, NumPy and what else gstex imports are unpacked into build/arm64, once; the core is compiled there when its
# sources have changed. VENV, by default .venv-test, is a virtual environment for this machine with pip. Wants Debian or
# Ubuntu with g++-aarch64-linux-gnu and qemu-user; as root it installs them.
set -eu
cd "$(dirname "$0")/.."
folder=$PWD/build/arm64
python=$PWD/${VENV:-.venv-test}/bin/python
system=$folder/system

needed=
command -v aarch64-linux-gnu-g++ >/dev/null || needed="g++-aarch64-linux-gnu"
command -v qemu-aarch64 >/dev/null || needed="$needed qemu-user"
if [ -n "$needed" ]; then
    if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
        echo "error: no $needed; install that (Debian, Ubuntu: sudo apt-get install $needed) and try again" >&2
        exit 1
    fi
    # shellcheck disable=SC2086  # a list of words
    { apt-get update -q && apt-get install -q -y --no-install-recommends $needed; } >&2
fi

# Packages of arm64 that are downloaded and unpacked, but not installed: with lists and caches of their own.
arm_apt() {
    apt-get -q -o Dir::State="$folder/apt" -o Dir::State::status="$folder/apt/status" -o Dir::Cache="$folder/apt/cache" \
        -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User= -o Debug::NoLocking=1 \
        -o APT::Install-Recommends=0 "$@" >&2
}

if [ ! -e "$folder/ready" ]; then
    rm -rf "$folder"
    mkdir -p "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial" "$system"
    : >"$folder/apt/status"
    arm_apt update
    arm_apt install -y --download-only python3-minimal libpython3-dev libstdc++6
    for package in "$folder"/apt/cache/archives/*.deb; do dpkg-deb -x "$package" "$system"; done
    [ -e "$system/lib" ] || ln -s usr/lib "$system/lib"
    rm -r "$folder/apt"
    version=$(basename "$(readlink -f "$system/usr/bin/python3")" | sed 's/python//')
    "$python" -m pip install -q --disable-pip-version-check --target "$folder/site" --only-binary=:all: \
        --implementation cp --python-version "$version" --platform manylinux_2_28_aarch64 \
        --platform manylinux2014_aarch64 click msgspec numpy OpenImageIO platformdirs pytest rich
    "$python" -m pip install -q --disable-pip-version-check cmake nanobind ninja
    cat >"$folder/toolchain.cmake" <<END
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(Python_INCLUDE_DIR $system/usr/include/python$version)
# pyconfig.h of the architecture is included from there.
set(CMAKE_CXX_FLAGS_INIT -I$system/usr/include)
END
    touch "$folder/ready"
fi

bin=$(dirname "$python")
PATH=$bin:$PATH cmake -S gstex/native -B "$folder/core" -G Ninja -DCMAKE_TOOLCHAIN_FILE="$folder/toolchain.cmake" \
    -DPython_EXECUTABLE="$python" -Dnanobind_DIR="$("$python" -m nanobind --cmake_dir)" >/dev/null
PATH=$bin:$PATH cmake --build "$folder/core" >/dev/null
# The sources of the package, and the core beside them: the checkout holds that of this machine.
mkdir -p "$folder/checkout"
rm -rf "$folder/checkout/gstex"
cp -r gstex "$folder/checkout/gstex"
rm -f "$folder"/checkout/gstex/native/_core*
cp "$folder"/core/_core*.so "$folder/checkout/gstex/native/_core.so"
for name in cuda shaders samples tests tools benchmarks pyproject.toml; do
    ln -sfn "$PWD/$name" "$folder/checkout/$name"
done

cd "$folder/checkout"
export PYTHONPATH="$folder/checkout:$folder/site"
exec qemu-aarch64 -L "$system" "$system/usr/bin/python3" "$@"
