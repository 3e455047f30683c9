#!/bin/sh
# Tests the pages and the console in headless Chromium against servers of its own. With --screenshot it also renews the
# pictures in docs/.
# Needs Node.js and Chromium (CHROMIUM=/path/to/it, if it is not /usr/bin/chromium).
set -eu
cd "$(dirname "$0")"
picture=
folder=
if [ "${1:-}" = --screenshot ]; then
	picture=../../docs/screenshot.png
	folder=../../docs
fi
[ -d node_modules/playwright-core ] && [ -d node_modules/axe-core ] || npm install --silent --no-audit --no-fund --no-package-lock

. ../server.sh
export DATABASE_URL="sqlite:$dir/test.db"
serve
unset DATABASE_URL # the console has servers of its own
timeout 300 node test.mjs "$address" $picture
TMPDIR=$dir timeout 420 node console.mjs "$dir/healthcare" $folder
