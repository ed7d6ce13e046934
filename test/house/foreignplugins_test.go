//go:build integration

package house

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// largePlugin is how much the archive of a plugin has that does not pack, in bytes: dozens of pieces, and near to what is allowed.
const largePlugin = 12 << 20

// largeGreet writes a plugin of a version with a file beside it that is large, and that the plugin reads.
func largeGreet(t *testing.T, version, word string) string {
	t.Helper()
	dir := greet(t, version, word)
	blob := make([]byte, largePlugin)
	if _, err := rand.Read(blob); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "blob"), blob, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestPluginsOverAForeignBroker has two nodes fetch a large plugin: one over a queue on which somebody doubles and swaps the pieces. Then one of them
// is killed while it fetches, and the other is away.
func TestPluginsOverAForeignBroker(t *testing.T) {
	foreignBrokers(t, func(t *testing.T, p *place) {
		server := p.open()
		args1, args2 := p.agent("n1"), p.agent("n2")
		n1, n2 := start(t, args1...), start(t, args2...)
		p.alive("n1")
		p.alive("n2")
		m := p.broker.meddle(t, wire.Destinations{Collective: p.broker.collective}.Node("n2"))
		meddling, stop := context.WithCancel(t.Context())
		doubled := make(chan int, 1)
		go func() { doubled <- m.shuffle(meddling) }()
		ask(t, server, "plugin", "push", largeGreet(t, "1.0.0", "Hello")).want(t, 0)
		r := into[nodeResult](t, ask(t, server, "run", "greet.hello", "--all", "--timeout", "50s", "-o", "json").want(t, 0))
		if r.Tally.OK != 2 || r.Results[0].Message != "Hello, world!" {
			t.Errorf("%+v", r)
		}
		stop()
		if n := <-doubled; n < 10 {
			t.Errorf("only %d messages were doubled", n)
		}
		m.leave()

		ask(t, server, "plugin", "push", largeGreet(t, "1.1.0", "Hi")).want(t, 0)
		pieces := func() (n int) {
			for line := range strings.Lines(get(t, server.ready["http"]+"/metrics", "")) {
				_, _ = fmt.Sscanf(line, "fettle_server_archive_pieces_sent_total %d", &n)
			}
			return n
		}
		before := pieces()
		n2.stop()
		var run runItem
		p.must(http.MethodPost, "/runs", map[string]any{"action": "greet.hello", "all": true, "timeout": "50s"}, &run)
		eventually(t, "pieces flow", func() bool { return pieces() > before+2 })
		n1.kill()
		start(t, args1...)
		start(t, args2...)
		eventually(t, "the run ends", func() bool { p.must(http.MethodGet, "/runs/"+run.Run, nil, &run); return run.Ended != nil })
		for _, one := range run.Results {
			if one.Status != int(fettle.StatusOK) || one.Message != "Hi, world!" {
				t.Errorf("%+v", one)
			}
		}
		if len(run.Results) != 2 {
			t.Errorf("%+v", run)
		}
	})
}
