#!/usr/bin/env bash
# What a machine without a container engine can prove of Dockerfile, compose.yaml and deploy/: the Dockerfile's own command
# builds a static program, which starts as the image's user in a root folder that holds what the image holds, says that it is
# healthy, and stops by itself when told to; systemd understands the unit. No image is built, and no unit is started.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
chmod 711 "$work"
server=
finish() {
	[ -z "$server" ] || kill -9 "$server" 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

# The steps of the Dockerfile, in another folder than /out.
mkdir "$work/out"
sed -n "s|/out/|$work/out/|g; s|^RUN \(.*/out/.*\)|\1|p" Dockerfile >"$work/steps"
[ "$(wc -l <"$work/steps")" = 2 ]
sh -eu "$work/steps"
if readelf --program-headers "$work/out/healthcare" | grep -q INTERP; then
	echo "FAILED: the program is not static"
	exit 1
fi

# The image, as a folder: each COPY into it, whose owners are those that the Dockerfile says.
root=$work/root
mkdir -p "$root/etc/ssl/certs"
cp "$work/out/healthcare" "$root/healthcare"
cp -r "$work/out/data" "$work/out/tmp" "$root/"
user=$(sed -n 's/^USER \([0-9]*\):\([0-9]*\)$/\1/p' Dockerfile)
[ "$user" = 65532 ]

if [ "$(id -u)" = 0 ]; then
	chown "$user:$user" "$root/data" "$root/tmp"
	port=$((20000 + RANDOM % 10000))
	while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
	# within SETTING... -- ARGUMENT...: runs the program as in a container, but for these settings.
	within() {
		local settings
		read -ra settings <<<"$(sed -n 's/^ENV //p' Dockerfile)"
		while [ "$1" != -- ]; do
			settings+=("$1")
			shift
		done
		shift
		exec env -i "${settings[@]}" PORT="$port" unshare --root "$root" --wd /data --setgid "$user" --setuid "$user" /healthcare "$@"
	}
	if (within -- healthcheck) >/dev/null 2>&1; then
		echo "FAILED: healthy before it runs"
		exit 1
	fi
	(within HOST=127.0.0.1 --) >"$work/says" 2>"$work/log" &
	server=$!
	for _ in $(seq 120); do
		if (within -- healthcheck) >"$work/health" 2>&1; then break; fi
		kill -0 "$server" 2>/dev/null || break
		sleep 0.5
	done
	if ! grep -q 'ready\.' "$work/health"; then
		echo "FAILED: the program does not get ready:"
		cat "$work/health" "$work/says" "$work/log"
		exit 1
	fi
	grep -q "^Uid:.$user.$user.$user.$user$" "/proc/$server/status"
	[ "$(stat -c '%u %a' "$root/data/healthcare.db")" = "$user 600" ]
	kill "$server"
	wait "$server"
	server=
	echo "static, $(stat -c %s "$root/healthcare") bytes; as user $user in a root folder of its own it started, was healthy, and stopped"
else
	echo "NOT TRIED: to start it in a root folder of its own, which is for root"
fi

if command -v docker >/dev/null && docker compose version >/dev/null 2>&1; then
	mkdir "$work/compose"
	cp compose.yaml "$work/compose"
	printf '%s=x\n' DB_PASSWORD JWT_SECRET AUDIT_KEY >"$work/compose/.env"
	docker compose --project-directory "$work/compose" config --quiet
	echo "compose.yaml is understood"
else
	echo "NOT TRIED: to read compose.yaml with docker compose, which is not here"
fi

if command -v systemd-analyze >/dev/null; then
	# The program must be where the unit says.
	mkdir -p "$work/units/healthcare.service.d"
	sed "s|/usr/local/bin/healthcare|$work/out/healthcare|" deploy/healthcare.service >"$work/units/healthcare.service"
	verify() {
		said=$(systemd-analyze verify "$work/units/healthcare.service" 2>&1) || { echo "FAILED: $said"; exit 1; }
		[ -z "$said" ] || { echo "FAILED: $said"; exit 1; }
	}
	verify
	systemd-analyze security --offline=yes --threshold=15 --no-pager "$work/units/healthcare.service" | tail -1
	cp deploy/low-ports.conf "$work/units/healthcare.service.d/"
	verify
else
	echo "NOT TRIED: to read the unit, as systemd-analyze is not here"
fi
