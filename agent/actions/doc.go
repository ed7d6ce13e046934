// Package actions holds what an agent can do without a plugin: ping, facts, NRPE commands, plugins of Nagios, and checks of its own.
//
// It is a table of actions, each a manifest and a function. Nothing here passes through a shell but the text that the node's own administrator
// wrote into the configuration of NRPE, which runs as NRPE runs it.
package actions
