package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

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
	Kind        string        `json:"kind"` // one of a few words for the reason
	Reason      string        `json:"reason"`
	Size        int64         `json:"size"` // of the message, in bytes; zero: that of Body
	Body        []byte        `json:"body"` // cut to MaxDeadBody when it is written
	// Header is what the message was sent with; nil: it was not kept.
	Header map[string]string `json:"header,omitempty"`
}

// Whole tells whether all of the message was kept.
func (l DeadLetter) Whole() bool { return l.Size <= int64(len(l.Body)) && l.Header != nil }

// LetterQuery says which dead letters are wanted. Zero fields want all.
type LetterQuery struct {
	Before int64         // the Seq of the last one that the caller has: older ones follow
	Sender string        //
	Kind   string        //
	Text   string        // stands in the reason
	Since  fettle.Millis //
	Limit  int           // zero: MaxPage
}

const letterColumns = "SELECT seq, at, sender, destination, kind, reason, size, body, header FROM dead_letters"

// DeadLetters lists dead letters, the newest first.
func (s *Store) DeadLetters(ctx context.Context, q LetterQuery) ([]DeadLetter, error) {
	w := where{}
	w.addIf(q.Before != 0, "seq < ?", q.Before)
	w.addIf(q.Sender != "", "sender = ?", q.Sender)
	w.addIf(q.Kind != "", "kind = ?", q.Kind)
	w.addIf(q.Text != "", "LOWER(reason) LIKE LOWER(?) ESCAPE '!'", "%"+likeText.Replace(q.Text)+"%")
	w.addIf(q.Since != 0, "at >= ?", int64(q.Since))
	var list []DeadLetter
	query := letterColumns + w.String() + " ORDER BY seq DESC" + w.limit(page(q.Limit))
	err := s.reader().each(ctx, "read dead letters", query, w.args, func(rows *sql.Rows) error {
		var l DeadLetter
		var header *string
		if err := rows.Scan(&l.Seq, &l.At, &l.Sender, &l.Destination, &l.Kind, &l.Reason, &l.Size, &l.Body, &header); err != nil {
			return err
		}
		if header != nil {
			if err := json.Unmarshal([]byte(*header), &l.Header); err != nil {
				return err
			}
		}
		list = append(list, l)
		return nil
	})
	return list, s.fault(ctx, "list dead letters", err)
}

// likeText makes text stand for itself in LIKE ... ESCAPE '!'.
var likeText = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

// DeadLetter gives one. ErrNotFound: there is none of that number.
func (s *Store) DeadLetter(ctx context.Context, seq int64) (DeadLetter, error) {
	list, err := s.DeadLetters(ctx, LetterQuery{Before: seq + 1, Limit: 1})
	if err == nil && (len(list) == 0 || list[0].Seq != seq) {
		err = fmt.Errorf("there is no dead letter %d: %w", seq, fettle.ErrNotFound)
	}
	if err != nil {
		return DeadLetter{}, err
	}
	return list[0], nil
}

// DeleteDeadLetters takes dead letters away, and tells how many were there.
func (s *Store) DeleteDeadLetters(ctx context.Context, seqs []int64) (deleted int64, err error) {
	keys := make([]string, len(seqs))
	for i, seq := range seqs {
		keys[i] = strconv.FormatInt(seq, 10)
	}
	err = s.write(ctx, "delete dead letters", func(ctx context.Context, t *tx) (err error) {
		deleted, err = t.execIn(ctx, "delete dead letters", "DELETE FROM dead_letters WHERE seq IN %s", nil, keys)
		return err
	})
	return deleted, err
}

// DroppedDeadLetters tells how many dead letters were dropped to make room for newer ones, ever.
func (s *Store) DroppedDeadLetters(ctx context.Context) (int64, error) {
	n, err := s.counter(ctx, droppedLetters)
	return n, s.fault(ctx, "count dropped dead letters", err)
}

// headerText gives what is stored of a header: NULL for none.
func headerText(header map[string]string) any {
	if header == nil {
		return nil
	}
	raw, err := json.Marshal(header) // never fails: strings are made fit
	if err != nil {
		return nil
	}
	return string(raw)
}

// writeDead puts dead letters down and drops the oldest beyond the bound.
func writeDead(ctx context.Context, t *tx, ls []DeadLetter) error {
	if len(ls) == 0 {
		return nil
	}
	const head = "INSERT INTO dead_letters (at, sender, destination, kind, reason, size, body, header)"
	_, err := t.insert(ctx, "write dead letters", head, "", len(ls), func(args []any, i int) []any {
		l := &ls[i]
		size, body := max(l.Size, int64(len(l.Body))), l.Body[:min(len(l.Body), MaxDeadBody)]
		if body == nil {
			body = []byte{}
		}
		return append(args, int64(l.At), text(l.Sender), text(l.Destination), text(l.Kind), text(l.Reason), size, body, headerText(l.Header))
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
