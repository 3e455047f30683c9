#!/usr/bin/env bash
# Runs the README's walkthrough as printed, on SQLite and on PostgreSQL, and compares what it prints with what the
# README says, but for times, tokens and request ids.
#
# PostgreSQL is the server at TEST_DATABASE_URL, or at the usual local address.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/await.sh

postgres=${TEST_DATABASE_URL:-postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable}
name=clinic_readme_$$
dir=$(mktemp -d)
server=

finish() {
  if [ -n "$server" ]; then
    kill "$server" && wait "$server" || true
    server=
  fi
}
# Nothing is left behind, whatever happens.
trap 'finish; PGCONNECT_TIMEOUT=5 psql "$postgres" -qc "DROP DATABASE IF EXISTS $name WITH (FORCE)" 2>/dev/null || true; rm -rf "$dir"' EXIT

# The walkthrough's blocks: step-1.sh and, of those that print something, want-1.
awk -v dir="$dir" '
  /^<!-- walkthrough -->/ { on = 1 }
  /^<!-- \/walkthrough -->/ { on = 0 }
  !on { next }
  /^```sh$/ { file = sprintf("%s/step-%02d.sh", dir, ++n); next }
  /^```text$/ { file = sprintf("%s/want-%02d", dir, n); printf "" > file; next }
  /^```/ { file = ""; next }
  file { print > file }
' README.md

# mask hides what differs from run to run.
mask() {
  sed -E -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/TIME/g' -e 's/"(access|refresh)":"[^"]*"/"\1":"TOKEN"/g' \
    -e 's/"request_id":"[^"]*"/"request_id":"ID"/g' -e "s/127\.0\.0\.1:$port/127.0.0.1:8000/g" "$1"
}

# walk starts a server with the given settings on a fresh database, runs every block in one shell, and compares.
walk() {
  local what=$1 step got=$dir/$1 steps=0
  mkdir "$got"
  : >"$got/log" # before it is looked into
  # Port 0 is one that is free; the first line says which.
  (cd "$got" && exec env -i PATH="$PATH" HOME="$HOME" PORT=0 "${@:2}" "$dir/healthcare" >"$got/log" 2>&1) &
  server=$!
  await_url "$got/log" "$server"
  port=${url##*:}
  if [ -z "$port" ]; then
    echo "The server does not start on $what:"
    cat "$got/log"
    return 1
  fi
  for step in "$dir"/step-*.sh; do
    step=$(basename "$step" .sh)
    printf 'exec >"%s/%s" 2>&1\n' "$got" "${step/step/got}"
    sed "s/127\.0\.0\.1:8000/127.0.0.1:$port/g" "$dir/$step.sh"
    steps=$((steps + 1))
  done >"$got/all.sh"
  sh "$got/all.sh"
  for step in "$dir"/want-*; do
    step=${step##*/want-}
    mask "$dir/want-$step" >"$got/want"
    mask "$got/got-$step" >"$got/printed"
    if ! diff -u --label "README, step $step" --label "$what" "$got/want" "$got/printed"; then
      echo "The README's walkthrough prints something else on $what. The server's log:"
      tail -5 "$got/log"
      return 1
    fi
  done
  finish
  echo "README's walkthrough on $what: $steps blocks print what the README says"
}

go build -o "$dir/healthcare" .
walk sqlite

if ! PGCONNECT_TIMEOUT=5 psql "$postgres" -qc "CREATE DATABASE $name"; then
  echo '!!!! POSTGRESQL WAS NOT TESTED'
  [ -z "${CI:-}" ]
  exit
fi
walk postgres DATABASE_URL="$(sed -E "s#^(postgres(ql)?://[^/]+)/[^?]*#\1/$name#" <<<"$postgres")" JWT_SECRET=a-secret-that-only-this-script-uses-0123
