package plugins

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Told is what a plugin says while it runs: a piece of text, or how far it is.
type Told struct {
	Text     string
	Progress bool
	Fraction float64 // of progress, 0 to 1; below zero: not known
}

// Answer is all that a plugin said, once it has ended.
type Answer struct {
	Result  bool           // it gave a result
	OK      bool           // and that was ok
	Message string         // of the result
	Data    map[string]any // declared outputs, each of its type; numbers of Any are json.Number
	Output  string         // what its output lines said: beginning and end, when it is more than MaxOutputText
	Records []map[string]any
	Fault   string // what first broke the protocol; empty: nothing did
}

// Reply reads what a plugin prints, as it comes. It is not safe for concurrent use.
type Reply struct {
	action Action
	tell   func(Told)

	rest   []byte // of a line that has not ended
	skip   bool   // the line is too long, and its end is awaited
	lines  int
	bytes  int
	answer Answer
	text   headTail
	size   int // of the data, in JSON
}

// NewReply makes a reader of what an action prints. tell is told what people may see at once; nil: nobody wants it.
func NewReply(action Action, tell func(Told)) *Reply {
	if tell == nil {
		tell = func(Told) {}
	}
	return &Reply{action: action, tell: tell, answer: Answer{Data: map[string]any{}}, text: headTail{limit: MaxOutputText}}
}

// fault keeps the first thing that is wrong.
func (r *Reply) fault(format string, args ...any) {
	if r.answer.Fault == "" {
		r.answer.Fault = fmt.Sprintf(format, args...)
	}
}

// Add takes what was printed next. It keeps nothing of chunk.
func (r *Reply) Add(chunk []byte) {
	for len(chunk) > 0 && r.bytes <= MaxReply {
		i := bytes.IndexByte(chunk, '\n')
		part, ends := chunk, false
		if i >= 0 {
			part, ends, chunk = chunk[:i], true, chunk[i+1:]
		} else {
			chunk = nil
		}
		if r.bytes += len(part) + 1; r.bytes > MaxReply {
			r.fault("it printed more than %d MiB", MaxReply>>20)
			r.rest = nil
			return
		}
		if !r.skip && len(r.rest)+len(part) > MaxLine {
			r.fault("line %d of what it printed is longer than %d KiB", r.lines+1, MaxLine>>10)
			r.rest, r.skip = nil, true
		}
		if !r.skip {
			r.rest = append(r.rest, part...)
		}
		if ends {
			r.endLine()
		}
	}
}

func (r *Reply) endLine() {
	r.lines++
	if text := bytes.TrimSpace(r.rest); !r.skip && len(text) > 0 {
		r.line(text)
	}
	r.rest, r.skip = r.rest[:0], false
}

// End gives all that was said. A last line need not end in a newline.
func (r *Reply) End() Answer {
	if len(r.rest) > 0 && r.bytes <= MaxReply {
		r.endLine()
	}
	r.answer.Output = r.text.String()
	return r.answer
}

