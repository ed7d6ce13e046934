package actions

import (
	"context"
	"runtime"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// ping answers at once.
func ping(cfg Config) Action {
	return Action{
		Manifest: manifest("agent.ping"),
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
		Manifest: manifest("agent.facts"),
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
