#!/bin/sh
# Runs every measurement of bench/ for a moment, so that it goes on working: each answer is checked, the figures mean
# nothing. PostgreSQL is the server at TEST_DATABASE_URL (postgres://postgres@127.0.0.1:5432/postgres unless set).
set -eu
cd "$(dirname "$0")/../.."

short="-sizes 1000 -seconds 0.2 -starts 1"
for measurement in '-rounds 1' -overload -flood; do
	# Each word is an argument of its own.
	# shellcheck disable=SC2086
	go run -tags programs ./bench $short $measurement
done
