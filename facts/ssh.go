package facts

import (
	"crypto/sha1" // RFC 4255 has fingerprints of this kind as well
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// sshKeys are the host keys that are looked for, and their numbers in SSHFP records (RFC 4255, 6594, 7479).
var sshKeys = []struct {
	file, kind, name string
	number           int
}{
	{"ssh_host_rsa_key.pub", "ssh-rsa", "rsa", 1},
	{"ssh_host_dsa_key.pub", "ssh-dss", "dsa", 2},
	{"ssh_host_ecdsa_key.pub", "ecdsa-sha2-nistp256", "ecdsa", 3},
	{"ssh_host_ed25519_key.pub", "ssh-ed25519", "ed25519", 4},
}

// ssh gives ssh: the public host keys and their fingerprints.
func (m *machine) ssh() (object, error) {
	out := object{}
	for _, dir := range []string{"/etc/ssh/", "/usr/local/etc/ssh/", "/etc/", "/usr/local/etc/", "/etc/opt/ssh/"} {
		for _, key := range sshKeys {
			if facts := sshKey(m.line(dir+key.file), key.kind, key.number); facts != nil {
				out[key.name] = facts
			}
		}
	}
	facts := object{}
	set(facts, "ssh", out)
	return facts, nil
}

// sshKey reads a public key file: kind, base64, comment.
func sshKey(line, kind string, number int) object {
	fields := strings.Fields(line)
	if len(fields) < 2 || fields[0] != kind {
		return nil
	}
	raw, err := base64.StdEncoding.DecodeString(fields[1])
	if err != nil {
		return nil
	}
	return object{
		"type": kind, "key": fields[1],
		"fingerprints": object{
			"sha1":   fmt.Sprintf("SSHFP %d 1 %x", number, sha1.Sum(raw)),
			"sha256": fmt.Sprintf("SSHFP %d 2 %x", number, sha256.Sum256(raw)),
		},
	}
}
