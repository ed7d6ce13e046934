package filter_test

import (
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

var update = flag.Bool("update", false, "write what the errors are now into testdata/errors.txt")

// TestErrors holds the words of errors to testdata/errors.txt: a filter behind "> ", then what is said about it by a node's environment that
// knows the facts os.family, env and identity.user.
func TestErrors(t *testing.T) {
	const file = "testdata/errors.txt"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var now []string
	for _, block := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		var lines []string
		for _, l := range strings.Split(block, "\n") {
			if rest, ok := strings.CutPrefix(l, ">"); ok {
				lines = append(lines, strings.TrimPrefix(rest, " "))
			}
		}
		text := fettle.Filter(strings.Join(lines, "\n"))
		_, err := filter.Compile(filter.OnNode, text)
		var e *filter.Error
		if !errors.As(err, &e) || !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%s: gave %v, want an *Error that is invalid", text, err)
			continue
		}
		e.Suggest([]fettle.Path{{"os", "family"}, {"env"}, {"identity", "user"}})
		now = append(now, "> "+strings.Join(lines, "\n> ")+"\n"+e.Error())
	}
	got := strings.Join(now, "\n\n") + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(string(text), got); d != "" {
		t.Error(d)
	}
}

func TestErrorOfALongLine(t *testing.T) {
	long := strings.Repeat(`facts.a == "x" && `, 30) + `foo` + strings.Repeat(` && facts.a == "x"`, 30)
	_, err := filter.Compile(filter.Node, fettle.Filter(long))
	if err == nil {
		t.Fatal("an undeclared name compiled")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 3 {
		t.Fatalf("got %q", err)
	}
	caret := []rune(lines[2])
	at := len(caret) - 1
	if line := []rune(lines[1]); len(line) > 140 || string(line[at:at+3]) != "foo" {
		t.Errorf("the caret does not stand under the fault:\n%s", err)
	}
}

func TestBounds(t *testing.T) {
	deep := strings.Repeat("(", 300) + "true" + strings.Repeat(")", 300)
	for name, text := range map[string]string{
		"a text beyond the limit":    strings.Repeat("true && ", 10_000) + "true",
		"a nesting beyond the limit": deep,
		"a tree beyond the limit":    "[" + strings.Repeat("1,", 20_000) + "1].size() > 1",
	} {
		if _, err := filter.Compile(filter.Node, fettle.Filter(text)); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%s gave %v, want invalid", name, err)
		}
	}
}

func TestBlanksAreNoFilter(t *testing.T) {
	for _, text := range []fettle.Filter{"", " ", "\n\t"} {
		_, err := filter.Compile(filter.Node, text)
		if !errors.Is(err, fettle.ErrInvalid) || !strings.Contains(err.Error(), "--all") {
			t.Errorf("%q gave %v, want a hint at --all", text, err)
		}
	}
}
