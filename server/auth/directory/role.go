package directory

import (
	"fmt"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/auth"
)

// RoleOf gives the members of a group a role.
type RoleOf struct {
	Group string `yaml:"group"`
	Role  string `yaml:"role"`
}

// roleOf gives the highest role that one of groups has; empty: none has one. Names of groups are compared without regard to capitals, as LDAP has it.
func roleOf(groups []string, roles []RoleOf) (best auth.Role) {
	for _, g := range groups {
		for _, r := range roles {
			if strings.EqualFold(g, r.Group) && !best.May(auth.Role(r.Role)) {
				best = auth.Role(r.Role)
			}
		}
	}
	return best
}

// faults collects what is wrong with settings, each by its key.
type faults []error

func (f *faults) add(key, format string, args ...any) {
	*f = append(*f, &fettle.Fault{Key: key, Reason: fmt.Sprintf(format, args...)})
}

func (f *faults) roles(block string, roles []RoleOf) {
	if len(roles) == 0 {
		f.add(block+".roles", "nobody could sign in: give groups and their roles")
	}
	for i, r := range roles {
		if r.Group == "" {
			f.add(fmt.Sprintf("%s.roles[%d].group", block, i), "a group is needed")
		}
		if _, err := auth.ParseRole(r.Role); err != nil {
			f.add(fmt.Sprintf("%s.roles[%d].role", block, i), "%q is none of viewer, operator and admin", r.Role)
		}
	}
}
