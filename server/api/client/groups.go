package client

import "context"

// Groups lists groups of verdicts by name.
func (a *API) Groups(ctx context.Context) ([]GroupInfo, error) {
	list, err := read[GroupList](a.calls.ListGroups(ctx))
	if err != nil {
		return nil, err
	}
	return list.Groups, nil
}

// Group gives one group. ErrNotFound: there is none of that name.
func (a *API) Group(ctx context.Context, name string) (*GroupInfo, error) {
	return read[GroupInfo](a.calls.ShowGroup(ctx, name))
}

// SaveGroup keeps a group in the place of the one of that name. ErrInvalid: it cannot be. ErrConflict: it has changed since in.Rev, or its name is
// a check's.
func (a *API) SaveGroup(ctx context.Context, name string, in GroupBody) (*GroupInfo, error) {
	return read[GroupInfo](a.calls.SaveGroup(ctx, name, &SaveGroupParams{}, in))
}

// TryGroup gives a group as SaveGroup would keep it, with its errors, and keeps nothing. The checks and groups in coming are about to be made.
func (a *API) TryGroup(ctx context.Context, name string, in GroupBody, coming []string) (*GroupInfo, error) {
	dry := true
	return read[GroupInfo](a.calls.SaveGroup(ctx, name, &SaveGroupParams{DryRun: &dry, Coming: coming}, in))
}

// DeleteGroup takes a group away. ErrConflict: something stands on it.
func (a *API) DeleteGroup(ctx context.Context, name string) error {
	return gone(a.calls.DeleteGroup(ctx, name))
}

// Silences lists silences, the latest first; with over also those that are over.
func (a *API) Silences(ctx context.Context, over bool) ([]SilenceInfo, error) {
	list, err := read[SilenceList](a.calls.ListSilences(ctx, &ListSilencesParams{Over: &over}))
	if err != nil {
		return nil, err
	}
	return list.Silences, nil
}

// Silence gives one silence. ErrNotFound: there is none.
func (a *API) Silence(ctx context.Context, id string) (*SilenceInfo, error) {
	return read[SilenceInfo](a.calls.ShowSilence(ctx, id))
}

// AddSilence has bad states left out of verdicts for a time.
func (a *API) AddSilence(ctx context.Context, in SilenceOrder) (*SilenceInfo, error) {
	return read[SilenceInfo](a.calls.AddSilence(ctx, in))
}

// EndSilence ends a silence before its time. ErrConflict: it is over.
func (a *API) EndSilence(ctx context.Context, id string) (*SilenceInfo, error) {
	return read[SilenceInfo](a.calls.EndSilence(ctx, id))
}

// PreviewSilence tells what a silence would hide, and would have hidden.
func (a *API) PreviewSilence(ctx context.Context, in SilenceOrder) (*SilencePreview, error) {
	return read[SilencePreview](a.calls.PreviewSilence(ctx, in))
}
