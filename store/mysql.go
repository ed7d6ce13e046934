package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/pressly/goose/v3/database"

	"github.com/fettle-dev/fettle"
)

// mysqlConns bounds the connections to a server that others use too.
const mysqlConns = 8

// Limits of every wait on the network, unless the DSN sets others. A migration has none: it may rewrite a large table.
const (
	mysqlDial  = 5 * time.Second
	mysqlRead  = 60 * time.Second
	mysqlWrite = 60 * time.Second
	mysqlIdle  = 5 * time.Minute // below the wait_timeout of any server, and of most firewalls
	mysqlLock  = 60              // seconds that a start waits for the migrations of another server
)

// Numbers of errors: https://mariadb.com/kb/en/mariadb-error-codes/, and the same of MySQL.
const (
	erAccessDeniedDB = 1044
	erAccessDenied   = 1045
	erBadDB          = 1049
	erTooManyConns   = 1040
	erTableExists    = 1050
	erDupField       = 1060
	erDupKey         = 1061
	erDupEntry       = 1062
	erShutdown       = 1053
	erDiskFull       = 1021
	erTableFull      = 1114
	erPacketTooLarge = 1153
	erLockTimeout    = 1205
	erDeadlock       = 1213
	erReadOnly       = 1290
	erInterrupted    = 1317
	erBadString      = 1366
	erDataTooLong    = 1406
	erOutOfRange     = 1264
	erErrorOnWrite   = 1026
	erReadOnlyTx     = 1792
	erReadOnlyMode   = 1836
	erKilled         = 1927
)

var mysqlDialect = dialect{
	name:  "mysql",
	goose: database.DialectMySQL,
	types: map[string]string{
		// 253 and 191 characters of four bytes fit together into the 3,072 bytes of an InnoDB key.
		"Node": "VARCHAR(253)", "ID": "VARCHAR(64)", "Key": "VARCHAR(191)", "Text": "LONGTEXT", "Blob": "LONGBLOB", "Int": "BIGINT",
		"Seq":        "BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY",
		"Table":      "ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
		"SmallTable": "ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
	},
	maxRows:  1000,
	maxBytes: 1 << 20, // of the 16 MiB that MariaDB takes in one packet
	maxKeys:  1000,
	lock:     lockMySQL,
	exists: func(err error) bool {
		n := mysqlNumber(err)
		return n == erTableExists || n == erDupKey || n == erDupField
	},
	kind:  mysqlKind,
	again: func(err error) bool { n := mysqlNumber(err); return n == erDeadlock || n == erLockTimeout },
}

// openMySQL opens pools with what the store relies on, whatever the DSN says: strict mode, utf8mb4 and READ COMMITTED, in which two writers
// do not lock the gaps between rows against each other.
func openMySQL(cfg *mysql.Config) (pools, error) {
	cfg = cfg.Clone()
	cfg.InterpolateParams = true // one round trip a statement instead of three
	cfg.ParseTime, cfg.MultiStatements, cfg.ClientFoundRows = false, false, false
	cfg.Collation = "utf8mb4_bin"
	if cfg.Params == nil {
		cfg.Params = map[string]string{}
	}
	cfg.Params["sql_mode"] = "'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'"
	if cfg.Timeout == 0 {
		cfg.Timeout = mysqlDial
	}
	slow, err := mysql.NewConnector(cfg)
	if err != nil {
		return pools{}, err
	}
	if cfg = cfg.Clone(); cfg.ReadTimeout == 0 {
		cfg.ReadTimeout = mysqlRead
	}
	if cfg.WriteTimeout == 0 {
		cfg.WriteTimeout = mysqlWrite
	}
	fast, err := mysql.NewConnector(cfg)
	if err != nil {
		return pools{}, err
	}
	db := sql.OpenDB(committed{fast})
	db.SetMaxOpenConns(mysqlConns)
	db.SetMaxIdleConns(mysqlConns)
	db.SetConnMaxIdleTime(mysqlIdle)
	return pools{migrate: sql.OpenDB(committed{slow}), write: db, read: db}, nil
}

// committed is a connector whose connections read what is committed. It is a statement, because the variable has another name in MariaDB
// before 11.1 than in MySQL 8.
type committed struct{ driver.Connector }

// Connect opens a connection and sets it up.
func (c committed) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	execer, ok := conn.(driver.ExecerContext)
	if !ok {
		return nil, errors.Join(errors.New("this driver cannot set an isolation level"), conn.Close())
	}
	if _, err := execer.ExecContext(ctx, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", nil); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// lockMySQL lets one server at a time change the schema of a database.
func lockMySQL(ctx context.Context, db *sql.DB) (func(), error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	unlock := func() { _ = conn.Close() } // the lock ends with the pool, which is closed next
	const name = "CONCAT('fettle.', LEFT(SHA1(DATABASE()), 32))"
	var got sql.NullInt64
	if err := conn.QueryRowContext(ctx, "SELECT GET_LOCK("+name+", ?)", mysqlLock).Scan(&got); err != nil {
		unlock()
		return nil, err
	}
	if got.Int64 != 1 {
		unlock()
		return nil, fmt.Errorf("another server has been changing the schema for %d s: %w", mysqlLock, fettle.ErrUnavailable)
	}
	return unlock, nil
}

// mysqlNumber gives the server's number of err, and zero for any other error.
func mysqlNumber(err error) uint16 {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return e.Number
	}
	return 0
}

// mysqlKind sorts what the server and the network say.
func mysqlKind(err error) error {
	switch mysqlNumber(err) {
	case 0:
	case erDupEntry:
		return fettle.ErrConflict
	case erPacketTooLarge, erBadString, erDataTooLong, erOutOfRange:
		return fettle.ErrInvalid
	case erAccessDeniedDB, erAccessDenied, erBadDB, erTooManyConns, erShutdown, erDiskFull, erTableFull, erLockTimeout, erDeadlock, erReadOnly,
		erInterrupted, erErrorOnWrite, erReadOnlyTx, erReadOnlyMode, erKilled:
		return fettle.ErrUnavailable
	default:
		return nil
	}
	if errors.Is(err, mysql.ErrPktTooLarge) {
		return fettle.ErrInvalid
	}
	_, network := errors.AsType[net.Error](err)
	if network || errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fettle.ErrUnavailable
	}
	return nil
}
