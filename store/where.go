package store

import "strings"

// where gathers the conditions of a listing, all of which must hold.
type where struct {
	conditions []string
	args       []any
}

// addIf adds a condition if it is asked for.
func (w *where) addIf(asked bool, condition string, args ...any) {
	if asked {
		w.conditions = append(w.conditions, condition)
		w.args = append(w.args, args...)
	}
}

// String gives the clause, and nothing when there is no condition.
func (w *where) String() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}

// limit gives the clause for at most n rows; zero: all. It is the last to add a parameter.
func (w *where) limit(n int) string {
	if n == 0 {
		return ""
	}
	w.args = append(w.args, n)
	return " LIMIT ?"
}
