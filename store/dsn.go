package store

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/fettle-dev/fettle"
)

// mysqlPort is where a mysql:// DSN without a port leads.
const mysqlPort = "3306"

// source is a DSN that was understood: a file, or a MySQL server.
type source struct {
	file  string        // of SQLite; empty: mysql holds
	mysql *mysql.Config // nil: file holds
	shown string        // for logs and errors: the password is masked
}

// parseDSN understands
//
//	sqlite:/path/fettle.db                   a file; sqlite:fettle.db is relative
//	mysql://user:password@host:3306/name     also mariadb://; parameters of go-sql-driver/mysql may follow a question mark
//	user:password@tcp(host:3306)/name        as go-sql-driver/mysql has it, for unix sockets too
//
// Anything else is ErrInvalid. No error shows the password.
func parseDSN(dsn string) (source, error) {
	scheme, rest, found := strings.Cut(dsn, ":")
	switch {
	case strings.ContainsRune(dsn, 0):
		return source{}, fmt.Errorf("store DSN has a NUL byte: %w", fettle.ErrInvalid)
	case found && scheme == "sqlite":
		return parseFile(rest)
	case found && (scheme == "mysql" || scheme == "mariadb") && strings.HasPrefix(rest, "//"):
		return parseURL(dsn)
	case strings.Contains(dsn, ")/"):
		return parseDriver(dsn)
	}
	return source{}, fmt.Errorf("store DSN is none of sqlite:/path/fettle.db, mysql://user:password@host:3306/name, "+
		"user:password@tcp(host:3306)/name: %w", fettle.ErrInvalid)
}

func parseFile(path string) (source, error) {
	path = strings.TrimPrefix(path, "//") // sqlite:///var/lib/fettle.db, as other programs write it
	if path == "" || path == ":memory:" || strings.HasSuffix(path, "/") {
		return source{}, fmt.Errorf("store DSN names no file after sqlite: : %w", fettle.ErrInvalid)
	}
	return source{file: path, shown: "sqlite:" + path}, nil
}

func parseURL(dsn string) (source, error) {
	u, err := url.Parse(dsn)
	if err != nil { // its text would show the password
		return source{}, fmt.Errorf("store DSN is not a URL; special characters of a password are written %%XX: %w", fettle.ErrInvalid)
	}
	name := strings.TrimPrefix(u.Path, "/")
	if u.Hostname() == "" || name == "" || strings.Contains(name, "/") {
		return source{}, fmt.Errorf("store DSN wants a host and the name of a database, mysql://user:password@host:3306/name: %w", fettle.ErrInvalid)
	}
	port := u.Port()
	if port == "" {
		port = mysqlPort
	}
	cfg, err := mysql.ParseDSN("/?" + u.RawQuery)
	if err != nil {
		return source{}, fmt.Errorf("parameters of the store DSN: %w: %w", err, fettle.ErrInvalid)
	}
	cfg.Net, cfg.Addr, cfg.DBName = "tcp", net.JoinHostPort(u.Hostname(), port), name
	if u.User != nil {
		cfg.User = u.User.Username()
		cfg.Passwd, _ = u.User.Password()
	}
	return mysqlSource(cfg), nil
}

func parseDriver(dsn string) (source, error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return source{}, fmt.Errorf("store DSN is not user:password@tcp(host:3306)/name: %w", fettle.ErrInvalid)
	}
	if cfg.DBName == "" {
		return source{}, fmt.Errorf("store DSN names no database, user:password@tcp(host:3306)/name: %w", fettle.ErrInvalid)
	}
	return mysqlSource(cfg), nil
}

// mysqlSource says in shown where cfg leads, without its password and its parameters.
func mysqlSource(cfg *mysql.Config) source {
	shown := cfg.Addr + "/" + cfg.DBName
	if cfg.Passwd != "" {
		shown = cfg.User + ":***@" + shown
	} else if cfg.User != "" {
		shown = cfg.User + "@" + shown
	}
	return source{mysql: cfg, shown: "mysql://" + shown}
}
