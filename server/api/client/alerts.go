package client

import "context"

// Alerts lists what is wrong and who was told, the worst first.
func (a *API) Alerts(ctx context.Context) (*AlertList, error) {
	return read[AlertList](a.calls.ListAlerts(ctx))
}

// AlertReceivers lists who is told, as the server's configuration has them.
func (a *API) AlertReceivers(ctx context.Context) (*AlertReceiverList, error) {
	return read[AlertReceiverList](a.calls.ListReceivers(ctx))
}

// TestReceiver has a receiver be told of an alert that is none. ErrNotFound: there is no such receiver; ErrUnavailable: it did not take it.
func (a *API) TestReceiver(ctx context.Context, name string) error {
	return gone(a.calls.TestReceiver(ctx, name))
}
