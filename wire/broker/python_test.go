//go:build integration

package broker

import (
	"context"
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestPythonClient has a session with stomp.py, of Debian's python3-stomp.
func TestPythonClient(t *testing.T) {
	for _, version := range []string{"1.1", "1.2"} {
		t.Run(version, func(t *testing.T) {
			r := newRig(t, nil)
			_, port, err := net.SplitHostPort(r.addr)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			out, err := exec.CommandContext(ctx, "/usr/bin/python3", "testdata/session.py", port, version).CombinedOutput()
			if err != nil {
				t.Fatalf("session.py: %v\n%s", err, out)
			}
			want := `topic grüße 'line\nbreak \\ colon:' @joe
receipt r1
again m0 true
queue m1
queue m2
transaction commit
receipt r2
error r3 SEND: destination "/nowhere" does not begin with /topic/ or /queue/ and a name: invalid
`
			if diff := cmp.Diff(want, string(out)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
