package web

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of a tree on a page.
const (
	maxLeaves   = 5000 // that are drawn
	maxValue    = 4000 // characters of a value
	fewBranches = 60   // leaves: a document that small is open from the start
)

// tree is a facts document as a page shows it.
type tree struct {
	Query  string // what is searched for; empty: nothing
	Kids   []branch
	Leaves int // of the document
	Hits   int // leaves that are found; without a search all
	Hidden int // leaves that are left off, because nobody reads so many
}

// branch is an object, or a list of objects, with kids; or else a leaf.
type branch struct {
	Key    []piece
	Path   string // as fettle.ParsePath reads it; empty: inside a list, where no path leads
	Kids   []branch
	Leaves int // below
	Open   bool

	Value   []piece
	Kind    string // of a leaf: string number bool null list
	Alike   string // link to the nodes with the same value; empty: there is no filter for it
	History string // link to what changed here; empty: it is inside of a list
	Split   string // link that counts the values of this fact over all nodes
}

// piece is a part of a text.
type piece struct {
	Text string
	Hit  bool // it is what was searched for
}

// grower makes a tree.
type grower struct {
	words []string // lower case; a leaf is found when all of them stand in its path or its value
	ask   nodeAsk
	tree  *tree
}

// grow makes the tree of a document, of which only what ask searches for is kept.
func grow(document any, ask nodeAsk) tree {
	t := tree{Query: strings.TrimSpace(ask.Search)}
	g := grower{words: strings.Fields(strings.ToLower(t.Query)), ask: ask, tree: &t}
	t.Kids, _ = g.kids(nil, document, true)
	for i := range t.Kids {
		g.open(&t.Kids[i], t.Leaves <= fewBranches)
	}
	return t
}

// open opens branches: all of a search or of a small document, or else those that are small themselves at the top.
func (g grower) open(b *branch, all bool) {
	b.Open = len(b.Kids) > 0 && (all || len(g.words) > 0)
	for i := range b.Kids {
		g.open(&b.Kids[i], all)
	}
}

// kids gives what is inside of an object or a list of objects. real says that paths lead there.
func (g grower) kids(path fettle.Path, v any, real bool) (out []branch, leaves int) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.SortedFunc(maps.Keys(v), natural) {
			b, ok := g.branch(append(slices.Clip(path), key), v[key], real)
			if ok {
				out, leaves = append(out, b), leaves+b.Leaves
			}
		}
	case []any:
		for i, kid := range v {
			b, ok := g.branch(append(slices.Clip(path), strconv.Itoa(i)), kid, false)
			if ok {
				out, leaves = append(out, b), leaves+b.Leaves
			}
		}
	}
	return out, leaves
}

// branch makes one branch; false: the search does not find it, or there is no room.
func (g grower) branch(path fettle.Path, v any, real bool) (branch, bool) {
	key := path[len(path)-1]
	if !leafy(v) {
		b := branch{Key: g.marked(key)}
		if real {
			b.Path = path.String()
		}
		b.Kids, b.Leaves = g.kids(path, v, real)
		return b, b.Leaves > 0
	}
	g.tree.Leaves++
	text, kind := leafText(v)
	if !g.found(path.String(), text) {
		return branch{}, false
	}
	if g.tree.Hits++; g.tree.Hits > maxLeaves {
		g.tree.Hidden++
		return branch{}, false
	}
	b := branch{Key: g.marked(key), Leaves: 1, Value: g.marked(cut(text, maxValue)), Kind: kind}
	if real {
		b.Path = path.String()
		all := question{Columns: defaultColumns(), AsOf: g.ask.AsOf}
		b.History = g.ask.history(b.Path).URL() + "#history"
		b.Split = all.facet(b.Path).URL()
		if c, ok := clauseFor(path, v, false); ok && len(c.Text) <= maxWhere {
			b.Alike = all.where(c.Text).URL()
		}
	}
	return b, true
}

// leafy tells whether v is drawn as a value: anything but an object with keys, and a list in which such a one stands.
func leafy(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) == 0
	case []any:
		return !slices.ContainsFunc(v, func(kid any) bool { return !leafy(kid) })
	}
	return true
}

func leafText(v any) (text, kind string) {
	switch v := v.(type) {
	case string:
		return v, "string"
	case json.Number:
		return v.String(), "number"
	case bool:
		return strconv.FormatBool(v), "bool"
	case nil:
		return "null", "null"
	case []any:
		text, _ = shown(v)
		return text, "list"
	}
	return "{}", "null"
}

// found tells whether all words stand in the path or the value of a leaf.
func (g grower) found(path, value string) bool {
	if len(g.words) == 0 {
		return true
	}
	text := strings.ToLower(path + "\n" + value)
	return !slices.ContainsFunc(g.words, func(w string) bool { return !strings.Contains(text, w) })
}

// marked cuts text into what was searched for and what was not.
func (g grower) marked(text string) []piece {
	lower := strings.ToLower(text)
	if len(g.words) == 0 || len(lower) != len(text) { // a letter whose small form is longer: the places do not fit
		return []piece{{Text: text}}
	}
	hit := make([]bool, len(text))
	for _, w := range g.words {
		for at := 0; ; {
			i := strings.Index(lower[at:], w)
			if i < 0 {
				break
			}
			for k := range len(w) {
				hit[at+i+k] = true
			}
			at += i + len(w)
		}
	}
	var out []piece
	for from := 0; from < len(text); {
		to := from
		for to < len(text) && hit[to] == hit[from] {
			to++
		}
		out = append(out, piece{Text: text[from:to], Hit: hit[from]})
		from = to
	}
	return out
}

// natural orders names as people count: eth2 before eth10.
func natural(a, b string) int {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		m, n := digits(a[i:]), digits(b[j:])
		if m > 0 && n > 0 {
			x, y := strings.TrimLeft(a[i:i+m], "0"), strings.TrimLeft(b[j:j+n], "0")
			if c := cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y)); c != 0 {
				return c
			}
			i, j = i+m, j+n
			continue
		}
		if a[i] != b[j] {
			return cmp.Compare(a[i], b[j])
		}
		i, j = i+1, j+1
	}
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

// digits is the number of digits that s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}
