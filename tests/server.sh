# Sourced by the scripts in the folders here: the program, built, and a server of their own. What the server is to be told is
# in the environment.
. ../await.sh
dir=$(mktemp -d)
pid=
halt() {
	[ -z "$pid" ] || { kill "$pid" && wait "$pid"; } || true
	pid=
}
finish() {
	halt
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' INT TERM
(cd ../.. && go build -o "$dir/healthcare" .)

# serve starts the server, and sets its address.
serve() {
	: >"$dir/out"
	PORT=0 HOST=127.0.0.1 "$dir/healthcare" >"$dir/out" 2>"$dir/log" &
	pid=$!
	await_url "$dir/out" "$pid"
	address=$url
	[ -z "$address" ] || return 0
	echo "the server did not start:" >&2
	cat "$dir/log" >&2
	return 1
}
