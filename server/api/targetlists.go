package api

import (
	"context"
	"fmt"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
)

// ScrapeList is a list of targets that some Prometheus asks for, and whether it is held.
type ScrapeList struct {
	Where   string     `json:"where,omitempty" doc:"The filter, as it was asked; left out: all nodes"`
	Port    string     `json:"port"`
	Address string     `json:"address,omitempty"`
	Labels  string     `json:"labels,omitempty"`
	Targets int        `json:"targets" doc:"That are given out"`
	Now     int        `json:"now" doc:"That there were when it was asked last; as many as targets, unless the list is held"`
	Held    bool       `json:"held"`
	Since   *time.Time `json:"since,omitempty" doc:"When it became so much shorter"`
	Until   *time.Time `json:"until,omitempty" doc:"When it is taken to be meant"`
	Asked   time.Time  `json:"asked" doc:"When it was asked last"`
}

// ScrapeLists is the lists that are guarded, those that are held first.
type ScrapeLists struct {
	Lists []ScrapeList `json:"lists"`
}

// Released says how many lists are given out as they are again.
type Released struct {
	Lists int `json:"lists"`
}

func (a *rest) scrapeLists(context.Context, *struct{}) (*output[ScrapeLists], error) {
	return &output[ScrapeLists]{ScrapeLists{a.guard.all()}}, nil
}

func (a *rest) releaseTargets(ctx context.Context, in *struct {
	Where string `query:"where" doc:"The filter of the lists, as it was asked; left out: all that are held"`
},
) (*output[Released], error) {
	n := a.guard.release(in.Where)
	tell(ctx, in.Where, audit.Details{"lists": n})
	if n == 0 && in.Where != "" {
		return nil, fmt.Errorf("no list of the filter %s is held: %w", in.Where, fettle.ErrNotFound)
	}
	return &output[Released]{Released{n}}, nil
}
