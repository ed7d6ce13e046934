#!/usr/bin/env bash
# idle.sh: what an agent that nobody asks costs: its memory, and its processor time over SECONDS (600), with the intervals that are the default.
# It fails when private memory is 20 MiB or more, or processor time 0.1 % of a core or more. PROGRAM is the fettle to measure.
set -euo pipefail
cd "$(dirname "$0")/.."
program=${PROGRAM:-bin/fettle}
seconds=${1:-600}
dir=$(mktemp -d)
server='' agent=''
stop() {
  for pid in $agent $server; do kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; done
  rm -rf "$dir"
}
trap stop EXIT

# until_ready FILE WORD: waits for the line "ready …", and prints what stands behind WORD= there.
until_ready() {
  for _ in $(seq 300); do
    if grep -q '^ready ' "$1"; then
      sed -n "s/^ready .*$2=\([^ ]*\).*/\1/p" "$1"
      return
    fi
    sleep 0.1
  done
  echo "idle.sh: $1 does not say ready" >&2
  return 1
}

"$program" server --state "$dir/server" --http 127.0.0.1:0 --stomp 127.0.0.1:0 >"$dir/server.out" 2>"$dir/server.log" &
server=$!
stomp=$(until_ready "$dir/server.out" stomp)
"$program" agent --server "$stomp" --state "$dir/agent" --identity idle.example.net --secret-file "$dir/server/broker.secret" >"$dir/agent.out" 2>"$dir/agent.log" &
agent=$!
until_ready "$dir/agent.out" role >"$dir/role"
sleep 5 # its keys are made, and its facts are sent

ticks() { sed 's/.*) //' "/proc/$agent/stat" | awk '{ print $12 + $13 }'; } # utime and stime, proc(5)
kib() { awk -v key="$1:" '$1 == key { print $2 }' "/proc/$agent/status"; }
before=$(ticks)
sleep "$seconds"
spent=$(($(ticks) - before))
awk -v spent="$spent" -v hz="$(getconf CLK_TCK)" -v seconds="$seconds" -v anon="$(kib RssAnon)" -v rss="$(kib VmRSS)" 'BEGIN {
  cpu = 100 * spent / hz / seconds
  printf "private memory (RssAnon) %.1f MiB, resident %.1f MiB, processor %.2f s in %d s: %.3f %% of a core\n", anon / 1024, rss / 1024, spent / hz, seconds, cpu
  exit !(anon < 20 * 1024 && cpu < 0.1)
}'
