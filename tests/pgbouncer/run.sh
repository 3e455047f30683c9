#!/usr/bin/env bash
# Two instances, and the tests of the records, through PgBouncer in transaction mode: bash tests/pgbouncer/run.sh
#
# It is run by hand: PgBouncer 1.18, which Debian 12 has, ends itself now and then when many statements are
# cancelled. PGBOUNCER names the program; else it is the installed one, or Debian's package, unpacked into a temporary folder. PostgreSQL is the one at TEST_DATABASE_URL, or at
# 127.0.0.1:5432, whose user postgres needs no password.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec </dev/null

dir=$(mktemp -d)
chmod 711 "$dir"
pid=
finish() {
  status=$?
  if [ -n "$pid" ]; then
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  fi
  if [ "$status" != 0 ] && [ -s "$dir/log" ]; then
    tail -20 "$dir/log"
  fi
  rm -rf "$dir"
}
trap finish EXIT

program=${PGBOUNCER:-$(command -v pgbouncer || true)}
if [ -z "$program" ]; then
  mkdir "$dir/debian"
  (cd "$dir/debian" && apt-get download -qq pgbouncer libc-ares2 2>/dev/null && for p in *.deb; do dpkg -x "$p" .; done)
  program=$dir/debian/usr/sbin/pgbouncer
  export LD_LIBRARY_PATH=$(echo "$dir"/debian/usr/lib/*-linux-gnu)
fi
"$program" --version | head -1

postgres=${TEST_DATABASE_URL:-postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable}
server=${postgres#*://}
server=${server#*@}
server=${server%%/*}
while port=$((20000 + RANDOM % 10000)) && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
cat >"$dir/pgbouncer.ini" <<INI
[databases]
* = host=${server%:*} port=${server#*:} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 2000
default_pool_size = 20
max_user_connections = 60
server_idle_timeout = 5
INI
# It refuses to run as root.
if [ "$(id -u)" = 0 ]; then
  chown -R nobody "$dir"
  set -- -u nobody
fi
"$program" "$@" "$dir/pgbouncer.ini" >"$dir/log" 2>&1 &
pid=$!
export TEST_POOLER=127.0.0.1:$port
for _ in $(seq 100); do
  (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
  sleep 0.1
done

go test -tags slow -count=1 -run '/postgres' ./tests
go test -tags slow -count=1 -run 'InstancesThatStartAtOnce|AServerWaitsWhileAnotherMigrates|ThroughAPooler' ./tests/operations
