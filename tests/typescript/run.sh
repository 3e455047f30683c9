#!/bin/sh
# Generates two TypeScript clients from the served OpenAPI document, compiles a program for each that uses every
# operation, and runs the one with openapi-fetch against a server of its own. Needs Node.js 20.19 or newer.
set -eu
cd "$(dirname "$0")"
[ -d node_modules/typescript ] || npm install --silent --no-audit --no-fund --no-package-lock

. ../server.sh
export REGISTRATION=open DATABASE_URL="sqlite:$dir/test.db"
serve
password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
echo "$password" | "$dir/healthcare" createadmin --username chief --email chief@example.org --password-stdin

tools=$PWD/node_modules/.bin
cp package.json openapi-fetch.ts hey-api.ts check.mjs "$dir"
ln -s "$PWD/node_modules" "$dir/node_modules"
cd "$dir"
curl -sSf "$address/openapi.json" >openapi.json
node check.mjs openapi.json openapi-fetch.ts hey-api.ts
"$tools/openapi-typescript" openapi.json -o clinic.d.ts >generated 2>&1 || { cat generated; exit 1; }
"$tools/openapi-ts" -i openapi.json -o hey >generated 2>&1 || { cat generated; exit 1; }
"$tools/tsc" --strict --noUncheckedIndexedAccess --target es2022 --module esnext --moduleResolution bundler \
	--lib es2022,dom,dom.iterable --outDir js openapi-fetch.ts hey-api.ts
cp package.json js
timeout 60 node js/openapi-fetch.js "$address" "$password"
