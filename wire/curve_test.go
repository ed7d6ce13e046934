package wire

import (
	"crypto/ed25519"
	"encoding/hex"
	"slices"
	"testing"
)

// The first three vectors of RFC 8032, section 7.1: secret, public, message, signature.
var vectors = [][4]string{
	{
		"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
		"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
	},
	{
		"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
		"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
	},
	{
		"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
		"6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
	},
}

func TestSignaturesAreThoseOfTheRFC(t *testing.T) {
	for _, v := range vectors {
		key, body := ed25519.NewKeyFromSeed(unhex(t, v[0])), unhex(t, v[2])
		public := key.Public().(ed25519.PublicKey)
		if hex.EncodeToString(public) != v[1] {
			t.Fatalf("public key %x, want %s", public, v[1])
		}
		signature := Sign(key, body)
		if hex.EncodeToString(signature) != v[3] {
			t.Errorf("signature %x, want %s", signature, v[3])
		}
		if !Verify(public, body, signature) || !Prepare(public).Verify(body, signature) {
			t.Error("the signature of the RFC is not taken")
		}
	}
}

func TestSignaturesThatAreWrong(t *testing.T) {
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte("a task")
	right := ed25519.Sign(key, body) // the standard library's, and it is taken here
	flipped := slices.Clone(right)
	flipped[40] ^= 1
	for name, c := range map[string]struct {
		body, signature []byte
		want            bool
	}{
		"right": {body, right, true}, "another body": {[]byte("another task"), right, false}, "a flipped bit": {body, flipped, false},
		"too short": {body, right[:63], false}, "none": {body, nil, false},
	} {
		if got := Verify(public, c.body, c.signature); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if got := Prepare(public).Verify(c.body, c.signature); got != c.want {
			t.Errorf("%s, prepared: %v", name, got)
		}
	}
	if Verify(public[:31], body, right) || (PreparedKey{}).Verify(body, right) || Prepare(public[:31]).Verify(body, right) {
		t.Error("a key that is none takes a signature")
	}
}

// One signature that is wrong is found among the others, wherever it stands and however many there are.
func TestManySignatures(t *testing.T) {
	for _, n := range []int{0, 1, verifyFew - 1, verifyFew, 64, 200} {
		list, want := make([]Signed, n), make([]bool, n)
		for i := range list {
			public, key, err := ed25519.GenerateKey(nil)
			if err != nil {
				t.Fatal(err)
			}
			body := []byte{byte(i), byte(n)}
			list[i], want[i] = Signed{public, body, Sign(key, body)}, true
		}
		if got := VerifyMany(list); !slices.Equal(got, want) {
			t.Errorf("%d right ones: %v", n, got)
		}
		for _, at := range []int{0, n / 2, n - 1} {
			if n == 0 {
				continue
			}
			before := list[at]
			for _, wrong := range []Signed{{before.Key, []byte("forged"), before.Signature}, {before.Key, before.Body, nil}, {list[(at+1)%n].Key, before.Body, before.Signature}} {
				if n == 1 && wrong.Signature != nil && string(wrong.Body) == string(before.Body) {
					continue // there is no other key
				}
				list[at], want[at] = wrong, false
				if got := VerifyMany(list); !slices.Equal(got, want) {
					t.Errorf("%d, the one at %d wrong: %v", n, at, got)
				}
			}
			list[at], want[at] = before, true
		}
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func BenchmarkVerify64Together(b *testing.B) {
	list := make([]Signed, 64)
	for i := range list {
		public, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			b.Fatal(err)
		}
		body := make([]byte, 500)
		list[i] = Signed{public, body, Sign(key, body)}
	}
	for b.Loop() {
		VerifyMany(list)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(list)), "ns/signature")
}
