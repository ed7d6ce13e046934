package nagios

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of NRPE's packets, in bytes of text without its closing zero.
const (
	MaxNRPEText2 = 1023       // of version 2, both ways
	MaxNRPEText  = 64<<10 - 1 // of an answer in versions 3 and 4: check_nrpe takes no longer one
	maxNRPEQuery = 16 << 10   // of a question in versions 3 and 4; check_nrpe itself sends 1,019
)

// The layout of NRPE's packets, in network order: version, type, checksum and code, which all have; then 1,024 bytes and two that the compiler
// of the first NRPE put there; or two unused bytes, a length, and so many bytes, which in version 3 three more follow.
const (
	nrpeHead2   = 10
	nrpeBuffer2 = 1024
	nrpeSize2   = nrpeHead2 + nrpeBuffer2 + 2
	nrpeHead    = 16
	nrpeTail3   = 3
)

// NRPEPacket is a question or an answer of the NRPE protocol.
type NRPEPacket struct {
	Version int              // 2, 3 or 4; an answer has the version of its question
	Answer  bool             // false: a question
	Code    fettle.CheckCode // of an answer; a question says nothing there
	Text    string           // a command with its arguments, "command!one!two"; or what a plugin printed. It holds no zero byte
}

// ReadNRPEPacket reads one packet, and not a byte further. ErrInvalid: it is none, of a version that is not known, too long, or its checksum is
// another. An error of r is given as it is: io.EOF where r ended before the first byte.
func ReadNRPEPacket(r io.Reader) (NRPEPacket, error) {
	raw := make([]byte, nrpeHead, nrpeSize2)
	if _, err := io.ReadFull(r, raw[:4]); err != nil {
		return NRPEPacket{}, err
	}
	p := NRPEPacket{Version: int(binary.BigEndian.Uint16(raw))}
	switch kind := binary.BigEndian.Uint16(raw[2:]); kind {
	case 1, 2:
		p.Answer = kind == 2
	default:
		return NRPEPacket{}, fmt.Errorf("NRPE packet of type %d: %w", kind, fettle.ErrInvalid)
	}
	if p.Version < 2 || p.Version > 4 {
		return NRPEPacket{}, fmt.Errorf("NRPE packet of version %d; 2, 3 and 4 are known: %w", p.Version, fettle.ErrInvalid)
	}
	if _, err := io.ReadFull(r, raw[4:]); err != nil {
		return NRPEPacket{}, whole(err)
	}
	length, at, size, err := p.layout(raw)
	if err != nil {
		return NRPEPacket{}, err
	}
	raw = append(raw, make([]byte, size-nrpeHead)...)
	if _, err := io.ReadFull(r, raw[nrpeHead:]); err != nil {
		return NRPEPacket{}, whole(err)
	}
	sum := binary.BigEndian.Uint32(raw[4:])
	if clear(raw[4:8]); crc32.ChecksumIEEE(raw) != sum {
		return NRPEPacket{}, fmt.Errorf("NRPE packet with a wrong checksum: %w", fettle.ErrInvalid)
	}
	if p.Answer {
		p.Code = fettle.CheckCode(int16(binary.BigEndian.Uint16(raw[8:]))) // C's int16_t
	}
	text, _, closed := bytes.Cut(raw[at:at+length], []byte{0})
	if !closed && p.Version == 2 {
		return NRPEPacket{}, fmt.Errorf("NRPE packet without an end of its text: %w", fettle.ErrInvalid)
	}
	p.Text = string(text)
	return p, nil
}

// layout gives where the text of a packet stands, and the size of the whole, all by the first nrpeHead bytes of it.
func (p NRPEPacket) layout(head []byte) (length, at, size int, err error) {
	if p.Version == 2 {
		return nrpeBuffer2, nrpeHead2, nrpeSize2, nil
	}
	limit := maxNRPEQuery
	if p.Answer {
		limit = MaxNRPEText + 1
	}
	if said := binary.BigEndian.Uint32(head[12:]); said > uint32(limit) {
		return 0, 0, 0, fmt.Errorf("NRPE packet of %d bytes; at most %d: %w", said, limit, fettle.ErrInvalid)
	} else {
		length = int(said)
	}
	size = nrpeHead + length
	if p.Version == 3 {
		size += nrpeTail3
	}
	return length, nrpeHead, size, nil
}

// whole makes of an end within a packet the error that it is.
func whole(err error) error {
	if err == io.EOF { //nolint:errorlint // io.ReadFull gives it as it is
		return io.ErrUnexpectedEOF
	}
	return err
}

// Append writes p behind b. What does not fit into a packet of its version is left out, and all behind a zero byte.
func (p NRPEPacket) Append(b []byte) []byte {
	text, _, _ := bytes.Cut([]byte(p.Text), []byte{0})
	var raw []byte
	at := nrpeHead
	if p.Version == 2 {
		text, raw, at = text[:min(len(text), MaxNRPEText2)], make([]byte, nrpeSize2), nrpeHead2
	} else {
		limit := maxNRPEQuery - 1
		if p.Answer {
			limit = MaxNRPEText
		}
		text = text[:min(len(text), limit)]
		size := nrpeHead + len(text) + 1
		if p.Version == 3 {
			size += nrpeTail3
		}
		raw = make([]byte, size)
		binary.BigEndian.PutUint32(raw[12:], uint32(len(text)+1))
	}
	binary.BigEndian.PutUint16(raw, uint16(p.Version))
	kind := uint16(1)
	if p.Answer {
		kind = 2
		binary.BigEndian.PutUint16(raw[8:], uint16(int16(p.Code)))
	}
	binary.BigEndian.PutUint16(raw[2:], kind)
	copy(raw[at:], text)
	binary.BigEndian.PutUint32(raw[4:], crc32.ChecksumIEEE(raw))
	return append(b, raw...)
}
