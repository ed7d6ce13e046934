package client

import (
	"context"

	"github.com/fettle-dev/fettle"
)

// RetryRun does a run again for those of its nodes that did not do well. ErrConflict: it goes on, or nobody is left.
func (a *API) RetryRun(ctx context.Context, id fettle.RunID) (*RunSummary, error) {
	return read[RunSummary](a.calls.RetryRun(ctx, string(id)))
}

// StandingRuns lists the runs that come again and again, by name.
func (a *API) StandingRuns(ctx context.Context) ([]StandingInfo, error) {
	list, err := read[StandingList](a.calls.ListStanding(ctx))
	if err != nil {
		return nil, err
	}
	return list.Standing, nil
}

// StandingRun gives one of them. ErrNotFound: there is none of that name.
func (a *API) StandingRun(ctx context.Context, name string) (*StandingInfo, error) {
	return read[StandingInfo](a.calls.ShowStanding(ctx, name))
}

// StartStanding makes a standing run. ErrConflict: the name is taken.
func (a *API) StartStanding(ctx context.Context, in StandingOrder) (*StandingInfo, error) {
	return read[StandingInfo](a.calls.StartStanding(ctx, in))
}

// PauseStanding has a standing run ask nobody until it is resumed.
func (a *API) PauseStanding(ctx context.Context, name string) (*StandingInfo, error) {
	return read[StandingInfo](a.calls.PauseStanding(ctx, name))
}

// ResumeStanding has a standing run go on.
func (a *API) ResumeStanding(ctx context.Context, name string) (*StandingInfo, error) {
	return read[StandingInfo](a.calls.ResumeStanding(ctx, name))
}

// EndStanding takes a standing run away; the runs that it was stay.
func (a *API) EndStanding(ctx context.Context, name string) error {
	return gone(a.calls.EndStanding(ctx, name))
}
