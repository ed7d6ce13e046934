package plugins

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func usage() Action {
	return Action{Name: "disk.usage", Outputs: []Output{
		{Name: "used", Type: Float}, {Name: "files", Type: Int}, {Name: "names", Type: List}, {Name: "all", Type: Any}, {Name: "text", Type: String},
	}}.withOwn()
}

func TestReply(t *testing.T) {
	var told []Told
	r := NewReply(usage(), func(x Told) { told = append(told, x) })
	text := `{"type":"output","text":"looking"}
{"type":"progress","fraction":0.5,"text":"half"}

{"type":"data","data":{"files":12345678901234567,"names":["a"]}}
{"type":"record","kind":"mount","data":{"at":"/"}}
{"type":"result","status":"ok","message":" fine ","data":{"used":71,"all":{"n":9007199254740993}}}`
	for i := range text {
		r.Add([]byte(text[i : i+1])) // in the smallest pieces
	}
	want := Answer{
		Result: true, OK: true, Message: "fine", Output: "looking\n", Records: []map[string]any{{"kind": "mount", "data": map[string]any{"at": "/"}}},
		Data: map[string]any{"files": int64(12345678901234567), "names": []string{"a"}, "used": 71.0, "all": map[string]any{"n": json.Number("9007199254740993")}},
	}
	if diff := cmp.Diff(want, r.End()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Told{{Text: "looking\n"}, {Text: "half", Progress: true, Fraction: 0.5}}, told); diff != "" {
		t.Error(diff)
	}
}

func TestReplyTellsWhatIsWrong(t *testing.T) {
	const end = `{"type":"result","status":"ok"}` + "\n"
	for _, tt := range []struct{ name, text, want string }{
		{"text", "hello\n" + end, `line 1 of what it printed breaks the protocol (it is no JSON object): "hello"`},
		{"JSON that is no object", "[1]\n" + end, "breaks the protocol"},
		{"two on one line", `{"type":"output","text":"a"} {"type":"output","text":"b"}` + "\n" + end, "line 1 of what it printed breaks"},
		{"a key that is none", `{"type":"result","status":"ok","mesage":"x"}` + "\n", `unknown field "mesage"`},
		{"a type that is none", `{"type":"log"}` + "\n" + end, `of the type "log"`},
		{"a status that is none", `{"type":"result","status":"OK"}` + "\n", `not "OK"`},
		{"an output that is not declared", `{"type":"data","data":{"free":1}}` + "\n" + end, `output "free", which the manifest does not declare`},
		{"an output of another type", `{"type":"data","data":{"files":"many"}}` + "\n" + end, "output files has to be a whole number, not a string"},
		{"a fraction of a whole number", `{"type":"data","data":{"files":1.5}}` + "\n" + end, "output files has to be a whole number"},
		{"what is there by itself", `{"type":"data","data":{"log":"x"}}` + "\n" + end, "output log, which is there by itself"},
		{"something behind the result", end + `{"type":"output","text":"late"}` + "\n", "line 2 of what it printed stands behind its result"},
		{"no UTF-8", "\xff\xfe\n" + end, "not UTF-8"},
		{"a line that is too long", `{"type":"output","text":"` + strings.Repeat("x", MaxLine) + "\"}\n" + end, "line 1 of what it printed is longer than 256 KiB"},
		{"too much of everything", strings.Repeat(`{"type":"output","text":"`+strings.Repeat("x", 1<<16)+"\"}\n", 300), "it printed more than 16 MiB"},
		{"too much data", strings.Repeat(`{"type":"data","data":{"text":"`+strings.Repeat("x", 1<<17)+"\"}}\n", 3) + end, "its data have more than 256 KiB"},
		{"a progress beyond the end", `{"type":"progress","fraction":50}` + "\n" + end, "between 0 and 1"},
		{"a record without a kind", `{"type":"record","data":{}}` + "\n" + end, "a record needs a kind"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := NewReply(usage(), nil)
			r.Add([]byte(tt.text))
			if a := r.End(); !strings.Contains(a.Fault, tt.want) {
				t.Errorf("fault is %q, want %q", a.Fault, tt.want)
			}
		})
	}
	t.Run("no result", func(t *testing.T) {
		r := NewReply(usage(), nil)
		r.Add([]byte(`{"type":"output","text":"a"}`))
		if a := r.End(); a.Result || a.Fault != "" || a.Output != "a\n" {
			t.Errorf("%+v", a)
		}
	})
	t.Run("much text is kept at both ends", func(t *testing.T) {
		r := NewReply(usage(), nil)
		r.Add([]byte(`{"type":"output","text":"first"}` + "\n"))
		for range 100 {
			r.Add([]byte(`{"type":"output","text":"` + strings.Repeat("é", 1000) + "\"}\n"))
		}
		r.Add([]byte(`{"type":"output","text":"last"}` + "\n" + end))
		a := r.End()
		if !strings.HasPrefix(a.Output, "first\n") || !strings.HasSuffix(a.Output, "last\n") || !strings.Contains(a.Output, "bytes are left out here") || len(a.Output) > MaxOutputText+100 {
			t.Errorf("%d bytes, fault %q", len(a.Output), a.Fault)
		}
	})
}

func FuzzReply(f *testing.F) {
	f.Add([]byte(`{"type":"result","status":"ok","data":{"used":1e400}}`), 3)
	f.Add([]byte("{\"type\":\"data\",\"data\":{\"names\":[1]}}\n{"), 1)
	f.Add([]byte("\x00\n\n{}{}"), 2)
	f.Fuzz(func(t *testing.T, raw []byte, step int) {
		whole, parts := NewReply(usage(), nil), NewReply(usage(), nil)
		whole.Add(raw)
		for rest := raw; len(rest) > 0; {
			n := min(len(rest), max(1, step))
			parts.Add(rest[:n])
			rest = rest[n:]
		}
		a, b := whole.End(), parts.End()
		if diff := cmp.Diff(a, b); diff != "" {
			t.Errorf("how it is cut makes a difference: %s", diff)
		}
		if _, err := json.Marshal(a.Data); err != nil {
			t.Errorf("data that cannot be sent: %v", err)
		}
	})
}