// line takes one line.
func (r *Reply) line(raw []byte) {
	if r.answer.Result {
		r.fault("line %d of what it printed stands behind its result: %s", r.lines, quoted(raw))
		return
	}
	var l line
	if !utf8.Valid(raw) {
		r.fault("line %d of what it printed is not UTF-8", r.lines)
		return
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	dec.DisallowUnknownFields()
	if err := dec.Decode(&l); err != nil || dec.More() {
		why := "it is no JSON object"
		if err != nil && raw[0] == '{' {
			why = strings.TrimPrefix(err.Error(), "json: ")
		}
		r.fault("line %d of what it printed breaks the protocol (%s): %s", r.lines, why, quoted(raw))
		return
	}
	switch l.Type {
	case lineOutput:
		r.output(l)
	case lineProgress:
		r.progress(l)
	case lineData:
		r.data(l.Data)
	case lineRecord:
		r.record(l)
	case lineResult:
		r.result(l)
	default:
		r.fault("line %d of what it printed is of the type %q, which is none of output, progress, data, record, result", r.lines, clip(l.Type))
	}
}

func (r *Reply) output(l line) {
	if l.Text == nil {
		r.fault("line %d of what it printed is output without text", r.lines)
		return
	}
	text := strings.TrimSuffix(*l.Text, "\n") + "\n"
	r.text.add(text)
	r.tell(Told{Text: text})
}

func (r *Reply) progress(l line) {
	p := Told{Progress: true, Fraction: -1}
	if l.Text != nil {
		p.Text = clip(*l.Text)
	}
	if l.Fraction != nil {
		f, err := l.Fraction.Float64()
		if err != nil || f < 0 || f > 1 {
			r.fault("line %d of what it printed: a fraction is between 0 and 1, and %s is not", r.lines, clip(l.Fraction.String()))
			return
		}
		p.Fraction = f
	}
	r.tell(p)
}

// data takes outputs, each of which has to be declared and of its type.
func (r *Reply) data(values map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		o, declared := r.action.Output(name)
		switch {
		case !declared:
			r.fault("line %d of what it printed has the output %q, which the manifest does not declare", r.lines, clip(name))
			continue
		case o.own():
			r.fault("line %d of what it printed has the output %s, which is there by itself", r.lines, name)
			continue
		case values[name] == nil:
			delete(r.answer.Data, name)
			continue
		}
		v, fault := o.value(values[name])
		if fault != "" {
			r.fault("line %d of what it printed: output %s %s", r.lines, name, fault)
			continue
		}
		if !r.room(name, v) {
			return
		}
		r.answer.Data[name] = v
	}
}

// room tells whether there is room for a value.
func (r *Reply) room(name string, v any) bool {
	raw, err := json.Marshal(v)
	if r.size += len(raw) + len(name); err == nil && r.size <= MaxData {
		return true
	}
	r.fault("line %d of what it printed: with %s its data have more than %d KiB", r.lines, name, MaxData>>10)
	return false
}

func (r *Reply) record(l line) {
	switch {
	case !inputName.MatchString(l.Kind):
		r.fault("line %d of what it printed: a record needs a kind, of a-z 0-9 _", r.lines)
	case len(r.answer.Records) >= MaxRecords:
		r.fault("it gave more than %d records", MaxRecords)
	case r.room("a record", l.Data):
		r.answer.Records = append(r.answer.Records, map[string]any{"kind": l.Kind, "data": l.Data})
	}
}

func (r *Reply) result(l line) {
	if l.Status != "ok" && l.Status != "failed" {
		r.fault("line %d of what it printed: the status of a result is ok or failed, not %q", r.lines, clip(l.Status))
		return
	}
	r.answer.Result, r.answer.OK = true, l.Status == "ok"
	if l.Message != nil {
		r.answer.Message = strings.TrimSpace(strings.ToValidUTF8((*l.Message)[:min(len(*l.Message), maxMessage)], ""))
	}
	r.data(l.Data)
}

// value gives v as the output's Go type, or what is wrong with it.
func (o Output) value(v any) (any, string) {
	if o.Type == Any {
		return v, ""
	}
	return Input{Type: o.Type, MaxLength: MaxData}.value(v)
}

func quoted(raw []byte) string { return fmt.Sprintf("%q", clip(string(raw))) }

// headTail keeps the beginning and the end of a text.
type headTail struct {
	limit      int
	head, tail []byte
	cut        int
}

func (h *headTail) add(s string) {
	n := min(len(s), h.limit/2-len(h.head))
	h.head = append(h.head, s[:n]...)
	h.tail = append(h.tail, s[n:]...)
	if over := len(h.tail) - h.limit/2; over > 0 {
		h.cut += over
		h.tail = append(h.tail[:0], h.tail[over:]...)
	}
}

// String gives what was kept, and between beginning and end how much was not.
func (h *headTail) String() string {
	head, tail := strings.ToValidUTF8(string(h.head), ""), strings.ToValidUTF8(string(h.tail), "")
	if h.cut > 0 {
		return fmt.Sprintf("%s\n[%d bytes are left out here]\n%s", head, h.cut, tail)
	}
	return string(h.head) + string(h.tail)
}
