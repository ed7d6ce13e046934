package main

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	for _, tt := range []struct {
		name string
		rows [][]string
		want string
	}{
		{"columns are as wide as they have to be, and no line ends in blanks", [][]string{{"a", "long one", ""}, {"wider", "b", "c"}}, "ONE    TWO       THREE\na      long one\nwider  b         c\n"},
		{"letters of more than a byte", [][]string{{"é", "x", "y"}, {"ee", "x", "y"}}, "ONE  TWO  THREE\né    x    y\nee   x    y\n"},
		{"what would play with a terminal", [][]string{{"a\x1b[31m\nb\u009b\x7f", "", ""}}, "ONE         TWO  THREE\na [31m b\n"},
		{"without rows it is empty", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table := newTable("ONE", "TWO", "THREE")
			for _, row := range tt.rows {
				table.add(row...)
			}
			var b strings.Builder
			if err := table.write(&b); err != nil || b.String() != tt.want {
				t.Errorf("%v, got\n%swant\n%s", err, b.String(), tt.want)
			}
		})
	}
}

func TestShellLine(t *testing.T) {
	for want, words := range map[string][]string{
		"ssh -l root -- web1":    {"ssh", "-l", "root", "--", "web1"},
		`echo 'a b' '' '$x' '|'`: {"echo", "a b", "", "$x", "|"},
		`echo 'it'\''s'`:         {"echo", "it's"},
	} {
		if got := shellLine(words); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestPlainLine(t *testing.T) {
	if got := plainLine("undeclared name \"os\"\n  1 | os.family | 3\n    | ^", 100); got != "undeclared name \"os\" in: os.family ! 3" {
		t.Errorf("got %q", got)
	}
	if got := plainLine("a\n b\t|c\x1b[0m", 100); got != "a b !c [0m" {
		t.Errorf("got %q", got)
	}
	for limit := 10; limit < 16; limit++ {
		got := plainLine(strings.Repeat("é", 20), limit)
		if len(got) > limit || !strings.HasSuffix(got, "…") || strings.ContainsRune(got, '\uFFFD') {
			t.Errorf("limit %d: got %q", limit, got)
		}
	}
}

func TestSpell(t *testing.T) {
	for text, want := range map[string]string{"720h": "720h", "5m": "5m", "90s": "1m30s", "0s": "0s", "1h1s": "1h0m1s", "10m": "10m", "100ms": "100ms", "7d": "168h", "1d12h": "36h"} {
		d, err := longSpan(text)
		if err != nil || spell(d) != want {
			t.Errorf("%s: got %s, %v", text, spell(d), err)
		}
		if again, err := longSpan(spell(d)); err != nil || again != d {
			t.Errorf("%s does not mean itself: %v, %v", spell(d), again, err)
		}
	}
}
