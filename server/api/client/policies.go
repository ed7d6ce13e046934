package client

import "context"

// Policies lists the policies by name.
func (a *API) Policies(ctx context.Context) ([]PolicyInfo, error) {
	list, err := read[PolicyList](a.calls.ListPolicies(ctx))
	if err != nil {
		return nil, err
	}
	return list.Policies, nil
}

// SavePolicy keeps a policy in the place of the one of that name. ErrInvalid: it cannot be; the error has the place in its condition.
func (a *API) SavePolicy(ctx context.Context, name string, in PolicyBody) (*PolicyInfo, error) {
	return read[PolicyInfo](a.calls.SavePolicy(ctx, name, in))
}

// DeletePolicy takes a policy away. ErrNotFound: there is none.
func (a *API) DeletePolicy(ctx context.Context, name string) error {
	return gone(a.calls.DeletePolicy(ctx, name))
}

// TestPolicies tells what the policies would say. ErrNotFound: there is no such node.
func (a *API) TestPolicies(ctx context.Context, in PolicyTest) (*PolicyVerdict, error) {
	return read[PolicyVerdict](a.calls.TestPolicies(ctx, in))
}
