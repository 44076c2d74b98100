#!/usr/bin/env bash
# Tests everything: the form of the code, every module with the race detector,
# the numbers without it, some inputs of the fuzzers. It needs Go, and installs
# what else is missing with apt-get, as root or with sudo.
#
#   ./test.sh         some minutes
#   ./test.sh -long   more rounds, longer fuzzing, and mutants
#
# A test that skips itself counts as failed, but for CI=false ./test.sh.
set -euo pipefail
set -m # a process group for each job, so that it ends with all its children
cd "$(dirname "${BASH_SOURCE[0]}")"
export CI=${CI:-true} LC_ALL=C
PATH=$PATH:/usr/sbin # where some servers are

# What the tests need beside Go: a command, and the packages that bring it.
needs='
gcc              gcc libc6-dev      # the race detector
chromium         chromium           # the rest is for internal/lab/conformance
WebKitWebDriver  webkit2gtk-driver
Xvfb             xvfb
redis-server     redis-server
valkey-server    valkey-server      # Debian 12 has it in its backports
pg_ctlcluster    postgresql
pgbouncer        pgbouncer
mariadbd         mariadb-server
etcd             etcd-server
strace           strace             # makes its disks slow
npm              nodejs npm         # the browser client, under Node and with axios
curl             curl               # the rest is for internal/lab/release
openssl          openssl
ip               iproute2
'

staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.8.2

fuzz_inputs=10000 mutants=0
case ${1-} in
'') ;;
-long) export AUTH_LONG=1 AUTH_SCHEDULES=500000 AUTH_BACKEND_SCHEDULES=10000 fuzz_inputs=200000 mutants=150 ;;
*)
	sed -n 's/^#   //p' "$0" >&2
	exit 2
	;;
esac

# Whatever the tests write is in here and goes with the script, as do jobs.
data=$(mktemp -d)
chmod 755 "$data" # PostgreSQL runs as somebody else
export TMPDIR=$data
finish() {
	local job
	for job in $(jobs -p); do
		kill -- -"$job" 2>/dev/null || true
	done
	wait
	chmod -R u+w "$data"
	rm -rf "$data"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '\n== %s\n' "$*"; }

# run does in the background what the script waits for: so it can be ended.
run() {
	"$@" &
	wait $!
}

# add_backports sets options by which apt-get also looks among the backports of this
# Debian, without a change to the sources of the machine.
apt=()
add_backports() {
	local release
	release=$(. /etc/os-release && echo "$VERSION_CODENAME")
	cp -r /etc/apt/sources.list.d "$data/sources"
	apt-get indextargets --format "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] \$(REPO_URI) $release-backports main" \
		'Created-By: Packages' "Codename: $release" 'Component: main' | head -n 1 >"$data/sources/backports.list"
	apt=(-o "Dir::Etc::sourceparts=$data/sources")
}

