#!/bin/sh
# Tests the pages in headless Chromium against a server of its own. With --screenshot it also renews docs/screenshot.png.
# Needs Node.js and Chromium (CHROMIUM=/path/to/it, if it is not /usr/bin/chromium).
set -eu
cd "$(dirname "$0")"
picture=
[ "${1:-}" != --screenshot ] || picture=../../docs/screenshot.png
[ -d node_modules/playwright-core ] || npm install --silent --no-audit --no-fund --no-package-lock

dir=$(mktemp -d)
pid=
stop() {
	[ -z "$pid" ] || { kill "$pid"; wait "$pid" || true; }
	rm -rf "$dir"
}
trap stop EXIT
trap 'exit 1' INT TERM
(cd ../.. && go build -o "$dir/healthcare" .)
: >"$dir/out"
PORT=0 HOST=127.0.0.1 DATABASE_URL="sqlite:$dir/test.db" "$dir/healthcare" >"$dir/out" 2>"$dir/log" &
pid=$!
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	address=$(sed -n 's|.*\(http://[0-9.:]*\)/ .*|\1|p' "$dir/out")
	[ -z "$address" ] || break
	sleep 0.5
done
if [ -z "$address" ]; then
	echo "the server did not start:" >&2
	cat "$dir/log" >&2
	exit 1
fi
timeout 180 node test.mjs "$address" $picture
