package actions

import (
	"context"
	"runtime"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/plugins"
)

// ping answers at once.
func ping(cfg Config) Action {
	return Action{
		Manifest: plugins.Action{
			Name: "agent.ping", Description: "Answer at once, to show that the node is there.", Idempotent: true, Slotless: true, Timeout: 10_000,
			Outputs: []plugins.Output{
				{Name: "time", Description: "The node's clock, in milliseconds since 1970 UTC.", Type: plugins.Int},
				{Name: "version", Description: "Version of the agent.", Type: plugins.String},
				{Name: "os", Description: "Operating system, as Go names it.", Type: plugins.String},
				{Name: "arch", Description: "Architecture, as Go names it.", Type: plugins.String},
			},
		},
		Do: func(context.Context, Call) Outcome {
			return Outcome{Message: "OK", Data: map[string]any{
				"time": int64(fettle.MillisOf(time.Now())), "version": cfg.Version, "os": runtime.GOOS, "arch": runtime.GOARCH,
			}}
		},
	}
}

// facts has the agent collect again.
func facts(cfg Config) Action {
	return Action{
		Manifest: plugins.Action{
			Name: "agent.facts", Description: "Collect the node's facts again, and publish them.", Idempotent: true, Slotless: true, Timeout: 60_000,
			Outputs: []plugins.Output{{Name: "hash", Description: "Hash of the facts document.", Type: plugins.String}},
		},
		Do: func(ctx context.Context, call Call) Outcome {
			if cfg.Facts == nil {
				return Outcome{Status: fettle.StatusOther, Message: "this agent does not collect facts"}
			}
			data, err := cfg.Facts(ctx)
			if ctx.Err() != nil {
				return ended(ctx, "collecting facts", call.Timeout)
			}
			if err != nil {
				return Outcome{Status: fettle.StatusFailed, Message: err.Error(), Data: data}
			}
			return Outcome{Message: "OK", Data: data}
		},
	}
}
