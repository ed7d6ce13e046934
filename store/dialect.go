package store

import (
	"context"
	"database/sql"
	"strings"

	"github.com/pressly/goose/v3/database"
)

// dialect is all in which SQLite and MySQL differ for the rest of the package.
type dialect struct {
	name     string
	goose    database.Dialect
	types    map[string]string // words of the migrations
	maxRows  int               // rows of one INSERT
	maxBytes int               // of the values of one INSERT, but for a single row that is larger
	maxKeys  int               // values of one IN list
	prepare  bool              // keep statements prepared
	// lock keeps every other process out of the migrations until unlock.
	lock func(ctx context.Context, db *sql.DB) (unlock func(), err error)
	// exists tells whether err says that what a migration makes is already there.
	exists func(err error) bool
	// kind gives the kind of error that err is: one of package fettle's, or nil for a fault of ours.
	kind func(err error) error
	// again tells whether the transaction that gave err may work when it is tried again at once.
	again func(err error) bool
}

// upsert ends an INSERT into table: where the key is taken, sets are assigned instead. In them, new(c) stands for the value of column c that
// was to be inserted.
func (d *dialect) upsert(key, sets string) string {
	if d.name == "mysql" {
		return " ON DUPLICATE KEY UPDATE " + strings.ReplaceAll(sets, "new(", "VALUES(")
	}
	var b strings.Builder
	b.WriteString(" ON CONFLICT (" + key + ") DO UPDATE SET ")
	for {
		before, after, found := strings.Cut(sets, "new(")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		column, rest, _ := strings.Cut(after, ")")
		b.WriteString("excluded." + column)
		sets = rest
	}
}

// keep ends an INSERT: where the key is taken, the row that is there stays, and is not counted.
func (d *dialect) keep(key string) string {
	if d.name == "mysql" { // not INSERT IGNORE, which forgives every other fault too
		column, _, _ := strings.Cut(key, ",")
		return " ON DUPLICATE KEY UPDATE " + column + "=" + column
	}
	return " ON CONFLICT (" + key + ") DO NOTHING"
}

// deleteSome gives the statement that deletes at most ? rows of table for which where is true. On SQLite the table has to have a rowid.
func (d *dialect) deleteSome(table, where string) string {
	if d.name == "mysql" {
		return "DELETE FROM " + table + " WHERE " + where + " LIMIT ?"
	}
	return "DELETE FROM " + table + " WHERE rowid IN (SELECT rowid FROM " + table + " WHERE " + where + " LIMIT ?)" // built without DELETE ... LIMIT
}
