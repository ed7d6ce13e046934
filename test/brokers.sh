#!/usr/bin/env bash
# brokers.sh: the figures of docs/benchmarks.md about the broker. NODES (1000,5000) are the numbers of connections to each of the three; the
# embedded one has 9900 besides, as many as a process with 20,000 open files can have at both ends. Each broker is alone while it is measured.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export FETTLE_SERVICES_HEAP=${FETTLE_SERVICES_HEAP:-3g}
nodes=${NODES:-1000,5000}

make -s build
go run ./test/brokers -broker embedded -nodes "$nodes,9900"
for broker in rabbitmq activemq; do
  test/services/services.sh stop "$broker"
  test/services/services.sh start "$broker"
  eval "$(test/services/services.sh env "$broker")"
  go run ./test/brokers -broker "$broker" -nodes "$nodes"
  test/services/services.sh stop "$broker"
done
go run ./test/pressure
test/services/services.sh start mysql
eval "$(test/services/services.sh env mysql)"
account=${FETTLE_TEST_MYSQL_DSN%%@*} place=${FETTLE_TEST_MYSQL_DSN#*tcp(}
place=${place%%)*}
mysql -h"${place%:*}" -P"${place#*:}" -u"${account%%:*}" -p"${account#*:}" -e 'DROP DATABASE IF EXISTS pressure; CREATE DATABASE pressure'
go run ./test/pressure -store "mysql://$account@$place/pressure"
