package client

import "context"

// Remedies gives a page of what was run, or left out, because states had changed, and what keeps remedies from being started.
func (a *API) Remedies(ctx context.Context, p *ListRemediesParams) (*RemedyList, error) {
	return read[RemedyList](a.calls.ListRemedies(ctx, p))
}

// Remedy gives one of them. ErrNotFound: there is none.
func (a *API) Remedy(ctx context.Context, id int64) (*RemedyInfo, error) {
	return read[RemedyInfo](a.calls.ShowRemedy(ctx, id))
}

// PauseRemedies has no remedies be started, of a check or, where that is left out, at all. ErrConflict: they are paused already.
func (a *API) PauseRemedies(ctx context.Context, o PauseOrder) (*RemedyPause, error) {
	return read[RemedyPause](a.calls.PauseRemedies(ctx, o))
}

// ResumeRemedies has them be started again, and gives the pause that is over. ErrConflict: they are not paused.
func (a *API) ResumeRemedies(ctx context.Context, o PauseOrder) (*RemedyPause, error) {
	return read[RemedyPause](a.calls.ResumeRemedies(ctx, o))
}
