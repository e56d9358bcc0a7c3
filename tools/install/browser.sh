#!/bin/sh
# browser.sh: on Debian, as root, install the headless browser with which the report is tested, if there is
# none. Anywhere else do nothing: those tests then skip and say so.
set -eu
command -v chromium >/dev/null && command -v chromedriver >/dev/null && exit 0
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && grep -q '^ID=debian' /etc/os-release || exit 0
echo "installing chromium and chromium-driver" >&2
{ apt-get update -q && apt-get install -q -y --no-install-recommends chromium chromium-driver; } >&2 ||
    echo "could not; the tests of the report's page will be skipped" >&2
