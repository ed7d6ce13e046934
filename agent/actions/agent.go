package actions

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

func agentActions(t *Table, cfg Config) []Action {
	return []Action{ping(cfg), facts(cfg), agentInventory(t, cfg), agentRestart(cfg), agentUpgrade(cfg)}
}

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

// agentInventory tells what the agent is.
func agentInventory(t *Table, cfg Config) Action {
	began := time.Now()
	return Action{
		Manifest: manifest("agent.inventory"),
		Do: func(context.Context, Call) Outcome {
			var names []string
			for _, m := range t.Manifests() {
				names = append(names, m.Name)
			}
			return Outcome{Message: "OK", Data: map[string]any{
				"version": cfg.Version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH, "pid": int64(os.Getpid()),
				"uptime": int64(time.Since(began).Seconds()), "memory": ownMemory("/proc/self/status"), "goroutines": int64(runtime.NumGoroutine()),
				"actions": names, "commands": t.Commands(),
			}}
		},
	}
}

// ownMemory gives the anonymous memory that status tells of, in bytes; 0: it does not.
func ownMemory(status string) int64 {
	raw, _ := os.ReadFile(status)
	for line := range strings.Lines(string(raw)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "RssAnon:" {
			kib, _ := strconv.ParseInt(fields[1], 10, 64)
			return kib << 10
		}
	}
	return 0
}

// agentRestart has the agent begin again.
func agentRestart(cfg Config) Action {
	return Action{
		Manifest: manifest("agent.restart"),
		Do: func(context.Context, Call) Outcome {
			if cfg.Restart == nil {
				return Outcome{Status: fettle.StatusRefused, Message: "this agent is a part of another program and cannot restart by itself"}
			}
			cfg.Restart()
			return Outcome{Message: "the agent begins again", Data: map[string]any{"pid": int64(os.Getpid())}}
		},
	}
}
