package store

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"path/filepath"

	"github.com/pressly/goose/v3/database"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/fettle-dev/fettle"
)

// sqliteReaders is the number of connections that read while the one writer writes: enough for a page, a listing and the CLI at once.
const sqliteReaders = 4

// How every connection is opened. The WAL is folded into the file every 32 MiB, since facts documents fill 4 MiB, which is SQLite's own
// default, several times a second.
const (
	sqlitePragmas = "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=wal_autocheckpoint(8192)&_pragma=journal_size_limit(67108864)" +
		"&_pragma=cache_size(-65536)&_pragma=temp_store(MEMORY)"
	sqliteWriter   = sqlitePragmas + "&_pragma=synchronous(FULL)&_txlock=immediate"
	sqliteReader   = sqlitePragmas + "&_pragma=query_only(1)"
	sqliteMigrater = sqlitePragmas + "&_pragma=synchronous(NORMAL)" // the next commit of the writer takes it to the disk
)

var sqliteDialect = dialect{
	name:  "sqlite",
	goose: database.DialectSQLite3,
	types: map[string]string{
		"Node": "TEXT", "ID": "TEXT", "Key": "TEXT", "Text": "TEXT", "Blob": "BLOB", "Int": "INTEGER",
		"Seq":   "INTEGER PRIMARY KEY AUTOINCREMENT", // without the last word a number is given twice
		"Table": "STRICT", "SmallTable": "STRICT, WITHOUT ROWID",
	},
	maxRows:  16,
	maxBytes: 1 << 20,
	maxKeys:  256,
	prepare:  true,
	lock:     func(context.Context, *sql.DB) (func(), error) { return func() {}, nil }, // a file has one server
	exists:   func(error) bool { return false },                                        // DDL is transactional
	kind:     sqliteKind,
	again:    func(error) bool { return false }, // who is told that it is busy has waited for busy_timeout
}

// openSQLite opens the file at path for the migrations, for one writer and for readers.
func openSQLite(path string) (pools, error) {
	file := "file:" + (&url.URL{Path: filepath.Clean(path)}).EscapedPath() + "?" // clean: two slashes would begin a host name
	var p pools
	var err error
	if p.migrate, err = sql.Open("sqlite", file+sqliteMigrater); err != nil {
		return p, err
	}
	if p.write, err = sql.Open("sqlite", file+sqliteWriter); err != nil {
		return p, err
	}
	p.write.SetMaxOpenConns(1)
	if p.read, err = sql.Open("sqlite", file+sqliteReader); err != nil {
		return p, err
	}
	p.read.SetMaxOpenConns(sqliteReaders)
	p.read.SetMaxIdleConns(sqliteReaders)
	return p, nil
}

// sqliteCode gives SQLite's primary result code, and zero for any other error.
func sqliteCode(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

// sqliteKind sorts the result codes of https://www.sqlite.org/rescode.html.
func sqliteKind(err error) error {
	switch sqliteCode(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY,
		sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_PERM:
		return fettle.ErrUnavailable
	case sqlite3.SQLITE_TOOBIG:
		return fettle.ErrInvalid
	case sqlite3.SQLITE_CONSTRAINT:
		e, _ := errors.AsType[*sqlite.Error](err)
		if c := e.Code(); c == sqlite3.SQLITE_CONSTRAINT_UNIQUE || c == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY {
			return fettle.ErrConflict
		}
	}
	return nil
}
