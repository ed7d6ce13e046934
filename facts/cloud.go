package facts

import (
	"context"
	"log/slog"
)

type cloud struct{ changed chan struct{} }

func newCloud(cfg Config) *cloud { return &cloud{changed: make(chan struct{}, 1)} }
func (c *cloud) run(ctx context.Context, provider string, log *slog.Logger) error {
	<-ctx.Done()
	return nil
}
func (c *cloud) collect(doc *document) {}
