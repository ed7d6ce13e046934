package store

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/fettle-dev/fettle"
)

// AuditEntry tells what somebody did.
type AuditEntry struct {
	Seq     int64           `json:"seq"` // given by the store
	At      fettle.Millis   `json:"at"`
	Caller  string          `json:"caller"`
	Action  string          `json:"action"`
	Subject string          `json:"subject"`        // what it was done to
	Body    json.RawMessage `json:"body,omitempty"` // nil: nothing to add
}

// AppendAudit puts entries down; their Seq is ignored.
func (s *Store) AppendAudit(ctx context.Context, es []AuditEntry) error {
	return s.write(ctx, "append to audit log", func(ctx context.Context, t *tx) error {
		_, err := t.insert(ctx, "write audit", "INSERT INTO audit (at, caller, action, subject, body)", "", len(es), func(args []any, i int) []any {
			e := &es[i]
			return append(args, int64(e.At), text(e.Caller), text(e.Action), text(e.Subject), document(e.Body))
		})
		return err
	})
}

// Audit lists entries, the newest first. before is the Seq of the last one that the caller has, zero for none. Limit zero: MaxPage.
func (s *Store) Audit(ctx context.Context, before int64, limit int) ([]AuditEntry, error) {
	w := where{}
	w.addIf(before != 0, "seq < ?", before)
	var list []AuditEntry
	query := "SELECT seq, at, caller, action, subject, body FROM audit" + w.String() + " ORDER BY seq DESC" + w.limit(page(limit))
	err := s.reader().each(ctx, "read audit", query, w.args, func(rows *sql.Rows) error {
		var e AuditEntry
		var body *string
		if err := rows.Scan(&e.Seq, &e.At, &e.Caller, &e.Action, &e.Subject, &body); err != nil {
			return err
		}
		e.Body = raw(body)
		list = append(list, e)
		return nil
	})
	return list, s.fault(ctx, "list audit log", err)
}
