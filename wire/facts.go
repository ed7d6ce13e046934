package wire

import (
	"encoding/json"
	"strconv"
)

// append writes f as JSON, the document as it stands.
func (f Facts) append(dst []byte) ([]byte, error) {
	dst = appendString(append(dst, `{"session":`...), f.Session)
	dst = strconv.AppendInt(append(dst, `,"seq":`...), f.Seq, 10)
	if f.Full != nil {
		dst = append(append(dst, `,"full":`...), f.Full...)
		dst = appendString(append(dst, `,"hash":`...), f.Hash)
	}
	for _, part := range []struct {
		name  string
		value any
		there bool
	}{{"patch", f.Patch, f.Patch != nil}, {"classes", f.Classes, f.Classes != nil}, {"commands", f.Commands, f.Commands != nil}} {
		if !part.there {
			continue
		}
		raw, err := json.Marshal(part.value)
		if err != nil {
			return nil, err
		}
		dst = append(append(append(append(dst, `,"`...), part.name...), `":`...), raw...)
	}
	return append(dst, '}'), nil
}

// parse reads f, and leaves the document for Canonical to look at.
func (f *Facts) parse(raw []byte) error {
	*f = Facts{}
	return fields(raw, func(key string, val []byte) (err error) {
		switch key {
		case "session":
			f.Session, err = text[string](val)
		case "seq":
			n, fault := number(val)
			f.Seq, err = int64(n), fault
		case "full":
			if f.Full = val; string(val) == "null" {
				f.Full = nil
			}
		case "hash":
			f.Hash, err = text[string](val)
		case "patch":
			err = json.Unmarshal(val, &f.Patch)
		case "classes":
			err = json.Unmarshal(val, &f.Classes)
		case "commands":
			err = json.Unmarshal(val, &f.Commands)
		}
		return err
	})
}
