#!/bin/sh
# gl.sh: on Debian, as root, install what the tests of the shaders and of the viewer need: OpenGL on the CPU
# without a display, Vulkan on the CPU, a shader compiler, and a display without a screen. Only what is missing. Anywhere
# else do nothing: those tests then skip and say so.
set -eu
missing=
for package in libegl1 libgl1 libglx-mesa0 libgl1-mesa-dri libgles2 glslang-tools spirv-tools \
    mesa-vulkan-drivers libvulkan1 libegl-dev libgl-dev libopengl-dev xvfb xauth xdotool imagemagick; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && grep -q '^ID=debian' /etc/os-release || exit 0
echo "installing$missing" >&2
# shellcheck disable=SC2086  # a list of words
{ apt-get update -q && apt-get install -q -y --no-install-recommends $missing; } >&2 ||
    echo "could not; the tests of the shaders will be skipped" >&2
