#!/usr/bin/env bash
# services.sh: private instances of the real programs that the integration tests speak to. Debian 12; no systemd, nothing system-wide.
#
#   services.sh install [NAME...]   the Debian packages alone (as root, or by sudo without a password)
#   services.sh start   [NAME...]   install what is missing, start, and return when each one answers
#   services.sh status  [NAME...]   one line each
#   services.sh env     [NAME...]   "export FETTLE_TEST_…=…" of what is started, for eval
#   services.sh stop    [NAME...]   end them; their data stay
#   services.sh crash   NAME...     kill them as a power cut would; their data stay as they are, and start goes on with them
#   services.sh wipe    [NAME...]   end them and delete their data
#
# Without a name all of them are meant. Each is a file in recipes/, and says there what it gives to a test:
#
#   mysql       FETTLE_TEST_MYSQL_DSN      go-sql-driver's form without a schema; the account may create and drop databases
#   rabbitmq    FETTLE_TEST_RABBITMQ       stomp://login:passcode@host:port; destinations as everywhere, "host:" is "/"
#               FETTLE_TEST_RABBITMQ_TLS   the same as stomps://; FETTLE_TEST_RABBITMQ_CA is the file of the authority of its certificate
#               FETTLE_TEST_RABBITMQ_API   https://localhost:port of its management plugin, for the same account and authority
#               FETTLE_TEST_RABBITMQCTL    a program: its administration, "… list_queues"
#   activemq    FETTLE_TEST_ACTIVEMQ       stomp://login:passcode@host:port
#               FETTLE_TEST_ACTIVEMQ_TLS   the same as stomps://; FETTLE_TEST_ACTIVEMQ_CA is the file of the authority of its certificate
#               FETTLE_TEST_ACTIVEMQ_NODE  the first for an account that may do what a node needs, in the collective fettle
#   nrpe        FETTLE_TEST_NRPE           host:port of a daemon that knows check_dummy
#               FETTLE_TEST_NRPE_DAEMON    the program, for a test with a configuration of its own: nrpe -c FILE -f
#               FETTLE_TEST_CHECK_NRPE     the client
#   nagios      FETTLE_TEST_NAGIOS         a program: "… DIR" runs a Nagios in the foreground, see run-nagios.sh
#               FETTLE_TEST_NAGIOS_DIR     where such a DIR may be made: the user nagios reaches it
#   nsca        FETTLE_TEST_NSCA           the daemon; a test starts its own
#   icinga2     FETTLE_TEST_ICINGA2        a program: "… DIR PORT" runs an Icinga 2 in the foreground, see run-icinga2.sh
#   prometheus  FETTLE_TEST_PROMETHEUS, FETTLE_TEST_PROMTOOL   the programs; a test starts its own:
#               prometheus --config.file=F --storage.tsdb.path=D --web.listen-address=127.0.0.1:PORT
#   alertmanager  FETTLE_TEST_ALERTMANAGER   the program; a test starts its own:
#               prometheus-alertmanager --config.file=F --storage.path=D --cluster.listen-address= --web.listen-address=127.0.0.1:PORT
#   smtp        FETTLE_TEST_SMTP           a program: "… HOST:PORT MAILDIR CERT KEY USER PASSWORD" runs a mail server in the foreground, see run-smtp.py
#               FETTLE_TEST_SMTP_DIR       where ca.pem is, and cert.pem and key.pem of localhost
#   chromium    FETTLE_TEST_CHROMIUM       the program; as root it wants --no-sandbox and a --user-data-dir
#   facter      FETTLE_TEST_FACTER         the program
#   ansible     FETTLE_TEST_ANSIBLE        the program; ansible-inventory stands beside it
#   puppet      FETTLE_TEST_PUPPET         the program
#   cc          a C compiler, for go test -race; no variable
#   stompy      FETTLE_TEST_PYTHON_STOMP   a python3 that can "import stomp"
#   rubystomp   FETTLE_TEST_RUBY_STOMP     a ruby that can "require 'stomp'"
#   npmstomp    FETTLE_TEST_NODE, FETTLE_TEST_NPM_STOMP   a node, and a NODE_PATH that has stompit
#   ldap        FETTLE_TEST_LDAP           ldap://localhost:port, StartTLS offered; people below dc=fettle,dc=test
#               FETTLE_TEST_LDAP_CA        the certificate that it shows
#
# No test needs these; they are installed and started by name only:
#
#   postgresql  FETTLE_TEST_POSTGRES_DSN   a URL; the account may create schemas. For "go run ./test/compare"
#
# Everything lies in FETTLE_SERVICES_DIR (.services at the top of the checkout, or a folder in /var/tmp where other users cannot reach the
# checkout) and listens on 127.0.0.1 only. The ports follow from the folder's name, so that two checkouts do not meet, and stay below 32768,
# where the kernel takes ports for outgoing connections; FETTLE_SERVICES_PORT sets the first of the twenty.
# FETTLE_SERVICES_HEAP is how much memory ActiveMQ may take (384m); "go run ./test/brokers" with 5,000 connections wants 3g.
set -euo pipefail
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive PATH="$PATH:/usr/sbin:/sbin"

