package api

import "github.com/fettle-dev/fettle/server"

var _ Fleet = (*server.Server)(nil)
