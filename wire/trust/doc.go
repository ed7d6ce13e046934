// Package trust is who is who on the wire: the keys of nodes, the fleet root and the server keys that it certifies, join tokens, logins to the
// broker, inputs that only one node can read, and the memory against replays. It holds no connection and no state of a server.
//
// wire/DESIGN.md tells how the parts fit together, docs/security.md what each stolen one can and cannot do.
package trust
