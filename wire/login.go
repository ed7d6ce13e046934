package wire

import (
	"bytes"
	"cmp"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// deadlines reads from a connection that is dead when it is silent for too long.
type deadlines struct {
	conn   net.Conn
	silent time.Duration // zero: for ever
}

func (d *deadlines) Read(p []byte) (int, error) {
	var until time.Time
	if d.silent > 0 {
		until = time.Now().Add(d.silent)
	}
	if err := d.conn.SetReadDeadline(until); err != nil {
		return 0, err
	}
	return d.conn.Read(p)
}

// login sends CONNECT and reads CONNECTED.
func (s *session) login(to server, who LinkIdentity, in *frameReader, alive *deadlines) error {
	host, client := cmp.Or(to.host, s.cfg.Dialect.Host, to.name), who.ClientID
	if s.cfg.Dialect.Anonymous {
		client = ""
	}
	beat := s.cfg.HeartBeat.Milliseconds()
	// By hand, because values of this frame are not escaped. STOMP 1.2, "Value Encoding".
	head := fmt.Sprintf("CONNECT\naccept-version:1.1,1.2\nhost:%s\nheart-beat:%d,%d\n", host, beat, beat)
	for _, f := range []Field{{"login", who.Login}, {"passcode", who.Passcode}, {"client-id", client}} {
		if f.Value != "" {
			head += f.Name + ":" + f.Value + "\n"
		}
	}
	if err := s.writeBytes([]byte(head + "\n\x00")); err != nil {
		return err
	}
	f, err := readFrame(in)
	if err != nil {
		return fmt.Errorf("log in: %w", advised(err)) // in TLS 1.3 a refused client learns of it only now
	}
	if f.Command != "CONNECTED" {
		return fmt.Errorf("log in: a %s came instead of CONNECTED: %w", clip(f.Command), fettle.ErrUnavailable)
	}
	switch version := f.Get("version"); version {
	case "1.1":
		in.dec.Version = STOMP11
	case "1.2":
		in.dec.Version = STOMP12
	default:
		return fmt.Errorf("log in: the broker speaks STOMP %q: %w", clip(version), fettle.ErrInvalid)
	}
	s.version = in.dec.Version
	gives, wants, err := parseHeartBeat(f.Get("heart-beat"))
	if err == nil && s.cfg.HeartBeat > 0 {
		if wants > 0 {
			s.beats = max(wants, s.cfg.HeartBeat)
		}
		if gives > 0 {
			alive.silent = 2 * max(gives, s.cfg.HeartBeat)
		}
	}
	return nil
}

// readFrame reads a frame, and gives an ERROR as the error that it is.
func readFrame(in *frameReader) (*Frame, error) {
	f, err := in.next()
	if err == nil && f.Command == "ERROR" {
		return nil, errorOf(f)
	}
	return f, err
}

// parseHeartBeat reads what the other end gives and wants. STOMP 1.2, "Heart-beating".
func parseHeartBeat(text string) (gives, wants time.Duration, err error) {
	x, y, _ := strings.Cut(text, ",")
	for _, part := range []struct {
		text string
		to   *time.Duration
	}{{x, &gives}, {y, &wants}} {
		ms, err := strconv.ParseUint(part.text, 10, 32)
		if err != nil {
			return 0, 0, fmt.Errorf("heart-beat %q is not two numbers of milliseconds: %w", clip(text), fettle.ErrInvalid)
		}
		*part.to = time.Duration(ms) * time.Millisecond
	}
	return gives, wants, nil
}

// reasonLimit bounds what is told of a broker's reason, in bytes: an identity may have 253.
const reasonLimit = 400

// brokerError is an ERROR frame.
type brokerError struct {
	text       string
	retryAfter time.Duration
}

func (e *brokerError) Error() string { return "the broker says: " + e.text }

// Unwrap makes it an ErrUnavailable: whoever mends the other end need not restart this one.
func (e *brokerError) Unwrap() error { return fettle.ErrUnavailable }

func errorOf(f *Frame) error {
	text, body := f.Get("message"), string(bytes.TrimSpace(f.Body))
	if text == "" {
		text, body, _ = strings.Cut(body, "\n")
	}
	e := &brokerError{text: clipTo(reasonLimit, text)}
	if body != "" && !strings.HasPrefix(body, text) { // our broker says the same in both
		e.text += ": " + clipTo(reasonLimit, body)
	}
	if ms, err := strconv.ParseInt(f.Get("retry-after"), 10, 32); err == nil {
		e.retryAfter = time.Duration(ms) * time.Millisecond
	}
	return e
}
