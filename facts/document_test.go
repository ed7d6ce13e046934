package facts

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
)

func leaves(n int) object {
	many := object{}
	for i := range n {
		many[fmt.Sprint(i)] = true
	}
	return many
}

func deep(levels int) any {
	var value any = int64(1)
	for range levels {
		value = object{"x": value}
	}
	return value
}

func TestDocumentKeepsItsBounds(t *testing.T) {
	for name, test := range map[string]struct {
		value any
		want  string // a part of the error; empty: it fits
	}{
		"levels that fit":    {deep(MaxLevels - 1), ""},
		"a level too many":   {deep(MaxLevels), "levels"},
		"leaves that fit":    {leaves(MaxLeaves - reservedLeaves - 2), ""},
		"a leaf too many":    {leaves(MaxLeaves - reservedLeaves - 1), "leaves"},
		"a list is one leaf": {[]any{make([]any, 50_000)}, ""},
		"bytes that fit":     {strings.Repeat("x", MaxDocument-reservedBytes-1000), ""},
		"a byte too many":    {strings.Repeat("x", MaxDocument-reservedBytes), "bytes"},
		"a path too long":    {object{strings.Repeat("k", fettle.MaxPathBytes): true}, "path"},
		"not a number":       {math.NaN(), "number"},
		"not UTF-8":          {"\xff", "UTF-8"},
		"a key not UTF-8":    {object{"\xff": true}, "UTF-8"},
		"another type":       {struct{}{}, "type"},
	} {
		t.Run(name, func(t *testing.T) {
			doc := newDocument()
			doc.put("before", object{"stays": true})
			doc.put("source", object{"new": test.value, "beside": true})
			if doc.facts["stays"] != true {
				t.Error("facts of another source are lost")
			}
			if test.want == "" {
				if len(doc.faults) > 0 || doc.facts["beside"] != true {
					t.Errorf("got %v", doc.faults)
				}
				return
			}
			if len(doc.faults) != 1 || doc.faults[0].Source != "source" || !strings.Contains(doc.faults[0].Err.Error(), test.want) {
				t.Errorf("got %v", doc.faults)
			}
			if _, ok := doc.facts["beside"]; ok {
				t.Error("a part of the source is in the document")
			}
		})
	}
}

func TestReplacedFactsCountOnce(t *testing.T) {
	doc := newDocument()
	for range 5 {
		doc.put("source", object{"big": strings.Repeat("x", MaxDocument/2)})
	}
	if len(doc.faults) > 0 {
		t.Error(doc.faults)
	}
}

func TestUnderAddsWhatIsMissing(t *testing.T) {
	doc := newDocument()
	doc.put("native", object{"os": object{"name": "Debian", "release": object{"major": "12"}}, "kernel": "Linux", "list": []any{int64(1)}})
	doc.under("facter", object{
		"os": object{"name": "Other", "release": object{"minor": "1"}}, "kernel": object{"a": true}, "list": []any{int64(2)}, "ruby": object{"version": "3"}, "fettle": object{"version": "x"},
	})
	want := object{
		"os": object{"name": "Debian", "release": object{"major": "12", "minor": "1"}}, "kernel": "Linux", "list": []any{int64(1)}, "ruby": object{"version": "3"},
	}
	if diff := cmp.Diff(want, doc.facts); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestErrorsAlwaysFit fills a document to its brim with facts and with errors, and writes it.
func TestErrorsAlwaysFit(t *testing.T) {
	doc := newDocument()
	doc.put("big", object{"big": strings.Repeat("x", MaxDocument-reservedBytes-100)})
	for i := range 1000 {
		doc.fail(fmt.Sprint(i, strings.Repeat("\"<", 500)), fmt.Errorf("%s: %w", strings.Repeat("\"", 500), fettle.ErrInvalid))
	}
	c, _ := external(t, nil)
	doc.own(c.own(doc.faults))
	raw, err := json.Marshal(doc.facts)
	if err != nil || len(raw) > MaxDocument {
		t.Errorf("%d bytes, %v", len(raw), err)
	}
	if !errors.Is(doc.faults[0], fettle.ErrInvalid) {
		t.Error("the kind of an error is lost")
	}
}

func TestVolatile(t *testing.T) {
	v, err := NewVolatile(append(DefaultVolatile(), `a."x.*.y".b`, `q."\"*"`))
	if err != nil {
		t.Fatal(err)
	}
	for written, want := range map[string]bool{
		"system_uptime": true, "system_uptime.seconds": true, "load_averages.1m": true, "memory.system.used": true, "memory.swap.capacity": true,
		`mountpoints."/".used_bytes`: true, `mountpoints."/boot/efi".size`: false, "mountpoints": false, "memory.system": false, "memory.system.total": false,
		"system": false, "kernel": false, `a."x.*.y".b`: true, `a."x.z.y".b`: false, `q."\"*"`: true, "processors.speed": true, "processors.count": false,
	} {
		path, err := fettle.ParsePath(written)
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Match(path); got != want {
			t.Errorf("%s: %v, want %v", written, got, want)
		}
	}
	if (Volatile{}).Match(fettle.Path{"a"}) {
		t.Error("the zero value matches something")
	}
	for _, bad := range []string{"", "a..b", "a.**", `"a`, "a b"} {
		if _, err := NewVolatile([]string{bad}); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestUnits(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 bytes", 1023: "1023 bytes", 1024: "1.00 KiB", 4096: "4.00 KiB", 1077248: "1.03 MiB", 1048575: "1.00 MiB", 274877906944: "256.00 GiB", math.MaxUint64: "16.00 EiB",
	} {
		if got := humanBytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for hz, want := range map[int64]string{0: "", 2299000000: "2.30 GHz", 800000000: "800.00 MHz", 1000000000: "1.00 GHz"} {
		if got := humanHertz(hz); got != want {
			t.Errorf("%d: %s, want %s", hz, got, want)
		}
	}
}
