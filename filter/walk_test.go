package filter

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// told writes down what a Visitor is told.
type told []string

func (w *told) Enter(key string) { *w = append(*w, fmt.Sprintf("enter %q", key)) }
func (w *told) Leave()           { *w = append(*w, "leave") }
func (w *told) Leaf(key string, v any, text string) {
	*w = append(*w, fmt.Sprintf("leaf %q %T %s %q", key, v, AppendJSON(nil, v), text))
}

// walksAsParsed holds Walk to ParseDocument: it can do what is plain, tells the same, and can do nothing else.
func walksAsParsed(t *testing.T, text []byte) {
	t.Helper()
	var walked, visited told
	could := Walk(text, &walked)
	d, err := ParseDocument(text)
	if want := err == nil && len(text) > 0 && d.Plain(); could != want {
		t.Fatalf("%q: walked %v, want %v: %v", text, could, want, err)
	}
	if !could {
		return
	}
	if d.Visit(&visited); !cmp.Equal(walked, visited) {
		t.Errorf("%q:\n%s", text, cmp.Diff(visited, walked))
	}
}

func TestWalk(t *testing.T) {
	for about, text := range map[string]string{
		"nothing":               ``,
		"empty":                 `{}`,
		"of all kinds":          `{"a":1,"b":-2.5,"c":"x","d":true,"e":null,"f":[1,{"k":[]}],"g":{},"h":{"i":{"j":"k"},"l":0}}`,
		"odd spellings":         `{"a":1.50,"b":-0,"c":"\u0041","d":1e3,"e":9007199254740993,"f":18446744073709551615}`,
		"keys out of order":     `{"b":1,"a":2}`,
		"a key twice":           `{"a":1,"a":2}`,
		"an odd key":            `{"\u0061":1}`,
		"a key that is escaped": `{"a\"b":{"\n":1}}`,
		"blanks":                `{"a": 1}`,
		"a blank before":        ` {}`,
		"a blank after":         `{} `,
		"blanks in a list":      `{"a":[1, 2]}`,
		"more after it":         `{}{}`,
		"a comma too many":      `{"a":1,}`,
		"a comma at first":      `{,"a":1}`,
		"no comma":              `{"a":1"b":2}`,
		"no colon":              `{"a"1}`,
		"no value":              `{"a":}`,
		"no end":                `{"a":{"b":1}`,
		"a list":                `[]`,
		"not UTF-8":             "{\"a\":\"\xff\"}",
		"as deep as it may be":  strings.Repeat(`{"a":`, MaxLevels) + "1" + strings.Repeat("}", MaxLevels),
		"too deep":              strings.Repeat(`{"a":`, MaxLevels+1) + "1" + strings.Repeat("}", MaxLevels+1),
		"too deep in a list":    strings.Repeat(`{"a":`, MaxLevels) + "[]" + strings.Repeat("}", MaxLevels),
	} {
		t.Run(about, func(t *testing.T) { walksAsParsed(t, []byte(text)) })
	}
	t.Run("too many leaves", func(t *testing.T) {
		many := make([]string, MaxLeaves+1)
		for i := range many {
			many[i] = fmt.Sprintf(`"%06d":1`, i)
		}
		walksAsParsed(t, []byte("{"+strings.Join(many, ",")+"}"))
		walksAsParsed(t, []byte("{"+strings.Join(many[1:], ",")+"}"))
	})
}
