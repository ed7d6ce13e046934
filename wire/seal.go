package wire

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/klauspost/compress/zstd"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of a message.
const (
	MaxMessage      = 2 << 20 // bytes of an envelope, compressed or not
	compressFrom    = 1 << 10 // bytes; below it zstd gains less than its header costs
	maxKeyID        = 128     // bytes
	maxCertificate  = 512     // bytes
	headerSignature = "fettle-sig"
	headerEncoding  = "content-encoding"
	encodingZstd    = "zstd"
)

// HeaderCertificate is the header in which a server's certificate travels.
const HeaderCertificate = "fettle-cert"

// Field is one header of a STOMP frame.
type Field struct{ Name, Value string }

// Message is an envelope as it travels: the body of a STOMP frame, and the headers that say how to read it. Nothing in a header is trusted.
type Message struct {
	Header []Field
	Body   []byte

	// What a broker that is not embedded is told of it, and does not travel. Life is for how long the broker may keep it, zero: for ever; At is
	// when that began, by the server's clock, zero: not known.
	Life time.Duration
	At   fettle.Millis
}

// Get gives the first header of that name; empty if there is none.
func (m Message) Get(name string) string {
	for _, f := range m.Header {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// Signature is who vouches for the bytes of a message, as its headers say. Nothing of it is trusted before a Verifier has looked at it.
type Signature struct {
	KeyID       string // without ':'
	Bytes       []byte
	Certificate string // of a server's key, in base64; empty: the other end knows the key
}

// Signer signs what is sent. It is safe for concurrent use.
type Signer interface {
	Sign(body []byte) Signature
}

// Verifier checks a signature over the bytes as they travelled, and gives the name that the key belongs to: a node's identity or Server. A key
// that is not known or a signature that is not right is ErrDenied. It is safe for concurrent use.
type Verifier interface {
	Verify(sig Signature, body []byte) (owner string, err error)
}

// Seal makes the message for env, whose Body becomes body in JSON, or stays as it is when body is nil. V, ID and Expires are filled in where
// they are zero; At has to be there. A broker may drop the message at an Expires that was given. A nil signer leaves it unsigned.
func Seal(env Envelope, body any, signer Signer) (Message, error) {
	if body != nil {
		raw, err := marshal(body)
		if err != nil {
			return Message{}, fmt.Errorf("seal %s: %w", env.Type, err)
		}
		env.Body = raw
	}
	if env.V == 0 {
		env.V = Version
	}
	if env.ID == "" {
		env.ID = NewID()
	}
	var life time.Duration
	if env.Expires == 0 {
		env.Expires = env.At.Add(fettle.MaxExpiry)
	} else {
		life = max(env.Expires.Sub(env.At), time.Millisecond)
	}
	if err := env.check(0); err != nil {
		return Message{}, fmt.Errorf("seal %s: %w", env.Type, err)
	}
	m := Message{Body: env.append(make([]byte, 0, 256+len(env.Body))), Life: life, At: env.At}
	if len(m.Body) > MaxMessage {
		return Message{}, fmt.Errorf("seal %s: %d bytes, and %d are allowed: %w", env.Type, len(m.Body), MaxMessage, fettle.ErrInvalid)
	}
	if len(m.Body) >= compressFrom {
		if encoderErr != nil {
			return Message{}, fmt.Errorf("seal %s: zstd: %w", env.Type, encoderErr)
		}
		m.Body = encoder.EncodeAll(m.Body, nil)
		m.Header = append(m.Header, Field{headerEncoding, encodingZstd})
	}
	if signer != nil {
		sig := signer.Sign(m.Body)
		m.Header = append(m.Header, Field{headerSignature, sig.KeyID + ":" + base64.StdEncoding.EncodeToString(sig.Bytes)})
		if sig.Certificate != "" {
			m.Header = append(m.Header, Field{HeaderCertificate, sig.Certificate})
		}
	}
	return m, nil
}

// marshal writes a body. Facts hold a document in JSON already, which encoding/json would read and write once more.
func marshal(body any) ([]byte, error) {
	if facts, ok := body.(Facts); ok {
		return facts.append(nil)
	}
	return json.Marshal(body)
}

// Open reads a message. A verifier that is not nil checks the signature, before anything else is done with the bytes, and the sender's name
// against the key's owner; ErrDenied says that one of them is not right. ErrInvalid: it can never be read. ErrExpired: now is past its
// expiry; the envelope is given all the same. A zero now does not judge the expiry. The envelope may alias the message.
func Open(m Message, verifier Verifier, now fettle.Millis) (Envelope, error) {
	if verifier == nil {
		return open(m, "", now)
	}
	return Prove([]Message{m}, verifier)[0].Open(m, now)
}

// open reads a message that owner signed; empty: nobody looked.
func open(m Message, owner string, now fettle.Millis) (Envelope, error) {
	if len(m.Body) > MaxMessage {
		return Envelope{}, fmt.Errorf("open: %d bytes, and %d are allowed: %w", len(m.Body), MaxMessage, fettle.ErrInvalid)
	}
	raw, err := decompress(m)
	if err != nil {
		return Envelope{}, fmt.Errorf("open: %w", err)
	}
	var env Envelope
	if err := env.parse(raw); err != nil {
		return Envelope{}, fmt.Errorf("open: %w", invalid(err))
	}
	if err := env.check(now); err != nil {
		if errors.Is(err, ErrExpired) {
			return env, fmt.Errorf("open: %w", err)
		}
		return Envelope{}, fmt.Errorf("open: %w", err)
	}
	if owner != "" && owner != env.From {
		return Envelope{}, fmt.Errorf("open: it says that it is from %s, and %s signed it: %w", env.From, owner, fettle.ErrDenied)
	}
	return env, nil
}

// decompress gives the envelope's bytes, never more than MaxMessage of them.
func decompress(m Message) ([]byte, error) {
	switch enc := m.Get(headerEncoding); enc {
	case "", "identity":
		return m.Body, nil
	case encodingZstd:
		if decoderErr != nil {
			return nil, fmt.Errorf("zstd: %w", decoderErr)
		}
		raw, err := decoder.DecodeAll(m.Body, nil)
		if err != nil {
			return nil, fmt.Errorf("decompress: %w", invalid(err))
		}
		if len(raw) > MaxMessage {
			return nil, fmt.Errorf("decompress: more than %d bytes: %w", MaxMessage, fettle.ErrInvalid)
		}
		return raw, nil
	default:
		return nil, fmt.Errorf("content-encoding %q is not known: %w", clip(enc), fettle.ErrInvalid)
	}
}

// One encoder and one decoder serve the whole process: both are safe for concurrent use by EncodeAll and DecodeAll, and each holds hundreds of
// kilobytes. They are made, and used once, at the start (0.1 ms): what they make at their first use belongs to the synctest bubble it happens in.
var (
	encoder, encoderErr = newEncoder()
	decoder, decoderErr = newDecoder()
)

func newEncoder() (*zstd.Encoder, error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(128<<10), zstd.WithLowerEncoderMem(true), zstd.WithEncoderConcurrency(2))
	if err == nil {
		e.EncodeAll(nil, nil)
	}
	return e, err
}

func newDecoder() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderMaxMemory(MaxMessage), zstd.WithDecoderLowmem(true), zstd.WithDecoderConcurrency(4))
}
