#!/bin/sh
# Lints docs/openapi.yaml with Redocly, which is installed beside other caches the first time. Needs Node.js.
set -eu
version=2.77.0
cd "$(dirname "$0")/.."
tool="${XDG_CACHE_HOME:-$HOME/.cache}/healthcare-tools/redocly-$version"
if [ ! -x "$tool/node_modules/.bin/redocly" ]; then
	mkdir -p "$tool"
	npm install --silent --no-audit --no-fund --no-save --prefix "$tool" "@redocly/cli@$version"
fi
REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true \
	"$tool/node_modules/.bin/redocly" lint --config tests/redocly.yaml docs/openapi.yaml