readonly here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
readonly all=(cc mysql rabbitmq activemq nrpe nagios nsca icinga2 prometheus alertmanager smtp chromium facter ansible puppet stompy rubystomp npmstomp ldap)
readonly others=(postgresql) # that no test needs
readonly login=fettle passcode=secret # the one account, wherever a service has accounts
declare -rA slot=([mysql]=0 [rabbitmq]=1 [rabbitmq-tls]=2 [rabbitmq-dist]=3 [rabbitmq-epmd]=4 [activemq]=5 [nrpe]=6 [postgresql]=7 [ldap]=8 [activemq-tls]=9 [rabbitmq-api]=10)

say() { echo "services: $*" >&2; }
die() { say "$*"; exit 1; }

# place sets base, the folder of everything, and first, its first port.
place() {
  base=${FETTLE_SERVICES_DIR:-$(cd "$here/../.." && pwd -P)/.services}
  mkdir -p "$base"
  base=$(cd "$base" && pwd -P)
  sum=$(cksum <<<"$base" | cut -d' ' -f1)
  if ((EUID == 0)) && ! setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$base"; then
    base=/var/tmp/fettle-services-$sum # a parent is closed to others, and some services refuse to run as root
    mkdir -p "$base"
    [[ -O $base ]] || die "$base belongs to somebody else"
  fi
  first=${FETTLE_SERVICES_PORT:-$((20000 + sum % 630 * 20))}
}
port() { echo $((first + slot[$1])); }

# load reads the recipe NAME, which may set packages and within, and define start, ready and settings.
load() {
  name=$1 dir=$base/$1 log=$base/$1.log
  packages=() within=30 # seconds until it has to answer
  start() { :; }
  ready() { :; }
  settings() { :; }
  # shellcheck source=/dev/null
  . "$here/recipes/$1.sh"
}

# --- packages -------------------------------------------------------------------------------------------------------------------------

