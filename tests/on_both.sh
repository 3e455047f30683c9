# Sourced, in the root of the repository, by the scripts in tests/scripts that try both databases: the program, built, in
# $work, and a server of its own on each.
. tests/await.sh
work=$(mktemp -d)
chmod 755 "$work" # apt downloads as another user
server= database=
admin=${TEST_DATABASE_URL:-postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable}
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

go build -o "$work/healthcare" .

# start_server NAME DATABASE_URL VARIABLE=VALUE...: in the folder $work/NAME, where it writes to out and err. Sets url.
start_server() {
	local name=$1 dir="$work/$1" address=$2
	shift 2
	mkdir "$dir"
	: >"$dir/out"
	(cd "$dir" && exec env -i DATABASE_URL="$address" JWT_SECRET="$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')" PORT=0 "$@" \
		"$work/healthcare" >"$dir/out" 2>"$dir/err") &
	server=$!
	await_url "$dir/out" "$server"
	if [ -z "$url" ]; then
		echo "$name: the server did not start:"
		cat "$dir/err"
		return 1
	fi
}

# on_both COMMAND: calls COMMAND NAME DATABASE_URL for SQLite, and for PostgreSQL if one answers. The first that fails ends
# the script; a call with || would go on after what fails within it.
on_both() {
	"$1" SQLite "sqlite:$work/SQLite/test.db"
	if ! psql -qX "$admin" -c 'SELECT 1' >/dev/null 2>&1; then
		echo "PostgreSQL: NOT TRIED: there is no server"
		return
	fi
	database=clinic_script_$$
	psql -qX "$admin" -c "CREATE DATABASE $database" >/dev/null
	"$1" PostgreSQL "$(echo "$admin" | sed -E "s|^(postgres(ql)?://[^/]*/)[^?]*|\1$database|")"
}
