//go:build integration

package store

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// dsnVariable names the environment variable with the DSN of a MySQL or MariaDB server on which databases may be made and dropped.
const dsnVariable = "FETTLE_TEST_MYSQL_DSN"

func TestMySQL(t *testing.T) { suite(t, openDatabase) }

func BenchmarkMySQLCommitPatches(b *testing.B) { benchPatches(b, openDatabase) }
func BenchmarkMySQLCommitStates(b *testing.B)  { benchStates(b, openDatabase) }
func BenchmarkMySQLCommitResults(b *testing.B) { benchResults(b, openDatabase) }
func BenchmarkMySQLSaveRun2k(b *testing.B)     { benchSaveRun(b, openDatabase) }
func BenchmarkMySQLLoadNodes10k(b *testing.B)  { benchLoad(b, openDatabase) }

// BenchmarkMySQLHistory has the rows and both indices counted as InnoDB holds them.
func BenchmarkMySQLHistory(b *testing.B) {
	benchHistory(b, openDatabase, func(s *Store) int64 {
		if _, err := s.db.write.ExecContext(b.Context(), "ANALYZE TABLE fact_changes"); err != nil {
			b.Fatal(err)
		}
		return number(b, s.db.read, "SELECT data_length + index_length FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'fact_changes'")
	})
}

// openDatabase makes a database of its own, which is dropped when the test ends.
func openDatabase(t testing.TB, cfg Config) *Store {
	t.Helper()
	src := testServer(t)
	name := fmt.Sprintf("fettle_test_%016x", rand.Uint64())
	admin(t, src.mysql, "CREATE DATABASE "+name+" CHARACTER SET latin1") // the schema has to bring its own
	t.Cleanup(func() { admin(t, src.mysql, "DROP DATABASE "+name) })
	src.mysql.DBName = name
	cfg.DSN = src.mysql.FormatDSN()
	return openStore(t, cfg)
}

// testServer reads the DSN of the server. Its absence is a failure: who asks for integration tests wants them run.
func testServer(t testing.TB) source {
	t.Helper()
	dsn := os.Getenv(dsnVariable)
	if dsn == "" {
		t.Fatalf("%s is not set: these tests need a MySQL or MariaDB server, such as mysql://user:password@127.0.0.1:3306/, "+
			"with a user who may create databases", dsnVariable)
	}
	if strings.HasSuffix(dsn, "/") { // no database is named: each test makes its own, and begins in one that is always there
		dsn += "information_schema"
	}
	src, err := parseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	if src.mysql == nil {
		t.Fatalf("%s leads to %s, which is not MySQL", dsnVariable, src.shown)
	}
	return src
}

// admin runs a statement without a store, also after the test's context has ended.
func admin(t testing.TB, cfg *mysql.Config, statement string) {
	t.Helper()
	c, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(context.WithoutCancel(t.Context()), statement); err != nil {
		t.Fatal(err)
	}
}

// tables lists the tables of the database.
func tables(t *testing.T, s *Store) (list []string) {
	t.Helper()
	err := s.reader().each(t.Context(), "list tables", "SHOW TABLES", nil, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		list = append(list, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
