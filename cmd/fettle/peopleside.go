package main

import (
	"github.com/fettle-dev/fettle/server/auth"
	"github.com/fettle-dev/fettle/server/auth/directory"
)

// openPeople makes those who sign in by name, and the directories that know others.
func (m *middle) openPeople() (err error) {
	parts := auth.PeopleParts{Users: m.store, Keeper: m.keeper, Audit: m.audit, Log: m.log}
	if m.cfg.LDAP.URL != "" {
		if parts.Directory, err = directory.NewLDAP(m.cfg.LDAP); err != nil {
			return err
		}
	}
	if m.cfg.OIDC.Issuer != "" {
		if m.oidc, err = directory.NewOIDC(m.cfg.OIDC); err != nil {
			return err
		}
	}
	m.people = auth.NewPeople(parts)
	return nil
}
