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

// AuditQuery says which entries are wanted. Zero fields want all.
type AuditQuery struct {
	Before int64         // the Seq of the last one that the caller has: older ones follow, the newest first
	After  int64         // the Seq of the last one that the caller has: newer ones follow, the oldest first. One of Before and After
	Since  fettle.Millis //
	Caller string        //
	Action string        // "token.create", or "token" for all of them
	Limit  int           // zero: MaxPage
}

// Audit lists entries, the newest first unless q says After.
func (s *Store) Audit(ctx context.Context, q AuditQuery) ([]AuditEntry, error) {
	w := where{}
	w.addIf(q.Before != 0, "seq < ?", q.Before)
	w.addIf(q.After != 0, "seq > ?", q.After)
	w.addIf(q.Since != 0, "at >= ?", int64(q.Since))
	w.addIf(q.Caller != "", "caller = ?", q.Caller)
	if q.Action != "" { // "token.", "token/": what lies between begins with "token."
		w.addIf(true, "(action = ? OR action >= ? AND action < ?)", q.Action, q.Action+".", q.Action+"/")
	}
	order := " ORDER BY seq DESC"
	if q.After != 0 {
		order = " ORDER BY seq"
	}
	var list []AuditEntry
	query := "SELECT seq, at, caller, action, subject, body FROM audit" + w.String() + order + w.limit(page(q.Limit))
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
