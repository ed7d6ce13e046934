package plugins

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
)

func f(v float64) *float64 { return &v }

// service is an action with an input of every type.
func service() Action {
	return Action{Name: "service.restart", Inputs: []Input{
		{Name: "name", Type: String, Required: true, Pattern: `[a-z][a-z0-9-]*`, MaxLength: 20},
		{Name: "how", Type: String, Enum: []string{"hard", "soft"}, Default: "soft"},
		{Name: "tries", Type: Int, Min: f(1), Max: f(5), Default: int64(1)},
		{Name: "wait", Type: Float, Min: f(0)},
		{Name: "force", Type: Bool},
		{Name: "flags", Type: List, Pattern: `-.+`},
		{Name: "password", Type: String, Secret: true, Pattern: `[0-9]+`},
	}}
}

func TestActionCheck(t *testing.T) {
	if err := service().Check(); err != nil {
		t.Errorf("a good one: %v", err)
	}
	bad := Action{Name: "Nodot", Timeout: -1, Inputs: []Input{
		{Name: "a-b", Type: String},
		{Name: "a", Type: "text"},
		{Name: "a", Type: Int, Pattern: "x"},
		{Name: "b", Type: String, Pattern: "("},
		{Name: "c", Type: String, Min: f(1)},
		{Name: "d", Type: Int, Max: f(1), Default: 2},
		{Name: "e", Type: Bool, Required: true, Default: true},
	}}
	err := bad.Check()
	if !errors.Is(err, fettle.ErrInvalid) {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"plugin.action", "timeout_ms", `"a-b"`, `type "text"`, "declared twice", "pattern, enum", "pattern: missing", "min and max", "its default has to be at most 1", "required and has a default"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
}

func TestValidate(t *testing.T) {
	var decoded map[string]any
	if err := json.Unmarshal([]byte(`{"name":"nginx","tries":3,"wait":2,"force":true,"flags":["-a","-b"],"password":null}`), &decoded); err != nil {
		t.Fatal(err)
	}
	got, err := Validate(service(), decoded)
	want := map[string]any{"name": "nginx", "how": "soft", "tries": int64(3), "wait": 2.0, "force": true, "flags": []string{"-a", "-b"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("(-want +got):\n%s\n%v", diff, err)
	}
	again, err := Validate(service(), got)
	if diff := cmp.Diff(want, again); diff != "" || err != nil {
		t.Errorf("validated again (-want +got):\n%s\n%v", diff, err)
	}
}

func TestValidateNamesEveryFault(t *testing.T) {
	tests := []struct {
		name   string
		inputs map[string]any
		want   string
		status fettle.Status
	}{
		{"missing", nil, "service.restart: input name is missing", fettle.StatusMissingInput},
		{
			"all at once",
			map[string]any{"how": "so", "tries": 9.0, "wait": -1, "force": "yes", "flags": []any{1}, "zzz": 1},
			"service.restart: input flags has to be a list of strings, and holds a number of another kind; input force has to be true or false, not a string; " +
				`input how has to be one of hard, soft, not "so"; input name is missing; input tries has to be at most 5, not 9; ` +
				"input wait has to be at least 0, not -1; input zzz is not one of the action's: it takes name, how, tries, wait, force, flags, password", fettle.StatusInvalidInput,
		},
		{"the whole value has to match", map[string]any{"name": "nginx; rm"}, `service.restart: input name has to match [a-z][a-z0-9-]*, and "nginx; rm" does not`, fettle.StatusInvalidInput},
		{"a newline at the end", map[string]any{"name": "nginx\n"}, `service.restart: input name has to match [a-z][a-z0-9-]*, and "nginx\n" does not`, fettle.StatusInvalidInput},
		{"too long", map[string]any{"name": strings.Repeat("x", 21)}, "service.restart: input name has 21 bytes, and 20 are allowed", fettle.StatusInvalidInput},
		{"not UTF-8", map[string]any{"name": "\xff"}, "service.restart: input name is not UTF-8, or has zero bytes", fettle.StatusInvalidInput},
		{"not whole", map[string]any{"name": "x", "tries": 1.5}, "service.restart: input tries has to be a whole number, not a number of another kind", fettle.StatusInvalidInput},
		{"a secret is not shown", map[string]any{"name": "x", "password": "hunter2"}, "service.restart: input password has to match [0-9]+, and its value does not", fettle.StatusInvalidInput},
		{"an element", map[string]any{"name": "x", "flags": []any{"-a", "b"}}, `service.restart: input flags element 2 has to match -.+, and "b" does not`, fettle.StatusInvalidInput},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Validate(service(), tt.inputs)
			if err == nil || !errors.Is(err, fettle.ErrInvalid) || err.Error() != tt.want || StatusOf(err) != tt.status {
				t.Errorf("status %v\ngot  %v\nwant %s", StatusOf(err), err, tt.want)
			}
		})
	}
}

// TestFormatInputs holds what is written to what a shell, and then ParseInputs, make of it.
func TestFormatInputs(t *testing.T) {
	inputs := map[string]any{"command": `it's "$HOME"; rm -rf *`, "count": 3, "args": []any{"a b", "c"}, "dry": true, "plain": "/usr/bin/x"}
	want := `'args=["a b","c"]' 'command=it'\''s "$HOME"; rm -rf *' count=3 dry=true plain=/usr/bin/x`
	if got := FormatInputs(inputs); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestParseInputs(t *testing.T) {
	got, err := ParseInputs(service(), []string{"name=a=b", "tries=2", "wait=1.5", "force=yes", "flags=-a,-b", "flags=[\"-c,d\"]", "how="})
	want := map[string]any{"name": "a=b", "tries": int64(2), "wait": 1.5, "force": true, "flags": []string{"-a", "-b", "-c,d"}, "how": ""}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("(-want +got):\n%s\n%v", diff, err)
	}
	_, err = ParseInputs(service(), []string{"nginx", "tries=two", "force=maybe", "wait=inf", "colour=red", "name=a", "name=b", "flags=[1]"})
	var e *InputError
	if !errors.As(err, &e) || len(e.Faults) != 7 || e.Status() != fettle.StatusInvalidInput {
		t.Errorf("got %v", err)
	}
}

func TestPublicMasks(t *testing.T) {
	got := Public(service(), map[string]any{"name": "nginx", "password": "hunter2", "stray": "hunter2"})
	if diff := cmp.Diff(map[string]any{"name": "nginx", "password": "***", "stray": "***"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzParseInputs(fz *testing.F) {
	fz.Add("name=nginx", "tries=3", "flags=[\"-a\"]")
	fz.Add("=", "force=", "wait=1e999")
	fz.Fuzz(func(t *testing.T, a, b, c string) {
		inputs, err := ParseInputs(service(), []string{a, b, c})
		if err != nil {
			return
		}
		checked, err := Validate(service(), inputs)
		if err != nil {
			return
		}
		raw, err := json.Marshal(checked)
		if err != nil {
			t.Fatal(err)
		}
		var decoded map[string]any
		if err := json.Unmarshal(raw, &decoded); err != nil {
			t.Fatal(err)
		}
		again, err := Validate(service(), decoded)
		if err != nil || !cmp.Equal(checked, again) {
			t.Fatalf("%s: %v, %v", raw, again, err)
		}
	})
}
