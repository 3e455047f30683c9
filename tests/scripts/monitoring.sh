#!/usr/bin/env bash
# Prometheus's own promtool finds the metrics as its conventions ask and the alert rules as their tests say. On SQLite, and
# on PostgreSQL if one answers at TEST_DATABASE_URL or the usual local address. Without promtool, Debian's package is
# unpacked for a while. Ends with 0 if all of this held.
set -euo pipefail
cd "$(dirname "$0")/../.."

. tests/on_both.sh

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

# check NAME DATABASE_URL: a server that has answered some requests.
check() {
	local name=$1 dir="$work/$1" metrics
	start_server "$1" "$2" METRICS_ADDR=:0
	metrics=$(sed -n 's|.*url=\(http://[^ ]*/metrics\).*|\1|p' "$dir/err")
	if [ -z "$metrics" ]; then
		echo "$name: the log does not tell where the metrics are:"
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

on_both check
