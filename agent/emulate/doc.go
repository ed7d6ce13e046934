// Package emulate is a fleet of agents in one process, for sizing and tests: each is the agent itself, with its ledger, spool and connection, and
// only what it finds on its machine and what it does there are made up. The same seed makes the same fleet.
package emulate
