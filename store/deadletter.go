package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/fettle-dev/fettle"
)

// MaxDeadBody is how much of a dead letter's body is kept, in bytes: enough to see what it was.
const MaxDeadBody = 64 << 10

// droppedLetters is the name of the counter of dead letters that made room for newer ones.
const droppedLetters = "dead_letters_dropped"

// DeadLetter is a message that can never be taken in.
type DeadLetter struct {
	Seq         int64         `json:"seq"` // given by the store
	At          fettle.Millis `json:"at"`
	Sender      string        `json:"sender"`
	Destination string        `json:"destination"`
	Reason      string        `json:"reason"`
	Size        int64         `json:"size"` // of the message, in bytes; zero: that of Body
	Body        []byte        `json:"body"` // cut to MaxDeadBody when it is written
}

// DeadLetters lists dead letters, the newest first. before is the Seq of the last one that the caller has, zero for none. Limit zero: MaxPage.
func (s *Store) DeadLetters(ctx context.Context, before int64, limit int) ([]DeadLetter, error) {
	w := where{}
	w.addIf(before != 0, "seq < ?", before)
	var list []DeadLetter
	query := "SELECT seq, at, sender, destination, reason, size, body FROM dead_letters" + w.String() + " ORDER BY seq DESC" + w.limit(page(limit))
	err := s.reader().each(ctx, "read dead letters", query, w.args, func(rows *sql.Rows) error {
		var l DeadLetter
		if err := rows.Scan(&l.Seq, &l.At, &l.Sender, &l.Destination, &l.Reason, &l.Size, &l.Body); err != nil {
			return err
		}
		list = append(list, l)
		return nil
	})
	return list, s.fault(ctx, "list dead letters", err)
}

// DroppedDeadLetters tells how many dead letters were dropped to make room for newer ones, ever.
func (s *Store) DroppedDeadLetters(ctx context.Context) (int64, error) {
	n, err := s.counter(ctx, droppedLetters)
	return n, s.fault(ctx, "count dropped dead letters", err)
}

// writeDead puts dead letters down and drops the oldest beyond the bound.
func writeDead(ctx context.Context, t *tx, ls []DeadLetter) error {
	if len(ls) == 0 {
		return nil
	}
	const head = "INSERT INTO dead_letters (at, sender, destination, reason, size, body)"
	_, err := t.insert(ctx, "write dead letters", head, "", len(ls), func(args []any, i int) []any {
		l := &ls[i]
		size, body := max(l.Size, int64(len(l.Body))), l.Body[:min(len(l.Body), MaxDeadBody)]
		if body == nil {
			body = []byte{}
		}
		return append(args, int64(l.At), text(l.Sender), text(l.Destination), text(l.Reason), size, body)
	})
	if err != nil {
		return err
	}
	var oldest int64 // of those beyond the bound, the newest
	err = t.one(ctx, "find oldest dead letter", "SELECT seq FROM dead_letters ORDER BY seq DESC LIMIT 1 OFFSET ?", []any{t.s.cfg.MaxDeadLetters}, &oldest)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	n, err := t.exec(ctx, "drop dead letters", "DELETE FROM dead_letters WHERE seq <= ?", oldest)
	if err != nil {
		return err
	}
	return t.add(ctx, droppedLetters, n)
}
