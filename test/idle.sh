#!/usr/bin/env bash
# idle.sh: what an agent that nobody asks costs: its memory, and its processor time over SECONDS (600), with the intervals that are the default.
# It fails when private memory is 20 MiB or more, or processor time 0.1 % of a core or more. PROGRAM is the fettle to measure. With CHECKS=20 it
# keeps so many checks every 30 s: a half of built-in commands, a quarter of expressions, a quarter of NRPE commands that start a process. Then
# processor time is told, the agent's own and that of what it starts, and not judged.
set -euo pipefail
cd "$(dirname "$0")/.."
program=${PROGRAM:-bin/fettle}
seconds=${1:-600}
checks=${CHECKS:-0}
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

echo 'command[true]=/bin/echo fine' >"$dir/nrpe.cfg"
"$program" server --state "$dir/server" --http 127.0.0.1:0 --stomp 127.0.0.1:0 >"$dir/server.out" 2>"$dir/server.log" &
server=$!
stomp=$(until_ready "$dir/server.out" stomp)
"$program" agent --server "$stomp" --state "$dir/agent" --identity idle.example.net --secret-file "$dir/server/broker.secret" --nrpe-config "$dir/nrpe.cfg" >"$dir/agent.out" 2>"$dir/agent.log" &
agent=$!
until_ready "$dir/agent.out" role >"$dir/role"
sleep 5 # its keys are made, and its facts are sent
kinds=('nrpe: check_load' 'expression: facts.processors.count > 0' 'nrpe: check_mem' 'nrpe: "true"')
for i in $(seq "$checks"); do
  printf -- '- {name: c%d, %s, filter: "true", interval: 30s}\n' "$i" "${kinds[i % 4]}"
done >"$dir/checks.yaml"
if [ "$checks" -gt 0 ]; then
  "$program" checks apply -f "$dir/checks.yaml" --context "$dir/server/context.yaml" >"$dir/applied"
  sleep 15 # each has been asked once
fi

started() { sed 's/.*) //' "/proc/$agent/stat" | awk '{ print $14 + $15 }'; } # cutime and cstime
ticks() { sed 's/.*) //' "/proc/$agent/stat" | awk '{ print $12 + $13 }'; } # utime and stime, proc(5)
kib() { awk -v key="$1:" '$1 == key { print $2 }' "/proc/$agent/status"; }
before=$(ticks) children=$(started)
sleep "$seconds"
spent=$(($(ticks) - before)) children=$(($(started) - children))
awk -v spent="$spent" -v children="$children" -v checks="$checks" -v hz="$(getconf CLK_TCK)" -v seconds="$seconds" -v anon="$(kib RssAnon)" -v rss="$(kib VmRSS)" 'BEGIN {
  cpu = 100 * spent / hz / seconds
  printf "private memory (RssAnon) %.1f MiB, resident %.1f MiB, processor %.2f s in %d s: %.3f %% of a core\n", anon / 1024, rss / 1024, spent / hz, seconds, cpu
  if (checks > 0) printf "with %d checks; what they started used %.2f s: %.3f %% of a core\n", checks, children / hz, 100 * children / hz / seconds
  exit !(anon < 20 * 1024 && (cpu < 0.1 || checks > 0))
}'
