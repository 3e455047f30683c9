#!/bin/sh
# The embedded database follows to another folder by deploy/litestream.yml; the server is killed (kill -9) while it writes; what
# is restored from that folder is the same to the last row, its audit trail is proved, and a server goes on with it.
# (Not a part of .ci/run, because installing Litestream takes some minutes.)
set -eu
cd "$(dirname "$0")"

PATH=$PATH:$(go env GOPATH)/bin
[ "$(litestream version 2>/dev/null)" = v0.5.18 ] || go install github.com/benbjohnson/litestream/cmd/litestream@v0.5.18
for tool in curl sqlite3; do
	command -v "$tool" >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$tool" >/dev/null; }
done
. ../server.sh
follower=
end() {
	[ -z "$follower" ] || kill -9 "$follower" 2>/dev/null || true
	finish
}
trap end EXIT
export AUTH_RATE_LIMIT=0 ACCOUNT_RATE_LIMIT=0 LOG_LEVEL=warn

export DATABASE_URL="sqlite:$dir/clinic.db"
serve
mkdir -m 700 "$dir/replica"
sed "s|/var/lib/healthcare/healthcare.db|$dir/clinic.db|; s|/mnt/other-disk/healthcare|$dir/replica|" ../../deploy/litestream.yml >"$dir/litestream.yml"
litestream replicate -config "$dir/litestream.yml" >"$dir/litestream.log" 2>&1 &
follower=$!

login() {
	curl -sS --fail -H 'Content-Type: application/json' -d '{"username": "ana", "password": "correct horse battery"}' "$address/api/auth/login/" | sed 's/.*"access":"\([^"]*\)".*/\1/'
}
count() { curl -sS --fail -H "Authorization: Bearer $token" "$address/api/patients/?page_size=1" | sed 's/{"count":\([0-9]*\).*/\1/'; }

curl -sS --fail -o /dev/null -H 'Content-Type: application/json' "$address/api/auth/register/" \
	-d '{"username": "ana", "email": "ana@example.org", "password": "correct horse battery"}'
token=$(login)
# Four writers write until the server is no more. Each 201 is a line.
writers=
for writer in 1 2 3 4; do
	i=0
	while [ "$i" -lt 5000 ]; do
		i=$((i + 1))
		printf 'url = "%s/api/patients/"\noutput = /dev/null\n' "$address"
	done >"$dir/urls.$writer"
	curl -s -K "$dir/urls.$writer" --fail-early -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -d '{"name": "Petra Muster", "phone": "555-0100"}' \
		-w '%{http_code}\n' >"$dir/written.$writer" 2>/dev/null &
	writers="$writers $!"
done
written() { cat "$dir"/written.* | grep -c '^201$' || true; }
while [ "$(written)" -lt 1000 ] && kill -0 "$pid"; do sleep 0.2; done
kill -9 "$pid"
# shellcheck disable=SC2086 # each is an argument of its own
wait "$pid" $writers || true
pid=
acknowledged=$(written)

# When it is stopped, Litestream sends what it has not sent yet. (Were its disk lost with the server, that would be lost.)
kill "$follower"
wait "$follower" || true
follower=
litestream restore -config "$dir/litestream.yml" -o "$dir/restored.db" "$dir/clinic.db" >>"$dir/litestream.log" 2>&1 || { cat "$dir/litestream.log"; exit 1; }
for database in clinic restored; do
	sqlite3 "$dir/$database.db" .dump | grep -v _litestream_ >"$dir/$database.sql"
done
rows=$(grep -c '^INSERT' "$dir/restored.sql")
cmp "$dir/clinic.sql" "$dir/restored.sql"

# The secrets are in no replica: whoever restores has kept them.
cp "$dir/clinic.db.secret" "$dir/restored.db.secret"
cp "$dir/clinic.db.audit-keys" "$dir/restored.db.audit-keys"
chmod 600 "$dir/restored.db"
export DATABASE_URL="sqlite:$dir/restored.db"
"$dir/healthcare" audit verify
serve
token=$(login)
found=$(count)
if [ "$found" -lt "$acknowledged" ]; then
	echo "FAILED: $acknowledged patients were acknowledged, and $found are there"
	exit 1
fi
echo "restored: $rows rows, the same as in the database; $acknowledged patients acknowledged, $found there"
