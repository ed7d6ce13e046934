# MariaDB. As root it runs as root, in a folder of its own; /etc/mysql is not read.
packages=(mariadb-server mariadb-client)
within=60

start() {
  local me socket=$dir/sock
  me=$(id -un)
  ((${#socket} < 104)) || die "the path of a socket may have 103 bytes, and $socket has more: set FETTLE_SERVICES_DIR"
  free mysql
  if [[ ! -e $dir/data/mysql ]]; then
    rm -rf "$dir/data"
    mariadb-install-db --no-defaults --user="$me" --datadir="$dir/data" --skip-test-db --auth-root-authentication-method=normal \
      >"$log" 2>&1 || fail "could not make its data folder"
  fi
  cat >"$dir/account.sql" <<SQL
CREATE USER IF NOT EXISTS '$login'@'%' IDENTIFIED BY '$passcode';
GRANT ALL ON *.* TO '$login'@'%' WITH GRANT OPTION;
SQL
  # a commit survives a kill of the server (2), if not of the machine: what tests need, and ten times faster
  daemon mysql mariadbd --no-defaults --user="$me" --datadir="$dir/data" --socket="$socket" --pid-file="$dir/pid" --init-file="$dir/account.sql" \
    --bind-address=127.0.0.1 --port="$(port mysql)" --skip-name-resolve --innodb-flush-log-at-trx-commit=2 \
    --innodb-buffer-pool-size=128M --max-connections=400 --character-set-server=utf8mb4
}

ready() { mariadb --no-defaults --connect-timeout=5 -h127.0.0.1 -P"$(port mysql)" -u"$login" -p"$passcode" -e 'SELECT 1'; }

settings() { give MYSQL_DSN "$login:$passcode@tcp(127.0.0.1:$(port mysql))/"; }
