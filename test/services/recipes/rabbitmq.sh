# RabbitMQ with its STOMP plugin. Debian's wrapper in /usr/sbin changes user and environment, so the program behind it is called. The name
# server of Erlang, epmd, is our own: one that several installations share would outlive this one, and would know the nodes of all.
packages=(rabbitmq-server openssl)
within=120
rabbit=/usr/lib/rabbitmq/bin

surroundings() { # as NAME=VALUE lines
  cat <<ENV
HOME=$dir
ERL_EPMD_ADDRESS=127.0.0.1
ERL_EPMD_PORT=$(port rabbitmq-epmd)
RABBITMQ_NODENAME=fettle$sum@localhost
RABBITMQ_CONFIG_FILE=$dir/rabbitmq.conf
RABBITMQ_CONF_ENV_FILE=/dev/null
RABBITMQ_ENABLED_PLUGINS_FILE=$dir/plugins
RABBITMQ_MNESIA_BASE=$dir/data
RABBITMQ_LOG_BASE=$dir/log
RABBITMQ_GENERATED_CONFIG_DIR=$dir/generated
RABBITMQ_DIST_PORT=$(port rabbitmq-dist)
RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} +sbwt none
ENV
}

start() {
  local env
  free rabbitmq rabbitmq-tls rabbitmq-api rabbitmq-dist rabbitmq-epmd
  mkdir -p "$dir/data" "$dir/log"
  certified
  echo '[rabbitmq_stomp,rabbitmq_management].' >"$dir/plugins"
  # the account is made when the data folder is empty; it may do everything in the virtual host /
  cat >"$dir/rabbitmq.conf" <<CONF
listeners.tcp = none
stomp.listeners.tcp.1 = 127.0.0.1:$(port rabbitmq)
stomp.listeners.ssl.1 = 127.0.0.1:$(port rabbitmq-tls)
ssl_options.cacertfile = $dir/ca.pem
ssl_options.certfile = $dir/cert.pem
ssl_options.keyfile = $dir/key.pem
management.ssl.ip = 127.0.0.1
management.ssl.port = $(port rabbitmq-api)
management.ssl.cacertfile = $dir/ca.pem
management.ssl.certfile = $dir/cert.pem
management.ssl.keyfile = $dir/key.pem
default_user = $login
default_pass = $passcode
CONF
  mapfile -t env < <(surroundings)
  { # the administration, as a program that knows where
    echo '#!/bin/sh'
    printf 'exec env'
    printf ' %q' "${env[@]}"
    # shellcheck disable=SC2016
    echo " $rabbit/rabbitmqctl"' "$@"'
  } >"$dir/rabbitmqctl"
  chmod 755 "$dir/rabbitmqctl"
  daemon rabbitmq-epmd epmd -port "$(port rabbitmq-epmd)" -address 127.0.0.1
  ulimit -n "$(ulimit -Hn)" # a connection is a file, and many are measured
  daemon rabbitmq env "${env[@]}" "$rabbit/rabbitmq-server"
}

ready() { answers_stomp "$(port rabbitmq)" && listens "$(port rabbitmq-tls)" && listens "$(port rabbitmq-api)"; }

settings() {
  give RABBITMQ "stomp://$login:$passcode@127.0.0.1:$(port rabbitmq)"
  give RABBITMQ_TLS "stomps://$login:$passcode@127.0.0.1:$(port rabbitmq-tls)"
  give RABBITMQ_API "https://localhost:$(port rabbitmq-api)"
  give RABBITMQ_CA "$dir/ca.pem"
  give RABBITMQCTL "$dir/rabbitmqctl"
}
