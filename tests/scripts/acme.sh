#!/usr/bin/env bash
# The server gets its certificates from an ACME server: pebble, Let's Encrypt's own for tests, which looks names up at a DNS server
# for tests and calls back on loopback. By both kinds of challenge; a restart needs no ACME server; and foreign names get nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."

PEBBLE=v2.10.3
PATH=$PATH:$(go env GOPATH)/bin
for tool in curl openssl; do
	command -v "$tool" >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$tool" >/dev/null; }
done
for tool in pebble pebble-challtestsrv; do
	command -v "$tool" >/dev/null || go install "github.com/letsencrypt/pebble/v2/cmd/$tool@$PEBBLE"
done

work=$(mktemp -d)
declare -A running=()
finish() {
	for name in "${!running[@]}"; do kill "${running[$name]}" 2>/dev/null || true; done
	wait
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

# start NAME COMMAND...: runs it until `stop NAME` or the end.
start() {
	"${@:2}" >>"$work/$1.log" 2>&1 &
	running[$1]=$!
}
stop() {
	kill "${running[$1]}"
	wait "${running[$1]}"
	unset "running[$1]"
}
failed() {
	echo "FAILED: $1"
	tail -n 20 "$work"/*.log
	exit 1
}

# Ports that nobody listens on.
port=$((20000 + RANDOM % 10000))
free() {
	port=$((port + 1))
	while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
	printf -v "$1" %d "$port"
}
for name in tls plain other directory management dns dns_management; do free "$name"; done

# The ACME server has a certificate of its own, which the server under test must trust.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=pebble -addext subjectAltName=IP:127.0.0.1 \
	-keyout "$work/ca.key" -out "$work/ca.pem" 2>/dev/null
cat >"$work/pebble.json" <<JSON
{"pebble": {"listenAddress": "127.0.0.1:$directory", "managementListenAddress": "127.0.0.1:$management",
  "certificate": "$work/ca.pem", "privateKey": "$work/ca.key", "tlsPort": $tls, "httpPort": $plain, "ocspResponderURL": "",
  "profiles": {"default": {"description": "for a test", "validityPeriod": 7776000}}}}
JSON
start dns pebble-challtestsrv -defaultIPv4 127.0.0.1 -defaultIPv6 "" -dnsserver "127.0.0.1:$dns" -management "127.0.0.1:$dns_management" \
	-http01 "" -https01 "" -tlsalpn01 "" -doh ""
for _ in $(seq 100); do
	(exec 3<>"/dev/tcp/127.0.0.1/$dns") 2>/dev/null && break
	sleep 0.1
done
start pebble env PEBBLE_VA_NOSLEEP=1 pebble -strict -config "$work/pebble.json" -dnsserver "127.0.0.1:$dns"
for _ in $(seq 100); do
	curl -s --cacert "$work/ca.pem" "https://127.0.0.1:$management/roots/0" >"$work/root.pem" && break
	sleep 0.1
done
grep -q CERTIFICATE "$work/root.pem" || failed "the ACME server did not start"

go build -o "$work/healthcare" .
mkdir "$work/server"
# serve NAME DOMAIN PORT [VARIABLE=VALUE...]
serve() {
	start "$1" env -i -C "$work/server" SSL_CERT_FILE="$work/ca.pem" ACME_DIRECTORY_URL="https://127.0.0.1:$directory/dir" ACME_EMAIL=it@clinic.test \
		TLS_DOMAINS="$2" PORT="$3" "${@:4}" "$work/healthcare"
}
# ask DOMAIN PORT: its certificate must be of the ACME server and for that name.
ask() { curl -sS --max-time 20 --cacert "$work/root.pem" --resolve "$1:$2:127.0.0.1" -o /dev/null -w '%{http_code} HTTP/%{http_version}' "https://$1:$2/readyz"; }
# get NAME DOMAIN PORT: waits for it.
get() {
	local answer=
	for _ in $(seq 150); do
		answer=$(ask "$2" "$3" 2>"$work/curl.log") && break
		kill -0 "${running[$1]}" 2>/dev/null || break
		sleep 0.2
	done
	[ "$answer" = '200 HTTP/2' ] || failed "$1: no certificate: $answer"
	echo "$1: $answer"
}

serve tls-alpn-01 clinic.test "$tls"
get tls-alpn-01 clinic.test "$tls"
if openssl s_client -connect "127.0.0.1:$tls" -servername evil.test </dev/null >/dev/null 2>&1; then failed "a foreign name got a certificate"; fi
TLS_DOMAINS=clinic.test PORT=$tls DATABASE_URL="sqlite:$work/server/healthcare.db" "$work/healthcare" healthcheck || failed "not healthy"
stop tls-alpn-01
[ "$(stat -c %a "$work/server/healthcare.db.acme" "$work/server/healthcare.db.acme/clinic.test")" = $'700\n600' ] || failed "others may read the certificate's key"

# Nobody answers at the port of tls-alpn-01 now; what is left is plain HTTP.
serve http-01 desk.clinic.test "$other" TLS_REDIRECT_PORT="$plain"
get http-01 desk.clinic.test "$other"
grep -q "Attempting to validate w/ HTTP: http://desk.clinic.test:$plain/" "$work/pebble.log" || failed "the challenge was another one"
[ "$(curl -sS -o /dev/null -w '%{redirect_url}' --resolve "desk.clinic.test:$plain:127.0.0.1" "http://desk.clinic.test:$plain/console?x=y")" = \
	"https://desk.clinic.test:$other/console?x=y" ] || failed "plain HTTP is not sent to TLS"
stop http-01

stop pebble || true
serve restarted clinic.test "$tls"
get restarted clinic.test "$tls"
stop restarted
if grep -h 'level=ERROR' "$work"/*.log; then failed "an error was logged"; fi
