package store

import (
	"context"
	"math/bits"
	"strings"
)

// insert writes n rows with few statements, and gives the number of rows that the database says it changed. head is "INSERT INTO t (a, b)",
// tail what follows the values; row appends the values of row i, one for each column.
//
// Where statements are kept prepared, the numbers of rows are powers of two, so that few statements serve all sizes.
func (t *tx) insert(ctx context.Context, name, head, tail string, n int, row func(args []any, i int) []any) (int64, error) {
	if n == 0 {
		return 0, nil
	}
	var changed int64
	columns := strings.Count(head, ",") + 1
	args := make([]any, 0, columns*min(n, t.s.d.maxRows))
	for i := 0; i < n; {
		rows := t.rows(n - i)
		args = args[:0]
		for size, first := 0, i; i < first+rows; i++ {
			before := len(args)
			args = row(args, i)
			if size += sizeOf(args[before:]); size > t.s.d.maxBytes && i > first && !t.s.d.prepare {
				args, rows = args[:before], i-first
				break
			}
		}
		c, err := t.exec(ctx, name, head+" VALUES "+tuples(rows, columns)+tail, args...)
		if err != nil {
			return changed, err
		}
		changed += c
	}
	return changed, nil
}

// rows says how many of left rows the next statement takes.
func (t *tx) rows(left int) int {
	left = min(left, t.s.d.maxRows)
	if t.s.d.prepare {
		return 1 << (bits.Len(uint(left)) - 1)
	}
	return left
}

// execIn runs a statement for every part of keys: query has one %s, for the list that follows IN, after which no parameter stands.
func (t *tx) execIn(ctx context.Context, name, query string, args []any, keys []string) (int64, error) {
	var changed int64
	err := t.parts(keys, func(list string, values []any) error {
		n, err := t.exec(ctx, name, strings.Replace(query, "%s", list, 1), append(args[:len(args):len(args)], values...)...)
		changed += n
		return err
	})
	return changed, err
}

// parts calls do with a list of parameters, and their values, for every part of keys.
func (t *tx) parts(keys []string, do func(list string, values []any) error) error {
	for len(keys) > 0 {
		n := min(len(keys), t.s.d.maxKeys)
		if t.s.d.prepare {
			n = 1 << (bits.Len(uint(n)) - 1)
		}
		values := make([]any, n)
		for i, k := range keys[:n] {
			values[i] = k
		}
		if err := do(tuples(1, n), values); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

// tuples gives rows lists of columns parameters: (?,?),(?,?).
func tuples(rows, columns int) string {
	one := "(" + strings.Repeat("?,", columns-1) + "?)"
	return strings.Repeat(one+",", rows-1) + one
}

// sizeOf is about the number of bytes that args take in a statement.
func sizeOf(args []any) int {
	size := 0
	for _, a := range args {
		switch v := a.(type) {
		case string:
			size += len(v)
		case []byte:
			size += len(v)
		}
		size += 8
	}
	return size
}
