package plugins

import (
	"errors"
	"strings"
	"testing"

	fettle "github.com/fettle-dev/fettle"
)

func TestEveryBuiltinIsWellDeclared(t *testing.T) {
	if len(Builtin()) < 20 {
		t.Fatalf("only %d actions", len(Builtin()))
	}
	for _, a := range Builtin() {
		if err := a.Check(); err != nil {
			t.Error(err)
		}
		if a.Description == "" || a.Timeout == 0 {
			t.Errorf("%s has no description, or no timeout", a.Name)
		}
		for _, in := range a.Inputs {
			if !strings.HasSuffix(in.Description, ".") {
				t.Errorf("%s: the description of input %s is no sentence: %q", a.Name, in.Name, in.Description)
			}
		}
		for _, o := range a.Outputs {
			if !strings.HasSuffix(o.Description, ".") {
				t.Errorf("%s: the description of output %s is no sentence: %q", a.Name, o.Name, o.Description)
			}
		}
	}
}

func TestOutputsAreChecked(t *testing.T) {
	bad := Action{
		Name: "a.b", Display: "sometimes",
		Outputs:   []Output{{Name: "X", Type: String}, {Name: "s", Type: String}, {Name: "s", Type: "text"}},
		Summaries: []Summary{{"s", Sum}, {"n", Count}, {"s", "median"}, {"s", Histogram}},
	}
	err := bad.Check()
	if !errors.Is(err, fettle.ErrInvalid) {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{`output "X"`, "output s is declared twice", `type "text"`, "there is no sum of a string", `summary of "n"`, `"median" is none`, `display "sometimes"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
	if n := strings.Count(err.Error(), "\n"); n != 6 {
		t.Errorf("%d faults: %v", n+1, err)
	}
}

func TestLabel(t *testing.T) {
	for _, o := range []Output{{Name: "exit_code"}, {Name: "exitcode", Display: "exit code"}} {
		if o.Label() != "exit code" {
			t.Errorf("%+v is %q", o, o.Label())
		}
	}
}