install_needs() {
	local command packages missing=() root=()
	while read -r command packages; do
		if [[ -n $command ]] && ! type "$command" &>/dev/null; then
			missing+=(${packages%%#*})
		fi
	done <<<"$needs"
	if ((${#missing[@]} == 0)); then
		return
	fi
	say "installing ${missing[*]}"
	if ((EUID != 0)); then
		root=(sudo)
	fi
	run "${root[@]}" apt-get update -qq
	if [[ " ${missing[*]} " == *' valkey-server '* ]] && ! apt-cache show valkey-server &>/dev/null; then
		add_backports
		run "${root[@]}" apt-get "${apt[@]}" update -qq
	fi
	run "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get "${apt[@]}" install -qq -y --no-install-recommends "${missing[@]}" >"$data/log" 2>&1 || {
		tail -n 20 "$data/log"
		return 1
	}
}

# The closing table. add_row takes a title, numbers of packages, of tests
# passed, failed and skipped, and the second at which it began.
rows=() all_passed=0 all_failed=0 all_skipped=0
add_row() {
	rows+=("$(printf '%-44s %8d %7d %7d %7d %6ds' "$1" "$2" "$3" "$4" "$5" $((SECONDS - $6)))")
	all_passed=$((all_passed + $3)) all_failed=$((all_failed + $4)) all_skipped=$((all_skipped + $5))
}

# check runs one command that is a test by itself.
check() {
	local title=$1 start=$SECONDS
	shift
	say "$title"
	if run "$@"; then
		add_row "$title" 0 1 0 0 "$start"
	else
		add_row "$title" 0 0 1 0 "$start"
	fi
}

formatted() {
	local files
	files=$("$(go env GOROOT)/bin/gofmt" -l .)
	if [[ -n $files ]]; then
		printf 'not formatted: %s\n' $files
		return 1
	fi
}

# go_test runs the tests of a module, and counts what they say.
go_test() {
	local title=$1 module=$2 start=$SECONDS status=0 packages passed failed skipped
	shift 2
	say "$title: go -C $module test $* ./..."
	run go -C "$module" test -v -count=1 -timeout 40m "$@" ./... >"$data/log" 2>&1 || status=$?
	read -r packages passed failed skipped < <(awk '
		/^ok / { packages++ }
		/^FAIL\t/ { packages++; broken++ }
		/^ *--- PASS: / { passed++ }
		/^ *--- FAIL: / { failed++ }
		/^ *--- SKIP: / { skipped++ }
		END { print packages + 0, passed + 0, (failed ? failed : broken) + 0, skipped + 0 }
	' "$data/log")
	if ((status != 0 && failed == 0)); then
		failed=1
	fi
	if ((failed > 0)); then
		grep -vE '^=== |^ *--- PASS|^PASS$|^ok |^\?' "$data/log" | tail -n 200 || true
		say 'what has failed, with what it said'
		grep -B 12 -A 3 -E '^ *--- FAIL|^FAIL\s' "$data/log" || true
		grep -A 12 -E '^(panic|fatal error|SIG[A-Z]+):' "$data/log" | head -n 60 || true
	elif ((skipped > 0)); then
		grep -A 1 -E '^ *--- SKIP' "$data/log"
	fi
	add_row "$title" "$packages" "$passed" "$failed" "$skipped" "$start"
}

# show_numbers repeats what the last run has measured, explored and put into
# tables.
show_numbers() {
	awk '
		/^=== (RUN|NAME|CONT) / { test = $3; shown = 0; next }
		/^ +[a-z_]*(numbers?|bench|size|pause|explore|simulate|faults|failover|stores|soak|processes)[a-z_]*_test\.go:[0-9]+:/ {
			sub(/^ +[^ ]+ /, "")
			printf "%s: %s\n", test, $0
			shown = 1
			next
		}
		/^        / && shown { print; next }
		{ shown = 0 }
		/^Benchmark.*\/op/
	' "$data/log"
}

# fuzz runs each fuzzer of a module. It counts inputs and not seconds, for up to
# Go 1.26 a fuzzer may fail for nothing when its time ends: go.dev/issue/75804.
fuzz() {
	local module=$1 start=$SECONDS passed=0 failed=0 packages=0 package target last=
	while read -r package target; do
		say "fuzzing $package $target with $fuzz_inputs inputs"
		if [[ $package != "$last" ]]; then
			last=$package packages=$((packages + 1))
		fi
		if run go -C "$module" test -run '^$' -fuzz "^$target\$" \
			-fuzztime "${fuzz_inputs}x" -fuzzminimizetime 1000x "$package" >"$data/log" 2>&1; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
			cat "$data/log"
		fi
	done < <(go -C "$module" test -list '^Fuzz' ./... | awk '
		/^Fuzz/ { targets[++n] = $1 }
		/^ok / { for (i = 1; i <= n; i++) print $2, targets[i]; n = 0 }
	')
	if ((passed + failed > 0)); then
		add_row "$module, fuzzing" "$packages" "$passed" "$failed" 0 "$start"
	fi
}

install_needs
say "$(go version), $(nproc) processors"
modules=$(find . -name go.mod -not -path '*/testdata/*' -printf '%h\n' | sort)

check 'gofmt' formatted
for module in $modules; do
	check "$module, vet" go -C "$module" vet ./...
	check "$module, staticcheck" go -C "$module" run "$staticcheck" ./...
done
for module in $modules; do
	go_test "$module, -race" "$module" -race
	if [[ $module != . ]]; then # the race detector distorts those of the core
		show_numbers
	fi
done
# Too many for the race detector: every interleaving with a fault in it, and a
# hundred thousand schedules of refreshes.
AUTH_LONG=1 AUTH_SCHEDULES=${AUTH_SCHEDULES:-100000} go_test '., explorations' . -run 'Interleaving|HostileWorld'
show_numbers
# One package at a time, since ratios are measured.
go_test '., numbers' . -p 1 -bench . -benchtime 100x
show_numbers
go_test './internal/lab/bench, numbers' ./internal/lab/bench
for module in $modules; do
	fuzz "$module"
done
if ((mutants > 0)); then
	check './internal/lab/mutate, mutants' go -C internal/lab/mutate run . -sample "$mutants"
fi

say "$((SECONDS / 60)) min $((SECONDS % 60)) s"
printf '%-44s %8s %7s %7s %7s %7s\n' module packages passed failed skipped time
printf '%s\n' "${rows[@]}"
if [[ $CI == true ]]; then # a skip is a failure
	all_failed=$((all_failed + all_skipped))
fi
printf '\n%d passed, %d failed\n' "$all_passed" "$all_failed"
((all_failed == 0))