installed() { [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

install_all() { # NAME...
  local wanted missing=() n p
  wanted=$(for n; do (load "$n"; printf '%s\n' "${packages[@]}"); done | sort -u)
  for p in $wanted; do installed "$p" || missing+=("$p"); done
  ((${#missing[@]})) || return 0
  if ((EUID != 0)); then
    command -v sudo >/dev/null || die "packages are missing (${missing[*]}): run \"$here/services.sh install\" as root once"
    sudo -n --preserve-env=http_proxy,https_proxy "$here/services.sh" install "$@"
    return
  fi
  say "installing ${missing[*]}"
  (
    flock -w 900 9 || die "another installation has not ended within 15 minutes"
    policy=/usr/sbin/policy-rc.d # 101: a package's own script must not start the daemon that it brings
    if [[ ! -e $policy ]]; then
      trap 'rm -f "$policy"' EXIT
      printf '#!/bin/sh\nexit 101\n' >"$policy"
      chmod 755 "$policy"
    fi
    : >"$base/apt.log"
    [[ -n $(find /var/lib/apt/lists -name '*_Packages*' -mtime -7 -print -quit 2>/dev/null) ]] || apt_get update || :
    apt_get install -y --no-install-recommends "${missing[@]}" ||
      { apt_get update && apt_get install -y --no-install-recommends "${missing[@]}"; } ||
      { tail -n 25 "$base/apt.log" >&2; die "apt-get could not install ${missing[*]}; its log is $base/apt.log"; }
  ) 9>/run/lock/fettle-services-apt.lock
}

apt_get() { # waits for the lock of whoever else installs something
  local try
  for try in {1..20}; do
    ! apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" >>"$base/apt.log" 2>&1 9>&- || return 0
    tail -n 5 "$base/apt.log" | grep -q 'Could not get lock' || return 1
    sleep 3
  done
  return 1
}

# --- processes ------------------------------------------------------------------------------------------------------------------------
# A pid file holds the pid and the moment when the process began, so that a pid which was given away again is neither believed nor killed.
# A zombie is dead: in a container nobody may hurry to collect it.

birth() { sed -E 's/.*\) //' "/proc/$1/stat" 2>/dev/null | awk '$1 !~ /[ZX]/ {print $20}'; }
alive() { # NAME
  local pid born
  [[ -s $base/$1.pid ]] || return 1
  read -r pid born <"$base/$1.pid"
  [[ -n $born && $(birth "$pid") == "$born" ]]
}

daemon() { # NAME COMMAND...: in a session of its own, and without the lock that we hold
  local n=$1
  shift
  setsid "$@" >>"$base/$n.log" 2>&1 </dev/null 8>&- &
  echo "$! $(birth $!)" >"$base/$n.pid"
}

end() { # NAME: ask, wait half a minute, then take its whole process group
  local pid born i
  if alive "$1"; then
    read -r pid born <"$base/$1.pid"
    kill -TERM "$pid" 2>/dev/null || :
    for ((i = 0; i < 300; i++)); do alive "$1" || break; sleep 0.1; done
    if alive "$1"; then
      say "$1 does not end when asked, and is killed"
      kill -KILL -- "-$pid" 2>/dev/null || :
    fi
  fi
  rm -f "$base/$1.pid"
}

# --- what recipes use -----------------------------------------------------------------------------------------------------------------

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; } # PORT

certified() { # an authority, ca.pem, and a certificate of it for localhost, cert.pem and key.pem; made once
  [[ ! -s $dir/cert.pem ]] || return 0
  local new=(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650)
  "${new[@]}" -subj "/CN=authority of $name" -keyout "$dir/ca.key" -out "$dir/ca.pem" >>"$log" 2>&1 &&
    "${new[@]}" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -subj /CN=localhost -addext basicConstraints=critical,CA:FALSE \
      -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$dir/key.pem" -out "$dir/cert.pem" >>"$log" 2>&1 ||
    { rm -f "$dir/cert.pem"; fail "could not make its certificate"; }
}

answers_stomp() { # PORT: a broker lets the account in
  local line
  exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
  printf 'CONNECT\naccept-version:1.2\nhost:/\nlogin:%s\npasscode:%s\n\n\0' "$login" "$passcode" >&3
  IFS= read -r -t 5 line <&3 || line=
  exec 3>&-
  [[ $line == CONNECTED* ]]
}

free() { # PORT-NAME...
  local p
  for p; do ! listens "$(port "$p")" || die "$name: port $(port "$p") is taken; set FETTLE_SERVICES_PORT to another first of twenty"; done
}

fail() { # why the service of the recipe at hand did not start
  tail -n 25 "$log" >&2 || :
  stop_one "$name"
  die "$name $*; its log is $log"
}

await() { # until ready, but not longer than within
  local deadline=$((SECONDS + within))
  until (ready) >/dev/null 2>&1; do
    [[ ! -e $base/$name.pid ]] || alive "$name" || fail "ended while it was starting"
    ((SECONDS < deadline)) || fail "did not answer within $within seconds"
    sleep 0.2
  done
}

give() { echo "export FETTLE_TEST_$1=${2@Q}"; } # NAME VALUE

# --- commands -------------------------------------------------------------------------------------------------------------------------

is_up() { [[ -e $base/$1.up ]] && { [[ ! -e $base/$1.pid ]] || alive "$1"; }; }

start_one() {
  load "$1"
  if is_up "$1"; then return; fi
  stop_one "$1"
  local began=$SECONDS
  mkdir -p "$dir"
  : >"$log"
  start
  await
  touch "$base/$1.up"
  say "$1 is ready ($((SECONDS - began)) s)"
}

stop_one() {
  rm -f "$base/$1.up"
  local f
  end "$1"
  for f in "$base/$1"-*.pid; do [[ ! -e $f ]] || end "$(basename "$f" .pid)"; done # helpers of the service: NAME-helper
}

crash_one() {
  local pid born
  alive "$1" || die "$1 is not running"
  read -r pid born <"$base/$1.pid"
  rm -f "$base/$1.up"
  kill -KILL -- "-$pid"
  while alive "$1"; do sleep 0.05; done
  rm -f "$base/$1.pid"
}

wipe_one() { stop_one "$1"; rm -rf "${base:?}/$1" "$base/$1.log" "$base/$1"-*.log; }

status_one() {
  local state=stopped
  if is_up "$1"; then state=ready; elif [[ -e $base/$1.up ]]; then state=died; fi
  printf '%-11s %s%s\n' "$1" "$state" "${slot[$1]:+ on port $(port "$1")}"
}

env_one() { load "$1"; if is_up "$1"; then settings; fi; }

main() {
  local command=${1-} n
  [[ $command =~ ^(install|start|status|env|stop|crash|wipe)$ ]] || { sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2; }
  shift
  if ((!$#)); then
    [[ $command != crash ]] || die "crash what? no service is named"
    set -- "${all[@]}"
    [[ $command == install || $command == start ]] || set -- "$@" "${others[@]}"
  fi
  for n; do [[ " ${all[*]} ${others[*]} " == *" $n "* ]] || die "there is no service $n; there are: ${all[*]} ${others[*]}"; done
  place
  if [[ $command != env && $command != status ]]; then
    exec 8>"$base/lock"
    flock -w 900 8 || die "another services.sh has been busy in $base for 15 minutes"
  fi
  case $command in
    install) install_all "$@" ;;
    start) install_all "$@"; for n; do (start_one "$n"); done ;;
    *) for n; do ("${command}_one" "$n"); done ;;
  esac
}
main "$@"
