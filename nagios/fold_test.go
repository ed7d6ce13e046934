package nagios

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
)

func ids(s string) []fettle.NodeID {
	var out []fettle.NodeID
	for _, name := range strings.Fields(s) {
		out = append(out, fettle.NodeID(name))
	}
	return out
}

func TestFold(t *testing.T) {
	tests := []struct{ names, want string }{
		{"", ""},
		{"web01", "web01"},
		{"web01 web02 web03 web05", "web[01-03,05]"},
		{"web9 web10 web11", "web[9-11]"},
		{"web08 web09 web10 web11", "web[08-11]"},
		{"web1 web01 web2 web02", "web[1-2,01-02]"},
		{"db1 web1 db2 web2", "db[1-2],web[1-2]"},
		{"web1.acme.net web2.acme.net web1.initech.net", "web[1-2].acme.net,web1.initech.net"},
		{"r1-n1 r1-n2 r2-n1 r2-n2", "r[1-2]-n[1-2]"},
		{"r1-n1 r1-n2 r2-n1", "r1-n[1-2],r2-n1"},
		{"a b c", "a,b,c"},
		{"1 2 3", "[1-3]"},
		{"web1 web1", "web1"},
		{"web99 web100", "web[99-100]"},
		{"x12345678901234567890 x12345678901234567891", "x12345678901234567890,x12345678901234567891"},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			names := ids(tt.names)
			if got := Fold(names); got != tt.want {
				t.Errorf("Fold: got %s", got)
			}
			back, err := Unfold(tt.want)
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(names)
			if diff := cmp.Diff(slices.Compact(names), back); diff != "" {
				t.Errorf("Unfold (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnfoldRefuses(t *testing.T) {
	for _, s := range []string{
		"a,", ",a", "a,,b", "a[1", "a[]", "a[2-1]", "a[x]", "a[1-]", "a[01-1]", "a b", "[0-999999]", "a[1-1000][1-1000]", "a]", "-a", "a[1-2" + strings.Repeat("0", 30) + "]",
		"[1-200000]" + strings.Repeat("x", 300),
	} {
		if got, err := Unfold(s); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%.60q: got %d names, %v", s, len(got), err)
		}
	}
}

func FuzzFold(f *testing.F) {
	f.Add("web01 web02 web10 web9 r1-n1 r2-n1")
	f.Add("0 00 000 1 01 09 10 099 100")
	f.Add("a1b2c3d4e5 a1b2c3d4e6 a1b3c3d4e5")
	f.Fuzz(func(t *testing.T, s string) {
		var names []fettle.NodeID
		for _, word := range strings.Fields(s) {
			if id, err := fettle.ParseNodeID(word); err == nil {
				names = append(names, id)
			}
		}
		back, err := Unfold(Fold(names))
		if err != nil {
			t.Fatalf("%s: %v", Fold(names), err)
		}
		slices.Sort(names)
		if want := slices.Compact(names); len(want)+len(back) > 0 && !slices.Equal(want, back) {
			t.Fatalf("%v becomes %s becomes %v", want, Fold(names), back)
		}
	})
}

func FuzzUnfold(f *testing.F) {
	f.Add("web[01-16,18],db[1-2].r[1-3]")
	f.Add("[[1]],a[1-2")
	f.Fuzz(func(t *testing.T, s string) {
		names, err := Unfold(s)
		if err != nil || len(names) > 2000 {
			return
		}
		again, err := Unfold(Fold(names))
		if err != nil || !slices.Equal(names, again) {
			t.Fatalf("%q: %v is folded to %s, and that to %v, %v", s, names, Fold(names), again, err)
		}
	})
}

func BenchmarkFold20kNames(b *testing.B) {
	var names []fettle.NodeID
	for i := range 20_000 {
		names = append(names, fettle.NodeID(fmt.Sprintf("web%05d.dc%d.acme.net", i, i%4)))
	}
	for b.Loop() {
		Fold(names)
	}
}
