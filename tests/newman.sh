#!/bin/sh
# Runs the Postman collection with newman, twice in a row on one server, on SQLite and on PostgreSQL:
#
#   tests/newman.sh            both databases
#   tests/newman.sh sqlite     or: postgres
#
# PostgreSQL is the server at TEST_DATABASE_URL (postgres://postgres@127.0.0.1:5432/postgres unless set); a database
# is made there and dropped again. The second run walks through the folder "Staff" with a staff account.
set -eu
cd "$(dirname "$0")/.."
. tests/await.sh

newman_version=6.2.2
newman_limit=120 # seconds for one run

case "${1:-both}" in
both) databases="sqlite postgres" ;;
sqlite | postgres) databases=$1 ;;
*)
	echo "usage: $0 [sqlite|postgres]" >&2
	exit 2
	;;
esac

tmp=$(mktemp -d)
server=
database=
postgres=${TEST_DATABASE_URL:-postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable}

stop_server() {
	[ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || true
	server=
}
drop_database() {
	[ -z "$database" ] || psql -qX "$postgres" -c "DROP DATABASE IF EXISTS $database WITH (FORCE)" || true
	database=
}
clean() {
	stop_server
	drop_database
	rm -rf "$tmp"
}
trap clean EXIT
trap 'exit 130' INT TERM

# with_database ADDRESS NAME: the address with another database.
with_database() {
	query=
	case "$1" in *\?*) query="?${1#*\?}" ;; esac
	echo "${1%%\?*}" | sed -E "s|^([a-z]+://[^/]*).*|\1/$2|" | tr -d '\n'
	echo "$query"
}

newman=$(command -v newman || true)
if [ -z "$newman" ]; then
	npm install --silent --no-audit --no-fund --prefix "$tmp/npm" "newman@$newman_version"
	newman=$tmp/npm/node_modules/.bin/newman
fi
go build -o "$tmp/healthcare" .

random_hex() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

export HOST=127.0.0.1 PORT=0 REGISTRATION=open AUTH_RATE_LIMIT=120
JWT_SECRET=$(random_hex 32)
staff_password=$(random_hex 16)
export JWT_SECRET

# walk NAME ADDRESS: start the server on a free port, walk through the collection twice, stop the server.
walk() {
	export DATABASE_URL="$2"
	: >"$tmp/$1.out" # before it is looked into
	"$tmp/healthcare" >"$tmp/$1.out" 2>"$tmp/$1.log" &
	server=$!
	await_url "$tmp/$1.out" "$server"
	if [ -z "$url" ]; then
		echo "$1: the server did not start:" >&2
		cat "$tmp/$1.out" "$tmp/$1.log" >&2
		return 1
	fi
	echo "$staff_password" | "$tmp/healthcare" createadmin --username chief --email chief@example.org --password-stdin
	for run in first second; do
		staff=
		[ "$run" = first ] || staff=chief
		if timeout "$newman_limit" "$newman" run docs/healthcare.postman_collection.json --env-var "baseUrl=$url" \
			--env-var "staff_username=$staff" --env-var "staff_password=${staff:+$staff_password}" \
			--timeout-request 15000 --color off --disable-unicode >"$tmp/newman.out" 2>&1; then
			echo "$1, $run run:"
			sed -n '/executed/,$p' "$tmp/newman.out" | grep -E 'requests|assertions|duration'
		else
			cat "$tmp/newman.out" >&2
			echo "$1: the $run run failed" >&2
			return 1
		fi
	done
	stop_server
}

for kind in $databases; do
	if [ "$kind" = sqlite ]; then
		walk sqlite "sqlite:$tmp/clinic.db"
		continue
	fi
	name=clinic_newman_$(random_hex 6)
	psql -qX "$postgres" -c "CREATE DATABASE $name"
	database=$name
	walk postgres "$(with_database "$postgres" "$name")"
	drop_database
done
echo "The collection passed."
