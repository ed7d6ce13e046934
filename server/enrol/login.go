package enrol

import (
	"fmt"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
)

// JoinLogin checks the login of a connection that is to enrol: the passcode is made with a token that still lets machines in, or with which
// this very key has asked before. It gives the key id that the connection is for. ErrDenied: it is not.
func (r *Registry) JoinLogin(clientID, passcode string) (keyID string, err error) {
	if keyID, err = trust.ParseJoinClientID(clientID); err != nil {
		return "", err
	}
	tokenID, err := trust.JoinTokenID(passcode)
	if err != nil {
		return "", err
	}
	secret, err := r.SecretOf(tokenID)
	if err != nil {
		return "", fmt.Errorf("the join token is not known here, or was deleted: %w", fettle.ErrDenied)
	}
	return keyID, trust.CheckJoinLogin(secret, passcode, keyID)
}

// NodeLogin checks the login of an enrolled node. ErrDenied: the passcode is not this node's, or its key is not good any more.
func (r *Registry) NodeLogin(id fettle.NodeID, passcode string) error {
	if id == wire.Server {
		return fmt.Errorf("%q is the server's own name: %w", id, fettle.ErrDenied)
	}
	keyID, err := trust.CheckNodePasscode(r.cfg.LoginKey, id, passcode)
	if err != nil {
		return err
	}
	r.mu.RLock()
	e := r.keys[keyID]
	r.mu.RUnlock()
	if e == nil || e.Node != id || e.State != store.KeyActive {
		return fmt.Errorf("key %s of node %s is not good any more: %w", keyID, id, fettle.ErrDenied)
	}
	return r.usable(e)
}
