package nagios

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// NSCA's packets, by version 3 of its protocol. The server speaks first: random bytes and its time; then each result is one packet, in network
// order: version, checksum, time, code, host, service and text, as C lays out a struct.
const (
	NSCAGreeting = nscaIV + 4 // bytes that the server begins with
	nscaIV       = 128
	nscaPacket   = 4304
	nscaHost     = 14
	nscaService  = nscaHost + 64
	nscaText     = nscaService + 128
	nscaEnd      = nscaText + 4096
)

// MaxNSCAText is how much of a text a packet has room for, in bytes.
const MaxNSCAText = nscaEnd - nscaText - 1

// nscaMethods are the ways of hiding packets that are known here, with the numbers that they have in nsca.cfg. All ciphers run in CFB with 8 bits,
// and their key is the password, filled up with zeros. Others of mcrypt's (Blowfish, CAST, Twofish and so on) are in no standard library.
var nscaMethods = map[string]nscaMethod{
	"none":         {number: 0},
	"xor":          {number: 1},
	"des":          {2, 8, des.NewCipher},
	"3des":         {3, 24, des.NewTripleDESCipher},
	"rijndael-128": {14, 32, aes.NewCipher}, // AES with a key of 256 bits
}

type nscaMethod struct {
	number int
	key    int // bytes; 0: no cipher
	cipher func(key []byte) (cipher.Block, error)
}

// NSCAMethods gives the names of the ways of hiding packets, sorted by their numbers.
func NSCAMethods() []string {
	var names []string
	for name := range nscaMethods {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return nscaMethods[a].number - nscaMethods[b].number })
	return names
}

// NSCA makes the packets of one connection, in their order. It is not safe for concurrent use.
type NSCA struct {
	method   string
	password string
	iv       []byte
	at       uint32
	shift    []byte       // the cipher's feedback
	block    cipher.Block // nil: none
}

// NewNSCA begins a connection, by what its server began with. ErrInvalid: the greeting is none, or there is no such method (see NSCAMethods).
func NewNSCA(method, password string, greeting []byte) (*NSCA, error) {
	m, known := nscaMethods[method]
	if !known {
		return nil, fmt.Errorf("encryption %q is none of %s: %w", method, strings.Join(NSCAMethods(), ", "), fettle.ErrInvalid)
	}
	if len(greeting) != NSCAGreeting {
		return nil, fmt.Errorf("the server began with %d bytes, not %d: %w", len(greeting), NSCAGreeting, fettle.ErrInvalid)
	}
	n := &NSCA{method: method, password: password, iv: slices.Clone(greeting[:nscaIV]), at: binary.BigEndian.Uint32(greeting[nscaIV:])}
	if m.cipher == nil {
		return n, nil
	}
	key := make([]byte, m.key)
	copy(key, password)
	block, err := m.cipher(key)
	if err != nil {
		return nil, fmt.Errorf("encryption %s: %w", method, err)
	}
	n.block, n.shift = block, slices.Clone(n.iv[:block.BlockSize()])
	return n, nil
}

// Packet gives the bytes of p. Its time is the server's own, by which it judges how old a packet is. Names that are too long are cut, and the text
// is at MaxNSCAText.
func (n *NSCA) Packet(p Passive) []byte {
	raw := make([]byte, nscaPacket)
	_, _ = rand.Read(raw[nscaHost:nscaEnd]) // it never fails; so that nobody learns the key by zeros that he knows
	for _, field := range []struct {
		text      string
		from, end int
	}{{p.Host, nscaHost, nscaService}, {p.Service, nscaService, nscaText}, {p.Text, nscaText, nscaEnd}} {
		text := strings.ReplaceAll(strings.ToValidUTF8(field.text, "�"), "\x00", " ")
		raw[field.from+copy(raw[field.from:field.end-1], whole8(text, field.end-field.from-1))] = 0
	}
	binary.BigEndian.PutUint16(raw, 3)
	binary.BigEndian.PutUint32(raw[8:], n.at)
	binary.BigEndian.PutUint16(raw[12:], uint16(p.Code))
	binary.BigEndian.PutUint32(raw[4:], crc32.ChecksumIEEE(raw))
	n.hide(raw)
	return raw
}

// whole8 gives at most limit bytes of s, and no half of a character.
func whole8(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "")
}

// hide encrypts raw in place.
func (n *NSCA) hide(raw []byte) {
	switch {
	case n.method == "xor":
		for i := range raw {
			raw[i] ^= n.iv[i%len(n.iv)]
			if n.password != "" {
				raw[i] ^= n.password[i%len(n.password)]
			}
		}
	case n.block != nil:
		pad := make([]byte, len(n.shift))
		for i := range raw {
			n.block.Encrypt(pad, n.shift)
			raw[i] ^= pad[0]
			n.shift = append(n.shift[1:], raw[i])
		}
	}
}
