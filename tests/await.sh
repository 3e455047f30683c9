# Sourced by the scripts that start servers.

# await_url FILE PID: waits until the server says in FILE, which is there, where it listens, and sets url: empty if the process
# has ended, or after a minute.
await_url() {
	for _ in $(seq 600); do
		url=$(sed -n 's|.* on \(http://[^ /]*\)/ .*|\1|p' "$1")
		if [ -n "$url" ] || ! kill -0 "$2" 2>/dev/null; then return 0; fi
		sleep 0.1
	done
}
