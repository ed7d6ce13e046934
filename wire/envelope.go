package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	fettle "github.com/fettle-dev/fettle"
)

// Version is that of the protocol: the one that this code writes, and the only one that it reads.
const Version = 1

// Server is the name under which a server sends; it is no node's identity.
const Server = "server"

// ErrExpired says that a message came too late to be acted upon. There is nothing wrong with it otherwise.
var ErrExpired = errors.New("expired")

// Envelope is what every message has around its body.
type Envelope struct {
	V          int           `json:"v"`
	Type       Type          `json:"type"`
	ID         string        `json:"id"`           // a UUIDv7; a message that is seen again has the same
	From       string        `json:"from"`         // a node's identity, or Server
	To         string        `json:"to,omitempty"` // a node's identity, or Server; empty: everyone who reads the destination
	At         fettle.Millis `json:"at"`           // when it was sealed, by the sender's clock
	Expires    fettle.Millis `json:"expires"`      // by the server's clock, at most fettle.MaxExpiry after At
	Collective string        `json:"collective,omitempty"`
	Enc        string        `json:"enc,omitempty"` // encoding of Body; empty: JSON
	// Body is not looked at by Open, beyond where it ends: Decode does that. It may alias the message.
	Body json.RawMessage `json:"body,omitempty"`
}

// NewID makes a UUID of version 7: it sorts after all that this process made before, and by the clock after those of others.
func NewID() string {
	return uuid.Must(uuid.NewV7()).String() // crypto/rand never fails since Go 1.24
}

// Decode reads the body into v, which is a pointer to one of the types of message.go or to fettle.Task. A body that does not fit is
// ErrInvalid. Facts that were read so alias the message.
func (e Envelope) Decode(v any) error {
	var err error
	if facts, ok := v.(*Facts); ok {
		err = facts.parse(e.Body)
	} else {
		err = json.Unmarshal(e.Body, v)
	}
	if err != nil {
		return fmt.Errorf("%s %s: body: %w", e.Type, e.ID, invalid(err))
	}
	return nil
}

// invalid makes err an ErrInvalid, if it is none yet.
func invalid(err error) error {
	if errors.Is(err, fettle.ErrInvalid) {
		return err
	}
	return fmt.Errorf("%w: %w", err, fettle.ErrInvalid)
}

// append writes e as JSON.
func (e Envelope) append(dst []byte) []byte {
	dst = append(dst, `{"v":`...)
	dst = strconv.AppendInt(dst, int64(e.V), 10)
	text := func(name, value string) {
		if value != "" {
			dst = appendString(append(append(append(dst, `,"`...), name...), `":`...), value)
		}
	}
	text("type", string(e.Type))
	text("id", e.ID)
	text("from", e.From)
	text("to", e.To)
	dst = strconv.AppendInt(append(dst, `,"at":`...), int64(e.At), 10)
	dst = strconv.AppendInt(append(dst, `,"expires":`...), int64(e.Expires), 10)
	text("collective", e.Collective)
	text("enc", e.Enc)
	if len(e.Body) > 0 {
		dst = append(append(dst, `,"body":`...), e.Body...)
	}
	return append(dst, '}')
}

// parse reads an envelope strictly, but for its body and for keys that a later version may add.
func (e *Envelope) parse(raw []byte) error {
	if !utf8.Valid(raw) {
		return errors.New("not UTF-8")
	}
	return fields(raw, func(key string, val []byte) (err error) {
		switch key {
		case "v":
			var v fettle.Millis
			v, err = number(val)
			e.V = int(v)
		case "type":
			e.Type, err = text[Type](val)
		case "id":
			e.ID, err = text[string](val)
		case "from":
			e.From, err = text[string](val)
		case "to":
			e.To, err = text[string](val)
		case "at":
			e.At, err = number(val)
		case "expires":
			e.Expires, err = number(val)
		case "collective":
			e.Collective, err = text[string](val)
		case "enc":
			e.Enc, err = text[string](val)
		case "body":
			e.Body = val
		}
		return err
	})
}

