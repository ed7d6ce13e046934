//go:build unix

package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"time"

	"github.com/fettle-dev/fettle/test/proc"
)

// maria is a MariaDB of our own, that may be killed.
type maria struct {
	dir, address string
	running      *proc.Process
}

const mariaAccount = "fettle:secret"

// newMaria makes the data folder of a MariaDB.
func newMaria(dir, address string) (*maria, error) {
	m := &maria{dir: dir, address: address}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	me, err := user.Current()
	if err != nil {
		return nil, err
	}
	install := exec.Command("mariadb-install-db", "--no-defaults", "--user="+me.Username, "--datadir="+filepath.Join(dir, "data"), "--skip-test-db",
		"--auth-root-authentication-method=normal")
	if said, err := install.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("mariadb-install-db: %w: %s", err, said)
	}
	account := "CREATE DATABASE IF NOT EXISTS fettle;\nCREATE USER IF NOT EXISTS 'fettle'@'%' IDENTIFIED BY 'secret';\nGRANT ALL ON *.* TO 'fettle'@'%';\n"
	return m, os.WriteFile(filepath.Join(dir, "account.sql"), []byte(account), 0o600)
}

// start starts the database, and returns when it answers. What was committed survives a kill of it, if not of the machine.
func (m *maria) start(ctx context.Context) error {
	me, err := user.Current()
	if err != nil {
		return err
	}
	host, port := splitAddress(m.address)
	m.running, err = start(filepath.Join(m.dir, "log"), "database", "mariadbd", "--no-defaults", "--user="+me.Username, "--datadir="+filepath.Join(m.dir, "data"),
		"--socket="+filepath.Join(m.dir, "sock"), "--pid-file="+filepath.Join(m.dir, "pid"), "--init-file="+filepath.Join(m.dir, "account.sql"),
		"--bind-address="+host, "--port="+port, "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=64M", "--character-set-server=utf8mb4")
	if err != nil {
		return err
	}
	db, err := sql.Open("mysql", m.dsn(m.address))
	if err != nil {
		return err
	}
	defer db.Close()
	return wait(ctx, time.Minute, "the database answers", func(ctx context.Context) error { return db.PingContext(ctx) })
}

func (m *maria) dsn(address string) string {
	return mariaAccount + "@tcp(" + address + ")/fettle?timeout=3s&readTimeout=5s&writeTimeout=5s"
}
