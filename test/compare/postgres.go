package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/fettle-dev/fettle"
)

// postgres keeps a document a node, with one GIN index over all: what there is without knowing which facts will be asked for.
type postgres struct {
	db *sql.DB
}

const postgresSchema = "fettle_compare"

func openPostgres(ctx context.Context, dsn string) (peer, error) {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // the schema is a setting of the connection
	p := &postgres{db}
	err = p.each(ctx,
		"DROP SCHEMA IF EXISTS "+postgresSchema+" CASCADE", "CREATE SCHEMA "+postgresSchema, "SET search_path = "+postgresSchema,
		"CREATE TABLE nodes (identity text PRIMARY KEY, facts jsonb NOT NULL)",
	)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return p, nil
}

func (p *postgres) each(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := p.db.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

func (p *postgres) name() string { return "PostgreSQL" }

func (p *postgres) add(ctx context.Context, nodes []fettle.Node) error {
	var places []string
	var values []any
	for i, n := range nodes {
		places = append(places, fmt.Sprintf("($%d, $%d)", 2*i+1, 2*i+2))
		values = append(values, string(n.Identity), string(n.Facts))
	}
	_, err := p.db.ExecContext(ctx, "INSERT INTO nodes VALUES "+strings.Join(places, ", "), values...)
	return err
}

func (p *postgres) ready(ctx context.Context) error {
	return p.each(ctx, "CREATE INDEX facts ON nodes USING gin (facts)", "VACUUM ANALYZE nodes")
}

func (p *postgres) size(ctx context.Context) (bytes int64, err error) {
	err = p.db.QueryRowContext(ctx, "SELECT pg_total_relation_size('nodes')").Scan(&bytes)
	return bytes, err
}

func (p *postgres) count(ctx context.Context, question string) (n int, err error) {
	for _, q := range questions {
		if q.name == question {
			err = p.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM nodes WHERE "+q.postgres).Scan(&n)
		}
	}
	return n, err
}

func (p *postgres) close(ctx context.Context) error {
	return errors.Join(p.each(ctx, "DROP SCHEMA IF EXISTS "+postgresSchema+" CASCADE"), p.db.Close())
}
