package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"text/template"

	"github.com/pressly/goose/v3"

	"github.com/fettle-dev/fettle"
)

// stepsPerFile is the room that goose's version numbers leave for the statements of one file: statement 3 of 0002_tasks.sql is version 203.
const stepsPerFile = 100

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings db to the newest schema.
//
// Each statement is a migration of its own, because neither MySQL nor MariaDB rolls DDL back: a server that is killed in the middle goes on
// where it stopped. One that dies between a statement and goose's note of it finds on its next start that the thing exists, which is why
// dialect.exists is asked.
func migrate(ctx context.Context, db *sql.DB, d *dialect) error {
	steps, err := d.steps()
	if err != nil {
		return err
	}
	unlock, err := d.lock(ctx, db)
	if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	defer unlock()
	p, err := goose.NewProvider(d.goose, db, nil, goose.WithGoMigrations(steps...), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	current, newest, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if current > newest {
		return fmt.Errorf("the database has schema %d, written by a newer version of this program, which knows %d: %w", current, newest, fettle.ErrConflict)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("change schema: %w", err)
	}
	return nil
}

// steps gives the statements of all files in d's words, as migrations of goose.
func (d *dialect) steps() ([]*goose.Migration, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql") // sorted
	if err != nil {
		return nil, err
	}
	var steps []*goose.Migration
	for _, name := range names {
		file, err := fileNumber(name)
		if err != nil {
			return nil, err
		}
		text, err := template.ParseFS(migrations, name)
		if err != nil {
			return nil, err
		}
		var b strings.Builder
		if err := text.Option("missingkey=error").Execute(&b, d.types); err != nil {
			return nil, err
		}
		for n, statement := range statements(b.String()) {
			version := file*stepsPerFile + int64(n) + 1
			steps = append(steps, goose.NewGoMigration(version, &goose.GoFunc{RunDB: d.step(statement)}, nil))
		}
	}
	return steps, nil
}

// fileNumber gives the number that a file's name begins with: what a file is called says where its statements stand, whatever other files there are.
func fileNumber(name string) (int64, error) {
	digits, _, _ := strings.Cut(path.Base(name), "_")
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("migration %s does not begin with its number", name)
	}
	return n, nil
}

// step gives the function that executes one statement of a migration.
func (d *dialect) step(statement string) func(context.Context, *sql.DB) error {
	return func(ctx context.Context, db *sql.DB) error {
		if _, err := db.ExecContext(ctx, statement); err != nil && !d.exists(err) {
			line, _, _ := strings.Cut(statement, "\n")
			return fmt.Errorf("%s: %w", line, err)
		}
		return nil
	}
}

// statements splits the text of a migration at the semicolons that end a line, and leaves comments and blank lines between statements out.
func statements(text string) []string {
	var list []string
	for part := range strings.SplitSeq(text, ";\n") {
		for part = strings.TrimSpace(part); strings.HasPrefix(part, "--"); part = strings.TrimSpace(part) {
			_, part, _ = strings.Cut(part, "\n")
		}
		if part != "" {
			list = append(list, part)
		}
	}
	return list
}