// check tells what is wrong with e; now zero: its expiry is not judged.
func (e Envelope) check(now fettle.Millis) error {
	if e.V != Version {
		return fmt.Errorf("version %d, and only %d is known: %w", e.V, Version, fettle.ErrInvalid)
	}
	if e.Type == "" || len(e.Type) > 32 {
		return fmt.Errorf("no type, or too long a one: %w", fettle.ErrInvalid)
	}
	if len(e.ID) != 36 || uuid.Validate(e.ID) != nil {
		return fmt.Errorf("id %q is no UUID: %w", clip(e.ID), fettle.ErrInvalid)
	}
	if err := checkName("from", e.From); err != nil {
		return err
	}
	if e.To != "" {
		if err := checkName("to", e.To); err != nil {
			return err
		}
	}
	if e.At <= 0 || e.Expires < e.At || e.Expires-e.At > fettle.Millis(fettle.MaxExpiry/time.Millisecond) {
		return fmt.Errorf("at %d, expires %d: it has to expire within %v of its sending: %w", e.At, e.Expires, fettle.MaxExpiry, fettle.ErrInvalid)
	}
	if now != 0 && now > e.Expires {
		return fmt.Errorf("%s %s: %v ago: %w", e.Type, e.ID, now.Sub(e.Expires), ErrExpired)
	}
	return nil
}

func checkName(what, name string) error {
	if id, err := fettle.ParseNodeID(name); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	} else if string(id) != name {
		return fmt.Errorf("%s: identity %q is not in lower case: %w", what, name, fettle.ErrInvalid)
	}
	return nil
}

// fields calls f for every member of the JSON object raw. Keys are read strictly, and none may come twice; values are only cut out.
func fields(raw []byte, f func(key string, val []byte) error) error {
	c := canon{src: raw}
	var seen [16]string // more keys than any message has
	if c.blanks(); c.peek() != '{' {
		return errors.New("an object has to stand at the beginning")
	}
	c.pos++
	for n := 0; ; n++ {
		if c.blanks(); n == 0 && c.peek() == '}' {
			break
		}
		if n == len(seen) {
			return errors.New("too many keys")
		}
		if c.peek() != '"' {
			return c.fault("a key in double quotes has to stand here")
		}
		key, _, err := c.text(nil)
		if err != nil {
			return err
		}
		for _, k := range seen[:n] {
			if k == key {
				return c.fault(fmt.Sprintf("%q comes twice", clip(key)))
			}
		}
		seen[n] = key
		if c.blanks(); c.peek() != ':' {
			return c.fault("':' has to stand here")
		}
		c.pos++
		c.blanks()
		end := skip(raw, c.pos)
		if end < 0 {
			return c.fault("a value does not end")
		}
		if err := f(key, raw[c.pos:end]); err != nil {
			return fmt.Errorf("%s: %w", clip(key), err)
		}
		c.pos = end
		if c.blanks(); c.peek() != ',' {
			break
		}
		c.pos++
	}
	if c.peek() != '}' {
		return c.fault("',' or '}' has to stand here")
	}
	c.pos++
	if c.blanks(); c.pos != len(raw) {
		return c.fault("something stands after the end")
	}
	return nil
}

// text reads a JSON string.
func text[S ~string](val []byte) (S, error) {
	c := canon{src: val}
	if c.peek() != '"' {
		return "", errors.New("a string has to stand here")
	}
	s, _, err := c.text(nil)
	return S(strings.Clone(s)), err
}

// number reads a whole number.
func number(val []byte) (fettle.Millis, error) {
	n, err := strconv.ParseInt(string(val), 10, 64)
	if err != nil {
		return 0, errors.New("a whole number has to stand here")
	}
	return fettle.Millis(n), nil
}
