package web

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of a page of the explorer.
const (
	pageSize   = 100
	maxShown   = 2000 // rows that an open page may have drawn anew; past that a person has left the table to a script
	maxColumns = 24
	maxWhere   = 16 << 10 // bytes of a filter in a URL; longer ones are for the command line
)

// defaultColumns are those that `fettle find` has, too.
func defaultColumns() []string { return []string{"os.name", "os.release.full"} }

// noColumns stands in the URL for a table without columns of the reader's choice.
const noColumns = "-"

// question is what the explorer shows. All of it stands in the URL, so that a link shows the same to others.
type question struct {
	Where   string        // as it was typed: CEL or the short form; empty: all nodes
	Columns []string      // fact paths, or one of words()
	Facet   string        // the fact path whose values are counted; empty: none
	AsOf    fettle.Millis // the moment that is asked about; zero: now
	Sort    string        // the fact path that rows are ordered by; empty: by name
	Desc    bool          // the other way round
	Explain bool          // the filter is taken apart
	Cursor  string        // of the page; empty: the first
	Limit   int           // rows; not in links
}

// words are the columns that are not facts, as the REST parameter `fields` has them. They are not fact paths.
func words() []string { return []string{"classes", "agent", "commands", "pools", "labels"} }

// parseQuestion reads the explorer's URL. Paths that cannot be are ErrInvalid.
func parseQuestion(v url.Values) (question, error) {
	q := question{Where: strings.TrimSpace(v.Get("where")), Facet: strings.TrimSpace(v.Get("facet")), Cursor: v.Get("cursor"), Limit: pageSize}
	q.Sort, q.Desc, q.Explain = strings.TrimSpace(v.Get("sort")), v.Get("desc") != "", v.Get("explain") != ""
	if len(q.Where) > maxWhere {
		return q, fmt.Errorf("the filter has %d bytes, and a page takes %d; the command line takes longer ones: %w", len(q.Where), maxWhere, fettle.ErrInvalid)
	}
	var err error
	if q.AsOf, err = parseMoment(v.Get("as_of")); err != nil {
		return q, err
	}
	if n, err := strconv.Atoi(v.Get("limit")); err == nil {
		q.Limit = max(pageSize, min(n, maxShown))
	}
	switch cols := strings.TrimSpace(v.Get("cols")); cols {
	case "":
		q.Columns = defaultColumns()
	case noColumns:
	default:
		q.Columns = splitColumns(cols)
	}
	if add := strings.TrimSpace(v.Get("add")); add != "" {
		q.Columns = append(q.Columns, splitColumns(add)...)
	}
	return q, q.tidy()
}

// tidy writes paths in their one spelling, drops columns that are there twice, and refuses what is no path.
func (q *question) tidy() error {
	var columns []string
	for _, c := range q.Columns {
		path, err := fettle.ParsePath(strings.TrimPrefix(c, "facts."))
		if err != nil {
			return fmt.Errorf("column: %w", err)
		}
		if name := path.String(); !slices.Contains(columns, name) {
			columns = append(columns, name)
		}
	}
	if len(columns) > maxColumns {
		return fmt.Errorf("a table has at most %d columns: %w", maxColumns, fettle.ErrInvalid)
	}
	q.Columns = columns
	if isWord(q.Sort) { // the server orders by facts and by name
		q.Sort = ""
	}
	var err error
	if q.Facet, err = spelled("facet", q.Facet); err != nil {
		return err
	}
	q.Sort, err = spelled("sort", q.Sort)
	return err
}

// spelled writes a path that stands in the URL under name in its one spelling; empty stays so.
func spelled(name, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	path, err := fettle.ParsePath(strings.TrimPrefix(text, "facts."))
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return path.String(), nil
}

// splitColumns splits what stands between commas or blanks; those inside the quotes of a key belong to it.
func splitColumns(s string) []string {
	quoted, escaped := false, false
	return strings.FieldsFunc(s, func(r rune) bool {
		if r == '"' && !escaped {
			quoted = !quoted
		}
		escaped = r == '\\' && !escaped
		return (r == ',' || r == ' ') && !quoted
	})
}

// plain tells whether the columns are those that nobody has chosen.
func (q question) plain() bool { return slices.Equal(q.Columns, defaultColumns()) }

// Cols gives the columns as the URL has them; empty: the usual ones.
func (q question) Cols() string {
	switch {
	case q.plain():
		return ""
	case len(q.Columns) == 0:
		return noColumns
	}
	return strings.Join(q.Columns, ",")
}

// URL gives the link to what q shows.
func (q question) URL() string {
	v := url.Values{}
	for key, value := range map[string]string{"where": q.Where, "cols": q.Cols(), "facet": q.Facet, "as_of": q.Moment(), "sort": q.Sort, "desc": flag(q.Desc), "explain": flag(q.Explain), "cursor": q.Cursor} {
		if value != "" {
			v.Set(key, value)
		}
	}
	if len(v) == 0 {
		return "/nodes"
	}
	return "/nodes?" + v.Encode()
}

// Moment gives the moment that is asked about as the URL has it; empty: now.
func (q question) Moment() string { return momentText(q.AsOf) }

// Now gives the link to the same as of now.
func (q question) Now() string { q.AsOf = 0; return q.first().URL() }

// Order says how rows are ordered by a fact, or by name, as aria-sort has it; empty: they are not.
func (q question) Order(path string) string {
	switch {
	case q.Sort != path:
		return ""
	case q.Desc:
		return "descending"
	}
	return "ascending"
}

// path gives the fact that rows are ordered by; nil: by name.
func (q question) path() fettle.Path {
	path, err := fettle.ParsePath(q.Sort)
	if err != nil { // it is empty, for parseQuestion has let it pass
		return nil
	}
	return path
}

// flag gives what stands in a URL for yes.
func flag(on bool) string {
	if on {
		return "1"
	}
	return ""
}

// The questions beside q, each from its first page.

func (q question) first() question { q.Cursor = ""; return q }

func (q question) at(cursor string) question { q.Cursor = cursor; return q }

func (q question) where(text string) question { q.Where, q.Cursor = text, ""; return q }

func (q question) facet(path string) question { q.Facet, q.Cursor = path, ""; return q }

// by orders rows by a fact, or by name; what is ordered so already is turned round.
func (q question) by(path string) question {
	q.Sort, q.Desc, q.Cursor = path, q.Sort == path && !q.Desc, ""
	return q
}

func (q question) explain(on bool) question { q.Explain = on; return q.first() }

func (q question) without(column string) question {
	q.Columns = slices.DeleteFunc(slices.Clone(q.Columns), func(c string) bool { return c == column })
	q.Cursor = ""
	return q
}
