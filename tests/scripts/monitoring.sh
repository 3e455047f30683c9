#!/usr/bin/env bash
# Prometheus's own promtool finds the metrics as its conventions ask and the alert rules as their tests say. On SQLite, and
# on PostgreSQL if one answers at TEST_DATABASE_URL or the usual local address. Without promtool, Debian's package is
# unpacked for a while. Ends with 0 if all of this held.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
chmod 755 "$work" # apt downloads as another user
server= database= admin=
stop_server() {
	if [ -n "$server" ]; then
		kill "$server" 2>/dev/null || true
		wait "$server" 2>/dev/null || true
		server=
	fi
}
clean_up() {
	stop_server
	if [ -n "$database" ]; then
		psql -qX "$admin" -c "DROP DATABASE IF EXISTS $database WITH (FORCE)" >/dev/null 2>&1 || true
	fi
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

promtool=$(command -v promtool || true)
if [ -z "$promtool" ]; then
	mkdir -m 777 "$work/deb"
	(cd "$work/deb" && { apt-get download -qq prometheus || { apt-get update -qq && apt-get download -qq prometheus; }; }) 2>"$work/apt" || { cat "$work/apt"; exit 1; }
	dpkg -x "$work"/deb/prometheus_*.deb "$work/prometheus"
	promtool=$work/prometheus/usr/bin/promtool
fi
"$promtool" --version | head -1

"$promtool" check rules deploy/prometheus/alerts.yml
"$promtool" test rules deploy/prometheus/alerts_test.yml

go build -o "$work/healthcare" .

# check NAME DATABASE_URL: a server that has answered some requests.
check() {
	local name=$1 dir="$work/$1" url='' metrics=''
	mkdir "$dir"
	: >"$dir/out"
	(cd "$dir" && exec env -i DATABASE_URL="$2" JWT_SECRET="$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')" \
		PORT=0 METRICS_ADDR=:0 "$work/healthcare" >"$dir/out" 2>"$dir/err") &
	server=$!
	for _ in $(seq 300); do
		url=$(sed -n 's|.* on \(http://[^ /]*\)/.*|\1|p' "$dir/out")
		if [ -n "$url" ] || ! kill -0 "$server" 2>/dev/null; then break; fi
		sleep 0.1
	done
	metrics=$(sed -n 's|.*url=\(http://[^ ]*/metrics\).*|\1|p' "$dir/err")
	if [ -z "$url" ] || [ -z "$metrics" ]; then
		echo "$name: the server did not start:"
		cat "$dir/err"
		return 1
	fi
	curl -sS --fail -o /dev/null --max-time 20 "$url/readyz"
	curl -sS --fail -o /dev/null --max-time 20 -H 'Content-Type: application/json' "$url/api/auth/register/" \
		-d '{"username": "ana", "email": "ana@example.org", "password": "correct horse battery"}'
	curl -sS -o /dev/null --max-time 20 "$url/api/patients/"
	curl -sS --fail --max-time 20 "$metrics" >"$dir/metrics"
	stop_server
	grep -q '^healthcare_http_requests_total' "$dir/metrics"
	"$promtool" check metrics <"$dir/metrics"
	echo "$name: $(grep -c '^# TYPE' "$dir/metrics") metrics, as they should be"
}

status=0
check SQLite "sqlite:$work/SQLite/test.db" || status=1

admin=${TEST_DATABASE_URL:-postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable}
if psql -qX "$admin" -c 'SELECT 1' >/dev/null 2>&1; then
	database=clinic_monitoring_$$
	psql -qX "$admin" -c "CREATE DATABASE $database" >/dev/null
	check PostgreSQL "$(echo "$admin" | sed -E "s|^(postgres(ql)?://[^/]*/)[^?]*|\1$database|")" || status=1
else
	echo "PostgreSQL: NOT TRIED: there is no server"
fi
exit "$status"
