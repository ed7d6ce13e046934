package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// maria keeps a row a fact: the path's number, and the value as text or number, with an index over path and value each.
type maria struct {
	db    *sql.DB
	paths map[string]int
	next  int // number of the next node
}

const mariaSchema = "fettle_compare"

func openMaria(ctx context.Context, dsn string) (peer, error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	cfg.InterpolateParams = true // one round trip for a statement, not three
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1) // the schema is a setting of the connection
	m := &maria{db: db, paths: map[string]int{}}
	err = m.each(ctx,
		"DROP DATABASE IF EXISTS "+mariaSchema, "CREATE DATABASE "+mariaSchema+" CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "USE "+mariaSchema,
		"CREATE TABLE paths (id INT PRIMARY KEY, name VARCHAR(255) NOT NULL UNIQUE)", "CREATE TABLE nodes (id INT PRIMARY KEY, identity VARCHAR(253) NOT NULL UNIQUE)",
		"CREATE TABLE facts (node INT NOT NULL, path INT NOT NULL, text VARCHAR(700), number DOUBLE, PRIMARY KEY (node, path))",
	)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return m, nil
}

func (m *maria) each(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := m.db.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

func (m *maria) name() string { return "MariaDB" }

// add writes all facts of some nodes in one transaction, a node a statement.
func (m *maria) add(ctx context.Context, nodes []fettle.Node) error {
	tx, err := m.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	for _, n := range nodes {
		if _, err := tx.ExecContext(ctx, "INSERT INTO nodes VALUES (?, ?)", m.next, string(n.Identity)); err != nil {
			return err
		}
		doc, err := filter.ParseDocument(n.Facts)
		if err != nil {
			return err
		}
		rows := &rowWriter{ctx: ctx, tx: tx, m: m}
		doc.Visit(rows)
		if rows.err != nil {
			return rows.err
		}
		m.next++
		places := strings.TrimSuffix(strings.Repeat("(?, ?, ?, ?), ", len(rows.values)/4), ", ")
		if _, err := tx.ExecContext(ctx, "INSERT INTO facts VALUES "+places, rows.values...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// rowWriter turns a document into rows.
type rowWriter struct {
	ctx    context.Context //nolint:containedctx // it lives as long as one call
	tx     *sql.Tx
	m      *maria
	path   []string
	values []any
	err    error
}

func (w *rowWriter) Enter(key string) { w.path = append(w.path, key) }
func (w *rowWriter) Leave()           { w.path = w.path[:len(w.path)-1] }

func (w *rowWriter) Leaf(key string, v any, _ string) {
	name := fettle.Path(append(w.path, key)).String()
	id, known := w.m.paths[name]
	if !known {
		id = len(w.m.paths) + 1
		w.m.paths[name] = id
		if _, err := w.tx.ExecContext(w.ctx, "INSERT INTO paths VALUES (?, ?)", id, name); err != nil {
			w.err = errors.Join(w.err, err)
		}
	}
	var text, number any
	switch v := v.(type) {
	case string:
		text = v
	case int64, float64:
		number = v
	default:
		raw, err := json.Marshal(filter.Plain(v))
		w.err = errors.Join(w.err, err)
		text = string(raw)
	}
	w.values = append(w.values, w.m.next, id, text, number)
}

func (m *maria) ready(ctx context.Context) error {
	return m.each(ctx, "CREATE INDEX by_text ON facts (path, text, node)", "CREATE INDEX by_number ON facts (path, number, node)", "ANALYZE TABLE facts")
}

func (m *maria) size(ctx context.Context) (bytes int64, err error) {
	err = m.db.QueryRowContext(ctx, "SELECT SUM(data_length + index_length) FROM information_schema.tables WHERE table_schema = ?", mariaSchema).Scan(&bytes)
	return bytes, err
}

var pathMark = regexp.MustCompile(`\{[a-z0-9_.]+\}`)

func (m *maria) count(ctx context.Context, question string) (n int, err error) {
	for _, q := range questions {
		if q.name == question {
			statement := pathMark.ReplaceAllStringFunc(q.maria, func(mark string) string { return strconv.Itoa(m.paths[strings.Trim(mark, "{}")]) })
			err = m.db.QueryRowContext(ctx, statement).Scan(&n)
		}
	}
	return n, err
}

func (m *maria) close(ctx context.Context) error {
	return errors.Join(m.each(ctx, "DROP DATABASE IF EXISTS "+mariaSchema), m.db.Close())
}
