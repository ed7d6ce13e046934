package wire

import (
	"strings"
	"testing"
)

func TestWhatTheBrokerSays(t *testing.T) {
	const revoked = "key 0086c433303d85d3854f1d3760ef0e76 of node b.acme.net is not good any more: denied"
	long := strings.Repeat("x", 2*reasonLimit)
	for _, tt := range []struct{ name, message, body, want string }{
		{"our broker says the same in header and body: it is told once, whole", revoked, revoked + "\nThe frame was: CONNECT\n", revoked},
		{"another has the reason in the body", "Bad CONNECT", "Access refused for user 'x'\n", "Bad CONNECT: Access refused for user 'x'"},
		{"a body alone", "", "no more room\n", "no more room"},
		{"nothing", "", "", ""},
		{"what is long is cut", long, "", long[:reasonLimit] + "…"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := Frame{Command: "ERROR", Header: []Field{{"message", tt.message}}, Body: []byte(tt.body)}
			if got := errorOf(&f).Error(); got != "the broker says: "+tt.want {
				t.Errorf("%q", got)
			}
		})
	}
}
