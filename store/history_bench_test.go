package store

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/fettle-dev/fettle"
)

// Sizes of the history that is measured: a fleet of a thousand nodes in which a day brings each node twenty changed leaves, over ten days.
const (
	historyNodes = 1000
	historyDays  = 10
	historyDaily = 20
)

// historyPaths are leaves that change on real machines, in the order of their length.
func historyPaths() []string {
	return []string{
		"kernelrelease", "os.release.minor", "puppet.last_run.at", "packages.updates", "networking.interfaces.eth0.ip",
		`mountpoints."/var/lib/docker".size_bytes`, "processes.count", "users.logged_in", "apt.security_updates", "ssh.ed25519.fingerprints.sha256",
	}
}

// fillHistory writes days of changes, as a collector does: a node's changes of one message in one row each, many nodes in a commit.
func fillHistory(b *testing.B, s *Store) (rows int) {
	b.Helper()
	paths := historyPaths()
	nodes := make([]fettle.Node, historyNodes)
	for n := range nodes {
		nodes[n] = bigNode(n)
	}
	const hour = fettle.Millis(3600_000)
	for day := range fettle.Millis(historyDays) {
		for part := range fettle.Millis(historyDaily / 2) {
			var batch Batch
			for n, node := range nodes {
				at := day*24*hour + part*2*hour + fettle.Millis(n)
				w := NodeWrite{Node: node}
				for c := range 2 {
					i := (int(part)*2 + c + n) % len(paths)
					w.Changes = append(w.Changes, FactChange{
						Path: paths[i], At: at, Old: json.RawMessage(fmt.Sprintf(`"value-%d"`, rows)), New: json.RawMessage(fmt.Sprintf(`"value-%d"`, rows+1)),
					})
					rows++
				}
				batch.Nodes = append(batch.Nodes, w)
			}
			if _, err := s.Commit(b.Context(), &batch); err != nil {
				b.Fatal(err)
			}
		}
	}
	return rows
}

// benchHistory reports what one change costs on disk, and how fast a day of them is undone. size gives the bytes of the database.
func benchHistory(b *testing.B, open opener, size func(s *Store) int64) {
	for b.Loop() {
		b.StopTimer()
		s := open(b, Config{})
		fill(b, s, historyNodes)
		before := size(s)
		rows := fillHistory(b, s)
		cost := float64(size(s)-before) / float64(rows)
		b.StartTimer()
		undone := 0
		if err := s.UndoFacts(b.Context(), ChangeQuery{Since: fettle.Millis(historyDays-1) * 24 * 3600_000}, func(FactChange) error { undone++; return nil }); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		b.ReportMetric(cost, "bytes/change")
		b.ReportMetric(cost*historyDaily, "bytes/node/day")
		b.ReportMetric(float64(undone), "changes/op")
		b.StartTimer()
	}
}

// BenchmarkHistory measures SQLite. One op undoes a day of a thousand nodes.
func BenchmarkHistory(b *testing.B) {
	benchHistory(b, openFile, func(s *Store) int64 {
		if _, err := s.db.write.ExecContext(b.Context(), "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
			b.Fatal(err)
		}
		return number(b, s.db.read, "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
	})
}

func number(b *testing.B, db *sql.DB, query string) (n int64) {
	b.Helper()
	if err := db.QueryRowContext(b.Context(), query).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}
