#!/usr/bin/env bash
# 200 logins at once: the memory stays under 300 MiB, nothing fails but by 429 or 503, and the rest of the API answers
# within 2 seconds meanwhile. On SQLite, and on PostgreSQL if one answers at TEST_DATABASE_URL or the usual local
# address. Ends with 0 if all of this held, on each database that was tried.
set -euo pipefail
cd "$(dirname "$0")/../.."

logins=200
most_memory=$((300 * 1024)) # KiB
patience=2                  # seconds, for GET /api/patients/

. tests/on_both.sh

# post PATH JSON [TOKEN]: prints the body, fails unless the answer is a success.
post() {
	curl -sS --fail --max-time 20 -H 'Content-Type: application/json' ${3:+-H "Authorization: Bearer $3"} -d "$2" "$url$1"
}

# flood NAME DATABASE_URL
flood() {
	local name=$1 failed=0 dir="$work/$1"
	start_server "$1" "$2" AUTH_RATE_LIMIT=0 LOG_LEVEL=warn

	local credentials='{"username": "ana", "password": "correct horse battery"}' token
	post /api/auth/register/ '{"username": "ana", "email": "ana@example.org", "password": "correct horse battery"}' >/dev/null
	token=$(post /api/auth/login/ "$credentials" | sed -n 's/.*"access":"\([^"]*\)".*/\1/p')
	post /api/patients/ '{"name": "Petra"}' "$token" >/dev/null

	# One curl for all the logins: 200 processes would measure themselves.
	seq "$logins" | sed "s|.*|url = \"$url/api/auth/login/\"\noutput = /dev/null|" >"$dir/urls"
	curl -s --no-progress-meter --parallel --parallel-immediate --parallel-max "$logins" --max-time 60 -H 'Content-Type: application/json' -d "$credentials" \
		-w '%{http_code} %{time_total}\n' -K "$dir/urls" >"$dir/logins" 2>"$dir/curl" &
	local flood=$!
	while kill -0 "$flood" 2>/dev/null; do
		curl -s --max-time 10 -o /dev/null -w '%{http_code} %{time_total}\n' -H "Authorization: Bearer $token" "$url/api/patients/" >>"$dir/patients" || true
	done
	wait "$flood" || true

	local memory
	memory=$(awk '/^VmHWM:/ {print $2}' "/proc/$server/status")
	stop_server

	echo "$name: logins: $(cut -d' ' -f1 "$dir/logins" | sort | uniq -c | awk '{printf "%s%s times %s", (NR > 1 ? ", " : ""), $1, $2}')," \
		"the last after $(sort -k2 -n "$dir/logins" | awk 'END {print $2}') s"
	echo "$name: peak memory: $((memory / 1024)) MiB"
	echo "$name: patients meanwhile: $(wc -l <"$dir/patients") times, the slowest $(sort -k2 -n "$dir/patients" | awk 'END {print $2}') s"

	if [ "$(wc -l <"$dir/logins")" -ne "$logins" ]; then
		echo "$name: FAILED: not every login was answered"
		failed=1
	fi
	if grep -Evq '^(200|429|503) ' "$dir/logins"; then
		echo "$name: FAILED: a login was answered by neither 200, 429 nor 503"
		failed=1
	fi
	if ! grep -q '^200 ' "$dir/logins"; then
		echo "$name: FAILED: no login succeeded"
		failed=1
	fi
	if [ "$memory" -ge "$most_memory" ]; then
		echo "$name: FAILED: the memory was to stay under $((most_memory / 1024)) MiB"
		failed=1
	fi
	if ! awk -v most="$patience" '$1 != 200 || $2 > most {bad = 1} END {exit bad || NR == 0}' "$dir/patients"; then
		echo "$name: FAILED: the patients were to be answered by 200 within $patience s each time"
		failed=1
	fi
	return "$failed"
}

on_both flood
