package client

import (
	"context"

	fettle "github.com/fettle-dev/fettle"
)

// Checks lists the checks that are defined, as they were written.
func (a *API) Checks(ctx context.Context) ([]fettle.KeptCheck, error) {
	list, err := read[CheckList](a.calls.ListChecks(ctx))
	if err != nil {
		return nil, err
	}
	return list.Checks, nil
}

// Check gives one of them. ErrNotFound: there is none of that name.
func (a *API) Check(ctx context.Context, name string) (*fettle.KeptCheck, error) {
	return read[fettle.KeptCheck](a.calls.ShowCheck(ctx, name))
}

// SaveCheck makes a check, or puts it into the place of the one of that name.
func (a *API) SaveCheck(ctx context.Context, def fettle.CheckDefinition) (*fettle.KeptCheck, error) {
	return read[fettle.KeptCheck](a.calls.SaveCheck(ctx, def.Name, &SaveCheckParams{}, def))
}

// TryCheck gives a check as SaveCheck would keep it, with its errors, and keeps nothing. The checks and groups in coming are about to be made.
func (a *API) TryCheck(ctx context.Context, def fettle.CheckDefinition, coming []string) (*fettle.KeptCheck, error) {
	dry := true
	return read[fettle.KeptCheck](a.calls.SaveCheck(ctx, def.Name, &SaveCheckParams{DryRun: &dry, Coming: coming}, def))
}

// DeleteCheck takes a check away. ErrConflict: another depends on it, or it is defined in the server's configuration.
func (a *API) DeleteCheck(ctx context.Context, name string) error {
	return gone(a.calls.DeleteCheck(ctx, name))
}

// CheckHistory gives a page of what has changed in the states of a check.
func (a *API) CheckHistory(ctx context.Context, name string, p *ShowCheckHistoryParams) (*CheckPast, error) {
	return read[CheckPast](a.calls.ShowCheckHistory(ctx, name, p))
}

// Availability gives how long a check had which status.
func (a *API) Availability(ctx context.Context, name string, p *ShowAvailabilityParams) (*Availability, error) {
	return read[Availability](a.calls.ShowAvailability(ctx, name, p))
}

// TestCheck asks nodes what a definition asks, and keeps nothing.
func (a *API) TestCheck(ctx context.Context, order CheckTestOrder) (*TestedCheck, error) {
	return read[TestedCheck](a.calls.TestCheck(ctx, order))
}
