# PostgreSQL. It refuses to run as root, and is then run as the user that Debian's package makes.
packages=(postgresql postgresql-client)
within=60

start() {
  local as=() programs
  programs=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
  free postgresql
  echo "$passcode" >"$dir/passcode"
  if ((EUID == 0)); then
    as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
    chown postgres: "$dir" "$dir/passcode"
  fi
  cd "$dir" # where we are may be closed to that user
  if [[ ! -e $dir/data/PG_VERSION ]]; then
    rm -rf "$dir/data"
    "${as[@]}" "$programs/initdb" -D "$dir/data" -U "$login" -A scram-sha-256 --pwfile="$dir/passcode" -E UTF8 --locale=C.UTF-8 \
      >"$log" 2>&1 || fail "could not make its data folder"
  fi
  # a commit survives a kill of the server, if not of the machine, as with MariaDB; the two have as much memory
  daemon postgresql "${as[@]}" "$programs/postgres" -D "$dir/data" -k "$dir" -p "$(port postgresql)" -c listen_addresses=127.0.0.1 \
    -c synchronous_commit=off -c shared_buffers=128MB -c max_connections=50
}

ready() { psql "$(dsn)" -c 'SELECT 1'; }

dsn() { echo "postgres://$login:$passcode@127.0.0.1:$(port postgresql)/postgres?sslmode=disable"; }

settings() { give POSTGRES_DSN "$(dsn)"; }
