package nagios

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// MaxUnfold is the largest number of names that Unfold gives.
const MaxUnfold = 1 << 18

// Unfold gives the names that s stands for, sorted, none twice: the reverse of Fold. The empty text stands for none. ErrInvalid: s is not
// well formed, names what cannot be an identity, or more than MaxUnfold names.
func Unfold(s string) ([]fettle.NodeID, error) {
	var out []fettle.NodeID
	for s != "" {
		item, rest := cutItem(s)
		names, err := unfoldItem(item, MaxUnfold-len(out))
		if err != nil {
			return nil, fmt.Errorf("unfold %q: %w", cut(item, 80), err)
		}
		for _, name := range names {
			id, err := fettle.ParseNodeID(name)
			if err != nil {
				return nil, fmt.Errorf("unfold %q: %w", cut(item, 80), err)
			}
			out = append(out, id)
		}
		if s = rest; s == "," {
			return nil, fmt.Errorf("unfold: a name is missing at the end: %w", fettle.ErrInvalid)
		}
		s = strings.TrimPrefix(s, ",")
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// cutItem gives what stands before the first comma that is not in brackets.
func cutItem(s string) (item, rest string) {
	inside := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '[':
			inside = true
		case s[i] == ']':
			inside = false
		case s[i] == ',' && !inside:
			return s[:i], s[i:]
		}
	}
	return s, ""
}

func unfoldItem(item string, limit int) ([]string, error) {
	names := []string{""}
	for item != "" {
		text, rest, folded := strings.Cut(item, "[")
		if len(names[0])+len(text) > fettle.MaxIdentity {
			return nil, fmt.Errorf("a name of more than %d bytes: %w", fettle.MaxIdentity, fettle.ErrInvalid)
		}
		for i := range names {
			names[i] += text
		}
		if !folded {
			break
		}
		set, after, closed := strings.Cut(rest, "]")
		if !closed {
			return nil, fmt.Errorf("a bracket is not closed: %w", fettle.ErrInvalid)
		}
		values, err := unfoldSet(set, limit/len(names))
		if err != nil {
			return nil, err
		}
		names = product(names, values)
		item = after
	}
	if len(names) > limit {
		return nil, fmt.Errorf("more than %d names: %w", MaxUnfold, fettle.ErrInvalid)
	}
	return names, nil
}

func product(names, values []string) []string {
	out := make([]string, 0, len(names)*len(values))
	for _, name := range names {
		for _, v := range values {
			out = append(out, name+v)
		}
	}
	return out
}

// unfoldSet gives the numbers of "01-16,18".
func unfoldSet(set string, limit int) ([]string, error) {
	var out []string
	for _, part := range strings.Split(set, ",") {
		lo, hi, span := strings.Cut(part, "-")
		if !span {
			hi = lo
		}
		from, err1 := parseDigits(lo)
		to, err2 := parseDigits(hi)
		pad := len(lo) > 1 && lo[0] == '0'
		if err1 != nil || err2 != nil || from > to || pad && len(hi) < len(lo) {
			return nil, fmt.Errorf("range %q: %w", cut(part, 40), fettle.ErrInvalid)
		}
		if to-from >= uint64(max(limit-len(out), 0)) {
			return nil, fmt.Errorf("more than %d names: %w", MaxUnfold, fettle.ErrInvalid)
		}
		for v := from; v <= to; v++ {
			if pad {
				out = append(out, fmt.Sprintf("%0*d", len(lo), v))
			} else {
				out = append(out, strconv.FormatUint(v, 10))
			}
		}
	}
	return out, nil
}

func parseDigits(s string) (uint64, error) {
	if s == "" || len(s) > maxDigits || strings.Trim(s, "0123456789") != "" {
		return 0, fettle.ErrInvalid
	}
	return strconv.ParseUint(s, 10, 64)
}
