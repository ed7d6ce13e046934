#!/usr/bin/env bash
# run-icinga2.sh DIR PORT: run an Icinga 2 in the foreground, with its API at https://localhost:PORT, until it is told to end (SIGTERM).
#
# DIR/objects.conf are the caller's objects. The account of the API is fettle, its password secret; DIR/ca.pem is the authority of its certificate.
set -euo pipefail
export PATH="$PATH:/usr/sbin"
dir=$(cd "${1:?usage: run-icinga2.sh DIR PORT}" && pwd -P)
port=${2:?usage: run-icinga2.sh DIR PORT}
mkdir -p "$dir"/{data/certs,log,run,cache,spool}
if [[ ! -s $dir/ca.pem ]]; then
  new=(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30)
  "${new[@]}" -subj "/CN=authority of icinga2" -keyout "$dir/ca.key" -out "$dir/ca.pem" 2>/dev/null
  "${new[@]}" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -subj /CN=localhost -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
    -keyout "$dir/data/certs/localhost.key" -out "$dir/data/certs/localhost.crt" 2>/dev/null
  cp "$dir/ca.pem" "$dir/data/certs/ca.crt"
fi
cat >"$dir/icinga2.conf" <<CONF
const NodeName = "localhost"
const PluginDir = "/usr/lib/nagios/plugins"
include <itl>
include <plugins>
object Endpoint "localhost" { }
object Zone "localhost" { endpoints = [ "localhost" ] }
object ApiListener "api" { bind_host = "127.0.0.1"; bind_port = "$port" }
object ApiUser "fettle" { password = "secret"; permissions = [ "*" ] }
object CheckerComponent "checker" { }
include "$dir/objects.conf"
CONF
defines=()
for pair in DataDir="$dir/data" LogDir="$dir/log" CacheDir="$dir/cache" SpoolDir="$dir/spool" InitRunDir="$dir/run" ConfigDir="$dir" RunAsUser="$(id -un)" \
  RunAsGroup="$(id -gn)" PidPath="$dir/run/pid" StatePath="$dir/data/state" ObjectsPath="$dir/cache/objects" VarsPath="$dir/cache/vars" ModAttrPath="$dir/data/modified.conf"; do
  defines+=(-D "Configuration.$pair")
done
exec icinga2 daemon -c "$dir/icinga2.conf" "${defines[@]}"
