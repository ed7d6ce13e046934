package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/server/auth"
)

// UserInfo is a person who signs in by name.
type UserInfo struct {
	Name     string     `json:"name"`
	Role     auth.Role  `json:"role" enum:"viewer,operator,admin"`
	Groups   []string   `json:"groups" doc:"Which policies know as user.groups"`
	Source   string     `json:"source" enum:"local,ldap,oidc" doc:"Where the password is checked"`
	Disabled bool       `json:"disabled"`
	Created  time.Time  `json:"created"`
	Changed  *time.Time `json:"changed,omitempty" doc:"The password; left out: it is kept elsewhere"`
	Seen     *time.Time `json:"seen,omitempty" doc:"The last login; left out: there was none"`
}

// UserList is all users, by name.
type UserList struct {
	Users []UserInfo `json:"users"`
}

// UserOrder asks for a user.
type UserOrder struct {
	Name     string   `json:"name" minLength:"1" maxLength:"64" example:"ann"`
	Role     string   `json:"role" enum:"viewer,operator,admin"`
	Groups   []string `json:"groups,omitempty" maxItems:"200"`
	Password string   `json:"password" maxLength:"1024" doc:"10 to 256 bytes"`
}

// UserChange says what is to be different of a user; what is left out stays.
type UserChange struct {
	Role     *string   `json:"role,omitempty" enum:"viewer,operator,admin"`
	Groups   *[]string `json:"groups,omitempty" maxItems:"200"`
	Disabled *bool     `json:"disabled,omitempty" doc:"Who is disabled is signed out, and their tokens are denied"`
}

// PasswordOrder asks for another password.
type PasswordOrder struct {
	Password string `json:"password" maxLength:"1024" doc:"10 to 256 bytes"`
	Present  string `json:"present,omitempty" maxLength:"1024" doc:"The one that holds; wanted of who changes their own"`
}

// OneUser is the path of one user.
type OneUser struct {
	Name string `path:"name" maxLength:"64" example:"ann"`
}

func (a *rest) userRoutes() {
	handle(a, route{id: "list-users", method: http.MethodGet, path: "/users", tag: "users", need: auth.Admin, summary: "List users", text: "By name."}, a.listUsers)
	handle(a, route{
		id: "create-user", method: http.MethodPost, path: "/users", tag: "users", need: auth.Admin, status: http.StatusCreated,
		summary: "Add a user", text: "Who signs in with a password that is kept here. Users of a directory are added by their first login.",
	}, a.createUser)
	handle(a, route{
		id: "change-user", method: http.MethodPatch, path: "/users/{name}", tag: "users", need: auth.Admin,
		summary: "Change a user", text: "The role and groups of a directory's user are changed there; disabling works for every user.",
	}, a.changeUser)
	handle(a, route{
		id: "set-password", method: http.MethodPut, path: "/users/{name}/password", tag: "users", need: auth.Viewer, status: http.StatusNoContent,
		summary: "Set a password", text: "All sessions of the user end. Everybody may set their own, with the present one; administrators any.",
	}, a.setPassword)
	handle(a, route{
		id: "delete-user", method: http.MethodDelete, path: "/users/{name}", tag: "users", need: auth.Admin, status: http.StatusNoContent,
		summary: "Delete a user", text: "With all sessions and tokens. One of a directory comes back with the next login; to keep somebody out, disable the user.",
	}, a.deleteUser)
}

func (a *rest) listUsers(ctx context.Context, _ *struct{}) (*output[UserList], error) {
	people, err := a.people()
	if err != nil {
		return nil, err
	}
	users, err := people.List(ctx)
	if err != nil {
		return nil, err
	}
	list := UserList{Users: make([]UserInfo, len(users))}
	for i, u := range users {
		list.Users[i] = userInfo(u)
	}
	return &output[UserList]{list}, nil
}

func (a *rest) createUser(ctx context.Context, in *struct{ Body UserOrder }) (*output[UserInfo], error) {
	people, err := a.people()
	if err != nil {
		return nil, err
	}
	tell(ctx, in.Body.Name, audit.Details{"role": in.Body.Role, "groups": orNone(in.Body.Groups)})
	u, err := people.Add(ctx, auth.NewUser{Name: in.Body.Name, Role: auth.Role(in.Body.Role), Groups: in.Body.Groups, Password: in.Body.Password})
	if err != nil {
		return nil, err
	}
	return &output[UserInfo]{userInfo(u)}, nil
}

func (a *rest) changeUser(ctx context.Context, in *struct {
	OneUser
	Body UserChange
},
) (*output[UserInfo], error) {
	people, err := a.people()
	if err != nil {
		return nil, err
	}
	change, said := auth.Change{Groups: in.Body.Groups, Disabled: in.Body.Disabled}, audit.Details{}
	if in.Body.Role != nil {
		role := auth.Role(*in.Body.Role)
		change.Role, said["role"] = &role, role
	}
	if in.Body.Groups != nil {
		said["groups"] = *in.Body.Groups
	}
	if in.Body.Disabled != nil {
		said["disabled"] = *in.Body.Disabled
	}
	tell(ctx, in.Name, said)
	u, err := people.Alter(ctx, in.Name, change)
	if err != nil {
		return nil, err
	}
	return &output[UserInfo]{userInfo(u)}, nil
}

func (a *rest) setPassword(ctx context.Context, in *struct {
	OneUser
	Body PasswordOrder
},
) (*struct{}, error) {
	people, err := a.people()
	if err != nil {
		return nil, err
	}
	person := auth.From(ctx)
	own := person.Account == in.Name
	switch {
	case own && len(person.Scopes) > 0, !own && person.Role != auth.Admin:
		return nil, fmt.Errorf("%s may not set the password of %s: %w", person.Name, in.Name, fettle.ErrDenied)
	case own:
		if err := people.HasPassword(ctx, in.Name, in.Body.Present); err != nil {
			return nil, err
		}
	}
	return nil, people.SetPassword(ctx, in.Name, in.Body.Password)
}

func (a *rest) deleteUser(ctx context.Context, in *OneUser) (*struct{}, error) {
	people, err := a.people()
	if err != nil {
		return nil, err
	}
	return nil, people.Remove(ctx, in.Name)
}

func userInfo(u auth.User) UserInfo {
	return UserInfo{
		Name: u.Name, Role: u.Role, Groups: orNone(u.Groups), Source: u.Source, Disabled: u.Disabled, Created: u.Created.Time(),
		Changed: moment(u.Changed), Seen: moment(u.Seen),
	}
}
