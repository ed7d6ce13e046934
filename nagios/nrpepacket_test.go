package nagios

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"strings"
	"testing"

	fettle "github.com/fettle-dev/fettle"
)

// padded gives the bytes that begin as head has them, in hexadecimal, are zero up to size, and end as tail.
func padded(t *testing.T, head string, size int, tail string) []byte {
	t.Helper()
	first, err := hex.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	last, err := hex.DecodeString(tail)
	if err != nil {
		t.Fatal(err)
	}
	raw := make([]byte, size)
	copy(raw, first)
	copy(raw[size-len(last):], last)
	return raw
}

// TestReadNRPEPacket reads what check_nrpe 4.1.0 and nrpe 4.1.0 sent.
func TestReadNRPEPacket(t *testing.T) {
	tests := []struct {
		name, head string
		size       int
		tail       string
		want       NRPEPacket
	}{
		{"a question of version 4", "000400018689fef500000000000003fc636865636b5f64756d6d79", 1036, "", NRPEPacket{Version: 4, Text: "check_dummy"}},
		{"a question of version 3", "00030001cdbbbc4400000000000003f9636865636b5f64756d6d79", 1036, "", NRPEPacket{Version: 3, Text: "check_dummy"}},
		{"a question of version 3 with arguments", "00030001fe08663a00000000000003f9636865636b5f64756d6d7921782179207a", 1036, "", NRPEPacket{Version: 3, Text: "check_dummy!x!y z"}},
		{"a question of version 2, with noise where nothing is said", "00020001863ceea83346636865636b5f64756d6d79", 1036, "5755", NRPEPacket{Version: 2, Text: "check_dummy"}},
		{"an answer of version 4", "000400022670dc7100000000000000094f4b3a2066696e65", 25, "", NRPEPacket{Version: 4, Answer: true, Text: "OK: fine"}},
		{"an answer of version 4 that is unknown", "000400026c64bcaa00030000000000284e5250453a20436f6d6d616e642074696d6564206f757420", 56, "61667465722031207365636f6e647300", NRPEPacket{Version: 4, Answer: true, Code: 3, Text: "NRPE: Command timed out after 1 seconds"}},
		{"an answer of version 2", "00020002af8b5bbc00004f4b3a2066696e65", 1036, "4b73", NRPEPacket{Version: 2, Answer: true, Text: "OK: fine"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := bytes.NewReader(append(padded(t, tt.head, tt.size, tt.tail), "more"...))
			got, err := ReadNRPEPacket(r)
			if err != nil || got != tt.want {
				t.Fatalf("got %+v, %v", got, err)
			}
			if r.Len() != len("more") {
				t.Errorf("%d bytes are left behind it", r.Len())
			}
		})
	}
}

func TestReadNRPEPacketRefuses(t *testing.T) {
	good := NRPEPacket{Version: 4, Text: "check_load"}.Append(nil)
	change := func(at int, to ...byte) []byte {
		raw := bytes.Clone(good)
		copy(raw[at:], to)
		return raw
	}
	unended := NRPEPacket{Version: 2}.Append(nil)
	for i := nrpeHead2; i < nrpeHead2+nrpeBuffer2; i++ {
		unended[i] = 'x'
	}
	clear(unended[4:8])
	binary.BigEndian.PutUint32(unended[4:], crc32.ChecksumIEEE(unended))
	tests := []struct {
		name string
		raw  []byte
		want string
	}{
		{"version 1", change(0, 0, 1), "version 1"},
		{"version 5", change(0, 0, 5), "version 5"},
		{"a web browser", []byte("GET / HTTP/1.1\r\n\r\n"), "type"},
		{"a greeting of TLS", []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), "type"},
		{"a type that is none", change(2, 0, 3), "type 3"},
		{"a checksum that is wrong", change(4, 1, 2, 3, 4), "checksum"},
		{"a text that was changed", change(nrpeHead, 'x'), "checksum"},
		{"a length beyond all bounds", change(12, 0xff, 0xff, 0xff, 0xff), "at most"},
		{"a question that is too long", change(12, 0, 1, 0, 0), "at most"},
		{"a text without its end", unended, "without an end"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ReadNRPEPacket(bytes.NewReader(tt.raw))
			if !errors.Is(err, fettle.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	for n := range len(good) {
		want := io.ErrUnexpectedEOF
		if n == 0 {
			want = io.EOF
		}
		if _, err := ReadNRPEPacket(bytes.NewReader(good[:n])); !errors.Is(err, want) {
			t.Errorf("after %d bytes: got %v, want %v", n, err, want)
		}
	}
}

func TestNRPEPacketIsCut(t *testing.T) {
	long := strings.Repeat("x", MaxNRPEText+100)
	for version, want := range map[int]int{2: MaxNRPEText2, 3: MaxNRPEText, 4: MaxNRPEText} {
		got, err := ReadNRPEPacket(bytes.NewReader(NRPEPacket{Version: version, Answer: true, Text: long}.Append(nil)))
		if err != nil || len(got.Text) != want {
			t.Errorf("version %d: %d bytes, %v", version, len(got.Text), err)
		}
	}
	got, err := ReadNRPEPacket(bytes.NewReader(NRPEPacket{Version: 4, Answer: true, Text: "one\x00two"}.Append(nil)))
	if err != nil || got.Text != "one" {
		t.Errorf("behind a zero byte: %+v, %v", got, err)
	}
}

func FuzzNRPEPacket(f *testing.F) {
	for version := 2; version <= 4; version++ {
		f.Add(NRPEPacket{Version: version, Text: "check_load!1!2"}.Append(nil))
		f.Add(NRPEPacket{Version: version, Answer: true, Code: 2, Text: "CRITICAL|a=1\nmore"}.Append(nil))
	}
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := ReadNRPEPacket(bytes.NewReader(raw))
		if err != nil {
			return
		}
		again, err := ReadNRPEPacket(bytes.NewReader(p.Append(nil)))
		if err != nil || again != p || strings.Contains(p.Text, "\x00") {
			t.Fatalf("%+v is written and read as %+v, %v", p, again, err)
		}
	})
}
