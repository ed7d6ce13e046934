package nagios

import (
	"bytes"
	"crypto/des"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

func TestPassiveCommand(t *testing.T) {
	at := time.Unix(1795247988, 0)
	tests := []struct {
		name string
		p    Passive
		want string
	}{
		{"a service", Passive{Host: "fleet", Service: "load", Code: 1, Text: "WARN: 3 of 10|bad=3;1;5", At: at}, "[1795247988] PROCESS_SERVICE_CHECK_RESULT;fleet;load;1;WARN: 3 of 10|bad=3;1;5\n"},
		{"a host", Passive{Host: "web1", Text: "alive", At: at}, "[1795247988] PROCESS_HOST_CHECK_RESULT;web1;0;alive\n"},
		{"lines and backslashes", Passive{Host: "h", Service: "s", Text: "one\ntwo \\ three", At: at}, "[1795247988] PROCESS_SERVICE_CHECK_RESULT;h;s;0;one\\ntwo \\\\ three\n"},
		{"a command in the text", Passive{Host: "h", Service: "s", Text: "x\r\n[1] SHUTDOWN_PROGRAM\n", At: at}, "[1795247988] PROCESS_SERVICE_CHECK_RESULT;h;s;0;x \\n[1] SHUTDOWN_PROGRAM\\n\n"},
	}
	for _, tt := range tests {
		if got := tt.p.Command(); got != tt.want {
			t.Errorf("%s: got %q", tt.name, got)
		}
	}
	for _, text := range []string{strings.Repeat("ü", 5000), strings.Repeat("\n", 5000), strings.Repeat("\\", 5000)} {
		got := Passive{Host: "h", Service: "s", Text: text, At: at}.Command()
		if len(got) > MaxCommand || len(got) < MaxCommand-4 || strings.Count(got, "\n") != 1 || strings.ToValidUTF8(got, "") != got {
			t.Errorf("%d bytes end in %q", len(got), got[len(got)-8:])
		}
	}
}

func TestObjectName(t *testing.T) {
	for text, want := range map[string]string{
		"web1.acme.net": "web1.acme.net", "disks of Linux": "disks of Linux", "a;b|c": "a_b_c", "x\ny": "x_y", "=>5%": "__5_", "": "_", "  ": "_", "Größe": "Größe", " x ": "x",
	} {
		if got := ObjectName(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if got := ObjectName(strings.Repeat("ü", 300)); len(got) > maxObjectName {
		t.Errorf("%d bytes", len(got))
	}
}

// greeting is what an NSCA server begins with: bytes that count up, and its time.
func greeting() []byte {
	raw := make([]byte, NSCAGreeting)
	for i := range nscaIV {
		raw[i] = byte(i)
	}
	binary.BigEndian.PutUint32(raw[nscaIV:], 1795282834)
	return raw
}

func TestNSCAPacket(t *testing.T) {
	p := Passive{Host: "web1", Service: "load", Code: 2, Text: "CRIT x\nline two"}
	n, err := NewNSCA("none", "", greeting())
	if err != nil {
		t.Fatal(err)
	}
	raw := n.Packet(p)
	field := func(from, end int) string {
		text, _, closed := strings.Cut(string(raw[from:end]), "\x00")
		if !closed {
			t.Errorf("the field at %d has no end", from)
		}
		return text
	}
	if field(nscaHost, nscaService) != "web1" || field(nscaService, nscaText) != "load" || field(nscaText, nscaEnd) != p.Text {
		t.Errorf("fields: %q %q %q", field(nscaHost, nscaService), field(nscaService, nscaText), field(nscaText, nscaEnd))
	}
	if len(raw) != 4304 || binary.BigEndian.Uint16(raw) != 3 || binary.BigEndian.Uint32(raw[8:]) != 1795282834 || binary.BigEndian.Uint16(raw[12:]) != 2 {
		t.Errorf("head: %x", raw[:14])
	}
	sum := binary.BigEndian.Uint32(raw[4:])
	if clear(raw[4:8]); crc32.ChecksumIEEE(raw) != sum {
		t.Error("the checksum is wrong")
	}
	raw = n.Packet(Passive{Host: strings.Repeat("h", 100), Service: strings.Repeat("s", 200), Text: strings.Repeat("ü", 3000)})
	if got := field(nscaText, nscaEnd); len(field(nscaHost, nscaService)) != 63 || len(field(nscaService, nscaText)) != 127 || len(got) < MaxNSCAText-1 || strings.ToValidUTF8(got, "") != got {
		t.Errorf("what is too long: %d, %d, %d bytes", len(field(nscaHost, nscaService)), len(field(nscaService, nscaText)), len(got))
	}
}

// TestNSCAHides takes the packets apart again: xor by hand, a cipher by its definition of CFB with 8 bits, over two packets of one connection.
func TestNSCAHides(t *testing.T) {
	p := Passive{Host: "web1", Service: "load", Text: "OK"}
	xor, err := NewNSCA("xor", "sesame", greeting())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		raw := xor.Packet(p)
		for i := range raw {
			raw[i] ^= byte(i%nscaIV) ^ "sesame"[i%6]
		}
		if !bytes.HasPrefix(raw[nscaHost:], []byte("web1\x00")) {
			t.Errorf("xor: %q", raw[nscaHost:nscaHost+8])
		}
	}
	hidden, err := NewNSCA("3des", "sesame", greeting())
	if err != nil {
		t.Fatal(err)
	}
	key := make([]byte, 24)
	copy(key, "sesame")
	block, err := des.NewTripleDESCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	shift := greeting()[:8]
	for range 2 {
		raw := hidden.Packet(p)
		pad := make([]byte, 8)
		for i, c := range raw {
			block.Encrypt(pad, shift)
			shift = append(shift[1:8:8], c)
			raw[i] = c ^ pad[0]
		}
		if !bytes.HasPrefix(raw[nscaHost:], []byte("web1\x00")) {
			t.Errorf("3des: %q", raw[nscaHost:nscaHost+8])
		}
	}
}

func TestNewNSCARefuses(t *testing.T) {
	if _, err := NewNSCA("blowfish", "x", greeting()); !errors.Is(err, fettle.ErrInvalid) || !strings.Contains(err.Error(), "none, xor, des, 3des, rijndael-128") {
		t.Errorf("an unknown method: %v", err)
	}
	if _, err := NewNSCA("xor", "x", greeting()[:5]); !errors.Is(err, fettle.ErrInvalid) {
		t.Errorf("a greeting that is too short: %v", err)
	}
}
