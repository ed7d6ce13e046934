//go:build unix

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// network is a way from one process to another that can be disturbed.
type network struct{ proxy *toxiproxy.Proxy }

func newNetwork(name, to string) (*network, error) {
	n := &network{toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), name, "127.0.0.1:0", to)}
	return n, n.proxy.Start()
}

// toxics are the disturbances, by the names that the table of faults has for them.
func toxics() []struct{ name, toxic string } {
	return []struct{ name, toxic string }{
		{"latency", `"type":"latency","attributes":{"latency":400,"jitter":300}`},
		{"slicing", `"type":"slicer","attributes":{"average_size":48,"size_variation":32,"delay":2000}`},
		{"half-open", `"type":"timeout","attributes":{"timeout":0}`},
		{"reset", `"type":"reset_peer","attributes":{"timeout":100}`},
		{"bandwidth", `"type":"bandwidth","attributes":{"rate":16}`},
	}
}

// disturb adds a disturbance in one direction or in both.
func (n *network) disturb(toxic string, random *rand.Rand) error {
	streams := []string{"upstream", "downstream"}
	if dice := random.IntN(3); dice < 2 {
		streams = streams[dice : dice+1]
	}
	for _, stream := range streams {
		text := fmt.Sprintf(`{"name":%q,"stream":%q,"toxicity":1,%s}`, stream, stream, toxic)
		if _, err := n.proxy.Toxics.AddToxicJson(strings.NewReader(text)); err != nil {
			return err
		}
	}
	return nil
}

// heal takes all disturbances away. A way that does not let go of them is cut.
func (n *network) heal(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	healed := make(chan struct{})
	go func() { // ends at the latest when the connections are cut
		n.proxy.Toxics.ResetToxics(ctx)
		close(healed)
	}()
	select {
	case <-healed:
		return nil
	case <-ctx.Done():
	}
	n.proxy.Stop()
	<-healed
	return n.proxy.Start()
}
